//! Who reads the frames and decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arb::port::{Clock, MarketFeed as _, TapeStore as _};
use arb::sqlite::SqliteStore;
use arb::{Backtest, EventKind, Market};
use futures_util::StreamExt as _;
use tokio::net::TcpStream;

use super::node::{Looks, Reading, config, registry, venue_feed};
use super::server::Server;
use super::shared::{Follower, unpin};
use super::{bare, scanner};

/// Ways from the socket to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Bare,
    Feed(Looks),
    Node(Looks),
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
