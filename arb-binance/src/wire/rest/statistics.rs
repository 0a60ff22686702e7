//! Open interest and long/short ratios.
//!
//! Invariant: the time of a value is the one the venue names, never the time of the answer. The
//! venue leaves intervals out and publishes late.

use arb_core::{Input, InputValue, InstrumentId, Timestamp, VenueError};
use serde::Deserialize;

use super::{Page, Skipped, of, page};
use crate::wire::symbols::SymbolTable;
use crate::wire::text::{Flaw, Text, Whole, rate, ratio, time};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenInterestWire<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow, alias = "sumOpenInterest")]
    open_interest: Text<'a>,
    #[serde(alias = "timestamp")]
    time: Whole,
}

/// `openInterest`: the present one, base units.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn open_interest(body: &[u8], symbols: &SymbolTable) -> Result<Page<Input>, VenueError> {
    open_interest_rows("openInterest", body, symbols)
}

/// `openInterestHist`: one row per period, ascending.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn open_interest_history(
    body: &[u8],
    symbols: &SymbolTable,
) -> Result<Page<Input>, VenueError> {
    open_interest_rows("openInterestHist", body, symbols)
}

fn open_interest_rows(
    record: &'static str,
    body: &[u8],
    symbols: &SymbolTable,
) -> Result<Page<Input>, VenueError> {
    page(record, body, |row| {
        let wire: OpenInterestWire<'_> = serde_json::from_str(row)?;
        let instrument = symbols.get(wire.symbol.0.as_bytes()).ok_or(Skipped::Symbol)?;
        let read = || {
            let value = rate("openInterest", &wire.open_interest.0)?;
            let as_of = time("time", wire.time.0)?;
            Ok(Input { instrument, as_of, value: InputValue::OpenInterest(value) })
        };
        read().map_err(of(instrument))
    })
}

/// One period of a long/short ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Whose.
    pub instrument: InstrumentId,
    /// The time the venue names.
    pub as_of: Timestamp,
    /// Long ÷ short: of accounts, or of positions.
    pub ratio: f64,
}

impl Ratio {
    /// The ratio of all accounts as an input.
    #[must_use]
    pub const fn of_accounts(self) -> Input {
        let value = InputValue::LongShortRatio(self.ratio);
        Input { instrument: self.instrument, as_of: self.as_of, value }
    }

    /// The ratio of the positions of top traders as an input.
    #[must_use]
    pub const fn of_top_positions(self) -> Input {
        let value = InputValue::TopTraderRatio(self.ratio);
        Input { instrument: self.instrument, as_of: self.as_of, value }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RatioWire<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    long_short_ratio: Text<'a>,
    timestamp: Whole,
}

/// `globalLongShortAccountRatio`, `topLongShortAccountRatio` or `topLongShortPositionRatio`: they
/// share one shape. Ascending.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn ratios(body: &[u8], symbols: &SymbolTable) -> Result<Page<Ratio>, VenueError> {
    page("longShortRatio", body, |row| {
        let wire: RatioWire<'_> = serde_json::from_str(row)?;
        let instrument = symbols.get(wire.symbol.0.as_bytes()).ok_or(Skipped::Symbol)?;
        let read = || -> Result<Ratio, Flaw> {
            let ratio = ratio("longShortRatio", &wire.long_short_ratio.0)?;
            Ok(Ratio { instrument, as_of: time("timestamp", wire.timestamp.0)?, ratio })
        };
        read().map_err(of(instrument))
    })
}
