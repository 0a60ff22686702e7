//! Runs a journal's events again and compares the outputs byte for byte.

use std::io::Read;

use arb_core::{ENGINE_VERSION, Engine, Event, Output, Registry};

use super::reader::Reader;
use super::{Kind, RecordError};

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

/// Replays a journal up to its end or the first difference.
///
/// # Errors
/// [`RecordError`] when the file is no whole, undamaged journal of this engine version.
pub fn replay(input: impl Read, registry: Registry) -> Result<Replayed, RecordError> {
    let mut reader = Reader::new(input);
    let found = reader.header()?;
    if found != ENGINE_VERSION {
        return Err(RecordError::Version { found, own: ENGINE_VERSION });
    }
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
                    postcard::from_bytes(reader.payload()).map_err(|e| reader.corrupt(e))?;
                run.outputs.clear();
                run.compared = 0;
                engine.on_event(&event, &mut run.outputs);
                run.events += 1;
                run.cause = Some(event);
            }
            Kind::Output => {
                if let Some(difference) = run.compare(reader.payload()) {
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
