//! Candles, of the funding rate and of the mark price from snapshots, and of trades.

use std::collections::BTreeMap;

use arb_core::port::RateSnapshot;
use arb_core::time::{DAY, HOUR, MINUTE};
use arb_core::{Decimal, Price, Side, Timestamp, Trade};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Num;

/// Length of a candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Interval {
    /// A minute.
    #[serde(rename = "1m")]
    M1,
    /// 5 minutes.
    #[serde(rename = "5m")]
    M5,
    /// 15 minutes.
    #[serde(rename = "15m")]
    M15,
    /// 30 minutes.
    #[serde(rename = "30m")]
    M30,
    /// An hour.
    #[serde(rename = "1h")]
    H1,
    /// 4 hours.
    #[serde(rename = "4h")]
    H4,
    /// A UTC day.
    #[serde(rename = "1d")]
    D1,
    /// A week from Monday on, UTC.
    #[serde(rename = "1w")]
    W1,
}

impl Interval {
    /// Its length, nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        match self {
            Self::M1 => MINUTE,
            Self::M5 => 5 * MINUTE,
            Self::M15 => 15 * MINUTE,
            Self::M30 => 30 * MINUTE,
            Self::H1 => HOUR,
            Self::H4 => 4 * HOUR,
            Self::D1 => DAY,
            Self::W1 => 7 * DAY,
        }
    }

    /// The beginning of the candle that holds a time.
    #[must_use]
    pub const fn start(self, at: Timestamp) -> Timestamp {
        // The epoch was a Thursday; weeks begin four days later.
        let shift = if matches!(self, Self::W1) { 4 * DAY } else { 0 };
        at.plus(-shift).floor_to(self.nanos()).plus(shift)
    }
}

/// First, highest, lowest and last of some values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ohlc<T> {
    pub(crate) open: T,
    pub(crate) high: T,
    pub(crate) low: T,
    pub(crate) close: T,
}

impl<T: Copy + Ord> Ohlc<T> {
    const fn of(value: T) -> Self {
        Self { open: value, high: value, low: value, close: value }
    }

    fn followed_by(self, later: Self) -> Self {
        Self {
            open: self.open,
            high: self.high.max(later.high),
            low: self.low.min(later.low),
            close: later.close,
        }
    }
}

/// A candle of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateCandle {
    pub(crate) rate: Option<Ohlc<Decimal>>,
    pub(crate) price: Ohlc<Price>,
}

impl RateCandle {
    fn of(row: &RateSnapshot) -> Self {
        Self { rate: row.funding_rate.map(Ohlc::of), price: Ohlc::of(row.mark_price) }
    }

    fn followed_by(self, later: Self) -> Self {
        let rate = match (self.rate, later.rate) {
            (Some(first), Some(second)) => Some(first.followed_by(second)),
            (first, second) => first.or(second),
        };
        Self { rate, price: self.price.followed_by(later.price) }
    }
}

/// Candles by their beginning.
pub(crate) type RateCandles = BTreeMap<Timestamp, RateCandle>;

/// Takes a later snapshot in.
pub(crate) fn add_rate(candles: &mut RateCandles, interval: Interval, row: &RateSnapshot) {
    add_candle(candles, interval, (row.at, RateCandle::of(row)));
}

/// Takes a later, shorter candle in.
pub(crate) fn add_candle(
    candles: &mut RateCandles,
    interval: Interval,
    (at, candle): (Timestamp, RateCandle),
) {
    let slot = candles.entry(interval.start(at));
    slot.and_modify(|first| *first = first.followed_by(candle)).or_insert(candle);
}

/// A candle of the funding rate and of the mark price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KlineItem {
    /// Its beginning, Unix seconds.
    pub time: i64,
    /// First funding rate.
    pub open: Option<Num>,
    /// Highest funding rate.
    pub high: Option<Num>,
    /// Lowest funding rate.
    pub low: Option<Num>,
    /// Last funding rate.
    pub close: Option<Num>,
    /// First mark price.
    pub price_open: Num,
    /// Highest mark price.
    pub price_high: Num,
    /// Lowest mark price.
    pub price_low: Num,
    /// Last mark price.
    pub price_close: Num,
}

impl KlineItem {
    pub(crate) fn new(at: Timestamp, candle: &RateCandle) -> Self {
        let rate = |of: fn(Ohlc<Decimal>) -> Decimal| candle.rate.map(|rate| Num(of(rate)));
        Self {
            time: at.as_millis().div_euclid(1_000),
            open: rate(|rate| rate.open),
            high: rate(|rate| rate.high),
            low: rate(|rate| rate.low),
            close: rate(|rate| rate.close),
            price_open: candle.price.open.into(),
            price_high: candle.price.high.into(),
            price_low: candle.price.low.into(),
            price_close: candle.price.close.into(),
        }
    }
}

/// Candles of a perpetual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Klines {
    /// The coin or symbol that was asked for.
    pub symbol: String,
    /// Length of a candle.
    pub interval: Interval,
    /// Number of candles.
    pub count: usize,
    /// The candles, ascending; one without a snapshot is left out.
    pub data: Vec<KlineItem>,
}

/// A bar of trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bar {
    /// Its beginning, Unix milliseconds.
    pub time_ms: i64,
    /// First price.
    pub open: Num,
    /// Highest price.
    pub high: Num,
    /// Lowest price.
    pub low: Num,
    /// Last price.
    pub close: Num,
    /// Quantity, base units.
    pub volume: Num,
    /// Of it bought by takers.
    pub buy_volume: Num,
    /// Of it sold by takers.
    pub sell_volume: Num,
    /// Bought less sold.
    pub delta: Num,
    /// Number of trades.
    pub trades: u64,
}

/// Sums of the trades of a bar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TradeSums {
    price: Ohlc<Price>,
    buy: Decimal,
    sell: Decimal,
    count: u64,
}

/// Takes a later trade in; one without quantity only marks an id.
pub(crate) fn add_trade(
    bars: &mut BTreeMap<Timestamp, TradeSums>,
    interval: Interval,
    trade: &Trade,
) {
    let qty = trade.qty.to_decimal();
    if qty.is_zero() {
        return;
    }
    let price = Ohlc::of(trade.price);
    let empty = TradeSums { price, buy: Decimal::ZERO, sell: Decimal::ZERO, count: 0 };
    let sums = bars.entry(interval.start(trade.ts)).or_insert(empty);
    sums.price = sums.price.followed_by(price);
    sums.count += 1;
    match trade.taker_side {
        Side::Buy => sums.buy += qty,
        Side::Sell => sums.sell += qty,
    }
}

impl Bar {
    pub(crate) fn new(at: Timestamp, sums: &TradeSums) -> Self {
        Self {
            time_ms: at.as_millis(),
            open: sums.price.open.into(),
            high: sums.price.high.into(),
            low: sums.price.low.into(),
            close: sums.price.close.into(),
            volume: Num(sums.buy + sums.sell),
            buy_volume: Num(sums.buy),
            sell_volume: Num(sums.sell),
            delta: Num(sums.buy - sums.sell),
            trades: sums.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday() {
        // 2024-06-05 was a Wednesday.
        let at = Timestamp::from_millis(1_717_590_000_000);
        assert_eq!(Interval::W1.start(at).to_string(), "2024-06-03T00:00:00.000Z");
        assert_eq!(Interval::D1.start(at).to_string(), "2024-06-05T00:00:00.000Z");
    }

    #[test]
    fn candles_of_candles_are_the_candles_of_their_rows() {
        let rows: Vec<RateSnapshot> = (0..1_000_i64)
            .map(|n| RateSnapshot {
                instrument: arb_core::InstrumentId(0),
                at: Timestamp::from_nanos(n * 7 * MINUTE),
                mark_price: Price::from_units(1_000 + n * 37 % 101).unwrap(),
                index_price: None,
                funding_rate: (n % 3 != 0).then(|| Decimal::new(n * 17 % 29, 6)),
                funding_interval_hours: None,
                next_funding_at: None,
                tradable_basis: None,
            })
            .collect();
        let of = |interval| {
            let mut candles = RateCandles::new();
            rows.iter().for_each(|row| add_rate(&mut candles, interval, row));
            candles
        };
        let mut merged = RateCandles::new();
        of(Interval::H1).into_iter().for_each(|each| add_candle(&mut merged, Interval::D1, each));
        assert_eq!(merged, of(Interval::D1));
        assert!(merged.len() >= 4);
    }
}
