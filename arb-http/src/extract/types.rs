//! Values of requests with the bounds that the OpenAPI document tells.

use std::borrow::Cow;
use std::fmt;

use arb_core::Timestamp;
use arb_core::port::Cursor;
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Int<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// The number as a length.
    pub(crate) fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

struct IntVisitor<const MIN: i64, const MAX: i64>;

impl<const MIN: i64, const MAX: i64> Visitor<'_> for IntVisitor<MIN, MAX> {
    type Value = Int<MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        let fits = (MIN..=MAX).contains(&value);
        fits.then_some(Int(value)).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Int<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_i64(IntVisitor)
    }
}

impl<const MIN: i64, const MAX: i64> PartialSchema for Int<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(MIN))
            .maximum(Some(MAX))
            .into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Int<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Int_{MIN}_{MAX}").into()
    }
}

/// A text of `MIN` to `MAX` characters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Text<MIN, MAX> {
    /// It may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Text<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let length = text.chars().count();
        if (MIN..=MAX).contains(&length) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!("{length} characters given, {MIN} to {MAX} are allowed")))
    }
}

impl<const MIN: usize, const MAX: usize> PartialSchema for Text<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .min_length(Some(MIN))
            .max_length(Some(MAX))
            .into()
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Text<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Text_{MIN}_{MAX}").into()
    }
}

/// A place in a list that is given newest first; opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) (Timestamp, u64));

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (time, id) = text.split_once('-')?;
        // A store counts rows with a sign.
        let id = hex(id).filter(|id| i64::try_from(*id).is_ok())?;
        Some(Self((Timestamp::from_nanos(hex(time)?.cast_signed()), id)))
    }
}

/// At most 16 digits without a sign.
fn hex(text: &str) -> Option<u64> {
    let is_hex = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, id) = self.0;
        write!(f, "{:x}-{id:x}", time.as_nanos())
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = || D::Error::custom("is no place in a list; take it from next of a page");
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl PartialSchema for Place {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^[0-9a-f]{1,16}-[0-7]?[0-9a-f]{1,15}$"))
            .description(Some("A place in a list, as the field next of a page tells it."))
            .into()
    }
}

impl ToSchema for Place {}

/// A place in the log, newest first; opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPlace(pub(crate) Cursor, pub(crate) u32);

impl EventPlace {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-').map(hex);
        let (epoch, seq, ordinal) = (parts.next()??, parts.next()??, parts.next()??);
        let is_stored = |number: u64| i64::try_from(number).is_ok();
        let fits = parts.next().is_none() && is_stored(epoch) && is_stored(seq);
        let ordinal = u32::try_from(ordinal).ok()?;
        fits.then_some(Self(Cursor { epoch, seq }, ordinal))
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.0.epoch, self.0.seq, self.1)
    }
}

impl Serialize for EventPlace {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventPlace {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = || D::Error::custom("is no place in the log; take it from next of a page");
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl PartialSchema for EventPlace {
    fn schema() -> RefOr<Schema> {
        const PATTERN: &str = "^[0-7]?[0-9a-f]{1,15}-[0-7]?[0-9a-f]{1,15}-[0-9a-f]{1,8}$";
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(PATTERN))
            .description(Some("A place in the log, as the field next of a page tells it."))
            .into()
    }
}

impl ToSchema for EventPlace {}

/// Symbols or coins, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbols(pub(crate) Vec<String>);

const LONGEST_SYMBOLS: usize = 500;

impl<'de> Deserialize<'de> for Symbols {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Text::<0, LONGEST_SYMBOLS>::deserialize(d)?;
        let symbols = text.as_str().split(',').map(str::trim).filter(|symbol| !symbol.is_empty());
        let mut symbols: Vec<String> = symbols.map(str::to_owned).collect();
        symbols.sort();
        symbols.dedup();
        Ok(Self(symbols))
    }
}

impl PartialSchema for Symbols {
    fn schema() -> RefOr<Schema> {
        Text::<0, LONGEST_SYMBOLS>::schema()
    }
}

impl ToSchema for Symbols {}

#[cfg(test)]
mod tests {
    use super::*;

    fn int<const MIN: i64, const MAX: i64>(json: &str) -> Result<i64, String> {
        let read = serde_json::from_str::<Int<MIN, MAX>>(json);
        read.map(|int| int.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_out_of_bounds_is_told_its_bounds() {
        assert_eq!(int::<1, 10>("10"), Ok(10));
        for wrong in ["0", "11", "-1", "18446744073709551615", "1.5", "\"1\"", "null"] {
            let error = int::<1, 10>(wrong).unwrap_err();
            assert!(error.contains("a whole number from 1 to 10"), "{error}");
        }
    }

    #[test]
    fn a_place_reads_back_as_it_was_told() {
        for place in [(Timestamp::EPOCH, 0), (Timestamp::MAX, i64::MAX as u64)] {
            let text = Place(place).to_string();
            assert_eq!(Place::parse(&text), Some(Place(place)));
        }
        for wrong in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "+1-1",
            "g-1",
            "1-1-1",
            "11111111111111111-1",
            "1-8000000000000000",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
        let event = EventPlace(Cursor { epoch: 3, seq: 255 }, u32::MAX);
        assert_eq!(EventPlace::parse(&event.to_string()), Some(event));
        for wrong in ["1-1", "1-1-1-1", "1-8000000000000000-1", "1-1-100000000", "--"] {
            assert_eq!(EventPlace::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_are_measured_in_characters() {
        let read = |json: &str| serde_json::from_str::<Text<2, 3>>(json);
        assert_eq!(read("\"äöü\"").unwrap().as_str(), "äöü");
        assert!(read("\"a\"").unwrap_err().to_string().contains("2 to 3 are allowed"));
        assert!(!format!("{:?}", read("\"abc\"").unwrap()).contains("abc"));
    }
}
