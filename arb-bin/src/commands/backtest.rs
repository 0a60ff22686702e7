//! `arb backtest`: strategies over recorded trades.

mod brackets;
mod json;
mod report;
mod summary;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use arb::record::JournalWriter;
use arb::report::{BacktestCollector, BacktestReport};
use arb::tape::{SourceKind, TapeOptions, TapeStats};
use arb::{
    Backtest, Decimal, EngineConfig, Event, EventKind, FillModel, Money, Observer, Output, Price,
    Qty, Record, Recorder, Registry, Timestamp,
};

use super::{strategies, usage};
use crate::market_data::{Files, NamedFile, Steps, gaps, instant};
use crate::terminal::Style;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of trades (.csv, .zip, .gz); SYMBOL=FILE for several instruments
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    trades: Vec<NamedFile>,
    /// The venue's symbol
    #[arg(long)]
    symbol: Option<String>,
    /// Strategy files, or names that come with the engine
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|NAME")]
    strategy: Vec<String>,
    /// Settled funding rates
    #[arg(long, num_args = 1.., value_name = "FILE")]
    funding: Vec<NamedFile>,
    /// Open interest and long/short ratios
    #[arg(long, num_args = 1.., value_name = "FILE")]
    metrics: Vec<NamedFile>,
    /// Premium-index klines, for the running funding rate
    #[arg(long, num_args = 1.., value_name = "FILE")]
    premium_klines: Vec<NamedFile>,
    /// First instant: 2024-08-08, RFC 3339 or epoch ms
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// First instant after the period
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
    /// Go on over missing trades; windows over them give no entry
    #[arg(long)]
    accept_gaps: bool,
    /// When a resting target fills: by a trade through it, or by a queue model
    #[arg(long, value_enum, default_value_t = Fill::Through)]
    fill: Fill,
    /// Fee of a maker fill, basis points
    #[arg(long, default_value = "2", value_parser = bps)]
    maker_bps: Decimal,
    /// Fee of a taker fill, basis points
    #[arg(long, default_value = "5", value_parser = bps)]
    taker_bps: Decimal,
    /// Spread where there is no book, basis points
    #[arg(long, default_value = "1", value_parser = bps)]
    spread_bps: Decimal,
    /// Slippage of a market order, basis points
    #[arg(long, default_value = "1", value_parser = bps)]
    slippage_bps: Decimal,
    /// From a decision to its effect, ms
    #[arg(long, default_value_t = 250)]
    latency_ms: u32,
    /// Inputs that strategies must not see, such as open_interest,funding_rate
    #[arg(long, value_delimiter = ',', value_name = "INPUT")]
    mask_inputs: Vec<String>,
    /// Balance at the start, quote currency
    #[arg(long, default_value = "10000")]
    balance: Money,
    /// Smallest price step; else known or inferred from the trades
    #[arg(long)]
    tick_size: Option<Price>,
    /// Smallest quantity step; else known or inferred from the trades
    #[arg(long)]
    lot_size: Option<Qty>,
    /// Smallest notional of an order, quote currency; 5 unless told
    #[arg(long)]
    min_notional: Option<Money>,
    /// Maintenance-margin tiers, as /fapi/v1/leverageBracket answers
    #[arg(long, value_name = "FILE")]
    brackets: Option<PathBuf>,
    /// Record every decision, not only those with a tier
    #[arg(long)]
    all_decisions: bool,
    /// Write the result as JSON; `-` is stdout, and the summary goes to stderr
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a report to open in a browser, one HTML file that works offline
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write every event and output, for `arb replay`
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Fill {
    Through,
    Queue,
}

pub(super) fn bps(text: &str) -> Result<Decimal, String> {
    let value = Decimal::from_str_exact(text).map_err(|e| e.to_string())?;
    let legal = value >= Decimal::ZERO && value <= Decimal::from(1_000);
    if legal { Ok(value) } else { Err("0 to 1000 basis points are allowed".to_owned()) }
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    symbols: Vec<String>,
    strategies: usize,
    config_hash: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    recorder: Recorder,
    decisions: Decisions,
    stats: TapeStats,
    trades_read: u64,
    inputs_present: Vec<(arb::InputName, f64)>,
    rules_off: Vec<arb::RuleOff>,
    report: Option<BacktestReport>,
}

/// How many decisions were told, and whether they are kept: without a JSON result nobody reads
/// them, and memory must not grow with the tape.
#[derive(Clone, Debug, Default)]
struct Decisions {
    kept: bool,
    told: u64,
    fired: u64,
    /// What stopped the others, by kind of reason.
    stopped: BTreeMap<String, u64>,
}

impl Decisions {
    fn add(&mut self, signal: &arb::Signal) {
        self.told += 1;
        if signal.fired {
            self.fired += 1;
        } else {
            *self.stopped.entry(signal.decision.reason.kind()).or_default() += 1;
        }
    }
}

/// Everything that looks on.
#[derive(Default)]
struct Watch {
    decisions: Decisions,
    recorder: Recorder,
    journal: Option<JournalWriter<BufWriter<File>>>,
    page: Option<BacktestCollector>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    config_hash: String,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        if let EventKind::Trade(trade) = event.kind {
            self.first.get_or_insert(trade.ts);
            self.last = Some(trade.ts);
        }
        if let Some(journal) = &mut self.journal {
            journal.event(event);
        }
        if let Some(page) = &mut self.page {
            page.event(event);
        }
    }

    fn output(&mut self, output: &Output) {
        if let Output::Configured { hash } = output {
            self.config_hash.clone_from(hash);
        }
        if let Output::Signal(signal) = output {
            self.decisions.add(signal);
        }
        if self.decisions.kept || !matches!(output, Output::Signal(_)) {
            self.recorder.output(output);
        }
        if let Some(journal) = &mut self.journal {
            journal.output(output);
        }
        if let Some(page) = &mut self.page {
            page.output(output);
        }
    }

    fn tick(&mut self, engine: &arb::Engine, at: Timestamp) {
        self.recorder.tick(engine, at);
        if let Some(page) = &mut self.page {
            page.tick(engine, at);
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return usage("--from must be before --to");
    }
    let mut files = Files::new(args.symbol.as_deref(), &args.trades)?;
    files.add(SourceKind::Funding, &args.funding)?;
    files.add(SourceKind::Metrics, &args.metrics)?;
    files.add(SourceKind::PremiumKlines, &args.premium_klines)?;
    let config = config(args, &files)?;
    args.out.as_deref().map(report::check).transpose()?;
    let outcome = backtest(args, &files, config)?;
    let json_on_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if json_on_stdout {
        eprint!("{}", summary::text(&outcome, Style::of(&std::io::stderr())));
    } else {
        print!("{}", summary::text(&outcome, Style::of(&std::io::stdout())));
    }
    if let Some(path) = &args.json {
        write_json(&outcome, path)?;
    }
    if let (Some(path), Some(page)) = (&args.out, &outcome.report) {
        report::write(page, path)?;
        let line = format!("report  {}", path.display());
        if json_on_stdout { eprintln!("{line}") } else { println!("{line}") }
    }
    Ok(())
}

fn write_json(outcome: &Outcome, path: &std::path::Path) -> Result<()> {
    let result = json::result(outcome);
    if path.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &result).map_err(std::io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, &result)?;
    Ok(out.flush()?)
}

fn config(args: &Args, files: &Files) -> Result<EngineConfig> {
    let ratio = |bps: Decimal| bps / Decimal::from(10_000);
    let brackets = args.brackets.as_deref().map(brackets::read).transpose()?.unwrap_or_default();
    let steps = Steps {
        tick_size: args.tick_size,
        lot_size: args.lot_size,
        min_notional: args.min_notional,
        spread_bps: args.spread_bps,
        brackets,
    };
    let mut config = EngineConfig::new(files.instruments(&steps)?);
    config.account.initial_balance = args.balance;
    config.account.maker_fee = ratio(args.maker_bps);
    config.account.taker_fee = ratio(args.taker_bps);
    config.account.slippage = ratio(args.slippage_bps);
    config.mask_inputs = strategies::input_names(&args.mask_inputs)?;
    config.paper.latency_ms = args.latency_ms;
    config.paper.fill = match args.fill {
        Fill::Through => FillModel::Through,
        Fill::Queue => FillModel::Queue,
    };
    config.record = if args.all_decisions { Record::All } else { Record::Tiered };
    for strategy in &args.strategy {
        let (file, text) = strategies::text_of(strategy)?;
        Registry::builtin().build(&file, &text)?;
        config = config.with_strategy(&file, &text)?;
    }
    Ok(config)
}

fn backtest(args: &Args, files: &Files, config: EngineConfig) -> Result<Outcome> {
    let mut watch = Watch::default();
    watch.decisions.kept = args.json.is_some();
    watch.page = args.out.as_ref().map(|_| BacktestCollector::new());
    if let Some(path) = &args.journal {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        watch.journal = Some(JournalWriter::new(BufWriter::with_capacity(1 << 18, file))?);
    }
    let strategies = config.strategies.len();
    let mut test = Backtest::new(config, Registry::builtin(), &mut watch)?;
    let options = TapeOptions { gaps: gaps(args.accept_gaps), from: args.from, to: args.to };
    let tape = files.read(options, |event| {
        test.on_event(event, &mut watch);
        Ok(())
    })?;
    test.finish(&mut watch);
    if test.trades_read() == 0 {
        anyhow::bail!("{}: no trades between --from and --to", files.symbols.join(","));
    }
    if let Some(journal) = watch.journal.take() {
        journal.finish().context("the journal")?;
    }
    Ok(Outcome {
        symbols: files.symbols.clone(),
        strategies,
        config_hash: watch.config_hash,
        first: watch.first,
        last: watch.last,
        recorder: watch.recorder,
        decisions: watch.decisions,
        stats: tape.stats().clone(),
        trades_read: test.trades_read(),
        inputs_present: test.engine().inputs_present(),
        rules_off: test.engine().rules_off(),
        report: watch.page.map(|page| page.report(test.engine())),
    })
}
