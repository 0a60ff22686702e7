//! A log as one journal, so that whatever reads journals reads logs.
//!
//! Invariant: the view is a whole journal: one header, the records of all segments in order without
//! the poisoned events, one end. Of a log that is still written, or was killed, the last event is
//! left out, because what the engine said to it may not be complete.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use arb_core::{Configure, ENGINE_VERSION, Event, EventKind, Timestamp};

use super::super::{Header, Kind, MAGIC, RecordError};
use super::encode::{append, append_raw};
use super::poison::{self, Poisoned};
use super::segment::{self, LogHeader, Segment, SegmentReader};
use super::{Seq, in_file};

/// Bytes gathered before they are handed out.
const PIECE: usize = 1 << 16;

/// The records of a log as the bytes of a journal.
#[derive(Debug)]
pub struct LogView {
    segments: VecDeque<Segment>,
    poisoned: Vec<Poisoned>,
    /// Bytes of the last segment that are shown; none when it is sealed.
    shown: Option<u64>,
    open: Option<(PathBuf, SegmentReader)>,
    last: Seq,
    /// Number before the first record.
    begins_after: Seq,
    bytes: Vec<u8>,
    given: usize,
    is_over: bool,
}

impl LogView {
    /// Opens the log of a folder for reading, also while a node writes it.
    ///
    /// # Errors
    /// [`RecordError`] when there is none, when its end is damaged, or another engine wrote it.
    pub fn open(folder: &Path) -> Result<Self, RecordError> {
        let listed = segment::list(folder).map_err(|e| in_file(folder, e.into()))?;
        let mut segments = VecDeque::from(listed);
        let mut shown = None;
        while let Some(last) = segments.back() {
            match segment::scan(&last.path)? {
                None => {
                    segments.pop_back();
                }
                Some(scan) => {
                    shown = (!scan.is_sealed).then_some(scan.before_last.0);
                    break;
                }
            }
        }
        let Some(first) = segments.front() else { return Err(RecordError::NotAJournal) };
        let begins_after = first.first - 1;
        let (_, header) = segment::open(&first.path)?;
        Ok(Self {
            poisoned: poison::list(folder)?,
            shown,
            open: None,
            last: begins_after,
            begins_after,
            bytes: beginning(&header)?,
            given: 0,
            is_over: false,
            segments,
        })
    }

    /// Number before the first record: 0 unless older segments were removed. Then the view begins
    /// with the configuration of that moment, but without its positions, and cannot be replayed
    /// from nothing.
    #[must_use]
    pub const fn begins_after(&self) -> Seq {
        self.begins_after
    }

    fn gather(&mut self) -> Result<(), RecordError> {
        self.bytes.clear();
        self.given = 0;
        while self.bytes.len() < PIECE && !self.is_over {
            let Some((path, reader)) = &mut self.open else {
                self.open_next()?;
                continue;
            };
            let kind = match reader.next() {
                // The part that is shown ends here.
                Err(RecordError::Truncated { .. }) if self.segments.is_empty() => Kind::End,
                Err(error) => return Err(in_file(path, error)),
                Ok(kind) => kind,
            };
            match kind {
                Kind::End => self.open = None,
                Kind::Header => return Err(in_file(path, reader.corrupt_last("a second header"))),
                Kind::Event | Kind::Output => {
                    self.last += 1;
                    if !self.poisoned.iter().any(|poisoned| poisoned.seq == self.last) {
                        append_raw(&mut self.bytes, kind, reader.payload())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<(), RecordError> {
        let Some(segment) = self.segments.pop_front() else {
            self.is_over = true;
            return append_raw(&mut self.bytes, Kind::End, &[]);
        };
        if segment.first != self.last + 1 {
            let folder = segment.path.parent().unwrap_or(&segment.path).to_owned();
            return Err(RecordError::Missing { folder, seq: self.last + 1 });
        }
        let file = File::open(&segment.path).map_err(|e| in_file(&segment.path, e.into()))?;
        let length = self.shown.filter(|_| self.segments.is_empty()).unwrap_or(u64::MAX);
        let (reader, _) = segment::open_within(&segment.path, file, length)?;
        self.open = Some((segment.path, reader));
        Ok(())
    }
}

/// Magic, header, and the configuration where the log begins in the middle of a run.
fn beginning(header: &LogHeader) -> Result<Vec<u8>, RecordError> {
    let mut bytes = MAGIC.to_vec();
    let own = Header { engine_version: ENGINE_VERSION.to_owned(), log: None };
    append_raw(&mut bytes, Kind::Header, &serde_json::to_vec(&own).map_err(io::Error::from)?)?;
    if header.first_seq > 1 {
        let configure = Configure {
            bytes: header.configuration.clone().into_bytes(),
            hash: header.config_hash.clone(),
        };
        let kind = EventKind::Configure(Box::new(configure));
        append(&mut bytes, Kind::Event, &Event { at: Timestamp::EPOCH, kind })?;
    }
    Ok(bytes)
}

impl Read for LogView {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.bytes.len() && !self.is_over {
            self.gather().map_err(io::Error::other)?;
        }
        let waiting = self.bytes.get(self.given..).unwrap_or_default();
        let count = waiting.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}
