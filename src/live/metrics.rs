//! Figures of the feed and of the requests, for the node's metrics.
//!
//! Invariant: reading them waits for nothing but a short lock and changes nothing.

use std::sync::Arc;

use arb_binance::Pool;
use arb_binance::net::{Broker, FeedCounters, FeedFigures};
use arb_core::port::{Clock, Measure, MeasureKind, MeasureValue};
use arb_core::time::SECOND;

use crate::node::Gauges;

/// What is shown.
pub(super) struct Shown {
    pub(super) counters: Arc<FeedCounters>,
    pub(super) futures: Arc<Broker>,
    pub(super) spot: Arc<Broker>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Shown {
    /// A part of the node's figures.
    pub(super) fn gauges(self) -> Gauges {
        Box::new(move || {
            let mut all = self.lines(&self.counters.read());
            all.extend(self.requests());
            all
        })
    }

    fn lines(&self, figures: &FeedFigures) -> Vec<Measure> {
        let mut all = Vec::new();
        let now = self.clock.now();
        for (name, line) in &figures.lines {
            let label = || Some(("line", name.clone()));
            let mut add =
                |(name, help), kind, value| all.push(measure((name, help), kind, label(), value));
            add(FRAMES, MeasureKind::Counter, number(line.frames));
            add(CONNECTIONS, MeasureKind::Counter, number(line.connections));
            add(LOST, MeasureKind::Counter, number(line.lost));
            if let Some(last) = line.last_frame_at {
                add(SILENCE, MeasureKind::Gauge, seconds(now.since(last)));
            }
        }
        let counts = [
            (DROPPED, figures.dropped),
            (UNDECODABLE, figures.undecodable),
            (OVERLOOKED, figures.overlooked),
        ];
        let counts = counts.into_iter();
        all.extend(counts.map(|(what, n)| measure(what, MeasureKind::Counter, None, number(n))));
        for (what, count) in &figures.failed_requests {
            let label = Some(("what", (*what).to_owned()));
            all.push(measure(FAILED, MeasureKind::Counter, label, number(*count)));
        }
        all
    }

    fn requests(&self) -> Vec<Measure> {
        let pools = [
            ("futures_weight", &self.futures, Pool::Weight),
            ("futures_data", &self.futures, Pool::FuturesData),
            ("funding", &self.futures, Pool::Funding),
            ("spot_weight", &self.spot, Pool::Weight),
        ];
        let mut all = Vec::new();
        for (name, broker, pool) in pools {
            let (used, limit) = broker.used(pool);
            let label = || Some(("pool", name.to_owned()));
            all.push(measure(USED, MeasureKind::Gauge, label(), f64::from(used)));
            all.push(measure(LIMIT, MeasureKind::Gauge, label(), f64::from(limit)));
        }
        for (host, broker) in [("futures", &self.futures), ("spot", &self.spot)] {
            let left = broker.stopped_until().map_or(0, |until| until.since(self.clock.now()));
            let label = Some(("host", host.to_owned()));
            all.push(measure(STOPPED, MeasureKind::Gauge, label, seconds(left)));
        }
        all
    }
}

/// Name and help of a figure.
type Named = (&'static str, &'static str);

const FRAMES: Named = ("arb_feed_frames_total", "Frames read, by line.");
const CONNECTIONS: Named =
    ("arb_feed_connections_total", "Connections that delivered; all but the first are reconnects.");
const LOST: Named =
    ("arb_feed_lost_connections_total", "Connections that ended or never came about, by line.");
const SILENCE: Named = ("arb_feed_silence_seconds", "Time since the last frame, by line.");
const DROPPED: Named = ("arb_feed_dropped_records_total", "Records that could not be used.");
const UNDECODABLE: Named = ("arb_feed_undecodable_frames_total", "Frames that could not be read.");
const OVERLOOKED: Named = (
    "arb_feed_overlooked_trades_total",
    "Trades that a silent stream did not bring, found by asking.",
);
const FAILED: Named =
    ("arb_failed_requests_total", "Requests that failed for good, by what was asked for.");
const USED: Named = ("arb_requests_used", "What is used of a limit of requests in its period.");
const LIMIT: Named = ("arb_requests_limit", "The limit of requests in its period.");
const STOPPED: Named =
    ("arb_requests_stopped_seconds", "Time until requests may be sent again; 0 while they may.");

fn measure(
    (name, help): Named,
    kind: MeasureKind,
    label: Option<(&'static str, String)>,
    value: f64,
) -> Measure {
    Measure { name, help, kind, label, value: MeasureValue::Number(value) }
}

#[expect(clippy::cast_precision_loss, reason = "figures for screens")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for screens")]
fn seconds(nanos: i64) -> f64 {
    nanos.max(0) as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use arb_binance::Limits;

    use super::*;
    use crate::node::WallClock;

    #[test]
    fn every_pool_is_shown_with_its_limit() {
        let broker = |limits| Arc::new(Broker::new(limits, Arc::new(WallClock)));
        let shown = Shown {
            counters: Arc::default(),
            futures: broker(Limits::FUTURES),
            spot: broker(Limits::SPOT),
            clock: Arc::new(WallClock),
        };
        let all = shown.gauges()();
        let limit = |pool: &str| {
            let of = |each: &&Measure| {
                each.name == "arb_requests_limit"
                    && each.label.as_ref().is_some_and(|(_, value)| value == pool)
            };
            all.iter().find(of).map(|each| each.value.clone())
        };
        for (pool, expected) in [
            ("futures_weight", 2_400.0),
            ("futures_data", 1_000.0),
            ("funding", 500.0),
            ("spot_weight", 6_000.0),
        ] {
            assert_eq!(limit(pool), Some(MeasureValue::Number(expected)), "{pool}");
        }
        assert!(all.iter().any(|each| each.name == "arb_feed_undecodable_frames_total"));
    }
}
