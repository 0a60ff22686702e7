//! Values over time in a bounded number of buckets.
//!
//! Invariant: whatever the length of the tape, at most `cap` buckets are held, and no extreme is
//! lost: when time outgrows them, neighbours are merged into the next coarser step. Buckets are
//! aligned to the epoch, so that the same instant falls into the same bucket whenever the tape
//! began.

use arb_core::time::{DAY, HOUR, MINUTE, SECOND};
use arb_core::{Price, Timestamp};

/// Lengths of a bucket in nanoseconds; each divides the next. Beyond the last it doubles.
const STEPS: [i64; 11] = [
    FINEST,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    12 * HOUR,
    DAY,
];

/// The finest step: that of the decision grid.
pub(super) const FINEST: i64 = 15 * SECOND;

/// Something that can be condensed with what came after it.
pub(super) trait Condense: Copy {
    /// Takes in a later value.
    fn add(&mut self, later: Self);
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Buckets<T> {
    cap: usize,
    /// Length of a bucket, nanoseconds.
    step: i64,
    /// Number of the first bucket, counted from the epoch.
    first: i64,
    items: Vec<Option<T>>,
}

impl<T: Condense> Buckets<T> {
    /// Room for `cap` buckets, two at least.
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, step: FINEST, first: 0, items: Vec::new() }
    }

    /// Length of a bucket, nanoseconds.
    pub(super) const fn step(&self) -> i64 {
        self.step
    }

    /// Start of the first bucket.
    pub(super) const fn start(&self) -> Timestamp {
        Timestamp::from_nanos(self.first * self.step)
    }

    /// The buckets in order; none where nothing was added.
    pub(super) fn items(&self) -> &[Option<T>] {
        &self.items
    }

    /// Adds a value at a time that does not go back.
    pub(super) fn add(&mut self, at: Timestamp, value: T) {
        if self.items.is_empty() {
            self.first = at.as_nanos().div_euclid(self.step);
        }
        let mut index = self.index(at);
        while index >= self.cap {
            self.coarsen();
            index = self.index(at);
        }
        if index >= self.items.len() {
            self.items.resize(index + 1, None);
        }
        match self.items.get_mut(index) {
            Some(Some(bucket)) => bucket.add(value),
            Some(empty) => *empty = Some(value),
            None => {}
        }
    }

    fn index(&self, at: Timestamp) -> usize {
        usize::try_from(at.as_nanos().div_euclid(self.step) - self.first).unwrap_or(0)
    }

    fn coarsen(&mut self) {
        let coarser = STEPS.into_iter().find(|step| *step > self.step).unwrap_or(self.step * 2);
        let factor = coarser / self.step;
        self.step = coarser;
        let old = std::mem::take(&mut self.items);
        let old_first = self.first;
        self.first = old_first.div_euclid(factor);
        for (number, item) in (old_first..).zip(old) {
            let index = usize::try_from(number.div_euclid(factor) - self.first).unwrap_or(0);
            if index >= self.items.len() {
                self.items.push(None);
            }
            match (self.items.get_mut(index), item) {
                (Some(Some(bucket)), Some(value)) => bucket.add(value),
                (Some(empty), Some(value)) => *empty = Some(value),
                _ => {}
            }
        }
    }
}

/// Open, high, low and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) open: Price,
    pub(super) high: Price,
    pub(super) low: Price,
    pub(super) close: Price,
}

impl Bar {
    pub(super) const fn of(price: Price) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }
}

impl Condense for Bar {
    fn add(&mut self, later: Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
    }
}

/// The two extremes of a line, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extremes {
    low: f64,
    high: f64,
    low_first: bool,
}

impl Extremes {
    pub(super) const fn of(value: f64) -> Self {
        Self { low: value, high: value, low_first: true }
    }

    /// The extreme that came first, then the other.
    pub(super) const fn in_order(self) -> (f64, f64) {
        if self.low_first { (self.low, self.high) } else { (self.high, self.low) }
    }
}

impl Condense for Extremes {
    fn add(&mut self, later: Self) {
        let (new_low, new_high) = (later.low < self.low, later.high > self.high);
        self.low_first = match (new_low, new_high) {
            (true, true) => later.low_first,
            (true, false) => false,
            (false, true) => true,
            (false, false) => self.low_first,
        };
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(cap: usize, values: &[(i64, f64)]) -> Buckets<Extremes> {
        let mut buckets = Buckets::new(cap);
        let mut at = 1_700_000_000 * SECOND;
        for (gap, value) in values {
            at += gap * SECOND;
            buckets.add(Timestamp::from_nanos(at), Extremes::of(*value));
        }
        buckets
    }

    #[test]
    fn steps_divide_each_other() {
        assert!(STEPS.windows(2).all(|pair| pair[1] % pair[0] == 0));
    }

    #[test]
    fn the_order_of_the_extremes_is_kept() {
        let order = |values: &[f64]| {
            let mut all = Extremes::of(values[0]);
            values[1..].iter().for_each(|value| all.add(Extremes::of(*value)));
            all.in_order()
        };
        assert_eq!(order(&[2.0, 1.0, 3.0]), (1.0, 3.0));
        assert_eq!(order(&[2.0, 3.0, 1.0]), (3.0, 1.0));
        assert_eq!(order(&[1.0, 3.0, 2.0]), (1.0, 3.0));
    }

    #[test]
    fn bars_merge_like_candles() {
        let price = |text: &str| text.parse().unwrap();
        let mut bar = Bar::of(price("10"));
        for later in ["12", "9", "11"] {
            bar.add(Bar::of(price(later)));
        }
        let [open, high, low, close] = ["10", "12", "9", "11"].map(price);
        assert_eq!(bar, Bar { open, high, low, close });
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_no_extreme_is_lost(
            cap in 2_usize..40,
            values in proptest::collection::vec((0_i64..200_000, -1e6_f64..1e6), 1..400),
        ) {
            let buckets = filled(cap, &values);
            prop_assert!(buckets.items().len() <= cap);
            let kept = buckets.items().iter().flatten();
            let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
            let low = kept.clone().map(|e| e.low).fold(f64::INFINITY, f64::min);
            let high = kept.map(|e| e.high).fold(f64::NEG_INFINITY, f64::max);
            let added = values.iter().map(|value| value.1);
            prop_assert!(near(low, added.clone().fold(f64::INFINITY, f64::min)));
            prop_assert!(near(high, added.fold(f64::NEG_INFINITY, f64::max)));
        }

        #[test]
        fn a_coarse_step_holds_what_adding_at_that_step_would(
            values in proptest::collection::vec((1_i64..5_000, -1e3_f64..1e3), 1..200),
        ) {
            let buckets = filled(16, &values);
            let mut at = 1_700_000_000 * SECOND;
            let mut direct: Vec<Option<Extremes>> = vec![None; buckets.items().len()];
            for (gap, value) in &values {
                at += gap * SECOND;
                let number = at.div_euclid(buckets.step()) - buckets.first;
                let index = usize::try_from(number).unwrap();
                match &mut direct[index] {
                    Some(bucket) => bucket.add(Extremes::of(*value)),
                    empty => *empty = Some(Extremes::of(*value)),
                }
            }
            prop_assert_eq!(buckets.items(), &direct[..]);
        }
    }
}
