//! Past funding, and what it pays.

use std::collections::BTreeMap;

use arb_core::stats::{FundingStats, Opportunity, covers_year, utc_year};
use arb_core::time::DAY;
use arb_core::{Decimal, FundingSettled, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{BPS_DECIMALS, Num, RATE_DECIMALS};

/// Settled funding of the last 7 days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CoinStats {
    /// Mean settled rate, a fraction per interval.
    pub mean7d: Option<Num>,
    /// The same for a year, by the hours it was paid for; simple.
    pub annualized: Option<Num>,
    /// Settlements.
    pub count: usize,
    /// Share of the settlements with a rate above zero.
    pub positive_share: Option<Num>,
    /// The last settled rate.
    pub last: Option<Num>,
}

/// Means over the coins that have figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ComboStats {
    /// Mean of the coins' means.
    pub mean7d: Option<Num>,
    /// Mean of the coins' yearly rates.
    pub annualized: Option<Num>,
}

/// Settled funding by coin, and of all coins in equal parts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FundingStatsBody {
    /// All coins in equal parts.
    pub combo: ComboStats,
    /// By coin.
    #[serde(flatten)]
    pub coins: BTreeMap<String, CoinStats>,
}

/// Settled funding of this UTC calendar year; figures are null until all of it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct YearStats {
    /// For a year, by the hours it was paid for; simple.
    pub annualized: Option<Num>,
    /// Mean settled rate, a fraction per interval.
    pub mean: Option<Num>,
    /// Sum of the settled rates.
    pub total: Option<Num>,
    /// Settlements.
    pub count: u64,
    /// Deepest fall of 1 + the sum so far below its peak, a fraction of the peak.
    pub max_drawdown: Option<Num>,
}

/// A settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Settlement {
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Settled rate, a fraction per interval.
    pub funding_rate: Num,
    /// Mark price of the settlement.
    pub mark_price: Option<Num>,
}

impl From<&FundingSettled> for Settlement {
    fn from(settled: &FundingSettled) -> Self {
        Self {
            time_ms: settled.funding_time.as_millis(),
            funding_rate: settled.rate.into(),
            mark_price: settled.mark_price.map(Num::from),
        }
    }
}

/// What a perpetual's funding pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpportunityBody {
    /// The perpetual.
    pub symbol: String,
    /// Running estimate of the coming rate, a fraction per interval.
    pub funding_rate: Option<Num>,
    /// Hours between settlements.
    pub interval_hours: Option<u8>,
    /// The estimate for a year, simple.
    pub annualized: Option<Num>,
    /// What is expected of 7 days after costs, per capital, for a year, simple.
    pub net_annualized: Option<Num>,
    /// Mark over index, basis points.
    pub basis_bps: Option<Num>,
    /// Bid of the perpetual over ask of the coin, basis points; null without both quotes.
    pub tradable_basis_bps: Option<Num>,
    /// Hours of the estimate that pay for going in and out; null where it does not pay.
    pub break_even_hours: Option<Num>,
    /// What going in and out of both legs costs, basis points.
    pub cost_bps: Num,
}

/// An opportunity with the costs it was computed with, a fraction of notional.
pub(crate) fn opportunity(found: &Opportunity, costs: Decimal) -> OpportunityBody {
    let bps =
        |ratio: Decimal| Num::round(ratio.saturating_mul(Decimal::from(10_000)), BPS_DECIMALS);
    let yearly = |rate: Option<Decimal>| rate.map(|rate| Num::round(rate, RATE_DECIMALS));
    OpportunityBody {
        symbol: found.symbol.clone(),
        funding_rate: found.funding_rate.map(Num::from),
        interval_hours: found.interval_hours,
        annualized: yearly(found.annualised),
        net_annualized: yearly(found.net_annualised),
        basis_bps: found.index_basis.map(bps),
        tradable_basis_bps: found.tradable_basis.map(bps),
        break_even_hours: found.break_even_hours.map(|hours| Num::round(hours, 2)),
        cost_bps: bps(costs),
    }
}

/// The settlements of the 7 days up to `now`; earlier ones only tell intervals.
pub(crate) fn coin_stats(settled: &[FundingSettled], now: Timestamp) -> CoinStats {
    let stats = stats_of(settled, now);
    let Some(week) = stats.seven_days(now).filter(|week| week.settlements > 0) else {
        return CoinStats::default();
    };
    let in_week =
        |each: &&FundingSettled| now.plus(-7 * DAY) < each.funding_time && each.funding_time <= now;
    let count = settled.iter().filter(in_week).count();
    let positive = settled.iter().filter(in_week).filter(|each| each.rate > Decimal::ZERO).count();
    let share = Decimal::from(positive).checked_div(Decimal::from(count));
    let rounded = |value: Option<Decimal>| value.map(|value| Num::round(value, RATE_DECIMALS));
    CoinStats {
        mean7d: rounded(week.mean()),
        annualized: rounded(week.annualised()),
        count,
        positive_share: rounded(share),
        last: stats.last().map(|last| last.rate.into()),
    }
}

/// The coins in equal parts.
pub(crate) fn combo(coins: &BTreeMap<String, CoinStats>) -> ComboStats {
    let mean = |of: fn(&CoinStats) -> Option<Num>| {
        let values: Vec<Decimal> = coins.values().filter_map(of).map(|num| num.0).collect();
        let sum: Decimal = values.iter().sum();
        let mean = sum.checked_div(Decimal::from(values.len()))?;
        Some(Num::round(mean, RATE_DECIMALS))
    };
    ComboStats { mean7d: mean(|coin| coin.mean7d), annualized: mean(|coin| coin.annualized) }
}

/// The settlements of the calendar year of `now`, of an instrument that is listed since.
pub(crate) fn year_stats(
    settled: &[FundingSettled],
    listed_at: Option<Timestamp>,
    now: Timestamp,
) -> YearStats {
    let Some(year) = stats_of(settled, now).year_to_date(now).filter(|year| year.settlements > 0)
    else {
        return YearStats::default();
    };
    let times: Vec<Timestamp> = settled.iter().map(|each| each.funding_time).collect();
    if !covers_year(&times, listed_at, now) {
        return YearStats { count: year.settlements, ..YearStats::default() };
    }
    let this_year = |each: &&FundingSettled| utc_year(each.funding_time) == utc_year(now);
    let rounded = |value: Option<Decimal>| value.map(|value| Num::round(value, RATE_DECIMALS));
    YearStats {
        annualized: rounded(year.annualised()),
        mean: rounded(year.mean()),
        total: Some(year.sum.into()),
        count: year.settlements,
        max_drawdown: rounded(Some(drawdown(settled.iter().filter(this_year)))),
    }
}

fn drawdown<'a>(settled: impl Iterator<Item = &'a FundingSettled>) -> Decimal {
    let (mut value, mut peak, mut deepest) = (Decimal::ONE, Decimal::ONE, Decimal::ZERO);
    for each in settled {
        value = value.saturating_add(each.rate);
        peak = peak.max(value);
        deepest = deepest.max((peak - value).checked_div(peak).unwrap_or_default());
    }
    deepest
}

fn stats_of(settled: &[FundingSettled], now: Timestamp) -> FundingStats {
    let mut stats = FundingStats::default();
    for each in settled.iter().filter(|each| each.funding_time <= now) {
        // Settlements of one store ascend; one that did not would be left out of the means.
        let _ = stats.add(each.funding_time, each.rate);
    }
    stats
}

#[cfg(test)]
mod tests {
    use arb_core::InstrumentId;
    use arb_core::time::HOUR;

    use super::*;

    fn settled(rates: &[&str]) -> Vec<FundingSettled> {
        let times = (1..).map(|n: i64| Timestamp::from_nanos(n * 8 * HOUR));
        let each = times.zip(rates).map(|(funding_time, rate)| FundingSettled {
            instrument: InstrumentId(0),
            funding_time,
            rate: rate.parse().unwrap(),
            mark_price: None,
        });
        each.collect()
    }

    fn num(text: &str) -> Option<Num> {
        Some(Num(text.parse().unwrap()))
    }

    #[test]
    fn statistics_of_no_settlement_are_null() {
        assert_eq!(coin_stats(&[], Timestamp::EPOCH), CoinStats::default());
        assert_eq!(year_stats(&[], None, Timestamp::EPOCH), YearStats::default());
        assert_eq!(combo(&BTreeMap::new()), ComboStats::default());
    }

    #[test]
    fn the_week_is_a_window_and_the_year_is_a_calendar_year() {
        let past = settled(&["0.0003", "-0.0001", "0.0001", "0.0001"]);
        let now = Timestamp::from_nanos(4 * 8 * HOUR);
        let week = coin_stats(&past, now);
        assert_eq!((week.count, week.mean7d, week.last), (4, num("0.0001"), num("0.0001")));
        assert_eq!((week.annualized, week.positive_share), (num("0.1095"), num("0.75")));
        let year = year_stats(&past, None, now);
        assert_eq!((year.count, year.total, year.mean), (4, num("0.0004"), num("0.0001")));
        assert_eq!(year.max_drawdown, num("0.00009997"));
        let partial = year_stats(&past, None, now.plus(30 * DAY));
        assert_eq!((partial.count, partial.total, partial.annualized), (4, None, None));
        let later = coin_stats(&past, now.plus(30 * DAY));
        assert_eq!(later, CoinStats::default());
    }

    #[test]
    fn coins_without_figures_do_not_pull_the_combination_down() {
        let with = coin_stats(&settled(&["0.0001", "0.0001"]), Timestamp::from_nanos(16 * HOUR));
        let coins =
            BTreeMap::from([("BTC".to_owned(), with), ("ETH".to_owned(), CoinStats::default())]);
        assert_eq!(combo(&coins).mean7d, num("0.0001"));
    }
}
