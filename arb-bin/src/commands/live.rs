//! What `arb run` and `arb demo` share: a node that lives until it is told to stop.

mod log;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arb::live::{HistoryProgress, Live, LiveOptions, MakeNotifier};
use arb::notify::{Discord, Heartbeat};
use arb::port::Notifier;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

pub(crate) use self::log::LogFormat;
use self::table::Table;
use super::strategies;
use crate::output;
use crate::terminal::{counted, duration};

/// What both commands are told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LiveArgs {
    /// Symbols with order flow, scored every 15 seconds
    #[arg(long, value_delimiter = ',', default_value = "BTCUSDT,ETHUSDT,XRPUSDT,SOLUSDT",
        value_parser = crate::market_data::symbol)]
    pub(crate) symbols: Vec<String>,
    /// Strategies: built-in names or files
    #[arg(long, value_delimiter = ',', default_value = "v51_baseline,v52_8signals")]
    pub(crate) strategy: Vec<String>,
    /// Balance of the paper account at the first start, quote currency
    #[arg(long, default_value = "10000")]
    pub(crate) balance: arb::Money,
    /// Hours of trades that the first start reads; entries need four and a quarter
    #[arg(long, default_value_t = 4.5, value_parser = hours)]
    pub(crate) history_hours: f64,
    /// Print one line of JSON when it is ready
    #[arg(long)]
    pub(crate) ready_json: bool,
    /// How logs are written, on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log: LogFormat,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| format!("{text:?} is no number of hours"))?;
    if (0.0..=48.0).contains(&hours) { Ok(hours) } else { Err("0 to 48 are allowed".to_owned()) }
}

impl LiveArgs {
    pub(crate) fn history(&self) -> Duration {
        Duration::from_secs_f64(self.history_hours * 3_600.0)
    }

    pub(crate) fn strategies(&self) -> Result<Vec<arb::StrategyText>> {
        let text = |name: &String| {
            let (file, text) = strategies::text_of(name)?;
            Ok(arb::StrategyText { file, text })
        };
        self.strategy.iter().map(text).collect()
    }
}

/// One line that says that it is ready, and where.
#[derive(Debug, Serialize)]
struct Ready<'a, V: Serialize> {
    pid: u32,
    data: &'a Path,
    #[serde(flatten)]
    venue: V,
}

/// The runtime of a command that goes on until it is told to stop.
pub(crate) fn block_on<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let outcome = runtime.block_on(what);
    // Open connections are not waited for.
    runtime.shutdown_background();
    outcome
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) struct StopSignal {
    terminated: Signal,
    interrupted: Signal,
}

impl StopSignal {
    pub(crate) fn new() -> Result<Self> {
        let terminated = signal(SignalKind::terminate()).context("SIGTERM")?;
        let interrupted = signal(SignalKind::interrupt()).context("SIGINT")?;
        Ok(Self { terminated, interrupted })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

/// Starts a node, says when it is ready, shows it, and stops it in order.
pub(crate) async fn live(
    args: &LiveArgs,
    options: LiveOptions,
    venue: impl Serialize,
) -> Result<()> {
    log::start(args.log)?;
    let folder: PathBuf = options.folder.clone();
    let mut stop = StopSignal::new()?;
    let started = tokio::select! {
        started = options.start(tell) => started?,
        () = stop.wait() => return Ok(()),
    };
    let mut live = started;
    let _heartbeat = heartbeat(&live);
    if args.ready_json {
        let ready = Ready { pid: std::process::id(), data: &folder, venue };
        output::stdout(format_args!("{}\n", serde_json::to_string(&ready)?))?;
    }
    let mut table = Table::new(&live, args);
    let ended = loop {
        tokio::select! {
            () = stop.wait() => break None,
            ended = live.wait() => break Some(ended),
            shown = table.next() => match shown {
                Ok(text) => table.show(&text)?,
                Err(error) => tracing::warn!(%error, "the table could not be read"),
            },
        }
    };
    drop(table);
    finish(live, ended).await
}

/// Signs of life to `ARB_HEARTBEAT_URL`, where it is set.
fn heartbeat(live: &Live) -> Option<JoinSet<()>> {
    let address = std::env::var("ARB_HEARTBEAT_URL").ok()?;
    let mut task = JoinSet::new();
    task.spawn(Heartbeat::new(address, live.node().handle()).run());
    Some(task)
}

/// Messages to `ARB_DISCORD_WEBHOOK`, where it is set; an address in a flag would be seen by all.
pub(crate) fn discord() -> Result<Option<MakeNotifier>> {
    let Ok(webhook) = std::env::var("ARB_DISCORD_WEBHOOK") else { return Ok(None) };
    let discord = Discord::new(&webhook).context("ARB_DISCORD_WEBHOOK")?;
    Ok(Some(Box::new(|symbols| Arc::new(discord.naming(symbols)) as Arc<dyn Notifier>)))
}

async fn finish(live: Live, ended: Option<Result<(), arb::live::LiveError>>) -> Result<()> {
    if let Some(ended) = ended {
        ended.context("the node ended")?;
        anyhow::bail!("the node ended by itself");
    }
    let stopped = live.stop().await?;
    let records = counted(stopped.records, "record");
    output::note(format_args!("stopped: {records} in the log, all on the disk"));
    Ok(())
}

/// Says how far the history is, and when the symbol may trade.
fn tell(progress: &HistoryProgress) {
    let HistoryProgress { symbol, from, to, until, trades } = progress;
    let (done, all) = (to.since(*from), until.since(*from).max(1));
    let every = 50_000;
    if trades % every < 1_000 || all - done < arb::time::MINUTE {
        let left = duration((all - done).max(0));
        let trades = counted(*trades, "trade");
        tracing::info!(symbol, "history: {trades} read, {left} of market time to come");
    }
}
