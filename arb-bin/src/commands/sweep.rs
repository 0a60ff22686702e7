//! `arb sweep`: a strategy's parameters, searched with walk-forward folds.

mod summary;

use std::io::{IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::sweep::{
    Facts, MIN_PURGE, Metric, Param, Plan, PlanOptions, Reading, Recording, Search, Setup, Space,
    State, Streamed, Sweep, SweepError, SweepReport, Touch, Variant, longest_life,
};
use arb::time::HOUR;
use arb::{Decimal, Registry};

use super::backtest::RunArgs;
use super::{strategies, usage};
use crate::output::{self, OutFile};
use crate::progress::Progress;

/// Bytes of a trade in memory.
const TRADE_BYTES: usize = 40;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Strategy file, or a name that comes with the engine
    #[arg(long, value_name = "FILE|NAME")]
    strategy: String,
    /// What to vary: exits.stop_atr=1..3/0.5, threshold=[70,75], or without a step for --random
    #[arg(long, required = true, num_args = 1.., value_name = "PATH=VALUES")]
    param: Vec<Param>,
    /// Try every combination (the default)
    #[arg(long, conflicts_with = "random")]
    grid: bool,
    /// Try so many combinations, drawn at random
    #[arg(long, value_name = "N")]
    random: Option<u64>,
    /// Seed of the random draws
    #[arg(long, default_value_t = 1, requires = "random")]
    seed: u64,
    /// Variants allowed; the more are tried, the better the best looks by luck
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    max_variants: u64,
    /// What the variants are ranked by: total_r, mean_r, net, sharpe
    #[arg(long, default_value = "total_r")]
    rank_by: Metric,
    /// Steps of the walk forward
    #[arg(long, default_value_t = 4)]
    folds: u32,
    /// Time between train and test, at least 4h60m (the default, more where trades live longer)
    #[arg(long, value_parser = duration)]
    purge: Option<i64>,
    /// Time after a test, at least 4h60m (the default, more where trades live longer)
    #[arg(long, value_parser = duration)]
    embargo: Option<i64>,
    /// Share of the period at its end that no variant sees; 0 keeps none
    #[arg(long, default_value = "20%", value_parser = share)]
    hold_out: Decimal,
    /// Judge the best variant on the hold-out, once; needs --state
    #[arg(long, requires = "state")]
    touch_hold_out: bool,
    /// Judge it there although other variants were; the report says how often
    #[arg(long, requires = "state")]
    touch_hold_out_again: bool,
    /// Threads; as many as there are cores unless told
    #[arg(long)]
    workers: Option<NonZeroUsize>,
    /// Keep what has run in this file and go on from it; every variant in it counts as tried
    #[arg(long, alias = "resume", value_name = "FILE")]
    state: Option<PathBuf>,
    /// Trades are kept in memory up to so many MB, else each worker streams them
    #[arg(long, default_value_t = 4_096, value_name = "MB")]
    max_memory_mb: usize,
    /// Write the report as one HTML file that works offline
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the report as JSON; `-` is stdout, and the summary goes to stderr
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A length of time such as `5h` or `4h60m`, in nanoseconds.
fn duration(text: &str) -> Result<i64, String> {
    let length: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no length of time; 5h and 4h60m are"))?;
    i64::try_from(length.as_nanos()).map_err(|_| format!("{text} is too long"))
}

/// A share such as `20%` or `0.2`.
fn share(text: &str) -> Result<Decimal, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, Decimal::ONE_HUNDRED),
        None => (text, Decimal::ONE),
    };
    let value = Decimal::from_str_exact(number.trim())
        .map_err(|_| format!("{text:?} is no share; 20% and 0.2 are"))?;
    Ok(value / scale)
}

pub(crate) fn run(args: &Args) -> Result<()> {
    refused(go(args))
}

/// What is wrong with the flags ends with exit code 2.
fn refused<T>(result: Result<T>) -> Result<T> {
    result.or_else(|error| match error.downcast_ref::<SweepError>() {
        Some(SweepError::Usage(message)) => usage(message.clone()),
        _ => Err(error),
    })
}

fn go(args: &Args) -> Result<()> {
    let (file, text) = strategies::text_of(&args.strategy)?;
    let registry = Registry::builtin();
    let space = Space::new(&file, &text, args.param.clone())?;
    let search = match args.random {
        Some(count) => Search::Random { count, seed: args.seed },
        None => Search::Grid,
    };
    let variants = space.variants(search, args.max_variants, &registry)?;
    let lives = variants.iter().map(|variant| longest_life(&variant.text));
    let longest = lives.max().unwrap_or_default();
    let (facts, recording) = recording(args)?;
    let plan = plan(args, &facts, longest)?;
    let setup = Setup {
        config: args.run.config(&args.run.files()?)?,
        file: space.file().to_owned(),
        begins: plan.period.from,
    };
    let sweep = Sweep {
        recording: recording.as_ref(),
        facts: &facts,
        setup: &setup,
        space: &space,
        variants: &variants,
        plan: &plan,
        rank_by: args.rank_by,
        registry: &registry,
    };
    let report = search_all(args, &sweep)?;
    write(args, &report)
}

/// Reads the trades once; those that fit stay in memory.
fn recording(args: &Args) -> Result<(Facts, Box<dyn Recording>)> {
    let most = args.max_memory_mb.saturating_mul(1_000_000) / TRADE_BYTES;
    let mut reading = Reading::new(most);
    let files = args.run.files()?;
    files
        .read(args.run.options(), |event| reading.push(event).map_err(anyhow::Error::from_boxed))?;
    let Some((facts, memory)) = reading.finish() else {
        anyhow::bail!("{}: no trades between --from and --to", files.symbols.join(","));
    };
    let recording: Box<dyn Recording> = match memory {
        Some(memory) => Box::new(memory),
        None => {
            output::note(format!(
                "note: {} trades do not fit into --max-memory-mb {}; every back-test reads the \
                 files again",
                facts.trades, args.max_memory_mb
            ));
            let (sources, options) = (files.sources().to_vec(), args.run.options());
            Box::new(Streamed { sources, options })
        }
    };
    Ok((facts, recording))
}

fn plan(args: &Args, facts: &Facts, longest_life: i64) -> Result<Plan> {
    let usual = (4 * HOUR).saturating_add(longest_life).max(MIN_PURGE);
    let options = PlanOptions {
        folds: args.folds,
        purge: args.purge.unwrap_or(usual),
        embargo: args.embargo.unwrap_or(usual),
        hold_out: args.hold_out,
    };
    Ok(Plan::new(facts.period, longest_life, &options)?)
}

fn search_all(args: &Args, sweep: &Sweep<'_>) -> Result<SweepReport> {
    let mut state = match &args.state {
        Some(path) => State::open(path, &sweep.belongs_to())?,
        None => State::in_memory(),
    };
    let left = sweep.left(&state);
    announce(sweep.variants, sweep.plan, left);
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = args.workers.unwrap_or_else(cores);
    let progress = Progress::new(left as u64);
    sweep.run(workers, &mut state, &mut |finished| progress.set(finished as u64))?;
    drop(progress);
    if args.touch_hold_out || args.touch_hold_out_again {
        let touch = if args.touch_hold_out_again { Touch::Again } else { Touch::Once };
        sweep.touch_hold_out(&mut state, touch)?;
    }
    Ok(sweep.report(&state)?)
}

fn announce(variants: &[Variant], plan: &Plan, left: usize) {
    let all = variants.len() * plan.blocks.len();
    let before =
        if left < all { format!(", {} of them done before", all - left) } else { String::new() };
    output::note(format!(
        "{} variants over {} spans: {all} back-tests{before}",
        variants.len(),
        plan.blocks.len()
    ));
}

fn write(args: &Args, report: &SweepReport) -> Result<()> {
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let coloured = |terminal: bool| terminal && std::env::var_os("NO_COLOR").is_none();
    let json = || serde_json::to_string_pretty(report);
    if to_stdout {
        output::stderr(summary::text(report, coloured(std::io::stderr().is_terminal())))?;
        writeln!(std::io::stdout().lock(), "{}", json()?)?;
    } else {
        output::stdout(summary::text(report, coloured(std::io::stdout().is_terminal())))?;
        if let Some(path) = &args.json {
            save("--json", path, &json()?)?;
        }
    }
    match &args.out {
        Some(path) => save("--out", path, &arb::sweep::html(report)?),
        None => Ok(()),
    }
}

fn save(flag: &'static str, path: &Path, text: &str) -> Result<()> {
    let mut out = OutFile::create(flag, path)?;
    out.write_all(text.as_bytes()).context(flag)?;
    out.commit()
}
