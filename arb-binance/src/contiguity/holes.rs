//! Runs of missing ids, and when to ask for them.
//!
//! Invariant: runs do not touch or overlap, and every missing id is in exactly one.

use std::collections::BTreeMap;

use arb_core::Timestamp;

#[derive(Clone, Copy, Debug)]
struct Hole {
    last: u64,
    tries: u32,
    /// When it may be asked for.
    due: Timestamp,
}

/// The missing ids of an instrument, by the first of each run.
#[derive(Clone, Debug)]
pub(super) struct Holes {
    runs: BTreeMap<u64, Hole>,
    /// First id of the request that is being answered.
    asked: Option<u64>,
}

impl Holes {
    pub(super) const fn new() -> Self {
        Self { runs: BTreeMap::new(), asked: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn add(&mut self, first: u64, last: u64, due: Timestamp) {
        self.runs.insert(first, Hole { last, tries: 0, due });
    }

    /// Whether the id was missing; it no longer is.
    pub(super) fn take(&mut self, id: u64) -> bool {
        let Some((&first, &hole)) = self.runs.range(..=id).next_back() else { return false };
        if hole.last < id {
            return false;
        }
        // What is left was never asked for on its own, so its tries begin anew.
        let rest = Hole { tries: 0, ..hole };
        self.runs.remove(&first);
        if first < id {
            self.runs.insert(first, Hole { last: id - 1, ..rest });
        }
        if id < hole.last {
            self.runs.insert(id + 1, rest);
        }
        true
    }

    /// First id and length of the oldest run that is due, which then counts as asked for.
    pub(super) fn ask(&mut self, now: Timestamp) -> Option<(u64, u64)> {
        if self.asked.is_some() {
            return None;
        }
        let (first, hole) = self.runs.iter().find(|(_, hole)| hole.due <= now)?;
        self.asked = Some(*first);
        Some((*first, (hole.last - first).saturating_add(1)))
    }

    /// The request that was being answered.
    pub(super) const fn answered(&mut self) -> Option<u64> {
        self.asked.take()
    }

    /// Counts a fruitless answer and puts the run off, longer each time; tells the tries so far.
    pub(super) fn count_try(&mut self, first: u64, now: Timestamp, wait: i64) -> u32 {
        let Some(hole) = self.runs.get_mut(&first) else { return 0 };
        hole.due = now.plus(wait.saturating_mul(1 << hole.tries.min(16)));
        hole.tries += 1;
        hole.tries
    }

    pub(super) fn postpone(&mut self, first: u64, now: Timestamp, wait: i64) {
        if let Some(hole) = self.runs.get_mut(&first) {
            hole.due = now.plus(wait);
        }
    }

    /// Removes a run and tells its ends.
    pub(super) fn remove(&mut self, first: u64) -> Option<(u64, u64)> {
        self.runs.remove(&first).map(|hole| (first, hole.last))
    }
}
