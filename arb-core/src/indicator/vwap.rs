//! Volume-weighted average price: Σ price·quantity ÷ Σ quantity over 30 minutes; the CVD of the
//! same window falls out of the same pass.
//!
//! Invariant: both sums are exact integers; only the final division is a float. Prices are held
//! for this window alone.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::QtySum;
use super::ring::{Cursor, Ring, Run};
use crate::num::ONE;

/// Prices, Σ price·quantity and Σ quantity of the last 30 minutes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Vwap {
    /// Prices of the trades from the window's start to the end of the ring, absorbed or not.
    pub(super) prices: VecDeque<i64>,
    tail: Cursor,
    /// How many of `prices` are in the sums; the rest belongs to trades still to come.
    absorbed: usize,
    value: i128,
    volume: i128,
    /// Σ signed quantity of everything that left the window.
    gone: i128,
    /// A sum left the range of 128 bits.
    pub(super) overflowed: bool,
}

impl Vwap {
    /// Takes neighbouring trades into the sums; their prices are already in `prices`.
    ///
    /// Shows each trade with its price and price·quantity on the way.
    #[inline]
    pub(super) fn add_run(&mut self, run: &Run<'_>, mut each: impl FnMut(i64, u64, i64, i128)) {
        let (mut value, mut volume, mut overflowed) = (self.value, self.volume, false);
        let end = self.prices.len().min(self.absorbed + run.qty.len());
        let prices = self.prices.range(self.absorbed..end);
        for ((ts_us, qty), price) in run.trades().zip(prices) {
            let size = qty.abs();
            let product = i128::from(*price) * i128::from(size);
            volume += i128::from(size);
            let (sum, wrapped) = value.overflowing_add(product);
            value = sum;
            overflowed |= wrapped;
            each(ts_us, size.unsigned_abs(), *price, product);
        }
        self.absorbed = end;
        (self.value, self.volume) = (value, volume);
        self.overflowed |= overflowed;
    }

    /// Drops the trades earlier than `before_us`.
    pub(super) fn expire(&mut self, ring: &Ring, before_us: i64) {
        let (mut value, mut volume, mut gone) = (0_i128, 0_i128, 0_i128);
        let held = self.prices.len();
        let prices = &mut self.prices;
        ring.pass(&mut self.tail, before_us, |run| {
            let count = run.qty.len().min(prices.len());
            for (qty, price) in run.qty.iter().zip(prices.drain(..count)) {
                value = value.wrapping_add(i128::from(price) * i128::from(qty.abs()));
                volume += i128::from(qty.abs());
                gone += i128::from(*qty);
            }
        });
        self.absorbed = self.absorbed.saturating_sub(held - self.prices.len());
        self.volume -= volume;
        self.value = self.value.wrapping_sub(value);
        self.gone += gone;
    }

    /// Σ signed quantity of the window, given the total of everything that ever came in.
    pub(super) const fn cvd(&self, total: i128) -> QtySum {
        QtySum(total - self.gone)
    }

    pub(super) const fn volume(&self) -> QtySum {
        QtySum(self.volume)
    }

    /// The average; none without a trade.
    #[expect(clippy::cast_precision_loss, reason = "an average price is a float by definition")]
    pub(super) fn read(&self) -> Option<f64> {
        (self.volume > 0).then(|| self.value as f64 / self.volume as f64 / ONE as f64)
    }
}
