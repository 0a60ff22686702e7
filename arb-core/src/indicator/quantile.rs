//! Exact nearest-rank quantiles of trade quantity over a sliding window.
//!
//! Definition: the ⌈p·n⌉-th smallest of n values (Hyndman & Fan, *Sample Quantiles in Statistical
//! Packages*, 1996, definition 1). Invariant: the answer is a value of the window, never an
//! interpolation, whatever was added or removed before.
//!
//! Values fall into logarithmic buckets (128 to an octave), whose counts are all that a trade
//! touches. A pointer per quantile walks the buckets as ranks move. Only the bucket that holds the
//! rank needs exact values; those are kept for the few buckets read lately and collected from the
//! window when the rank enters another one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const SUB_BITS: u32 = 7;
/// Buckets with exact values kept; a rank that swings between neighbours costs nothing then.
const FINE: usize = 24;
/// Set in the count of a bucket whose exact values are kept.
const KEPT: u32 = 1 << 31;

/// Bucket of a value: exact below 256, then 128 buckets to an octave.
#[inline]
fn bucket_of(value: u64) -> usize {
    let shift = (63 - (value | 1).leading_zeros()).saturating_sub(SUB_BITS);
    let within = value >> shift;
    usize::try_from((u64::from(shift) << SUB_BITS) + within).unwrap_or(usize::MAX)
}

/// Counts up to a given rank, moved step by step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Rank {
    /// The quantile in thousandths.
    permille: u64,
    bucket: usize,
    /// Values in the buckets before `bucket`.
    below: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fine {
    bucket: usize,
    used: u64,
    values: BTreeMap<u64, u32>,
}

/// The 95 % and 99 % quantiles of a window of quantities in units of 10⁻⁸.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Quantiles {
    counts: Vec<u32>,
    len: u64,
    ranks: [Rank; 2],
    fine: Vec<Fine>,
    reads: u64,
}

impl Default for Quantiles {
    fn default() -> Self {
        let rank = |permille| Rank { permille, bucket: 0, below: 0 };
        Self {
            counts: Vec::new(),
            len: 0,
            ranks: [rank(950), rank(990)],
            fine: Vec::new(),
            reads: 0,
        }
    }
}

impl Quantiles {
    /// Values in the window.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    #[inline]
    pub(super) fn add(&mut self, value: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        let mut kept = 0;
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
            kept = *count & KEPT;
        }
        self.len += 1;
        for rank in &mut self.ranks {
            rank.below += u64::from(bucket < rank.bucket);
        }
        if kept != 0 {
            self.shift_fine(bucket, value, 1);
        }
    }

    fn shift_fine(&mut self, bucket: usize, value: u64, by: i32) {
        let Some(fine) = self.fine.iter_mut().find(|fine| fine.bucket == bucket) else { return };
        let count = fine.values.entry(value).or_insert(0);
        *count = count.saturating_add_signed(by);
        if *count == 0 {
            fine.values.remove(&value);
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, value: u64) {
        let bucket = bucket_of(value);
        let mut kept = 0;
        if let Some(count) = self.counts.get_mut(bucket) {
            *count -= 1;
            kept = *count & KEPT;
        }
        self.len -= 1;
        for rank in &mut self.ranks {
            rank.below -= u64::from(bucket < rank.bucket);
        }
        if kept != 0 {
            self.shift_fine(bucket, value, -1);
        }
    }

    fn count(&self, bucket: usize) -> Option<u64> {
        self.counts.get(bucket).map(|count| u64::from(*count & !KEPT))
    }

    /// The 95 % and the 99 % quantile; none on an empty window.
    ///
    /// `visit` shows every value of the window; it is called only when a rank enters a bucket
    /// whose exact values are not at hand.
    pub(super) fn read(&mut self, visit: impl Fn(&mut dyn FnMut(u64))) -> Option<[u64; 2]> {
        if self.len == 0 {
            return None;
        }
        self.reads += 1;
        Some([self.value(0, &visit)?, self.value(1, &visit)?])
    }

    fn value(&mut self, which: usize, visit: &impl Fn(&mut dyn FnMut(u64))) -> Option<u64> {
        let (bucket, nth) = self.seek(which)?;
        if bucket < 2 << SUB_BITS {
            return u64::try_from(bucket).ok();
        }
        let values = &self.fine_of(bucket, visit)?.values;
        let mut seen = 0;
        for (value, count) in values {
            seen += u64::from(*count);
            if seen >= nth {
                return Some(*value);
            }
        }
        None
    }

    /// The bucket that holds the rank, and the rank inside it, from 1.
    fn seek(&mut self, which: usize) -> Option<(usize, u64)> {
        let mut rank = *self.ranks.get(which)?;
        let target = (rank.permille * self.len).div_ceil(1_000);
        while rank.below >= target {
            rank.bucket = rank.bucket.checked_sub(1)?;
            rank.below -= self.count(rank.bucket)?;
        }
        loop {
            let here = self.count(rank.bucket)?;
            if rank.below + here >= target {
                break;
            }
            rank.below += here;
            rank.bucket += 1;
        }
        *self.ranks.get_mut(which)? = rank;
        Some((rank.bucket, target - rank.below))
    }

    fn fine_of(&mut self, bucket: usize, visit: &impl Fn(&mut dyn FnMut(u64))) -> Option<&Fine> {
        if let Some(at) = self.fine.iter().position(|fine| fine.bucket == bucket) {
            let fine = self.fine.get_mut(at)?;
            fine.used = self.reads;
            return Some(fine);
        }
        let mut values = BTreeMap::new();
        visit(&mut |value| {
            if bucket_of(value) == bucket {
                *values.entry(value).or_insert(0) += 1;
            }
        });
        if self.fine.len() == FINE {
            let oldest = (0..FINE).min_by_key(|at| self.fine.get(*at).map(|fine| fine.used))?;
            let Fine { bucket, .. } = self.fine.swap_remove(oldest);
            *self.counts.get_mut(bucket)? &= !KEPT;
        }
        *self.counts.get_mut(bucket)? |= KEPT;
        self.fine.push(Fine { bucket, used: self.reads, values });
        self.fine.last()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(window: &[u64], permille: usize) -> u64 {
        let mut sorted = window.to_vec();
        sorted.sort_unstable();
        sorted[(permille * sorted.len()).div_ceil(1_000) - 1]
    }

    proptest! {
        #[test]
        fn equals_a_full_sort_for_any_sequence(
            values in proptest::collection::vec((0..50_000_000_u64, 0..20_u32), 1..600),
            window in 1..200_usize,
            every in 1..40_usize,
        ) {
            let values: Vec<u64> = values.iter().map(|(v, shift)| v >> shift).collect();
            let mut quantiles = Quantiles::default();
            for (i, value) in values.iter().enumerate() {
                quantiles.add(*value);
                if i >= window {
                    quantiles.remove(values[i - window]);
                }
                if i % every == 0 {
                    let held = &values[(i + 1).saturating_sub(window)..=i];
                    let read = quantiles.read(|each| held.iter().for_each(|v| each(*v)));
                    prop_assert_eq!(read, Some([naive(held, 950), naive(held, 990)]));
                }
            }
        }
    }

    #[test]
    fn is_absent_on_an_empty_window() {
        assert_eq!(Quantiles::default().read(|_| ()), None);
    }
}
