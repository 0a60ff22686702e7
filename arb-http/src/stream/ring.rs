//! The messages of the last minutes, and the newest of everything.
//!
//! Invariant: numbers rise by one and never come again; a cursor is either inside the ring, and
//! then nothing behind it is missing, or it is told that it is not. The ring is bounded by count
//! and by bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::message::{Draft, Message};
use super::wanted::{Topic, Wanted};

/// How much a ring keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// Messages by number.
#[derive(Debug)]
pub(super) struct Ring {
    boot: String,
    bounds: Bounds,
    newest: u64,
    bytes: usize,
    kept: VecDeque<Arc<Message>>,
    present: BTreeMap<(Topic, Arc<str>), Arc<Message>>,
}

/// Where a client begins.
#[derive(Debug)]
pub(super) struct Start {
    /// The number behind which it goes on.
    pub(super) cursor: u64,
    /// What it is told first, by number.
    pub(super) first: Vec<Arc<Message>>,
}

/// What stands behind a cursor.
#[derive(Debug)]
pub(super) enum Behind {
    /// The next messages that are wanted, perhaps none; the cursor has moved.
    Next(Vec<Arc<Message>>),
    /// Messages behind the cursor are gone.
    Lost,
}

impl Ring {
    pub(super) fn new(boot: String, bounds: Bounds) -> Self {
        let (kept, present) = (VecDeque::new(), BTreeMap::new());
        Self { boot, bounds, newest: 0, bytes: 0, kept, present }
    }

    /// The number of the newest message.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Numbers a message and keeps it.
    pub(super) fn push(&mut self, draft: Draft) {
        self.newest += 1;
        let message = Arc::new(Message::new(&self.boot, self.newest, draft));
        self.bytes += message.size();
        if message.draft.topic != Topic::Heartbeat {
            let key = (message.draft.topic, Arc::clone(&message.draft.key));
            self.present.insert(key, Arc::clone(&message));
        }
        self.kept.push_back(message);
        while self.kept.len() > self.bounds.messages || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }

    /// Forgets everything but the numbers: whoever comes next gets the present state.
    pub(super) fn sleep(&mut self) {
        self.kept.clear();
        self.present.clear();
        self.bytes = 0;
    }

    /// Where a client begins that last heard `last`: behind it while that is known, else with the
    /// present state of all it wants.
    pub(super) fn start(&self, last: Option<&str>, wanted: &Wanted) -> Start {
        if let Some(cursor) = last.and_then(|last| self.number(last)).filter(|n| self.knows(*n)) {
            return Start { cursor, first: Vec::new() };
        }
        let present = self.present.values().filter(|message| wanted.takes(&message.draft));
        let mut first: Vec<_> = present.cloned().collect();
        first.sort_by_key(|message| message.number);
        Start { cursor: self.newest, first }
    }

    /// Up to `most` wanted messages behind a cursor, which moves past what was looked at.
    pub(super) fn behind(&self, cursor: &mut u64, wanted: &Wanted, most: usize) -> Behind {
        if !self.knows(*cursor) {
            return Behind::Lost;
        }
        let skip = usize::try_from(*cursor - self.before_first()).unwrap_or(usize::MAX);
        let mut next = Vec::new();
        for message in self.kept.iter().skip(skip) {
            if next.len() == most {
                break;
            }
            *cursor = message.number;
            if wanted.takes(&message.draft) {
                next.push(Arc::clone(message));
            }
        }
        Behind::Next(next)
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.rsplit_once('-')?;
        // Only what this process wrote is known: no signs, no zeros in front.
        let number = number.parse::<u64>().ok().filter(|n| n.to_string() == number)?;
        (boot == self.boot).then_some(number)
    }

    fn before_first(&self) -> u64 {
        self.kept.front().map_or(self.newest, |first| first.number - 1)
    }

    fn knows(&self, cursor: u64) -> bool {
        (self.before_first()..=self.newest).contains(&cursor)
    }
}
