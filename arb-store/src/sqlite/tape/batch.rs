//! Trades on their way into the store, sorted out before the writer sees them.
//!
//! Invariant: ids ascend per instrument, every instrument is listed, every id fits SQLite's
//! integer; so the writer's transaction only fails by what is stored.

use arb_core::port::{Catalog, Listed};
use arb_core::{InstrumentId, StoreError, Trade};

use super::{TABLE, id_of};
use crate::sqlite::cells::invalid;

/// Trades of one transaction with what is needed to store them.
pub(super) struct Batch {
    pub(super) trades: Vec<Trade>,
    /// The stored numbers, by index of this process.
    pub(super) keys: Vec<i64>,
    /// One for each instrument that occurs.
    pub(super) spans: Vec<Span>,
}

/// The trades of one instrument inside a batch.
pub(super) struct Span {
    pub(super) of: Listed,
    name: String,
    pub(super) first: Trade,
    pub(super) last: Trade,
    pub(super) count: u64,
}

impl Batch {
    pub(super) fn new(catalog: &Catalog, trades: &[Trade]) -> Result<Self, StoreError> {
        let keys: Vec<i64> = catalog.iter().map(|(of, _)| i64::from(of.key.0)).collect();
        let mut spans: Vec<Option<Span>> = Vec::new();
        spans.resize_with(keys.len(), || None);
        for trade in trades {
            let of = catalog.listed(trade.instrument)?;
            match spans.get_mut(trade.instrument.index()) {
                Some(Some(span)) => span.extend(trade)?,
                Some(slot) => *slot = Some(Span::new(of, catalog.name(of.id), trade)?),
                None => {}
            }
        }
        Ok(Self { trades: trades.to_vec(), keys, spans: spans.into_iter().flatten().collect() })
    }

    pub(super) fn of(&self, instrument: InstrumentId) -> Vec<Trade> {
        self.trades.iter().filter(|t| t.instrument == instrument).copied().collect()
    }
}

impl Span {
    fn new(of: Listed, name: String, trade: &Trade) -> Result<Self, StoreError> {
        id_of(trade)?;
        Ok(Self { of, name, first: *trade, last: *trade, count: 1 })
    }

    #[inline]
    fn extend(&mut self, trade: &Trade) -> Result<(), StoreError> {
        if trade.id <= self.last.id {
            let key = format!("{} trade {}", self.name, trade.id);
            let what = format!("comes after trade {}; ids must ascend", self.last.id);
            return Err(invalid(TABLE, key, what));
        }
        id_of(trade)?;
        self.last = *trade;
        self.count += 1;
        Ok(())
    }

    /// Names the instrument in an error about one of its trades.
    pub(super) fn told(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Conflict { table, key, what } => {
                StoreError::Conflict { table, key: format!("{} {key}", self.name), what }
            }
            StoreError::Corrupt { table, key, what } => {
                StoreError::Corrupt { table, key: format!("{} {key}", self.name), what }
            }
            other => other,
        }
    }
}
