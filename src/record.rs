//! The journal: every event and every output of a run, and the proof that they belong together.
//!
//! Invariant: replaying the events through an engine of the same version gives the recorded
//! outputs byte for byte; a bug report is one such file.
//!
//! Layout: the magic `ARBJ1\n`, then records of length (u32), CRC-32 of kind and payload (u32),
//! kind (one byte: header, event, output) and payload, all little-endian. The header is JSON,
//! events and outputs are postcard. A journal ends with an empty record, so that a cut file is
//! told from a whole one.

pub mod log;
mod parity;
mod reader;
mod replay;
mod told;
mod writer;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use arb_core::RunId;

pub use self::parity::{
    Cause, CauseKind, Contents, Difference as ParityDifference, DifferenceKind, Evidence, Parity,
    ParityError, Row, Sample, Tolerance, Which, parity,
};
pub use self::replay::{Difference, Replayed, replay};
pub use self::writer::JournalWriter;

const MAGIC: &[u8; 6] = b"ARBJ1\n";
/// Larger records are corrupt: the largest event is a configuration.
const MAX_RECORD: u32 = 64 * 1024 * 1024;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Header,
    Event,
    Output,
    End,
}

impl Kind {
    const ALL: [(Self, u8); 4] =
        [(Self::Header, b'h'), (Self::Event, b'e'), (Self::Output, b'o'), (Self::End, b'z')];

    fn code(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, c)| *c == code).map(|(kind, _)| *kind)
    }
}

/// The first record.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Header {
    engine_version: String,
    /// What a segment of a log says beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Box<log::LogHeader>>,
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file failed.
    #[error("the journal cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The file is no journal.
    #[error("the file is no journal: it must begin with ARBJ1")]
    NotAJournal,
    /// Another engine wrote it.
    #[error(
        "the journal was written by engine {found}; this one is {own} and may decide otherwise: use \
         that one, or begin anew in another folder"
    )]
    Version {
        /// The version that wrote it.
        found: String,
        /// The version that reads it.
        own: &'static str,
    },
    /// The file ends inside a run.
    #[error("the journal is cut off after record {after}")]
    Truncated {
        /// Whole records before the cut.
        after: u64,
    },
    /// A record is damaged.
    #[error("record {number} at byte {offset} is corrupt: {what}")]
    Corrupt {
        /// Number of the record, from 1.
        number: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Something is wrong with a file of a log.
    #[error("{file}: {source}")]
    Segment {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: Box<Self>,
    },
    /// Another process writes the log.
    #[error("{folder}: another process writes this log; stop it, or use another folder")]
    Locked {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The log belongs to another run.
    #[error(
        "{folder}: the log is of run {found:?}, not of {given:?}; use its own run, or move the \
         folder away to begin anew"
    )]
    OtherRun {
        /// The log's folder.
        folder: PathBuf,
        /// Whose log it is.
        found: RunId,
        /// The run that wanted to write.
        given: RunId,
    },
    /// A part of the log is not there.
    #[error("{folder}: record {seq} is missing; the segment that held it was removed")]
    Missing {
        /// The log's folder.
        folder: PathBuf,
        /// The first missing record.
        seq: u64,
    },
}

/// Opens a journal, or the log of a node by its folder, for reading.
///
/// # Errors
/// [`RecordError`] when it cannot be opened, or a log's end is damaged.
pub fn open(path: &Path) -> Result<Box<dyn Read>, RecordError> {
    if path.is_dir() {
        return Ok(Box::new(log::LogView::open(path)?));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 18, File::open(path)?)))
}

/// CRC-32 over kind and payload.
fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
