//! The busiest records, read in the key order in which the venue writes them.
//!
//! Invariant: a record is `Some` only when it is what a JSON parser would make of the same bytes;
//! anything else is left to that parser. Each function starts behind its record's event name.

use arb_core::{InstrumentId, Qty, Side, Timestamp, Trade};

use super::cursor::Cursor;
use super::message::{BookTicker, MarkUpdate, Message, TradePrint};
use super::symbols::SymbolTable;
use super::text::rate_of;

/// A record of one of the kinds that are scanned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scanned {
    AggTrade(TradePrint),
    Quote(BookTicker),
    Mark(MarkUpdate),
}

impl Scanned {
    #[inline(always)]
    pub(super) const fn message(self) -> Message<'static> {
        match self {
            Self::AggTrade(print) => Message::AggTrade(print),
            Self::Quote(ticker) => Message::Quote(ticker),
            Self::Mark(mark) => Message::Mark(mark),
        }
    }
}

/// `…` of `{"e":"aggTrade","E":…}`, from futures or spot.
#[inline(always)]
pub(super) fn agg_trade(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<TradePrint> {
    let sent_at = c.time()?;
    let (id, instrument) = id_and_symbol(c, symbols)?;
    c.literal(b",\"p\":\"")?;
    let price = c.price()?;
    c.literal(b",\"q\":\"")?;
    let qty = c.qty()?;
    let qty_without_rpi = optional_qty(c)?;
    c.literal(b",\"f\":")?;
    c.skip_whole()?;
    c.literal(b",\"l\":")?;
    c.skip_whole()?;
    c.literal(b",\"T\":")?;
    let ts = c.time()?;
    c.literal(b",\"m\":")?;
    let taker_side = if c.flag()? { Side::Sell } else { Side::Buy };
    if c.literal(b",\"M\":").is_some() {
        c.flag()?;
    }
    end(c)?;
    let trade = Trade { instrument, taker_side, id, ts, price, qty };
    Some(TradePrint { trade, sent_at, qty_without_rpi, off_market: false })
}

/// Live frames have the id before the symbol, the documentation after it.
#[inline(always)]
fn id_and_symbol(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<(u64, InstrumentId)> {
    if c.literal(b",\"a\":").is_some() {
        let id = c.whole()?;
        return Some((id, symbol(c, symbols)?));
    }
    let instrument = symbol(c, symbols)?;
    c.literal(b",\"a\":")?;
    Some((c.whole()?, instrument))
}

#[inline(always)]
fn symbol(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<InstrumentId> {
    c.literal(b",\"s\":\"")?;
    symbols.find(c.symbol()?)
}

#[inline(always)]
fn optional_qty(c: &mut Cursor<'_>) -> Option<Option<Qty>> {
    match c.literal(b",\"nq\":\"") {
        Some(()) => Some(Some(c.qty()?)),
        None => Some(None),
    }
}

/// The end of a record of USDⓈ-M, with or without the product it names since 2026.
#[inline(always)]
pub(super) fn end(c: &mut Cursor<'_>) -> Option<()> {
    if c.literal(b"}").is_some() {
        return Some(());
    }
    c.literal(b",\"st\":1}")
}

/// `…` of `{"e":"bookTicker","u":…}`.
#[inline(always)]
pub(super) fn futures_ticker(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<BookTicker> {
    let update_id = c.whole()?;
    let mut times = None;
    if c.literal(b",\"E\":").is_some() {
        let sent_at = c.time()?;
        c.literal(b",\"T\":")?;
        times = Some((c.time()?, sent_at));
    }
    let mut ticker = levels(c, symbols, update_id)?;
    if times.is_none() && c.literal(b",\"T\":").is_some() {
        let ts = c.time()?;
        c.literal(b",\"E\":")?;
        times = Some((ts, c.time()?));
    }
    end(c)?;
    let (ts, sent_at) = times?;
    (ticker.ts, ticker.sent_at) = (Some(ts), Some(sent_at));
    Some(ticker)
}

/// `…` of `{"u":…}`, spot's record without a name and times.
#[inline(always)]
pub(super) fn spot_ticker(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<BookTicker> {
    let update_id = c.whole()?;
    let ticker = levels(c, symbols, update_id)?;
    c.literal(b"}")?;
    Some(ticker)
}

#[inline(always)]
fn levels(c: &mut Cursor<'_>, symbols: &SymbolTable, update_id: u64) -> Option<BookTicker> {
    let instrument = symbol(c, symbols)?;
    c.literal(b",\"b\":\"")?;
    let best_bid = c.price()?;
    c.literal(b",\"B\":\"")?;
    let bid_qty = Some(c.qty()?);
    c.literal(b",\"a\":\"")?;
    let best_ask = c.price()?;
    c.literal(b",\"A\":\"")?;
    let ask_qty = Some(c.qty()?);
    let (ts, sent_at) = (None, None);
    Some(BookTicker { instrument, update_id, ts, sent_at, best_bid, bid_qty, best_ask, ask_qty })
}

/// `…` of `{"e":"markPriceUpdate","E":…}`.
#[inline(always)]
pub(super) fn mark(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<MarkUpdate> {
    let sent_at = c.time()?;
    let instrument = symbol(c, symbols)?;
    c.literal(b",\"p\":\"")?;
    let mark_price = c.price()?;
    if c.literal(b",\"ap\":\"").is_some() {
        c.units()?;
    }
    let settlement_first = settlement_price(c)?;
    c.literal(b",\"i\":\"")?;
    let index_price = Some(c.price()?);
    if !settlement_first {
        settlement_price(c)?.then_some(())?;
    }
    c.literal(b",\"r\":\"")?;
    let sign = if c.literal(b"-").is_some() { -1 } else { 1 };
    let funding_rate = Some(rate_of(sign * c.units()?));
    c.literal(b",\"T\":")?;
    let next_funding_at = Some(c.time()?).filter(|at| at.as_nanos() != 0);
    end(c)?;
    Some(MarkUpdate { instrument, sent_at, mark_price, index_price, funding_rate, next_funding_at })
}

/// The ids of a depth update.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepthIds {
    pub(super) instrument: InstrumentId,
    pub(super) sent_at: Timestamp,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) previous: Option<u64>,
}

/// `…` of `{"e":"depthUpdate","E":…}` up to the levels; spot has neither `T` nor `pu`.
#[inline(always)]
pub(super) fn depth_ids(c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<DepthIds> {
    let sent_at = c.time()?;
    if c.literal(b",\"T\":").is_some() {
        c.skip_whole()?;
    }
    let instrument = symbol(c, symbols)?;
    c.literal(b",\"U\":")?;
    let first = c.whole()?;
    c.literal(b",\"u\":")?;
    let last = c.whole()?;
    let previous = match c.literal(b",\"pu\":") {
        Some(()) => Some(c.whole()?),
        None => None,
    };
    Some(DepthIds { instrument, sent_at, first, last, previous })
}

/// Whether the estimated settlement price stood here.
#[inline(always)]
fn settlement_price(c: &mut Cursor<'_>) -> Option<bool> {
    match c.literal(b",\"P\":\"") {
        Some(()) => c.units().map(|_| true),
        None => Some(false),
    }
}
