//! `arb run` against `arb sim`, killed at any moment, many times over: what is stored is what the
//! venue said, what was summed is what it sums to, and the tables are what the log says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arb::node::{Node, NodeOptions};
use arb::port::{
    BookStore as _, Catalog, IndicatorRow, InstrumentStore as _, Mode, Page, SignalFilter, Store,
    TapeStore as _, TradeFilter,
};
use arb::record::log::{LogCursor, LogOptions};
use arb::sim::{MarketConfig, Request, SimMarket, Venue, VenueConfig, VenueLimits, symbol};
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::{EngineConfig, InstrumentId, Market, Registry, Side, Timestamp, Trade};
use serde_json::Value;

use super::ledger::{Compared, compare};
use super::support::Folder;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const SEED: u64 = 11;
const SPEED: i64 = 20;

fn spawn(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
    command.envs([super::running::ANY_PORT]);
    command.args(args).current_dir(folder.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The venue in a process of its own, and its line.
struct Sim(Child, Value);

impl Sim {
    fn start(folder: &Folder) -> Self {
        let (seed, speed, symbols) = (SEED.to_string(), SPEED.to_string(), SYMBOLS.join(","));
        let args = ["sim", "--seed", &seed, "--speed", &speed, "--symbols", &symbols];
        let mut child = spawn(folder, &[&args[..], &["--data", "venue", "--ready-json"]].concat());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child, serde_json::from_str(&line).unwrap())
    }

    fn clock(&self, key: &str) -> i64 {
        self.1["clock"][key].as_i64().unwrap()
    }

    /// The venue's present.
    fn now(&self) -> Timestamp {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let passed = i64::try_from(wall.as_millis()).unwrap() - self.clock("wall_ms");
        Timestamp::from_millis(self.clock("epoch_ms") + passed * SPEED)
    }

    /// The trades of a symbol from an id on, made again from the seed.
    fn trades(&self, name: &str, from_id: u64, instrument: InstrumentId) -> Vec<Trade> {
        let epoch = Timestamp::from_millis(self.clock("epoch_ms"));
        let specs = SYMBOLS.into_iter().map(symbol).collect();
        let market = Arc::new(SimMarket::new(MarketConfig::new(SEED, epoch, specs)).unwrap());
        let limits = VenueLimits { futures_weight: u32::MAX, ..VenueLimits::DOCUMENTED };
        let mut venue = Venue::new(market, VenueConfig { limits, ..VenueConfig::default() });
        let (mut trades, now): (Vec<Trade>, Timestamp) = (Vec::new(), self.now());
        loop {
            let from = trades.last().map_or(from_id, |last| last.id + 1);
            let query = format!("symbol={name}&fromId={from}&limit=1000");
            let (path, ip) = ("/fapi/v1/aggTrades", Ipv4Addr::LOCALHOST.into());
            let answer = venue.request(&Request { method: "GET", path, query: &query, ip }, now);
            let rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
            trades.extend(rows.iter().map(|row| trade(row, instrument)));
            if rows.len() < 1_000 {
                return trades;
            }
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn trade(row: &Value, instrument: InstrumentId) -> Trade {
    let text = |key: &str| row[key].as_str().unwrap();
    Trade {
        instrument,
        taker_side: if row["m"].as_bool().unwrap() { Side::Sell } else { Side::Buy },
        id: row["a"].as_u64().unwrap(),
        ts: Timestamp::from_millis(row["T"].as_i64().unwrap()),
        price: text("p").parse().unwrap(),
        qty: text("q").parse().unwrap(),
    }
}

fn node(folder: &Folder) -> Child {
    let symbols = SYMBOLS.join(",");
    let venue = ["--data-venue", "sim", "--venue-json", "venue/venue.json"];
    let what = ["--symbols", &symbols, "--strategy", "v51_baseline", "--history-hours", "4.5"];
    spawn(folder, &[&["run", "--data", "d", "--ready-json"][..], &venue, &what].concat())
}

/// Kills a node so long after it was started, whatever it does then.
fn kill_after(folder: &Folder, millis: u64) {
    let mut node = node(folder);
    let mut said = node.stderr.take().unwrap();
    std::thread::sleep(Duration::from_millis(millis));
    if let Some(ended) = node.try_wait().unwrap() {
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        panic!("it ended by itself, {ended}: {text}");
    }
    node.kill().unwrap();
    node.wait().unwrap();
}

/// The last life: goes on until nothing is missing, and ends in order.
fn live_on(folder: &Folder) {
    let mut node = node(folder);
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started = Instant::now();
    // Some ticks of its own, and every hole filled.
    while started.elapsed() < Duration::from_secs(4) || holes(folder) > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "{} holes", holes(folder));
        std::thread::sleep(Duration::from_millis(100));
    }
    let pid = node.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut said = String::new();
    node.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(node.wait().unwrap().success(), "{said}");
    assert!(said.contains("all on the disk"), "{said}");
}

fn block_on<T>(what: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(what)
}

async fn store(folder: &Folder) -> (SqliteStore, Catalog) {
    let store = SqliteOptions::new(folder.path("d/arb.db")).open_read_only().await.unwrap();
    let catalog = store.catalog().await.unwrap();
    (store, catalog)
}

fn holes(folder: &Folder) -> usize {
    block_on(async {
        let (store, catalog) = store(folder).await;
        let mut holes = 0;
        for symbol in SYMBOLS {
            let of = catalog.find(Market::Um, symbol).unwrap();
            holes += store.holes(of.key).await.unwrap().len();
        }
        holes
    })
}

type Stored = (InstrumentId, Vec<Trade>, BTreeMap<Timestamp, IndicatorRow>);

async fn stored(folder: &Folder, sim: &Sim) -> Vec<Stored> {
    let (store, catalog) = store(folder).await;
    let mut all = Vec::new();
    for symbol in SYMBOLS {
        let of = catalog.find(Market::Um, symbol).unwrap();
        let trades = store.trades(of, 0, usize::MAX >> 1).await.unwrap();
        let said = sim.trades(symbol, trades[0].id, of.id);
        assert!(said.len() >= trades.len(), "{symbol}: nothing was made up");
        assert!(trades == said[..trades.len()], "{symbol}: each id once, as the venue said it");
        let rows = store.indicators(of, Timestamp::EPOCH, Timestamp::MAX).await.unwrap();
        all.push((of.id, trades, rows.into_iter().map(|row| (row.time, row)).collect()));
    }
    all
}

/// Orders, fills, trades, signals and funding of a store, in words.
async fn book(store: &dyn Store) -> [Vec<String>; 5] {
    fn words<T: std::fmt::Debug>(rows: Result<Vec<T>, arb::StoreError>) -> Vec<String> {
        let rows: Vec<String> = rows.unwrap().iter().map(|row| format!("{row:?}")).collect();
        rows.into_iter().rev().collect()
    }
    let all = Page::first(1 << 24);
    [
        words(store.orders(Mode::Paper, all).await),
        words(store.fills(Mode::Paper, all).await),
        words(store.own_trades(&TradeFilter::all(Mode::Paper), all).await),
        words(store.signals(&SignalFilter::default(), all).await),
        words(store.funding_ledger(Mode::Paper, all).await),
    ]
}

/// The tables of a store that is filled anew from the log.
async fn book_of_the_log(log: &Path) -> [Vec<String>; 5] {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("log");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(log).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    let mut cursor = LogCursor::new(&copy, 0);
    cursor.next(1).unwrap();
    let header = cursor.header().unwrap();
    let config: EngineConfig = serde_json::from_str(&header.configuration).unwrap();
    let store = SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let mut options = NodeOptions::new(config, Registry::builtin(), LogOptions::new(copy));
    options.store = Some(Arc::clone(&store));
    let node = Node::start(options).await.unwrap();
    let handle = node.handle();
    while handle.metrics().store_lag > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.stop().await.unwrap();
    book(&*store).await
}

/// Numbers that look random and are the same every time.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

fn survives(kills: u64) {
    let folder = Folder::new();
    let sim = Sim::start(&folder);
    let mut next = random(kills);
    for _ in 0..kills {
        kill_after(&folder, 50 + next(2_500));
    }
    live_on(&folder);
    let replayed = folder.ok(&["replay", "d/log"]).stdout;
    assert!(replayed.starts_with("identical: "), "{replayed}");
    let (all, own, again) = block_on(async {
        let all = stored(&folder, &sim).await;
        let (store, _) = store(&folder).await;
        (all, book(&store).await, book_of_the_log(&folder.path("d/log")).await)
    });
    for (own, again) in own.iter().zip(&again) {
        assert_eq!(own, again, "the store says what its log says");
    }
    let compared = compare(&folder.path("d/log"), &all);
    assert!(compared.complete > 30, "{compared:?}");
    tell(kills, &all, &compared, &own);
}

fn tell(kills: u64, all: &[Stored], compared: &Compared, own: &[Vec<String>; 5]) {
    let trades: usize = all.iter().map(|(_, trades, _)| trades.len()).sum();
    let [orders, fills, positions, signals, funding] = own.each_ref().map(Vec::len);
    println!(
        "{kills} kills: {trades} trades each once, {} complete rows equal the sums ({} of them \
         before a late trade), {} incomplete; {orders} orders, {fills} fills, {positions} trades, \
         {signals} signals, {funding} settlements equal the log",
        compared.complete, compared.late, compared.incomplete,
    );
}

#[test]
fn four_sigkills_of_the_command_lose_nothing() {
    survives(4);
}

#[test]
#[ignore = "slow: scripts/soak"]
fn fifty_sigkills_of_the_command_lose_nothing() {
    survives(50);
}
