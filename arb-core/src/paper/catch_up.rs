//! What a desk knows of the trades it missed.
//!
//! Invariant: while a trade may be missing, orders that wait at the venue meet no trade; then they
//! meet those that were missed as they become known, and behind the last of them those that came
//! meanwhile, so a stop and a target fill in the order in which the venue reached them.

use serde::{Deserialize, Serialize};

use super::desk::{Phase, Working};
use crate::event::Trade;
use crate::order::{OrderKind, TimeInForce};

/// Trades that wait at most, 12 MB; with more the missing ones are given up.
const MOST_HELD: usize = 250_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct CatchUp {
    /// The last trade before contact was lost, while none has come since.
    lost_after: Option<u64>,
    /// First and last ids of what is missing.
    missing: Vec<(u64, u64)>,
    /// What came since, in order.
    held: Vec<Trade>,
}

impl CatchUp {
    /// Whether a trade may be missing.
    pub(super) const fn is_open(&self) -> bool {
        self.lost_after.is_some() || !self.missing.is_empty()
    }

    /// Contact was lost after a trade; before the first one there is nothing to miss.
    pub(super) fn lose(&mut self, after_id: u64) {
        if after_id > 0 {
            self.lost_after.get_or_insert(after_id);
        }
    }

    /// A trade came: what lies between it and the last one is missing.
    pub(super) fn resume(&mut self, id: u64) {
        if let Some(first) = self.lost_after.take().and_then(|after| after.checked_add(1))
            && first < id
        {
            self.missing.push((first, id - 1));
        }
    }

    /// A missing trade was found.
    pub(super) fn find(&mut self, id: u64) {
        let Some(at) = self.missing.iter().position(|(from, to)| (*from..=*to).contains(&id))
        else {
            return;
        };
        let (from, to) = self.missing.swap_remove(at);
        if from < id {
            self.missing.push((from, id - 1));
        }
        if id < to {
            self.missing.push((id + 1, to));
        }
    }

    /// Nobody can find what lies before `next_id`.
    pub(super) fn accept(&mut self, next_id: u64) {
        self.missing.retain(|(_, to)| *to >= next_id);
    }

    /// Keeps a trade for the orders that wait; false when there are too many, which gives the
    /// missing ones up.
    pub(super) fn hold(&mut self, trade: &Trade) -> bool {
        self.held.push(*trade);
        if self.held.len() >= MOST_HELD {
            self.missing.clear();
        }
        self.is_open()
    }

    /// What came meanwhile, once nothing is missing.
    pub(super) fn release(&mut self) -> Vec<Trade> {
        if self.is_open() { Vec::new() } else { std::mem::take(&mut self.held) }
    }
}

/// Whether an order waits at the venue for a price, rather than for the next trade.
pub(super) const fn waits(working: &Working) -> bool {
    let stays = matches!(
        working.order.kind,
        OrderKind::Limit { time_in_force: TimeInForce::Gtc | TimeInForce::Gtx, .. }
    );
    stays || !matches!(working.phase, Phase::Taking)
}
