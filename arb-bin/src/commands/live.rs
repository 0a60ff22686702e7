//! What `arb run` and `arb demo` share: a node that lives until it is told to stop.

mod host;
mod log;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arb::live::{Addresses, HistoryProgress, Live, LiveOptions, MakeNotifier, OrderFlow, Others};
use arb::notify::{Discord, Heartbeat};
use arb::port::{Clock, Notifier, Store};
use arb::{AccountConfig, Registry};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use self::host::Admin;
pub(crate) use self::host::{FirstLogin, HostArgs, Served, Serving, Starting, bind};
pub(crate) use self::log::start as start_log;
use self::table::Table;
use super::strategies;
use crate::config::{Config, Flag, LogFormat, Secret, Symbols};
use crate::output;
use crate::terminal::{counted, duration};

/// What both commands are told; what is left out comes from the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LiveArgs {
    /// Perpetuals with order flow, scored every 15 seconds: names with commas between, or all
    #[arg(long)]
    symbols: Option<String>,
    /// Strategies: built-in names or files, with commas between
    #[arg(long)]
    strategy: Option<String>,
    /// Balance of the paper account at the first start, quote currency
    #[arg(long)]
    balance: Option<String>,
    /// Hours of trades that the first start reads; entries need four and a quarter
    #[arg(long)]
    history_hours: Option<String>,
    /// How logs are written, on stderr
    #[arg(long, value_enum)]
    log: Option<LogFormat>,
    /// File of settings, as arb config init writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one line of JSON when it is ready
    #[arg(long)]
    pub(crate) ready_json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

impl LiveArgs {
    /// The flags that were given.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let log = self.log.and_then(|format| clap::ValueEnum::to_possible_value(&format));
        let log = log.map(|value| value.get_name().to_owned());
        let all = [
            ("symbols", "--symbols", &self.symbols),
            ("strategies", "--strategy", &self.strategy),
            ("balance", "--balance", &self.balance),
            ("history_hours", "--history-hours", &self.history_hours),
            ("log", "--log", &log),
        ];
        all.into_iter().filter_map(|(key, flag, text)| Some((key, flag, text.clone()?))).collect()
    }
}

/// The strategies' texts, each of which builds.
pub(crate) fn strategy_texts(config: &Config) -> Result<Vec<arb::StrategyText>> {
    let registry = Registry::builtin();
    let text = |name: &String| {
        let (file, text) = strategies::text_of(name).with_context(|| config.named("strategies"))?;
        registry.build(&file, &text)?;
        Ok(arb::StrategyText { file, text })
    };
    config.settings.strategies.iter().map(text).collect()
}

/// A node as configured, on a venue.
pub(crate) fn options(
    config: &Config,
    (addresses, clock): (Addresses, Arc<dyn Clock>),
    folder: PathBuf,
) -> Result<LiveOptions> {
    let settings = &config.settings;
    let account = AccountConfig { initial_balance: settings.balance.0, ..AccountConfig::default() };
    Ok(LiveOptions {
        addresses,
        clock,
        folder,
        symbols: match &settings.symbols {
            Symbols::All => OrderFlow::All,
            Symbols::Listed(list) => OrderFlow::Of(list.clone()),
        },
        others: if settings.watch_others { Others::Watched } else { Others::LeftOut },
        strategies: strategy_texts(config)?,
        registry: Registry::builtin(),
        account,
        risk: settings.risk.into(),
        keep: settings.keep_days.into(),
        history: settings.history_hours.duration(),
        archives: Vec::new(),
        backlog: Duration::ZERO,
        notifier: discord(config)?,
    })
}

/// One line that says that it is ready, and where.
#[derive(Debug, Serialize)]
struct Ready<'a, V: Serialize> {
    pid: u32,
    data: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<&'a Admin>,
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
    (config, first): (&Config, FirstLogin),
    options: LiveOptions,
    venue: impl Serialize,
) -> Result<()> {
    let folder: PathBuf = options.folder.clone();
    let mut stop = StopSignal::new()?;
    let starting = match bind(args.host, config).await? {
        Some(listener) => Some(Starting::begin(listener, config)?),
        None => None,
    };
    let started = tokio::select! {
        started = options.start(|progress| tell(progress, starting.as_ref())) => started?,
        () = stop.wait() => return Ok(()),
    };
    let mut live = started;
    let _heartbeat = heartbeat(config.settings.heartbeat_url.as_ref(), &live);
    let mut serving = match starting {
        Some(starting) => Some(serve(starting.end()?, &live, (config, &folder), first).await?),
        None => None,
    };
    if args.ready_json {
        let rest = serving.as_ref().map(|serving| serving.rest.as_str());
        let admin = serving.as_ref().and_then(|serving| serving.admin.as_ref());
        let ready = Ready { pid: std::process::id(), data: &folder, rest, admin, venue };
        output::stdout(format_args!("{}\n", serde_json::to_string(&ready)?))?;
    } else if let Some(serving) = &serving {
        serving.tell();
    }
    let mut table = Table::new(&live, args, serving.as_ref().map(Serving::line));
    let ended = loop {
        tokio::select! {
            () = stop.wait() => break None,
            ended = live.wait() => break Some(ended.map_err(anyhow::Error::new)),
            error = host_ended(&mut serving) => break Some(Err(error)),
            shown = table.next() => match shown {
                Ok(text) => table.show(&text)?,
                Err(error) => tracing::warn!(%error, "the table could not be read"),
            },
        }
    };
    drop(table);
    if let Some(serving) = serving {
        serving.stop().await;
    }
    finish(live, ended).await
}

async fn serve(
    listener: TcpListener,
    live: &Live,
    (config, folder): (&Config, &Path),
    first: FirstLogin,
) -> Result<Serving> {
    let served = Served {
        desk: Arc::new(live.node().handle()),
        store: Arc::clone(live.store()) as Arc<dyn Store>,
        clock: live.clock(),
        symbols: live.symbols().to_vec(),
    };
    Serving::start(listener, served, (config, folder), first).await
}

/// Waits for the end of a host, for ever where there is none.
async fn host_ended(serving: &mut Option<Serving>) -> anyhow::Error {
    match serving {
        Some(serving) => serving.ended().await,
        None => std::future::pending().await,
    }
}

/// Signs of life, where an address is configured.
fn heartbeat(address: Option<&Secret>, live: &Live) -> Option<JoinSet<()>> {
    let address = address?.reveal().to_owned();
    let mut task = JoinSet::new();
    task.spawn(Heartbeat::new(address, live.node().handle()).run());
    Some(task)
}

/// Messages, where a webhook is configured; it is no flag, because those are seen by all.
fn discord(config: &Config) -> Result<Option<MakeNotifier>> {
    let Some(webhook) = &config.settings.discord_webhook else { return Ok(None) };
    let discord =
        Discord::new(webhook.reveal()).with_context(|| config.named("discord_webhook"))?;
    Ok(Some(Box::new(|symbols| Arc::new(discord.naming(symbols)) as Arc<dyn Notifier>)))
}

async fn finish(live: Live, ended: Option<Result<()>>) -> Result<()> {
    if let Some(ended) = ended {
        ended.context("the node ended")?;
        anyhow::bail!("the node ended by itself");
    }
    let stopped = live.stop().await?;
    let records = counted(stopped.records, "record");
    output::note(format_args!("stopped: {records} in the log, all on the disk"));
    Ok(())
}

/// Says how far the history is, and how long the requests for it take until the symbol may trade.
fn tell(progress: &HistoryProgress, starting: Option<&Starting>) {
    let HistoryProgress { symbol, to, until, trades, left, wait, .. } = progress;
    let every = 50_000;
    let for_log = trades % every < 1_000 || *left == 0;
    let (trades, left) = (counted(*trades, "trade"), counted(*left, "trade"));
    let back = duration(until.since(*to).max(0));
    let wait = duration(arb::time::nanos(*wait));
    let news = format!(
        "history: {trades} read, back {back}; {left} to come, {wait} of requests until trading may \
         begin"
    );
    if for_log {
        tracing::info!(symbol, "{news}");
    }
    if let Some(starting) = starting {
        starting.tell(format!("{symbol} {news}"));
    }
}
