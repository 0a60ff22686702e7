//! Indicators of one instrument, from its aggregate trades.
//!
//! Invariant: every window sum is an exact integer, so a value never depends on how long the
//! process has run. Definitions and sources stand at each module; [`Indicators`] is the row that
//! the decision grid reads.

mod atr;
mod bars;
mod cvd;
mod flow;
mod holes;
mod quantile;
mod ring;
mod vwap;
mod window;

use std::fmt;

pub use self::bars::BAR;
pub(crate) use self::holes::Missing;
pub(crate) use self::window::Windows;
use serde::{Deserialize, Serialize};

use crate::num::{ONE, Price, Qty};
use crate::time::Timestamp;

/// A sum of signed quantities in base units, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct QtySum(pub(crate) i128);

impl QtySum {
    /// The count of 10⁻⁸ units.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The nearest float.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "named lossy; for ratios and scores only")]
    pub fn to_f64_lossy(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// −1, 0 or 1.
    #[must_use]
    pub const fn signum(self) -> i128 {
        self.0.signum()
    }
}

impl fmt::Display for QtySum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = u128::from(ONE.unsigned_abs());
        let (whole, fraction) = (self.0.unsigned_abs() / one, self.0.unsigned_abs() % one);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:08}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// One row of indicators, taken at a point of the decision grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Indicators {
    /// Grid time.
    pub time: Timestamp,
    /// Price of the last trade.
    pub last_price: Price,
    /// Σ signed quantity over the last 30 minutes, base units; positive when takers bought more.
    pub cvd_30m: QtySum,
    /// The same over 4 hours.
    pub cvd_4h: QtySum,
    /// The same since 00:00 UTC.
    pub cvd_day: QtySum,
    /// Σ quantity over the last 30 minutes, base units.
    pub volume_30m: QtySum,
    /// Σ price·quantity ÷ Σ quantity over 30 minutes; absent without a trade.
    pub vwap_30m: Option<f64>,
    /// Wilder's ATR(14) over closed 5-minute bars, price units; absent before 14 bars.
    pub atr: Option<f64>,
    /// Share (0–100) of the last 288 closed bars' ATRs at or below the present one; absent before
    /// 62 bars.
    pub atr_percentile: Option<f64>,
    /// Nearest-rank 95 % quantile of trade quantity over 24 hours; absent below 1,000 trades.
    pub qty_p95: Option<Qty>,
    /// The 99 % quantile, likewise.
    pub qty_p99: Option<Qty>,
    /// Σ signed quantity of the large trades of the last 15 minutes; absent while `qty_p99` is.
    pub large_flow_15m: Option<QtySum>,
    /// Signed quantity of the last 60 s per second.
    pub cvd_slope: f64,
    /// Change of the slope over 60 s, per second; absent before there is a row 60 s ago.
    pub cvd_accel: Option<f64>,
    /// No trade of the last 15 minutes is missing.
    pub complete_15m: bool,
    /// No trade of the last 30 minutes is missing.
    pub complete_30m: bool,
    /// No trade of the last 4 hours is missing.
    pub complete_4h: bool,
    /// Share (0–1) of the last 24 hours, or of the time since the start, outside holes.
    pub coverage_24h: f64,
    /// How many of the last 14 closed bars had a trade.
    pub traded_bars: u32,
}
