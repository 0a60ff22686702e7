//! Money: exact products of price and quantity, and amounts with 8 decimals.

use std::fmt;
use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DECIMALS, ONE};
use crate::error::NumError;

/// Price × quantity in quote currency, exact, in 10⁻¹⁶.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Notional(i128);

impl Notional {
    /// An amount from units of 10⁻¹⁶; its money fits while it is below 10³⁶.
    #[inline]
    pub(crate) const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The count of 10⁻¹⁶ units.
    #[inline]
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The amount as money, rounded to 8 decimals half-even.
    #[must_use]
    pub fn to_money(self) -> Money {
        let one = i128::from(ONE);
        let (floor, rest) = (self.0.div_euclid(one), self.0.rem_euclid(one));
        let up = match (rest * 2).cmp(&one) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => floor % 2 != 0,
        };
        Money(Decimal::from_i128_with_scale(floor + i128::from(up), DECIMALS))
    }

    /// The exact amount; beyond 28 digits the last ones are rounded half-even.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0, 2 * DECIMALS)
            .unwrap_or_else(|_| self.to_money().to_decimal())
    }
}

/// An amount of quote currency with 8 decimals: PnL, fees, funding, balances, limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Rounds to 8 decimals half-even: the one place where money is rounded.
    #[must_use]
    pub fn round(value: Decimal) -> Self {
        Self(value.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointNearestEven))
    }

    /// The amount as a Decimal.
    #[must_use]
    pub const fn to_decimal(self) -> Decimal {
        self.0
    }

    /// The share `ratio` of this amount, rounded to 8 decimals half-even.
    #[must_use]
    pub fn times(self, ratio: Decimal) -> Self {
        Self::round(self.0.saturating_mul(ratio))
    }

    /// The amount without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Whether the amount is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < Decimal::ZERO
    }

    /// The nearest float, for statistics and screens only.
    #[must_use]
    pub fn to_f64_lossy(self) -> f64 {
        self.0.to_f64().unwrap_or(f64::NAN)
    }
}

impl std::ops::Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |a, b| a + b)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.precision() {
            Some(p) => {
                let places = u32::try_from(p).unwrap_or(DECIMALS);
                write!(f, "{:.p$}", self.0.round_dp(places))
            }
            None => write!(f, "{}", self.0.normalize()),
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl FromStr for Money {
    type Err = NumError;
    fn from_str(text: &str) -> Result<Self, NumError> {
        let value = Decimal::from_str_exact(text).map_err(|_| NumError::Malformed)?;
        if value.normalize().scale() > DECIMALS {
            return Err(NumError::TooManyDecimals);
        }
        Ok(Self(value))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        decimal_text::serialize(&self.0, s)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self(decimal_text::deserialize(d)?))
    }
}

/// Decimals as text in every format: `#[serde(with = "decimal_text")]`.
///
/// Reading accepts a string or, in JSON, a number whose digits are taken as written.
pub mod decimal_text {
    use super::{Decimal, Deserializer, Serializer, de, fmt};

    /// Writes the shortest exact text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Decimal, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&value.normalize())
    }

    struct Text;

    impl de::Visitor<'_> for Text {
        type Value = Decimal;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a decimal number")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
            Decimal::from_str_exact(text)
                .map_err(|e| E::custom(format_args!("{text:?} is no decimal number: {e}")))
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
            Ok(value.into())
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
            Ok(value.into())
        }
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Decimal, E> {
            // The shortest text that reads back as this float is what the author wrote.
            self.visit_str(&value.to_string())
        }
    }

    /// Reads a string, or a JSON number.
    ///
    /// # Errors
    /// Those of the deserializer, and text that is no decimal number.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Decimal, D::Error> {
        if d.is_human_readable() { d.deserialize_any(Text) } else { d.deserialize_str(Text) }
    }
}
