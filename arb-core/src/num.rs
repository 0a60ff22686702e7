//! Fixed-point numbers of a single trade or order, and money.
//!
//! Invariant: a [`Price`], [`Qty`] or [`SignedQty`] is an integer count of 10⁻⁸, parsed from the
//! venue's text digit by digit and never through a float, so equality is exact and sums commute.
//! Only legal operations compile: `Price × Qty` is a [`Notional`], and money is a Decimal.
//!
//! | operation | result |
//! |---|---|
//! | `Price::notional(Qty)` | [`Notional`], exact |
//! | `Qty::signed(Side)` | [`SignedQty`], negative when the taker sold |
//! | `Notional::to_money()` | [`Money`], rounded to 8 decimals half-even |
//! | `Qty + Qty`, `Price + Price` | checked methods only |

mod money;

use std::fmt;
use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::money::{Money, Notional, decimal_text};
use crate::error::NumError;
use crate::event::Side;

/// Decimals of every fixed-point number.
pub(crate) const DECIMALS: u32 = 8;
/// 10⁸, the units in one.
pub(crate) const ONE: i64 = 100_000_000;
/// Largest price or quantity accepted: 10¹⁰. A product of two still fits a rounded [`Money`].
pub(crate) const MAX: i64 = 10_000_000_000 * ONE;

const SCALES: [i64; 9] = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// Parses decimal text to units of 10⁻⁸, exactly.
///
/// Digits with at most one dot; no sign, exponent or space. Trailing zeros are free.
///
/// # Errors
/// [`NumError`] says which rule the text breaks.
#[inline]
pub fn parse_units(text: &[u8]) -> Result<i64, NumError> {
    if text.len() > 18 {
        return parse_long(text);
    }
    let (mut value, mut decimals, mut dot) = (0_i64, 0_usize, false);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + i64::from(digit);
            decimals += usize::from(dot);
        } else if byte == b'.' && !dot {
            dot = true;
        } else {
            return Err(classify(text));
        }
    }
    if matches!(text.first(), None | Some(b'.')) || text.last() == Some(&b'.') {
        return Err(classify(text));
    }
    let Some(scale) = SCALES.get(decimals) else { return parse_long(text) };
    value.checked_mul(*scale).ok_or(NumError::OutOfRange)
}

#[cold]
fn parse_long(text: &[u8]) -> Result<i64, NumError> {
    let whole_and_fraction = std::str::from_utf8(text).map_err(|_| NumError::Malformed)?;
    let (whole, fraction) = whole_and_fraction.split_once('.').unwrap_or((whole_and_fraction, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(classify(text));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 8 {
        return Err(NumError::TooManyDecimals);
    }
    let whole: i64 = match whole.trim_start_matches('0') {
        "" => 0,
        significant => significant.parse().map_err(|_| NumError::OutOfRange)?,
    };
    let scale = SCALES.get(fraction.len()).copied().ok_or(NumError::TooManyDecimals)?;
    let fraction: i64 =
        if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| NumError::Malformed)? };
    whole
        .checked_mul(ONE)
        .and_then(|w| w.checked_add(fraction.checked_mul(scale)?))
        .ok_or(NumError::OutOfRange)
}

#[cold]
fn classify(text: &[u8]) -> NumError {
    match text {
        [] => NumError::Empty,
        [b'-', rest @ ..] if parse_units(rest).is_ok() => NumError::Negative,
        _ => NumError::Malformed,
    }
}

fn write_units(f: &mut fmt::Formatter<'_>, units: i64) -> fmt::Result {
    let magnitude = units.unsigned_abs();
    let one = ONE.unsigned_abs();
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    let sign = if units < 0 { "-" } else { "" };
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut width = 8;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    write!(f, "{sign}{whole}.{fraction:0width$}")
}

macro_rules! fixed_point {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The count of 10⁻⁸ units.
            #[inline]
            #[must_use]
            pub const fn units(self) -> i64 {
                self.0
            }

            /// The same number as a Decimal, exactly.
            #[must_use]
            pub fn to_decimal(self) -> Decimal {
                Decimal::from_i128_with_scale(i128::from(self.0), DECIMALS).normalize()
            }

            /// The nearest float, for ratios and scores only.
            #[inline]
            #[must_use]
            #[expect(clippy::cast_precision_loss, reason = "named lossy; never returns to a venue")]
            pub fn to_f64_lossy(self) -> f64 {
                self.0 as f64 / ONE as f64
            }

            /// Whether the number is zero.
            #[inline]
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_units(f, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($what, "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    let units = i64::deserialize(d)?;
                    if units.unsigned_abs() > MAX.unsigned_abs() {
                        return Err(de::Error::custom(NumError::OutOfRange));
                    }
                    Ok(Self(units))
                }
            }
        }
    };
}

/// A price in quote currency per base unit, in 10⁻⁸; positive where it names a trade.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);
/// A quantity in base units, in 10⁻⁸; never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Qty(i64);
/// A quantity with a side: positive bought or long, negative sold or short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SignedQty(i64);

fixed_point!(Price, "Price");
fixed_point!(Qty, "Qty");
fixed_point!(SignedQty, "SignedQty");

/// Which way a rounding to tick or lot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Toward zero.
    Down,
    /// Away from zero.
    Up,
}

fn round_to(units: i64, step: i64, round: Round) -> Option<i64> {
    if step <= 0 {
        return Some(units);
    }
    let down = units.div_euclid(step).checked_mul(step)?;
    match round {
        Round::Up if down != units => down.checked_add(step),
        _ => Some(down),
    }
}

impl Price {
    /// A positive price from units of 10⁻⁸.
    ///
    /// # Errors
    /// [`NumError::NotPositive`] for zero or less, [`NumError::OutOfRange`] above 10¹⁰.
    #[inline]
    pub const fn from_units(units: i64) -> Result<Self, NumError> {
        match units {
            ..=0 => Err(NumError::NotPositive),
            1..=MAX => Ok(Self(units)),
            _ => Err(NumError::OutOfRange),
        }
    }

    /// Parses a positive price.
    ///
    /// ```
    /// # use arb_core::Price;
    /// assert_eq!(Price::parse(b"28140.50").unwrap().units(), 2_814_050_000_000);
    /// assert!(Price::parse(b"0").is_err());
    /// ```
    ///
    /// # Errors
    /// [`NumError`] says which rule the text breaks.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, NumError> {
        Self::from_units(parse_units(text)?)
    }

    /// Price × quantity, exact.
    #[inline]
    #[must_use]
    pub fn notional(self, qty: Qty) -> Notional {
        Notional::from_units(i128::from(self.0) * i128::from(qty.0))
    }

    /// The nearest multiple of `tick` in the given direction; a zero tick leaves the price as it is.
    ///
    /// # Errors
    /// [`NumError`] when the result is not a legal price.
    pub fn round_to_tick(self, tick: Price, round: Round) -> Result<Self, NumError> {
        Self::from_units(round_to(self.0, tick.0, round).ok_or(NumError::OutOfRange)?)
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] above 10¹⁰.
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        Self::from_units(self.0.checked_add(other.0).ok_or(NumError::OutOfRange)?)
    }

    /// `self − other`.
    ///
    /// # Errors
    /// [`NumError::NotPositive`] when nothing is left.
    pub fn checked_sub(self, other: Self) -> Result<Self, NumError> {
        Self::from_units(self.0.checked_sub(other.0).ok_or(NumError::OutOfRange)?)
    }

    /// A price from a Decimal, rounded to 8 decimals in the given direction.
    ///
    /// # Errors
    /// [`NumError`] when the value is not a legal price.
    pub fn from_decimal(value: Decimal, round: Round) -> Result<Self, NumError> {
        Self::from_units(decimal_units(value, round)?)
    }
}

impl Qty {
    /// A quantity from units of 10⁻⁸.
    ///
    /// # Errors
    /// [`NumError::Negative`] or [`NumError::OutOfRange`].
    #[inline]
    pub const fn from_units(units: i64) -> Result<Self, NumError> {
        match units {
            0..=MAX => Ok(Self(units)),
            ..0 => Err(NumError::Negative),
            _ => Err(NumError::OutOfRange),
        }
    }

    /// Parses a quantity; zero is legal.
    ///
    /// # Errors
    /// [`NumError`] says which rule the text breaks.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, NumError> {
        Self::from_units(parse_units(text)?)
    }

    /// The quantity with the sign of `side`: positive when the taker bought.
    #[inline]
    #[must_use]
    pub const fn signed(self, side: Side) -> SignedQty {
        match side {
            Side::Buy => SignedQty(self.0),
            Side::Sell => SignedQty(-self.0),
        }
    }

    /// The nearest multiple of `lot` in the given direction; a zero lot leaves it as it is.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] above 10¹⁰.
    pub fn round_to_lot(self, lot: Qty, round: Round) -> Result<Self, NumError> {
        Self::from_units(round_to(self.0, lot.0, round).ok_or(NumError::OutOfRange)?)
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] above 10¹⁰.
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        Self::from_units(self.0.checked_add(other.0).ok_or(NumError::OutOfRange)?)
    }

    /// `self − other`, zero when `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }

    /// A quantity from a Decimal, rounded to 8 decimals in the given direction.
    ///
    /// # Errors
    /// [`NumError`] when the value is negative or too large.
    pub fn from_decimal(value: Decimal, round: Round) -> Result<Self, NumError> {
        Self::from_units(decimal_units(value, round)?)
    }
}

impl SignedQty {
    /// A signed quantity from units of 10⁻⁸.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] beyond ±10¹⁰.
    pub const fn from_units(units: i64) -> Result<Self, NumError> {
        if units.unsigned_abs() > MAX.unsigned_abs() {
            return Err(NumError::OutOfRange);
        }
        Ok(Self(units))
    }

    /// The quantity without its sign.
    #[must_use]
    pub const fn abs(self) -> Qty {
        Qty(self.0.abs())
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] beyond ±10¹⁰.
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        Self::from_units(self.0.checked_add(other.0).ok_or(NumError::OutOfRange)?)
    }

    /// The side that brought the position here: Buy for long, Sell for short, none when flat.
    #[must_use]
    pub const fn side(self) -> Option<Side> {
        match self.0 {
            0 => None,
            1.. => Some(Side::Buy),
            _ => Some(Side::Sell),
        }
    }
}

fn decimal_units(value: Decimal, round: Round) -> Result<i64, NumError> {
    let strategy = match round {
        Round::Down => RoundingStrategy::ToZero,
        Round::Up => RoundingStrategy::AwayFromZero,
    };
    let mut rounded = value.round_dp_with_strategy(DECIMALS, strategy);
    rounded.rescale(DECIMALS);
    if rounded.scale() != DECIMALS {
        return Err(NumError::OutOfRange);
    }
    rounded.mantissa().to_i64().ok_or(NumError::OutOfRange)
}

impl FromStr for Price {
    type Err = NumError;
    fn from_str(text: &str) -> Result<Self, NumError> {
        Self::parse(text.as_bytes())
    }
}

impl FromStr for Qty {
    type Err = NumError;
    fn from_str(text: &str) -> Result<Self, NumError> {
        Self::parse(text.as_bytes())
    }
}

impl FromStr for SignedQty {
    type Err = NumError;
    fn from_str(text: &str) -> Result<Self, NumError> {
        match text.strip_prefix('-') {
            Some(rest) => Self::from_units(-parse_units(rest.as_bytes())?),
            None => Self::from_units(parse_units(text.as_bytes())?),
        }
    }
}

#[cfg(test)]
mod tests;
