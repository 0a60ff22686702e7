//! What the outside must provide, and what hosts see of the engine.
//!
//! Invariant: the core names these traits and nothing behind them; adapters return the errors of
//! this crate. All are object-safe.

mod accounts;
mod desk;
mod lab;
mod store;
mod told;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use self::accounts::{
    Accounts, InviteWish, KeyInfo, NewKey, Origin, Principal, Scope, Session, UserInfo, UserPatch,
};
pub use self::desk::{
    AccountView, Component, ComponentState, DecisionRow, Desk, Measure, MeasureKind, MeasureValue,
    Note, Notes, Receipt, RuleReading, TierMultipliers, TradingSettings, View,
};
pub use self::lab::Lab;
pub use self::store::{
    AccountStore, Answer, ApiKey, AuditEntry, BookStore, CarryRow, Catalog, CheckReport,
    CommandStore, Cursor, DeskStore, FillRow, Finding, FundingRow, IdRange, IndicatorRow,
    InstrumentKey, InstrumentStore, Invite, KeepDays, Lease, LeaseStore, Listed, LogEntry,
    LogSource, MarketStore, Mode, NewRequest, NewUser, NoteRow, OrderRow, Page, RateSnapshot,
    RefreshToken, Request, RequestState, Setting, Shown, SignalFilter, SignalRow, Store,
    StoredRequest, TakenRequest, TapeExtent, TapeStore, TradeFilter, TradeResult, TradeRow,
    TransferRow, Upkeep, UpkeepReport, UserChange, UserRecord, UserRole,
};
pub use self::told::told;
use crate::error::VenueError;
use crate::event::Event;
use crate::instrument::InstrumentId;
use crate::order::{ClientOrderId, OrderEvent, RejectReason};
use crate::output::Output;
use crate::risk::Approved;
use crate::time::Timestamp;

/// What became of a submitted order: three outcomes, because "unknown" is not an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubmitOutcome {
    /// The venue has it.
    Accepted,
    /// The venue refused it; it never existed.
    Rejected(RejectReason),
    /// Nobody knows; settle by query, never re-send.
    Unknown(VenueError),
}

/// A venue that takes orders.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Sends an order that risk has approved.
    async fn submit(&self, order: &Approved) -> SubmitOutcome;

    /// Asks for the end of an order; the answer comes as an order event.
    ///
    /// # Errors
    /// [`VenueError`]; after [`VenueError::OutcomeUnknown`] query before acting.
    async fn cancel(&self, instrument: InstrumentId, id: ClientOrderId) -> Result<(), VenueError>;

    /// What the venue knows of an order; none when it says it does not exist.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot be asked.
    async fn query(
        &self,
        instrument: InstrumentId,
        id: ClientOrderId,
    ) -> Result<Option<OrderEvent>, VenueError>;
}

/// A source of market events.
#[async_trait]
pub trait MarketFeed: Send {
    /// Waits for events and appends them, in order; false at the end of a finite feed.
    ///
    /// # Errors
    /// [`VenueError`] when the feed cannot go on; a lost connection alone is an
    /// [`EventKind::Gap`](crate::EventKind::Gap).
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError>;
}

/// What time it is, for whatever waits: the core itself reads no clock.
///
/// Times are the venue's. A clock may step back; drivers never pass that on.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Venue time now.
    fn now(&self) -> Timestamp;

    /// Real time from now until a venue time; nothing when it has passed.
    fn wait(&self, until: Timestamp) -> Duration;
}

/// Tells people; never an alarm path.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Tells what the output says, if it is worth telling.
    ///
    /// # Errors
    /// [`VenueError`] when the message could not be delivered now.
    async fn notify(&self, output: &Output) -> Result<(), VenueError>;

    /// Tells what is due at a time whether something happened or not, such as a day's summary; it
    /// is called once a minute of venue time, and again after a failure.
    ///
    /// # Errors
    /// [`VenueError`] when the message could not be delivered now.
    async fn elapsed(&self, _now: Timestamp) -> Result<(), VenueError> {
        Ok(())
    }

    /// What it has to remember over a restart, as text; nothing unless it says so.
    fn memory(&self) -> Option<String> {
        None
    }

    /// Takes what it remembered, before the first note.
    fn recall(&self, _memory: &str) {}
}
