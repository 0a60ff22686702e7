//! Instruments by their stored number, and the translation from this process's indices.
//!
//! Invariant: an [`InstrumentKey`] means the same instrument for ever; an
//! [`InstrumentId`] only means something beside the [`Catalog`] it belongs to.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::instrument::{Instrument, InstrumentId, Market};

/// Stable number of an instrument in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentKey(pub u32);

/// An instrument by its stored and its in-process number.
///
/// Records that are read back carry `id`; who has no engine may use any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In the store.
    pub key: InstrumentKey,
    /// In this process.
    pub id: InstrumentId,
}

/// The instruments of a process in the order of their [`InstrumentId`]s, with their stored numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    entries: Vec<(InstrumentKey, Instrument)>,
}

impl Catalog {
    /// A catalog whose `n`-th entry is `InstrumentId(n)`; a store makes it.
    #[must_use]
    pub const fn new(entries: Vec<(InstrumentKey, Instrument)>) -> Self {
        Self { entries }
    }

    /// The stored number of an instrument.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the id is not of this catalog.
    pub fn key(&self, id: InstrumentId) -> Result<InstrumentKey, StoreError> {
        let entry = self.entries.get(id.index());
        entry.map(|(key, _)| *key).ok_or_else(|| StoreError::Invalid {
            table: "instruments",
            key: format!("instrument {}", id.0),
            what: format!("is not one of the {} registered ones", self.entries.len()),
        })
    }

    /// Both numbers of an instrument.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the id is not of this catalog.
    pub fn listed(&self, id: InstrumentId) -> Result<Listed, StoreError> {
        Ok(Listed { key: self.key(id)?, id })
    }

    /// The instrument of a symbol.
    #[must_use]
    pub fn find(&self, market: Market, symbol: &str) -> Option<Listed> {
        self.iter().find(|(_, i)| i.market == market && i.symbol == symbol).map(|(at, _)| at)
    }

    /// The instrument with a stored number.
    #[must_use]
    pub fn by_key(&self, key: InstrumentKey) -> Option<(Listed, &Instrument)> {
        self.iter().find(|(at, _)| at.key == key)
    }

    /// All instruments in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (Listed, &Instrument)> {
        (0_u16..)
            .zip(&self.entries)
            .map(|(at, (key, instrument))| (Listed { key: *key, id: InstrumentId(at) }, instrument))
    }

    /// `um:BTCUSDT`, or the bare number of an instrument that is not listed.
    #[must_use]
    pub fn name(&self, id: InstrumentId) -> String {
        match self.entries.get(id.index()) {
            Some((_, instrument)) => instrument.qualified_name(),
            None => format!("instrument {}", id.0),
        }
    }
}

/// The list of instruments.
#[async_trait]
pub trait InstrumentStore: Send + Sync {
    /// Enters instruments by (market, symbol) or renews their filters; the catalog has them in the
    /// given order.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn register(&self, instruments: &[Instrument]) -> Result<Catalog, StoreError>;

    /// All instruments ever registered, by stored number.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn catalog(&self) -> Result<Catalog, StoreError>;
}
