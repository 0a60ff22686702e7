//! What a perpetual's funding pays, and when it would have paid for going in.
//!
//! Invariant: a function of one snapshot and of settled rates, so that every host shows the same.
//! A figure whose data is missing is absent, never zero.

use rust_decimal::Decimal;
use serde::Serialize;

use super::{FundingStats, covers_year};
use crate::event::FundingSettled;
use crate::instrument::{Instrument, InstrumentId};
use crate::num::Price;
use crate::port::RateSnapshot;
use crate::time::{DAY, HOUR, Timestamp};

/// Days over which going in and out is spread.
const HORIZON_DAYS: i64 = 7;
const HOURS_PER_YEAR: i64 = 365 * DAY / HOUR;

/// What going in takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarryTerms {
    /// Going in and out of both legs, a fraction of notional.
    pub costs: Decimal,
    /// Capital per notional: 1 for the coins, and the margin set aside for the short.
    pub capital: Decimal,
}

/// What a perpetual's funding pays. Rates are fractions: 0.0001 is one basis point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opportunity {
    /// Which instrument.
    #[serde(skip)]
    pub instrument: InstrumentId,
    /// Its symbol.
    pub symbol: String,
    /// When the present figures were taken.
    pub at: Timestamp,
    /// Mark price.
    pub mark_price: Price,
    /// Index price.
    pub index_price: Option<Price>,
    /// Mark over index, less one. What can be traded differs by spreads and by the coin's own pair.
    pub index_basis: Option<Decimal>,
    /// Bid of the perpetual over what its coins cost on the spot market, less one.
    pub tradable_basis: Option<Decimal>,
    /// Running estimate of the coming rate, per interval.
    pub funding_rate: Option<Decimal>,
    /// Hours between settlements.
    pub interval_hours: Option<u8>,
    /// Time of the coming settlement.
    pub next_funding_at: Option<Timestamp>,
    /// The estimate for a year, simple: rate × 365 days ÷ interval.
    pub annualised: Option<Decimal>,
    /// Settled rates of the last 7 days, for a year.
    pub seven_days: Option<Decimal>,
    /// Settled rates of this UTC calendar year, for a year; none until all of them are known.
    pub year_to_date: Option<Decimal>,
    /// What is expected of 7 days less the costs, per capital, for a year: the coming settlement
    /// pays the estimate, later ones the least of it and of the settled means of 3 and 7 days.
    pub net_annualised: Option<Decimal>,
    /// Hours of the estimate that pay for going in and out; none where it does not pay.
    pub break_even_hours: Option<Decimal>,
}

impl Opportunity {
    /// From the present rates and the settled ones, ascending; what was settled later than the
    /// snapshot is left out.
    #[must_use]
    pub fn new(
        instrument: &Instrument,
        row: &RateSnapshot,
        settled: &[FundingSettled],
        terms: CarryTerms,
    ) -> Self {
        let stats = stats(row, settled, Timestamp::from_nanos(i64::MIN));
        let hours = row.funding_interval_hours.filter(|hours| *hours > 0).map(Decimal::from);
        let hourly = row.funding_rate.zip(hours).and_then(|(rate, hours)| rate.checked_div(hours));
        let times: Vec<Timestamp> = settled.iter().map(|each| each.funding_time).collect();
        let index = row.index_price.map(Price::to_decimal);
        let ratio = index.and_then(|index| row.mark_price.to_decimal().checked_div(index));
        Self {
            instrument: row.instrument,
            symbol: instrument.symbol.clone(),
            at: row.at,
            mark_price: row.mark_price,
            index_price: row.index_price,
            index_basis: ratio.map(|ratio| ratio - Decimal::ONE),
            tradable_basis: row.tradable_basis,
            funding_rate: row.funding_rate,
            interval_hours: row.funding_interval_hours,
            next_funding_at: row.next_funding_at,
            annualised: hourly.and_then(|rate| rate.checked_mul(Decimal::from(HOURS_PER_YEAR))),
            seven_days: stats.seven_days(row.at).and_then(|totals| totals.annualised()),
            year_to_date: stats
                .year_to_date(row.at)
                .filter(|_| covers_year(&times, instrument.listed_at, row.at))
                .and_then(|totals| totals.annualised()),
            net_annualised: hourly.zip(hours).and_then(|(hourly, hours)| {
                let mean = |days| hourly_mean(row, settled, days);
                let later = hourly.min(mean(3)?).min(mean(HORIZON_DAYS)?);
                net_annualised((hourly, later), hours, terms)
            }),
            break_even_hours: hourly
                .filter(|hourly| *hourly > Decimal::ZERO)
                .and_then(|hourly| terms.costs.checked_div(hourly)),
        }
    }
}

fn stats(row: &RateSnapshot, settled: &[FundingSettled], after: Timestamp) -> FundingStats {
    let mut stats = FundingStats::default();
    for each in settled.iter().filter(|each| after < each.funding_time) {
        if each.funding_time <= row.at {
            // Settlements of one store ascend; one that did not would be left out of the means.
            let _ = stats.add(each.funding_time, each.rate);
        }
    }
    stats
}

/// Mean settled rate per hour of the last days; none while no interval is known in them.
fn hourly_mean(row: &RateSnapshot, settled: &[FundingSettled], days: i64) -> Option<Decimal> {
    let totals = stats(row, settled, row.at.plus(-days * DAY));
    totals.total().annualised()?.checked_div(Decimal::from(HOURS_PER_YEAR))
}

fn net_annualised(
    (next, later): (Decimal, Decimal),
    interval_hours: Decimal,
    terms: CarryTerms,
) -> Option<Decimal> {
    let horizon = Decimal::from(HORIZON_DAYS * DAY / HOUR);
    let rest = horizon.checked_sub(interval_hours)?;
    let expected = next.checked_mul(interval_hours)?.checked_add(later.checked_mul(rest)?)?;
    let net = expected.checked_sub(terms.costs)?.checked_div(terms.capital)?;
    net.checked_mul(Decimal::from(365))?.checked_div(Decimal::from(HORIZON_DAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: CarryTerms =
        CarryTerms { costs: Decimal::from_parts(3, 0, 0, false, 3), capital: Decimal::TWO };

    fn btc() -> Instrument {
        Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap())
    }

    fn row(rate: &str, at_hours: i64) -> RateSnapshot {
        RateSnapshot {
            instrument: InstrumentId(0),
            at: Timestamp::from_nanos(at_hours * HOUR),
            mark_price: "101".parse().unwrap(),
            index_price: Some("100".parse().unwrap()),
            funding_rate: Some(rate.parse().unwrap()),
            funding_interval_hours: Some(8),
            next_funding_at: None,
            tradable_basis: None,
        }
    }

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

    #[test]
    fn the_net_rate_counts_the_lower_settled_mean_after_the_coming_settlement() {
        let past = settled(&["0.0001"; 21]);
        let found = Opportunity::new(&btc(), &row("0.0003", 21 * 8), &past, TERMS);
        // 1 × 0.0003 + 20 × 0.0001 − 0.003 = −0.0007 on a capital of two, 365 ÷ 7 times a year.
        let expected: Decimal = "-0.01825".parse().unwrap();
        assert_eq!(found.net_annualised.unwrap().round_dp(12), expected);
        assert_eq!(found.annualised.unwrap().round_dp(12), "0.3285".parse().unwrap());
        assert_eq!(found.break_even_hours.unwrap().round_dp(9), Decimal::from(80));
        assert_eq!(found.index_basis, Some("0.01".parse().unwrap()));
    }

    #[test]
    fn what_is_missing_is_absent() {
        let bare = RateSnapshot { funding_rate: None, index_price: None, ..row("0", 8) };
        let found = Opportunity::new(&btc(), &bare, &[], TERMS);
        assert_eq!((found.annualised, found.net_annualised, found.index_basis), (None, None, None));
        let without_past = Opportunity::new(&btc(), &row("0.0001", 8), &[], TERMS);
        assert_eq!((without_past.net_annualised, without_past.seven_days), (None, None));
        assert_eq!(Opportunity::new(&btc(), &row("-0.0001", 8), &[], TERMS).break_even_hours, None);
    }

    #[test]
    fn what_was_settled_later_is_not_known_yet() {
        let past = settled(&["0.0001", "0.0001", "0.5"]);
        let found = Opportunity::new(&btc(), &row("0.0001", 16), &past, TERMS);
        assert_eq!(found.seven_days.unwrap(), "0.1095".parse().unwrap());
    }
}
