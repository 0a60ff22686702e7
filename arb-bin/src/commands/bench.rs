//! `arb bench`: what this machine needs for each part, nanoseconds a trade.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};
use arb::tape::{Source, SourceKind, Tape, TapeHeader, TapeOptions, TapeWriter};
use arb::{
    Backtest, EngineConfig, Event, Instrument, InstrumentConfig, InstrumentId, Recorder, Registry,
    Trade,
};
use serde::Serialize;

use crate::output;
use crate::terminal::grouped;

const ROUNDS: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Trades of the generated tape
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    trades: u32,
}

#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    ns_per_trade: f64,
    fastest: f64,
    slowest: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let count = usize::try_from(args.trades)?;
    let tape: Vec<Trade> = TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(count).collect();
    let mut csv = CSV_HEADER.as_bytes().to_vec();
    tape.iter().for_each(|trade| csv_line(trade, &mut csv));
    let mut columns = TapeWriter::new("bench.arbt", Vec::new(), TapeHeader::new("BTCUSDT"))?;
    tape.iter().try_for_each(|trade| columns.trade(trade))?;
    let (columns, _) = columns.finish()?;
    let plain = config()?;
    let text = Registry::builtin_text("v52_8signals").unwrap_or_default();
    let scored = plain.clone().with_strategy("v52_8signals", text)?;
    let rows = [
        timed("reading CSV", args.trades, || read(&csv, |_| ()))?,
        timed("reading a tape", args.trades, || read(&columns, |_| ()))?,
        timed("indicators", args.trades, || fold(&plain, &tape))?,
        timed("engine with v52_8signals", args.trades, || fold(&scored, &tape))?,
        timed("whole back-test from CSV", args.trades, || backtest(&scored, &csv))?,
        timed("whole back-test from a tape", args.trades, || backtest(&scored, &columns))?,
    ];
    if args.json {
        let result = serde_json::json!({ "trades": args.trades, "rounds": ROUNDS, "rows": rows });
        return output::stdout(format_args!("{result}\n"));
    }
    let count = grouped(u64::from(args.trades));
    let mut text = format!("{count} trades, median of {ROUNDS} rounds, nanoseconds a trade\n");
    for row in rows {
        let (what, median) = (row.what, row.ns_per_trade);
        let (fastest, slowest) = (row.fastest, row.slowest);
        writeln!(text, "  {what:<28} {median:>7.1}   ({fastest:.1} to {slowest:.1})")?;
    }
    output::stdout(text)
}

fn config() -> Result<EngineConfig> {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
    Ok(EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]))
}

fn timed(what: &'static str, trades: u32, mut run: impl FnMut() -> Result<()>) -> Result<Row> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        run()?;
        rounds.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(trades));
    }
    rounds.sort_by(f64::total_cmp);
    let at = |index: usize| rounds.get(index).copied().unwrap_or_default();
    Ok(Row { what, ns_per_trade: at(ROUNDS / 2), fastest: at(0), slowest: at(ROUNDS - 1) })
}

fn read(bytes: &[u8], mut each: impl FnMut(Event)) -> Result<()> {
    let source = Source {
        instrument: InstrumentId(0),
        symbol: "BTCUSDT".to_owned(),
        kind: SourceKind::Trades,
        path: "generated".into(),
    };
    let mut tape = Tape::from_bytes(&[(source, bytes)], TapeOptions::default())?;
    let mut batch = Vec::new();
    while tape.next_batch(&mut batch)? > 0 {
        batch.drain(..).for_each(&mut each);
    }
    Ok(())
}

fn backtest(config: &EngineConfig, bytes: &[u8]) -> Result<()> {
    let mut seen = Recorder::default();
    let mut test = Backtest::new(config.clone(), Registry::builtin(), &mut seen)?;
    read(bytes, |event| test.on_event(event, &mut seen))?;
    test.finish(&mut seen);
    Ok(())
}

fn fold(config: &EngineConfig, tape: &[Trade]) -> Result<()> {
    let mut seen = Recorder::default();
    let registry = Registry::builtin();
    let mut test = Backtest::new(config.clone(), registry, &mut seen)?;
    for trade in tape {
        test.on_trade(trade, &mut seen);
    }
    test.finish(&mut seen);
    Ok(())
}
