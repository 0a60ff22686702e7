//! `arb backtest`: strategies over recorded trades.

mod brackets;
mod json;
mod signals;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::record::JournalWriter;
use arb::tape::{SourceKind, TapeOptions, TapeStats};
use arb::{
    Backtest, Decimal, EngineConfig, Event, EventKind, FillModel, Money, Observer, Output, Price,
    Qty, Record, Recorder, Registry, Timestamp,
};

use self::signals::Signals;
use super::{strategies, usage};
use crate::market_data::{Files, NamedFile, Steps, gaps, instant};
use crate::output::{self, OutFile};
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
}

/// How many decisions were told; they themselves are not kept, because memory must not grow with
/// the tape.
#[derive(Clone, Debug, Default)]
struct Decisions {
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
    journal: Option<JournalWriter<OutFile>>,
    signals: Option<Signals>,
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
    }

    fn output(&mut self, output: &Output) {
        if let Output::Configured { hash } = output {
            self.config_hash.clone_from(hash);
        }
        if let Output::Signal(signal) = output {
            self.decisions.add(signal);
            if let Some(signals) = &mut self.signals {
                signals.add(signal);
            }
        } else {
            self.recorder.output(output);
        }
        if let Some(journal) = &mut self.journal {
            journal.output(output);
        }
    }

    fn tick(&mut self, engine: &arb::Engine, at: Timestamp) {
        self.recorder.tick(engine, at);
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
    output::check_distinct(&inputs(args, &files), &outputs(args)?)?;
    let config = config(args, &files)?;
    let mut json = args.json.as_deref().map(|path| OutFile::create("--json", path)).transpose()?;
    let mut watch = watch(args, &files)?;
    let outcome = backtest(args, &files, config, &mut watch)?;
    if let (Some(out), Some(signals)) = (&mut json, watch.signals) {
        json::write(&outcome, signals, out).context("--json")?;
    }
    // Nothing takes its name before everything is written.
    if let Some(journal) = watch.journal {
        journal.finish().context("--journal")?.commit()?;
    }
    let summary_on_stderr = json.as_ref().is_some_and(OutFile::is_stdout);
    json.map_or(Ok(()), OutFile::commit)?;
    if summary_on_stderr {
        output::stderr(summary::text(&outcome, Style::of(&std::io::stderr())))
    } else {
        output::stdout(summary::text(&outcome, Style::of(&std::io::stdout())))
    }
}

/// Every file the run reads, by flag.
fn inputs<'a>(args: &'a Args, files: &'a Files) -> Vec<output::Named<'a>> {
    let strategies = args.strategy.iter().filter(|name| Registry::builtin_text(name).is_none());
    let strategies = strategies.map(|name| ("--strategy", Path::new(name)));
    let brackets = args.brackets.as_deref().map(|path| ("--brackets", path));
    files.paths().chain(strategies).chain(brackets).collect()
}

/// Every file the run writes, by flag.
fn outputs(args: &Args) -> Result<Vec<output::Named<'_>>> {
    let json = args.json.as_deref().map(|path| ("--json", path));
    let journal = args.journal.as_deref().map(|path| ("--journal", path));
    if journal.is_some_and(|(_, path)| output::is_stdout(path)) {
        return usage("--journal: a journal is binary; name a file");
    }
    Ok(json.into_iter().chain(journal).collect())
}

/// Who looks on, with their files open: a folder that is not there must not cost a run.
fn watch(args: &Args, files: &Files) -> Result<Watch> {
    let mut watch = Watch::default();
    if let Some(path) = &args.json {
        watch.signals = Some(Signals::new(path, &files.symbols)?);
    }
    if let Some(path) = &args.journal {
        watch.journal = Some(JournalWriter::new(OutFile::create("--journal", path)?)?);
    }
    Ok(watch)
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

fn backtest(
    args: &Args,
    files: &Files,
    config: EngineConfig,
    watch: &mut Watch,
) -> Result<Outcome> {
    let strategies = config.strategies.len();
    let mut test = Backtest::new(config, Registry::builtin(), watch)?;
    let options = TapeOptions { gaps: gaps(args.accept_gaps), from: args.from, to: args.to };
    let tape = files.read(options, |event| {
        test.on_event(event, watch);
        Ok(())
    })?;
    test.finish(watch);
    if test.trades_read() == 0 {
        anyhow::bail!("{}: no trades between --from and --to", files.symbols.join(","));
    }
    Ok(Outcome {
        symbols: files.symbols.clone(),
        strategies,
        config_hash: std::mem::take(&mut watch.config_hash),
        first: watch.first,
        last: watch.last,
        recorder: std::mem::take(&mut watch.recorder),
        decisions: std::mem::take(&mut watch.decisions),
        stats: tape.stats().clone(),
        trades_read: test.trades_read(),
        inputs_present: test.engine().inputs_present(),
        rules_off: test.engine().rules_off(),
    })
}
