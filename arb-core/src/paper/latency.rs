//! Requests on their way to the venue.
//!
//! Invariant: a request acts at its decision plus the latency, requests of one instant in the
//! order in which they were made, and a cancel never before the order it cancels: it was sent
//! after it on the same connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::instrument::InstrumentId;
use crate::order::{ClientOrderId, Order};
use crate::time::Timestamp;

/// What the venue is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    Submit(Order),
    Cancel(InstrumentId, ClientOrderId),
}

/// Requests by the time at which they act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Requests {
    latency: i64,
    next: Timestamp,
    made: u64,
    queue: BTreeMap<(Timestamp, u64), Request>,
}

impl Requests {
    pub(super) fn new(latency_ms: u32) -> Self {
        let latency = i64::from(latency_ms) * 1_000_000;
        Self { latency, next: Timestamp::MAX, made: 0, queue: BTreeMap::new() }
    }

    /// The time of the first request; the end of time when there is none.
    #[inline]
    pub(super) const fn next(&self) -> Timestamp {
        self.next
    }

    pub(super) fn submit(&mut self, order: Order, decided_at: Timestamp) {
        self.push(decided_at.plus(self.latency), Request::Submit(order));
    }

    pub(super) fn cancel(
        &mut self,
        instrument: InstrumentId,
        id: ClientOrderId,
        decided_at: Timestamp,
    ) {
        let submitted = self.queue.iter().find_map(|((at, _), request)| match request {
            Request::Submit(order) if order.id == id => Some(*at),
            _ => None,
        });
        let acts_at = decided_at.plus(self.latency);
        let acts_at = submitted.map_or(acts_at, |at| at.max(acts_at));
        self.push(acts_at, Request::Cancel(instrument, id));
    }

    fn push(&mut self, acts_at: Timestamp, request: Request) {
        self.queue.insert((acts_at, self.made), request);
        self.made += 1;
        self.next = self.next.min(acts_at);
    }

    /// Forgets a submit that is still on its way.
    pub(super) fn take_back(&mut self, id: ClientOrderId) -> bool {
        let held = self.queue.len();
        self.queue.retain(|_, request| !matches!(request, Request::Submit(o) if o.id == id));
        self.next = self.queue.first_key_value().map_or(Timestamp::MAX, |((next, _), _)| *next);
        self.queue.len() < held
    }

    /// The next request that acts at or before `at`, with its time.
    pub(super) fn due(&mut self, at: Timestamp) -> Option<(Timestamp, Request)> {
        if self.next > at {
            return None;
        }
        let ((acts_at, _), request) = self.queue.pop_first()?;
        self.next = self.queue.first_key_value().map_or(Timestamp::MAX, |((next, _), _)| *next);
        Some((acts_at, request))
    }
}
