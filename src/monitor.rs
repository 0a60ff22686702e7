//! What funding pays: every perpetual's rates, past and present, ranked.
//!
//! Invariant: it reads what a store has and nothing else, so a host, a command and a test see the
//! same figures. A figure whose data is missing is absent, never zero.

use arb_core::port::{Catalog, RateSnapshot, Store};
pub use arb_core::stats::{CarryTerms, Opportunity};
use arb_core::time::{DAY, HOUR};
use arb_core::{Decimal, Market, StoreError, Timestamp};

/// A year of settlements is read, and a little more for the first of January.
const HISTORY: i64 = 367 * DAY;
/// Rates that are older say nothing about the present.
const FRESH: i64 = HOUR;
/// Leverage that the margin of the short is set aside for.
const LEVERAGE: Decimal = Decimal::TWO;

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
    let terms = CarryTerms { costs, capital: Decimal::ONE + Decimal::ONE / LEVERAGE };
    let rates = store.latest_rates(catalog).await?;
    let newest = rates.iter().map(|row| row.at).max().unwrap_or(Timestamp::EPOCH);
    let mut all = Vec::new();
    for row in rates.iter().filter(|row| newest.since(row.at) <= FRESH) {
        all.extend(opportunity(store, catalog, row, terms).await?);
    }
    all.sort_by(|a, b| b.annualised.cmp(&a.annualised).then_with(|| a.symbol.cmp(&b.symbol)));
    Ok(all)
}

async fn opportunity(
    store: &dyn Store,
    catalog: &Catalog,
    row: &RateSnapshot,
    terms: CarryTerms,
) -> Result<Option<Opportunity>, StoreError> {
    let listed = catalog.iter().find(|(of, _)| of.id == row.instrument);
    let Some((of, instrument)) = listed.filter(|(_, each)| each.market == Market::Um) else {
        return Ok(None);
    };
    let settled = store.funding(of, row.at.plus(-HISTORY), row.at.plus(1)).await?;
    Ok(Some(Opportunity::new(instrument, row, &settled, terms)))
}
