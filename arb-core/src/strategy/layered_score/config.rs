//! The configuration of a layered score: every number of it, none with a default.
//!
//! Invariant: a configuration that passed [`check`](LayeredScoreConfig::check) gives finite scores
//! between 0 and 100 and a stop that is not zero, whatever the market does. The types refuse what
//! is unknown or missing, the ranges what makes no sense.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::range::{self, Range, refusal};
use crate::error::ConfigError;
use crate::num::decimal_text;
use crate::strategy::ExitRules;

/// A strategy file of kind `layered_score`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LayeredScoreConfig {
    /// `layered_score`.
    pub kind: Kind,
    /// Name in signals and orders: 1 to 40 of a-z, 0-9 and _.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9_]{1,40}$")))]
    pub name: String,
    /// `"all"`, or the symbols it looks at.
    pub symbols: Symbols,
    /// Most points of each layer.
    pub weights: Weights,
    /// Score from which an entry is wanted.
    pub threshold: f64,
    /// Score from which an opposite signal closes the position.
    pub flip_threshold: f64,
    /// No further entry in the instrument for so long after one.
    pub cool_down_minutes: u32,
    /// Bounds and sizes of the tiers.
    pub tiers: Tiers,
    /// Rules of the candidate direction and its layer.
    pub direction: DirectionRule,
    /// Bounds of the crowding layer.
    pub crowding: Crowding,
    /// Bounds of the funding part.
    pub funding: Funding,
    /// Bounds of the environment layer.
    pub environment: Environment,
    /// Bounds of the liquidation part.
    pub liquidation: LiquidationRule,
    /// Bounds of the auxiliary layer.
    pub auxiliary: Auxiliary,
    /// Gates beside the score.
    pub gates: Gates,
    /// Largest cost of entry and exit as a share of the stop distance.
    pub max_cost_r: f64,
    /// Where a position ends.
    pub exits: ExitRules,
}

/// The kind of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `layered_score`.
    LayeredScore,
}

/// Instruments a strategy looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "\"all\" or a list of symbols is needed")]
pub enum Symbols {
    /// `"all"`.
    All(All),
    /// A list.
    These(Vec<String>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// Every configured instrument.
    All,
}

impl Symbols {
    pub(crate) fn contains(&self, symbol: &str) -> bool {
        match self {
            Self::All(_) => true,
            Self::These(list) => list.iter().any(|listed| listed == symbol),
        }
    }
}

/// Most points of each layer; together 100 to 110.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Direction: CVDs and large flow.
    pub direction: f64,
    /// Bonus when the flow accelerates.
    pub acceleration: f64,
    /// Long/short and top-trader ratios.
    pub crowding: f64,
    /// Funding part of the crowding layer.
    pub funding: f64,
    /// Open interest.
    pub environment: f64,
    /// CVDs and VWAP agree.
    pub confirmation: f64,
    /// Liquidation part of the confirmation layer.
    pub liquidation: f64,
    /// Coinbase premium.
    pub auxiliary: f64,
}

impl Weights {
    fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("direction", self.direction),
            ("acceleration", self.acceleration),
            ("crowding", self.crowding),
            ("funding", self.funding),
            ("environment", self.environment),
            ("confirmation", self.confirmation),
            ("liquidation", self.liquidation),
            ("auxiliary", self.auxiliary),
        ]
    }

    fn total(&self) -> f64 {
        self.named().iter().fold(0.0, |sum, (_, weight)| sum + weight)
    }
}

/// Bounds and sizes of the tiers; `standard` begins at `threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// Score from which a decision is recorded.
    pub light_from: f64,
    /// Score from which a signal is heavy.
    pub heavy_from: f64,
    /// Size of a standard signal in R.
    #[serde(with = "decimal_text")]
    #[cfg_attr(feature = "schema", schemars(with = "DecimalText"))]
    pub standard_multiplier: Decimal,
    /// Size of a heavy signal in R.
    #[serde(with = "decimal_text")]
    #[cfg_attr(feature = "schema", schemars(with = "DecimalText"))]
    pub heavy_multiplier: Decimal,
}

/// How a Decimal may be written.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the JSON, is never built")]
enum DecimalText {
    Text(String),
    Number(f64),
}

/// Rules of the candidate direction and its layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DirectionRule {
    /// Smallest |cvd_30m| as a share of the 30-minute volume for a candidate.
    pub min_cvd_share: f64,
    /// Share of its part that the large flow gives when it is absent or zero.
    pub no_large_flow_share: f64,
}

/// Bounds of the crowding layer for a LONG; a SHORT is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Crowding {
    /// Long/short ratio at or below which a LONG gets all.
    pub long_short_full: f64,
    /// Long/short ratio at or above which a LONG gets none.
    pub long_short_none: f64,
    /// Top-trader ratio at or above which a LONG gets all.
    pub top_trader_full: f64,
    /// Top-trader ratio at or below which a LONG gets none.
    pub top_trader_none: f64,
    /// Share of its half that an absent ratio gives.
    pub absent_share: f64,
}

/// Bounds of the funding part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Funding {
    /// Rate per 8 hours that is the base interest; only what exceeds it counts.
    pub base_rate_8h: f64,
}

/// Bounds of the environment layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Rise of open interest in 15 minutes that gets all, a fraction.
    pub rise: f64,
    /// Other rises for some symbols.
    pub by_symbol: BTreeMap<String, f64>,
    /// Share of the weight for a smaller rise, or none.
    pub steady_share: f64,
    /// Share of the weight for a fall.
    pub fall_share: f64,
    /// Share of the weight when open interest is absent.
    pub absent_share: f64,
}

/// Bounds of the liquidation part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LiquidationRule {
    /// The other side must have lost so many times as much.
    pub ratio: f64,
    /// And at least so much quote.
    pub min_notional: f64,
    /// And at least this share of the 24-hour quote volume.
    pub min_share_of_24h: f64,
}

/// Bounds of the auxiliary layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Auxiliary {
    /// Coinbase premium beyond which it counts, a fraction.
    pub premium: f64,
    /// Share of the weight for a premium between both bounds.
    pub between_share: f64,
    /// Share of the weight when the premium is absent.
    pub absent_share: f64,
}

/// Gates beside the score; null switches an optional one off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Weight of the present market inputs as a share of all market-input weight.
    pub min_inputs_present: f64,
    /// Smallest ATR percentile, 0 to 100.
    #[serde(deserialize_with = "required")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "nullable_number"))]
    pub min_atr_percentile: Option<f64>,
    /// Largest ATR percentile, 0 to 100.
    #[serde(deserialize_with = "required")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "nullable_number"))]
    pub max_atr_percentile: Option<f64>,
    /// Share of the last 24 hours outside holes.
    pub min_coverage_24h: f64,
    /// Share of the last 14 bars that had a trade.
    pub min_traded_bars_ratio: f64,
}

/// An optional value whose field must be written, be it as null.
fn required<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    Option::deserialize(d)
}

#[cfg(feature = "schema")]
fn nullable_number(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["number", "null"], "format": "double" })
}

impl LayeredScoreConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`ConfigError`] names line, field and the allowed range.
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let refuse = |path: &str, message: String| Err(refusal(file, text, path, message));
        let related = self.related();
        range::check_all(file, text, &related.map(|(path, ..)| path))?;
        for (path, value, range) in related {
            range.check((file, text), path, value)?;
        }
        let total = self.weights.total();
        if !(100.0..=110.0).contains(&total) {
            return refuse("weights", format!("sum to {total}; 100 to 110 is allowed"));
        }
        match &self.symbols {
            Symbols::These(list) if list.is_empty() => {
                refuse("symbols", "is empty; \"all\" or a list of symbols is allowed".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Numbers whose range depends on another, named so that the one told is the one to change.
    fn related(&self) -> [(&'static str, f64, Range); 8] {
        let Self { crowding, environment, tiers, gates, exits, threshold, .. } = self;
        let (full, none) = (crowding.long_short_full, crowding.top_trader_none);
        let low = gates.min_atr_percentile.unwrap_or(0.0);
        let high = gates.max_atr_percentile.unwrap_or(100.0);
        let (tp1, steady) = (exits.tp1_stop_multiple, environment.steady_share);
        [
            ("tiers.light_from", tiers.light_from, Range::from(0.0, *threshold)),
            ("tiers.heavy_from", tiers.heavy_from, Range::from(*threshold, 100.0)),
            ("flip_threshold", self.flip_threshold, Range::from(*threshold, 100.0)),
            ("crowding.long_short_none", crowding.long_short_none, Range::above(full, 100.0)),
            ("crowding.top_trader_full", crowding.top_trader_full, Range::above(none, 100.0)),
            ("environment.fall_share", environment.fall_share, Range::from(0.0, steady)),
            ("gates.max_atr_percentile", high, Range::from(low, 100.0)),
            ("exits.tp2_stop_multiple", exits.tp2_stop_multiple, Range::above(tp1, 100.0)),
        ]
    }
}
