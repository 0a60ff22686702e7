//! Counters of a node, for hosts to render.
//!
//! Invariant: counting never waits and never allocates; [`Metrics`] is a plain copy of one moment.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use arb_core::Timestamp;
use arb_core::port::{Measure, MeasureKind, MeasureValue};
use serde::Serialize;

/// Upper bounds of the latency buckets, microseconds; one more bucket holds the rest.
pub const LATENCY_BOUNDS_US: [u64; 12] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

const BUCKETS: usize = LATENCY_BOUNDS_US.len() + 1;

/// A copy of buckets that are counted elsewhere.
pub type Buckets = [u64; BUCKETS];

/// A histogram over [`LATENCY_BOUNDS_US`] while it is counted.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn add(&self, micros: u64) {
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < micros);
        if let Some(count) = self.buckets.get(bucket) {
            add(count, 1);
        }
        add(&self.sum_us, micros);
    }

    fn read(&self) -> (Buckets, u64) {
        let mut buckets = [0; BUCKETS];
        for (to, from) in buckets.iter_mut().zip(&self.buckets) {
            *to = read(from);
        }
        (buckets, read(&self.sum_us))
    }
}

macro_rules! counters {
    ($($field:ident $kind:ident $name:literal $help:literal),* $(,)?) => {
        /// A node at one moment. Counts are since its start.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: u64,)*
            /// Batches by the time from their receipt to their last decision; see
            /// [`LATENCY_BOUNDS_US`].
            pub latency: Buckets,
            /// Sum of those times, microseconds.
            pub latency_sum_us: u64,
            /// Trades by the time from the venue's stamp to their receipt.
            pub feed_lag: Buckets,
            /// Sum of those times, microseconds.
            pub feed_lag_sum_us: u64,
            /// Records that the store does not have yet.
            pub store_lag: u64,
            /// Notes that the notifier has not told yet.
            pub notifier_lag: u64,
            /// When the last batch came; none before the first.
            pub last_batch_at: Option<Timestamp>,
            /// Whether the last call to the store failed.
            pub store_failing: bool,
        }

        /// The same, while it is counted.
        #[derive(Default)]
        pub(super) struct Counters {
            $(pub(super) $field: AtomicU64,)*
            pub(super) latency: Histogram,
            pub(super) feed_lag: Histogram,
            pub(super) stored_seq: AtomicU64,
            pub(super) noted_seq: AtomicU64,
            pub(super) told_seq: AtomicU64,
            pub(super) last_batch_ns: AtomicI64,
            pub(super) store_failing: AtomicBool,
            gauges: Mutex<Vec<Gauges>>,
        }

        impl Counters {
            pub(super) fn read(&self) -> Metrics {
                let (latency, latency_sum_us) = self.latency.read();
                let (feed_lag, feed_lag_sum_us) = self.feed_lag.read();
                let last = self.last_batch_ns.load(Ordering::Relaxed);
                Metrics {
                    $($field: read(&self.$field),)*
                    latency,
                    latency_sum_us,
                    feed_lag,
                    feed_lag_sum_us,
                    store_lag: read(&self.seq).saturating_sub(read(&self.stored_seq)),
                    notifier_lag: read(&self.noted_seq).saturating_sub(read(&self.told_seq)),
                    last_batch_at: (last != 0).then(|| Timestamp::from_nanos(last)),
                    store_failing: self.store_failing.load(Ordering::Relaxed),
                }
            }
        }

        impl Metrics {
            /// The figures as hosts render them.
            #[must_use]
            pub fn measures(&self) -> Vec<Measure> {
                vec![
                    $(number($name, $help, MeasureKind::$kind, self.$field),)*
                    number(
                        "arb_store_lag_records",
                        "Records of the log that the store does not have yet.",
                        MeasureKind::Gauge,
                        self.store_lag,
                    ),
                    number(
                        "arb_notifier_lag_records",
                        "Notes that the notifier has not told yet.",
                        MeasureKind::Gauge,
                        self.notifier_lag,
                    ),
                    histogram(
                        "arb_event_latency_seconds",
                        "Batches by the time from their receipt to their last decision.",
                        &self.latency,
                        self.latency_sum_us,
                    ),
                    histogram(
                        "arb_feed_lag_seconds",
                        "Trades by the time from the venue's stamp to their receipt.",
                        &self.feed_lag,
                        self.feed_lag_sum_us,
                    ),
                ]
            }
        }
    };
}

counters! {
    events Counter "arb_events_total" "Events the engine was given.",
    queue_depth Gauge "arb_queue_depth_batches" "Batches that wait for the engine.",
    seq Counter "arb_log_seq" "Last record of the log.",
    durable_seq Counter "arb_log_durable_seq" "Last record on the disk.",
    gaps Counter "arb_gaps_total" "Holes and lost contacts.",
    late_trades Counter "arb_late_trades_total" "Trades that came behind their tick.",
    dropped Counter "arb_dropped_total" "Records that the engine dropped.",
    skipped_ticks Counter "arb_skipped_ticks_total" "Ticks that were too old to be told.",
    feed_restarts Counter "arb_feed_restarts_total" "Times a feed was opened again.",
    coalesced_quotes Counter "arb_coalesced_quotes_total" "Quotes that a newer one replaced in a full queue.",
    log_failures Counter "arb_log_failures_total" "Failed writes to the log.",
    store_failures Counter "arb_store_failures_total" "Failed calls to the store, repeated until they succeed.",
    store_conflicts Counter "arb_store_conflicts_total" "Market records that contradict the store, left out of it.",
    notifier_failures Counter "arb_notifier_failures_total" "Messages that could not be delivered at the first try.",
}

/// Tells figures of a part outside the node, such as a feed's connections.
pub type Gauges = Box<dyn Fn() -> Vec<Measure> + Send + Sync>;

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl Counters {
    /// Adds figures that are told by somebody else.
    pub(super) fn measure_also(&self, gauges: Vec<Gauges>) {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).extend(gauges);
    }

    pub(super) fn gauges(&self) -> Vec<Measure> {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.iter().flat_map(|tell| tell()).collect()
    }

    /// Counts the time from a batch's receipt to its end.
    pub(super) fn took(&self, micros: u64) {
        self.latency.add(micros);
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for screens")]
fn number(name: &'static str, help: &'static str, kind: MeasureKind, value: u64) -> Measure {
    Measure { name, help, kind, label: None, value: MeasureValue::Number(value as f64) }
}

#[expect(clippy::cast_precision_loss, reason = "figures for screens")]
fn histogram(name: &'static str, help: &'static str, counts: &Buckets, sum_us: u64) -> Measure {
    let value = MeasureValue::Buckets {
        bounds: LATENCY_BOUNDS_US.iter().map(|bound| *bound as f64 / 1e6).collect(),
        counts: counts.to_vec(),
        sum: sum_us as f64 / 1e6,
    };
    Measure { name, help, kind: MeasureKind::Histogram, label: None, value }
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
