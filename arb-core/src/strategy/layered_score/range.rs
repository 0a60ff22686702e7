//! What the numbers of a layered score may be: one table for the check, the messages and the schema.
//!
//! Invariants: every number of the configuration is in [`ALLOWED`]; a number that is no number is
//! out of every range.

use std::fmt;
use std::ops::{Bound, RangeBounds as _};

use serde_json::Value;

use crate::error::ConfigError;
use crate::strategy::registry::line_of;

/// A range of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    low: Bound<f64>,
    high: f64,
}

impl Range {
    /// `low <= value <= high`.
    pub(super) const fn from(low: f64, high: f64) -> Self {
        Self { low: Bound::Included(low), high }
    }

    /// `low < value <= high`.
    pub(super) const fn above(low: f64, high: f64) -> Self {
        Self { low: Bound::Excluded(low), high }
    }

    /// # Errors
    /// [`ConfigError`] when the number at `path` is outside.
    pub(super) fn check(
        self,
        (file, text): (&str, &str),
        path: &str,
        value: f64,
    ) -> Result<(), ConfigError> {
        if (self.low, Bound::Included(self.high)).contains(&value) {
            return Ok(());
        }
        Err(refusal(file, text, path, format!("is {value}; {self} is allowed")))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low {
            Bound::Excluded(low) => write!(f, "above {low} to {}", self.high),
            Bound::Included(low) => write!(f, "{low} to {}", self.high),
            Bound::Unbounded => write!(f, "at most {}", self.high),
        }
    }
}

const SHARE: Range = Range::from(0.0, 1.0);
const SCORE: Range = Range::from(0.0, 100.0);
const WEIGHT: Range = Range::from(0.0, 110.0);
const RATIO: Range = Range::from(0.0, 100.0);
const MULTIPLE: Range = Range::above(0.0, 100.0);
const RISE: Range = Range::above(0.0, 10.0);
const SIZE: Range = Range::above(0.0, 10.0);

/// Every number by its path, and the range it must lie in whatever the others are; `*` is any key.
pub(super) const ALLOWED: [(&str, Range); 47] = [
    ("weights.direction", WEIGHT),
    ("weights.acceleration", WEIGHT),
    ("weights.crowding", WEIGHT),
    ("weights.funding", WEIGHT),
    ("weights.environment", WEIGHT),
    ("weights.confirmation", WEIGHT),
    ("weights.liquidation", WEIGHT),
    ("weights.auxiliary", WEIGHT),
    ("threshold", SCORE),
    ("flip_threshold", SCORE),
    ("cool_down_minutes", Range::from(0.0, 1_440.0)),
    ("tiers.light_from", SCORE),
    ("tiers.heavy_from", SCORE),
    ("tiers.standard_multiplier", SIZE),
    ("tiers.heavy_multiplier", SIZE),
    ("direction.min_cvd_share", SHARE),
    ("direction.no_large_flow_share", SHARE),
    ("crowding.long_short_full", RATIO),
    ("crowding.long_short_none", RATIO),
    ("crowding.top_trader_full", RATIO),
    ("crowding.top_trader_none", RATIO),
    ("crowding.absent_share", SHARE),
    ("funding.base_rate_8h", SHARE),
    ("environment.rise", RISE),
    ("environment.by_symbol.*", RISE),
    ("environment.steady_share", SHARE),
    ("environment.fall_share", SHARE),
    ("environment.absent_share", SHARE),
    ("liquidation.ratio", Range::from(1.0, 1_000.0)),
    ("liquidation.min_notional", Range::from(0.0, 1e12)),
    ("liquidation.min_share_of_24h", SHARE),
    ("auxiliary.premium", SHARE),
    ("auxiliary.between_share", SHARE),
    ("auxiliary.absent_share", SHARE),
    ("gates.min_inputs_present", SHARE),
    ("gates.min_atr_percentile", RATIO),
    ("gates.max_atr_percentile", RATIO),
    ("gates.min_coverage_24h", SHARE),
    ("gates.min_traded_bars_ratio", SHARE),
    ("max_cost_r", Range::above(0.0, 1_000.0)),
    ("exits.stop_atr", MULTIPLE),
    ("exits.min_stop_bps", Range::from(0.0, 5_000.0)),
    ("exits.min_stop_ticks", Range::from(1.0, 1_000_000.0)),
    ("exits.min_stop_spreads", Range::from(0.0, 1_000.0)),
    ("exits.tp1_stop_multiple", MULTIPLE),
    ("exits.tp2_stop_multiple", MULTIPLE),
    ("exits.timeout_minutes", Range::from(1.0, 100_000.0)),
];

/// Checks every number but those at `others`, whose ranges depend on these.
///
/// # Errors
/// [`ConfigError`] of the first number that is out of its range.
pub(super) fn check_all(file: &str, text: &str, others: &[&str]) -> Result<(), ConfigError> {
    let whole: Value = serde_json::from_str(text).unwrap_or_default();
    for (path, range) in ALLOWED.into_iter().filter(|(path, _)| !others.contains(path)) {
        for (path, value) in numbers(&whole, path) {
            range.check((file, text), &path, value)?;
        }
    }
    Ok(())
}

/// The range of the number at `path`.
pub(super) fn allowed(path: &str) -> Option<Range> {
    let fits = |known: &str| match known.strip_suffix('*') {
        Some(stem) => path.starts_with(stem),
        None => path == known,
    };
    ALLOWED.iter().find(|(known, _)| fits(known)).map(|(_, range)| *range)
}

/// The numbers at a path, each with its own; none where a null or nothing stands.
fn numbers(whole: &Value, path: &str) -> Vec<(String, f64)> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    match path.rsplit_once('.') {
        Some((parent, "*")) => {
            let all = whole.pointer(&pointer_of(parent)).and_then(Value::as_object);
            let named = |(key, value)| Some((format!("{parent}.{key}"), number(value)?));
            all.into_iter().flatten().filter_map(named).collect()
        }
        _ => {
            let value = whole.pointer(&pointer_of(path)).and_then(number);
            value.map(|value| (path.to_owned(), value)).into_iter().collect()
        }
    }
}

fn pointer_of(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

/// An error of the field at `path`, with its line.
pub(super) fn refusal(file: &str, text: &str, path: &str, message: String) -> ConfigError {
    ConfigError::new(file, line_of(text, path), path, message)
}

/// Writes the ranges into the schema of the configuration.
#[cfg(feature = "schema")]
pub(super) fn into_schema(schema: &mut Value) {
    for (path, range) in ALLOWED {
        let Some(node) = pointer(schema, path).and_then(|at| schema.pointer_mut(&at)) else {
            continue;
        };
        let Some(node) = node.as_object_mut() else { continue };
        // As whole numbers where they are whole, for people who read it.
        let number = |value: f64| value.to_string().parse::<serde_json::Number>().ok();
        let (key, low) = match range.low {
            Bound::Included(low) => ("minimum", number(low)),
            Bound::Excluded(low) => ("exclusiveMinimum", number(low)),
            Bound::Unbounded => continue,
        };
        node.remove("minimum");
        node.insert(key.to_owned(), low.into());
        node.insert("maximum".to_owned(), number(range.high).into());
    }
}

/// Where the schema of the field at `path` stands, following references.
#[cfg(feature = "schema")]
fn pointer(schema: &Value, path: &str) -> Option<String> {
    let mut at = String::new();
    for key in path.split('.') {
        if let Some(target) = schema.pointer(&at)?.get("$ref").and_then(Value::as_str) {
            at = target.trim_start_matches('#').to_owned();
        }
        at = match key {
            "*" => format!("{at}/additionalProperties"),
            key => format!("{at}/properties/{key}"),
        };
    }
    Some(at)
}
