//! The log of a running node: the journal's records in segments of one folder.
//!
//! Layout: `NNN.arbj`, named by the number of its first record, each a journal of its own: magic,
//! header (engine version, run, configuration, instruments), events and outputs, and an end once it
//! is sealed. Every event and every output has a number, counted from 1 over all segments and
//! stored nowhere else. A flush is one write and one `fdatasync` of whole steps, an event with
//! everything the engine said to it.
//!
//! Invariant: what [`LogWriter::flush`] confirmed is never lost and never changed. Only the end of
//! the last segment may be torn; it is cut off there and kept in a file beside it. Damage anywhere
//! else refuses the log, because everything behind it would be doubtful.

mod copy;
mod cursor;
mod encode;
mod poison;
mod retention;
mod segment;
mod view;
mod writer;

use std::path::{Path, PathBuf};

pub use self::copy::{LogPart, parts_after};
pub use self::cursor::{LogCursor, LogRecord};
pub use self::encode::LogBuffer;
pub use self::poison::{Poisoned, poison};
pub use self::retention::{Removed, remove_before};
pub use self::segment::LogHeader;
pub use self::view::LogView;
pub use self::writer::{LogWriter, Opened, Torn};
use super::RecordError;
#[cfg(test)]
use super::{Header, Kind, MAGIC};

/// A place in the log: the number of an event or an output, from 1; 0 is before everything.
pub type Seq = u64;

/// Where a log is, and how large its segments grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The folder; nothing else should be in it.
    pub folder: PathBuf,
    /// Bytes from which a segment is sealed and the next one begun.
    pub segment_bytes: u64,
    /// Bytes that the folder may hold; beyond it writes fail as on a full disk.
    pub max_bytes: Option<u64>,
}

impl LogOptions {
    /// The folder, with segments of 64 MiB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), segment_bytes: 64 * 1024 * 1024, max_bytes: None }
    }
}

/// Whether a folder holds segments of a log.
#[must_use]
pub fn is_log(path: &Path) -> bool {
    segment::list(path).is_ok_and(|segments| !segments.is_empty())
}

/// Numbers of the last records of all segments but the last one, ascending.
///
/// # Errors
/// [`RecordError::Io`].
pub fn segment_ends(folder: &Path) -> Result<Vec<Seq>, RecordError> {
    let segments = segment::list(folder).map_err(|e| in_file(folder, e.into()))?;
    Ok(segments.iter().skip(1).map(|segment| segment.first - 1).collect())
}

/// The poisoned events of a log, by number.
///
/// # Errors
/// [`RecordError::Io`].
pub fn poisoned(folder: &Path) -> Result<Vec<Poisoned>, RecordError> {
    poison::list(folder)
}

/// An error with the file it is about.
fn in_file(path: &Path, error: RecordError) -> RecordError {
    RecordError::Segment { file: path.to_owned(), source: Box::new(error) }
}

#[cfg(test)]
mod tests;
