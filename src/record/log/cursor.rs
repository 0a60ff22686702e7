//! Reads the log from a place on, while it grows.
//!
//! Invariant: a cursor reads up to the number it is told to be durable and never beyond, so it
//! meets whole records only.

use std::path::{Path, PathBuf};

use arb_core::{ENGINE_VERSION, Event};

use super::super::{Kind, RecordError};
use super::poison::{self, Poisoned};
use super::segment::{self, LogHeader, SegmentReader};
use super::{Seq, in_file};

/// A record of the log.
#[derive(Debug)]
pub enum LogRecord<'a> {
    /// An event.
    Event(Event),
    /// The bytes of an output.
    Output(&'a [u8]),
}

/// A reader's place in the log.
#[derive(Debug)]
pub struct LogCursor {
    folder: PathBuf,
    open: Option<Open>,
    /// Number of the last record read.
    last: Seq,
    /// Events to pass over.
    poisoned: Vec<Poisoned>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    reader: SegmentReader,
    header: LogHeader,
}

impl LogCursor {
    /// A cursor behind record `after`; reads nothing yet.
    pub fn new(folder: impl Into<PathBuf>, after: Seq) -> Self {
        Self { folder: folder.into(), open: None, last: after, poisoned: Vec::new() }
    }

    /// Number of the last record read.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The log's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The header of the segment that is being read; none before the first record.
    #[must_use]
    pub fn header(&self) -> Option<&LogHeader> {
        self.open.as_ref().map(|open| &open.header)
    }

    /// The next record up to `durable`; none when everything until there was read.
    ///
    /// # Errors
    /// [`RecordError`] when a segment is missing, damaged, or another engine wrote it.
    pub fn next(&mut self, durable: Seq) -> Result<Option<LogRecord<'_>>, RecordError> {
        loop {
            if self.last >= durable {
                return Ok(None);
            }
            if self.open.is_none() {
                self.open_next()?;
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            match open.reader.next().map_err(|e| in_file(&open.path, e))? {
                Kind::End => self.open = None,
                Kind::Event | Kind::Output => {
                    self.last += 1;
                    if !self.poisoned.iter().any(|poisoned| poisoned.seq == self.last) {
                        return self.read();
                    }
                }
                Kind::Header => {
                    return Err(in_file(&open.path, open.reader.corrupt_last("a second header")));
                }
            }
        }
    }

    /// The record read last.
    fn read(&self) -> Result<Option<LogRecord<'_>>, RecordError> {
        let Some(open) = &self.open else { return Ok(None) };
        if open.reader.kind() == Kind::Output {
            return Ok(Some(LogRecord::Output(open.reader.payload())));
        }
        let unreadable = |e: postcard::Error| {
            let what = format!("cannot be read as written by engine {ENGINE_VERSION}: {e}");
            in_file(&open.path, open.reader.corrupt_last(what))
        };
        let event = postcard::from_bytes(open.reader.payload()).map_err(unreadable)?;
        Ok(Some(LogRecord::Event(event)))
    }

    /// Opens the segment that holds the next record and goes to its place.
    fn open_next(&mut self) -> Result<(), RecordError> {
        self.poisoned = poison::list(&self.folder)?;
        let wanted = self.last + 1;
        let segments = segment::list(&self.folder).map_err(|e| in_file(&self.folder, e.into()))?;
        let holds = segments.into_iter().rfind(|segment| segment.first <= wanted);
        let Some(segment) = holds else {
            return Err(RecordError::Missing { folder: self.folder.clone(), seq: wanted });
        };
        let (mut reader, header) = segment::open(&segment.path)?;
        let mut at = segment.first - 1;
        while at < self.last {
            match reader.next().map_err(|e| in_file(&segment.path, e))? {
                Kind::Event | Kind::Output => at += 1,
                Kind::End | Kind::Header => {
                    return Err(RecordError::Missing { folder: self.folder.clone(), seq: wanted });
                }
            }
        }
        self.open = Some(Open { path: segment.path, reader, header });
        Ok(())
    }
}
