//! The messages of the last minutes, and the newest of everything.
//!
//! Invariant: numbers rise by one and never come again; a cursor is either inside the ring, and
//! then nothing behind it is missing, or it is told that it is not. The ring is bounded by count
//! and by bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::message::{Draft, Message};
use super::wanted::{Topic, Wanted};

/// Bytes of messages that a client gets at once, about.
const LARGEST_STEP: usize = 32 * 1024;

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

    /// Up to `most` wanted messages behind a cursor, which moves past what was looked at; fewer of
    /// large ones, because a slow client holds what it got.
    pub(super) fn behind(&self, cursor: &mut u64, wanted: &Wanted, most: usize) -> Behind {
        if !self.knows(*cursor) {
            return Behind::Lost;
        }
        let skip = usize::try_from(*cursor - self.before_first()).unwrap_or(usize::MAX);
        let (mut next, mut bytes) = (Vec::new(), 0);
        for message in self.kept.iter().skip(skip) {
            if next.len() == most || bytes >= LARGEST_STEP {
                break;
            }
            *cursor = message.number;
            if wanted.takes(&message.draft) {
                bytes += message.size();
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

#[cfg(test)]
mod tests {
    use arb_core::port::{Principal, UserRole};

    use super::super::message::Content;
    use super::*;
    use crate::coins::Coins;

    fn wanted(topics: &[&str]) -> Wanted {
        let who =
            Principal { user: 1, email: "a@b.c".to_owned(), role: UserRole::Admin, key: None };
        Wanted::new(&who, Coins::new(&[]), (topics, &[])).unwrap()
    }

    fn draft(topic: Topic, key: &str, text: &str) -> Draft {
        let content = Content::Whole(format!("\"{text}\""));
        Draft { topic, key: key.into(), symbol: None, content }
    }

    fn ring(messages: usize, bytes: usize) -> Ring {
        Ring::new("boot".to_owned(), Bounds { messages, bytes })
    }

    fn numbers(behind: Behind) -> Vec<u64> {
        match behind {
            Behind::Next(next) => next.iter().map(|message| message.number).collect(),
            Behind::Lost => panic!("nothing is lost"),
        }
    }

    #[test]
    fn a_cursor_passes_what_is_not_wanted_and_takes_what_is() {
        let mut ring = ring(100, 1 << 20);
        for number in 1..=10 {
            let topic = if number % 2 == 0 { Topic::Risk } else { Topic::Rates };
            ring.push(draft(topic, "k", "t"));
        }
        let (risk, mut cursor) = (wanted(&["risk"]), 0);
        assert_eq!(numbers(ring.behind(&mut cursor, &risk, 3)), [2, 4, 6]);
        assert_eq!(numbers(ring.behind(&mut cursor, &risk, 3)), [8, 10]);
        assert_eq!(numbers(ring.behind(&mut cursor, &risk, 3)), [0_u64; 0]);
        assert_eq!(cursor, 10);
    }

    #[test]
    fn a_ring_is_bounded_by_count_and_by_bytes() {
        let mut by_count = ring(4, 1 << 20);
        let mut by_bytes = ring(1_000, 8_000);
        for _ in 0..50 {
            by_count.push(draft(Topic::Risk, "k", "t"));
            by_bytes.push(draft(Topic::Risk, "k", &"t".repeat(1_000)));
        }
        assert_eq!(by_count.kept.len(), 4);
        assert!(by_bytes.kept.len() < 4 && by_bytes.bytes <= 8_000, "{}", by_bytes.bytes);
        let all = wanted(&[]);
        assert!(matches!(by_count.behind(&mut 45, &all, 9), Behind::Lost));
        assert_eq!(numbers(by_count.behind(&mut 46, &all, 9)), [47, 48, 49, 50]);
    }

    #[test]
    fn the_present_state_is_the_newest_of_each() {
        let mut ring = ring(3, 1 << 20);
        for (key, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("c", "5"), ("c", "6")]
        {
            ring.push(draft(Topic::Signals, key, text));
        }
        ring.push(draft(Topic::Heartbeat, "heartbeat", "t"));
        let start = ring.start(None, &wanted(&["signals"]));
        let told: Vec<_> = start.first.iter().map(|message| message.number).collect();
        assert_eq!(told, [2, 3, 6], "also what has left the ring, without signs of life");
        assert_eq!(start.cursor, 7);
    }

    #[test]
    fn only_ids_of_this_process_inside_the_ring_are_known() {
        let mut ring = ring(3, 1 << 20);
        for _ in 0..10 {
            ring.push(draft(Topic::Risk, "k", "t"));
        }
        let all = wanted(&[]);
        for known in [7, 8, 9, 10] {
            let start = ring.start(Some(&format!("boot-{known}")), &all);
            assert_eq!((start.cursor, start.first.len()), (known, 0));
        }
        for unknown in ["boot-6", "boot-11", "boot-08", "boot-+8", "other-8", "8", "boot-", ""] {
            let start = ring.start(Some(unknown), &all);
            assert_eq!((start.cursor, start.first.len()), (10, 1), "{unknown}");
        }
    }

    #[test]
    fn numbers_go_on_after_a_sleep_and_what_was_before_is_unknown() {
        let mut ring = ring(10, 1 << 20);
        ring.push(draft(Topic::Risk, "k", "t"));
        ring.push(draft(Topic::Risk, "k", "t"));
        ring.sleep();
        ring.push(draft(Topic::Risk, "k", "t"));
        let all = wanted(&[]);
        assert_eq!(ring.newest(), 3);
        assert_eq!(ring.start(Some("boot-1"), &all).first.len(), 1, "the present state");
    }
}
