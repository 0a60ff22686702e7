//! Reads a journal record by record.
//!
//! Invariant: a record is given whole and with a checksum that fits, or an error names its place.

use std::io::{self, Read};

use super::log::LogHeader;
use super::{Header, Kind, MAGIC, MAX_RECORD, RecordError, checksum};

/// The records of a journal.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    offset: u64,
    /// Where the record read last begins.
    last_at: u64,
    records: u64,
    kind: Kind,
    payload: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Nothing read yet.
    pub(super) const fn new(input: R) -> Self {
        Self { input, offset: 0, last_at: 0, records: 0, kind: Kind::Header, payload: Vec::new() }
    }

    /// The bytes of the record read last.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The kind of the record read last.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where the record read last ends.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// What is wrong behind the record read last.
    pub(super) fn corrupt(&self, what: impl ToString) -> RecordError {
        let (number, offset) = (self.records + 1, self.offset);
        RecordError::Corrupt { number, offset, what: what.to_string() }
    }

    /// What is wrong with the record read last.
    pub(super) fn corrupt_last(&self, what: impl ToString) -> RecordError {
        let (number, offset) = (self.records, self.last_at);
        RecordError::Corrupt { number, offset, what: what.to_string() }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RecordError> {
        self.input.read_exact(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => RecordError::Truncated { after: self.records },
            _ => RecordError::Io(e),
        })
    }

    /// The next record's kind; its bytes are the payload.
    pub(super) fn next(&mut self) -> Result<Kind, RecordError> {
        let (mut length, mut sum, mut code) = ([0; 4], [0; 4], [0; 1]);
        self.fill(&mut length)?;
        self.fill(&mut sum)?;
        self.fill(&mut code)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_RECORD {
            return Err(self.corrupt(format_args!("a length of {length}")));
        }
        // Grown as bytes arrive, so a damaged length cannot ask for memory that is not there.
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let read = (&mut self.input).take(u64::from(length)).read_to_end(&mut payload)?;
        if u32::try_from(read) != Ok(length) {
            return Err(RecordError::Truncated { after: self.records });
        }
        let [code] = code;
        if checksum(code, &payload) != u32::from_le_bytes(sum) {
            return Err(self.corrupt("the checksum differs"));
        }
        let kind = Kind::from_code(code).ok_or_else(|| self.corrupt("an unknown kind"))?;
        (self.payload, self.kind) = (payload, kind);
        self.records += 1;
        self.last_at = self.offset;
        self.offset += 9 + u64::from(length);
        if kind == Kind::End {
            self.ends()?;
        }
        Ok(kind)
    }

    /// Makes sure that nothing lies behind the end: it would be passed over without a word.
    fn ends(&mut self) -> Result<(), RecordError> {
        let behind = (&mut self.input).take(1).read_to_end(&mut Vec::new())?;
        if behind > 0 {
            return Err(self.corrupt("there is data behind the end of the journal"));
        }
        Ok(())
    }

    /// Reads the beginning and tells the version of the engine that wrote it.
    pub(super) fn header(&mut self) -> Result<String, RecordError> {
        Ok(self.full_header()?.0)
    }

    /// The same, with what a segment of a log says beside.
    pub(super) fn full_header(&mut self) -> Result<(String, Option<Box<LogHeader>>), RecordError> {
        let mut magic = [0; MAGIC.len()];
        self.input.read_exact(&mut magic).map_err(|_| RecordError::NotAJournal)?;
        if magic != *MAGIC {
            return Err(RecordError::NotAJournal);
        }
        self.offset = 6;
        if self.next()? != Kind::Header {
            return Err(self.corrupt("the header is missing"));
        }
        let header: Header = serde_json::from_slice(&self.payload).map_err(|e| self.corrupt(e))?;
        Ok((header.engine_version, header.log))
    }
}
