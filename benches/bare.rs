//! The machine's limit: the indicators of the engine as a bare loop, with nothing around them.
//!
//! No events, no holes, no orders' life, no errors: integer ticks and lots in a power-of-two ring,
//! one tail per window, a count table for the quantiles, a mean of 14 true ranges. The engine's
//! cost is stated as a multiple of this, so it must stay as cheap as it is: its layout (24 bytes a
//! trade, one ring for all windows) is part of the measure.
//!
//! Invariant: the ring holds the longest window, so a caller gives a capacity above the largest
//! number of trades in it; in a debug build a smaller one panics.

#![allow(dead_code, reason = "each benchmark uses its own part")]
#![allow(clippy::indexing_slicing, reason = "indices are masked by the length or below a constant")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "ticks, lots and counts of a tape are far below the bounds; checks would be a cost"
)]
#![allow(clippy::needless_range_loop, reason = "a window is an index into three arrays")]
#![allow(clippy::float_cmp, reason = "a position is 0 or the order's quantity, never computed")]

use std::collections::BTreeMap;

const WINDOW_MS: [i64; 3] = [30 * 60_000, 4 * 3_600_000, 24 * 3_600_000];
const BAR_MS: i64 = 5 * 60_000;
const GRID_MS: i64 = 15_000;
const TICK: f64 = 0.1;
/// Trades of 24 busy hours fit.
const FULL_CAPACITY: usize = 1 << 22;
/// Trades of 30 busy minutes fit.
const SMALL_CAPACITY: usize = 1 << 20;

/// A trade of a tape with tick 0.1 and lot 0.001.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BareTrade {
    pub(crate) t_ms: i64,
    pub(crate) id: u64,
    pub(crate) price_ticks: u32,
    /// Lots times two, plus one when the buyer was the maker.
    lots_and_maker: u32,
}

impl BareTrade {
    pub(crate) fn new(
        t_ms: i64,
        id: u64,
        price_ticks: u32,
        lots: u32,
        buyer_is_maker: bool,
    ) -> Self {
        Self { t_ms, id, price_ticks, lots_and_maker: lots << 1 | u32::from(buyer_is_maker) }
    }

    #[inline]
    fn lots(&self) -> u32 {
        self.lots_and_maker >> 1
    }

    /// Lots, negative when the taker sold.
    #[inline]
    fn signed_lots(&self) -> i64 {
        let lots = i64::from(self.lots());
        if self.lots_and_maker & 1 == 1 { -lots } else { lots }
    }
}

/// What a decision reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct BareSnapshot {
    /// Signed lots of 30 minutes, 4 hours, 24 hours.
    pub(crate) cvd: [i64; 3],
    pub(crate) vwap_30m: f64,
    pub(crate) atr: f64,
    /// The 95 % and 99 % quantiles of lots over 24 hours.
    pub(crate) quantiles: [u32; 2],
}

/// All three windows, VWAP, ATR and quantiles.
pub(crate) type BareIndicators = BareWindows<3>;
/// The 30-minute window, VWAP and ATR.
pub(crate) type BareCvdAtr = BareWindows<1>;

/// Indicators over the first `WINDOWS` of 30 minutes, 4 hours, 24 hours.
pub(crate) struct BareWindows<const WINDOWS: usize> {
    ring: Vec<BareTrade>,
    mask: usize,
    head: usize,
    tails: [usize; 3],
    cvd: [i64; 3],
    /// Σ ticks × lots and Σ lots of 30 minutes.
    quote: i64,
    base: i64,
    quantiles: Option<CountTable>,
    atr: MeanRange,
}

impl<const WINDOWS: usize> BareWindows<WINDOWS> {
    /// Room for `capacity` trades, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = capacity.next_power_of_two();
        Self {
            ring: vec![BareTrade::default(); slots],
            mask: slots - 1,
            head: 0,
            tails: [0; 3],
            cvd: [0; 3],
            quote: 0,
            base: 0,
            quantiles: (WINDOWS == 3).then(CountTable::new),
            atr: MeanRange::default(),
        }
    }

    #[inline]
    pub(crate) fn on_trade(
        &mut self,
        t_ms: i64,
        price_ticks: u32,
        lots: u32,
        buyer_is_maker: bool,
    ) {
        self.push(&BareTrade::new(t_ms, self.head as u64, price_ticks, lots, buyer_is_maker));
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, trade: &BareTrade) {
        let (lots, price) = (i64::from(trade.lots()), i64::from(trade.price_ticks));
        self.ring[self.head & self.mask] = *trade;
        self.head += 1;
        for window in 0..WINDOWS {
            self.cvd[window] += trade.signed_lots();
            self.evict(window, trade.t_ms - WINDOW_MS[window]);
        }
        self.quote += price * lots;
        self.base += lots;
        if let Some(table) = &mut self.quantiles {
            table.add(trade.lots());
        }
        self.atr.on_price(trade.t_ms, price);
        debug_assert!(self.head - self.tails[WINDOWS - 1] <= self.mask, "the ring is too small");
    }

    /// Drops what is older than `from_ms` from one window; the newest trade never is.
    #[inline(always)]
    fn evict(&mut self, window: usize, from_ms: i64) {
        loop {
            let oldest = self.ring[self.tails[window] & self.mask];
            if oldest.t_ms >= from_ms {
                return;
            }
            self.cvd[window] -= oldest.signed_lots();
            if window == 0 {
                self.quote -= i64::from(oldest.price_ticks) * i64::from(oldest.lots());
                self.base -= i64::from(oldest.lots());
            }
            if window == 2
                && let Some(table) = &mut self.quantiles
            {
                table.remove(oldest.lots());
            }
            self.tails[window] += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn snapshot(&mut self) -> BareSnapshot {
        BareSnapshot {
            cvd: self.cvd,
            vwap_30m: self.quote as f64 / self.base.max(1) as f64 * TICK,
            atr: self.atr.value(),
            quantiles: self.quantiles.as_mut().map_or([0; 2], CountTable::read),
        }
    }

    #[inline(always)]
    fn cvd_30m(&self) -> i64 {
        self.cvd[0]
    }

    /// Bytes of the ring and the table.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.quantiles.as_ref().map_or(0, |table| size_of_val(&table.counts[..]));
        size_of_val(&self.ring[..]) + table
    }
}

/// Lots from here on share one count; their exact values are kept beside it.
const TABLE: usize = 1 << 16;

/// Exact quantiles over whole lots: a count per value, and a pointer per quantile that walks as
/// ranks move.
struct CountTable {
    counts: Vec<u32>,
    beyond: BTreeMap<u32, u32>,
    total: u64,
    pointers: [Pointer; 2],
}

#[derive(Clone, Copy)]
struct Pointer {
    percent: u64,
    at: usize,
    /// Trades of fewer lots than `at`.
    below: u64,
}

impl CountTable {
    fn new() -> Self {
        let pointer = |percent| Pointer { percent, at: 0, below: 0 };
        Self {
            counts: vec![0; TABLE + 1],
            beyond: BTreeMap::new(),
            total: 0,
            pointers: [pointer(95), pointer(99)],
        }
    }

    #[inline(always)]
    fn add(&mut self, lots: u32) {
        let slot = (lots as usize).min(TABLE);
        if slot == TABLE {
            *self.beyond.entry(lots).or_insert(0) += 1;
        }
        self.counts[slot] += 1;
        self.total += 1;
        for pointer in &mut self.pointers {
            pointer.below += u64::from(slot < pointer.at);
        }
    }

    #[inline(always)]
    fn remove(&mut self, lots: u32) {
        let slot = (lots as usize).min(TABLE);
        if slot == TABLE
            && let Some(count) = self.beyond.get_mut(&lots)
        {
            *count -= 1;
            if *count == 0 {
                self.beyond.remove(&lots);
            }
        }
        self.counts[slot] -= 1;
        self.total -= 1;
        for pointer in &mut self.pointers {
            pointer.below -= u64::from(slot < pointer.at);
        }
    }

    /// The values at index ⌊n·percent/100⌋ of the sorted window; [`TABLE`] stands for all beyond.
    #[inline(always)]
    fn read(&mut self) -> [u32; 2] {
        let (total, counts) = (self.total, &self.counts);
        self.pointers.each_mut().map(|pointer| {
            let rank = (total * pointer.percent / 100).min(total.saturating_sub(1));
            while pointer.below > rank {
                pointer.at -= 1;
                pointer.below -= u64::from(counts[pointer.at]);
            }
            while pointer.at < TABLE && pointer.below + u64::from(counts[pointer.at]) <= rank {
                pointer.below += u64::from(counts[pointer.at]);
                pointer.at += 1;
            }
            pointer.at as u32
        })
    }
}

/// Mean of the last 14 true ranges of 5-minute bars; a bar without trades is no bar.
#[derive(Default)]
struct MeanRange {
    /// End of the running bar; 0 before the first trade.
    end_ms: i64,
    high: i64,
    low: i64,
    close: i64,
    previous_close: i64,
    ranges: [i64; 14],
    at: usize,
    sum: i64,
    count: usize,
}

impl MeanRange {
    #[inline(always)]
    fn on_price(&mut self, t_ms: i64, price: i64) {
        if t_ms < self.end_ms {
            self.high = self.high.max(price);
            self.low = self.low.min(price);
            self.close = price;
        } else {
            self.next_bar(t_ms, price);
        }
    }

    #[cold]
    fn next_bar(&mut self, t_ms: i64, price: i64) {
        if self.end_ms != 0 {
            let reach = if self.count == 0 { self.close } else { self.previous_close };
            let span = self.high - self.low;
            let range = span.max((self.high - reach).abs()).max((self.low - reach).abs());
            self.sum += range - self.ranges[self.at];
            self.ranges[self.at] = range;
            self.at = (self.at + 1) % self.ranges.len();
            self.count = (self.count + 1).min(self.ranges.len());
            self.previous_close = self.close;
        }
        self.end_ms = t_ms - t_ms.rem_euclid(BAR_MS) + BAR_MS;
        (self.high, self.low, self.close) = (price, price, price);
    }

    #[inline(always)]
    fn value(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64 * TICK
    }
}

/// Orders and profit of the small strategy over a tape, with the full set of indicators.
///
/// Every 15 s: buy 0.01 when flat, the ATR is there and the 30-minute CVD is positive; sell it
/// when the CVD is negative. Fills at the last price, fee 5 bp, an open position valued at the end.
pub(crate) fn bare_backtest(tape: &[BareTrade]) -> (u64, f64) {
    backtest(BareIndicators::new(FULL_CAPACITY), tape)
}

/// The same with the 30-minute window and the ATR only.
pub(crate) fn bare_backtest_small(tape: &[BareTrade]) -> (u64, f64) {
    backtest(BareCvdAtr::new(SMALL_CAPACITY), tape)
}

fn backtest<const WINDOWS: usize>(
    mut indicators: BareWindows<WINDOWS>,
    tape: &[BareTrade],
) -> (u64, f64) {
    const QTY: f64 = 0.01;
    const FEE: f64 = 0.0005;
    let (mut next_ms, mut orders, mut position, mut cash) = (0, 0, 0.0, 0.0);
    if let Some(first) = tape.first() {
        next_ms = first.t_ms + GRID_MS;
    }
    for trade in tape {
        indicators.push(trade);
        if trade.t_ms < next_ms {
            continue;
        }
        next_ms = trade.t_ms - trade.t_ms % GRID_MS + GRID_MS;
        let row = indicators.snapshot();
        let price = f64::from(trade.price_ticks) * TICK;
        if row.atr > 0.0 && row.cvd[0] > 0 && position == 0.0 {
            (position, orders) = (QTY, orders + 1);
            cash -= price * QTY * (1.0 + FEE);
        } else if row.atr > 0.0 && row.cvd[0] < 0 && position > 0.0 {
            (position, orders) = (0.0, orders + 1);
            cash += price * QTY * (1.0 - FEE);
        }
    }
    let last = tape.last().map_or(0.0, |trade| f64::from(trade.price_ticks) * TICK);
    (orders, cash + position * last)
}

/// Reads an archive file with a header line and updates CVD and ATR by every trade; the result
/// depends on all of them. None when a line is malformed.
pub(crate) fn bare_csv(csv: &[u8]) -> Option<i64> {
    let mut indicators = BareCvdAtr::new(SMALL_CAPACITY);
    let mut ends = memchr::memchr_iter(b'\n', csv);
    let mut start = ends.next()? + 1;
    let mut folded = 0;
    for end in ends {
        indicators.push(&parse_line(&csv[start..end])?);
        start = end + 1;
        folded ^= indicators.cvd_30m();
    }
    Some(folded)
}

#[inline(always)]
fn parse_line(line: &[u8]) -> Option<BareTrade> {
    let mut fields = line.split(|byte| *byte == b',');
    let id = whole(fields.next()?);
    let price = fixed_8(fields.next()?)?;
    let qty = fixed_8(fields.next()?)?;
    let t_ms = whole(fields.nth(2)?) as i64;
    let buyer_is_maker = *fields.next()?.first()? == b't';
    let (ticks, lots) = (price / 10_000_000, qty / 100_000);
    Some(BareTrade::new(t_ms, id, ticks as u32, lots as u32, buyer_is_maker))
}

#[inline(always)]
fn whole(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, byte| value * 10 + u64::from(byte.wrapping_sub(b'0')))
}

/// Decimal text to units of 10⁻⁸; none on anything but digits with at most one dot.
#[inline(always)]
fn fixed_8(text: &[u8]) -> Option<i64> {
    const SCALES: [i64; 9] =
        [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let (mut value, mut decimals, mut dot) = (0_i64, 0, false);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + i64::from(digit);
            decimals += usize::from(dot);
        } else if *byte == b'.' && !dot {
            dot = true;
        } else {
            return None;
        }
    }
    value.checked_mul(*SCALES.get(decimals).filter(|_| !text.is_empty())?)
}
