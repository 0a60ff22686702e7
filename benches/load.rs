//! A live node on a simulated venue of another process, every symbol with order flow: how many
//! frames a second, what is lost, what it costs, and how long from a frame to its decision.
//!
//! `scripts/load` starts the venue and this: `load VENUE_JSON SECONDS [RAW_FILE]`. A strategy that
//! looks at every trade and quote tells when it did; the venue's stamps are whole milliseconds of
//! the same clock, so a latency is up to a millisecond less than shown, and includes the venue's
//! own tick of 2 ms.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a measurement may stop at its first surprise"
)]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arb::live::{Addresses, LiveOptions, OrderFlow, Others};
use arb::node::WallClock;
use arb::port::{InstrumentStore as _, KeepDays, TapeStore as _};
use arb::{
    AccountConfig, Context, Event, EventKind, Intent, Interest, Memory, Registry, RiskConfig,
    Strategy, StrategyText,
};
use serde_json::Value;

/// Frames whose latency is kept: every so many.
const EVERY: u64 = 16;

/// Most instruments.
const INSTRUMENTS: usize = 4_096;

/// What a probe saw.
#[derive(Debug)]
struct Seen {
    /// The newest of each instrument: the node's follower runs everything once more, later.
    newest: Vec<AtomicI64>,
    decided: AtomicU64,
    /// Frame to decision, microseconds.
    latencies: Mutex<Vec<u32>>,
}

impl Seen {
    fn new() -> Arc<Self> {
        let newest = (0..INSTRUMENTS).map(|_| AtomicI64::new(0)).collect();
        Arc::new(Self { newest, decided: AtomicU64::new(0), latencies: Mutex::default() })
    }
}

/// Looks at every trade and quote.
#[derive(Debug)]
struct Probe(Arc<Seen>);

impl Strategy for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn interest(&self) -> Interest {
        Interest::Quotes
    }

    fn memory(&self) -> Memory {
        Memory::Nothing
    }

    fn recall(&mut self, _: &[u8]) -> Result<(), arb::ConfigError> {
        Ok(())
    }

    fn on_event(&mut self, _: &Context<'_>, event: &Event, _: &mut Vec<Intent>) {
        let (instrument, ts) = match &event.kind {
            EventKind::Trade(trade) => (trade.instrument, trade.ts),
            EventKind::Quote(quote) => (quote.instrument, quote.ts),
            _ => return,
        };
        let newest = &self.0.newest[instrument.index()];
        if newest.fetch_max(ts.as_nanos(), Ordering::Relaxed) >= ts.as_nanos() {
            return;
        }
        if self.0.decided.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
            let micros = (now - ts.as_nanos()).max(0) / 1_000;
            self.0.latencies.lock().unwrap().push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }
}

/// Processor time of a process so far, seconds.
fn cpu(pid: u64) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory of a process, megabytes.
fn memory(pid: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// What the venue counted.
fn status(control: &str) -> Value {
    let host = control.strip_prefix("http://").unwrap().strip_suffix("/control").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let ask = format!("GET /control/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn options(line: &str, folder: &Path, seen: &Arc<Seen>) -> LiveOptions {
    let (mut registry, seen) = (Registry::builtin(), Arc::clone(seen));
    registry.register("probe", move |_: &str, _: &str| {
        Ok(Box::new(Probe(Arc::clone(&seen))) as Box<dyn Strategy>)
    });
    let text = |file: &str, text: &str| StrategyText { file: file.into(), text: text.into() };
    let own = Registry::builtin_text("v52_8signals").unwrap();
    LiveOptions {
        addresses: Addresses::from_json("venue", line).unwrap(),
        clock: Arc::new(WallClock),
        folder: folder.to_owned(),
        symbols: OrderFlow::All,
        others: Others::Watched,
        strategies: vec![
            text("v52_8signals", own),
            text("probe", r#"{"kind": "probe", "name": "probe"}"#),
        ],
        registry,
        account: AccountConfig::default(),
        risk: RiskConfig::default(),
        keep: KeepDays::default(),
        history: Duration::ZERO,
        archives: Vec::new(),
        backlog: Duration::ZERO,
        notifier: None,
    }
}

async fn run(line: &str, seconds: u64, raw: Option<&str>) {
    let venue: Value = serde_json::from_str(line).unwrap();
    let (control, sim) = (venue["control"].as_str().unwrap(), venue["pid"].as_u64().unwrap());
    let own = u64::from(std::process::id());
    let (folder, seen) = (tempfile::tempdir().unwrap(), Seen::new());
    let live = options(line, folder.path(), &seen).start(|_| {}).await.unwrap();
    let handle = live.node().handle();
    // Subscriptions of all symbols, and what the beginning asks for.
    tokio::time::sleep(Duration::from_secs(10)).await;
    seen.latencies.lock().unwrap().clear();
    let sample = || (Instant::now(), status(control), handle.metrics(), cpu(sim), cpu(own));
    let before = sample();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = sample();
    let mut latencies = std::mem::take(&mut *seen.latencies.lock().unwrap());
    let wall = (after.0 - before.0).as_secs_f64();
    let count = |key: &str| after.1[key].as_f64().unwrap() - before.1[key].as_f64().unwrap();
    let events = (after.2.events - before.2.events) as f64;
    println!("symbols {}, {wall:.1} s", handle_symbols(&live));
    println!("frames sent {:.0}/s, events decided {:.0}/s", count("frames") / wall, events / wall);
    println!(
        "processor, of one core: venue {:.0} %, node {:.0} %; memory venue {} MB, node {} MB",
        100.0 * (after.3 - before.3) / wall,
        100.0 * (after.4 - before.4) / wall,
        memory(sim),
        memory(own)
    );
    if let Some(file) = raw {
        let mut text = String::new();
        latencies.iter().for_each(|micros| _ = writeln!(text, "{micros}"));
        std::fs::write(file, text).unwrap();
    }
    latencies.sort_unstable();
    let at = |share: f64| f64::from(latencies[((latencies.len() - 1) as f64 * share) as usize]);
    println!(
        "frame to decision, ms: p50 {:.1} p99 {:.1} p99.9 {:.1} (of {} frames)",
        at(0.5) / 1e3,
        at(0.99) / 1e3,
        at(0.999) / 1e3,
        latencies.len()
    );
    let lag = handle.metrics();
    println!(
        "queue {} batches, store {} records behind, quotes coalesced {}, dropped {}",
        lag.queue_depth, lag.store_lag, lag.coalesced_quotes, lag.dropped
    );
    println!(
        "lost: connections ended {:.0}, slow listeners {:.0}, gaps {}",
        count("ended"),
        count("slow_listeners"),
        lag.gaps
    );
    let store = Arc::clone(live.store());
    let deadline = Instant::now() + Duration::from_secs(120);
    let stopped = handle.metrics().seq;
    while handle.metrics().store_lag > 100_000 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    live.stop().await.unwrap();
    let catalog = store.catalog().await.unwrap();
    let (mut trades, mut holes) = (0, 0);
    for (of, _) in catalog.iter() {
        trades += store.extent(of.key).await.unwrap().map_or(0, |extent| extent.count);
        holes += store.holes(of.key).await.unwrap().len();
    }
    println!("{stopped} records in the log; stored trades {trades}, holes {holes}");
}

fn handle_symbols(live: &arb::live::Live) -> usize {
    live.catalog().iter().count()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [venue, seconds, raw @ ..] = &args[..] else {
        println!("scripts/load runs this: load VENUE_JSON SECONDS [RAW_FILE]");
        return;
    };
    let line = std::fs::read_to_string(venue).unwrap();
    let seconds = seconds.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(&line, seconds, raw.first().map(String::as_str)));
}
