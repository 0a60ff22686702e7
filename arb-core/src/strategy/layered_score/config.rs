//! The configuration of a layered score: every number of it, none with a default.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::num::decimal_text;
use crate::strategy::ExitRules;
use crate::strategy::registry::line_of;

/// A strategy file of kind `layered_score`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LayeredScoreConfig {
    /// `layered_score`.
    pub kind: String,
    /// Name in signals and orders: 1 to 40 of a-z, 0-9 and _.
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
    /// Smallest |cvd_30m| as a share of the 30-minute volume for a direction.
    pub min_cvd_share: f64,
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

/// Instruments a strategy looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "\"all\" or a list of symbols")]
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
    pub(super) fn contains(&self, symbol: &str) -> bool {
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

    pub(super) fn total(&self) -> f64 {
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
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub standard_multiplier: Decimal,
    /// Size of a heavy signal in R.
    #[serde(with = "decimal_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub heavy_multiplier: Decimal,
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
    /// Coinbase premium that counts, a fraction.
    pub premium: f64,
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
    pub min_atr_percentile: Option<f64>,
    /// Largest ATR percentile, 0 to 100.
    #[serde(deserialize_with = "required")]
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

/// One number, where it stands and what is allowed.
type Range = (&'static str, f64, f64, f64);

impl LayeredScoreConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`ConfigError`] names line, field and the allowed range.
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let refuse = |path: &str, message: String| {
            let key = path.rsplit('.').next().unwrap_or(path);
            Err(ConfigError::new(file, line_of(text, key), path, message))
        };
        for (name, weight) in self.weights.named() {
            if !(0.0..=110.0).contains(&weight) {
                let message = format!("is {weight}; 0 to 110 is allowed");
                return refuse(&format!("weights.{name}"), message);
            }
        }
        let total = self.weights.total();
        if !(100.0..=110.0).contains(&total) {
            return refuse("weights", format!("sum to {total}; 100 to 110 is allowed"));
        }
        for (path, value, low, high) in self.ranges() {
            if !(low..=high).contains(&value) {
                return refuse(path, format!("is {value}; {low} to {high} is allowed"));
            }
        }
        for (path, multiplier) in [
            ("tiers.standard_multiplier", self.tiers.standard_multiplier),
            ("tiers.heavy_multiplier", self.tiers.heavy_multiplier),
        ] {
            if multiplier <= Decimal::ZERO || multiplier > Decimal::TEN {
                return refuse(path, format!("is {multiplier}; above 0 to 10 is allowed"));
            }
        }
        if let Symbols::These(list) = &self.symbols
            && list.is_empty()
        {
            return refuse("symbols", "is empty; \"all\" or a list of symbols is allowed".into());
        }
        Ok(())
    }

    fn ranges(&self) -> Vec<Range> {
        let small = 1e-9;
        let Self { crowding, gates, exits, liquidation, tiers, .. } = self;
        let percentile = |value: Option<f64>, absent: f64| value.unwrap_or(absent);
        let low_percentile = percentile(gates.min_atr_percentile, 0.0);
        let mut ranges = vec![
            ("threshold", self.threshold, tiers.light_from, 100.0),
            ("tiers.light_from", tiers.light_from, 0.0, 100.0),
            ("tiers.heavy_from", tiers.heavy_from, self.threshold, 100.0),
            ("flip_threshold", self.flip_threshold, self.threshold, 100.0),
            ("cool_down_minutes", self.cool_down_minutes.into(), 0.0, 1_440.0),
            ("min_cvd_share", self.min_cvd_share, 0.0, 1.0),
            ("crowding.long_short_full", crowding.long_short_full, small, 100.0),
            ("crowding.long_short_none", crowding.long_short_none, small, 100.0),
            ("crowding.top_trader_full", crowding.top_trader_full, small, 100.0),
            ("crowding.top_trader_none", crowding.top_trader_none, small, 100.0),
            ("funding.base_rate_8h", self.funding.base_rate_8h, 0.0, 1.0),
            ("environment.rise", self.environment.rise, small, 10.0),
            ("liquidation.ratio", liquidation.ratio, 1.0, 1_000.0),
            ("liquidation.min_notional", liquidation.min_notional, 0.0, 1e12),
            ("liquidation.min_share_of_24h", liquidation.min_share_of_24h, 0.0, 1.0),
            ("auxiliary.premium", self.auxiliary.premium, 0.0, 1.0),
            ("gates.min_inputs_present", gates.min_inputs_present, 0.0, 1.0),
            ("gates.min_atr_percentile", low_percentile, 0.0, 100.0),
            (
                "gates.max_atr_percentile",
                percentile(gates.max_atr_percentile, 100.0),
                low_percentile,
                100.0,
            ),
            ("gates.min_coverage_24h", gates.min_coverage_24h, 0.0, 1.0),
            ("gates.min_traded_bars_ratio", gates.min_traded_bars_ratio, 0.0, 1.0),
            ("max_cost_r", self.max_cost_r, small, 1_000.0),
            ("exits.stop_atr", exits.stop_atr, small, 100.0),
            ("exits.min_stop_bps", exits.min_stop_bps, 0.0, 5_000.0),
            ("exits.min_stop_ticks", exits.min_stop_ticks.into(), 1.0, 1_000_000.0),
            ("exits.min_stop_spreads", exits.min_stop_spreads, 0.0, 1_000.0),
            ("exits.tp1_stop_multiple", exits.tp1_stop_multiple, small, 100.0),
            ("exits.tp2_stop_multiple", exits.tp2_stop_multiple, exits.tp1_stop_multiple, 100.0),
            ("exits.timeout_minutes", exits.timeout_minutes.into(), 1.0, 100_000.0),
        ];
        let rises = self.environment.by_symbol.values();
        ranges.extend(rises.map(|rise| ("environment.by_symbol", *rise, small, 10.0)));
        ranges
    }
}
