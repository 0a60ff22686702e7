//! Missing trades of one instrument, and what they make incomplete.
//!
//! Invariant: a window is complete only if the feed ran before the window began and no trade id
//! inside it is missing. A hole counts while its end lies in the window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::BAR;
use crate::time::{DAY, Timestamp};

/// Missing ids between two trades that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) from_id: u64,
    pub(crate) to_id: u64,
    /// Time of the trade before.
    pub(crate) start: Timestamp,
    /// Time of the trade after.
    pub(crate) end: Timestamp,
    /// Nobody will fill it.
    pub(crate) accepted: bool,
}

impl Missing {
    fn touches(&self, bar_start: Timestamp) -> bool {
        self.start.floor_to(BAR) <= bar_start && bar_start <= self.end.floor_to(BAR)
    }
}

/// The holes of one feed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Holes {
    started: Option<Timestamp>,
    /// The feed lost contact after a trade of this time, and none has come since.
    open_since: Option<Timestamp>,
    list: VecDeque<Missing>,
}

impl Holes {
    pub(crate) fn start(&mut self, first_trade: Timestamp) {
        self.started.get_or_insert(first_trade);
    }

    pub(crate) fn open(&mut self, last_trade: Timestamp) {
        self.open_since.get_or_insert(last_trade);
    }

    /// Contact is back without loss.
    pub(crate) fn close(&mut self) -> Option<Timestamp> {
        self.open_since.take()
    }

    pub(crate) fn add(&mut self, hole: Missing) {
        self.list.push_back(hole);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open_since.is_some()
    }

    /// Whether a hole that may still be filled exists.
    pub(crate) fn has_unfilled(&self) -> bool {
        self.is_open() || self.list.iter().any(|hole| !hole.accepted)
    }

    /// The holes that may still be filled.
    pub(crate) fn unfilled(&self) -> impl Iterator<Item = &Missing> {
        self.list.iter().filter(|hole| !hole.accepted)
    }

    pub(crate) fn accept(&mut self, next_id: u64) {
        for hole in self.list.iter_mut().filter(|hole| hole.to_id < next_id) {
            hole.accepted = true;
        }
    }

    /// Takes the trade `id` of time `ts` out of the hole it lies in, splitting the hole; tells the
    /// hole as it was.
    pub(crate) fn fill(&mut self, id: u64, ts: Timestamp) -> Option<Missing> {
        let at = self.list.iter().position(|h| h.from_id <= id && id <= h.to_id)?;
        let hole = self.list.remove(at)?;
        if id < hole.to_id {
            self.list.insert(at, Missing { from_id: id + 1, start: ts, ..hole });
        }
        if hole.from_id < id {
            self.list.insert(at, Missing { to_id: id - 1, end: ts, ..hole });
        }
        Some(hole)
    }

    /// Forgets holes that no window reaches.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while self.list.front().is_some_and(|hole| hole.end < now.plus(-DAY)) {
            self.list.pop_front();
        }
    }

    /// Whether every trade with `ts >= now − window` was seen.
    pub(crate) fn complete(&self, now: Timestamp, window: i64) -> bool {
        let from = now.plus(-window);
        self.started.is_some_and(|start| start < from)
            && self.open_since.is_none()
            && self.list.iter().all(|hole| hole.end < from)
    }

    /// When a window will be complete if nothing more is missed; none while contact is lost or
    /// nothing was seen.
    pub(crate) fn whole_at(&self, window: i64) -> Option<Timestamp> {
        let started = self.started.filter(|_| self.open_since.is_none())?;
        let last = self.list.iter().map(|hole| hole.end).max();
        Some(last.map_or(started, |end| end.max(started)).plus(window + 1))
    }

    /// Whether an unfilled hole touches the 5-minute interval that starts at `bar_start`.
    pub(crate) fn touch(&self, bar_start: Timestamp) -> bool {
        self.open_since.is_some_and(|since| since.floor_to(BAR) <= bar_start)
            || self.list.iter().any(|hole| hole.touches(bar_start))
    }

    /// 1 − Σ hole time ÷ min(24 h, time since start).
    #[expect(clippy::cast_precision_loss, reason = "a share of a day")]
    pub(crate) fn coverage_24h(&self, now: Timestamp) -> f64 {
        let Some(start) = self.started else { return 0.0 };
        let from = start.max(now.plus(-DAY));
        let span = now.since(from);
        if span <= 0 {
            return 1.0;
        }
        let missing = |start: Timestamp, end: Timestamp| end.min(now).since(start.max(from)).max(0);
        let holes: i64 = self.list.iter().map(|hole| missing(hole.start, hole.end)).sum();
        let open = self.open_since.map_or(0, |since| missing(since, now));
        1.0 - (holes + open) as f64 / span as f64
    }

    /// Time since the start of the feed.
    pub(crate) fn running_for(&self, now: Timestamp) -> i64 {
        self.started.map_or(0, |start| now.since(start))
    }
}
