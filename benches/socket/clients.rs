//! Who reads the frames and decides.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arb::live::Addresses;
use arb::node::{Feed, Node, NodeOptions, Resume};
use arb::port::{Clock, MarketFeed, Store, TapeStore as _};
use arb::record::log::LogOptions;
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::{
    Backtest, Context, EngineConfig, Event, EventKind, Instrument, InstrumentConfig, InstrumentId,
    Intent, Interest, Market, Memory, Registry, Strategy, VenueError,
};
use arb_binance::Limits;
use arb_binance::net::{
    Broker, Dialer, Feed as VenueFeed, FeedConfig, FeedCounters, FuturesRest, Rest, SpotRest,
    Watched,
};
use arb_binance::wire::SymbolTable;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::net::TcpStream;

use super::server::Server;
use super::shared::{Follower, Times, unpin};
use super::{bare, scanner};

/// Ways from the socket to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Bare,
    Feed(Looks),
    Node(Looks),
}

/// When a strategy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// `v52_8signals`, every 15 seconds.
    Grid,
    /// At every trade.
    Trades,
}

/// What a run gave.
pub(crate) struct Outcome {
    /// From the first frame to the last decision.
    pub(crate) took: Duration,
    /// How much later the store had the last trade.
    pub(crate) stored_after: Duration,
    /// Sent to decided, nanoseconds.
    pub(crate) latencies: Vec<u64>,
}

impl Client {
    pub(crate) const ALL: [Self; 5] = [
        Self::Bare,
        Self::Feed(Looks::Grid),
        Self::Feed(Looks::Trades),
        Self::Node(Looks::Grid),
        Self::Node(Looks::Trades),
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Feed(Looks::Grid) => "feed, grid",
            Self::Feed(Looks::Trades) => "feed, each trade",
            Self::Node(Looks::Grid) => "node, log, store, grid",
            Self::Node(Looks::Trades) => "node, each trade",
        }
    }

    pub(crate) fn run(self, server: &Server) -> Outcome {
        let single = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (took, stored_after) = match self {
            Self::Bare => (single().block_on(bare_client(server)), Duration::ZERO),
            Self::Feed(looks) => (single().block_on(feed(server, looks)), Duration::ZERO),
            Self::Node(looks) => {
                // As `arb run` does: threads that go where there is room.
                std::thread::scope(|scope| {
                    let run = || {
                        unpin();
                        let mut runtime = tokio::runtime::Builder::new_multi_thread();
                        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
                        runtime.block_on(node(server, looks))
                    };
                    scope.spawn(run).join().unwrap()
                })
            }
        };
        Outcome { took, stored_after, latencies: server.times.latencies() }
    }
}

async fn bare_client(server: &Server) -> Duration {
    let socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let address = format!("ws://127.0.0.1:{}/market", server.port);
    let (mut socket, _) = tokio_tungstenite::client_async(address, socket).await.unwrap();
    let mut indicators = bare::BareIndicators::new(1 << 22);
    let (mut count, mut fired, mut started) = (0, 0_u64, None);
    while count < server.tape.trades.len() {
        let frame = socket.next().await.unwrap().unwrap().into_data();
        started.get_or_insert_with(Instant::now);
        let event = scanner::agg_trade(&frame).unwrap();
        let EventKind::Trade(trade) = event.kind else { continue };
        let (ticks, lots) = (trade.price.units() / 10_000_000, trade.qty.units() / 100_000);
        let sold = trade.taker_side == arb::Side::Sell;
        indicators.on_trade(trade.ts.as_millis(), ticks as u32, lots as u32, sold);
        let seen = indicators.snapshot();
        let is_large = lots as u32 > seen.quantiles[1];
        fired += u64::from(seen.cvd[0] > 0 && seen.cvd[1] > 0 && seen.atr > 1.0 && is_large);
        server.times.decide(trade.id);
        count += 1;
    }
    std::hint::black_box(fired);
    started.unwrap().elapsed()
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

fn registry(times: &Arc<Times>) -> Registry {
    let (mut registry, times) = (Registry::builtin(), Arc::clone(times));
    registry.register("probe", move |_: &str, _: &str| {
        Ok(Box::new(Probe(Arc::clone(&times))) as Box<dyn Strategy>)
    });
    registry
}

fn config(looks: Looks) -> EngineConfig {
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
fn venue_feed(port: u16, clock: Arc<dyn Clock>) -> VenueFeed {
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

async fn feed(server: &Server, looks: Looks) -> Duration {
    let clock: Arc<dyn Clock> = Arc::new(Follower::new(server.tape.trades[0].ts));
    let mut feed = venue_feed(server.port, clock);
    let mut engine = Backtest::new(config(looks), registry(&server.times), &mut ()).unwrap();
    let (mut events, mut count, mut started) = (Vec::new(), 0, None);
    while count < server.tape.trades.len() {
        feed.next(&mut events).await.unwrap();
        for event in events.drain(..) {
            let EventKind::Trade(trade) = event.kind else { continue };
            started.get_or_insert_with(Instant::now);
            engine.on_trade(&trade, &mut ());
            if looks == Looks::Grid {
                server.times.decide(trade.id);
            }
            count += 1;
        }
    }
    started.unwrap().elapsed()
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
    began: Arc<OnceLock<Instant>>,
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

async fn node(server: &Server, looks: Looks) -> (Duration, Duration) {
    let Reading { node, store, began, folder: _folder, .. } = Reading::start(server, looks).await;
    let (handle, count) = (node.handle(), server.tape.trades.len() as u64);
    // The feed also tells of its streams: a few events more than trades.
    while handle.metrics().events < count {
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    let took = began.get().unwrap().elapsed();
    let decided = Instant::now();
    while !is_stored(&store, count).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored_after = decided.elapsed();
    node.stop().await.unwrap();
    (took, stored_after)
}

async fn is_stored(store: &SqliteStore, count: u64) -> bool {
    use arb::port::InstrumentStore as _;
    let catalog = store.catalog().await.unwrap();
    let Some(of) = catalog.find(Market::Um, "BTCUSDT") else { return false };
    store.extent(of.key).await.unwrap().is_some_and(|extent| extent.count == count)
}
