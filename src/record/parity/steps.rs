//! A journal as steps: an event and what the engine said to it.
//!
//! Invariant: a step is given only when everything that belongs to it was read.

use std::io::Read;

use arb_core::Event;

use super::super::reader::Reader;
use super::super::told::Told;
use super::super::{Kind, RecordError};

/// An event and the outputs behind it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    /// The event as it lies in the file.
    pub(super) event_bytes: Vec<u8>,
    pub(super) told: Vec<Told>,
    /// The outputs as they lie in the file, each behind its length.
    pub(super) told_bytes: Vec<u8>,
}

/// A journal, read step by step.
#[derive(Debug)]
pub(super) struct Steps<R> {
    reader: Reader<R>,
    /// The version of the engine that wrote it.
    pub(super) version: String,
    /// An event whose outputs are not read yet.
    ahead: Option<(Event, Vec<u8>)>,
    over: bool,
    pub(super) events: u64,
    pub(super) outputs: u64,
}

impl<R: Read> Steps<R> {
    pub(super) fn open(input: R) -> Result<Self, RecordError> {
        let mut reader = Reader::new(input);
        let version = reader.header()?;
        Ok(Self { reader, version, ahead: None, over: false, events: 0, outputs: 0 })
    }

    /// The next step; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Step>, RecordError> {
        let (mut told, mut told_bytes) = (Vec::new(), Vec::new());
        while !self.over {
            match self.reader.next()? {
                Kind::Event => {
                    let bytes = self.reader.payload().to_vec();
                    let event = postcard::from_bytes(&bytes).map_err(|e| self.damaged(e))?;
                    if let Some((event, event_bytes)) = self.ahead.replace((event, bytes)) {
                        return Ok(Some(self.step(event, event_bytes, (told, told_bytes))));
                    }
                }
                Kind::Output => {
                    let payload = self.reader.payload();
                    told_bytes.extend_from_slice(&payload.len().to_le_bytes());
                    told_bytes.extend_from_slice(payload);
                    told.push(postcard::from_bytes(payload).map_err(|e| self.damaged(e))?);
                }
                Kind::End => self.over = true,
                Kind::Header => return Err(self.damaged("a second header")),
            }
        }
        let Some((event, event_bytes)) = self.ahead.take() else { return Ok(None) };
        Ok(Some(self.step(event, event_bytes, (told, told_bytes))))
    }

    fn step(
        &mut self,
        event: Event,
        event_bytes: Vec<u8>,
        (told, told_bytes): (Vec<Told>, Vec<u8>),
    ) -> Step {
        self.events += 1;
        self.outputs += told.len() as u64;
        Step { event, event_bytes, told, told_bytes }
    }

    /// A record whose checksum fits but which cannot be read.
    fn damaged(&self, what: impl std::fmt::Display) -> RecordError {
        let version = &self.version;
        self.reader
            .corrupt_last(format_args!("cannot be read as written by engine {version}: {what}"))
    }
}
