//! Kline files as plain rows.
//!
//! Invariant: values are exactly those of the file, in its order; nothing is derived here. The
//! premium index may be negative, so every price is a Decimal.

use std::path::Path;
use std::sync::Arc;

use arb_core::{Decimal, Timestamp};

use super::bytes::{Consumed, Origin, Packed};
use super::error::{Fault, TapeError};
use super::fields::{Fields, decimal, instant, time, whole};
use super::lines::Extent;
use super::table::{Columns, Format, Rows, required, text};

/// One bar of a kline archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline {
    /// Start of the interval.
    pub open_time: Timestamp,
    /// First price, quote currency, or first premium index, a fraction.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Volume, base units.
    pub volume: Decimal,
    /// Last instant that belongs to the interval, as written: one unit before the next interval.
    pub close_time: Timestamp,
    /// Volume, quote currency.
    pub quote_volume: Decimal,
    /// Number of trades.
    pub trades: u64,
    /// Volume that takers bought, base units.
    pub taker_buy_volume: Decimal,
    /// Volume that takers bought, quote currency.
    pub taker_buy_quote_volume: Decimal,
}

pub(super) static FORMAT: Format<11> = Format {
    wanted: [
        required(&["open_time"]),
        required(&["open"]),
        required(&["high"]),
        required(&["low"]),
        required(&["close"]),
        required(&["volume"]),
        required(&["close_time"]),
        required(&["quote_volume", "quote_asset_volume"]),
        required(&["count", "trades", "number_of_trades"]),
        required(&["taker_buy_volume", "taker_buy_base_asset_volume"]),
        required(&["taker_buy_quote_volume", "taker_buy_quote_asset_volume"]),
    ],
    layouts: &["open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                taker_buy_volume,taker_buy_quote_volume,ignore"],
    fits: |row, columns| [0, 6].into_iter().all(|at| instant(text(row, columns, at)).is_some()),
};

/// Reads a row.
pub(super) fn parse(fields: &Fields<'_>, columns: &Columns<11>) -> Result<Kline, Fault> {
    let number = |field, at| decimal(field, text(fields, columns, at));
    let (open_time, close_time) = (text(fields, columns, 0), text(fields, columns, 6));
    let kline = Kline {
        open_time: time("open_time", open_time)?,
        open: number("open", 1)?,
        high: number("high", 2)?,
        low: number("low", 3)?,
        close: number("close", 4)?,
        volume: number("volume", 5)?,
        close_time: time("close_time", close_time)?,
        quote_volume: number("quote_volume", 7)?,
        trades: whole("count", text(fields, columns, 8))?,
        taker_buy_volume: number("taker_buy_volume", 9)?,
        taker_buy_quote_volume: number("taker_buy_quote_volume", 10)?,
    };
    if kline.close_time <= kline.open_time {
        let what = "is not after open_time; a kline must last";
        return Err(Fault::of("close_time", close_time, what));
    }
    if kline.high < kline.low {
        let what = format_args!("is below low {}; high is the highest price", kline.low);
        return Err(Fault::of("high", text(fields, columns, 2), what));
    }
    for (field, at, price) in [("open", 1, kline.open), ("close", 4, kline.close)] {
        if !(kline.low..=kline.high).contains(&price) {
            let what = format_args!("is outside low {} to high {}", kline.low, kline.high);
            return Err(Fault::of(field, text(fields, columns, at), what));
        }
    }
    Ok(kline)
}

/// Reads a kline file (`.csv`, `.gz`, `.zip`, with or without header) whole, in its order.
///
/// # Errors
/// [`TapeError`] names the file, and the line and field of a row that cannot be used.
pub fn read_klines(path: &Path) -> Result<Vec<Kline>, TapeError> {
    klines(&Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) })
}

pub(super) fn klines(file: &Packed) -> Result<Vec<Kline>, TapeError> {
    let mut all = Vec::new();
    for part in file.parts()? {
        let mut rows = Rows::open(&part, Extent::Whole, &FORMAT, &Consumed::default())?;
        let (columns, before) = (*rows.columns(), all.len());
        while let Some(kline) = rows.next(|fields| parse(fields, &columns))? {
            all.push(kline);
        }
        if all.len() == before {
            return Err(TapeError::Empty { file: Arc::clone(part.name()) });
        }
    }
    Ok(all)
}
