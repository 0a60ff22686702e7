//! Runs a log again: the way a node restarts, and the way its background task follows it.
//!
//! Invariant: a replica says nothing of its own. Every answer of the venue and every output of the
//! engine is compared with the record that the log has of it, so state, log and code belong
//! together or the difference is told with its place. At the end of a log that death cut off,
//! what is missing is derived: the same outputs and answers that would have been written.

use arb_core::{
    Engine, Event, EventKind, OrderEvent, OrderUpdate, Output, PaperVenue, Registry, RejectReason,
    Timestamp,
};

use super::cell::Cell;
use super::error::NodeError;
use super::snapshot::Snapshot;
use crate::record::log::{LogCursor, LogRecord, Seq};

/// An engine with its venue at a place of the log.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) cell: Cell,
    /// Number of the last record that was run or compared.
    pub(super) seq: Seq,
    /// Time of the last event.
    pub(super) at: Timestamp,
    /// The last grid time that was told.
    pub(super) last_tick: Option<Timestamp>,
    /// How many outputs of the last event the log has.
    compared: usize,
    scratch: Vec<u8>,
}

impl Replica {
    /// Before the first event.
    pub(super) fn new(registry: Registry, venue: PaperVenue) -> Self {
        Self::of(Cell::new(Engine::new(registry), venue))
    }

    fn of(cell: Cell) -> Self {
        Self {
            cell,
            seq: 0,
            at: Timestamp::EPOCH,
            last_tick: None,
            compared: 0,
            scratch: Vec::new(),
        }
    }

    /// Where a snapshot was taken.
    pub(super) fn restore(registry: Registry, snapshot: Snapshot) -> Result<Self, NodeError> {
        let engine = Engine::restore(registry, snapshot.engine)?;
        let cell = Cell::new(engine, snapshot.venue);
        let (seq, at, last_tick) = (snapshot.seq, snapshot.at, snapshot.last_tick);
        Ok(Self { seq, at, last_tick, ..Self::of(cell) })
    }

    /// Runs the next event of the log and compares what the log has of its outputs; tells the
    /// event with its number, or none at the end.
    pub(super) fn next(
        &mut self,
        cursor: &mut LogCursor,
        durable: Seq,
    ) -> Result<Option<(Seq, Event)>, NodeError> {
        self.compare(cursor, durable)?;
        if !self.unlogged().is_empty() {
            return Ok(None);
        }
        let event = match cursor.next(durable)? {
            Some(LogRecord::Event(event)) => event,
            Some(LogRecord::Output(_)) => {
                self.seq = cursor.last();
                return Err(self.diverged("there is an output more"));
            }
            None => {
                self.seq = cursor.last();
                return Ok(None);
            }
        };
        let seq = cursor.last();
        self.seq = seq;
        self.run(&event)?;
        self.compare(cursor, durable)?;
        Ok(Some((seq, event)))
    }

    /// Compares what the log has of the outputs of the last event.
    fn compare(&mut self, cursor: &mut LogCursor, durable: Seq) -> Result<(), NodeError> {
        while self.compared < self.cell.out.len() {
            let Some(record) = cursor.next(durable)? else { return Ok(()) };
            let LogRecord::Output(bytes) = record else {
                return Err(self.diverged("an output is missing"));
            };
            let same = is_same(self.cell.out.get(self.compared), bytes, &mut self.scratch);
            self.seq += 1;
            self.compared += 1;
            if !same {
                return Err(self.diverged(&format!("{:?} differs", self.last())));
            }
        }
        Ok(())
    }

    fn last(&self) -> Option<&Output> {
        self.cell.out.get(self.compared.checked_sub(1)?)
    }

    fn run(&mut self, event: &Event) -> Result<(), NodeError> {
        if event.at < self.at {
            return Err(self.diverged("time went back"));
        }
        self.at = event.at;
        match &event.kind {
            EventKind::Order(logged) => self.expect(logged, event.at)?,
            kind => {
                while self.cell.next_wakeup() < event.at && !self.cell.has_answers() {
                    self.cell.wake(self.cell.next_wakeup());
                }
                if self.cell.has_answers() {
                    return Err(self.diverged("an answer of the venue is missing"));
                }
                if let EventKind::Tick(at) = kind {
                    self.last_tick = Some(*at);
                }
            }
        }
        self.compared = 0;
        self.cell.observe(event);
        self.cell.act(event);
        Ok(())
    }

    /// Takes the venue's next answer, which must be the logged one.
    fn expect(&mut self, logged: &OrderEvent, at: Timestamp) -> Result<(), NodeError> {
        if logged.update == OrderUpdate::Rejected(RejectReason::NotDurable) {
            self.cell.venue.take_back(logged.id);
            return Ok(());
        }
        if !self.cell.has_answers() {
            self.cell.wake(at);
        }
        match self.cell.next_answer(at).map(|event| event.kind) {
            Some(EventKind::Order(own)) if *own == *logged => Ok(()),
            other => Err(self.diverged(&format!("{logged:?}, where the venue says {other:?}"))),
        }
    }

    /// Outputs of the last event that the log does not have.
    pub(super) fn unlogged(&self) -> &[Output] {
        self.cell.out.get(self.compared..).unwrap_or_default()
    }

    fn diverged(&self, what: &str) -> NodeError {
        NodeError::Diverged { seq: self.seq, at: self.at, what: what.to_owned() }
    }
}

fn is_same(own: Option<&Output>, bytes: &[u8], scratch: &mut Vec<u8>) -> bool {
    let Some(own) = own else { return false };
    scratch.clear();
    match postcard::to_extend(own, std::mem::take(scratch)) {
        Ok(encoded) => {
            *scratch = encoded;
            scratch == bytes
        }
        Err(_) => false,
    }
}
