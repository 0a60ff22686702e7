//! The figures of one variant over one span, or over several.
//!
//! Invariant: figures of spans add up, because each span starts with the same fresh balance and
//! its returns are shares of that balance, never compounded.

use arb_core::Money;
use arb_core::stats::Moments;
use serde::{Deserialize, Serialize};

/// What a variant did in a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Closed trades.
    pub trades: u64,
    /// Closed trades with a net gain.
    pub wins: u64,
    /// Trades still open where the recording ended; they count nowhere else.
    pub open: u64,
    /// Times a risk rule halted or paused the account.
    pub halts: u64,
    /// Σ net gains, quote currency.
    pub gains: Money,
    /// Σ |net losses|, quote currency.
    pub losses: Money,
    /// Fees paid, quote currency.
    pub fees: Money,
    /// Funding paid (positive) or received, quote currency.
    pub funding: Money,
    /// Σ R.
    #[serde(with = "exact")]
    pub total_r: f64,
    /// Deepest fall of equity inside a span, a fraction of its peak.
    #[serde(with = "exact")]
    pub max_drawdown_ratio: f64,
    /// Net results by hour of exit, as fractions of the balance at the start.
    #[serde(with = "exact_moments")]
    pub hourly: Moments,
}

impl Figures {
    /// Adds the figures of another span.
    pub fn merge(&mut self, other: &Self) {
        self.trades += other.trades;
        self.wins += other.wins;
        self.open += other.open;
        self.halts += other.halts;
        self.gains += other.gains;
        self.losses += other.losses;
        self.fees += other.fees;
        self.funding += other.funding;
        self.total_r += other.total_r;
        self.max_drawdown_ratio = self.max_drawdown_ratio.max(other.max_drawdown_ratio);
        self.hourly.merge(&other.hourly);
    }

    /// Net result, quote currency.
    #[must_use]
    pub fn net(&self) -> Money {
        self.gains - self.losses
    }
}

/// What variants are ranked by; more is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Σ R.
    #[default]
    TotalR,
    /// Mean R of a trade.
    MeanR,
    /// Net result.
    Net,
    /// Mean ÷ deviation of the hourly returns.
    Sharpe,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TotalR, Self::MeanR, Self::Net, Self::Sharpe];

    /// The name in flags and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TotalR => "total_r",
            Self::MeanR => "mean_r",
            Self::Net => "net",
            Self::Sharpe => "sharpe",
        }
    }

    /// The value; absent where there is nothing to measure.
    #[must_use]
    pub fn of(self, figures: &Figures) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a count of trades")]
        let trades = figures.trades as f64;
        let traded = figures.trades > 0;
        match self {
            Self::TotalR => traded.then_some(figures.total_r),
            Self::MeanR => traded.then(|| figures.total_r / trades),
            Self::Net => traded.then(|| figures.net().to_f64_lossy()),
            Self::Sharpe => figures.hourly.sharpe(),
        }
    }
}

impl std::str::FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let known = Self::ALL.into_iter().find(|metric| metric.as_str() == text);
        known.ok_or_else(|| format!("{text:?} is no metric; {names} are"))
    }
}

/// A float as text that reads back to the same bits, which a JSON number need not.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{value:?}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|_| de::Error::custom(format!("{text:?} is no number")))
    }
}

mod exact_moments {
    use arb_core::stats::Moments;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Clone, Copy, Serialize, Deserialize)]
    struct Exact(#[serde(with = "super::exact")] f64);

    pub(super) fn serialize<S: Serializer>(value: &Moments, s: S) -> Result<S::Ok, S::Error> {
        (value.count, value.sums.map(Exact)).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Moments, D::Error> {
        let (count, sums) = <(u64, [Exact; 4])>::deserialize(d)?;
        Ok(Moments { count, sums: sums.map(|Exact(sum)| sum) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn figures_survive_their_text_bit_for_bit(
            floats in proptest::array::uniform6(any::<f64>().prop_filter("finite", |x| x.is_finite())),
            cents in 0..1_000_000_000_u32,
        ) {
            let [total_r, max_drawdown_ratio, a, b, c, d] = floats;
            let figures = Figures {
                trades: 7,
                gains: format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap(),
                total_r,
                max_drawdown_ratio,
                hourly: Moments { count: 3, sums: [a, b, c, d] },
                ..Figures::default()
            };
            let text = serde_json::to_string(&figures).unwrap();
            let back: Figures = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back, figures);
            prop_assert_eq!(serde_json::to_string(&back).unwrap(), text);
        }
    }
}
