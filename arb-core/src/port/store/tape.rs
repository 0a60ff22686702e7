//! Recorded trades: each id once, with one content, for ever.

use async_trait::async_trait;

use super::catalog::{Catalog, InstrumentKey, Listed};
use crate::error::StoreError;
use crate::event::Trade;
use crate::time::Timestamp;

/// What is recorded of an instrument's trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeExtent {
    /// Smallest id.
    pub first_id: u64,
    /// Largest id.
    pub last_id: u64,
    /// Time of the trade with the smallest id.
    pub first_time: Timestamp,
    /// Time of the trade with the largest id.
    pub last_time: Timestamp,
    /// Number of trades.
    pub count: u64,
}

impl TapeExtent {
    /// Number of ids between first and last that are not recorded.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        (self.last_id - self.first_id + 1).saturating_sub(self.count)
    }
}

/// Ids from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdRange {
    /// First id.
    pub first: u64,
    /// Last id.
    pub last: u64,
}

/// Recorded trades.
#[async_trait]
pub trait TapeStore: Send + Sync {
    /// Stores trades as they come, ids ascending per instrument; those already stored are left as
    /// they are. Large slices are written in several steps; after an error repeat the call.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an id exists with another content, [`StoreError::Invalid`]
    /// when ids do not ascend.
    async fn append_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError>;

    /// Stores history in bulk, straight in its final form, under the same rules; retention spares
    /// it.
    ///
    /// # Errors
    /// As [`append_trades`](Self::append_trades).
    async fn import_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError>;

    /// Up to `limit` trades with an id of at least `from_id`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn trades(
        &self,
        of: Listed,
        from_id: u64,
        limit: usize,
    ) -> Result<Vec<Trade>, StoreError>;

    /// The newest trades, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest_trades(&self, of: Listed, limit: usize) -> Result<Vec<Trade>, StoreError>;

    /// Id of the first trade at or after a time; relies on times that never fall while ids rise.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn first_id_at(
        &self,
        of: InstrumentKey,
        at: Timestamp,
    ) -> Result<Option<u64>, StoreError>;

    /// What is recorded; none before the first trade.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn extent(&self, of: InstrumentKey) -> Result<Option<TapeExtent>, StoreError>;

    /// The ids that are missing between first and last, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn holes(&self, of: InstrumentKey) -> Result<Vec<IdRange>, StoreError>;
}
