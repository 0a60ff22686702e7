//! Events that made the engine panic: `poisoned.jsonl` beside the segments.
//!
//! Invariant: an event named here is in the log and is passed over by everything that runs the log
//! again, so that a restart stops before it and every replay agrees. Losing this file loses
//! nothing: the event panics once more and is named once more.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::RecordError;
use super::copy::{LogPart, name_of};
use super::{Seq, in_file};

const FILE: &str = "poisoned.jsonl";

/// An event that made the engine panic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poisoned {
    /// Its number.
    pub seq: Seq,
    /// What the panic said.
    pub message: String,
}

/// Names an event of the log in `folder`, durably.
///
/// # Errors
/// [`RecordError::Io`].
pub fn poison(folder: &Path, poisoned: &Poisoned) -> Result<(), RecordError> {
    let path = folder.join(FILE);
    let append = || -> io::Result<()> {
        let mut line = serde_json::to_vec(poisoned)?;
        line.push(b'\n');
        let mut file = File::options().create(true).append(true).open(&path)?;
        file.write_all(&line)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    append().map_err(|e| in_file(&path, e.into()))
}

/// The events named so far; a last line that death cut off is none.
pub(super) fn list(folder: &Path) -> Result<Vec<Poisoned>, RecordError> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(in_file(&path, e.into())),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The list as a file, where there is one.
pub(super) fn part(folder: &Path) -> Result<Option<LogPart>, RecordError> {
    let path = folder.join(FILE);
    let opened = File::open(&path).and_then(|file| {
        let length = file.metadata()?.len();
        Ok(LogPart { name: name_of(&path), file, length })
    });
    match opened {
        Ok(part) => Ok(Some(part)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(in_file(&path, e.into())),
    }
}
