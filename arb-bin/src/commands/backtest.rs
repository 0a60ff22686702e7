//! `arb backtest`: strategies over recorded trades.

mod args;
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
use arb::tape::TapeStats;
use arb::{
    Backtest, EngineConfig, Event, EventKind, Observer, Output, Record, Recorder, Registry,
    Timestamp,
};

pub(crate) use self::args::{RunArgs, bps};
use super::strategies;
use crate::market_data::Files;
use crate::terminal::Style;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Strategy files, or names that come with the engine
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|NAME")]
    strategy: Vec<String>,
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
    let files = args.run.files()?;
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
    let mut config = args.run.config(files)?;
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
    let tape = files.read(args.run.options(), |event| {
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
