//! A node on the venue's public data: what is listed, its history, streams, store, paper trading.
//!
//! Everything lies in one folder: `arb.db` is the store, `log` the node's log. The first start
//! reads as much history as the gates need and warms up with it; later ones go on where the log
//! ends and fill what was missed by trade id.
//!
//! Invariant: an instrument keeps its number for as long as the folder lives. What is listed later
//! gets the next one, what is delisted keeps its own.

mod archive;
mod backlog;
mod backup;
mod clock;
mod descent;
mod discovery;
mod feeds;
mod fetch;
mod history;
mod metrics;
mod probe;
mod upkeep;
mod year;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arb_binance::Limits;
pub use arb_binance::net::Addresses;
use arb_binance::net::{Broker, Dialer, FeedConfig, FeedCounters, FuturesRest, Rest, SpotRest};
use arb_binance::wire::SymbolTable;
pub use arb_binance::wire::{Interval, Kline};
use arb_core::port::{
    Catalog, Clock, InstrumentStore as _, KeepDays, Notifier, Setting, Store, UpkeepReport,
};
use arb_core::{
    AccountConfig, ConfigError, EngineConfig, InstrumentConfig, Market, Registry, RiskConfig,
    RunId, StoreError, StrategyText, VenueError,
};
use arb_store::sqlite::{SqliteOptions, SqliteStore};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::archive::{
    ArchiveError, ImportReport, archive_files, import_archives, verify_checksum,
};
use self::backlog::{Backlog, Filling};
pub use self::backup::{backup, restore};
pub use self::clock::VenueClock;
use self::discovery::{Found, discover};
use self::feeds::{clock_feed, market_feed};
pub use self::fetch::{FetchProgress, Fetcher, Metrics, Period, stored_metrics};
use self::history::History;
pub use self::history::HistoryProgress;
use self::metrics::Shown;
pub use self::probe::{ClockReading, Tried, probe, try_parts};
use self::upkeep::Keeper;
use self::year::YearReader;
use crate::node::{Node, NodeError, NodeOptions, Stopped};
use crate::record::log::{LogOptions, is_log};

/// How far back settlements are read at the start.
const FUNDING_HISTORY: Duration = Duration::from_hours(30 * 24);
/// Time between two rows of rates: that of the decision grid.
const RATES_EVERY: Duration = Duration::from_secs(15);

/// Name of the store in a folder.
const STORE_FILE: &str = "arb.db";
/// Setting that names the run of a folder.
const RUN_KEY: &str = "node.run";

/// What a live node is told.
pub struct LiveOptions {
    /// Where the venue is.
    pub addresses: Addresses,
    /// What time it is there, as far as is known before asking.
    pub clock: Arc<dyn Clock>,
    /// Where everything is written.
    pub folder: PathBuf,
    /// Which perpetuals have order flow: scored every 15 seconds.
    pub symbols: OrderFlow,
    /// Whether every other perpetual is watched too, for funding and mark.
    pub others: Others,
    /// The strategies; `"symbols": "all"` means those with order flow.
    pub strategies: Vec<StrategyText>,
    /// The strategy kinds.
    pub registry: Registry,
    /// Balance and fees.
    pub account: AccountConfig,
    /// Limits.
    pub risk: RiskConfig,
    /// How long the store keeps what it may forget.
    pub keep: KeepDays,
    /// How much history the first start reads.
    pub history: Duration,
    /// Archive files, or folders of them, that are brought into the store before the first start.
    pub archives: Vec<PathBuf>,
    /// How much history fills the store while the node runs, for the next engine that begins anew.
    pub backlog: Duration,
    /// Makes who is told, from the instruments' names in the order of their ids.
    pub notifier: Option<MakeNotifier>,
}

impl fmt::Debug for LiveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addresses, folder, symbols, others, history, .. } = self;
        f.debug_struct("LiveOptions")
            .field("addresses", addresses)
            .field("folder", folder)
            .field("symbols", symbols)
            .field("others", others)
            .field("history", history)
            .finish_non_exhaustive()
    }
}

/// Makes a notifier once the instruments are known.
pub type MakeNotifier = Box<dyn FnOnce(Vec<String>) -> Arc<dyn Notifier> + Send>;

/// Which perpetuals have order flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderFlow {
    /// All that are listed in USDT and may be traded when the node starts.
    All,
    /// These.
    Of(Vec<String>),
}

/// Whether perpetuals without order flow are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// All of them, for funding and mark.
    Watched,
    /// None.
    LeftOut,
}

/// Why a live node cannot start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The venue did not answer what is needed to begin.
    #[error("{what}: {source}")]
    Venue {
        /// What was asked for.
        what: String,
        /// Why it failed.
        source: VenueError,
    },
    /// A symbol is not listed.
    #[error("{symbol}: no perpetual of this name is listed; arb rates lists all")]
    Unlisted {
        /// The symbol.
        symbol: String,
    },
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node cannot start or go on.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The venue does not keep so much.
    #[error(
        "{symbol}: the venue has no trades before {before}; {missing} of the period are missing and \
         are in its archive"
    )]
    Incomplete {
        /// The symbol.
        symbol: String,
        /// Trades that are missing.
        missing: u64,
        /// The oldest trade it has.
        before: arb_core::Timestamp,
    },
    /// An archive file cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The folder cannot be used.
    #[error("{folder}: {source}; make it writable for this user, or name another folder")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A running live node.
#[derive(Debug)]
pub struct Live {
    node: Node,
    store: Arc<SqliteStore>,
    catalog: Catalog,
    symbols: Vec<String>,
    clock: Arc<dyn Clock>,
    /// What is read beside the node; it ends with it.
    readers: JoinSet<()>,
    keeper: Keeper,
    _backlog: Filling,
}

impl LiveOptions {
    /// Asks the venue what is listed, reads history where the folder is new, and starts the node.
    /// `progress` is told how far the history is. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn start(
        self,
        progress: impl Fn(&HistoryProgress) + Send + Sync,
    ) -> Result<Live, LiveError> {
        self.addresses.check("addresses")?;
        let named = |source| LiveError::Folder { folder: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(named)?;
        let store = Arc::new(SqliteOptions::new(self.folder.join(STORE_FILE)).open().await?);
        let clock = Arc::new(VenueClock::new(Arc::clone(&self.clock)));
        let venue = Venue::new(&self.addresses, &clock)?;
        clock.measure(&venue.unnamed).await.map_err(self::venue("the venue's clock".to_owned()))?;
        let found = discover(&venue.unnamed, &venue.spot, &self).await?;
        let (catalog, known) = register(&store, &found).await?;
        let futures = FuturesRest::new(venue.unnamed.rest().clone(), Arc::new(symbols(&catalog)));
        let watched = found.watched(&catalog)?;
        let log = self.folder.join("log");
        let past = History { venue: &futures, store: &store, catalog: &catalog, clock: &*clock };
        let unread = if is_log(&log) {
            past.without_trades(&watched).await?
        } else {
            self.import(&store, found.order_flow()).await?;
            watched.clone()
        };
        past.read(&unread, self.history, &progress).await?;
        let run = run_id(&store, &*clock).await?;
        let config = self.config(run, known, found.order_flow())?;
        let mut options = NodeOptions::new(config, self.registry, LogOptions::new(log));
        options.clock = Arc::clone(&clock) as _;
        options.store = Some(Arc::clone(&store) as Arc<dyn Store>);
        options.notifier = self.notifier.map(|make| make(names(&catalog)));
        options.rates_every = RATES_EVERY;
        let backlog = Backlog::new(&futures, &store, &catalog, Arc::clone(&clock) as _);
        let backlog = backlog.of(&watched, self.backlog);
        let feed = FeedConfig {
            addresses: self.addresses,
            watched: watched.clone(),
            tracker: arb_binance::TrackerConfig::default(),
            funding_history: FUNDING_HISTORY,
            counters: Arc::new(FeedCounters::default()),
            dialer: Arc::new(Dialer::new(Arc::clone(&clock) as _)),
            books: None,
        };
        options.gauges.push(venue.shown(&feed, &clock).gauges());
        options.feeds = vec![
            market_feed(feed, (futures.clone(), venue.spot), Arc::clone(&clock) as _),
            clock_feed(futures.clone(), Arc::clone(&clock)),
        ];
        let node = Node::start(options).await?;
        let year = YearReader {
            venue: futures,
            store: Arc::clone(&store),
            catalog: catalog.clone(),
            clock: Arc::clone(&clock) as _,
            watched,
        };
        let mut readers = JoinSet::new();
        readers.spawn(year.run());
        let keeper = Keeper::start(Arc::clone(&store), Arc::clone(&clock) as _, self.keep);
        let symbols = found.order_flow().to_vec();
        let _backlog = backlog.start();
        Ok(Live { node, store, catalog, symbols, clock, readers, keeper, _backlog })
    }

    /// Brings the archive files of symbols with order flow into the store.
    async fn import(&self, store: &SqliteStore, symbols: &[String]) -> Result<(), LiveError> {
        if self.archives.is_empty() {
            return Ok(());
        }
        let report = import_archives(store, &self.archives, symbols, &|_, _| {}).await?;
        let ImportReport { files, verified, skipped, trades, others } = report;
        tracing::info!(
            "archives: {files} files, {verified} of them with a checksum, {trades} trades and \
             {others} other rows; {skipped} files are of other symbols"
        );
        Ok(())
    }

    fn config(
        &self,
        run: RunId,
        known: Vec<arb_core::Instrument>,
        symbols: &[String],
    ) -> Result<EngineConfig, ConfigError> {
        let priced = |spec| InstrumentConfig { spec, spread_bps: 1.into() };
        let mut config = EngineConfig::new(known.into_iter().map(priced).collect());
        config.run = run;
        config.account = self.account;
        config.risk = self.risk;
        for strategy in &self.strategies {
            let text = restricted(&strategy.text, symbols);
            config = config.with_strategy(&strategy.file, &text)?;
        }
        Ok(config)
    }
}

/// Requests to both markets, each with its budget.
struct Venue {
    /// Futures, before instruments have their numbers.
    unnamed: FuturesRest,
    spot: SpotRest,
    /// The same budget as in `spot`.
    spot_broker: Arc<Broker>,
}

impl Venue {
    fn new(addresses: &Addresses, clock: &Arc<VenueClock>) -> Result<Self, LiveError> {
        let broker = |limits| {
            let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
            Arc::new(Broker::new(limits, clock))
        };
        let failed = |what: &str| venue(what.to_owned());
        let spot_broker = broker(Limits::SPOT);
        let futures = Rest::new(&addresses.futures_rest, Market::Um, broker(Limits::FUTURES))
            .map_err(failed("futures requests"))?;
        let spot = Rest::new(&addresses.spot_rest, Market::Spot, Arc::clone(&spot_broker))
            .map_err(failed("spot requests"))?;
        let unnamed = FuturesRest::new(futures, Arc::new(SymbolTable::new([])));
        Ok(Self { unnamed, spot: SpotRest::new(spot), spot_broker })
    }

    /// The figures of the feed and of both budgets.
    fn shown(&self, feed: &FeedConfig, clock: &Arc<VenueClock>) -> Shown {
        Shown {
            counters: Arc::clone(&feed.counters),
            futures: Arc::clone(self.unnamed.rest().broker()),
            spot: Arc::clone(&self.spot_broker),
            clock: Arc::clone(clock) as _,
        }
    }
}

/// How people are told of each instrument, by its number.
fn names(catalog: &Catalog) -> Vec<String> {
    let name = |instrument: &arb_core::Instrument| match instrument.market {
        Market::Um => instrument.symbol.clone(),
        Market::Spot | Market::Cb => format!("{} spot", instrument.symbol),
    };
    catalog.iter().map(|(_, instrument)| name(instrument)).collect()
}

/// The text with `"symbols": "all"` as a list on the same line, so that errors name the author's
/// own lines.
fn restricted(text: &str, symbols: &[String]) -> String {
    let all = "\"symbols\": \"all\"";
    let list = serde_json::json!(symbols);
    text.replacen(all, &format!("\"symbols\": {list}"), 1)
}

fn venue(what: String) -> impl Fn(VenueError) -> LiveError {
    move |source| LiveError::Venue { what: what.clone(), source }
}

/// Registers what was found behind what the store knows; gives both in the order of their ids.
async fn register(
    store: &SqliteStore,
    found: &Found,
) -> Result<(Catalog, Vec<arb_core::Instrument>), LiveError> {
    let before = store.catalog().await?;
    let mut all: Vec<arb_core::Instrument> =
        before.iter().map(|(_, instrument)| instrument.clone()).collect();
    for instrument in found.instruments() {
        let same = |known: &&mut arb_core::Instrument| {
            known.market == instrument.market && known.symbol == instrument.symbol
        };
        match all.iter_mut().find(same) {
            Some(known) => known.clone_from(instrument),
            None => all.push(instrument.clone()),
        }
    }
    let catalog = store.register(&all).await?;
    Ok((catalog, all))
}

fn symbols(catalog: &Catalog) -> SymbolTable {
    let perpetuals = catalog.iter().filter(|(_, instrument)| instrument.market == Market::Um);
    SymbolTable::new(perpetuals.map(|(of, instrument)| (instrument.symbol.as_str(), of.id)))
}

/// The run of this folder: made from the time of its first start, kept in the store.
async fn run_id(store: &SqliteStore, clock: &dyn Clock) -> Result<RunId, LiveError> {
    use arb_core::port::BookStore as _;
    let key = RUN_KEY;
    let value = match store.setting(key).await? {
        Some(setting) => setting.value,
        None => {
            let at = clock.now();
            let value = format!("p{}", base36(at.as_millis() / 1_000));
            let updated_by = "arb run".to_owned();
            let setting =
                Setting { key: key.to_owned(), value: value.clone(), updated_at: at, updated_by };
            store.set_setting(&setting).await?;
            value
        }
    };
    let refused = |_| StoreError::Corrupt {
        table: "live_config",
        key: key.to_owned(),
        what: format!("{value:?} is no name of a run"),
    };
    Ok(value.parse().map_err(refused)?)
}

fn base36(number: i64) -> String {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    while rest > 0 {
        digits.extend(char::from_digit(u32::try_from(rest % 36).unwrap_or_default(), 36));
        rest /= 36;
    }
    digits.iter().rev().collect()
}

impl Live {
    /// The node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The store, which follows the node.
    #[must_use]
    pub const fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    /// The instruments, in the order of their numbers.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The symbols with order flow.
    #[must_use]
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// What the upkeep of the store did last; none before it ran.
    #[must_use]
    pub fn upkeep(&self) -> watch::Receiver<Option<UpkeepReport>> {
        self.keeper.reports()
    }

    /// The venue's time.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Waits until the node ends by itself, which is a failure.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn wait(&mut self) -> Result<(), LiveError> {
        Ok(self.node.wait().await?)
    }

    /// Writes everything and ends.
    ///
    /// # Errors
    /// Why it had ended before, or what could not be written.
    pub async fn stop(mut self) -> Result<Stopped, LiveError> {
        self.readers.shutdown().await;
        let stopped = self.node.stop().await?;
        drop(self.keeper);
        if let Ok(store) = Arc::try_unwrap(self.store) {
            store.close().await;
        }
        Ok(stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_for_all_is_restricted_to_order_flow_and_keeps_its_lines() {
        for name in ["v51_baseline", "v52_8signals", "funding_carry"] {
            let text = Registry::builtin_text(name).unwrap();
            let list = ["BTCUSDT".to_owned(), "ETHUSDT".to_owned()];
            let restricted = restricted(text, &list);
            assert!(restricted.contains(r#""symbols": ["BTCUSDT","ETHUSDT"]"#), "{name}");
            assert_eq!(restricted.lines().count(), text.lines().count());
            Registry::builtin().build(name, &restricted).unwrap();
        }
        let own = r#"{"symbols": ["SOLUSDT"]}"#;
        assert_eq!(super::restricted(own, &["BTCUSDT".to_owned()]), own);
    }

    #[test]
    fn a_run_is_named_by_its_first_second() {
        let name = format!("p{}", base36(1_795_442_130));
        assert_eq!(name, "ptoyk0i");
        assert!(name.parse::<RunId>().is_ok());
    }
}
