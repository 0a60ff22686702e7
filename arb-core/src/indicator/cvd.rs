//! Cumulative volume delta: Σ signed quantity, positive when takers bought more than they sold.
//!
//! Definition: strategy windows `ts >= now − window` and the UTC day of `now`. Invariant: a sum is
//! the difference of two exact running totals (what came in, what went out), so it equals the
//! plain sum of the trades inside, whatever happened before.

use serde::{Deserialize, Serialize};

use super::QtySum;
use super::ring::{Cursor, Ring, Run};
use crate::time::DAY;

/// A sliding sum of signed quantity over the ring.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct SlidingSum {
    tail: Cursor,
    gone: i128,
}

impl SlidingSum {
    /// Drops the trades earlier than `before_us`.
    pub(super) fn expire(&mut self, ring: &Ring, before_us: i64) {
        let gone = &mut self.gone;
        ring.pass(&mut self.tail, before_us, |run| *gone += run.sum());
    }

    /// The sum, given the total of everything that ever came in.
    pub(super) const fn sum(&self, total: i128) -> QtySum {
        QtySum(total - self.gone)
    }
}

/// Σ signed quantity since 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct DaySum {
    day: i64,
    sum: i128,
}

impl DaySum {
    pub(super) fn add(&mut self, ts_us: i64, qty: i64) {
        self.roll(ts_us);
        if ts_us.div_euclid(DAY / 1_000) == self.day {
            self.sum += i128::from(qty);
        }
    }

    /// Adds neighbouring trades; a run inside one day costs one addition.
    pub(super) fn add_run(&mut self, run: &Run<'_>, sum: i128) {
        let day = |us: i64| us.div_euclid(DAY / 1_000);
        if day(run.first_us()) == day(run.last_us()) {
            self.roll(run.first_us());
            if day(run.first_us()) == self.day {
                self.sum += sum;
            }
        } else {
            run.trades().for_each(|(ts_us, qty)| self.add(ts_us, qty));
        }
    }

    /// Starts a new day when `now_us` is in one.
    pub(super) fn roll(&mut self, now_us: i64) {
        let day = now_us.div_euclid(DAY / 1_000);
        if day > self.day {
            *self = Self { day, sum: 0 };
        }
    }

    pub(super) const fn sum(&self) -> QtySum {
        QtySum(self.sum)
    }
}
