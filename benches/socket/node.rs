//! A node on the venue's feed, where only streams answer.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arb::live::Addresses;
use arb::node::{Feed, Node, NodeOptions, Resume};
use arb::port::{Clock, MarketFeed, Store};
use arb::record::log::LogOptions;
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::{
    Context, EngineConfig, Event, EventKind, Instrument, InstrumentConfig, InstrumentId, Intent,
    Interest, Market, Memory, Registry, Strategy, VenueError,
};
use arb_binance::Limits;
use arb_binance::net::{
    Broker, Dialer, Feed as VenueFeed, FeedConfig, FeedCounters, FuturesRest, Rest, SpotRest,
    Watched,
};
use arb_binance::wire::SymbolTable;
use async_trait::async_trait;

use super::server::Server;
use super::shared::{Follower, Times};

/// When a strategy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// `v52_8signals`, every 15 seconds.
    Grid,
    /// At every trade.
    Trades,
}

/// Looks at every trade and tells when.
#[derive(Debug)]
struct Probe(Arc<Times>);

impl Strategy for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn interest(&self) -> Interest {
        Interest::Trades
    }

    fn memory(&self) -> Memory {
        Memory::Nothing
    }

    fn recall(&mut self, _: &[u8]) -> Result<(), arb::ConfigError> {
        Ok(())
    }

    fn on_event(&mut self, cx: &Context<'_>, event: &Event, _: &mut Vec<Intent>) {
        if let EventKind::Trade(trade) = &event.kind {
            let row = cx.indicators();
            std::hint::black_box(row.is_some_and(|row| row.cvd_30m.units() > 0));
            self.0.decide(trade.id);
        }
    }
}

pub(crate) fn registry(times: &Arc<Times>) -> Registry {
    let (mut registry, times) = (Registry::builtin(), Arc::clone(times));
    registry.register("probe", move |_: &str, _: &str| {
        Ok(Box::new(Probe(Arc::clone(&times))) as Box<dyn Strategy>)
    });
    registry
}

pub(crate) fn config(looks: Looks) -> EngineConfig {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
    let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    config.run = "bench".parse().unwrap();
    let probe = r#"{"kind": "probe", "name": "probe"}"#;
    let (name, text) = match looks {
        Looks::Grid => ("v52_8signals", Registry::builtin_text("v52_8signals").unwrap()),
        Looks::Trades => ("probe", probe),
    };
    config.with_strategy(name, text).unwrap()
}

/// The venue's feed, where only streams answer.
pub(crate) fn venue_feed(port: u16, clock: Arc<dyn Clock>) -> VenueFeed {
    let (http, ws) = ("http://127.0.0.1:9".to_owned(), format!("ws://127.0.0.1:{port}"));
    let addresses = Addresses {
        futures_rest: http.clone(),
        futures_ws: ws.clone(),
        spot_rest: http.clone(),
        spot_ws: ws,
        coinbase_ws: None,
    };
    let watched = Watched {
        instrument: InstrumentId(0),
        symbol: "BTCUSDT".to_owned(),
        market: Market::Um,
        order_flow: true,
        premium: None,
        last_id: None,
        missing: Vec::new(),
        settled_until: None,
    };
    let broker = |limits| Arc::new(Broker::new(limits, Arc::clone(&clock)));
    let futures = Rest::new(&http, Market::Um, broker(Limits::FUTURES)).unwrap();
    let spot = Rest::new(&http, Market::Spot, broker(Limits::SPOT)).unwrap();
    let table = Arc::new(SymbolTable::new([("BTCUSDT", InstrumentId(0))]));
    let config = FeedConfig {
        addresses,
        watched: vec![watched],
        tracker: arb_binance::TrackerConfig::default(),
        funding_history: Duration::from_secs(60),
        counters: Arc::new(FeedCounters::default()),
        dialer: Arc::new(Dialer::new(Arc::clone(&clock))),
        books: None,
    };
    VenueFeed::start(&config, FuturesRest::new(futures, table), SpotRest::new(spot), clock)
}

/// Moves the clock to the trades as they come.
struct Following {
    inner: VenueFeed,
    clock: Arc<Follower>,
    began: Arc<OnceLock<Instant>>,
}

#[async_trait]
impl MarketFeed for Following {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        let goes_on = self.inner.next(out).await?;
        if let Some(EventKind::Trade(trade)) = out.last().map(|event| &event.kind) {
            self.began.get_or_init(Instant::now);
            self.clock.set(trade.ts);
        }
        Ok(goes_on)
    }
}

/// A node that reads a server.
pub(crate) struct Reading {
    pub(crate) node: Node,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<Follower>,
    /// When it had the first trade.
    pub(crate) began: Arc<OnceLock<Instant>>,
    pub(crate) folder: tempfile::TempDir,
}

impl Reading {
    pub(crate) async fn start(server: &Server, looks: Looks) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("arb.db"));
        let store = Arc::new(options.open().await.unwrap());
        let clock = Arc::new(Follower::new(server.tape.trades[0].ts));
        let began = Arc::new(OnceLock::new());
        let log = LogOptions::new(folder.path().join("log"));
        let mut options = NodeOptions::new(config(looks), registry(&server.times), log);
        options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        options.store = Some(Arc::clone(&store) as Arc<dyn Store>);
        let (port, own, first) = (server.port, Arc::clone(&clock), Arc::clone(&began));
        options.feeds = vec![Feed {
            name: "market".to_owned(),
            instruments: vec![InstrumentId(0)],
            open: Box::new(move |_: &Resume| {
                let (clock, began) = (Arc::clone(&own), Arc::clone(&first));
                let inner = venue_feed(port, Arc::clone(&clock) as Arc<dyn Clock>);
                Box::new(Following { inner, clock, began }) as Box<dyn MarketFeed>
            }),
        }];
        let node = Node::start(options).await.unwrap();
        Self { node, store, clock, began, folder }
    }
}
