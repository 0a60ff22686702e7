//! Values that say what is allowed.
//!
//! Invariant: every value can be written as text, because variables and flags are text; a number
//! or a flag of a file means the same as its text.

use std::fmt;
use std::net::IpAddr;

use arb::time::HOUR;
use arb::{Budget, Decimal, Money, symbol_flaw};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Shown in place of a secret.
pub(super) const REDACTED: &str = "(set, hidden)";
/// Most hours of history that the first start reads.
const MOST_HOURS: f64 = 48.0;
/// Fewest days kept: a start warms up with a day and a quarter of an hour.
const FEWEST_DAYS: u32 = 2;
const MOST_DAYS: u32 = 36_500;

/// One value as text.
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.trim().to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar(flag.to_string()))
            }
        }
        from.deserialize_any(Any)
    }
}

/// `true` or `false`, also as 1 or 0.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let Scalar(text) = Scalar::deserialize(from)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(D::Error::custom(format!("{text:?} given; true or false is allowed"))),
    }
}

/// A whole number within bounds.
fn whole<E: serde::de::Error>(text: &str, (least, most): (u32, u32)) -> Result<u32, E> {
    let number = text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| E::custom(format!("{text} given; {least} to {most} is allowed")))
}

pub(super) fn positions<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    whole(&Scalar::deserialize(from)?.0, (0, 1_000))
}

pub(super) fn port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    let number = whole::<D::Error>(&Scalar::deserialize(from)?.0, (1, u16::MAX.into()))?;
    Ok(u16::try_from(number).ok())
}

/// Several words: a list, a JSON list in a text, or words with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Words(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Words, E> {
                if text.trim_start().starts_with('[') {
                    let refuse = |error| E::custom(format!("{error}; a JSON list is allowed"));
                    return serde_json::from_str(text).map(Words).map_err(refuse);
                }
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Ok(Words(words.map(str::to_owned).collect()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element::<String>()? {
                    words.push(word);
                }
                Ok(Words(words))
            }
        }
        from.deserialize_any(Any)
    }
}

/// A list that may not be empty.
pub(super) fn some_words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let Words(words) = Words::deserialize(from)?;
    if words.is_empty() {
        return Err(D::Error::custom("is empty; one name or more is needed"));
    }
    Ok(words)
}

/// A list.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Words::deserialize(from).map(|Words(words)| words)
}

/// Addresses of machines.
pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    let Words(words) = Words::deserialize(from)?;
    let address = |word: &String| {
        let refuse = |_| format!("{word:?} is no address; one such as \"127.0.0.1\" is allowed");
        word.parse().map_err(refuse).map_err(D::Error::custom)
    };
    words.iter().map(address).collect()
}

/// Perpetuals with order flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Symbols {
    /// All that are listed.
    All,
    /// These.
    Listed(Vec<String>),
}

impl Serialize for Symbols {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => to.serialize_str("all"),
            Self::Listed(list) => list.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Symbols {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let refuse = |what: String| D::Error::custom(what);
        let Words(mut list) = Words::deserialize(from)?;
        if let [only] = list.as_slice()
            && only == "all"
        {
            return Ok(Self::All);
        }
        if list.is_empty() {
            return Err(refuse("is empty; \"all\" or one symbol or more is needed".to_owned()));
        }
        for symbol in &list {
            if let Some(flaw) = symbol_flaw(symbol) {
                return Err(refuse(format!("{symbol:?}: {flaw}")));
            }
        }
        // Naming one twice means nothing else.
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|symbol| seen.insert(symbol.clone()));
        Ok(Self::Listed(list))
    }
}

/// Hours of history.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Hours(pub(crate) f64);

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(from)?;
        let hours: Option<f64> = text.parse().ok();
        match hours.filter(|hours| (0.0..=MOST_HOURS).contains(hours)) {
            Some(hours) => Ok(Self(hours)),
            None => Err(D::Error::custom(format!("{text} given; 0 to {MOST_HOURS} is allowed"))),
        }
    }
}

impl Hours {
    pub(crate) fn duration(self) -> std::time::Duration {
        let hour = std::time::Duration::from_nanos(HOUR.unsigned_abs());
        hour.mul_f64(self.0)
    }
}

/// Quote currency above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Balance(pub(crate) Money);

impl Serialize for Balance {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_decimal().normalize().to_string();
        match text.parse::<i64>() {
            Ok(whole) => to.serialize_i64(whole),
            Err(_) => to.serialize_str(&text),
        }
    }
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(from)?;
        let most = Decimal::from(1_000_000_000_u64);
        let amount: Option<Decimal> = text.parse().ok();
        let allowed = |amount: &Decimal| *amount > Decimal::ZERO && *amount <= most;
        match amount.filter(allowed) {
            Some(amount) => Ok(Self(Money::round(amount))),
            None => {
                let what = format!("{text} given; above 0 and up to {most} is allowed");
                Err(D::Error::custom(what))
            }
        }
    }
}

/// What one R costs: `2%` of the initial balance, or `2 USDT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerTrade(pub(crate) Budget);

impl Serialize for PerTrade {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&match self.0 {
            Budget::ShareOfInitialBalance(share) => {
                format!("{}%", (share * Decimal::ONE_HUNDRED).normalize())
            }
            Budget::Quote(amount) => format!("{} USDT", amount.to_decimal().normalize()),
        })
    }
}

impl<'de> Deserialize<'de> for PerTrade {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(from)?;
        per_trade(&text).map(Self).ok_or_else(|| {
            let allowed = "a share such as \"2%\", above 0 and up to 10%, or an amount such as \
                           \"2 USDT\" is allowed";
            D::Error::custom(format!("{text:?} given; {allowed}"))
        })
    }
}

fn per_trade(text: &str) -> Option<Budget> {
    let number = |text: &str| -> Option<Decimal> {
        text.trim().parse().ok().filter(|number| *number > Decimal::ZERO)
    };
    if let Some(percent) = text.strip_suffix('%') {
        let share = number(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
        let allowed = share <= Decimal::new(1, 1);
        return allowed.then_some(Budget::ShareOfInitialBalance(share.normalize()));
    }
    let amount = number(text.strip_suffix("USDT")?)?;
    (amount <= Decimal::from(1_000_000_u64)).then(|| Budget::Quote(Money::round(amount)))
}

/// Days that are kept; none is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) Option<u32>);

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(days) => to.serialize_u32(days),
            None => to.serialize_str("forever"),
        }
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(from)?;
        if text == "forever" {
            return Ok(Self(None));
        }
        let days = text.parse::<u32>().ok();
        match days.filter(|days| (FEWEST_DAYS..=MOST_DAYS).contains(days)) {
            Some(days) => Ok(Self(Some(days))),
            None => {
                let allowed = format!("\"forever\" or {FEWEST_DAYS} to {MOST_DAYS} is allowed");
                Err(D::Error::custom(format!("{text} given; {allowed}")))
            }
        }
    }
}

/// A text that nobody may see.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself, for whom it is meant for.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(from)?;
        if text.is_empty() {
            return Err(D::Error::custom("is empty; leave the key out instead"));
        }
        Ok(Self(text))
    }
}

/// The secret that signs tokens.
pub(super) fn token_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let secret = Secret::deserialize(from)?;
    let length = secret.reveal().len();
    if length < 32 {
        return Err(D::Error::custom(format!("has {length} bytes; 32 or more are needed")));
    }
    Ok(Some(secret))
}
