//! What server and clients share: the trades, their frames, and when each was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arb::generator::{GeneratorConfig, TapeGenerator};
use arb::{Side, Timestamp, Trade};
use rustix::thread::{CpuSet, sched_setaffinity};

/// How fast frames are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    FlatOut,
    /// Spinning between frames.
    PerSecond(u64),
    /// Sleeping between frames, which leaves the core to others.
    Gently(u64),
}

/// Keeps this thread, and those it starts, on one core.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core % std::thread::available_parallelism().map_or(1, usize::from));
    // Where it is not allowed the figures are only noisier.
    let _ = sched_setaffinity(None, &set);
}

/// Lets this thread run anywhere.
pub(crate) fn unpin() {
    let mut set = CpuSet::new();
    (0..CpuSet::MAX_CPU.min(64)).for_each(|core| set.set(core));
    let _ = sched_setaffinity(None, &set);
}

/// Trades of a busy market: those of a generated day, so many times as fast.
pub(crate) fn trades(count: usize, faster: i64) -> Vec<Trade> {
    let mut trades: Vec<Trade> =
        TapeGenerator::new(GeneratorConfig::btcusdt(20_240_601)).take(count).collect();
    let first = trades[0].ts;
    for trade in &mut trades {
        let millis = trade.ts.since(first) / 1_000_000;
        trade.ts = first.plus(millis / faster * 1_000_000);
    }
    trades
}

/// A combined-stream frame of a trade, as the venue writes it.
pub(crate) fn frame(trade: &Trade) -> String {
    let at = trade.ts.as_millis();
    format!(
        r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{},"a":{},"s":"BTCUSDT","p":"{}","q":"{}","f":{},"l":{},"T":{at},"m":{}}}}}"#,
        at + 3,
        trade.id,
        padded(trade.price.units(), 2),
        padded(trade.qty.units(), 3),
        trade.id * 2,
        trade.id * 2 + 1,
        trade.taker_side == Side::Sell,
    )
}

fn padded(units: i64, decimals: u32) -> String {
    let one = 100_000_000;
    let fraction = units % one / 10_i64.pow(8 - decimals);
    format!("{}.{fraction:0width$}", units / one, width = decimals as usize)
}

/// When each trade was sent and decided, nanoseconds since the beginning.
#[derive(Debug)]
pub(crate) struct Times {
    began: Instant,
    first_id: u64,
    sent: Vec<AtomicU64>,
    decided: Vec<AtomicU64>,
}

impl Times {
    pub(crate) fn new(trades: &[Trade]) -> Arc<Self> {
        let none = || trades.iter().map(|_| AtomicU64::new(0)).collect();
        let (began, first_id) = (Instant::now(), trades[0].id);
        Arc::new(Self { began, first_id, sent: none(), decided: none() })
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// How many were decided so far, from the first on.
    pub(crate) fn decided(&self) -> usize {
        self.decided.partition_point(|at| at.load(Ordering::Relaxed) > 0)
    }

    pub(crate) fn send(&self, place: usize) {
        self.sent[place].store(self.now(), Ordering::Relaxed);
    }

    pub(crate) fn decide(&self, id: u64) {
        // The node's follower runs everything once more, later; the first time counts.
        let place = &self.decided[(id - self.first_id) as usize];
        if place.load(Ordering::Relaxed) == 0 {
            place.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Sent to decided of every trade, nanoseconds.
    pub(crate) fn latencies(&self) -> Vec<u64> {
        let pairs = self.sent.iter().zip(&self.decided);
        let times = pairs.map(|(a, b)| (a.load(Ordering::Relaxed), b.load(Ordering::Relaxed)));
        times.map(|(sent, decided)| decided.saturating_sub(sent)).collect()
    }
}

/// The trades, and their frames end to end as a server writes them; made once.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) trades: Vec<Trade>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

/// The venue's time, which stands where the last trade stands.
#[derive(Debug)]
pub(crate) struct Follower(AtomicU64);

impl Follower {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self(AtomicU64::new(at.as_nanos() as u64))
    }

    pub(crate) fn set(&self, at: Timestamp) {
        self.0.store(at.as_nanos().cast_unsigned(), Ordering::Relaxed);
    }
}

impl arb::port::Clock for Follower {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed).cast_signed())
    }

    fn wait(&self, until: Timestamp) -> std::time::Duration {
        let millis = u64::from(until > self.now());
        std::time::Duration::from_millis(millis)
    }
}
