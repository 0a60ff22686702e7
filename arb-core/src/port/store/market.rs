//! Funding, market inputs and rate snapshots.

use async_trait::async_trait;
use rust_decimal::Decimal;

use super::catalog::{Catalog, Listed};
use crate::error::StoreError;
use crate::event::{Event, FundingSettled};
use crate::instrument::InstrumentId;
use crate::num::Price;
use crate::time::Timestamp;

/// Prices and the running funding estimate of a perpetual at one moment; stored by the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSnapshot {
    /// Whose rates.
    pub instrument: InstrumentId,
    /// When.
    pub at: Timestamp,
    /// Mark price.
    pub mark_price: Price,
    /// Index price, where sent.
    pub index_price: Option<Price>,
    /// Running estimate of the coming funding rate, a fraction per interval.
    pub funding_rate: Option<Decimal>,
    /// Hours between settlements.
    pub funding_interval_hours: Option<u8>,
    /// Time of the coming settlement.
    pub next_funding_at: Option<Timestamp>,
    /// Bid of the perpetual ÷ (spot ask × coins of a contract) − 1, where both are quoted.
    pub tradable_basis: Option<Decimal>,
}

/// Funding and market inputs.
#[async_trait]
pub trait MarketStore: Send + Sync {
    /// Stores the events `Funding` and `Input`; all other kinds are skipped: trades belong to the
    /// tape, marks come as rate snapshots, quotes are not kept. Idempotent: funding by (instrument,
    /// time), inputs by (instrument, kind, `as_of`), liquidations by all they say.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a settlement exists with another rate.
    async fn append_market(&self, catalog: &Catalog, events: &[Event]) -> Result<(), StoreError>;

    /// Settled funding of an instrument in `[from, to)`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn funding(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FundingSettled>, StoreError>;

    /// Inputs of an instrument that became known in `[from, to)`, as the events they came in,
    /// ascending by that time.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn inputs(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Event>, StoreError>;

    /// The newest input of each kind, single liquidations excepted, by `as_of`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest_inputs(&self, of: Listed) -> Result<Vec<Event>, StoreError>;

    /// Stores rates of many instruments; the first of an (instrument, millisecond) stays.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn append_rates(
        &self,
        catalog: &Catalog,
        rates: &[RateSnapshot],
    ) -> Result<(), StoreError>;

    /// The newest rates of every instrument of the catalog that has some, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest_rates(&self, catalog: &Catalog) -> Result<Vec<RateSnapshot>, StoreError>;

    /// The first `limit` rates of an instrument in `[from, to)`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rates(
        &self,
        of: Listed,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<RateSnapshot>, StoreError>;
}
