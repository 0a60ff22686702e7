//! Present funding rates.

use std::collections::BTreeMap;

use arb_core::port::{RateSnapshot, View};
use arb_core::time::{DAY, HOUR};
use arb_core::{Decimal, Price};
use serde::Serialize;
use utoipa::ToSchema;

use super::{BPS_DECIMALS, Num, RATE_DECIMALS};
use crate::coins::Coins;

/// The present rates of a perpetual.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// Its symbol.
    pub symbol: String,
    /// Mark price.
    pub mark_price: Num,
    /// Index price.
    pub index_price: Option<Num>,
    /// (mark − index) ÷ index, basis points.
    pub basis_bps: Option<Num>,
    /// Running estimate of the coming rate, a fraction per interval.
    pub funding_rate: Option<Num>,
    /// Hours between settlements.
    pub funding_interval_hours: Option<u8>,
    /// Time of the coming settlement, Unix milliseconds.
    pub next_funding_time: Option<i64>,
    /// The estimate for a year, simple, a fraction.
    pub annualized: Option<Num>,
    /// When, Unix seconds.
    pub ts: i64,
}

/// Present rates by coin, or by symbol where none is configured.
pub type Rates = BTreeMap<String, Rate>;

/// The present rates of every perpetual that has some.
#[must_use]
pub fn rates(view: &View, coins: Coins<'_>) -> Rates {
    let named = view.rates.iter().map(|row| (view.symbol(row.instrument), row));
    named.map(|(symbol, row)| (coins.coin(symbol).to_owned(), rate(symbol, row))).collect()
}

fn rate(symbol: &str, row: &RateSnapshot) -> Rate {
    let hours = row.funding_interval_hours.filter(|hours| *hours > 0);
    Rate {
        symbol: symbol.to_owned(),
        mark_price: row.mark_price.into(),
        index_price: row.index_price.map(Num::from),
        basis_bps: row.index_price.and_then(|index| basis_bps(row.mark_price, index)),
        funding_rate: row.funding_rate.map(Num::from),
        funding_interval_hours: hours,
        next_funding_time: row.next_funding_at.map(arb_core::Timestamp::as_millis),
        annualized: row.funding_rate.zip(hours).and_then(|(rate, hours)| annualized(rate, hours)),
        ts: row.at.as_millis().div_euclid(1_000),
    }
}

/// (mark − index) ÷ index, basis points.
pub(crate) fn basis_bps(mark: Price, index: Price) -> Option<Num> {
    let (mark, index) = (mark.to_decimal(), index.to_decimal());
    let ratio = (mark - index).checked_div(index)?;
    Some(Num::round(ratio.checked_mul(Decimal::from(10_000))?, BPS_DECIMALS))
}

/// rate × 365 days ÷ interval: simple, not compounded.
pub(crate) fn annualized(rate: Decimal, interval_hours: u8) -> Option<Num> {
    let hours = Decimal::from(365 * DAY / HOUR);
    let yearly = rate.checked_mul(hours)?.checked_div(Decimal::from(interval_hours))?;
    Some(Num::round(yearly, RATE_DECIMALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_annualised_by_its_own_interval() {
        let rate: Decimal = "0.0001".parse().unwrap();
        assert_eq!(annualized(rate, 8).unwrap().0, "0.1095".parse().unwrap());
        assert_eq!(annualized(rate, 4).unwrap().0, "0.219".parse().unwrap());
        assert_eq!(annualized(rate, 0), None);
    }

    #[test]
    fn basis_is_measured_from_the_index() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        let basis = basis_bps(price("100.05"), price("100")).unwrap();
        assert_eq!(basis.0, "5".parse().unwrap());
    }
}
