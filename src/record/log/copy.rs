//! What of a log somebody needs who goes on from a record, also while the log is written.
//!
//! Invariant: whole records only. Of the last segment the part is given that is whole now; what is
//! appended later belongs to whoever asks later.

use std::fs::File;
use std::path::Path;

use super::super::RecordError;
use super::{Seq, in_file, poison, segment};

/// A file of a log, or its first part.
#[derive(Debug)]
pub struct LogPart {
    /// Its name in the log's folder.
    pub name: String,
    /// The file, open for reading at its beginning.
    pub file: File,
    /// How much of it counts, bytes.
    pub length: u64,
}

/// The files that hold the records behind `after`.
///
/// # Errors
/// [`RecordError`] when a segment is damaged, missing, or cannot be read.
pub fn parts_after(folder: &Path, after: Seq) -> Result<Vec<LogPart>, RecordError> {
    let segments = segment::list(folder).map_err(|e| in_file(folder, e.into()))?;
    let holds = segments.iter().rposition(|segment| segment.first <= after + 1);
    let Some(holds) = holds else {
        let missing = RecordError::Missing { folder: folder.to_owned(), seq: after + 1 };
        return if segments.is_empty() { Ok(Vec::new()) } else { Err(missing) };
    };
    let mut parts = Vec::new();
    for found in segments.iter().skip(holds) {
        let path = &found.path;
        let file = File::open(path).map_err(|e| in_file(path, e.into()))?;
        // One whose header is just being written holds nothing yet.
        let Some(scan) = segment::scan(path)? else { break };
        parts.push(LogPart { name: name_of(path), file, length: scan.whole });
    }
    parts.extend(poison::part(folder)?);
    Ok(parts)
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
