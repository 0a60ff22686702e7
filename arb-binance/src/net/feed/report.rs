//! What people are told of a feed's troubles.
//!
//! Invariant: the first of a kind is told at once, the following ones at most once in a while with
//! their number, so that a venue which is away does not fill the disk.

use std::collections::BTreeMap;

use arb_core::Timestamp;
use arb_core::time::SECOND;

/// Time between two messages of a kind.
const BETWEEN: i64 = 30 * SECOND;

/// Counts what was not told.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    kinds: BTreeMap<String, Kind>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    told_at: Option<Timestamp>,
    untold: u64,
}

impl Report {
    /// Whether this one is told, with the number of those before it that were not.
    fn is_due(&mut self, kind: &str, now: Timestamp) -> Option<u64> {
        let entry = self.kinds.entry(kind.to_owned()).or_default();
        // A clock that went back begins anew.
        let recent = |told: Timestamp| (0..BETWEEN).contains(&now.since(told));
        if entry.told_at.is_some_and(recent) {
            entry.untold += 1;
            return None;
        }
        entry.told_at = Some(now);
        Some(std::mem::take(&mut entry.untold))
    }

    /// A connection ended. One that the venue refused for a reason waiting cannot mend is an error.
    pub(super) fn lost(&mut self, line: &str, reason: &str, is_refused: IsRefused, now: Timestamp) {
        let Some(untold) = self.is_due(line, now) else { return };
        match is_refused {
            IsRefused::Yes => {
                tracing::error!(line, reason, untold, "the venue refuses a connection")
            }
            IsRefused::No => tracing::warn!(line, reason, untold, "a connection is lost"),
        }
    }

    /// A request failed for good.
    pub(super) fn failed(&mut self, what: &'static str, reason: &str, now: Timestamp) {
        if let Some(untold) = self.is_due(what, now) {
            tracing::warn!(what, reason, untold, "a request failed");
        }
    }

    /// An instrument's stream was silent while the venue traded.
    pub(super) fn overlooked(&mut self, symbol: &str, trades: usize, now: Timestamp) {
        if let Some(untold) = self.is_due(symbol, now) {
            tracing::warn!(symbol, trades, untold, "a stream went silent; its line is renewed");
        }
    }

    /// Coinbase refused a subscription, usually of a coin that it does not list.
    pub(super) fn unlisted(&mut self, message: &str, now: Timestamp) {
        if let Some(untold) = self.is_due("coinbase subscription", now) {
            tracing::info!(message, untold, "coinbase has no ticker of a coin: it has no premium");
        }
    }

    /// A record or frame could not be used.
    pub(super) fn unusable(&mut self, what: &str, now: Timestamp) {
        if let Some(untold) = self.is_due("record", now) {
            tracing::warn!(what, untold, "a record could not be used");
        }
    }
}

/// Whether the venue said how long it wants to be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsRefused {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_troubles_are_told_once_in_a_while_with_their_number() {
        let mut report = Report::default();
        let at = |seconds: i64| Timestamp::from_nanos(seconds * SECOND);
        assert_eq!(report.is_due("market", at(0)), Some(0));
        assert_eq!(report.is_due("spot", at(1)), Some(0), "each kind has its own count");
        assert_eq!([1, 2, 29].map(|s| report.is_due("market", at(s))), [None; 3]);
        assert_eq!(report.is_due("market", at(30)), Some(3));
        assert_eq!(report.is_due("market", at(-5)), Some(0), "a clock that went back");
    }
}
