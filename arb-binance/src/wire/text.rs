//! Texts and numbers of the venue as values of the core.
//!
//! Invariant: exactly what is written, or a flaw that names the field.

use std::borrow::Cow;
use std::fmt;

use arb_core::{Decimal, NumError, Price, Qty, Timestamp, parse_units};
use serde::{Deserialize, Deserializer, de};

use super::message::Fault;

/// A string, borrowed unless it holds escapes.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// An unsigned integer, as a JSON number or, as some documents have it, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub(super) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an unsigned integer")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
                text.parse().map(Whole).map_err(E::custom)
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// A field and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub(super) field: &'static str,
    pub(super) fault: Fault,
}

impl Flaw {
    pub(super) const fn new(field: &'static str, fault: Fault) -> Self {
        Self { field, fault }
    }

    /// A value that none of the documented ones is.
    pub(super) fn value(field: &'static str, text: &str) -> Self {
        Self::new(field, Fault::Value(text.into()))
    }
}

impl From<serde_json::Error> for Flaw {
    fn from(error: serde_json::Error) -> Self {
        Self::new("", Fault::Json(error.to_string().into_boxed_str()))
    }
}

/// An instant from milliseconds, or from microseconds where the number is that large.
#[inline]
pub(super) fn instant(number: u64) -> Option<Timestamp> {
    // The last millisecond of the year 2261: what nanoseconds hold, with room to add to.
    const LAST: i64 = 9_214_646_399_999;
    const FIRST_MICROS: i64 = 100_000_000_000_000;
    match i64::try_from(number).ok()? {
        millis @ 0..=LAST => Some(Timestamp::from_millis(millis)),
        micros if (FIRST_MICROS..=LAST * 1_000 + 999).contains(&micros) => {
            Some(Timestamp::from_micros(micros))
        }
        _ => None,
    }
}

pub(super) fn time(field: &'static str, number: u64) -> Result<Timestamp, Flaw> {
    instant(number).ok_or(Flaw::new(field, Fault::Time(number)))
}

/// A time of which zero means none.
pub(super) fn optional_time(field: &'static str, number: u64) -> Result<Option<Timestamp>, Flaw> {
    if number == 0 { Ok(None) } else { time(field, number).map(Some) }
}

pub(super) fn price(field: &'static str, text: &Text<'_>) -> Result<Price, Flaw> {
    Price::parse(text.0.as_bytes()).map_err(|e| Flaw::new(field, Fault::Number(e)))
}

/// A price of which zero or nothing means none.
pub(super) fn optional_price(
    field: &'static str,
    text: Option<&Text<'_>>,
) -> Result<Option<Price>, Flaw> {
    let Some(text) = text.filter(|text| !text.0.is_empty()) else { return Ok(None) };
    match Price::parse(text.0.as_bytes()) {
        Ok(price) => Ok(Some(price)),
        Err(NumError::NotPositive) => Ok(None),
        Err(e) => Err(Flaw::new(field, Fault::Number(e))),
    }
}

pub(super) fn qty(field: &'static str, text: &Text<'_>) -> Result<Qty, Flaw> {
    Qty::parse(text.0.as_bytes()).map_err(|e| Flaw::new(field, Fault::Number(e)))
}

/// A quantity that is none where it is larger than the core counts; such sizes stand in books of
/// coins worth a millionth.
pub(super) fn countable_qty(field: &'static str, text: &Text<'_>) -> Result<Option<Qty>, Flaw> {
    match Qty::parse(text.0.as_bytes()) {
        Ok(qty) => Ok(Some(qty)),
        Err(NumError::OutOfRange) => Ok(None),
        Err(e) => Err(Flaw::new(field, Fault::Number(e))),
    }
}

/// A rate from units of 10⁻⁸.
#[inline]
pub(super) fn rate_of(units: i64) -> Decimal {
    Decimal::new(units, 8)
}

/// A decimal number of either sign.
pub(super) fn rate(field: &'static str, text: &str) -> Result<Decimal, Flaw> {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let sign = if magnitude.len() == text.len() { 1 } else { -1 };
    match parse_units(magnitude.as_bytes()) {
        Ok(units) => Ok(rate_of(sign * units)),
        Err(error @ (NumError::TooManyDecimals | NumError::OutOfRange)) => {
            Decimal::from_str_exact(text).map_err(|_| Flaw::new(field, Fault::Number(error)))
        }
        Err(error) => Err(Flaw::new(field, Fault::Number(error))),
    }
}

/// A finite ratio for scores.
pub(super) fn ratio(field: &'static str, text: &str) -> Result<f64, Flaw> {
    // Text that is a decimal number, so that `inf` and `1e9` are none.
    rate(field, text)?;
    text.parse().map_err(|_| Flaw::new(field, Fault::Number(NumError::Malformed)))
}
