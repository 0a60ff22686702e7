//! All windows of one instrument over one ring of trades.
//!
//! Invariant: [`Windows::row`] is a pure function of the trades with `ts <= now`, the holes and
//! the rows recorded before. A trade is only appended when it arrives; it enters sums, bars and
//! quantiles when time reaches it (at a tick, or earlier if a strategy looks at every trade). So
//! a trade that arrives before its tick waits by itself, and the work is done in long runs.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::bars::{Bars, EndsInterval};
use super::cvd::{DaySum, SlidingSum};
use super::flow::LargeFlow;
use super::holes::{Holes, Missing};
use super::quantile::Quantiles;
use super::ring::{Cursor, Ring};
use super::vwap::Vwap;
use super::{BAR, Indicators, QtySum};
use crate::event::Trade;
use crate::num::{ONE, Price, Qty};
use crate::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

const WINDOW_15M: i64 = 15 * MINUTE;
const WINDOW_30M: i64 = 30 * MINUTE;
const WINDOW_4H: i64 = 4 * HOUR;
const SLOPE: i64 = 60 * SECOND;
const SLOPE_SECS: f64 = 60.0;
/// Trades below which the quantiles are absent.
const QUANTILE_TRADES: u64 = 1_000;

/// The windows of one instrument.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Windows {
    ring: Ring,
    /// Up to here trades are in the sums.
    head: Cursor,
    /// From here on trades are in the quantiles; before it they are forgotten.
    tail_24h: Cursor,
    /// The time of the head.
    now: Timestamp,
    /// Σ signed quantity of everything that came in.
    total: i128,
    cvd_4h: SlidingSum,
    slope_60s: SlidingSum,
    cvd_day: DaySum,
    vwap: Vwap,
    quantiles: Quantiles,
    flow: LargeFlow,
    bars: Bars,
    /// Slopes of the rows of the last 60 seconds, oldest first.
    slopes: VecDeque<(Timestamp, f64)>,
    pub(crate) holes: Holes,
}

impl Windows {
    /// Appends a trade, in time order.
    #[inline]
    pub(crate) fn push(&mut self, trade: &Trade) {
        self.ring.push(trade.ts.as_micros(), trade.qty.signed(trade.taker_side).units());
        self.vwap.prices.push_back(trade.price.units());
    }

    /// Takes the trades with `ts <= now` into the sums and drops what the windows leave behind.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let now_us = now.as_micros();
        self.now = now;
        self.absorb(now_us);
        let ring = &self.ring;
        self.cvd_4h.expire(ring, now_us - WINDOW_4H / 1_000);
        self.vwap.expire(ring, now_us - WINDOW_30M / 1_000);
        self.slope_60s.expire(ring, now_us - SLOPE / 1_000 + 1);
        let quantiles = &mut self.quantiles;
        ring.pass(&mut self.tail_24h, now_us - DAY / 1_000, |run| {
            run.qty.iter().for_each(|qty| quantiles.remove(qty.unsigned_abs()));
        });
        self.ring.drop_before(self.tail_24h);
        self.flow.expire(now_us);
        self.cvd_day.roll(now_us);
        self.bars.advance(now_us, &self.holes);
        self.holes.expire(now);
    }

    fn absorb(&mut self, now_us: i64) {
        let Self { ring, head, total, cvd_day, vwap, quantiles, flow, bars, holes, .. } = self;
        ring.pass(head, now_us + 1, |run| {
            let sum = run.sum();
            *total += sum;
            cvd_day.add_run(&run, sum);
            flow.add_run(&run);
            vwap.add_run(&run, |ts_us, size, price, value| {
                quantiles.add(size);
                bars.add((ts_us, price, value), holes);
            });
        });
    }

    /// The row of grid time `now`, recorded for later rows.
    pub(crate) fn row(&mut self, now: Timestamp, last_price: Price) -> Indicators {
        self.advance(now);
        let slope = self.slope_60s.sum(self.total).to_f64_lossy() / SLOPE_SECS;
        let (qty_p95, qty_p99) = self.read_quantiles();
        let row = Indicators {
            time: now,
            last_price,
            cvd_30m: self.vwap.cvd(self.total),
            cvd_4h: self.cvd_4h.sum(self.total),
            cvd_day: self.cvd_day.sum(),
            volume_30m: self.vwap.volume(),
            vwap_30m: self.vwap.read(),
            atr: self.bars.atr().map(price_units),
            atr_percentile: self.bars.atr_percentile(),
            qty_p95,
            qty_p99,
            large_flow_15m: qty_p99.map(|_| self.flow.sum()),
            cvd_slope: slope,
            cvd_accel: self.slope_before(now).map(|before| (slope - before) / SLOPE_SECS),
            complete_15m: self.holes.complete(now, WINDOW_15M),
            complete_30m: self.holes.complete(now, WINDOW_30M),
            complete_4h: self.holes.complete(now, WINDOW_4H),
            coverage_24h: self.holes.coverage_24h(now),
            traded_bars: self.bars.traded(),
        };
        self.slopes.push_back((now, slope));
        self.flow.record(now.as_micros(), qty_p99.map(|qty| qty.units().unsigned_abs()));
        row
    }

    fn slope_before(&mut self, now: Timestamp) -> Option<f64> {
        let then = now.plus(-SLOPE);
        while self.slopes.front().is_some_and(|(at, _)| *at < then) {
            self.slopes.pop_front();
        }
        self.slopes.front().filter(|(at, _)| *at == then).map(|(_, slope)| *slope)
    }

    fn read_quantiles(&mut self) -> (Option<Qty>, Option<Qty>) {
        if self.quantiles.len() < QUANTILE_TRADES {
            return (None, None);
        }
        let Self { ring, tail_24h, head, quantiles, .. } = self;
        let read = quantiles
            .read(|each| ring.for_each_qty(*tail_24h, *head, |qty| each(qty.unsigned_abs())));
        let qty = |units| i64::try_from(units).ok().and_then(|units| Qty::from_units(units).ok());
        read.map_or((None, None), |[p95, p99]| (qty(p95), qty(p99)))
    }

    /// Whether a sum left its range: the instrument must be quarantined.
    pub(crate) const fn overflowed(&self) -> bool {
        self.vwap.overflowed
    }

    /// Quote volume of the last 24 hours by 5-minute bars, in 10⁻¹⁶; none until 24 hours were seen.
    pub(crate) fn quote_volume_24h(&self, now: Timestamp) -> Option<i128> {
        (self.holes.running_for(now) >= DAY).then(|| self.bars.quote_volume_24h(now))
    }

    /// Trades of the last hour by 5-minute bars.
    /// When the longest window that entries need will be whole.
    pub(crate) fn whole_at(&self) -> Option<Timestamp> {
        self.holes.whole_at(WINDOW_4H)
    }

    pub(crate) fn trades_1h(&self, now: Timestamp) -> u64 {
        self.bars.trades_1h(now)
    }

    /// Contact came back and nothing was missing: the intervals since `from` are bars again.
    pub(crate) fn heal(&mut self, from: Timestamp) {
        self.bars.rebuild(from.as_micros(), &self.holes);
    }

    /// Puts trades that were missing where they belong; tells how many were.
    pub(crate) fn backfill(&mut self, trades: &[Trade]) -> usize {
        let mut found = Vec::new();
        let mut touched = None;
        for trade in trades {
            if let Some(hole) = self.holes.fill(trade.id, trade.ts) {
                touched = Some(touched.map_or(hole.start, |from: Timestamp| from.min(hole.start)));
                let is_last = trade.ts.floor_to(BAR) != hole.end.floor_to(BAR);
                found.push((trade, if is_last { EndsInterval::Yes } else { EndsInterval::No }));
            }
        }
        let Some(touched) = touched else { return 0 };
        // Late trades wait in the ring for the next tick. Laying it anew would pass over them, and
        // the day, the bars and the flow, which are kept, would never have them.
        self.absorb(self.now.as_micros());
        // Later ones only wait in the ring.
        let reached = found.iter().filter(|(trade, _)| trade.ts <= self.now);
        for (trade, ends) in reached {
            let ts_us = trade.ts.as_micros();
            let signed = trade.qty.signed(trade.taker_side).units();
            let value = trade.price.notional(trade.qty).units();
            self.bars.insert((ts_us, trade.price.units(), value), *ends);
            self.flow.insert(ts_us, signed);
            self.cvd_day.add(ts_us, signed);
        }
        self.bars.rebuild(touched.as_micros(), &self.holes);
        self.flow.expire(self.now.as_micros());
        let count = found.len();
        self.rebuild(found.into_iter().map(|(trade, _)| trade));
        count
    }

    /// Lays the ring anew with `found` in its place; bars, flow and the day are up to date.
    fn rebuild<'a>(&mut self, found: impl Iterator<Item = &'a Trade>) {
        let now = self.now;
        let held = self.ring.collect(self.tail_24h);
        let unpriced = held.len() - self.vwap.prices.len();
        let prices = std::iter::repeat_n(None, unpriced)
            .chain(self.vwap.prices.iter().map(|price| Some(*price)));
        let mut all: Vec<(i64, i64, Option<i64>)> =
            held.iter().zip(prices).map(|((ts, qty), price)| (*ts, *qty, price)).collect();
        all.extend(found.map(|t| {
            (t.ts.as_micros(), t.qty.signed(t.taker_side).units(), Some(t.price.units()))
        }));
        all.sort_by_key(|(ts, ..)| *ts);
        let (day, flow) = (self.cvd_day, std::mem::take(&mut self.flow));
        let bars = std::mem::take(&mut self.bars);
        let (slopes, holes) = (std::mem::take(&mut self.slopes), std::mem::take(&mut self.holes));
        *self = Self { slopes, ..Self::default() };
        for (ts, qty, price) in all {
            self.ring.push(ts, qty);
            self.vwap.prices.push_back(price.unwrap_or_default());
        }
        self.advance(now);
        (self.cvd_day, self.flow, self.bars, self.holes) = (day, flow, bars, holes);
    }

    /// Bytes held by the ring and the prices.
    pub(crate) fn bytes(&self) -> usize {
        self.ring.bytes() + self.vwap.prices.capacity() * size_of::<i64>()
    }

    /// Records missing trades.
    pub(crate) fn add_hole(&mut self, hole: Missing) {
        self.holes.add(hole);
    }
}

/// Units of 10⁻⁸ as a price.
#[expect(clippy::cast_precision_loss, reason = "10⁸ is exact")]
fn price_units(units: f64) -> f64 {
    units / ONE as f64
}

impl From<QtySum> for f64 {
    fn from(sum: QtySum) -> Self {
        sum.to_f64_lossy()
    }
}
