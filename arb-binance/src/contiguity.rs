//! Aggregate trades of one instrument without a hole, over lost frames and rolling reconnects.
//!
//! Invariant: every id after the first is given exactly once, as a trade in ascending order or
//! inside a `Backfill`, or lies in a hole that was announced by a `Gap` and, when nobody can fill
//! it, closed by a `GapAccepted`.
//!
//! While two connections overlap, each brings all trades, so duplicates are dropped by id, and a
//! trade ahead of its turn waits up to [`TrackerConfig::patience`] for the other connection before
//! the ids between count as missing. A single connection delivers in order: what it skips is
//! missing at once.

mod holes;

use std::collections::BTreeMap;

use arb_core::time::SECOND;
use arb_core::{Backfill, EventKind, Gap, GapAccepted, InstrumentId, Timestamp, Trade};

use self::holes::Holes;

/// How a tracker waits and asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerConfig {
    /// How long a trade waits for its predecessors while two connections overlap, nanoseconds.
    pub patience: i64,
    /// Most trades that wait; more make the hole certain.
    pub max_waiting: usize,
    /// Answers without a missing trade after which a hole is accepted.
    pub max_tries: u32,
    /// Time before the second try, nanoseconds; doubled for each further one.
    pub retry_after: i64,
    /// Trades asked for at once, at most what the venue allows.
    pub page: u16,
}

impl Default for TrackerConfig {
    /// Half a second, 10,000 trades, 5 tries from 2 s on, 1,000 trades a page.
    fn default() -> Self {
        Self {
            patience: SECOND / 2,
            max_waiting: 10_000,
            max_tries: 5,
            retry_after: 2 * SECOND,
            page: 1_000,
        }
    }
}

/// Missing trades to ask the venue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillRequest {
    /// Whose.
    pub instrument: InstrumentId,
    /// The first missing id.
    pub from_id: u64,
    /// How many trades to ask for.
    pub limit: u16,
}

/// What a tracker met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackerCounters {
    /// Trades seen before.
    pub duplicates: u64,
    /// Holes announced.
    pub holes: u64,
    /// Missing trades found later.
    pub filled: u64,
    /// Missing trades given up.
    pub accepted: u64,
}

/// Follows the ids of one instrument.
#[derive(Clone, Debug)]
pub struct TradeTracker {
    instrument: InstrumentId,
    config: TrackerConfig,
    next_id: Option<u64>,
    connections: u32,
    lost_contact: bool,
    /// Trades ahead of their turn.
    waiting: BTreeMap<u64, Trade>,
    waiting_since: Timestamp,
    holes: Holes,
    counters: TrackerCounters,
}

impl TradeTracker {
    /// A tracker before its first trade, with no connection.
    #[must_use]
    pub const fn new(instrument: InstrumentId, config: TrackerConfig) -> Self {
        Self {
            instrument,
            config,
            next_id: None,
            connections: 0,
            lost_contact: false,
            waiting: BTreeMap::new(),
            waiting_since: Timestamp::EPOCH,
            holes: Holes::new(),
            counters: TrackerCounters { duplicates: 0, holes: 0, filled: 0, accepted: 0 },
        }
    }

    /// A tracker that goes on after the trade `last_id`, as after a restart: what came since then
    /// is a hole.
    #[must_use]
    pub fn resume(instrument: InstrumentId, config: TrackerConfig, last_id: u64) -> Self {
        Self { next_id: last_id.checked_add(1), ..Self::new(instrument, config) }
    }

    /// Tells of a hole that an earlier tracker left, which was announced then; ids that are not
    /// behind the last one are left out.
    pub fn missing(&mut self, first: u64, last: u64) {
        let Some(known) = self.last_id() else { return };
        if first <= last && last <= known {
            self.holes.add(first, last, Timestamp::EPOCH);
        }
    }

    /// What was met so far.
    #[must_use]
    pub const fn counters(&self) -> TrackerCounters {
        self.counters
    }

    /// Id of the last trade given in order; none before any.
    #[must_use]
    pub fn last_id(&self) -> Option<u64> {
        self.next_id?.checked_sub(1)
    }

    /// Whether nothing is missing: no hole, no trade that waits, no lost contact.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.holes.is_empty() && self.waiting.is_empty() && !self.lost_contact
    }

    /// A connection subscribed the instrument's trades.
    pub const fn connected(&mut self) {
        self.connections = self.connections.saturating_add(1);
    }

    /// A connection ended. Without another one contact is lost right after the last trade.
    pub fn disconnected(&mut self, now: Timestamp, out: &mut Vec<EventKind>) {
        self.connections = self.connections.saturating_sub(1);
        if self.connections == 0 {
            self.give_up_waiting(now, out);
            self.announce(out);
        } else {
            self.advance(now, out);
        }
    }

    /// Takes a trade from any connection.
    #[inline]
    pub fn trade(&mut self, trade: Trade, now: Timestamp, out: &mut Vec<EventKind>) {
        if self.next_id == Some(trade.id) && self.waiting.is_empty() {
            self.give(trade, out);
        } else {
            self.out_of_turn(trade, now, out);
        }
    }

    #[inline]
    fn give(&mut self, trade: Trade, out: &mut Vec<EventKind>) {
        self.next_id = Some(trade.id.saturating_add(1));
        self.lost_contact = false;
        out.push(EventKind::Trade(trade));
    }

    #[cold]
    fn out_of_turn(&mut self, trade: Trade, now: Timestamp, out: &mut Vec<EventKind>) {
        if trade.id == u64::MAX {
            // No id could follow it.
            self.counters.duplicates += 1;
            return;
        }
        let Some(next) = self.next_id else { return self.give(trade, out) };
        if trade.id < next {
            if self.holes.take(trade.id) {
                self.counters.filled += 1;
                self.backfill(vec![trade], out);
            } else {
                self.counters.duplicates += 1;
            }
            return;
        }
        if self.waiting.is_empty() {
            self.waiting_since = now;
        }
        if self.waiting.insert(trade.id, trade).is_some() {
            self.counters.duplicates += 1;
        }
        self.advance(now, out);
    }

    /// Gives what has its turn now, and tells what is missing once it is certain. To be called
    /// now and then: a trade that waits is given no later than the next call after its patience.
    pub fn advance(&mut self, now: Timestamp, out: &mut Vec<EventKind>) {
        self.give_in_turn(now, out);
        let overlap = self.connections > 1;
        let patient = overlap && now.since(self.waiting_since) < self.config.patience;
        if !self.waiting.is_empty() && (!patient || self.waiting.len() > self.config.max_waiting) {
            self.give_up_waiting(now, out);
        }
    }

    fn give_in_turn(&mut self, now: Timestamp, out: &mut Vec<EventKind>) {
        while let Some(entry) = self.waiting.first_entry() {
            if Some(*entry.key()) != self.next_id {
                return;
            }
            let trade = entry.remove();
            self.give(trade, out);
            self.waiting_since = now;
        }
    }

    /// Everything that waits is given; what it waited for is missing.
    fn give_up_waiting(&mut self, now: Timestamp, out: &mut Vec<EventKind>) {
        while let Some((id, trade)) = self.waiting.pop_first() {
            if let Some(next) = self.next_id.filter(|next| *next < id) {
                self.announce(out);
                self.counters.holes += 1;
                self.holes.add(next, id - 1, now);
            }
            self.give(trade, out);
        }
    }

    /// Says that contact was lost right after the last trade, unless that was said.
    fn announce(&mut self, out: &mut Vec<EventKind>) {
        if let Some(after_id) = self.last_id().filter(|_| !self.lost_contact) {
            self.lost_contact = true;
            out.push(EventKind::Gap(Gap { instrument: self.instrument, after_id }));
        }
    }

    /// Takes trades, ascending, that the venue has and no connection brought although one
    /// delivers: contact was lost without a word. Those behind the last trade are given in order,
    /// and contact counts as lost until a connection brings the next one. Tells how many there were.
    pub fn overlooked(
        &mut self,
        trades: &[Trade],
        now: Timestamp,
        out: &mut Vec<EventKind>,
    ) -> usize {
        let is_new = |trade: &&Trade| {
            let waits = self.waiting.contains_key(&trade.id);
            self.next_id.is_none_or(|next| trade.id >= next) && !waits
        };
        let new: Vec<Trade> = trades.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return 0;
        }
        self.announce(out);
        for trade in &new {
            self.trade(*trade, now, out);
        }
        self.give_up_waiting(now, out);
        self.announce(out);
        new.len()
    }

    /// The next request that is due, oldest hole first; none while one is being answered.
    pub fn request(&mut self, now: Timestamp) -> Option<BackfillRequest> {
        let (from_id, missing) = self.holes.ask(now)?;
        let page = u64::from(self.config.page);
        let limit = u16::try_from(missing.min(page)).unwrap_or(self.config.page);
        Some(BackfillRequest { instrument: self.instrument, from_id, limit })
    }

    /// Takes the answer to the last request: trades from its id on, ascending. Those that are not
    /// missing are ignored; an answer without any counts as a try.
    pub fn answer(&mut self, trades: &[Trade], now: Timestamp, out: &mut Vec<EventKind>) {
        let Some(asked) = self.holes.answered() else { return };
        let mut missing: Vec<Trade> = trades.to_vec();
        missing.sort_by_key(|trade| trade.id);
        missing.retain(|trade| self.holes.take(trade.id));
        if !missing.is_empty() {
            self.counters.filled += u64::try_from(missing.len()).unwrap_or(u64::MAX);
            return self.backfill(missing, out);
        }
        let tries = self.holes.count_try(asked, now, self.config.retry_after);
        if tries >= self.config.max_tries {
            self.accept(asked, out);
        }
    }

    /// The last request failed on the way, which says nothing about the trades: ask again later.
    pub fn failed(&mut self, now: Timestamp) {
        if let Some(asked) = self.holes.answered() {
            self.holes.postpone(asked, now, self.config.retry_after);
        }
    }

    fn accept(&mut self, from_id: u64, out: &mut Vec<EventKind>) {
        let Some((first, last)) = self.holes.remove(from_id) else { return };
        self.counters.accepted = self.counters.accepted.saturating_add(last - first + 1);
        let next_id = last.saturating_add(1);
        out.push(EventKind::GapAccepted(GapAccepted { instrument: self.instrument, next_id }));
    }

    fn backfill(&self, trades: Vec<Trade>, out: &mut Vec<EventKind>) {
        let backfill = Backfill { instrument: self.instrument, trades };
        out.push(EventKind::Backfill(Box::new(backfill)));
    }
}

#[cfg(test)]
mod tests;
