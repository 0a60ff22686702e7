//! Streams of the spot market: `<s>@aggTrade`, `<s>@bookTicker`, and as on futures `<s>@trade`,
//! `<s>@depth`, `<s>@kline_…`.
//!
//! Times are milliseconds or microseconds (`?timeUnit=MICROSECOND`), told apart by their size. The
//! record of a book ticker has neither a name nor a time.

use super::cursor::Cursor;
use super::scan::{self, Scanned};
use super::stream::{Product, Reader};
use super::symbols::SymbolTable;

/// A reader of spot frames.
#[must_use]
pub fn reader(symbols: SymbolTable) -> Reader {
    Reader::new(Product::Spot, symbols)
}

/// A record of one of the busy kinds.
#[inline(always)]
pub(super) fn scan(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<Scanned> {
    if c.literal(b"{\"u\":").is_some() {
        return scan::spot_ticker(c, symbols).map(Scanned::Quote);
    }
    c.literal(b"{\"e\":\"aggTrade\",\"E\":")?;
    scan::agg_trade(c, symbols).map(Scanned::AggTrade)
}
