//! What time it is, for a driver: the engine itself reads no clock.
//!
//! Invariant: times given to the engine are venue time. A clock may step back; the driver never
//! passes that on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arb_core::Timestamp;
use arb_core::port::Clock;
use arb_core::time::nanos;
use tokio::time::Instant;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanos(nanos(since))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        duration(until.since(self.now()))
    }
}

/// A clock that starts at an epoch and runs `speed` times as fast as the real one: that of a
/// simulated venue.
#[derive(Clone, Copy, Debug)]
pub struct ScaledClock {
    epoch: Timestamp,
    speed: u32,
    started: Instant,
}

impl ScaledClock {
    /// A clock that shows `epoch` now; a `speed` of 0 counts as 1. Call it inside a tokio runtime.
    #[must_use]
    pub fn new(epoch: Timestamp, speed: u32) -> Self {
        Self { epoch, speed: speed.max(1), started: Instant::now() }
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        self.epoch.plus(nanos(self.started.elapsed().saturating_mul(self.speed)))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        // Rounded up, so that the time has come when the wait is over.
        let left = duration(until.since(self.now()));
        left.div_ceil(self.speed)
    }
}

trait DivCeil {
    fn div_ceil(self, by: u32) -> Self;
}

impl DivCeil for Duration {
    fn div_ceil(self, by: u32) -> Self {
        (self + Self::from_nanos(u64::from(by) - 1)) / by
    }
}

fn duration(nanos: i64) -> Duration {
    u64::try_from(nanos).map_or(Duration::ZERO, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_as_told_and_waits_long_enough() {
        let epoch = Timestamp::from_millis(1_000);
        let clock = ScaledClock::new(epoch, 60);
        assert_eq!(clock.now(), epoch);
        let later = epoch.plus(90_000_000_001);
        tokio::time::sleep(clock.wait(later)).await;
        assert!(clock.now() >= later && clock.now() < later.plus(60_000_000_000 / 500));
        assert_eq!(clock.wait(epoch), Duration::ZERO);
    }
}
