//! Funding: the running estimate and what was settled.
//!
//! Invariant: the settled rate is the estimate at the moment of settlement. The rule is the
//! venue's: `rate = premium + clamp(interest − premium, ±0.05 %)`, where the premium is the mean
//! over the interval with weights that rise with time and the interest is 0.01 % in eight hours;
//! the result stays inside cap and floor.

use super::asset::AssetCursor;
use super::line::Line;
use super::noise::{ONE, bits, mix};

const HOUR: i64 = 3_600_000;
/// How often the premium is sampled, milliseconds.
const SAMPLE: i64 = 300_000;
/// 10⁻⁸ in 0.01 %.
const INTEREST: i64 = 10_000;
const DAMPING: i64 = 50_000;

/// A rate that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// The time the venue tells, milliseconds.
    pub(crate) told_at: i64,
    /// 10⁻⁸.
    pub(crate) rate: i64,
    pub(crate) mark: i64,
}

impl Line {
    /// When the next settlement after a time is.
    pub(crate) const fn next_settlement(&self, at: i64) -> i64 {
        let interval = self.funding_hours * HOUR;
        (at.div_euclid(interval) + 1) * interval
    }

    /// The rate expected for the coming settlement, 10⁻⁸.
    pub(crate) fn funding_estimate(&self, at: i64) -> i64 {
        let from = self.next_settlement(at) - self.funding_hours * HOUR;
        self.rate(from, at)
    }

    /// The sample on which the running rate rests until the next one; none before the first of an
    /// interval, when the rate follows the premium itself.
    pub(crate) const fn funding_sample(&self, at: i64) -> Option<i64> {
        if at.rem_euclid(self.funding_hours * HOUR) < SAMPLE {
            return None;
        }
        Some(at.div_euclid(SAMPLE))
    }

    /// The settlement at a boundary.
    pub(crate) fn settlement(&self, at: i64) -> Settlement {
        let rate = self.rate(at - self.funding_hours * HOUR, at);
        let (_, mark) = self.index_and_mark(at);
        Settlement { told_at: self.told_settlement_at(at), rate, mark }
    }

    /// The time the venue tells for a settlement: some milliseconds late.
    pub(crate) const fn told_settlement_at(&self, at: i64) -> i64 {
        at + bits(mix(self.key ^ 6, at), 0, 8) % 15
    }

    /// Highest and lowest rate of a settlement, 10⁻⁸: the cap and its negative.
    pub(crate) const fn funding_cap(&self) -> i64 {
        if self.funding_hours == 8 { 2_000_000 } else { 1_000_000 }
    }

    fn rate(&self, from: i64, to: i64) -> i64 {
        let samples = (to - from) / SAMPLE;
        let (mut sum, mut weights) = (0_i128, 0_i128);
        for number in 1..=samples {
            let second = (from + number * SAMPLE) / 1_000;
            sum += i128::from(self.asset.premium(second)) * i128::from(number);
            weights += i128::from(number);
        }
        let mean = if weights == 0 {
            i128::from(self.asset.premium(to.div_euclid(1_000)))
        } else {
            sum / weights
        };
        let premium = i64::try_from((mean * 100_000_000) / i128::from(ONE)).unwrap_or_default();
        let interest = INTEREST * self.funding_hours / 8;
        let rate = premium + (interest - premium).clamp(-DAMPING, DAMPING);
        rate.clamp(-self.funding_cap(), self.funding_cap())
    }

    /// Index and mark price at a time.
    pub(crate) fn index_and_mark(&self, at: i64) -> (i64, i64) {
        self.index_and_mark_near(&mut AssetCursor::default(), at)
    }

    /// The same near the last time asked with this cursor.
    pub(crate) fn index_and_mark_near(&self, cursor: &mut AssetCursor, at: i64) -> (i64, i64) {
        self.asset.index_and_mark(cursor, at.div_euclid(1_000))
    }

    /// The premium index at a time, 10⁻⁸.
    pub(crate) fn premium_index(&self, at: i64) -> i64 {
        let premium = i128::from(self.asset.premium(at.div_euclid(1_000)));
        i64::try_from(premium * 100_000_000 / i128::from(ONE)).unwrap_or_default()
    }
}
