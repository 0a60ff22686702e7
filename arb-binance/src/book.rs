//! A local order book, kept in step by the documented rules.
//!
//! Invariant: while [`OrderBook::is_synced`], the levels are those of the snapshot with every
//! update since applied, none left out; the first sign of a missing update ends that until the
//! next snapshot.
//!
//! | | futures | spot |
//! |---|---|---|
//! | an update is old | `u < lastUpdateId` | `u <= lastUpdateId` |
//! | the first one applied | `U <= lastUpdateId <= u` | `U <= lastUpdateId + 1 <= u` |
//! | every further one | `pu` = `u` of the one before | `U` = `u` of the one before + 1 |
//!
//! An update whose `u` was passed already is a duplicate of an overlapping connection.

use std::collections::{BTreeMap, VecDeque};

use arb_core::{Price, Qty};

use crate::wire::rest::DepthSnapshot;
use crate::wire::{DepthUpdate, Level};

/// Updates kept while waiting for a snapshot; older ones make way, and a snapshot that would need
/// them is then refused as too old.
const BUFFER: usize = 4_096;

/// Whose rules of continuity apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthRules {
    /// USDⓈ-M futures: update ids are shared by all symbols, `pu` links them.
    Futures,
    /// Spot: the ids of a symbol count up without a hole.
    Spot,
}

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookSide {
    /// Buy orders, best first from above.
    Bids,
    /// Sell orders, best first from below.
    Asks,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// Kept until a snapshot comes.
    Buffered,
    /// Older than the snapshot, or applied before.
    Old,
    /// Applied.
    Applied,
    /// Updates are missing before it: the book is out of step and needs a new snapshot.
    Gap,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// The book is in step, as far as the updates so far can tell.
    Synced {
        /// Buffered updates older than the snapshot.
        old: usize,
        /// Buffered updates applied to it.
        applied: usize,
    },
    /// The snapshot is older than the buffered updates, or they have a hole: take another one.
    TooOld,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// A snapshot with this id, and no update applied to it yet.
    Seeded(u64),
    /// The `u` of the last update applied.
    Following(u64),
}

/// The ids of an update.
#[derive(Clone, Copy, Debug)]
struct Ids {
    first: u64,
    last: u64,
    previous: Option<u64>,
}

#[derive(Clone, Debug)]
struct Buffered {
    ids: Ids,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The book of one instrument.
#[derive(Clone, Debug)]
pub struct OrderBook {
    rules: DepthRules,
    state: State,
    buffer: VecDeque<Buffered>,
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
}

impl OrderBook {
    /// An empty book that waits for a snapshot.
    #[must_use]
    pub const fn new(rules: DepthRules) -> Self {
        Self {
            rules,
            state: State::Waiting,
            buffer: VecDeque::new(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        }
    }

    /// Whether the levels may be used.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    /// The id of the snapshot or of the last update applied; none while waiting.
    #[must_use]
    pub const fn update_id(&self) -> Option<u64> {
        match self.state {
            State::Waiting => None,
            State::Seeded(id) | State::Following(id) => Some(id),
        }
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<Level> {
        let best = match side {
            BookSide::Bids => self.bids.last_key_value(),
            BookSide::Asks => self.asks.first_key_value(),
        };
        best.map(|(price, qty)| Level { price: *price, qty: *qty })
    }

    /// Number of known levels of a side.
    #[must_use]
    pub fn len(&self, side: BookSide) -> usize {
        match side {
            BookSide::Bids => self.bids.len(),
            BookSide::Asks => self.asks.len(),
        }
    }

    /// Whether neither side has a level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: BookSide) -> impl Iterator<Item = Level> {
        let (bids, asks) = match side {
            BookSide::Bids => (Some(self.bids.iter().rev()), None),
            BookSide::Asks => (None, Some(self.asks.iter())),
        };
        let both = bids.into_iter().flatten().chain(asks.into_iter().flatten());
        both.map(|(price, qty)| Level { price: *price, qty: *qty })
    }

    /// Forgets everything, for a new connection.
    pub fn reset(&mut self) {
        *self = Self::new(self.rules);
    }

    /// Takes the next update of the stream.
    pub fn update(&mut self, update: &DepthUpdate<'_>) -> UpdateOutcome {
        let ids =
            Ids { first: update.first_id, last: update.last_id, previous: update.previous_id };
        let outcome = self.place(ids);
        match outcome {
            UpdateOutcome::Applied => self.apply(ids, update.bids, update.asks),
            UpdateOutcome::Old => {}
            UpdateOutcome::Buffered | UpdateOutcome::Gap => {
                if outcome == UpdateOutcome::Gap {
                    self.reset();
                }
                if self.buffer.len() == BUFFER {
                    self.buffer.pop_front();
                }
                let (bids, asks) = (update.bids.to_vec(), update.asks.to_vec());
                self.buffer.push_back(Buffered { ids, bids, asks });
            }
        }
        outcome
    }

    /// Takes a snapshot and applies what was buffered.
    pub fn snapshot(&mut self, snapshot: &DepthSnapshot) -> SnapshotOutcome {
        let level = |level: &Level| (level.price, level.qty);
        self.bids = snapshot.bids.iter().map(level).collect();
        self.asks = snapshot.asks.iter().map(level).collect();
        self.state = State::Seeded(snapshot.last_update_id);
        let (mut old, mut applied) = (0, 0);
        while let Some(update) = self.buffer.pop_front() {
            match self.place(update.ids) {
                UpdateOutcome::Applied => {
                    self.apply(update.ids, &update.bids, &update.asks);
                    applied += 1;
                }
                UpdateOutcome::Old => old += 1,
                UpdateOutcome::Buffered | UpdateOutcome::Gap => {
                    // The updates stay: a newer snapshot may fit before this one.
                    self.buffer.push_front(update);
                    self.state = State::Waiting;
                    self.bids.clear();
                    self.asks.clear();
                    return SnapshotOutcome::TooOld;
                }
            }
        }
        SnapshotOutcome::Synced { old, applied }
    }

    /// Where an update belongs.
    fn place(&self, ids: Ids) -> UpdateOutcome {
        let fits = match (self.state, self.rules) {
            (State::Waiting, _) => return UpdateOutcome::Buffered,
            (State::Seeded(id), DepthRules::Futures) if ids.last < id => return UpdateOutcome::Old,
            (State::Seeded(id), DepthRules::Spot) if ids.last <= id => return UpdateOutcome::Old,
            // Two connections that overlap bring the same update twice.
            (State::Following(id), _) if ids.last <= id => return UpdateOutcome::Old,
            (State::Seeded(id), DepthRules::Futures) => ids.first <= id,
            (State::Seeded(id), DepthRules::Spot) => ids.first <= id.saturating_add(1),
            (State::Following(id), DepthRules::Futures) => ids.previous == Some(id),
            (State::Following(id), DepthRules::Spot) => id.checked_add(1) == Some(ids.first),
        };
        if fits { UpdateOutcome::Applied } else { UpdateOutcome::Gap }
    }

    fn apply(&mut self, ids: Ids, bids: &[Level], asks: &[Level]) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                if level.qty.is_zero() {
                    side.remove(&level.price);
                } else {
                    side.insert(level.price, level.qty);
                }
            }
        }
        self.state = State::Following(ids.last);
    }
}

#[cfg(test)]
mod tests;
