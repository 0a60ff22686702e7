//! What the venue remembers of an instrument's trades: last price, 5-minute volume, and the price
//! at the hour.
//!
//! Invariant: the volume at a time is that of its second and the 299 before it, exactly; a trade
//! of the present second costs a comparison and an addition.

use serde::{Deserialize, Serialize};

use crate::event::Trade;
use crate::num::Price;
use crate::time::{HOUR, SECOND, Timestamp};

const BUCKETS: usize = 300;
const WINDOW: i64 = 300 * SECOND;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bucket {
    start: Timestamp,
    units: i128,
}

const UNUSED: Bucket = Bucket { start: Timestamp::from_nanos(i64::MIN), units: 0 };

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tape {
    last_price: Option<Price>,
    /// The present second; it enters the ring when the next one begins.
    now: Bucket,
    ring: Vec<Bucket>,
    /// The last full hour and the last price then.
    hour: Option<(Timestamp, Price)>,
}

impl Tape {
    pub(super) const fn new() -> Self {
        Self { last_price: None, now: UNUSED, ring: Vec::new(), hour: None }
    }

    /// Takes in a trade; one that is older than the present second counts in it.
    #[inline]
    pub(super) fn add(&mut self, trade: &Trade) {
        if trade.ts.since(self.now.start) < SECOND {
            self.now.units += i128::from(trade.qty.units());
        } else {
            self.roll(trade);
        }
        self.last_price = Some(trade.price);
    }

    fn roll(&mut self, trade: &Trade) {
        if self.ring.is_empty() {
            self.ring = vec![UNUSED; BUCKETS];
        }
        if let Some(slot) = slot_of(self.now.start).and_then(|slot| self.ring.get_mut(slot)) {
            *slot = self.now;
        }
        self.now =
            Bucket { start: trade.ts.floor_to(SECOND), units: i128::from(trade.qty.units()) };
    }

    pub(super) const fn last_price(&self) -> Option<Price> {
        self.last_price
    }

    /// Keeps the last price of a tick on the hour, which is when funding settles.
    pub(super) fn on_tick(&mut self, at: Timestamp) {
        if let Some(price) = self.last_price.filter(|_| at == at.floor_to(HOUR)) {
            self.hour = Some((at, price));
        }
    }

    /// The price at the last full hour for a settlement then, else the last price.
    pub(super) fn price_at(&self, boundary: Timestamp) -> Option<Price> {
        match self.hour {
            Some((hour, price)) if boundary == hour => Some(price),
            _ => self.last_price,
        }
    }

    /// Base units traded in the second of `at` and the 299 before it, in 10⁻⁸.
    pub(super) fn volume_5m(&self, at: Timestamp) -> i128 {
        let oldest = at.floor_to(SECOND).plus(SECOND - WINDOW);
        let buckets = self.ring.iter().chain(std::iter::once(&self.now));
        buckets.filter(|bucket| bucket.start >= oldest).map(|bucket| bucket.units).sum()
    }
}

fn slot_of(start: Timestamp) -> Option<usize> {
    let second = start.as_nanos().div_euclid(SECOND);
    usize::try_from(second.rem_euclid(WINDOW / SECOND)).ok()
}
