//! Why a node does not start, or ends.

use std::path::PathBuf;

use arb_core::{ConfigError, Timestamp};

use crate::record::RecordError;
use crate::record::log::Seq;

/// Why a node does not start, or ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log cannot be opened, read or written.
    #[error(transparent)]
    Log(#[from] RecordError),
    /// Running the log again gave something else than it holds.
    #[error(
        "record {seq} of the log at {at} is not what this engine makes of it ({what}): the log was \
         changed, or written by another build; keep it and begin anew in another folder"
    )]
    Diverged {
        /// The record.
        seq: Seq,
        /// Its time.
        at: Timestamp,
        /// What differs.
        what: String,
    },
    /// An event made the engine panic.
    #[error(
        "event {seq} made the engine panic: {message}; it is named in the log, and the next start \
         passes over it, halted, until an operator resets"
    )]
    Poisoned {
        /// The event.
        seq: Seq,
        /// What the panic said.
        message: String,
    },
    /// Events wait to be written, and no more can be held.
    #[error("{bytes} bytes of events cannot be written and no more are held: {source}")]
    NoRoom {
        /// Bytes that wait.
        bytes: usize,
        /// Why they cannot be written.
        source: RecordError,
    },
    /// A snapshot cannot be written.
    #[error("{file}: the snapshot cannot be written: {source}")]
    Snapshot {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store holds more of the stream than the log does: it was filled from another log.
    #[error(
        "the store has record {stored} of stream {stream:?} and the log ends at {last}: they belong \
         to different runs; restore the log, or name another run and another stream"
    )]
    StoreAhead {
        /// The stream.
        stream: String,
        /// The last record of the stream in the store.
        stored: Seq,
        /// The last record of the log.
        last: Seq,
    },
    /// A part of the node died.
    #[error("a task of the node died: {0}")]
    Task(String),
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}
