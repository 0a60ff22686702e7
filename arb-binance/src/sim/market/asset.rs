//! What one coin is worth: its index price, and how far the perpetual stands from it.
//!
//! Invariant: index, mark, premium and the middle of both markets are functions of the second, and
//! every figure of the venue is derived from them, so they agree with each other. Premiums are in
//! units of [`ONE`]; prices in 10⁻⁸ of the perpetual's quote.
//!
//! Where trades were recorded, they lead: the index is what the recorded price implies, and the
//! generated price before and after is scaled to meet its first and last trade.

use std::sync::Arc;

use super::catalogue::SymbolSpec;
use super::noise::{Cursor, Noise, ONE, bits, key_of, mix, spread};
use super::tape::Tape;

/// Move of the index in its finest octave, for BTC: five millionths.
const FINEST_MOVE: i64 = ONE / 100_000 * 4;
/// A ten-thousandth.
const BASIS_POINT: i64 = ONE / 10_000;

/// Which of a coin's two markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Perpetual,
    /// One unit of the perpetual is so many of the pair.
    Spot(u32),
}

/// The prices of a coin.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    price: i64,
    index: Noise,
    /// The part of the premium that mark price and funding see: longer than some minutes.
    slow: Noise,
    /// The part that only trades see.
    fast: Noise,
    bias: i64,
    anchor: Option<Anchor>,
}

/// Recorded trades that lead the price.
#[derive(Clone, Debug)]
struct Anchor {
    tape: Arc<Tape>,
    leg: Leg,
    /// What the generated index before and after is multiplied with.
    before: i64,
    after: i64,
}

/// Where an asset was asked last.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssetCursor {
    index: Cursor,
    slow: Cursor,
    fast: Cursor,
}

impl Asset {
    pub(crate) fn new(seed: u64, spec: &SymbolSpec) -> Self {
        let key = key_of(seed, &spec.symbol);
        let percent = i64::from(spec.volatility_percent);
        // One coin in five has a premium that lasts, of either sign.
        let leaning = bits(key, 0, 8) % 5 == 0;
        let width = if leaning { 16 * BASIS_POINT } else { 2 * BASIS_POINT };
        Self {
            price: spec.price.units(),
            index: Noise::new(mix(key, 1), 0..=21, FINEST_MOVE * percent / 100),
            slow: Noise::new(mix(key, 2), 9..=17, BASIS_POINT / 8 * percent / 100),
            fast: Noise::new(mix(key, 3), 4..=8, BASIS_POINT / 16 * percent / 100),
            bias: BASIS_POINT + spread(mix(key, 4), width),
            anchor: None,
        }
    }

    /// Lets recorded trades of one of its markets lead the price.
    pub(crate) fn anchor(&mut self, tape: Arc<Tape>, leg: Leg) {
        let mut cursor = AssetCursor::default();
        let mut scale = |at: i64, price: i64| {
            let second = at.div_euclid(1_000);
            let generated = self.generated_index(&mut cursor, second).max(1);
            ratio(self.index_behind(leg, price, second), generated)
        };
        let (first, last) = (tape.first(), tape.last());
        let before = scale(first.at, first.price);
        let after = scale(last.at, last.price);
        self.anchor = Some(Anchor { tape, leg, before, after });
    }

    /// The index that a price of this market implies.
    fn index_behind(&self, leg: Leg, price: i64, second: i64) -> i64 {
        match leg {
            Leg::Perpetual => times(price, ONE - self.basis(second)),
            Leg::Spot(multiplier) => price.saturating_mul(i64::from(multiplier)),
        }
    }

    fn generated_index(&self, cursor: &mut AssetCursor, second: i64) -> i64 {
        times(self.price, ONE + self.index.near(&mut cursor.index, second))
    }

    /// The index price at a second.
    pub(crate) fn index(&self, cursor: &mut AssetCursor, second: i64) -> i64 {
        let Some(anchor) = &self.anchor else { return self.generated_index(cursor, second) };
        let at = second.saturating_mul(1_000);
        if at < anchor.tape.first().at {
            return times(self.generated_index(cursor, second), anchor.before);
        }
        if at > anchor.tape.last().at {
            return times(self.generated_index(cursor, second), anchor.after);
        }
        self.index_behind(anchor.leg, anchor.tape.price_at(at), second)
    }

    /// The middle of a market at a second.
    pub(crate) fn middle(&self, leg: Leg, cursor: &mut AssetCursor, second: i64) -> i64 {
        let index = self.index(cursor, second);
        match leg {
            Leg::Spot(multiplier) => index / i64::from(multiplier.max(1)),
            Leg::Perpetual => {
                let slow = self.slow.near(&mut cursor.slow, second);
                let fast = self.fast.near(&mut cursor.fast, second);
                times(index, ONE + self.bias + slow + fast)
            }
        }
    }

    /// The premium that mark price and funding see, a fraction in units of [`ONE`].
    pub(crate) fn premium(&self, second: i64) -> i64 {
        self.bias + self.slow.at(second)
    }

    fn basis(&self, second: i64) -> i64 {
        self.premium(second) + self.fast.at(second)
    }

    /// Index and mark price at a second.
    pub(crate) fn index_and_mark(&self, cursor: &mut AssetCursor, second: i64) -> (i64, i64) {
        let index = self.index(cursor, second);
        let premium = self.bias + self.slow.near(&mut cursor.slow, second);
        (index, times(index, ONE + premium))
    }
}

/// A price times a factor in units of [`ONE`], rounded down; prices stay below 2⁶².
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a price of at most 10¹⁸ times about one")]
pub(crate) const fn times(price: i64, factor: i64) -> i64 {
    ((price as i128 * factor as i128) >> 32) as i64
}

/// A quotient in units of [`ONE`].
pub(crate) fn ratio(upper: i64, lower: i64) -> i64 {
    i64::try_from((i128::from(upper) << 32) / i128::from(lower.max(1))).unwrap_or(i64::MAX)
}
