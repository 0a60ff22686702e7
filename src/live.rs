//! A node on the venue's public data: what is listed, its history, streams, store, paper trading.
//!
//! Everything lies in one folder: `arb.db` is the store, `log` the node's log. The first start
//! reads as much history as the gates need and warms up with it; later ones go on where the log
//! ends and fill what was missed by trade id.
//!
//! Invariant: an instrument keeps its number for as long as the folder lives. What is listed later
//! gets the next one, what is delisted keeps its own.

mod clock;
mod discovery;
mod feeds;
mod history;
mod metrics;
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
use arb_core::port::{Catalog, Clock, InstrumentStore as _, Notifier, Setting, Store};
use arb_core::{
    AccountConfig, ConfigError, EngineConfig, InstrumentConfig, Market, Registry, RunId,
    StoreError, StrategyText, VenueError,
};
use arb_store::sqlite::{SqliteOptions, SqliteStore};
use tokio::task::JoinSet;

pub use self::clock::VenueClock;
use self::discovery::{Found, discover};
use self::feeds::{clock_feed, market_feed};
use self::history::History;
pub use self::history::HistoryProgress;
use self::metrics::Shown;
use self::year::YearReader;
use crate::node::{Node, NodeError, NodeOptions, Stopped};
use crate::record::log::{LogOptions, is_log};

/// How far back settlements are read at the start.
const FUNDING_HISTORY: Duration = Duration::from_hours(30 * 24);
/// Time between two rows of rates: that of the decision grid.
const RATES_EVERY: Duration = Duration::from_secs(15);

/// What a live node is told.
pub struct LiveOptions {
    /// Where the venue is.
    pub addresses: Addresses,
    /// What time it is there, as far as is known before asking.
    pub clock: Arc<dyn Clock>,
    /// Where everything is written.
    pub folder: PathBuf,
    /// Symbols with order flow: scored every 15 seconds.
    pub symbols: Vec<String>,
    /// Whether every other perpetual is watched too, for funding and mark.
    pub others: Others,
    /// The strategies; `"symbols": "all"` means those with order flow.
    pub strategies: Vec<StrategyText>,
    /// The strategy kinds.
    pub registry: Registry,
    /// Balance and fees.
    pub account: AccountConfig,
    /// How much history the first start reads.
    pub history: Duration,
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
    /// The folder cannot be used.
    #[error("{folder}: {source}")]
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
    clock: Arc<dyn Clock>,
    /// What is read beside the node; it ends with it.
    readers: JoinSet<()>,
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
        let store = Arc::new(SqliteOptions::new(self.folder.join("arb.db")).open().await?);
        let clock = Arc::new(VenueClock::new(Arc::clone(&self.clock)));
        let venue = Venue::new(&self.addresses, &clock)?;
        clock.measure(&venue.unnamed).await.map_err(self::venue("the venue's clock".to_owned()))?;
        let found = discover(&venue.unnamed, &venue.spot, &self).await?;
        let (catalog, known) = register(&store, &found).await?;
        let futures = FuturesRest::new(venue.unnamed.rest().clone(), Arc::new(symbols(&catalog)));
        let watched = found.watched(&catalog)?;
        let log = self.folder.join("log");
        let past = History { venue: &futures, store: &store, catalog: &catalog, clock: &*clock };
        let unread =
            if is_log(&log) { past.without_trades(&watched).await? } else { watched.clone() };
        past.read(&unread, self.history, &progress).await?;
        let run = run_id(&store, &*clock).await?;
        let config = self.config(run, known)?;
        let mut options = NodeOptions::new(config, self.registry, LogOptions::new(log));
        options.clock = Arc::clone(&clock) as _;
        options.store = Some(Arc::clone(&store) as Arc<dyn Store>);
        options.notifier = self.notifier.map(|make| make(names(&catalog)));
        options.rates_every = RATES_EVERY;
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
        Ok(Live { node, store, catalog, clock, readers })
    }

    fn config(
        &self,
        run: RunId,
        known: Vec<arb_core::Instrument>,
    ) -> Result<EngineConfig, ConfigError> {
        let priced = |spec| InstrumentConfig { spec, spread_bps: 1.into() };
        let mut config = EngineConfig::new(known.into_iter().map(priced).collect());
        config.run = run;
        config.account = self.account;
        for strategy in &self.strategies {
            let text = restricted(&strategy.text, &self.symbols);
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
    let key = "node.run";
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
        if let Ok(store) = Arc::try_unwrap(self.store) {
            store.close().await;
        }
        Ok(stopped)
    }
}

/// How the machine's clock stands against the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Milliseconds that the venue is ahead.
    pub offset_ms: i64,
    /// How wrong that may be, milliseconds.
    pub uncertainty_ms: i64,
}

/// Whether the venue answers from here, and how `clock` stands against its own.
///
/// # Errors
/// [`LiveError::Venue`] with what a person should do, [`LiveError::Config`] for bad addresses.
pub async fn probe(
    addresses: &Addresses,
    clock: Arc<dyn Clock>,
) -> Result<ClockReading, LiveError> {
    addresses.check("addresses")?;
    let clock = Arc::new(VenueClock::new(clock));
    let broker = Arc::new(Broker::new(Limits::FUTURES, Arc::clone(&clock) as Arc<dyn Clock>));
    let venue = || venue("the venue's clock".to_owned());
    let rest = Rest::new(&addresses.futures_rest, Market::Um, broker).map_err(venue())?;
    let rest = FuturesRest::new(rest, Arc::new(SymbolTable::new([])));
    Ok(clock.measure(&rest).await.map_err(venue())?.reading())
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
