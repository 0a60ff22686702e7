//! What the outside must provide, and what hosts see of the engine.
//!
//! Invariant: the core names these traits and nothing behind them; adapters return the errors of
//! this crate. All are object-safe.

mod store;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;
use serde::Serialize;

pub use self::store::{
    AccountStore, ApiKey, AuditEntry, BookStore, CarryRow, Catalog, CheckReport, Cursor, FillRow,
    Finding, FundingRow, IdRange, IndicatorRow, InstrumentKey, InstrumentStore, Invite, KeepDays,
    Lease, LeaseStore, Listed, LogEntry, LogSource, MarketStore, Mode, NewUser, NoteRow, OrderRow,
    Page, RateSnapshot, RefreshToken, Setting, SignalFilter, SignalRow, Store, TapeExtent,
    TapeStore, TradeFilter, TradeResult, TradeRow, TransferRow, Upkeep, UpkeepReport, UserChange,
    UserRecord, UserRole,
};
use crate::error::{AuthError, ConfigError, StoreError, VenueError};
use crate::event::{Command, Event};
use crate::instrument::InstrumentId;
use crate::num::Money;
use crate::order::{ClientOrderId, OrderEvent, RejectReason};
use crate::output::{Output, TradeNote};
use crate::risk::{Approved, RiskState};
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
}

/// The engine at one moment, for hosts.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Number of the last log record it includes.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What the engine may do.
    pub risk_state: RiskState,
    /// Wallet plus unrealised PnL, quote currency.
    pub equity: Money,
    /// Open directional trades.
    pub trades: Vec<TradeNote>,
}

/// An output with its log number.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// Number in the log.
    pub seq: u64,
    /// The output.
    pub output: Output,
}

/// Proof that a command was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Number in the log.
    pub seq: u64,
}

/// A stream of notes.
pub type Notes = Pin<Box<dyn Stream<Item = Note> + Send>>;

/// What hosts see of a running engine.
#[async_trait]
pub trait Desk: Send + Sync {
    /// The newest view.
    fn snapshot(&self) -> Arc<View>;

    /// The notes after `after_seq`, then new ones as they come.
    fn notes(&self, after_seq: u64) -> Notes;

    /// Hands a command to the engine.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be made durable.
    async fn command(&self, command: Command) -> Result<Receipt, StoreError>;
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: u64,
    /// Rights.
    pub role: UserRole,
}

/// Tokens of a logged-in user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Short-lived.
    pub access: String,
    /// Long-lived, rotated at each use.
    pub refresh: String,
}

/// Users, tokens and keys.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Registers a user by invite.
    ///
    /// # Errors
    /// [`AuthError`].
    async fn register(
        &self,
        email: &str,
        password: &str,
        invite: &str,
    ) -> Result<Tokens, AuthError>;

    /// Logs a user in.
    ///
    /// # Errors
    /// [`AuthError::Credentials`] whether the user exists or not.
    async fn login(&self, email: &str, password: &str) -> Result<Tokens, AuthError>;

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// [`AuthError::Token`]; a token presented twice revokes its family.
    async fn refresh(&self, refresh: &str) -> Result<Tokens, AuthError>;

    /// Who presents this access token or API key.
    ///
    /// # Errors
    /// [`AuthError::Token`].
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError>;
}

/// Strategy files and back-tests, for hosts.
#[async_trait]
pub trait Lab: Send + Sync {
    /// Checks a strategy's JSON text.
    ///
    /// # Errors
    /// [`ConfigError`] naming line and field.
    fn check(&self, text: &str) -> Result<(), ConfigError>;

    /// Runs a back-test over stored trades and tells its result as JSON.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn backtest(
        &self,
        strategy: &str,
        symbol: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<String, StoreError>;
}
