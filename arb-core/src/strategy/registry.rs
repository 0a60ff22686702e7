//! Strategy kinds by name, and the strict reading of their JSON.
//!
//! Invariant: a file that trades money starts only if every field is known, present and in range;
//! an error names file, line, field and what is allowed. Reading has two steps: the envelope
//! (`kind`, `name`), then the whole text in the kind's own type.

mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Strategy;
use super::funding_carry::FundingCarry;
use super::layered_score::LayeredScore;
use crate::error::ConfigError;

/// Builds a strategy from (file, JSON text).
pub trait Factory: Send + Sync {
    /// Reads the text and builds the strategy.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, field and what is allowed.
    fn build(&self, file: &str, text: &str) -> Result<Box<dyn Strategy>, ConfigError>;
}

impl<F> Factory for F
where
    F: Fn(&str, &str) -> Result<Box<dyn Strategy>, ConfigError> + Send + Sync,
{
    fn build(&self, file: &str, text: &str) -> Result<Box<dyn Strategy>, ConfigError> {
        self(file, text)
    }
}

/// The strategy kinds an engine can build.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<String, Arc<dyn Factory>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

const BUILTIN: [(&str, &str); 3] = [
    ("v51_baseline", include_str!("../../../strategies/v51_baseline.json")),
    ("v52_8signals", include_str!("../../../strategies/v52_8signals.json")),
    ("funding_carry", include_str!("../../../strategies/funding_carry.json")),
];

/// What every strategy file begins with.
#[derive(Deserialize)]
#[serde(expecting = "an object with `kind` and `name`")]
struct Envelope {
    kind: String,
    name: String,
}

impl Registry {
    /// The kinds of this crate.
    #[must_use]
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        registry.register("layered_score", |file: &str, text: &str| {
            let strategy = LayeredScore::parse(file, text)?;
            Ok(Box::new(strategy) as Box<dyn Strategy>)
        });
        registry.register("funding_carry", |file: &str, text: &str| {
            let strategy = FundingCarry::parse(file, text)?;
            Ok(Box::new(strategy) as Box<dyn Strategy>)
        });
        registry
    }

    /// Adds a kind, or replaces it.
    pub fn register(&mut self, kind: &str, factory: impl Factory + 'static) {
        self.kinds.insert(kind.to_owned(), Arc::new(factory));
    }

    /// The known kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Builds the strategy of a JSON text; `file` is where it came from.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, field and what is allowed.
    pub fn build(&self, file: &str, text: &str) -> Result<Box<dyn Strategy>, ConfigError> {
        let Envelope { kind, name } = parse_strict(file, text)?;
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(legal) {
            let message = format!("{name:?} is no name; 1 to 40 of a-z, 0-9 and _ are allowed");
            return Err(ConfigError::new(file, line_of(text, "name"), "name", message));
        }
        let Some(factory) = self.kinds.get(&kind) else {
            let known: Vec<&str> = self.kinds().collect();
            let message = format!("{kind:?} is unknown; known kinds: {}", known.join(", "));
            return Err(ConfigError::new(file, line_of(text, "kind"), "kind", message));
        };
        factory.build(file, text)
    }

    /// The JSON text of a strategy that comes with the engine.
    #[must_use]
    pub fn builtin_text(name: &str) -> Option<&'static str> {
        BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Names of the strategies that come with the engine.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }
}

/// Reads JSON text into a type, telling line, field and allowed values of what is wrong.
///
/// The type says itself whether unknown fields are refused (`deny_unknown_fields`).
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     kind: String,
///     hours: u32,
/// }
/// let text = "{\n  \"kind\": \"clock\",\n  \"hours\": \"six\"\n}";
/// let error = arb_core::strategy::parse_strict::<Config>("clock.json", text).unwrap_err();
/// let expected = "clock.json:3: hours: is the text \"six\"; \
///                 a whole number from 0 to 4294967295 is needed";
/// assert_eq!(error.to_string(), expected);
/// ```
///
/// # Errors
/// [`ConfigError`] of the first thing that is wrong.
pub fn parse_strict<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    parse_with_ranges(file, text, &|_| None)
}

/// [`parse_strict`], with the range of a number by its path for messages.
pub(super) fn parse_with_ranges<T: DeserializeOwned>(
    file: &str,
    text: &str,
    range: &dyn Fn(&str) -> Option<String>,
) -> Result<T, ConfigError> {
    if text.trim_ascii().is_empty() {
        return Err(ConfigError::new(file, Some(1), "json", "is empty; a JSON object is needed"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let (line, message) = (e.inner().line(), e.inner().to_string());
        // serde_json repeats the place behind its message.
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
        let field = field_of(&e.path().to_string(), message);
        let message = words::plain(message, range(&field).as_deref());
        ConfigError::new(file, Some(line), field, message)
    })?;
    json.end()
        .map_err(|e| ConfigError::new(file, Some(e.line()), "json", "has text behind its end"))?;
    Ok(value)
}

/// The path of what is wrong; the name of a missing or doubled field is added to its parent's.
fn field_of(path: &str, message: &str) -> String {
    // A dot stands for the whole text, `?` for a key that could not be read.
    let parent = path.trim_end_matches('?').trim_end_matches('.');
    let named = ["missing field `", "duplicate field `"]
        .into_iter()
        .find_map(|what| message.strip_prefix(what)?.strip_suffix('`'));
    match (parent, named) {
        ("", None) => "json".to_owned(),
        ("", Some(field)) => field.to_owned(),
        (parent, None) => parent.to_owned(),
        (parent, Some(field)) => format!("{parent}.{field}"),
    }
}

/// The line of the field at a dotted path, in a text that parses; none where there is no such field.
pub(crate) fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut json = serde_json::Deserializer::from_str(text);
    FieldAt(path).deserialize(&mut json).err().map(|e| e.line())
}

/// Walks to a field and fails there, because of all results only an error carries a line.
struct FieldAt<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for FieldAt<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldAt<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (head, rest) =
            self.0.split_once('.').map_or((self.0, None), |(head, rest)| (head, Some(rest)));
        while let Some(key) = map.next_key::<String>()? {
            match rest {
                _ if key != head => drop(map.next_value::<IgnoredAny>()?),
                Some(rest) => map.next_value_seed(FieldAt(rest))?,
                None => return Err(de::Error::custom("here")),
            }
        }
        Ok(())
    }
}

/// Reads arbitrary bytes as a strategy; for fuzzing, never panics.
pub fn fuzz_strategy_json(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Registry::builtin().build("fuzz", text);
    }
}

#[cfg(test)]
mod tests;
