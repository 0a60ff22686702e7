//! Average true range after Wilder (*New Concepts in Technical Trading Systems*, 1978), length 14.
//!
//! TR = max(high − low, |high − previous close|, |low − previous close|); of a bar without a bar
//! before it, high − low. The seed is the simple mean of the first 14 TRs, then
//! ATR ← (13 × ATR + TR) ÷ 14. Invariant: the state after a bar is a value, so a back-fill resumes
//! from the state before the first touched bar.

use serde::{Deserialize, Serialize};

const LENGTH: u32 = 14;
const LENGTH_F: f64 = 14.0;

/// High, low and close of a bar in price units of 10⁻⁸.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
}

/// ATR after some closed bars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Atr {
    bars: u32,
    /// Sum of the first true ranges, until there are 14.
    seed: f64,
    value: f64,
    previous_close: Option<i64>,
}

impl Atr {
    /// Before any bar.
    pub(super) const EMPTY: Self = Self { bars: 0, seed: 0.0, value: 0.0, previous_close: None };

    /// The state after one more bar.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a range below 2⁵³ units is exact")]
    pub(super) fn after(self, bar: Range) -> Self {
        let span = bar.high - bar.low;
        let range = self
            .previous_close
            .map_or(span, |close| span.max((bar.high - close).abs()).max((bar.low - close).abs()))
            as f64;
        let bars = self.bars.saturating_add(1);
        let seed = if bars <= LENGTH { self.seed + range } else { self.seed };
        let value = match bars.cmp(&LENGTH) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => seed / LENGTH_F,
            std::cmp::Ordering::Greater => (self.value * (LENGTH_F - 1.0) + range) / LENGTH_F,
        };
        Self { bars, seed, value, previous_close: Some(bar.close) }
    }

    /// The state after an interval that is no bar: the next true range is high − low.
    #[must_use]
    pub(super) const fn interrupted(self) -> Self {
        Self { previous_close: None, ..self }
    }

    /// Closed bars so far.
    pub(super) const fn bars(&self) -> u32 {
        self.bars
    }

    /// The ATR in units of 10⁻⁸; none before 14 bars.
    pub(super) fn value(&self) -> Option<f64> {
        (self.bars >= LENGTH).then_some(self.value)
    }
}

#[cfg(test)]
mod tests;
