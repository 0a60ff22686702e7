//! What a backup of a node holds beside its store: the newest state, the log behind it, and what an
//! operator changed.
//!
//! Invariant: the state is taken hold of before the store is copied and the log after it, so the
//! state is at most as new as the store and the log at least: a node that starts from the three
//! finds every record it needs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arb_core::RunId;

use super::error::NodeError;
use super::{settings, snapshot, tell};
use crate::record::log::{LogPart, Seq, parts_after};

/// The newest state of a log, held open.
#[derive(Debug)]
pub struct HeldState {
    folder: PathBuf,
    after: Seq,
    state: Option<LogPart>,
}

impl HeldState {
    /// Takes hold of the newest state from which a store with records up to `stored` may be
    /// followed. Call it before the store is copied.
    ///
    /// # Errors
    /// [`NodeError::Snapshot`] when it cannot be read.
    pub fn take(log: &Path, run: RunId, stored: Seq) -> Result<Self, NodeError> {
        let folder = log.to_owned();
        let Some((seq, path)) = snapshot::newest_file(log, run, stored) else {
            return Ok(Self { folder, after: 0, state: None });
        };
        let part = open(log, &path)?;
        Ok(Self { folder, after: seq, state: part })
    }

    /// Everything a restart needs, with names inside the log's folder. Call it after the store was
    /// copied.
    ///
    /// # Errors
    /// [`NodeError::Log`] when the log cannot be read.
    pub fn with_log(self) -> Result<Vec<LogPart>, NodeError> {
        let mut parts = parts_after(&self.folder, self.after)?;
        for name in [settings::FILE, tell::FILE] {
            parts.extend(open(&self.folder, &self.folder.join(name))?);
        }
        parts.extend(self.state);
        Ok(parts)
    }
}

/// A file of the log's folder; none where there is none.
fn open(log: &Path, path: &Path) -> Result<Option<LogPart>, NodeError> {
    let opened = File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        let name = path.strip_prefix(log).unwrap_or(path).to_string_lossy().into_owned();
        Ok(LogPart { name, file, length })
    });
    match opened {
        Ok(part) => Ok(Some(part)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(NodeError::Snapshot { file: path.to_owned(), source }),
    }
}
