//! The newest outputs with their log numbers, for hosts and the notifier.
//!
//! Invariant: notes are given in the order of their numbers, each once, and a reader that falls
//! behind the ring goes on with the oldest note there is; whoever must see everything reads the
//! store, which the log fills and which tells them in the same words.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arb_core::port::{Note, Notes, told};
use arb_core::{InstrumentId, Output, Timestamp};
use futures_util::stream;
use tokio::sync::watch;

use crate::record::log::Seq;

/// Notes held.
const HELD: usize = 10_000;

/// The newest notes.
#[derive(Debug)]
pub(super) struct NoteRing {
    state: Mutex<State>,
    last: watch::Sender<Seq>,
}

#[derive(Debug)]
struct State {
    notes: VecDeque<Held>,
    /// Names of the instruments by id. New ones come behind, so the newest names fit all notes.
    names: Arc<[String]>,
}

/// An output with its place in the log.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Number of the event it answers.
    pub(super) event: Seq,
    /// Counts the outputs of that event from 0.
    pub(super) ordinal: u32,
    /// Time of the event.
    pub(super) at: Timestamp,
    pub(super) output: Output,
}

impl Held {
    /// Number of its own record: outputs stand in the log right behind their event.
    pub(super) fn number(&self) -> Seq {
        self.event + 1 + Seq::from(self.ordinal)
    }

    /// As hosts are told it.
    fn told(&self, names: &[String]) -> Result<Note, serde_json::Error> {
        let name = |id: InstrumentId| {
            let name = names.get(id.index()).cloned();
            name.unwrap_or_else(|| format!("instrument {}", id.0))
        };
        let (kind, body) = told(&self.output, name)?;
        let at = Timestamp::from_millis(self.at.as_millis());
        Ok(Note { seq: self.event, ordinal: self.ordinal, at, kind, body })
    }
}

/// Where a reader stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Behind an event and its outputs.
    Event(Seq),
    /// Behind the record of an output.
    Output(Seq),
}

impl Place {
    fn has(self, note: &Held) -> bool {
        match self {
            Self::Event(seq) => note.event <= seq,
            Self::Output(number) => note.number() <= number,
        }
    }
}

impl NoteRing {
    pub(super) fn new() -> Self {
        let state = State { notes: VecDeque::new(), names: Arc::from([]) };
        Self { state: Mutex::new(state), last: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the instruments.
    pub(super) fn name(&self, names: Arc<[String]>) {
        self.state().names = names;
    }

    /// Adds the newest note.
    pub(super) fn push(&self, note: Held) {
        let number = note.number();
        let mut state = self.state();
        if state.notes.len() == HELD {
            state.notes.pop_front();
        }
        state.notes.push_back(note);
        drop(state);
        self.last.send_replace(number);
    }

    /// The first note behind a place, with the names of its time.
    pub(super) fn after(&self, place: Place) -> Option<(Held, Arc<[String]>)> {
        let state = self.state();
        let at = state.notes.partition_point(|note| place.has(note));
        Some((state.notes.get(at)?.clone(), Arc::clone(&state.names)))
    }

    /// Waits for a note behind a place; none when there will be none.
    pub(super) async fn wait(
        &self,
        place: Place,
        alive: &mut watch::Receiver<Alive>,
    ) -> Option<(Held, Arc<[String]>)> {
        let mut last = self.last.subscribe();
        loop {
            if let Some(found) = self.after(place) {
                return Some(found);
            }
            if *alive.borrow() == Alive::No {
                return None;
            }
            tokio::select! {
                changed = last.changed() => changed.ok()?,
                changed = alive.changed() => {
                    if changed.is_err() {
                        return self.after(place);
                    }
                }
            }
        }
    }

    /// The notes of the events after a number, then new ones, until the node ends.
    pub(super) fn stream(self: &Arc<Self>, after: Seq, alive: watch::Receiver<Alive>) -> Notes {
        let reader = (Arc::clone(self), Place::Event(after), alive);
        Box::pin(stream::unfold(reader, |(ring, mut place, mut alive)| async move {
            loop {
                let (held, names) = ring.wait(place, &mut alive).await?;
                place = Place::Output(held.number());
                match held.told(&names) {
                    Ok(note) => return Some((note, (ring, place, alive))),
                    Err(error) => {
                        tracing::error!(%error, record = held.number(), "a note is left out")
                    }
                }
            }
        }))
    }
}

/// Whether the driver runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alive {
    Yes,
    No,
}
