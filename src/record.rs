//! The journal: every event and every output of a run, and the proof that they belong together.
//!
//! Invariant: replaying the events through an engine of the same version gives the recorded
//! outputs byte for byte; a bug report is one such file.
//!
//! Layout: the magic `ARBJ1\n`, then records of length (u32), CRC-32 of kind and payload (u32),
//! kind (one byte: header, event, output) and payload, all little-endian. The header is JSON,
//! events and outputs are postcard. A journal ends with an empty record, so that a cut file is
//! told from a whole one.

mod parity;
mod reader;
mod replay;
mod told;
mod writer;

use std::io;

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
        "the journal was written by engine {found}; this one is {own} and may decide otherwise"
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
