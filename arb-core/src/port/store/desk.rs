//! What a node shows of itself through the store, and what it is asked for there.
//!
//! Invariant: who holds the lease of a stream shows it and takes its requests, nobody else. A
//! request is taken once and within its time, or never: what nobody took in time is over, and what
//! was taken and never answered is not done again. The store's clock decides, as for leases.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::book::Cursor;
use crate::error::{ConfigError, StoreError};
use crate::event::Command;
use crate::port::{Component, DecisionRow, Receipt, TradingSettings, View};
use crate::time::Timestamp;

/// What the node of a stream shows of itself.
///
/// Instruments in it are places in the view's own list of names.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The last record it includes, and the lease under which it is shown.
    pub cursor: Cursor,
    /// The engine. Rates are left out: [`MarketStore`](super::MarketStore) has them.
    pub view: View,
    /// The newest decision of each strategy about each instrument.
    pub decisions: Vec<DecisionRow>,
    /// How the node finds its parts.
    pub parts: Vec<Component>,
}

/// What nodes show.
#[async_trait]
pub trait DeskStore: Send + Sync {
    /// Replaces what is shown of a stream; what is no newer than what is there is left out.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a newer epoch holds the lease or has shown the stream.
    async fn show(&self, stream: &str, shown: &Shown) -> Result<(), StoreError>;

    /// What is shown of a stream, if it is newer than a cursor. Floating-point numbers may differ
    /// from what was shown in their last bit.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it cannot be read.
    async fn shown(&self, stream: &str, newer_than: Cursor) -> Result<Option<Shown>, StoreError>;
}

/// What a node can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To hand a command to its engine.
    Command(Command),
    /// To put other settings in force.
    Settings(TradingSettings),
}

/// A request to be entered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRequest {
    /// Tells it from all others, whoever asks.
    pub id: String,
    /// Whose node is asked.
    pub stream: String,
    /// Who asks.
    pub asked_by: String,
    /// What for.
    pub request: Request,
    /// How long a node may take it.
    pub valid_for: Duration,
}

/// A request with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRequest {
    /// Tells it from all others.
    pub id: String,
    /// Whose node is asked.
    pub stream: String,
    /// Who asked.
    pub asked_by: String,
    /// What for.
    pub request: Request,
    /// When, by the store's clock.
    pub asked_at: Timestamp,
    /// From when on nobody takes it any more.
    pub expires_at: Timestamp,
    /// What became of it.
    pub state: RequestState,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Nobody has taken it yet.
    Waiting,
    /// A node has it and has not answered yet.
    Taken {
        /// Epoch of its lease.
        epoch: u64,
    },
    /// It is over.
    Answered(Answer),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is in the log.
    Done(Receipt),
    /// The settings make no sense; nothing has changed.
    Refused(ConfigError),
    /// It could not be made durable, for this reason.
    Failed(String),
    /// Who asked has taken it back before anybody took it.
    Withdrawn,
    /// Nobody took it in time.
    Expired,
    /// A node took it and ended before it answered: whether it was done is for the log to say.
    Lost,
}

/// A request that is the caller's to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenRequest {
    /// Tells it from all others.
    pub id: String,
    /// What is asked for.
    pub request: Request,
    /// How much of its time was left when it was taken.
    pub left: Duration,
}

/// Requests to nodes.
#[async_trait]
pub trait CommandStore: Send + Sync {
    /// Enters a request; the same one again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id stands for another request.
    async fn ask(&self, request: &NewRequest) -> Result<(), StoreError>;

    /// Takes the oldest waiting requests of a stream, at most `limit`: they are the caller's, and
    /// nobody gets them again. Those whose time is over are answered with [`Answer::Expired`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when `epoch` is not that of the stream's lease.
    async fn take(
        &self,
        stream: &str,
        epoch: u64,
        limit: usize,
    ) -> Result<Vec<TakenRequest>, StoreError>;

    /// Answers what was taken from a stream and not answered with [`Answer::Lost`], for a holder
    /// that begins and has none of them; tells how many there were.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when `epoch` is not that of the stream's lease.
    async fn lose(&self, stream: &str, epoch: u64) -> Result<u64, StoreError>;

    /// Answers a request that was taken under `epoch`; false when it was not, or has an answer,
    /// which then stays.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn answer(&self, id: &str, epoch: u64, answer: &Answer) -> Result<bool, StoreError>;

    /// Withdraws a request that nobody has taken, and tells what became of it; none when there is
    /// no such request.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn withdraw(&self, id: &str) -> Result<Option<RequestState>, StoreError>;

    /// The request with this id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn request(&self, id: &str) -> Result<Option<StoredRequest>, StoreError>;
}
