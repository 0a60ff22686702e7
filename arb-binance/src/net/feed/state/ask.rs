//! What the venue is asked for about trades, and its answers.
//!
//! Invariant: one question brings the answer and the trades: whoever asks whether a quiet
//! instrument has traded asks for the trades behind the last one.

use arb_core::time::{HOUR, MINUTE};
use arb_core::{InstrumentId, Timestamp, Trade, VenueError};

use super::Flow;
use crate::contiguity::BackfillRequest;
use crate::net::rest::TradeRange;

/// Trades asked for at once; a smaller page would weigh the same.
const PAGE: u16 = 1_000;
/// A search by time must be shorter than an hour.
const LONGEST_SEARCH: i64 = HOUR - MINUTE;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ask {
    /// Trades of a hole.
    Missing(BackfillRequest),
    /// Whether a quiet instrument has traded.
    Silence {
        /// Which.
        instrument: InstrumentId,
        /// Behind the last trade, or since the stream began where there was none.
        range: TradeRange,
    },
}

impl Ask {
    pub(super) fn silence(instrument: InstrumentId, flow: &Flow, now: Timestamp) -> Self {
        let range = match flow.tracker.last_id() {
            Some(id) => TradeRange::From(id.saturating_add(1)),
            None => {
                let since = flow.quiet.since().unwrap_or(now);
                TradeRange::Between(since.max(now.plus(-LONGEST_SEARCH)), now)
            }
        };
        Self::Silence { instrument, range }
    }

    pub(in super::super) const fn instrument(self) -> InstrumentId {
        match self {
            Self::Missing(request) => request.instrument,
            Self::Silence { instrument, .. } => instrument,
        }
    }

    pub(in super::super) const fn range(self) -> (TradeRange, u16) {
        match self {
            Self::Missing(request) => (TradeRange::From(request.from_id), request.limit),
            Self::Silence { range, .. } => (range, PAGE),
        }
    }
}

/// A question with the trades it brought.
#[derive(Debug)]
pub(in super::super) struct Answered {
    pub(in super::super) ask: Ask,
    pub(in super::super) trades: Result<Vec<Trade>, VenueError>,
}
