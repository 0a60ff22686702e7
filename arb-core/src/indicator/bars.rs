//! 5-minute bars from trades, aligned to UTC, and the ATR over them.
//!
//! Invariant: an interval is `[start, start + 5 min)`; it closes when time reaches its end. One
//! without trades is a flat bar at the last price before it; one that an unfilled hole touches is
//! no bar at all, keeps what was seen of it, and becomes a bar when the hole is filled.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::atr::{Atr, Range};
use super::holes::Holes;
use crate::time::{DAY, HOUR, MINUTE, Timestamp};

/// Length of a bar, nanoseconds.
pub const BAR: i64 = 5 * MINUTE;
const BAR_US: i64 = BAR / 1_000;
/// Closed bars whose ATRs the percentile looks at.
const PERCENTILE_BARS: usize = 288;
/// Closed bars before the percentile exists: 14 for the ATR and 48 to compare with.
const PERCENTILE_AFTER: u32 = 14 + 48;
/// Bars kept: those of the percentile and the 14 before, so that the last ATR can be rebuilt.
const KEPT_BARS: usize = PERCENTILE_BARS + 14;
/// Intervals kept at most, where holes leave few bars among them.
const KEPT_INTERVALS: usize = 7 * 288;
const TRADED_BARS: usize = 14;

/// What was seen of one interval.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Interval {
    start_us: i64,
    high: i64,
    low: i64,
    /// Price of the last trade before the interval's end, of this interval or an earlier one.
    close: i64,
    trades: u64,
    /// Σ price·quantity, 10⁻¹⁶ quote.
    quote: i128,
    is_bar: bool,
    /// The ATR after this interval.
    atr: Atr,
}

impl Interval {
    const fn flat(start_us: i64, close: i64) -> Self {
        Self {
            start_us,
            high: close,
            low: close,
            close,
            trades: 0,
            quote: 0,
            is_bar: false,
            atr: Atr::EMPTY,
        }
    }

    #[inline]
    fn add(&mut self, price: i64, value: i128) {
        if self.trades == 0 {
            (self.high, self.low) = (price, price);
        } else {
            self.high = self.high.max(price);
            self.low = self.low.min(price);
        }
        self.close = price;
        self.trades += 1;
        self.quote = self.quote.saturating_add(value);
    }

    const fn range(&self) -> Range {
        Range { high: self.high, low: self.low, close: self.close }
    }
}

/// The running interval and the closed ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Bars {
    current: Option<Interval>,
    closed: VecDeque<Interval>,
    /// How many of the closed ones are bars.
    bar_count: usize,
    /// Share of the last ATRs at or below the present one, made when a bar closes.
    percentile: Option<f64>,
}

impl Bars {
    /// Takes one trade (time, price, price·quantity), in time order.
    #[inline]
    pub(super) fn add(&mut self, (ts_us, price, value): (i64, i64, i128), holes: &Holes) {
        match &mut self.current {
            Some(bar) if ts_us < bar.start_us + BAR_US => {
                // A late trade of a closed interval enters no bar.
                if ts_us >= bar.start_us {
                    bar.add(price, value);
                }
            }
            _ => self.start((ts_us, price, value), holes),
        }
    }

    #[cold]
    fn start(&mut self, (ts_us, price, value): (i64, i64, i128), holes: &Holes) {
        let start_us = ts_us - ts_us.rem_euclid(BAR_US);
        self.advance(start_us, holes);
        let bar = self.current.get_or_insert(Interval::flat(start_us, price));
        bar.add(price, value);
    }

    /// Closes the intervals that end at or before `now_us`.
    pub(super) fn advance(&mut self, now_us: i64, holes: &Holes) {
        let mut closed_any = false;
        while let Some(bar) = self.current.filter(|bar| bar.start_us + BAR_US <= now_us) {
            self.close(bar, holes);
            self.current = Some(Interval::flat(bar.start_us + BAR_US, bar.close));
            closed_any = true;
        }
        if closed_any {
            self.percentile = self.rank();
        }
    }

    fn close(&mut self, mut bar: Interval, holes: &Holes) {
        let before = self.closed.back().map_or(Atr::EMPTY, |last| last.atr);
        settle(&mut bar, before, holes);
        self.bar_count += usize::from(bar.is_bar);
        self.closed.push_back(bar);
        while self.closed.len() > KEPT_INTERVALS || self.bar_count > KEPT_BARS {
            let oldest = self.closed.pop_front();
            self.bar_count -= usize::from(oldest.is_some_and(|oldest| oldest.is_bar));
        }
    }

    fn bars(&self) -> impl DoubleEndedIterator<Item = &Interval> {
        self.closed.iter().filter(|interval| interval.is_bar)
    }

    fn rank(&self) -> Option<f64> {
        let state = self.closed.back()?.atr;
        let now = state.value().filter(|_| state.bars() >= PERCENTILE_AFTER)?;
        let (mut all, mut at_most) = (0_u32, 0_u32);
        for atr in self.bars().rev().take(PERCENTILE_BARS).filter_map(|bar| bar.atr.value()) {
            all += 1;
            at_most += u32::from(atr <= now);
        }
        Some(f64::from(at_most) / f64::from(all) * 100.0)
    }

    /// Puts a trade that was missing into its interval; `ends_interval` says that no trade seen
    /// before lies after it in the same interval.
    pub(super) fn insert(&mut self, trade: (i64, i64, i128), ends_interval: EndsInterval) {
        let (ts_us, price, value) = trade;
        let start_us = ts_us - ts_us.rem_euclid(BAR_US);
        let open = self.current.as_mut().filter(|bar| bar.start_us == start_us);
        let Some(bar) =
            open.or_else(|| self.closed.iter_mut().find(|bar| bar.start_us == start_us))
        else {
            return;
        };
        let close = bar.close;
        bar.add(price, value);
        if ends_interval == EndsInterval::No {
            bar.close = close;
        }
    }

    /// Recomputes bars and ATR from the interval of `from_us` on, after trades were inserted or a
    /// hole vanished.
    pub(super) fn rebuild(&mut self, from_us: i64, holes: &Holes) {
        let first = self.closed.partition_point(|bar| bar.start_us + BAR_US <= from_us);
        let before = first.checked_sub(1).and_then(|last| self.closed.get(last)).copied();
        let (mut atr, mut close) = (before.map_or(Atr::EMPTY, |b| b.atr), before.map(|b| b.close));
        for bar in self.closed.iter_mut().skip(first) {
            carry_close(bar, close);
            settle(bar, atr, holes);
            (atr, close) = (bar.atr, Some(bar.close));
        }
        if let Some(bar) = &mut self.current {
            carry_close(bar, close);
        }
        self.bar_count = self.bars().count();
        self.percentile = self.rank();
    }

    /// The ATR in units of 10⁻⁸.
    pub(super) fn atr(&self) -> Option<f64> {
        self.closed.back()?.atr.value()
    }

    pub(super) const fn atr_percentile(&self) -> Option<f64> {
        self.percentile
    }

    /// How many of the last 14 closed bars had a trade.
    pub(super) fn traded(&self) -> u32 {
        self.bars().rev().take(TRADED_BARS).map(|bar| u32::from(bar.trades > 0)).sum()
    }

    fn since(&self, from_us: i64) -> impl Iterator<Item = &Interval> {
        let recent = self.closed.iter().rev().take_while(move |bar| bar.start_us >= from_us);
        self.current.iter().chain(recent)
    }

    /// Σ price·quantity of the running interval and those that began in the 24 hours before.
    pub(super) fn quote_volume_24h(&self, now: Timestamp) -> i128 {
        let from_us = now.as_micros() - DAY / 1_000;
        self.since(from_us).fold(0, |sum, bar| sum.saturating_add(bar.quote))
    }

    /// Trades of the running interval and those that began in the hour before.
    pub(super) fn trades_1h(&self, now: Timestamp) -> u64 {
        self.since(now.as_micros() - HOUR / 1_000).map(|bar| bar.trades).sum()
    }
}

/// Whether an inserted trade is the last of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndsInterval {
    Yes,
    No,
}

fn settle(bar: &mut Interval, before: Atr, holes: &Holes) {
    bar.is_bar = !holes.touch(Timestamp::from_micros(bar.start_us));
    bar.atr = if bar.is_bar { before.after(bar.range()) } else { before.interrupted() };
}

/// A flat interval takes the price of the last trade before it.
fn carry_close(bar: &mut Interval, before: Option<i64>) {
    if let Some(close) = before.filter(|_| bar.trades == 0) {
        (bar.high, bar.low, bar.close) = (close, close, close);
    }
}
