//! The figures of a set of carry pairs.

use serde::Serialize;

use crate::num::Money;
use crate::output::CarryNote;
use crate::time::{DAY, Timestamp};

const DAYS_PER_YEAR: f64 = 365.0;

/// What a set of carry pairs earned, and on what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CarrySummary {
    /// Pairs, open ones with them.
    pub pairs: usize,
    /// Funding received minus funding paid, quote currency.
    pub funding_earned: Money,
    /// Fees paid, those in coins at their price.
    pub fees: Money,
    /// What the prices of both legs gave: the change of the basis, spread and slippage.
    pub basis_pnl: Money,
    /// Funding earned minus fees plus basis.
    pub net_pnl: Money,
    /// Net profit per year of the capital while it was in use: spot notional and the margin set
    /// aside; a fraction, simple.
    pub realised_apr: Option<f64>,
    /// The funding alone, on the same terms.
    pub funding_apr: Option<f64>,
    /// Share (0–1) of the period with at least one pair open.
    pub time_in_market: Option<f64>,
}

impl CarrySummary {
    /// Sums up `pairs` over a period; `leverage` is what the margin of the short was set aside for.
    #[must_use]
    pub fn new<'a>(
        pairs: impl Iterator<Item = &'a CarryNote>,
        (from, to): (Timestamp, Timestamp),
        leverage: f64,
    ) -> Self {
        let mut summary = Self {
            pairs: 0,
            funding_earned: Money::ZERO,
            fees: Money::ZERO,
            basis_pnl: Money::ZERO,
            net_pnl: Money::ZERO,
            realised_apr: None,
            funding_apr: None,
            time_in_market: None,
        };
        let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
        let mut capital_years = 0.0;
        for pair in pairs {
            let end = pair.closed_at.unwrap_or(to);
            summary.pairs += 1;
            summary.funding_earned -= pair.funding;
            summary.fees += pair.fees;
            summary.basis_pnl += pair.basis_pnl();
            summary.net_pnl += pair.pnl;
            let capital = pair.notional.to_f64_lossy() * (1.0 + 1.0 / leverage);
            capital_years += capital * years(pair.opened_at, end);
            spans.push((pair.opened_at, end));
        }
        let per_year =
            |amount: Money| (capital_years > 0.0).then(|| amount.to_f64_lossy() / capital_years);
        summary.realised_apr = per_year(summary.net_pnl);
        summary.funding_apr = per_year(summary.funding_earned);
        let length = years(from, to);
        summary.time_in_market = (length > 0.0).then(|| covered(spans) / length);
        summary
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of time, for a ratio")]
fn years(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from) as f64 / DAY as f64 / DAYS_PER_YEAR
}

/// Years covered by the union of the spans.
fn covered(mut spans: Vec<(Timestamp, Timestamp)>) -> f64 {
    spans.sort_unstable();
    let mut sum = 0.0;
    let mut reached = Timestamp::from_nanos(i64::MIN);
    for (from, to) in spans {
        let from = from.max(reached);
        if to > from {
            sum += years(from, to);
            reached = to;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentId;
    use crate::num::Qty;
    use crate::output::CarryStatus;

    fn pair(from_day: i64, to_day: i64, pnl: &str) -> CarryNote {
        let day = |days: i64| Timestamp::from_nanos(days * DAY);
        CarryNote {
            id: 1,
            strategy: "carry".to_owned(),
            perp: InstrumentId(0),
            spot: InstrumentId(1),
            status: CarryStatus::Closed,
            reason: None,
            opened_at: day(from_day),
            closed_at: Some(day(to_day)),
            perp_qty: Qty::ZERO,
            spot_qty: Qty::ZERO,
            perp_entry_price: None,
            spot_entry_price: None,
            entry_basis_bps: None,
            notional: "1000".parse().unwrap(),
            fees: "3".parse().unwrap(),
            funding: "-18".parse().unwrap(),
            pnl: pnl.parse().unwrap(),
        }
    }

    #[test]
    fn apr_is_net_profit_over_capital_in_use_and_time() {
        // 15 on 1,500 for a tenth of a year is 10 % a year; 18 of funding is 12 %.
        let pairs = [pair(0, 36, "15"), pair(100, 137, "15")];
        let period = (Timestamp::EPOCH, Timestamp::from_nanos(365 * DAY));
        let summary = CarrySummary::new(pairs.iter(), period, 2.0);
        assert!((summary.realised_apr.unwrap() - 30.0 / (1_500.0 * 73.0 / 365.0)).abs() < 1e-12);
        assert!((summary.funding_apr.unwrap() - 36.0 / (1_500.0 * 73.0 / 365.0)).abs() < 1e-12);
        assert!((summary.time_in_market.unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(summary.basis_pnl, "0".parse().unwrap());
        assert_eq!(summary.funding_earned, "36".parse().unwrap());
    }

    #[test]
    fn pairs_at_the_same_time_count_once_for_time_in_market() {
        let pairs = [pair(0, 50, "1"), pair(25, 75, "1"), pair(30, 40, "1")];
        let period = (Timestamp::EPOCH, Timestamp::from_nanos(100 * DAY));
        let summary = CarrySummary::new(pairs.iter(), period, 2.0);
        assert!((summary.time_in_market.unwrap() - 0.75).abs() < 1e-12);
    }

    #[test]
    fn without_pairs_there_is_no_apr() {
        let period = (Timestamp::EPOCH, Timestamp::from_nanos(DAY));
        let summary = CarrySummary::new([].iter(), period, 2.0);
        assert_eq!((summary.realised_apr, summary.time_in_market), (None, Some(0.0)));
    }
}
