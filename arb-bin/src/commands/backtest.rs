//! `arb backtest`: strategies over recorded trades.

mod args;
mod brackets;
mod json;
mod signals;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::record::JournalWriter;
use arb::report::{BacktestCollector, BacktestReport};
use arb::tape::TapeStats;
use arb::{
    Backtest, EngineConfig, Event, EventKind, Observer, Output, Record, Recorder, Registry,
    Timestamp,
};

pub(crate) use self::args::{RunArgs, bps};
use self::signals::Signals;
use super::{strategies, usage};
use crate::market_data::Files;
use crate::output::{self, OutFile};
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
            if let Some(signals) = &mut self.signals {
                signals.add(signal);
            }
        } else {
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
    output::check_distinct(&inputs(args, &files), &outputs(args)?)?;
    let config = config(args, &files)?;
    let create = |flag, path: &Option<PathBuf>| {
        path.as_deref().map(|path| OutFile::create(flag, path)).transpose()
    };
    let (mut json, mut page) = (create("--json", &args.json)?, create("--out", &args.out)?);
    let mut watch = watch(args, &files)?;
    let outcome = backtest(args, &files, config, &mut watch)?;
    if let (Some(out), Some(signals)) = (&mut json, watch.signals) {
        json::write(&outcome, signals, out).context("--json")?;
    }
    if let (Some(out), Some(report)) = (&mut page, &outcome.report) {
        report.write_to(out).context("--out")?;
    }
    // Nothing takes its name before everything is written.
    if let Some(journal) = watch.journal {
        journal.finish().context("--journal")?.commit()?;
    }
    page.map_or(Ok(()), OutFile::commit)?;
    let on_stderr = json.as_ref().is_some_and(OutFile::is_stdout);
    json.map_or(Ok(()), OutFile::commit)?;
    let style =
        if on_stderr { Style::of(&std::io::stderr()) } else { Style::of(&std::io::stdout()) };
    let mut text = summary::text(&outcome, style);
    if let Some(path) = &args.out {
        text.push_str(&format!("report  {}\n", path.display()));
    }
    if on_stderr { output::stderr(text) } else { output::stdout(text) }
}

/// Every file the run reads, by flag.
fn inputs<'a>(args: &'a Args, files: &'a Files) -> Vec<output::Named<'a>> {
    let strategies = args.strategy.iter().filter(|name| Registry::builtin_text(name).is_none());
    let strategies = strategies.map(|name| ("--strategy", Path::new(name)));
    let brackets = args.run.brackets().map(|path| ("--brackets", path));
    files.paths().chain(strategies).chain(brackets).collect()
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

/// Who looks on, with their files open: a folder that is not there must not cost a run.
fn watch(args: &Args, files: &Files) -> Result<Watch> {
    let mut watch = Watch::default();
    if let Some(path) = &args.json {
        watch.signals = Some(Signals::new(path, &files.symbols)?);
    }
    watch.page = args.out.as_ref().map(|_| BacktestCollector::new());
    if let Some(path) = &args.journal {
        watch.journal = Some(JournalWriter::new(OutFile::create("--journal", path)?)?);
    }
    Ok(watch)
}

fn config(args: &Args, files: &Files) -> Result<EngineConfig> {
    let mut config = args.run.config(files)?;
    config.record = if args.all_decisions { Record::All } else { Record::Tiered };
    for strategy in &args.strategy {
        let (file, text) = strategies::text_of(strategy)?;
        let built = Registry::builtin().build(&file, &text)?;
        if !files.symbols.iter().any(|symbol| built.watches(symbol)) {
            let symbols = files.symbols.join(", ");
            output::note(format_args!(
                "warning: {strategy}: symbols: {symbols} is not among them, so it never acts"
            ));
        }
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
    let stats = files.read(args.run.options(), |event| {
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
        stats,
        trades_read: test.trades_read(),
        inputs_present: test.engine().inputs_present(),
        rules_off: test.engine().rules_off(),
        report: watch.page.take().map(|page| page.report(test.engine())),
    })
}
