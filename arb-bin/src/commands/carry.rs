//! `arb carry`: the funding carry over hourly bars of both markets, or over funding rates alone.

mod data;
mod json;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use arb::record::JournalWriter;
use arb::report::{CarryCollector, CarryReport};
use arb::stats::CarrySummary;
use arb::{
    Backtest, Decimal, EngineConfig, Event, Money, Observer, Output, Recorder, Registry, Timestamp,
};

use self::data::Pairs;
use super::{strategies, usage};
use crate::market_data::{NamedFile, instant};
use crate::output::{self, OutFile};
use crate::progress::Progress;

/// Decisions and bars are an hour apart.
const GRID_SECS: u32 = 3_600;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Hourly bars of a perpetual and its spot market: FILE or SYMBOL=FILE
    #[arg(long, num_args = 1.., value_name = "[SYMBOL=]FILE")]
    bars: Vec<NamedFile>,
    /// Settled funding rates; without bars of the symbol they are run at a constant price of 1
    #[arg(long, num_args = 1.., value_name = "[SYMBOL=]FILE")]
    funding: Vec<NamedFile>,
    /// Strategy file, or the name of one that comes with the engine
    #[arg(long, default_value = "funding_carry")]
    strategy: String,
    /// Hours between the settlements that bars tell; funding files tell their own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=8))]
    interval_hours: u8,
    /// First instant of the period
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// First instant after the period
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
    /// Balance at the start, quote currency
    #[arg(long, default_value = "10000")]
    balance: Money,
    /// Taker fee of the perpetual, basis points
    #[arg(long, default_value = "5", value_parser = super::backtest::bps)]
    taker_bps: Decimal,
    /// Fee of the spot market, basis points
    #[arg(long, default_value = "10", value_parser = super::backtest::bps)]
    spot_bps: Decimal,
    /// Spread of both markets, basis points
    #[arg(long, default_value = "1", value_parser = super::backtest::bps)]
    spread_bps: Decimal,
    /// Slippage of each order, basis points
    #[arg(long, default_value = "1", value_parser = super::backtest::bps)]
    slippage_bps: Decimal,
    /// Write the result as JSON; - is standard output
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a report to open in a browser, one HTML file that works offline
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the journal, which `arb replay` runs again
    #[arg(long)]
    journal: Option<PathBuf>,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pairs: Pairs,
    config_hash: String,
    period: (Timestamp, Timestamp),
    recorder: Recorder,
    refused: std::collections::BTreeMap<String, u64>,
    rules_off: Vec<arb::RuleOff>,
    settlements: u64,
    leverage: f64,
    report: Option<CarryReport>,
}

impl Outcome {
    fn summary(&self) -> CarrySummary {
        CarrySummary::new(self.recorder.pairs.values(), self.period, self.leverage)
    }
}

/// Everything that looks on.
#[derive(Default)]
struct Watch {
    recorder: Recorder,
    journal: Option<JournalWriter<OutFile>>,
    page: Option<CarryCollector>,
    config_hash: String,
    refused: std::collections::BTreeMap<String, u64>,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
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
        if let Output::Signal(signal) = output
            && !signal.fired
        {
            *self.refused.entry(signal.decision.reason.kind()).or_default() += 1;
        }
        if !matches!(output, Output::Signal(_)) {
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
    if args.bars.is_empty() && args.funding.is_empty() {
        return usage("--bars or --funding is needed");
    }
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return usage("--from must be before --to");
    }
    output::check_distinct(&inputs(args), &outputs(args)?)?;
    let pairs = Pairs::read(args)?;
    let create = |flag, path: &Option<PathBuf>| {
        path.as_deref().map(|path| OutFile::create(flag, path)).transpose()
    };
    let (mut json, mut page) = (create("--json", &args.json)?, create("--out", &args.out)?);
    let mut watch =
        Watch { page: page.as_ref().map(|_| CarryCollector::new()), ..Watch::default() };
    if let Some(path) = &args.journal {
        watch.journal = Some(JournalWriter::new(OutFile::create("--journal", path)?)?);
    }
    let outcome = carry(args, pairs, &mut watch)?;
    if let Some(out) = &mut json {
        out.json(&json::result(&outcome))?;
    }
    if let (Some(out), Some(report)) = (&mut page, &outcome.report) {
        report.write_to(out).context("--out")?;
    }
    // Nothing takes its name before everything is written.
    if let Some(journal) = watch.journal {
        journal.finish().context("--journal")?.commit()?;
    }
    page.map_or(Ok(()), OutFile::commit)?;
    let summary_on_stderr = json.as_ref().is_some_and(OutFile::is_stdout);
    json.map_or(Ok(()), OutFile::commit)?;
    let mut text = summary::text(&outcome);
    if let Some(path) = &args.out {
        text.push_str(&format!("report  {}\n", path.display()));
    }
    if summary_on_stderr { output::stderr(text) } else { output::stdout(text) }
}

/// Every file the run reads, by flag.
fn inputs(args: &Args) -> Vec<output::Named<'_>> {
    let bars = args.bars.iter().map(|file| ("--bars", file.path()));
    let funding = args.funding.iter().map(|file| ("--funding", file.path()));
    let own = Some(args.strategy.as_str()).filter(|name| Registry::builtin_text(name).is_none());
    bars.chain(funding).chain(own.map(|name| ("--strategy", Path::new(name)))).collect()
}

/// Every file the run writes, by flag.
fn outputs(args: &Args) -> Result<Vec<output::Named<'_>>> {
    let json = args.json.as_deref().map(|path| ("--json", path));
    let journal = args.journal.as_deref().map(|path| ("--journal", path));
    if journal.is_some_and(|(_, path)| output::is_stdout(path)) {
        return usage("--journal: a journal is binary; name a file");
    }
    let page = args.out.as_deref().map(|path| ("--out", path));
    Ok(json.into_iter().chain(journal).chain(page).collect())
}

fn config(args: &Args, pairs: &Pairs) -> Result<EngineConfig> {
    let ratio = |bps: Decimal| bps / Decimal::from(10_000);
    let mut config = EngineConfig::new(pairs.instruments(args.spread_bps)?);
    config.account.initial_balance = args.balance;
    config.account.taker_fee = ratio(args.taker_bps);
    config.account.spot_fee = ratio(args.spot_bps);
    config.account.slippage = ratio(args.slippage_bps);
    config.grid_secs = GRID_SECS;
    // Half of an hour's volume stands at one instant, which is six times that of five minutes.
    let sixth = config.paper.max_participation / Decimal::from(6);
    config.paper.max_participation = sixth.round_dp(6);
    let (file, text) = strategies::text_of(&args.strategy)?;
    Registry::builtin().build(&file, &text)?;
    Ok(config.with_strategy(&file, &text)?)
}

fn carry(args: &Args, pairs: Pairs, watch: &mut Watch) -> Result<Outcome> {
    let config = config(args, &pairs)?;
    let leverage = config.risk.carry.max_leverage.to_string().parse().unwrap_or(1.0);
    let mut test = Backtest::new(config, Registry::builtin(), watch)?;
    let Some((from, to)) = pairs.period(args.from, args.to) else {
        bail!("no hours between --from and --to");
    };
    let mut tape = pairs.tape().starting_at(from);
    let progress = Progress::new(pairs.hours());
    let (mut events, mut hours, mut settlements) = (Vec::new(), 0, 0);
    while tape.next_hour(&mut events) && events.first().is_some_and(|event| event.at < to) {
        for event in events.drain(..).take_while(|event| event.at < to) {
            settlements += u64::from(matches!(event.kind, arb::EventKind::Funding(_)));
            test.on_event(event, watch);
        }
        hours += 1;
        progress.set(hours);
    }
    drop(progress);
    test.finish(watch);
    for note in test.engine().open_pairs() {
        watch.recorder.pairs.insert(note.id, note);
    }
    let unpriced = pairs.all.iter().filter(|pair| !pair.priced);
    let unpriced = unpriced.map(|pair| pair.symbol.clone()).collect();
    let report = watch.page.take().map(|page| page.report(test.engine(), (from, to), unpriced));
    Ok(Outcome {
        report,
        rules_off: test.engine().rules_off(),
        pairs,
        config_hash: std::mem::take(&mut watch.config_hash),
        period: (from, to),
        recorder: std::mem::take(&mut watch.recorder),
        refused: std::mem::take(&mut watch.refused),
        settlements,
        leverage,
    })
}
