//! Counters of a node, for hosts to render.
//!
//! Invariant: counting never waits and never allocates; [`Metrics`] is a plain copy of one moment.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Upper bounds of the latency buckets, microseconds; one more bucket holds the rest.
pub const LATENCY_BOUNDS_US: [u64; 12] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

const BUCKETS: usize = LATENCY_BOUNDS_US.len() + 1;

/// A node at one moment. Counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// Events the engine was given.
    pub events: u64,
    /// Batches that wait for the engine.
    pub queue_depth: u64,
    /// Batches by the time from their receipt to their last decision; see [`LATENCY_BOUNDS_US`].
    pub latency: [u64; BUCKETS],
    /// Sum of those times, microseconds.
    pub latency_sum_us: u64,
    /// Last record of the log.
    pub seq: u64,
    /// Last record on the disk.
    pub durable_seq: u64,
    /// Records that the store does not have yet.
    pub store_lag: u64,
    /// Notes that the notifier has not told yet.
    pub notifier_lag: u64,
    /// Holes and lost contacts.
    pub gaps: u64,
    /// Trades that came behind their tick.
    pub late_trades: u64,
    /// Records that the engine dropped.
    pub dropped: u64,
    /// Ticks that were not told because they were too old.
    pub skipped_ticks: u64,
    /// Times a feed was opened again.
    pub feed_restarts: u64,
    /// Quotes that a newer one replaced in a full queue.
    pub coalesced_quotes: u64,
    /// Failed writes to the log.
    pub log_failures: u64,
    /// Failed calls to the store, repeated until they succeed.
    pub store_failures: u64,
    /// Market records that contradict what the store has, and were left out of it.
    pub store_conflicts: u64,
    /// Messages that could not be delivered at the first try.
    pub notifier_failures: u64,
}

/// The same, while it is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) events: AtomicU64,
    pub(super) queue_depth: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    latency_sum_us: AtomicU64,
    pub(super) seq: AtomicU64,
    pub(super) durable_seq: AtomicU64,
    pub(super) stored_seq: AtomicU64,
    pub(super) noted_seq: AtomicU64,
    pub(super) told_seq: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) late_trades: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) skipped_ticks: AtomicU64,
    pub(super) feed_restarts: AtomicU64,
    pub(super) coalesced_quotes: AtomicU64,
    pub(super) log_failures: AtomicU64,
    pub(super) store_failures: AtomicU64,
    pub(super) store_conflicts: AtomicU64,
    pub(super) notifier_failures: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

pub(super) fn set(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    /// Counts the time from a batch's receipt to its end.
    pub(super) fn took(&self, micros: u64) {
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < micros);
        if let Some(count) = self.latency.get(bucket) {
            add(count, 1);
        }
        add(&self.latency_sum_us, micros);
    }

    pub(super) fn read(&self) -> Metrics {
        let mut latency = [0; BUCKETS];
        for (to, from) in latency.iter_mut().zip(&self.latency) {
            *to = read(from);
        }
        let seq = read(&self.seq);
        Metrics {
            events: read(&self.events),
            queue_depth: read(&self.queue_depth),
            latency,
            latency_sum_us: read(&self.latency_sum_us),
            seq,
            durable_seq: read(&self.durable_seq),
            store_lag: seq.saturating_sub(read(&self.stored_seq)),
            notifier_lag: read(&self.noted_seq).saturating_sub(read(&self.told_seq)),
            gaps: read(&self.gaps),
            late_trades: read(&self.late_trades),
            dropped: read(&self.dropped),
            skipped_ticks: read(&self.skipped_ticks),
            feed_restarts: read(&self.feed_restarts),
            coalesced_quotes: read(&self.coalesced_quotes),
            log_failures: read(&self.log_failures),
            store_failures: read(&self.store_failures),
            store_conflicts: read(&self.store_conflicts),
            notifier_failures: read(&self.notifier_failures),
        }
    }
}
