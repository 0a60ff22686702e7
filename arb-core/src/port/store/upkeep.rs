//! Sealing, retention and the check of a store's integrity.

use async_trait::async_trait;

use super::catalog::InstrumentKey;
use super::tape::IdRange;
use crate::error::StoreError;
use crate::time::Timestamp;

/// How many days are kept; none keeps for ever. Accounts, orders, fills, trades of ours, ledgers
/// and settled funding are never removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepDays {
    /// Recorded market trades; imported ones stay.
    pub tape: Option<u32>,
    /// Rate snapshots, market inputs, liquidations.
    pub market: Option<u32>,
    /// Signals, indicator rows and live events.
    pub signals: Option<u32>,
}

/// What an upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpkeepReport {
    /// Market trades moved into their final form.
    pub sealed: u64,
    /// Market trades removed because of their age.
    pub removed_trades: u64,
    /// Other rows removed because of their age.
    pub removed_rows: u64,
}

/// Something the check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, or `file`.
    pub table: String,
    /// The record.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

/// What the check found; holes in the tape are a fact about it, no damage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Damage; empty when the store is sound.
    pub findings: Vec<Finding>,
    /// Missing trade ids.
    pub holes: Vec<(InstrumentKey, IdRange)>,
    /// Market trades looked at.
    pub trades: u64,
}

/// Work to be done now and then.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Seals what is old enough and removes what is too old, in small steps between which writers
    /// get their turn.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn upkeep(&self, now: Timestamp, keep: KeepDays) -> Result<UpkeepReport, StoreError>;

    /// Reads everything that can be checked.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read at all; damage is a finding.
    async fn check(&self) -> Result<CheckReport, StoreError>;
}
