//! States of the engine and its venue in files, so that a restart need not run the whole log.
//!
//! Layout: magic `ARBS2\n`, length and CRC-32 of the payload, payload in postcard. Invariant: a
//! file is whole or not there (written aside, synced, renamed); one that is damaged or of another
//! engine is passed over for an older one, because the log behind it tells the same.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use arb_core::{ENGINE_VERSION, EngineSnapshot, EngineState, PaperVenue, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::NodeError;
use super::replica::Replica;
use crate::record::log::Seq;

const MAGIC: &[u8] = b"ARBS2\n";
const FOLDER: &str = "snapshots";
/// Snapshots kept: the newest, and one to fall back on.
const KEPT: usize = 2;

/// A state that was read.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) last_tick: Option<Timestamp>,
    pub(super) engine: EngineState,
    pub(super) venue: PaperVenue,
}

/// What stands before the state.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    engine_version: String,
    run: RunId,
    seq: Seq,
    at: Timestamp,
    last_tick: Option<Timestamp>,
}

/// The bytes of a replica's state; none when a strategy does not tell its memory.
pub(super) fn encode(replica: &Replica, run: RunId) -> Result<Vec<u8>, NodeError> {
    let engine: EngineSnapshot<'_> = replica.cell.engine.snapshot()?;
    let head = Head {
        engine_version: ENGINE_VERSION.to_owned(),
        run,
        seq: replica.seq,
        at: replica.at,
        last_tick: replica.last_tick,
    };
    let state = (head, engine, &replica.cell.venue);
    postcard::to_stdvec(&state).map_err(|e| NodeError::Snapshot {
        file: PathBuf::from(FOLDER),
        source: io::Error::other(e),
    })
}

/// Writes a state and removes those that are no longer needed.
pub(super) fn write(log: &Path, seq: Seq, payload: &[u8]) -> Result<(), NodeError> {
    let folder = log.join(FOLDER);
    let path = folder.join(format!("{seq:020}.snap"));
    let place = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        let aside = folder.join("next.tmp");
        let mut file = File::create(&aside)?;
        file.write_all(MAGIC)?;
        file.write_all(&(payload.len() as u64).to_le_bytes())?;
        file.write_all(&crc32fast::hash(payload).to_le_bytes())?;
        file.write_all(payload)?;
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        File::open(&folder)?.sync_all()?;
        for old in list(&folder)?.into_iter().rev().skip(KEPT) {
            fs::remove_file(old.1)?;
        }
        Ok(())
    };
    place().map_err(|source| NodeError::Snapshot { file: path.clone(), source })
}

/// The newest whole snapshot of a run at or before `most`.
pub(super) fn newest(log: &Path, run: RunId, most: Seq) -> Option<Snapshot> {
    let files = list(&log.join(FOLDER)).ok()?;
    let candidates = files.into_iter().rev().filter(|(seq, _)| *seq <= most);
    candidates.into_iter().find_map(|(_, path)| match read(&path, run) {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "a snapshot is passed over");
            None
        }
    })
}

/// The file of the newest whole snapshot of a run at or before `most`.
pub(super) fn newest_file(log: &Path, run: RunId, most: Seq) -> Option<(Seq, PathBuf)> {
    let seq = newest(log, run, most)?.seq;
    Some((seq, log.join(FOLDER).join(format!("{seq:020}.snap"))))
}

/// Numbers of the snapshots there are, oldest first.
pub(super) fn numbers(log: &Path) -> Vec<Seq> {
    let files = list(&log.join(FOLDER)).unwrap_or_default();
    files.into_iter().map(|(seq, _)| seq).collect()
}

fn list(folder: &Path) -> io::Result<Vec<(Seq, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_snapshot = path.extension().is_some_and(|ext| ext == "snap");
        let seq = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        files.extend(seq.filter(|_| is_snapshot).map(|seq| (seq, path)));
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, run: RunId) -> io::Result<Snapshot> {
    let bytes = fs::read(path)?;
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("the magic is missing"))?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| broken("cut off"))?;
    let (sum, payload) = rest.split_first_chunk::<4>().ok_or_else(|| broken("cut off"))?;
    if u64::from_le_bytes(*length) != payload.len() as u64 {
        return Err(broken("cut off"));
    }
    if crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
        return Err(broken("the checksum differs"));
    }
    let (head, state) = postcard::take_from_bytes::<Head>(payload).map_err(broken)?;
    if head.engine_version != ENGINE_VERSION {
        return Err(broken(format_args!("written by engine {}", head.engine_version)));
    }
    if head.run != run {
        return Err(broken(format_args!("of run {}", head.run.as_str())));
    }
    let (engine, venue) = postcard::from_bytes(state).map_err(broken)?;
    let Head { seq, at, last_tick, .. } = head;
    Ok(Snapshot { seq, at, last_tick, engine, venue })
}

fn broken(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}
