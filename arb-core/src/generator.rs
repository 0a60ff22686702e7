//! A seeded tape: endless aggregate trades that look like a busy perpetual.
//!
//! Invariant: a tape is a function of its [`GeneratorConfig`] alone, bit-equal on every platform,
//! and a longer tape begins with the shorter one. Therefore only integers, `+ − × ÷ √` and the
//! software functions of `libm` are used: the system's `exp` and `log` differ in the last bit.
//!
//! The model has what order-flow rules look at, and no more:
//! - Trades come in bursts. The rate of bursts follows a log-normal Ornstein-Uhlenbeck process, so
//!   that there are quiet and busy hours.
//! - Takers are autocorrelated, and two slow processes (tens of minutes, hours) lean them to one
//!   side, so that CVD windows of different length agree for a while.
//! - Price moves with the square root of signed size and with news between bursts. The market
//!   discounts most of the lean: flow and price correlate, yet the lean alone is no free money.
//! - A weak pull toward the first price keeps long tapes in a sane band.

use crate::event::{Side, Trade};
use crate::instrument::InstrumentId;
use crate::num::{Price, Qty};
use crate::time::Timestamp;

/// First line of an archive file of aggregate trades, with its line end.
pub const CSV_HEADER: &str = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,\
                              transact_time,is_buyer_maker\n";

/// Mean time between bursts, µs: with [`BURST_TAIL`] about 25 trades a second.
const BURST_GAP_US: f64 = 163_000.0;
/// Mean of the exponential that is rounded down to the number of trades after a burst's first.
const BURST_TAIL: f64 = 3.6;
/// Least time between two trades, µs: never more than five in a millisecond.
const SPACING_US: i64 = 200;
/// Width of the uniform addition to [`SPACING_US`] inside a burst, µs.
const SPACING_JITTER_US: f64 = 400.0;

/// Slow processes move once in so many µs of tape time.
const STEP_US: i64 = 1_000_000;
/// Log of the burst rate: relaxes in an hour and a half.
const ACTIVITY: Relaxation = Relaxation::new(5_400.0, 0.5);
/// Lean of the takers (expected sign of a trade), the part that lasts tens of minutes.
const LEAN_FAST: Relaxation = Relaxation::new(2_400.0, 0.05);
/// The part of the lean that lasts hours.
const LEAN_SLOW: Relaxation = Relaxation::new(14_400.0, 0.05);

/// Chance that a burst begins on the side of the last trade without a new draw.
const KEEP_SIDE_ACROSS: f64 = 0.4;
/// The same from trade to trade inside a burst.
const KEEP_SIDE_WITHIN: f64 = 0.85;

/// Mean and deviation of the log of a size in lots: median 13, 95 % below 190, 99 % below 570.
const LOG_LOTS: (f64, f64) = (2.58, 1.62);
/// Square root of the largest size in lots.
const MAX_ROOT_LOTS: f64 = 600.0;

/// Move of the price per square root of a lot, as a fraction of price.
const IMPACT: f64 = 8.0e-7;
/// Share of the lean that the price anticipates and does not move with.
const DISCOUNT: f64 = 0.8;
/// Deviation of the move between two bursts that no trade explains, as a fraction of price.
const NEWS: f64 = 1.4e-5;
/// Share of the way back to the first price per step: relaxes in about a day and a half.
const PULL: f64 = 8.0e-6;

/// What a tape is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// The instrument that the trades carry.
    pub instrument: InstrumentId,
    /// Any number; each gives another tape.
    pub seed: u64,
    /// No trade is earlier; rounded down to a millisecond.
    pub start: Timestamp,
    /// Id of the first trade; the others count up by one.
    pub first_id: u64,
    /// Price about which the tape moves; rounded down to a tick, at least one.
    pub start_price: Price,
    /// Every price is a multiple of it; zero counts as 10⁻⁸.
    pub tick: Price,
    /// Every quantity is a multiple of it; zero counts as 10⁻⁸.
    pub lot: Qty,
}

impl GeneratorConfig {
    /// A tape like BTCUSDT: from 2024-06-01 UTC, about 65,000, tick 0.1, lot 0.001.
    #[must_use]
    pub fn btcusdt(seed: u64) -> Self {
        let price = |units| Price::from_units(units).unwrap_or_default();
        Self {
            instrument: InstrumentId(0),
            seed,
            start: Timestamp::from_millis(1_717_200_000_000),
            first_id: 2_000_000_000,
            start_price: price(6_500_000_000_000),
            tick: price(10_000_000),
            lot: Qty::from_units(100_000).unwrap_or_default(),
        }
    }
}

impl Default for GeneratorConfig {
    /// [`GeneratorConfig::btcusdt`] with seed 1.
    fn default() -> Self {
        Self::btcusdt(1)
    }
}

/// Trades without end; it stops only where a price, quantity or id would leave its range.
///
/// ```
/// # use arb_core::generator::{GeneratorConfig, TapeGenerator};
/// let tape = || TapeGenerator::new(GeneratorConfig::btcusdt(7));
/// let long: Vec<_> = tape().take(1_000).collect();
/// let short: Vec<_> = tape().take(10).collect();
/// assert_eq!(long[..10], short[..]);
/// ```
#[derive(Clone, Debug)]
pub struct TapeGenerator {
    random: SplitMix,
    instrument: InstrumentId,
    next_id: u64,
    start_us: i64,
    tick: i64,
    lot: i64,
    /// Present and first price in ticks; trades lie at the whole ticks around the present one.
    mid: f64,
    anchor: f64,
    /// Time since the start, and when the slow processes move next, µs.
    elapsed_us: i64,
    next_step_us: i64,
    activity: f64,
    lean_fast: f64,
    lean_slow: f64,
    left_in_burst: i64,
    side: Side,
}

impl TapeGenerator {
    /// A tape from its beginning.
    #[must_use]
    pub fn new(config: GeneratorConfig) -> Self {
        let tick = config.tick.units().max(1);
        let anchor = float((config.start_price.units() / tick).max(1));
        let mut random = SplitMix::new(config.seed);
        // The slow processes start anywhere in their range, so that seeds differ at once.
        let activity = ACTIVITY.deviation * random.normal();
        let lean_fast = LEAN_FAST.deviation * random.normal();
        let lean_slow = LEAN_SLOW.deviation * random.normal();
        Self {
            random,
            instrument: config.instrument,
            next_id: config.first_id,
            start_us: config.start.as_millis().saturating_mul(1_000),
            tick,
            lot: config.lot.units().max(1),
            mid: anchor,
            anchor,
            elapsed_us: 0,
            next_step_us: STEP_US,
            activity,
            lean_fast,
            lean_slow,
            left_in_burst: 0,
            side: Side::Buy,
        }
    }

    /// Expected sign of a trade, −1 to 1.
    fn lean(&self) -> f64 {
        (self.lean_fast + self.lean_slow).clamp(-0.5, 0.5)
    }

    /// Moves the clock to the next trade, and what goes with it: burst, slow processes, side.
    fn advance(&mut self) {
        if self.left_in_burst > 0 {
            self.left_in_burst -= 1;
            let jitter = whole(SPACING_JITTER_US * self.random.uniform());
            self.elapsed_us += SPACING_US + jitter;
            self.draw_side(KEEP_SIDE_WITHIN);
            return;
        }
        self.left_in_burst = whole(BURST_TAIL * self.random.exponential());
        // The deviation's half square makes the mean over time of exp(activity) one.
        let rate = libm::exp(self.activity - ACTIVITY.deviation * ACTIVITY.deviation / 2.0);
        let gap = whole(BURST_GAP_US / rate * self.random.exponential());
        self.elapsed_us = self.elapsed_us.saturating_add(SPACING_US + gap);
        while self.next_step_us <= self.elapsed_us {
            self.step();
        }
        let news = NEWS * self.random.normal();
        self.move_by(news);
        self.draw_side(KEEP_SIDE_ACROSS);
    }

    fn step(&mut self) {
        self.next_step_us = self.next_step_us.saturating_add(STEP_US);
        self.activity = ACTIVITY.after_step(self.activity, self.random.normal());
        self.lean_fast = LEAN_FAST.after_step(self.lean_fast, self.random.normal());
        self.lean_slow = LEAN_SLOW.after_step(self.lean_slow, self.random.normal());
        self.mid += PULL * (self.anchor - self.mid);
    }

    fn draw_side(&mut self, keep: f64) {
        if self.random.uniform() >= keep {
            let buys = self.random.uniform() < 0.5 + self.lean() / 2.0;
            self.side = if buys { Side::Buy } else { Side::Sell };
        }
    }

    /// Moves the price by a fraction of itself, within a quarter and four times the first one.
    fn move_by(&mut self, fraction: f64) {
        self.mid = (self.mid * (1.0 + fraction)).clamp(self.anchor / 4.0, self.anchor * 4.0);
    }

    /// Square root of a log-normal size in lots, at least one: the root is what moves the price.
    fn root_lots(&mut self) -> f64 {
        let (mean, deviation) = LOG_LOTS;
        libm::exp((mean + deviation * self.random.normal()) / 2.0).clamp(1.0, MAX_ROOT_LOTS)
    }

    /// The price moves with what of the trade was not expected.
    fn apply_impact(&mut self, root_lots: f64) {
        let sign = match self.side {
            Side::Buy => 1.0,
            Side::Sell => -1.0,
        };
        self.move_by(IMPACT * root_lots * (sign - DISCOUNT * self.lean()));
    }

    /// The whole tick above the middle for a buyer, below it for a seller.
    fn price(&self) -> Option<Price> {
        let below = whole(self.mid).max(1);
        let ticks = match self.side {
            Side::Buy => below + 1,
            Side::Sell => below,
        };
        Price::from_units(ticks.checked_mul(self.tick)?).ok()
    }
}

impl Iterator for TapeGenerator {
    type Item = Trade;

    fn next(&mut self) -> Option<Trade> {
        self.advance();
        let root_lots = self.root_lots();
        self.apply_impact(root_lots);
        let id = self.next_id;
        self.next_id = id.checked_add(1)?;
        let ts = Timestamp::from_micros(self.start_us.checked_add(self.elapsed_us)?);
        Some(Trade {
            instrument: self.instrument,
            taker_side: self.side,
            id,
            ts: Timestamp::from_millis(ts.as_millis()),
            price: self.price()?,
            qty: Qty::from_units(whole(root_lots * root_lots).checked_mul(self.lot)?).ok()?,
        })
    }
}

/// Adds the trade to `out` as one line of an archive file, see [`CSV_HEADER`].
///
/// The aggregate counts as a single fill of the same id: how many it was is not part of a
/// [`Trade`].
pub fn csv_line(trade: &Trade, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let Trade { id, price, qty, .. } = trade;
    let millis = trade.ts.as_millis();
    let buyer_is_maker = trade.taker_side == Side::Sell;
    // Writing to memory cannot fail.
    let _ = writeln!(out, "{id},{price},{qty},{id},{id},{millis},{buyer_is_maker}");
}

/// An Ornstein-Uhlenbeck process about zero, in steps of one second (Euler-Maruyama).
struct Relaxation {
    /// Share of the value that is lost in a step.
    decay: f64,
    /// Deviation of a step.
    noise: f64,
    /// Deviation of the value over a long time.
    deviation: f64,
}

impl Relaxation {
    const fn new(seconds: f64, deviation: f64) -> Self {
        let decay = 1.0 / seconds;
        Self { decay, noise: deviation * constant_sqrt(2.0 * decay), deviation }
    }

    fn after_step(&self, value: f64, normal: f64) -> f64 {
        value - self.decay * value + self.noise * normal
    }
}

/// The square root by Newton's steps, because `libm` has no constant one.
const fn constant_sqrt(x: f64) -> f64 {
    let (mut root, mut steps) = (1.0, 0);
    while steps < 64 {
        root = (root + x / root) / 2.0;
        steps += 1;
    }
    root
}

/// `SplitMix64` (Steele, Lea & Flood, *Fast Splittable Pseudorandom Number Generators*, 2014).
#[derive(Clone, Debug)]
struct SplitMix {
    state: u64,
    spare_normal: Option<f64>,
}

impl SplitMix {
    const fn new(seed: u64) -> Self {
        Self { state: seed, spare_normal: None }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in (0, 1): the middle of one of 2⁵² equal parts.
    #[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit a float exactly")]
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Exponential with mean one, by inversion.
    fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Normal with mean zero and deviation one, by Marsaglia's polar method (Marsaglia & Bray,
    /// *A Convenient Method for Generating Normal Variables*, 1964), which makes two at a time.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 {
                let scale = libm::sqrt(-2.0 * libm::log(square) / square);
                self.spare_normal = Some(y * scale);
                return x * scale;
            }
        }
    }
}

/// The whole part; ends of the range saturate.
#[expect(clippy::cast_possible_truncation, reason = "rounding toward zero is what it is for")]
const fn whole(x: f64) -> i64 {
    x as i64
}

/// The nearest float.
#[expect(clippy::cast_precision_loss, reason = "a start price in ticks; rounding it is harmless")]
const fn float(x: i64) -> f64 {
    x as f64
}

#[cfg(test)]
mod tests;
