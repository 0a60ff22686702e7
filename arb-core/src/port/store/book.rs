//! The engine's log as tables.
//!
//! Invariant: a log record is projected once: its rows and the cursor (epoch, seq) of its stream
//! are written together, and an epoch that lost the lease is refused.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::book_rows::{
    CarryRow, FillRow, FundingRow, IndicatorRow, NoteRow, OrderRow, Setting, SignalRow, TradeRow,
    TransferRow,
};
use super::catalog::{Catalog, InstrumentKey, Listed};
use crate::error::StoreError;
use crate::event::Event;
use crate::order::RunId;
use crate::output::Output;
use crate::time::Timestamp;

/// Whether fills came from the paper venue or from a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Paper venue.
    Paper,
    /// Real venue.
    Live,
}

/// Where log records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Name of the stream, which is also the name of its lease.
    pub stream: String,
    /// Epoch of the lease under which they are written.
    pub epoch: u64,
    /// The run whose orders they hold.
    pub run: RunId,
    /// Paper or live.
    pub mode: Mode,
}

/// A record of the log: an event, and what the engine said to it.
#[derive(Clone, Copy, Debug)]
pub struct LogEntry<'a> {
    /// Number in the log; rises, not always by one.
    pub seq: u64,
    /// The event.
    pub event: &'a Event,
    /// What the engine said.
    pub outputs: &'a [Output],
}

/// A place in a stream, after which a reader goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Epoch of the lease.
    pub epoch: u64,
    /// Number in the log.
    pub seq: u64,
}

/// Which rows of a list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only rows before this (time, id); none starts at the newest.
    pub before: Option<(Timestamp, u64)>,
    /// At most so many.
    pub limit: usize,
}

impl Page {
    /// The newest rows.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { before: None, limit }
    }

    /// The rows after the last one of a page.
    #[must_use]
    pub const fn after(self, place: (Timestamp, u64)) -> Self {
        Self { before: Some(place), ..self }
    }
}

/// Which signals; none of a field means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalFilter {
    /// Of this strategy.
    pub strategy: Option<String>,
    /// Of this instrument.
    pub instrument: Option<InstrumentKey>,
}

/// How a closed trade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeResult {
    /// Still open.
    Open,
    /// Closed, any result.
    Closed,
    /// Closed above zero after fees and funding.
    Win,
    /// Closed at zero or below.
    Loss,
}

/// Which directional trades; none of a field means any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeFilter {
    /// Paper or live.
    pub mode: Mode,
    /// Of this strategy.
    pub strategy: Option<String>,
    /// Of this instrument.
    pub instrument: Option<InstrumentKey>,
    /// With this result.
    pub result: Option<TradeResult>,
}

impl TradeFilter {
    /// Every trade of a mode.
    #[must_use]
    pub const fn all(mode: Mode) -> Self {
        Self { mode, strategy: None, instrument: None, result: None }
    }
}

/// The engine's log as tables.
#[async_trait]
pub trait BookStore: Send + Sync {
    /// Projects log records, ascending: orders, fills, signals, trades, ledgers, and every output
    /// as a live event. Records at or before the stream's cursor are skipped. Nothing is written
    /// unless everything is.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a newer epoch holds the lease or wrote the stream,
    /// [`StoreError::Invalid`] when numbers do not ascend.
    async fn append_log(
        &self,
        source: &LogSource,
        catalog: &Catalog,
        entries: &[LogEntry<'_>],
    ) -> Result<(), StoreError>;

    /// The last projected record of a stream; none before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn cursor(&self, stream: &str) -> Result<Option<Cursor>, StoreError>;

    /// Live events of a stream after a cursor, in order; whole records until `limit` is reached.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn live_events(
        &self,
        stream: &str,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError>;

    /// Live events of a stream before an output (cursor and ordinal), newest first; none starts at
    /// the newest.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest_events(
        &self,
        stream: &str,
        before: Option<(Cursor, u32)>,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError>;

    /// Stores indicator rows; the first of an (instrument, time) stays.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn append_indicators(
        &self,
        catalog: &Catalog,
        rows: &[IndicatorRow],
    ) -> Result<(), StoreError>;

    /// Indicator rows of an instrument in `[from, to)`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn indicators(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<IndicatorRow>, StoreError>;

    /// Signals, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn signals(
        &self,
        filter: &SignalFilter,
        page: Page,
    ) -> Result<Vec<SignalRow>, StoreError>;

    /// Directional trades by entry time, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn own_trades(
        &self,
        filter: &TradeFilter,
        page: Page,
    ) -> Result<Vec<TradeRow>, StoreError>;

    /// Carry pairs by opening time, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn carry_pairs(&self, mode: Mode, page: Page) -> Result<Vec<CarryRow>, StoreError>;

    /// Orders by submission, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn orders(&self, mode: Mode, page: Page) -> Result<Vec<OrderRow>, StoreError>;

    /// Fills, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn fills(&self, mode: Mode, page: Page) -> Result<Vec<FillRow>, StoreError>;

    /// Booked funding, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn funding_ledger(&self, mode: Mode, page: Page) -> Result<Vec<FundingRow>, StoreError>;

    /// Deposits and withdrawals, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn transfers(&self, mode: Mode, page: Page) -> Result<Vec<TransferRow>, StoreError>;

    /// A setting of `live_config`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn setting(&self, key: &str) -> Result<Option<Setting>, StoreError>;

    /// Stores a setting, replacing the one of the same key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn set_setting(&self, setting: &Setting) -> Result<(), StoreError>;
}
