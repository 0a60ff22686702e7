//! Writes a journal while a run goes on.

use std::io::Write;

use arb_core::{ENGINE_VERSION, Event, Observer, Output};
use serde::Serialize;

use super::{Header, Kind, MAGIC, RecordError, checksum};

/// An observer that writes everything it sees.
///
/// A failed write stops the writing and is told by [`JournalWriter::finish`].
#[derive(Debug)]
pub struct JournalWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    failed: Option<RecordError>,
}

impl<W: Write> JournalWriter<W> {
    /// Starts a journal; `out` should be buffered.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn new(out: W) -> Result<Self, RecordError> {
        let mut writer = Self { out, buffer: Vec::new(), failed: None };
        writer.out.write_all(MAGIC)?;
        let header = Header { engine_version: ENGINE_VERSION.to_owned(), log: None };
        let text = serde_json::to_vec(&header).map_err(std::io::Error::from)?;
        writer.write(Kind::Header, &text)?;
        Ok(writer)
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn finish(mut self) -> Result<W, RecordError> {
        match self.failed.take() {
            Some(error) => return Err(error),
            None => self.write(Kind::End, &[])?,
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<(), RecordError> {
        let length = u32::try_from(payload.len()).map_err(std::io::Error::other)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&checksum(kind.code(), payload).to_le_bytes())?;
        self.out.write_all(&[kind.code()])?;
        Ok(self.out.write_all(payload)?)
    }

    fn record(&mut self, kind: Kind, value: &impl Serialize) {
        if self.failed.is_some() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let written = postcard::to_extend(value, buffer)
            .map_err(|e| RecordError::Io(std::io::Error::other(e)))
            .and_then(|bytes| self.write(kind, &bytes).map(|()| bytes));
        match written {
            Ok(bytes) => self.buffer = bytes,
            Err(error) => self.failed = Some(error),
        }
    }
}

impl<W: Write> Observer for JournalWriter<W> {
    fn event(&mut self, event: &Event) {
        self.record(Kind::Event, event);
    }

    fn output(&mut self, output: &Output) {
        self.record(Kind::Output, output);
    }
}
