//! Trades, bars, marks, funding and the book.
//!
//! Invariant: rows come in the order of the answer, which the venue keeps ascending in time.

use arb_core::time::SECOND;
use arb_core::{Decimal, FundingSettled, InstrumentId, Side, Timestamp, Trade, VenueError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Page, Skipped, decode, of, page};
use crate::wire::message::{Dropped, Interval, Kline, Level, MarkUpdate};
use crate::wire::stream::read_levels;
use crate::wire::symbols::SymbolTable;
use crate::wire::text::{Flaw, Text, Whole, optional_price, optional_time, price, qty, rate, time};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerTime {
    server_time: Whole,
}

/// `time`: the venue's clock.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn server_time(body: &[u8]) -> Result<Timestamp, VenueError> {
    let ServerTime { server_time } = decode(body)?;
    time("serverTime", server_time.0).map_err(|flaw| undecodable("time", flaw))
}

#[cold]
fn undecodable(record: &'static str, flaw: Flaw) -> VenueError {
    let Flaw { field, fault } = flaw;
    VenueError::Decode(Dropped { instrument: None, record, field, fault }.to_string().into())
}

#[derive(Deserialize)]
struct AggTradeRow<'a> {
    a: u64,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(rename = "T")]
    ts: u64,
    m: bool,
}

/// `aggTrades` of one instrument, futures or spot. A dropped row is a missing id.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn agg_trades(body: &[u8], instrument: InstrumentId) -> Result<Page<Trade>, VenueError> {
    page("aggTrades", body, |row| {
        let wire: AggTradeRow<'_> = serde_json::from_str(row)?;
        let read = || {
            Ok(Trade {
                instrument,
                taker_side: if wire.m { Side::Sell } else { Side::Buy },
                id: wire.a,
                ts: time("T", wire.ts)?,
                price: price("p", &wire.p)?,
                qty: qty("q", &wire.q)?,
            })
        };
        read().map_err(of(instrument))
    })
}

/// Open time, open, high, low, close, volume, close time, quote volume, trades, taker-buy volume,
/// taker-buy quote volume, unused.
type KlineRow<'a> = (
    u64,
    Text<'a>,
    Text<'a>,
    Text<'a>,
    Text<'a>,
    Text<'a>,
    u64,
    Text<'a>,
    u64,
    Text<'a>,
    Text<'a>,
    IgnoredAny,
);

/// `klines` of one instrument that were finished at `now`: the last row usually is not.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn klines(
    body: &[u8],
    instrument: InstrumentId,
    interval: Interval,
    now: Timestamp,
) -> Result<Page<Kline>, VenueError> {
    let mut page = page("klines", body, |row| {
        let cells: KlineRow<'_> = serde_json::from_str(row)?;
        kline(&cells, instrument, interval).map_err(of(instrument))
    })?;
    page.rows.retain(|kline| kline.close_at < now);
    Ok(page)
}

fn kline(
    cells: &KlineRow<'_>,
    instrument: InstrumentId,
    interval: Interval,
) -> Result<Kline, Flaw> {
    let (open_at, open, high, low, close, volume, close_at, quote, trades, taker, bought, _) =
        cells;
    Ok(Kline {
        instrument,
        interval,
        open_at: time("openTime", *open_at)?,
        close_at: time("closeTime", *close_at)?,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume: rate("volume", &volume.0)?,
        quote_volume: rate("quoteVolume", &quote.0)?,
        trades: *trades,
        taker_buy_volume: rate("takerBuyBase", &taker.0)?,
        taker_buy_quote_volume: rate("takerBuyQuote", &bought.0)?,
        closed: true,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PremiumIndexRow<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    mark_price: Text<'a>,
    #[serde(borrow)]
    index_price: Option<Text<'a>>,
    #[serde(borrow)]
    last_funding_rate: Option<Text<'a>>,
    next_funding_time: Option<Whole>,
    time: Whole,
}

/// `premiumIndex` of one symbol or of all: the same content as the mark stream. Its
/// `lastFundingRate` is, in spite of the name, the estimate for the coming settlement.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn premium_index(body: &[u8], symbols: &SymbolTable) -> Result<Page<MarkUpdate>, VenueError> {
    page("premiumIndex", body, |row| {
        let wire: PremiumIndexRow<'_> = serde_json::from_str(row)?;
        let instrument = symbols.get(wire.symbol.0.as_bytes()).ok_or(Skipped::Symbol)?;
        let written = wire.last_funding_rate.as_ref().filter(|text| !text.0.is_empty());
        let next = wire.next_funding_time.map_or(0, |time| time.0);
        let read = || {
            Ok(MarkUpdate {
                instrument,
                sent_at: time("time", wire.time.0)?,
                mark_price: price("markPrice", &wire.mark_price)?,
                index_price: optional_price("indexPrice", wire.index_price.as_ref())?,
                funding_rate: written.map(|text| rate("lastFundingRate", &text.0)).transpose()?,
                next_funding_at: optional_time("nextFundingTime", next)?,
            })
        };
        read().map_err(of(instrument))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FundingRow<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    funding_rate: Text<'a>,
    funding_time: Whole,
    #[serde(borrow)]
    mark_price: Option<Text<'a>>,
}

/// `fundingRate`: settled rates. The recorded time jitters by some milliseconds and is floored to
/// its second; the mark price of old rows is empty.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn funding_rates(
    body: &[u8],
    symbols: &SymbolTable,
) -> Result<Page<FundingSettled>, VenueError> {
    page("fundingRate", body, |row| {
        let wire: FundingRow<'_> = serde_json::from_str(row)?;
        let instrument = symbols.get(wire.symbol.0.as_bytes()).ok_or(Skipped::Symbol)?;
        let read = || {
            Ok(FundingSettled {
                instrument,
                funding_time: time("fundingTime", wire.funding_time.0)?.floor_to(SECOND),
                rate: rate("fundingRate", &wire.funding_rate.0)?,
                mark_price: optional_price("markPrice", wire.mark_price.as_ref())?,
            })
        };
        read().map_err(of(instrument))
    })
}

/// Funding terms that differ from the default; a symbol that is absent settles every 8 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingTerms {
    /// Whose.
    pub instrument: InstrumentId,
    /// Hours between settlements.
    pub interval_hours: u8,
    /// Highest rate per settlement, a fraction.
    pub cap: Decimal,
    /// Lowest rate per settlement, a fraction.
    pub floor: Decimal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TermsRow<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    adjusted_funding_rate_cap: Text<'a>,
    #[serde(borrow)]
    adjusted_funding_rate_floor: Text<'a>,
    funding_interval_hours: u8,
}

/// `fundingInfo`: only symbols whose terms were adjusted.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn funding_info(body: &[u8], symbols: &SymbolTable) -> Result<Page<FundingTerms>, VenueError> {
    page("fundingInfo", body, |row| {
        let wire: TermsRow<'_> = serde_json::from_str(row)?;
        let instrument = symbols.get(wire.symbol.0.as_bytes()).ok_or(Skipped::Symbol)?;
        let read = || {
            Ok(FundingTerms {
                instrument,
                interval_hours: wire.funding_interval_hours,
                cap: rate("adjustedFundingRateCap", &wire.adjusted_funding_rate_cap.0)?,
                floor: rate("adjustedFundingRateFloor", &wire.adjusted_funding_rate_floor.0)?,
            })
        };
        read().map_err(of(instrument))
    })
}

/// The book at one update id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthSnapshot {
    /// The last update inside.
    pub last_update_id: u64,
    /// Buy levels, best first.
    pub bids: Vec<Level>,
    /// Sell levels, best first.
    pub asks: Vec<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepthWire<'a> {
    last_update_id: u64,
    #[serde(borrow)]
    bids: &'a RawValue,
    #[serde(borrow)]
    asks: &'a RawValue,
}

/// `depth`, futures or spot.
///
/// # Errors
/// [`VenueError::Decode`], also for a single bad level: a book with a hole is worse than none.
pub fn depth(body: &[u8]) -> Result<DepthSnapshot, VenueError> {
    let wire: DepthWire<'_> = decode(body)?;
    let side = |field, raw| {
        let mut levels = Vec::new();
        read_levels(field, raw, &mut levels).map_err(|flaw| undecodable("depth", flaw))?;
        Ok::<_, VenueError>(levels)
    };
    let (bids, asks) = (side("bids", wire.bids)?, side("asks", wire.asks)?);
    Ok(DepthSnapshot { last_update_id: wire.last_update_id, bids, asks })
}
