//! What can go wrong outside the engine, which itself cannot fail.

use std::error::Error as StdError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The source of an error, kept for the log.
pub(crate) type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Text or a value that is no legal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumError {
    /// No text at all.
    #[error("is empty; a decimal number such as 12.5 is needed")]
    Empty,
    /// Something else than digits with one dot.
    #[error("is no decimal number; only digits and one dot are allowed")]
    Malformed,
    /// A minus sign where only positive numbers make sense.
    #[error("is negative; a number above 0 is needed")]
    Negative,
    /// Zero where only positive numbers make sense.
    #[error("is zero; a number above 0 is needed")]
    NotPositive,
    /// More than 8 significant decimals.
    #[error("has more than 8 decimals; 8 are allowed, trailing zeros not counted")]
    TooManyDecimals,
    /// Larger than 10¹⁰.
    #[error("is out of range; at most 10000000000 is allowed")]
    OutOfRange,
}

/// A configuration that must not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{file}{line}: {field}: {message}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The file or built-in name it came from.
    pub file: String,
    /// `:LINE`, or nothing where the text has no such place.
    pub line: Line,
    /// Path of the field, such as `weights.direction`.
    pub field: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// A line number inside a message: prints as `:7`, or as nothing when unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line(pub Option<usize>);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl ConfigError {
    /// An error of `field` in `file`.
    pub fn new(
        file: impl Into<String>,
        line: Option<usize>,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), line: Line(line), field: field.into(), message: message.into() }
    }
}

/// What a venue answered instead of success.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VenueError {
    /// The venue refused the request and nothing happened.
    #[error("rejected by the venue with code {code}: {reason}")]
    Rejected {
        /// The venue's code, such as −2021.
        code: i32,
        /// The venue's text.
        reason: String,
    },
    /// Too many requests; nothing happened.
    #[error("rate limited; retry after {retry_after:?}")]
    RateLimited {
        /// How long the venue asks to wait.
        retry_after: Duration,
    },
    /// The request may or may not have happened: settle it by query, never re-send.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(#[source] Source),
    /// No connection; nothing was sent.
    #[error("disconnected: {0}")]
    Disconnected(#[source] Source),
    /// The key, signature or permission is wrong.
    #[error("not authorised: {0}")]
    Auth(String),
    /// The answer could not be read.
    #[error("cannot read the venue's answer: {0}")]
    Decode(#[source] Source),
}

/// What a store answered instead of success.
///
/// `key` names the record inside its table as a person would: `um:BTCUSDT trade 42`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached or is locked by another process; cursors wait.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Source),
    /// No room on the disk, or the store's own limit is reached; nothing was written.
    #[error("the store is full, nothing was written: {0}; free space on its disk")]
    Full(#[source] Source),
    /// The store was opened for reading, or its file may not be written.
    #[error("the store is read-only: {0}; make its file and folder writable for this user")]
    ReadOnly(String),
    /// What is stored contradicts itself.
    #[error("stored data is corrupt: {table}, {key}: {what}")]
    Corrupt {
        /// The table, or `file` where the whole file is meant.
        table: &'static str,
        /// The record.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// A record of this identity exists with another content.
    #[error("conflict: {table}, {key}: {what}")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The record.
        key: String,
        /// How the two differ.
        what: String,
    },
    /// The record cannot be stored as it is.
    #[error("cannot be stored: {table}, {key}: {what}")]
    Invalid {
        /// The table.
        table: &'static str,
        /// The record.
        key: String,
        /// What is wrong, and what is allowed.
        what: String,
    },
    /// A newer holder of the lease writes this stream; the caller must stop.
    #[error("{stream}: epoch {epoch} is over, epoch {current} holds the lease: stop writing")]
    Fenced {
        /// The stream.
        stream: String,
        /// The caller's epoch.
        epoch: u64,
        /// The epoch in force.
        current: u64,
    },
    /// A newer version of the program wrote the schema.
    #[error(
        "the store has schema {found}, this program knows up to {own}: use the program that wrote \
         it, or a newer one"
    )]
    Schema {
        /// The schema's version.
        found: i64,
        /// The newest version known here.
        own: i64,
    },
    /// Any other failure of the backend.
    #[error("the store failed: {0}")]
    Backend(#[source] Source),
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Unknown user or wrong password, deliberately not told apart.
    #[error("e-mail or password is wrong")]
    Credentials,
    /// The token is missing, malformed, expired or revoked.
    #[error("the token is not valid")]
    Token,
    /// The account is banned.
    #[error("the account is banned")]
    Banned,
    /// The role is too low for the call.
    #[error("the call needs the role {needed}")]
    Forbidden {
        /// The lowest role that may call, and where a role is not enough what else.
        needed: &'static str,
    },
    /// The invite is unknown, used up or expired, deliberately not told apart.
    #[error("the invite is not valid: it is unknown, used up or expired")]
    Invite,
    /// Somebody has registered with this e-mail.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// The value cannot be used; the field is the request's.
    #[error("{field}: {message}")]
    Weak {
        /// `email`, `password`, `name`, `scopes`, `uses`, `expires_at`.
        field: &'static str,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// Too many tries; later ones are looked at again.
    #[error("too many tries; try again in {} s", retry_after.as_secs().max(1))]
    Limited {
        /// How long to wait.
        retry_after: std::time::Duration,
    },
    /// There is no such user or key.
    #[error("there is none of this id")]
    NotFound,
    /// Without an admin nobody could manage the accounts.
    #[error("the last admin keeps its rights; make another admin first")]
    LastAdmin,
    /// The account store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system failed: no random numbers, no thread.
    #[error("the accounts failed: {0}")]
    System(#[source] Source),
}
