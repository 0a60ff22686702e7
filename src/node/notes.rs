//! The newest outputs with their log numbers, for hosts and the notifier.
//!
//! Invariant: notes are given in the order of their numbers, each once, and a reader that falls
//! behind the ring goes on with the oldest note there is; whoever must see everything reads the
//! store, which the log fills.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use arb_core::Output;
use arb_core::port::{Note, Notes};
use futures_core::Stream;
use tokio::sync::watch;

use crate::record::log::Seq;

/// Notes held.
const HELD: usize = 10_000;

/// The newest notes.
#[derive(Debug)]
pub(super) struct NoteRing {
    notes: Mutex<VecDeque<Note>>,
    last: watch::Sender<Seq>,
}

impl NoteRing {
    pub(super) fn new() -> Self {
        Self { notes: Mutex::new(VecDeque::new()), last: watch::Sender::new(0) }
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the newest note.
    pub(super) fn push(&self, seq: Seq, output: Output) {
        let mut notes = self.held();
        if notes.len() == HELD {
            notes.pop_front();
        }
        notes.push_back(Note { seq, output });
        drop(notes);
        self.last.send_replace(seq);
    }

    /// The first note after a number.
    pub(super) fn after(&self, seq: Seq) -> Option<Note> {
        let notes = self.held();
        let at = notes.partition_point(|note| note.seq <= seq);
        notes.get(at).cloned()
    }

    /// Waits for a note after a number; none when there will be none.
    pub(super) async fn wait(&self, seq: Seq, alive: &mut watch::Receiver<Alive>) -> Option<Note> {
        let mut last = self.last.subscribe();
        loop {
            if let Some(note) = self.after(seq) {
                return Some(note);
            }
            if *alive.borrow() == Alive::No {
                return None;
            }
            tokio::select! {
                changed = last.changed() => changed.ok()?,
                changed = alive.changed() => {
                    if changed.is_err() {
                        return self.after(seq);
                    }
                }
            }
        }
    }

    /// The notes after a number, then new ones, until the node ends.
    pub(super) fn stream(self: &Arc<Self>, after: Seq, alive: watch::Receiver<Alive>) -> Notes {
        Box::pin(NoteStream { waiting: waiting(Arc::clone(self), after, alive) })
    }
}

/// Whether the driver runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alive {
    Yes,
    No,
}

type Found = Option<(Note, Arc<NoteRing>, watch::Receiver<Alive>)>;
type Waiting = Pin<Box<dyn Future<Output = Found> + Send>>;

fn waiting(ring: Arc<NoteRing>, after: Seq, mut alive: watch::Receiver<Alive>) -> Waiting {
    Box::pin(async move {
        let note = ring.wait(after, &mut alive).await?;
        Some((note, ring, alive))
    })
}

struct NoteStream {
    waiting: Waiting,
}

impl Stream for NoteStream {
    type Item = Note;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Note>> {
        match self.waiting.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.waiting = Box::pin(std::future::ready(None));
                Poll::Ready(None)
            }
            Poll::Ready(Some((note, ring, alive))) => {
                self.waiting = waiting(ring, note.seq, alive);
                Poll::Ready(Some(note))
            }
        }
    }
}
