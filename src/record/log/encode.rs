//! Records on their way to the log.
//!
//! Invariant: the buffer holds whole records, encoded once, straight into the bytes that will be
//! written; appending allocates nothing but the buffer's own growth, which ends when it has its
//! usual size.

use arb_core::{Event, Output};
use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::super::{Kind, RecordError, checksum};
use super::Seq;

/// Length, checksum, kind.
const HEAD: usize = 9;

/// Events and outputs that wait to be written.
#[derive(Debug, Default)]
pub struct LogBuffer {
    bytes: Vec<u8>,
    records: u64,
    /// Number of the last record appended.
    last: Seq,
}

impl LogBuffer {
    /// An empty buffer behind record `last`.
    #[must_use]
    pub const fn after(last: Seq) -> Self {
        Self { bytes: Vec::new(), records: 0, last }
    }

    /// Appends an event and tells its number.
    ///
    /// # Errors
    /// [`RecordError::Io`] when it cannot be encoded; nothing is appended then.
    #[inline]
    pub fn event(&mut self, event: &Event) -> Result<Seq, RecordError> {
        self.record(Kind::Event, event)
    }

    /// Appends an output and tells its number.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    #[inline]
    pub fn output(&mut self, output: &Output) -> Result<Seq, RecordError> {
        self.record(Kind::Output, output)
    }

    fn record(&mut self, kind: Kind, value: &impl Serialize) -> Result<Seq, RecordError> {
        append(&mut self.bytes, kind, value)?;
        self.records += 1;
        self.last += 1;
        Ok(self.last)
    }

    /// Number of the last record appended.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// Number of the first record held, or of the next one.
    #[must_use]
    pub const fn first(&self) -> Seq {
        self.last - self.records + 1
    }

    /// The bytes held.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Starts anew behind record `last`, keeping the memory.
    pub fn restart(&mut self, last: Seq) {
        self.bytes.clear();
        (self.records, self.last) = (0, last);
    }
}

/// Appends a record to `bytes`.
pub(super) fn append(
    bytes: &mut Vec<u8>,
    kind: Kind,
    value: &impl Serialize,
) -> Result<(), RecordError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    let encoded = postcard::serialize_with_flavor(value, Appending(bytes));
    if let Err(error) = encoded {
        bytes.truncate(start);
        return Err(RecordError::Io(std::io::Error::other(error)));
    }
    finish(bytes, start, kind)
}

/// Appends a record whose payload is there already.
pub(super) fn append_raw(
    bytes: &mut Vec<u8>,
    kind: Kind,
    payload: &[u8],
) -> Result<(), RecordError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.extend_from_slice(payload);
    finish(bytes, start, kind)
}

fn finish(bytes: &mut Vec<u8>, start: usize, kind: Kind) -> Result<(), RecordError> {
    let payload = bytes.get(start + HEAD..).unwrap_or_default();
    let Ok(length) = u32::try_from(payload.len()) else {
        let error = format!("a record of {} bytes", payload.len());
        bytes.truncate(start);
        return Err(RecordError::Io(std::io::Error::other(error)));
    };
    let sum = checksum(kind.code(), payload);
    let mut head = [0; HEAD];
    let (length_at, rest) = head.split_at_mut(4);
    let (sum_at, kind_at) = rest.split_at_mut(4);
    length_at.copy_from_slice(&length.to_le_bytes());
    sum_at.copy_from_slice(&sum.to_le_bytes());
    kind_at.copy_from_slice(&[kind.code()]);
    if let Some(slot) = bytes.get_mut(start..start + HEAD) {
        slot.copy_from_slice(&head);
    }
    Ok(())
}

/// Serialises behind what is there, by slices where there are some.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
