//! Bodies of REST answers as core types.
//!
//! Invariant: a body that is not what the endpoint promises is [`VenueError::Decode`]; a single
//! row that cannot be used is dropped with a note, and the rest of its page stands. Unknown fields
//! and symbols are ignored.

mod brackets;
mod error;
mod exchange_info;
mod market;
mod statistics;

use arb_core::{InstrumentId, VenueError};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::brackets::{SymbolBrackets, leverage_brackets};
pub use self::error::{Refused, ban_end, refusal};
pub use self::exchange_info::{
    Contract, DroppedListing, ExchangeInfo, Hedge, Listing, OrderLimits, RateLimit, RateLimitKind,
    exchange_info, multiplier, spot_exchange_info,
};
pub use self::market::{
    DepthSnapshot, FundingTerms, agg_trades, depth, funding_info, funding_rates, klines,
    premium_index, server_time,
};
pub use self::statistics::{Ratio, open_interest, open_interest_history, ratios};
use super::message::Dropped;
use super::text::Flaw;

/// The usable rows of an answer, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Why others could not be used.
    pub dropped: Vec<Dropped>,
}

/// A body as a value.
fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, VenueError> {
    serde_json::from_slice(body).map_err(|error| VenueError::Decode(Box::new(error)))
}

/// Why a row of a page is left out.
enum Skipped {
    /// Its symbol is not in the table.
    Symbol,
    Flawed(Option<InstrumentId>, Flaw),
}

/// A flaw of a row of this instrument.
fn of(instrument: InstrumentId) -> impl Fn(Flaw) -> Skipped {
    move |flaw| Skipped::Flawed(Some(instrument), flaw)
}

impl From<serde_json::Error> for Skipped {
    fn from(error: serde_json::Error) -> Self {
        Self::Flawed(None, error.into())
    }
}

/// A body that is a list of rows, or a single one, each read on its own.
fn page<T>(
    record: &'static str,
    body: &[u8],
    mut read: impl FnMut(&str) -> Result<T, Skipped>,
) -> Result<Page<T>, VenueError> {
    let list: Vec<&RawValue> = if body.trim_ascii_start().first() == Some(&b'[') {
        decode(body)?
    } else {
        vec![decode(body)?]
    };
    let mut page = Page { rows: Vec::with_capacity(list.len()), dropped: Vec::new() };
    for row in list {
        match read(row.get()) {
            Ok(row) => page.rows.push(row),
            Err(Skipped::Symbol) => {}
            Err(Skipped::Flawed(instrument, Flaw { field, fault })) => {
                page.dropped.push(Dropped { instrument, record, field, fault });
            }
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
