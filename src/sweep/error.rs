//! What stops a sweep.

use std::path::PathBuf;

use arb_core::ConfigError;

/// An error of whatever a recording is read from.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// What stops a sweep.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// Parameters, folds or limits that make no sense; nothing has run.
    #[error("{0}")]
    Usage(String),
    /// The engine refuses the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The recorded market cannot be read.
    #[error("the recorded market: {0}")]
    Read(#[source] ReadError),
    /// The state file cannot be used.
    #[error("{path}: {message}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The hold-out was touched before.
    #[error("{0}")]
    HoldOut(String),
    /// The state file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Refuses before anything runs.
pub(super) fn usage<T>(message: impl Into<String>) -> Result<T, SweepError> {
    Err(SweepError::Usage(message.into()))
}
