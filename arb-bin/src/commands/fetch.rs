//! `arb fetch`: history of perpetuals, by requests within the venue's budget, from its public
//! archive, or from files somebody has.
//!
//! Invariant: everything goes into a store first, that of a node's folder or one beside the output,
//! so the same command goes on where it was stopped, at any moment and however. An output is made
//! of the store when all of it is there, and is the same whoever was stopped how often.

mod bars;
mod download;
mod export;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use arb::Timestamp;
use arb::live::{
    Addresses, FetchProgress, Fetcher, ImportReport, Interval, Period, import_archives,
};
use arb::node::WallClock;
use arb::port::Clock;
use arb::sqlite::{SqliteOptions, SqliteStore};

use self::download::ARCHIVE;
use super::live::{StopSignal, block_on};
use super::usage;
use crate::config::data_folder;
use crate::market_data::{instant, symbol};
use crate::output::{self, is_stdout};
use crate::progress::Progress;
use crate::terminal::{counted, duration, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Perpetuals, with commas between
    #[arg(long, value_delimiter = ',', value_parser = symbol)]
    symbol: Vec<String>,
    /// First instant: 2026-11-01, RFC 3339 or epoch milliseconds
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// First instant after the period; now unless told
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
    /// What is fetched
    #[arg(long, value_enum, default_value_t = What::Trades)]
    what: What,
    /// Length of a bar, for klines: 1m, 5m, 1h, 1d
    #[arg(long, default_value = "1m", value_parser = interval)]
    interval: Interval,
    /// Folder of a node whose store takes it, running or not; the configured one unless told
    #[arg(long, conflicts_with = "out")]
    data: Option<PathBuf>,
    /// A file instead: .arbt, or .csv in the columns of the archive
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Archive files, or folders of them, that are brought in; a .CHECKSUM beside a file must fit
    #[arg(long, num_args = 1.., value_name = "FILE")]
    archive: Vec<PathBuf>,
    /// Download the files of the public archive, checked, instead of asking for single trades
    #[arg(long, num_args = 0..=1, default_missing_value = ARCHIVE, value_name = "URL",
        conflicts_with = "archive")]
    archive_url: Option<String>,
    /// Where downloaded archive files are kept
    #[arg(long, value_name = "DIR", requires = "archive_url")]
    archive_dir: Option<PathBuf>,
    /// The line of a simulated venue instead of the exchange
    #[arg(long, value_name = "FILE")]
    venue_json: Option<PathBuf>,
}

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Aggregate trades
    Trades,
    /// Settled funding rates
    Funding,
    /// Bars; into a .csv only
    Klines,
    /// Open interest and long/short ratios
    Metrics,
}

fn interval(text: &str) -> Result<Interval, String> {
    Interval::parse(text).ok_or_else(|| format!("{text:?} is no interval; 1m, 5m, 1h, 1d are"))
}

/// Where it goes.
struct Place {
    /// The store that takes it.
    file: PathBuf,
    /// The output that is made of the store, which goes then.
    out: Option<PathBuf>,
    /// Where downloaded archives are kept.
    archives: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    check(args)?;
    let period = (args.from, args.to);
    block_on(async {
        let mut stop = StopSignal::new()?;
        tokio::select! {
            done = fetch(args, period) => done,
            () = stop.wait() => {
                output::note("stopped; the same command goes on from here");
                Ok(())
            }
        }
    })
}

fn check(args: &Args) -> Result<()> {
    if args.archive.is_empty() && (args.symbol.is_empty() || args.from.is_none()) {
        return usage("--symbol and --from are needed, or --archive FILE");
    }
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return usage("--from is not before --to");
    }
    if let Some(out) = &args.out {
        let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if is_stdout(out) || !["arbt", "csv"].contains(&ending) {
            return usage("--out: a file whose name ends in .arbt or .csv");
        }
        if args.symbol.len() != 1 {
            return usage("--out: a file holds one symbol; name it with --symbol");
        }
        if args.what == What::Klines && ending != "csv" {
            return usage("--out: klines are written as .csv");
        }
    }
    if args.what == What::Klines {
        if args.out.is_none() {
            return usage("--what klines needs --out FILE.csv: a store keeps no bars");
        }
        if !args.archive.is_empty() || args.archive_url.is_some() {
            return usage("--what klines comes by requests; archives of klines are .csv already");
        }
    }
    Ok(())
}

fn place(args: &Args) -> Result<Place> {
    if let Some(out) = &args.out {
        let beside = |ending: &str| {
            let mut name = out.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let archives = args.archive_dir.clone().unwrap_or_else(|| beside(".archive"));
        return Ok(Place { file: beside(".partial.db"), out: Some(out.clone()), archives });
    }
    let folder = data_folder(args.data.as_deref())?;
    std::fs::create_dir_all(&folder).with_context(|| format!("--data {}", folder.display()))?;
    let archives = args.archive_dir.clone().unwrap_or_else(|| folder.join("archive"));
    Ok(Place { file: folder.join("arb.db"), out: None, archives })
}

async fn fetch(args: &Args, (from, to): (Option<Timestamp>, Option<Timestamp>)) -> Result<()> {
    if args.what == What::Klines {
        return bars(args, from).await;
    }
    let place = place(args)?;
    let store = Arc::new(SqliteOptions::new(&place.file).open().await?);
    let mut missing = Vec::new();
    if !args.archive.is_empty() {
        archives(&store, &args.archive, &args.symbol).await?;
    } else if let Some(url) = &args.archive_url {
        let to = to.unwrap_or_else(|| WallClock.now());
        let period = (from.unwrap_or_default(), to);
        let got = download::all(url, &place.archives, &args.symbol, (args.what, period)).await?;
        archives(&store, &got.files, &args.symbol).await?;
        missing = got.missing;
    } else {
        let (addresses, clock) = venue(args.venue_json.as_deref()).await?;
        let period = (from.unwrap_or_default(), to.unwrap_or_else(|| clock.now()));
        for symbol in &args.symbol {
            let fetcher =
                Fetcher::open(&addresses, Arc::clone(&clock), Arc::clone(&store), symbol).await?;
            by_requests(&fetcher, symbol, (args.what, period)).await?;
        }
    }
    if !missing.is_empty() {
        bail!(
            "{} not in the archive: {}; the rest was brought in. A day appears some hours after \
             its end, and the newest come by requests, without --archive-url",
            counted(missing.len().try_into().unwrap_or(u64::MAX), "file"),
            missing.join(", ")
        );
    }
    finish(args, place, store, (from, to)).await
}

async fn venue(line: Option<&Path>) -> Result<(Addresses, Arc<dyn Clock>)> {
    match line {
        Some(file) => super::run::simulated(file).await,
        None => Ok((Addresses::production(), Arc::new(WallClock))),
    }
}

async fn by_requests(
    fetcher: &Fetcher,
    symbol: &str,
    (what, period): (What, Period),
) -> Result<()> {
    let (count, noun) = match what {
        What::Trades => {
            let teller = Teller::new(symbol);
            let all = fetcher.trades(period, &|progress| teller.tell(progress)).await?;
            (all, "trade")
        }
        What::Funding => (fetcher.funding(period).await?, "settlement"),
        What::Metrics => (fetcher.metrics(period).await?, "value"),
        What::Klines => bail!("bars go into no store"),
    };
    if count == 0 {
        bail!(
            "{symbol}: the venue has nothing of this period; it keeps trades of some days only, \
               older ones are in its archive (--archive-url)"
        );
    }
    output::note(format_args!("{symbol}: {} are stored", counted(count, noun)));
    Ok(())
}

async fn bars(args: &Args, from: Option<Timestamp>) -> Result<()> {
    let (Some(out), Some(symbol)) = (&args.out, args.symbol.first()) else {
        return usage("--what klines needs --out FILE.csv and --symbol");
    };
    let (addresses, clock) = venue(args.venue_json.as_deref()).await?;
    let period = (from.unwrap_or_default(), args.to.unwrap_or_else(|| clock.now()));
    // The listing is looked up in a store that nobody keeps.
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let store = Arc::new(SqliteOptions::new(folder.path().join("listing.db")).open().await?);
    let fetcher = Fetcher::open(&addresses, clock, store, symbol).await?;
    bars::write(&fetcher, args.interval, period, out).await
}

async fn archives(store: &SqliteStore, files: &[PathBuf], symbols: &[String]) -> Result<()> {
    let progress = Mutex::new(None);
    let told = |done, total| {
        let mut bar = progress.lock().unwrap_or_else(PoisonError::into_inner);
        bar.get_or_insert_with(|| Progress::new(total)).set(done);
    };
    let report = import_archives(store, files, symbols, &told).await?;
    drop(progress);
    let ImportReport { files, verified, skipped, trades, others } = report;
    if files == 0 {
        bail!("none of the files is of {}", symbols.join(", "));
    }
    let (files, verified) = (counted(files, "file"), grouped(verified));
    let (trades, others) = (counted(trades, "trade"), counted(others, "other row"));
    output::note(format_args!(
        "{files} read, {verified} of them against a checksum: {trades}, {others}"
    ));
    if skipped > 0 {
        output::note(format_args!("note: {} of other symbols left out", counted(skipped, "file")));
    }
    Ok(())
}

/// Makes the output of the store, and removes what was only for it.
async fn finish(
    args: &Args,
    place: Place,
    store: Arc<SqliteStore>,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
) -> Result<()> {
    let period = (from.unwrap_or(Timestamp::EPOCH), to.unwrap_or(Timestamp::MAX));
    if let (Some(out), Some(symbol)) = (&place.out, args.symbol.first()) {
        export::write(&store, symbol, (args.what, period), out).await?;
    }
    if let Ok(store) = Arc::try_unwrap(store) {
        store.close().await;
    }
    if place.out.is_some() {
        for ending in ["", "-wal", "-shm"] {
            let mut name = place.file.clone().into_os_string();
            name.push(ending);
            // What is left is only in the way of nobody.
            let _ = std::fs::remove_file(name);
        }
    }
    Ok(())
}

/// Tells how far the trades of a symbol are: a bar on a terminal, else a line now and then.
struct Teller {
    symbol: String,
    bar: Progress,
    last: Mutex<Option<Instant>>,
}

impl Teller {
    const EVERY: Duration = Duration::from_secs(5);

    fn new(symbol: &str) -> Self {
        Self { symbol: symbol.to_owned(), bar: Progress::new(1), last: Mutex::new(None) }
    }

    fn tell(&self, progress: &FetchProgress) {
        self.bar.resize(progress.all);
        self.bar.set(progress.done);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= Self::EVERY);
        if progress.done == 0 || !is_due || std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return;
        }
        *last = Some(Instant::now());
        let (done, all) = (grouped(progress.done), grouped(progress.all));
        let wait = duration(arb::time::nanos(progress.wait));
        output::note(format_args!("{}: {done} of {all} trades, {wait} to come", self.symbol));
    }
}
