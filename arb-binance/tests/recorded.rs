//! Recorded frames through the simulated venue, sockets and the adapter's lines: the books end as
//! the recording's own did, and no trade is missing where none was.
//!
//! In virtual time, so that minutes of recording pass as fast as the machine reads them. Without
//! the recorded data each test prints a line and checks nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arb_binance::net::{Dialer, Line, LineConfig, LineEvent};
use arb_binance::sim::{MarketConfig, SimMarket, SimServer, VenueConfig, symbol};
use arb_binance::wire::{Message, Reader, SymbolTable, futures, rest, spot};
use arb_binance::{
    BookSide, DepthRules, OrderBook, SnapshotOutcome, TrackerConfig, TradeTracker, UpdateOutcome,
};
use arb_core::port::Clock;
use arb_core::time::nanos;
use arb_core::{EventKind, InstrumentId, Market, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A recording and how its book ends: last update, best bid and ask with their quantities.
struct Golden {
    file: &'static str,
    symbol: &'static str,
    market: Market,
    last_id: u64,
    bid: (&'static str, &'static str),
    ask: (&'static str, &'static str),
}

const fn golden(
    file: &'static str,
    (symbol, market): (&'static str, Market),
    last_id: u64,
    bid: (&'static str, &'static str),
    ask: (&'static str, &'static str),
) -> Golden {
    Golden { file, symbol, market, last_id, bid, ask }
}

const BTC: (&str, Market) = ("BTCUSDT", Market::Um);
const ETH: (&str, Market) = ("ETHUSDT", Market::Um);
const SPOT: (&str, Market) = ("BTCUSDT", Market::Spot);

/// The golden values of the recordings' own README.
const GOLDEN: [Golden; 5] = [
    golden(
        "usdm_btcusdt_20230404",
        BTC,
        2_710_249_412_032,
        ("28155.10", "0.060"),
        ("28155.20", "3.719"),
    ),
    golden(
        "usdm_btcusdt_20240718",
        BTC,
        4_984_033_952_967,
        ("63959.90", "20.327"),
        ("63960.00", "5.262"),
    ),
    golden(
        "usdm_ethusdt_20240718",
        ETH,
        4_984_033_953_043,
        ("3424.98", "77.165"),
        ("3424.99", "80.013"),
    ),
    golden(
        "usdm_btcusdt_20240808",
        BTC,
        5_123_135_475_514,
        ("61659.70", "1.486"),
        ("61659.80", "0.981"),
    ),
    golden(
        "spot_btcusdt_20240808",
        SPOT,
        50_093_421_584,
        ("61685.99", "1.00870"),
        ("61686.00", "2.29327"),
    ),
];

fn recording(file: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").unwrap_or_else(|_| beside.to_owned());
    let path = PathBuf::from(folder).join(format!("raw_ws/{file}.frames.gz"));
    let Ok(packed) = std::fs::File::open(path) else {
        println!("skipped: {file} is not here");
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).unwrap();
    Some(text)
}

/// The venue's time.
#[derive(Debug)]
struct Now(Timestamp, Instant);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        self.0.plus(nanos(self.1.elapsed()))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        let left = u64::try_from(until.since(self.now())).unwrap_or_default();
        Duration::from_nanos(left)
    }
}

/// What the adapter makes of a recording.
struct Follower {
    reader: Reader,
    book: OrderBook,
    tracker: TradeTracker,
    applied: u64,
    trades: u64,
    /// Best prices compared with the book at the same update.
    compared: u64,
    now: Timestamp,
}

impl Follower {
    fn new(of: &Golden) -> Self {
        let symbols = SymbolTable::new([(of.symbol, InstrumentId(0))]);
        let (reader, rules) = match of.market {
            Market::Um => (futures::reader(symbols), DepthRules::Futures),
            _ => (spot::reader(symbols), DepthRules::Spot),
        };
        let mut tracker = TradeTracker::new(InstrumentId(0), TrackerConfig::default());
        tracker.connected();
        let (book, now) = (OrderBook::new(rules), Timestamp::EPOCH);
        Self { reader, book, tracker, applied: 0, trades: 0, compared: 0, now }
    }

    fn frame(&mut self, frame: &[u8]) {
        let Self { reader, book, tracker, applied, trades, compared, now } = self;
        let mut kinds = Vec::new();
        reader.read(frame, |message| match &message {
            Message::Depth(update) => match book.update(update) {
                UpdateOutcome::Gap => panic!("a gap where there is none: {update:?}"),
                UpdateOutcome::Applied => *applied += 1,
                _ => {}
            },
            Message::Quote(best) if book.update_id() == Some(best.update_id) => {
                let level = |side| book.best(side).map(|level| level.price);
                assert_eq!(level(BookSide::Bids), Some(best.best_bid), "{best:?}");
                assert_eq!(level(BookSide::Asks), Some(best.best_ask), "{best:?}");
                *compared += 1;
            }
            Message::AggTrade(print) => tracker.trade(print.trade, *now, &mut kinds),
            _ => {}
        });
        for kind in kinds {
            assert!(matches!(kind, EventKind::Trade(_)), "nothing is missing: {kind:?}");
            *trades += 1;
        }
    }
}

/// A snapshot of the book by REST.
async fn snapshot(host: &str, of: &Golden) -> rest::DepthSnapshot {
    let path = if of.market == Market::Um { "/fapi/v1/depth" } else { "/api/v3/depth" };
    let mut socket = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET {path}?symbol={}&limit=1000 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
        of.symbol
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    rest::depth(body.as_bytes()).unwrap()
}

async fn follow(of: &Golden, text: &str) -> Follower {
    let epoch = Timestamp::from_millis(1_700_000_000_000);
    let mut market = SimMarket::new(MarketConfig::new(1, epoch, vec![symbol(of.symbol)])).unwrap();
    let (begin, _) = market.with_frames(of.market, text.lines()).unwrap();
    market.set_epoch(begin);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = SimServer::start(listener, Arc::new(market), VenueConfig::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Now(server.now(), Instant::now()));
    let host = server.addresses().futures_rest.strip_prefix("http://").unwrap().to_owned();
    let dialer = Arc::new(Dialer::new(Arc::clone(&clock)));
    let (out, mut events) = mpsc::channel(4_096);
    let name = of.symbol.to_lowercase();
    let stream = |rest: &str| format!("{name}@{rest}");
    let addresses = server.addresses();
    let plans = match of.market {
        Market::Um => vec![
            (format!("{}/public/stream", addresses.futures_ws), vec!["depth@0ms", "bookTicker"]),
            (format!("{}/market/stream", addresses.futures_ws), vec!["aggTrade"]),
        ],
        _ => vec![(
            format!("{}/stream", addresses.spot_ws),
            vec!["depth@100ms", "bookTicker", "aggTrade"],
        )],
    };
    let start = |(address, streams): (String, Vec<&str>)| {
        let streams: Vec<String> = streams.into_iter().map(stream).collect();
        let config = LineConfig::streams("recorded", address, &streams);
        Line::start(config, Arc::clone(&dialer), out.clone())
    };
    let _lines: Vec<Line> = plans.into_iter().map(start).collect();
    let mut follower = Follower::new(of);
    let mut asked = false;
    while follower.book.update_id() != Some(of.last_id) {
        match events.recv().await.unwrap() {
            LineEvent::Frames { frames, .. } => {
                follower.now = clock.now();
                frames.iter().for_each(|frame| follower.frame(frame));
                // The updates since then wait in the book's buffer, as the rules want it.
                if !std::mem::replace(&mut asked, true) {
                    let snapshot = snapshot(&host, of).await;
                    let outcome = follower.book.snapshot(&snapshot);
                    assert_ne!(outcome, SnapshotOutcome::TooOld);
                }
            }
            LineEvent::Up { .. } => {}
            LineEvent::Down { reason, .. } => panic!("{reason}"),
        }
        assert!(clock.now().since(begin) < nanos(Duration::from_secs(600)), "it never came");
    }
    follower
}

#[tokio::test(start_paused = true)]
async fn recorded_books_end_at_their_golden_values_through_sim_socket_and_adapter() {
    for of in &GOLDEN {
        let Some(text) = recording(of.file) else { return };
        let Follower { book, applied, trades, compared, .. } = follow(of, &text).await;
        let level = |side| {
            let level = book.best(side).unwrap();
            (level.price, level.qty)
        };
        let parse = |(price, qty): (&str, &str)| (price.parse().unwrap(), qty.parse().unwrap());
        assert_eq!(level(BookSide::Bids), parse(of.bid), "{}", of.file);
        assert_eq!(level(BookSide::Asks), parse(of.ask), "{}", of.file);
        assert!(applied > 3_000 && trades > 300, "{}: {applied} {trades}", of.file);
        println!(
            "{}: {applied} updates applied, {trades} trades without a gap, {compared} best prices \
             equal the book",
            of.file
        );
    }
}
