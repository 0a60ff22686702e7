//! When the next tick is due.
//!
//! Invariant: a tick of grid time t is told `grace` later, in order, each once. One that is told
//! more than [`STALE`] late is left out: a process that slept must not decide about a past it did
//! not see.

use arb_core::Timestamp;
use arb_core::time::SECOND;

/// How late a tick may be told.
const STALE: i64 = 5 * SECOND;

/// The decision grid of a driver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    step: i64,
    grace: i64,
    next: Timestamp,
}

impl Grid {
    /// The grid whose first tick is at or after `from`, behind the last one that was told.
    pub(super) fn new(
        (grid_secs, grace_ms): (u32, u32),
        from: Timestamp,
        last: Option<Timestamp>,
    ) -> Self {
        let step = i64::from(grid_secs.max(1)) * SECOND;
        let first = from.ceil_to(step);
        let next = last.map_or(first, |last| first.max(last.plus(step)));
        Self { step, grace: i64::from(grace_ms) * 1_000_000, next }
    }

    /// When the next tick is due.
    pub(super) const fn due(&self) -> Timestamp {
        self.next.plus(self.grace)
    }

    /// Grid time of the next tick.
    pub(super) const fn next(&self) -> Timestamp {
        self.next
    }

    /// Passes the next tick.
    pub(super) const fn advance(&mut self) {
        self.next = self.next.plus(self.step);
    }

    /// Leaves out ticks that would be told too late at `now`; tells how many.
    pub(super) fn skip_stale(&mut self, now: Timestamp) -> u64 {
        let late = now.since(self.due());
        if late <= STALE {
            return 0;
        }
        let skipped = late / self.step;
        self.next = self.next.plus(skipped * self.step);
        skipped.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn a_tick_is_due_a_grace_after_its_time_and_never_told_twice() {
        let grid = Grid::new((15, 400), at(31), None);
        assert_eq!((grid.next(), grid.due()), (at(45), Timestamp::from_millis(45_400)));
        assert_eq!(Grid::new((15, 400), at(30), Some(at(30))).next(), at(45));
    }

    #[test]
    fn ticks_of_a_time_that_was_slept_through_are_left_out_but_the_last() {
        let mut grid = Grid::new((15, 400), at(30), None);
        assert_eq!(grid.skip_stale(at(35)), 0);
        assert_eq!(grid.skip_stale(at(3_600)), 237);
        assert_eq!(grid.next(), at(3_585));
    }
}
