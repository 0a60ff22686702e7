//! Runs a journal's events again and compares the outputs byte for byte.

use std::io::{self, Read};

use arb_core::{ENGINE_VERSION, Engine, Event, Output, Registry};

use super::{Header, Kind, MAGIC, MAX_RECORD, RecordError, checksum};

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Events run.
    pub events: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// The first output that differs; none when all are equal.
    pub difference: Option<Difference>,
}

/// An output that is not what the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the event that caused it, from 1.
    pub event: u64,
    /// Number of the output behind that event, from 1.
    pub output: usize,
    /// The event in words.
    pub cause: String,
    /// Recorded bytes, hexadecimal; none where the journal has no such output.
    pub recorded: Option<String>,
    /// The output of the replay in words; none where the replay has no such output.
    pub replayed: Option<String>,
}

struct Reader<R> {
    input: R,
    offset: u64,
    records: u64,
    payload: Vec<u8>,
}

impl<R: Read> Reader<R> {
    fn corrupt(&self, what: impl ToString) -> RecordError {
        let (number, offset) = (self.records + 1, self.offset);
        RecordError::Corrupt { number, offset, what: what.to_string() }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RecordError> {
        self.input.read_exact(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => RecordError::Truncated { after: self.records },
            _ => RecordError::Io(e),
        })
    }

    /// The next record's kind; its payload is in `self.payload`.
    fn next(&mut self) -> Result<Kind, RecordError> {
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
        self.payload = payload;
        self.records += 1;
        self.offset += 9 + u64::from(length);
        Ok(kind)
    }

    fn header(&mut self) -> Result<(), RecordError> {
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
        if header.engine_version != ENGINE_VERSION {
            let (found, own) = (header.engine_version, ENGINE_VERSION);
            return Err(RecordError::Version { found, own });
        }
        Ok(())
    }
}

/// Replays a journal up to its end or the first difference.
///
/// # Errors
/// [`RecordError`] when the file is no whole, undamaged journal of this engine version.
pub fn replay(input: impl Read, registry: Registry) -> Result<Replayed, RecordError> {
    let mut reader = Reader { input, offset: 0, records: 0, payload: Vec::new() };
    reader.header()?;
    let mut engine = Engine::new(registry);
    let mut run = Run::default();
    loop {
        let kind = reader.next()?;
        if kind != Kind::Output
            && let Some(difference) = run.missing()
        {
            return Ok(run.result(Some(difference)));
        }
        match kind {
            Kind::Event => {
                let event: Event =
                    postcard::from_bytes(&reader.payload).map_err(|e| reader.corrupt(e))?;
                run.outputs.clear();
                run.compared = 0;
                engine.on_event(&event, &mut run.outputs);
                run.events += 1;
                run.cause = Some(event);
            }
            Kind::Output => {
                if let Some(difference) = run.compare(&reader.payload) {
                    return Ok(run.result(Some(difference)));
                }
            }
            Kind::End => return Ok(run.result(None)),
            Kind::Header => return Err(reader.corrupt("a second header")),
        }
    }
}

#[derive(Default)]
struct Run {
    events: u64,
    total: u64,
    compared: usize,
    outputs: Vec<Output>,
    cause: Option<Event>,
}

impl Run {
    fn compare(&mut self, recorded: &[u8]) -> Option<Difference> {
        let output = self.outputs.get(self.compared);
        let own = output.and_then(|output| postcard::to_stdvec(output).ok());
        self.compared += 1;
        self.total += 1;
        if own.as_deref() == Some(recorded) {
            return None;
        }
        Some(self.difference(Some(recorded)))
    }

    /// An output of the replay that the journal does not have.
    fn missing(&mut self) -> Option<Difference> {
        if self.compared >= self.outputs.len() {
            return None;
        }
        self.compared += 1;
        Some(self.difference(None))
    }

    fn difference(&self, recorded: Option<&[u8]>) -> Difference {
        let replayed = self.compared.checked_sub(1).and_then(|at| self.outputs.get(at));
        Difference {
            event: self.events,
            output: self.compared,
            cause: self.cause.as_ref().map_or_else(String::new, |event| format!("{event:?}")),
            recorded: recorded.map(hex),
            replayed: replayed.map(|output| format!("{output:?}")),
        }
    }

    fn result(self, difference: Option<Difference>) -> Replayed {
        Replayed { events: self.events, outputs: self.total, difference }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
