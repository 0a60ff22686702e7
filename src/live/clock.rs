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

    /// What the engine is told when the measurement is so old.
    fn health(self, age: Duration) -> Health {
        let drift = nanos(age) / 1_000_000 * DRIFT_PPM;
        Health::Clock {
            uncertainty_ms: millis(self.uncertainty.saturating_add(drift)),
            step_ms: millis(self.step),
            offset_ms: millis(self.offset),
        }
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
            let health = measured.health(at.elapsed());
            out.push(Event { at: self.clock.now(), kind: EventKind::Health(health) });
        }
        Ok(true)
    }
}

#[cfg(feature = "sim")]
#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use arb_binance::net::{Addresses, Broker, Rest};
    use arb_binance::sim::{
        FaultPlan, MarketConfig, SimMarket, SimServer, VenueConfig, VenueLimits, symbol,
    };
    use arb_binance::wire::SymbolTable;
    use arb_core::Market;
    use tokio::net::TcpListener;

    use super::*;

    const EPOCH: Timestamp = Timestamp::from_millis(1_773_129_600_000);
    const MILLI: i64 = 1_000_000;

    /// The venue's own time less an error that the test sets.
    #[derive(Debug)]
    struct Wrong {
        started: Instant,
        error: AtomicI64,
    }

    impl Clock for Wrong {
        fn now(&self) -> Timestamp {
            EPOCH.plus(nanos(self.started.elapsed()) - self.error.load(Ordering::Relaxed))
        }

        fn wait(&self, until: Timestamp) -> Duration {
            Duration::from_nanos(u64::try_from(until.since(self.now())).unwrap_or_default())
        }
    }

    async fn venue(faults: &str) -> (SimServer, FuturesRest, Arc<Wrong>, Arc<VenueClock>) {
        let config = MarketConfig::new(1, EPOCH, vec![symbol("BTCUSDT")]);
        let market = Arc::new(SimMarket::new(config).unwrap());
        let faults = FaultPlan::parse(faults).unwrap();
        let config = VenueConfig { limits: VenueLimits::DOCUMENTED, faults, speed: 1 };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = Arc::new(Wrong { started: Instant::now(), error: AtomicI64::new(0) });
        let server = SimServer::start(listener, market, config).unwrap();
        let line = serde_json::to_string(server.addresses()).unwrap();
        let addresses = Addresses::from_json("sim", &line).unwrap();
        let clock = Arc::new(VenueClock::new(Arc::clone(&base) as Arc<dyn Clock>));
        let time: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let broker = Arc::new(Broker::new(arb_binance::Limits::FUTURES, time));
        let rest = Rest::new(&addresses.futures_rest, Market::Um, broker).unwrap();
        let rest = FuturesRest::new(rest, Arc::new(SymbolTable::new([])));
        (server, rest, base, clock)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_clock_that_is_wrong_by_minutes_shows_the_venues_time() {
        let (server, rest, base, clock) = venue("{}").await;
        base.error.store(180_000 * MILLI, Ordering::Relaxed);
        let measured = clock.measure(&rest).await.unwrap();
        let reading = measured.reading();
        // The measurement says itself how wrong it may be.
        let error = (reading.offset_ms - 180_000).abs();
        assert!(error <= reading.uncertainty_ms + 20, "{reading:?}");
        let apart = clock.now().since(server.now()).abs() / MILLI;
        assert!(apart <= reading.uncertainty_ms + 20, "{apart} ms");
        let deadline = clock.now().plus(250 * MILLI);
        let wait = clock.wait(deadline);
        assert!(
            wait <= Duration::from_millis(250) && wait > Duration::from_millis(100),
            "{wait:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_clock_that_is_set_between_two_measurements_is_a_step_of_that_size() {
        let (_server, rest, base, clock) = venue("{}").await;
        clock.measure(&rest).await.unwrap();
        let steady = clock.measure(&rest).await.unwrap();
        base.error.store(-700 * MILLI, Ordering::Relaxed);
        let stepped = clock.measure(&rest).await.unwrap();
        let Health::Clock { step_ms, offset_ms, .. } = stepped.health(Duration::ZERO) else {
            panic!("health of the clock");
        };
        let slack = u32::try_from(steady.uncertainty / MILLI).unwrap() + 30;
        assert!(step_ms.abs_diff(700) <= slack && offset_ms.abs_diff(700) <= slack, "{stepped:?}");
        let Health::Clock { step_ms, .. } = steady.health(Duration::ZERO) else {
            panic!("health of the clock");
        };
        assert!(step_ms <= slack, "{steady:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_answer_is_an_uncertain_clock_and_the_engine_is_told() {
        let slow =
            r#"{"faults":[{"kind":"delay","path":"/fapi/v1/time","ms":600,"for_ms":600000}]}"#;
        let (_server, rest, _base, clock) = venue(slow).await;
        let mut feed = ClockFeed::new(rest, clock);
        let mut told = Vec::new();
        assert!(feed.next(&mut told).await.unwrap());
        let [Event { kind: EventKind::Health(Health::Clock { uncertainty_ms, .. }), .. }] =
            told[..]
        else {
            panic!("{told:?}");
        };
        assert!((300..600).contains(&uncertainty_ms), "half the round trip: {uncertainty_ms} ms");
    }

    #[test]
    fn certainty_fades_by_the_drift_that_is_assumed() {
        let measured = Measured { uncertainty: 20 * MILLI, step: 3 * MILLI, offset: -40 * MILLI };
        for (age, uncertainty_ms) in [(0, 20), (60, 26), (3_600, 380)] {
            let health = Health::Clock { uncertainty_ms, step_ms: 3, offset_ms: 40 };
            assert_eq!(measured.health(Duration::from_secs(age)), health, "after {age} s");
        }
    }
}
