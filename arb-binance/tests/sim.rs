//! The adapter against the simulated venue, over sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use arb_binance::Limits;
use arb_binance::net::{
    Addresses, Broker, Depth, Dialer, Feed, FeedConfig, FeedCounters, FuturesRest, Rest, Shelf,
    SpotRest, TradeRange, Watched,
};
use arb_binance::sim::{
    FaultPlan, MarketConfig, SimMarket, SimServer, VenueConfig, VenueLimits, symbol,
};
use arb_binance::wire::{Interval, SymbolTable};
use arb_core::port::{Clock, MarketFeed as _};
use arb_core::time::{MINUTE, SECOND, nanos};
use arb_core::{EventKind, InstrumentId, Market, Timestamp, Trade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// 2026-03-10 08:00 UTC, when all symbols settle.
const SETTLEMENT: Timestamp = Timestamp::from_millis(1_773_129_600_000);
const BTC: InstrumentId = InstrumentId(0);
const SUI: InstrumentId = InstrumentId(2);
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SUIUSDT"];
/// Longest wait for anything; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The venue's time.
#[derive(Debug)]
struct SimClock {
    epoch: Timestamp,
    speed: u32,
    started: Instant,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.epoch.plus(nanos(self.started.elapsed() * self.speed))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        let left = u64::try_from(until.since(self.now())).unwrap_or_default();
        Duration::from_nanos(left) / self.speed + Duration::from_micros(1)
    }
}

/// A venue, and what is needed to talk to it.
struct Venue {
    _server: SimServer,
    addresses: Addresses,
    clock: Arc<dyn Clock>,
    futures: FuturesRest,
    spot: SpotRest,
}

impl Venue {
    async fn start(epoch: Timestamp, speed: u32, faults: &str) -> Self {
        let specs = SYMBOLS.map(symbol).to_vec();
        let market = SimMarket::new(MarketConfig::new(5, epoch, specs)).unwrap();
        let faults = FaultPlan::parse(faults).unwrap();
        let config = VenueConfig { limits: VenueLimits::DOCUMENTED, faults, speed };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = SimServer::start(listener, Arc::new(market), config).unwrap();
        let started = Instant::now();
        let clock: Arc<dyn Clock> = Arc::new(SimClock { epoch: server.now(), speed, started });
        let line = serde_json::to_string(server.addresses()).unwrap();
        let addresses = Addresses::from_json("sim", &line).unwrap();
        let broker = |limits| Arc::new(Broker::new(limits, Arc::clone(&clock)));
        let futures = Rest::new(&addresses.futures_rest, Market::Um, broker(Limits::FUTURES));
        let spot = Rest::new(&addresses.spot_rest, Market::Spot, broker(Limits::SPOT));
        let symbols = (0..).map(InstrumentId).zip(SYMBOLS).map(|(id, symbol)| (symbol, id));
        let symbols = Arc::new(SymbolTable::new(symbols));
        let futures = FuturesRest::new(futures.unwrap(), symbols);
        let spot = SpotRest::new(spot.unwrap());
        Self { _server: server, addresses, clock, futures, spot }
    }

    fn config(&self) -> FeedConfig {
        let watched = (0..).map(InstrumentId).zip(SYMBOLS).map(|(instrument, symbol)| Watched {
            instrument,
            symbol: symbol.to_owned(),
            market: Market::Um,
            order_flow: instrument == BTC,
            premium: None,
            last_id: None,
            missing: Vec::new(),
            settled_until: None,
        });
        FeedConfig {
            addresses: self.addresses.clone(),
            watched: watched.collect(),
            tracker: arb_binance::TrackerConfig::default(),
            funding_history: Duration::from_secs(3 * 86_400),
            counters: Arc::new(FeedCounters::default()),
            dialer: Arc::new(Dialer::new(Arc::clone(&self.clock))),
            books: None,
        }
    }

    fn feed(&self, config: &FeedConfig) -> Feed {
        Feed::start(config, self.futures.clone(), self.spot.clone(), Arc::clone(&self.clock))
    }
}

/// Reads a feed until `done` says so.
async fn read(feed: &mut Feed, mut done: impl FnMut(Timestamp, EventKind) -> bool) {
    let reading = async {
        let mut events = Vec::new();
        loop {
            feed.next(&mut events).await.unwrap();
            // All of a batch are looked at: what was read is gone.
            let mut over = false;
            for event in events.drain(..) {
                over |= done(event.at, event.kind);
            }
            if over {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_bars_sum_the_trades_of_their_interval() {
    let venue = Venue::start(SETTLEMENT, 1, "{}").await;
    let from = SETTLEMENT.plus(-10 * MINUTE);
    let bars = venue.futures.klines("SUIUSDT", SUI, Interval::M1, from).await.unwrap().rows;
    assert_eq!(bars.len(), 10, "the one that is not over is left out");
    let bar = bars[3];
    let end = bar.open_at.plus(MINUTE - 1_000_000);
    let range = TradeRange::Between(bar.open_at, end);
    let trades = venue.futures.agg_trades("SUIUSDT", SUI, range, 1_000).await.unwrap().rows;
    assert!(trades.len() > 10 && trades.len() < 1_000, "{} trades of a page", trades.len());
    let units = |trades: &[Trade]| trades.iter().map(|trade| trade.qty.units()).sum::<i64>();
    assert_eq!(bar.volume.to_string().parse::<arb_core::Qty>().unwrap().units(), units(&trades));
    assert_eq!((bar.open, bar.close), (trades[0].price, trades.last().unwrap().price));
    assert_eq!(bar.high, trades.iter().map(|trade| trade.price).max().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_perpetual_has_a_mark_and_a_rate_before_the_streams_tell_them() {
    let silent = r#"{"faults": [{"kind": "silent", "stream": "markPrice", "for_ms": 600000}]}"#;
    let venue = Venue::start(SETTLEMENT, 1, silent).await;
    let mut feed = venue.feed(&venue.config());
    let mut marks = BTreeMap::new();
    read(&mut feed, |_, kind| {
        if let EventKind::Mark(mark) = kind {
            marks.insert(mark.instrument, mark.mark_price);
        }
        marks.len() == SYMBOLS.len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_is_told_after_it_was_made_and_what_is_known_is_not_told_again() {
    let venue = Venue::start(SETTLEMENT.plus(-60 * SECOND), 60, "{}").await;
    let mut config = venue.config();
    let known = SETTLEMENT.plus(-480 * MINUTE);
    for each in &mut config.watched {
        each.settled_until = Some(known);
    }
    let mut feed = venue.feed(&config);
    let mut told = BTreeMap::new();
    read(&mut feed, |at, kind| {
        if let EventKind::Funding(settled) = kind {
            assert!(settled.funding_time > known, "{settled:?}");
            assert!(told.insert((settled.instrument, settled.funding_time), at).is_none());
        }
        // SUI settles every four hours: 04:00 and 08:00; the others at 08:00.
        told.len() == 4
    })
    .await;
    for ((_, time), at) in told {
        let late = at.since(time);
        assert!(late >= 65 * SECOND, "asked for when it can be there: {}", late / SECOND);
        assert!(time < SETTLEMENT || late < 120 * SECOND, "{}", late / SECOND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_stream_is_left_alone_and_then_comes_back() {
    let refused =
        r#"{"faults": [{"kind": "status", "status": 429, "path": "/market", "for_ms": 90000}]}"#;
    let venue = Venue::start(SETTLEMENT, 30, refused).await;
    let config = venue.config();
    let mut feed = venue.feed(&config);
    let mut first = None;
    read(&mut feed, |at, kind| {
        if let EventKind::Trade(_) = kind {
            first.get_or_insert(at);
        }
        first.is_some()
    })
    .await;
    let figures = config.counters.read();
    let market = figures.lines["market"];
    assert!((1..=3).contains(&market.lost), "not besieged: {market:?}");
    assert_eq!(market.connections, 1);
    assert!(first.unwrap().since(SETTLEMENT) >= 90 * SECOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_dies_alone_is_noticed_and_no_trade_is_lost() {
    // The trades alone fall silent; marks go on on the same connection.
    let silent = r#"{"faults": [{"kind": "silent", "stream": "btcusdt@aggTrade", "at_ms": 90000,
        "for_ms": 60000}]}"#;
    let venue = Venue::start(SETTLEMENT, 20, silent).await;
    let config = venue.config();
    let mut feed = venue.feed(&config);
    let (mut ids, mut gaps) = (Vec::new(), Vec::new());
    let enough = SETTLEMENT.plus(200 * SECOND);
    read(&mut feed, |_, kind| match kind {
        EventKind::Trade(trade) => {
            ids.push(trade.id);
            trade.ts > enough
        }
        EventKind::Backfill(found) => {
            ids.extend(found.trades.iter().map(|trade| trade.id));
            false
        }
        EventKind::Gap(gap) => {
            gaps.push(gap.after_id);
            false
        }
        _ => false,
    })
    .await;
    assert!(!gaps.is_empty() && config.counters.read().overlooked > 0);
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "each once, none left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_comes_in_step_over_a_stale_snapshot_and_again_after_a_break() {
    let faults = r#"{"faults": [
        {"kind": "stale_depth", "ms": 20000, "for_ms": 15000},
        {"kind": "drop", "stream": "btcusdt@depth", "at_ms": 40000, "for_ms": 3000},
        {"kind": "cut", "stream": "btcusdt@depth", "at_ms": 70000}
    ]}"#;
    let venue = Venue::start(SETTLEMENT, 10, faults).await;
    let shelf = Arc::new(Shelf::new([BTC], 5));
    let dialer = Arc::new(Dialer::new(Arc::clone(&venue.clock)));
    let symbols = [(BTC, "BTCUSDT".to_owned())];
    let address = &venue.addresses.futures_ws;
    let _depth = Depth::start(address, &symbols, &venue.futures, &dialer, &shelf);
    assert!(shelf.watch(InstrumentId(9)).is_none());
    let mut book = shelf.watch(BTC).unwrap();
    let mut in_step = async |breaks: u64| {
        let synced = book.wait_for(|view| view.update_id.is_some() && shelf.breaks() >= breaks);
        tokio::time::timeout(PATIENCE, synced).await.expect("in time").unwrap().clone()
    };
    let first = in_step(0).await;
    assert!(shelf.snapshots() > 1, "the first one was too old");
    for breaks in [1, 2] {
        let again = in_step(breaks).await;
        assert!(again.update_id > first.update_id);
        assert_eq!((again.bids.len(), again.asks.len()), (5, 5));
        assert!(again.bids.windows(2).all(|pair| pair[0].price > pair[1].price));
        assert!(again.asks.windows(2).all(|pair| pair[0].price < pair[1].price));
        assert!(again.bids[0].price < again.asks[0].price);
    }
    // What is shown is what the venue has, wherever both stand at the same update.
    let same = async {
        loop {
            let snapshot = venue.futures.depth("BTCUSDT", 5).await.unwrap();
            let id = Some(snapshot.last_update_id);
            let shown = book.wait_for(|view| view.update_id >= id).await.unwrap().clone();
            if shown.update_id == id {
                return (shown, snapshot);
            }
        }
    };
    let (shown, snapshot) = tokio::time::timeout(PATIENCE, same).await.expect("in time");
    assert_eq!((shown.bids, shown.asks), (snapshot.bids, snapshot.asks));
}

/// A request to the control endpoint: the status and the body.
async fn control(venue: &Venue, method: &str, body: &str) -> (u16, serde_json::Value) {
    let host = venue.addresses.futures_rest.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} /control/faults HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_set_and_ended_while_the_venue_runs() {
    let venue = Venue::start(SETTLEMENT, 60, "{}").await;
    let storm = r#"{"seed": 3, "storm": {"every_ms": 2000, "kinds": ["cut", "status"], "statuses": [503]}}"#;
    assert_eq!(control(&venue, "POST", storm).await.0, 200);
    let (_, plan) = control(&venue, "GET", "").await;
    assert_eq!((&plan["seed"], &plan["storm"]["every_ms"]), (&3.into(), &2_000.into()));
    let config = venue.config();
    let mut feed = venue.feed(&config);
    read(&mut feed, |_, _| config.counters.read().lines["market"].lost >= 2).await;
    let (status, refused) = control(&venue, "POST", r#"{"storm": {"every_ms": 0}}"#).await;
    assert!(status == 400 && refused["error"].as_str().unwrap().contains("every_ms"), "{refused}");
    let (status, refused) = control(&venue, "POST", r#"{"kind": "melt"}"#).await;
    assert!(status == 400 && refused["error"].as_str().unwrap().contains("melt"), "{refused}");
    assert_eq!(control(&venue, "DELETE", "").await.0, 200);
    let (_, plan) = control(&venue, "GET", "").await;
    assert!(plan.get("storm").is_none(), "{plan}");
}
