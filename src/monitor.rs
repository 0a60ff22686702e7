//! What funding pays: every perpetual's rates, past and present, ranked.
//!
//! Invariant: it reads what a store has and nothing else, so a host, a command and a test see the
//! same figures. A figure whose data is missing is absent, never zero.

use arb_core::port::{Catalog, RateSnapshot, Store};
use arb_core::stats::{FundingStats, covers_year};
use arb_core::time::{DAY, HOUR};
use arb_core::{Decimal, InstrumentId, Market, Price, StoreError, Timestamp};
use serde::Serialize;

/// A year of settlements is read, and a little more for the first of January.
const HISTORY: i64 = 367 * DAY;
/// Rates that are older say nothing about the present.
const FRESH: i64 = HOUR;

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
    /// Hours of the estimate that pay for going in and out; none where it does not pay.
    pub break_even_hours: Option<Decimal>,
}

/// Every perpetual whose rates are fresh, best paying first; `costs` is what going in and out of
/// both legs takes, a fraction of notional.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn opportunities(
    store: &dyn Store,
    catalog: &Catalog,
    costs: Decimal,
) -> Result<Vec<Opportunity>, StoreError> {
    let rates = store.latest_rates(catalog).await?;
    let newest = rates.iter().map(|row| row.at).max().unwrap_or(Timestamp::EPOCH);
    let mut all = Vec::new();
    for row in rates.iter().filter(|row| newest.since(row.at) <= FRESH) {
        all.extend(opportunity(store, catalog, row, costs).await?);
    }
    all.sort_by(|a, b| b.annualised.cmp(&a.annualised).then_with(|| a.symbol.cmp(&b.symbol)));
    Ok(all)
}

async fn opportunity(
    store: &dyn Store,
    catalog: &Catalog,
    row: &RateSnapshot,
    costs: Decimal,
) -> Result<Option<Opportunity>, StoreError> {
    let listed = catalog.iter().find(|(of, _)| of.id == row.instrument);
    let Some((of, instrument)) = listed.filter(|(_, each)| each.market == Market::Um) else {
        return Ok(None);
    };
    let mut stats = FundingStats::default();
    let settlements = store.funding(of, row.at.plus(-HISTORY), row.at.plus(1)).await?;
    for settled in &settlements {
        // Settlements of one store ascend; one that did not would be left out of the means.
        let _ = stats.add(settled.funding_time, settled.rate);
    }
    let times: Vec<Timestamp> = settlements.iter().map(|row| row.funding_time).collect();
    let this_year =
        stats.year_to_date(row.at).filter(|_| covers_year(&times, instrument.listed_at, row.at));
    let hours = row.funding_interval_hours.filter(|hours| *hours > 0).map(Decimal::from);
    let hourly = row.funding_rate.zip(hours).map(|(rate, hours)| rate / hours);
    let index = row.index_price.filter(|index| index.units() > 0);
    Ok(Some(Opportunity {
        instrument: of.id,
        symbol: instrument.symbol.clone(),
        at: row.at,
        mark_price: row.mark_price,
        index_price: row.index_price,
        index_basis: index
            .map(|index| row.mark_price.to_decimal() / index.to_decimal() - Decimal::ONE),
        funding_rate: row.funding_rate,
        interval_hours: row.funding_interval_hours,
        next_funding_at: row.next_funding_at,
        annualised: hourly.map(|hourly| hourly * Decimal::from(365 * DAY / HOUR)),
        seven_days: stats.seven_days(row.at).and_then(|totals| totals.annualised()),
        year_to_date: this_year.and_then(|totals| totals.annualised()),
        break_even_hours: hourly
            .filter(|hourly| *hourly > Decimal::ZERO)
            .map(|hourly| costs / hourly),
    }))
}
