//! Decimals as JSON numbers.
//!
//! Invariant: the digits that are written are the decimal's own; no float stands between. What is
//! a float inside stays one and is absent when it is no number.

use arb_core::{Decimal, Money, Price, Qty, QtySum};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An exact decimal, a JSON number.
///
/// ```
/// use arb_http::body::Num;
/// let price: arb_core::Price = "28140.50".parse().unwrap();
/// assert_eq!(serde_json::to_string(&Num::from(price)).unwrap(), "28140.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Num(pub Decimal);

impl Num {
    /// Rounded half-even to at most so many decimals, for what was divided.
    #[must_use]
    pub fn round(value: Decimal, decimals: u32) -> Self {
        Self(value.round_dp(decimals))
    }
}

/// A ratio or a result in R as a number of at most 10 decimals, so that what floats leave behind is
/// not shown; none for NaN, the infinities and what no decimal can hold.
pub(crate) fn ratio(value: f64) -> Option<Num> {
    Decimal::try_from(value).ok().map(|value| Num::round(value, 10))
}

/// A float that is a number; none for NaN and the infinities.
#[must_use]
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl From<Decimal> for Num {
    fn from(value: Decimal) -> Self {
        Self(value)
    }
}

impl From<Price> for Num {
    fn from(value: Price) -> Self {
        Self(value.to_decimal())
    }
}

impl From<Qty> for Num {
    fn from(value: Qty) -> Self {
        Self(value.to_decimal())
    }
}

impl From<Money> for Num {
    fn from(value: Money) -> Self {
        Self(value.to_decimal())
    }
}

impl From<QtySum> for Num {
    fn from(value: QtySum) -> Self {
        // A sum beyond 28 digits is past every market; it is cut off, not wrapped.
        let most = if value.units() < 0 { Decimal::MIN } else { Decimal::MAX };
        Self(Decimal::try_from_i128_with_scale(value.units(), 8).unwrap_or(most))
    }
}

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Rounding may leave the sign of a zero, which would be shown.
        let value = if self.0.is_zero() { Decimal::ZERO } else { self.0.normalize() };
        let text = value.to_string();
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(d)?;
        let text = raw.get();
        let value = match text.contains(['e', 'E']) {
            true => Decimal::from_scientific(text).ok(),
            false => Decimal::from_str_exact(text).ok(),
        };
        value.map(Self).ok_or_else(|| {
            D::Error::custom("not usable: a JSON number of at most 28 digits is allowed")
        })
    }
}

impl PartialSchema for Num {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Number))
            .description(Some("An exact decimal."))
            .into()
    }
}

impl ToSchema for Num {
    fn name() -> std::borrow::Cow<'static, str> {
        "Decimal".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        serde_json::to_string(&Num(text.parse().unwrap())).unwrap()
    }

    #[test]
    fn every_digit_of_a_decimal_reaches_the_json() {
        assert_eq!(shown("0.00010000"), "0.0001");
        assert_eq!(shown("-0.00000001"), "-0.00000001");
        assert_eq!(shown("12345678901234567890.12345678"), "12345678901234567890.12345678");
        assert_eq!(shown("100"), "100");
        assert_eq!(shown("0.000"), "0");
    }

    #[test]
    fn a_number_is_read_digit_by_digit() {
        let read = |text: &str| serde_json::from_str::<Num>(text).map(|num| num.0.to_string());
        assert_eq!(read("0.1").unwrap(), "0.1");
        assert_eq!(read("1e-3").unwrap(), "0.001");
        assert_eq!(read("12345678901234567.890123").unwrap(), "12345678901234567.890123");
        for wrong in ["\"1\"", "null", "{}", "1e999", "[1]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_number_is_absent() {
        assert_eq!(finite(f64::NAN), None);
        assert_eq!(finite(f64::INFINITY), None);
        assert_eq!(finite(0.25), Some(0.25));
        assert_eq!((ratio(f64::NAN), ratio(f64::NEG_INFINITY), ratio(1e300)), (None, None, None));
    }

    #[test]
    fn what_floats_leave_behind_is_not_shown() {
        let shown = |value| serde_json::to_string(&ratio(value).unwrap()).unwrap();
        assert_eq!(shown(0.1 + 0.2), "0.3");
        assert_eq!(shown(3.0 / 7.0), "0.4285714286");
        assert_eq!(shown(-1e-12), "0");
    }
}
