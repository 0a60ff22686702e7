//! Streams of USDⓈ-M futures, both the `/market` and the `/public` route.
//!
//! | stream | message |
//! |---|---|
//! | `<s>@aggTrade` | [`AggTrade`](super::Message::AggTrade) |
//! | `<s>@markPrice@1s`, `!markPrice@arr@1s` | [`Mark`](super::Message::Mark) |
//! | `<s>@forceOrder`, `!forceOrder@arr` | [`Liquidation`](super::Message::Liquidation) |
//! | `<s>@bookTicker`, `!bookTicker` | [`Quote`](super::Message::Quote) |
//! | `<s>@depth@…` | [`Depth`](super::Message::Depth) |
//! | `<s>@trade` | [`SingleTrade`](super::Message::SingleTrade) |
//! | `<s>@kline_…` | [`Kline`](super::Message::Kline) |
//!
//! Frames may be raw or combined, of any of the venue's generations: with and without `nq`, `ap`,
//! `st`, `ps`. COIN-M records on shared connections (`st` other than 1) are left out.

use super::cursor::Cursor;
use super::scan::{self, Scanned};
use super::stream::{Product, Reader};
use super::symbols::SymbolTable;

/// A reader of futures frames.
#[must_use]
pub fn reader(symbols: SymbolTable) -> Reader {
    Reader::new(Product::Futures, symbols)
}

/// A record of one of the busy kinds.
#[inline(always)]
pub(super) fn scan(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<Scanned> {
    c.literal(b"{\"e\":\"")?;
    if c.literal(b"aggTrade\",\"E\":").is_some() {
        return scan::agg_trade(c, symbols).map(Scanned::AggTrade);
    }
    if c.literal(b"bookTicker\",\"u\":").is_some() {
        return scan::futures_ticker(c, symbols).map(Scanned::Quote);
    }
    c.literal(b"markPriceUpdate\",\"E\":")?;
    scan::mark(c, symbols).map(Scanned::Mark)
}
