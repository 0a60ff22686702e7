//! Removes old segments.
//!
//! Invariant: a segment goes only when everything in it lies before a number that the caller needs
//! no more, and never the last one; segments go oldest first, so what is left has no hole.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::RecordError;
use super::{Seq, in_file, segment};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes the segments whose records all lie before `needed` and that were last written longer
/// than `age` ago.
///
/// # Errors
/// [`RecordError::Io`].
pub fn remove_before(folder: &Path, needed: Seq, age: Duration) -> Result<Removed, RecordError> {
    let segments = segment::list(folder).map_err(|e| in_file(folder, e.into()))?;
    let mut removed = Removed::default();
    for pair in segments.windows(2) {
        let [old, next] = pair else { break };
        let file = |e| in_file(&old.path, RecordError::Io(e));
        let found = fs::metadata(&old.path).map_err(file)?;
        let written = found.modified().map_err(file)?;
        let is_old = SystemTime::now().duration_since(written).is_ok_and(|since| since >= age);
        if next.first > needed || !is_old {
            break;
        }
        fs::remove_file(&old.path).map_err(file)?;
        removed.segments += 1;
        removed.bytes += found.len();
    }
    Ok(removed)
}
