//! The venue's time, measured.
//!
//! Invariant: the clock is what was given plus the newest measured offset; how wrong it may be is
//! told to the engine every minute, which stops adding risk when it is too wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arb_binance::net::FuturesRest;
use arb_core::port::{Clock, MarketFeed};
use arb_core::time::nanos;
use arb_core::{Event, EventKind, Health, Timestamp, VenueError};
use async_trait::async_trait;
use tokio::time::Instant;

use super::ClockReading;

/// Round trips of a measurement; the quickest counts.
const ROUNDS: usize = 3;
/// Time between two measurements.
const EVERY: Duration = Duration::from_secs(60);
/// Drift that is assumed since a measurement, parts per million.
const DRIFT_PPM: i64 = 100;

/// A clock set by the venue's.
#[derive(Debug)]
pub struct VenueClock {
    base: Arc<dyn Clock>,
    /// Nanoseconds that the venue is ahead of the base.
    offset: AtomicI64,
}

/// What a measurement found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Half the quickest round trip, nanoseconds.
    uncertainty: i64,
    /// How much the offset changed, nanoseconds.
    step: i64,
    /// The offset, nanoseconds.
    offset: i64,
}

impl Measured {
    pub(super) const fn reading(self) -> ClockReading {
        const MILLI: i64 = 1_000_000;
        ClockReading { offset_ms: self.offset / MILLI, uncertainty_ms: self.uncertainty / MILLI }
    }
}

impl VenueClock {
    /// A clock that shows what `base` does until it is measured.
    #[must_use]
    pub const fn new(base: Arc<dyn Clock>) -> Self {
        Self { base, offset: AtomicI64::new(0) }
    }

    /// Asks the venue for its time and sets the clock by it.
    pub(super) async fn measure(&self, venue: &FuturesRest) -> Result<Measured, VenueError> {
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..ROUNDS {
            let (asked, started) = (self.base.now(), Instant::now());
            let told = venue.time().await?;
            let round_trip = nanos(started.elapsed());
            // The venue tells milliseconds, rounded down.
            let middle = asked.plus(self.base.now().since(asked) / 2);
            let offset = told.plus(500_000).since(middle);
            if best.is_none_or(|(least, _)| round_trip < least) {
                best = Some((round_trip, offset));
            }
        }
        let (round_trip, offset) = best.unwrap_or_default();
        let before = self.offset.swap(offset, Ordering::Relaxed);
        Ok(Measured { uncertainty: round_trip / 2, step: (offset - before).abs(), offset })
    }
}

impl Clock for VenueClock {
    fn now(&self) -> Timestamp {
        self.base.now().plus(self.offset.load(Ordering::Relaxed))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        self.base.wait(until.plus(-self.offset.load(Ordering::Relaxed)))
    }
}

/// Tells the engine once a minute how sure the time is.
#[derive(Debug)]
pub(super) struct ClockFeed {
    venue: FuturesRest,
    clock: Arc<VenueClock>,
    next: Instant,
    last: Option<(Instant, Measured)>,
}

impl ClockFeed {
    pub(super) fn new(venue: FuturesRest, clock: Arc<VenueClock>) -> Self {
        Self { venue, clock, next: Instant::now(), last: None }
    }
}

fn millis(nanos: i64) -> u32 {
    u32::try_from(nanos.unsigned_abs() / 1_000_000).unwrap_or(u32::MAX)
}

#[async_trait]
impl MarketFeed for ClockFeed {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        tokio::time::sleep_until(self.next).await;
        self.next = Instant::now() + EVERY;
        match self.clock.measure(&self.venue).await {
            Ok(measured) => self.last = Some((Instant::now(), measured)),
            Err(error) => tracing::warn!(%error, "the venue's clock could not be read"),
        }
        if let Some((at, measured)) = &self.last {
            let drift = nanos(at.elapsed()) / 1_000_000 * DRIFT_PPM;
            let health = Health::Clock {
                uncertainty_ms: millis(measured.uncertainty + drift),
                step_ms: millis(measured.step),
                offset_ms: millis(measured.offset),
            };
            out.push(Event { at: self.clock.now(), kind: EventKind::Health(health) });
        }
        Ok(true)
    }
}
