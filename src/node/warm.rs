//! Warm-up: what the store has of the last day runs through the engine before the present begins.
//!
//! Invariant: the same code, events in the order of a tape with ticks between them, and between two
//! [`Phase`](arb_core::Phase) events, so that whatever strategies want is discarded. All of it is
//! in the log: a replay warms up the same way.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use arb_core::port::{Catalog, Listed, Store};
use arb_core::time::{DAY, SECOND, nanos};
use arb_core::{Event, EventKind, StoreError, Timestamp, Trade};

/// Trades read at once of each instrument.
const PAGE: usize = 10_000;
/// Settlements are looked back upon for so long.
const FUNDING: i64 = 30 * DAY;
/// A settlement becomes known so long after its boundary.
const SETTLEMENT_DELAY: i64 = 60 * SECOND;

/// Stored history in the order of a tape.
pub(super) struct History<'a> {
    store: &'a dyn Store,
    tapes: Vec<Stored>,
    /// The instruments' next trades: time, instrument, id.
    heads: BinaryHeap<Reverse<(Timestamp, u16, u64)>>,
    other: VecDeque<Event>,
    until: Timestamp,
}

/// The trades of one instrument.
struct Stored {
    of: Listed,
    page: VecDeque<Trade>,
    next_id: Option<u64>,
}

impl<'a> History<'a> {
    /// What the store has of the `length` before `until`.
    pub(super) async fn open(
        store: &'a dyn Store,
        catalog: &Catalog,
        (until, length): (Timestamp, Duration),
    ) -> Result<Self, StoreError> {
        let from = until.plus(-nanos(length));
        let mut history = Self {
            store,
            tapes: Vec::new(),
            heads: BinaryHeap::new(),
            other: VecDeque::new(),
            until,
        };
        let mut other = Vec::new();
        for (of, _) in catalog.iter() {
            other.extend(store.inputs(of, from, until).await?);
            for settled in store.funding(of, until.plus(-FUNDING), until).await? {
                let at = settled.funding_time.plus(SETTLEMENT_DELAY);
                other.push(Event { at, kind: EventKind::Funding(settled) });
            }
            let next_id = store.first_id_at(of.key, from).await?;
            history.tapes.push(Stored { of, page: VecDeque::new(), next_id });
        }
        other.retain(|event| event.at < until);
        other.sort_by_key(Event::order_key);
        history.other = other.into();
        for index in 0..history.tapes.len() {
            history.refill(index).await?;
        }
        Ok(history)
    }

    async fn refill(&mut self, index: usize) -> Result<(), StoreError> {
        let Some(tape) = self.tapes.get_mut(index) else { return Ok(()) };
        if tape.page.is_empty()
            && let Some(id) = tape.next_id
        {
            tape.page = self.store.trades(tape.of, id, PAGE).await?.into();
            tape.next_id = tape.page.back().map(|last| last.id + 1);
        }
        if let Some(head) = tape.page.front()
            && head.ts < self.until
        {
            self.heads.push(Reverse((head.ts, head.instrument.0, head.id)));
        }
        Ok(())
    }

    /// The next event; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        let trade_at = self.heads.peek().map(|Reverse((at, ..))| *at);
        let is_other = match (self.other.front(), trade_at) {
            (Some(event), Some(at)) => event.at <= at,
            (other, _) => other.is_some(),
        };
        if is_other {
            return Ok(self.other.pop_front());
        }
        let Some(Reverse((_, instrument, _))) = self.heads.pop() else { return Ok(None) };
        let index = usize::from(instrument);
        let trade = self.tapes.get_mut(index).and_then(|tape| tape.page.pop_front());
        self.refill(index).await?;
        Ok(trade.map(Event::trade))
    }
}
