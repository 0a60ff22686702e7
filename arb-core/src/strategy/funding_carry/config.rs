//! The configuration of a funding carry: every number of it, none with a default.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::num::decimal_text;
use crate::strategy::layered_score::Symbols;
use crate::strategy::registry::line_of;

/// A strategy file of kind `funding_carry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FundingCarryConfig {
    /// `funding_carry`.
    pub kind: Kind,
    /// Name in signals and orders: 1 to 40 of a-z, 0-9 and _.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9_]{1,40}$")))]
    pub name: String,
    /// `"all"`, or the perpetuals it looks at.
    pub symbols: Symbols,
    /// Spot notional of a pair as a fraction of equity; risk may make it smaller.
    #[serde(with = "decimal_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub notional_ratio: Decimal,
    /// How far funding is expected, days.
    pub horizon_days: u32,
    /// Net return per year from which a pair is opened, a fraction.
    pub min_net_apr: f64,
    /// Gross funding per year below which a settlement speaks against holding, a fraction.
    pub exit_apr: f64,
    /// So many such settlements in a row close the pair.
    pub exit_settlements: u32,
    /// Largest |basis| at entry, basis points.
    pub max_basis_bps: f64,
    /// Hours of basis that must be known before an entry.
    pub min_basis_hours: u32,
    /// No further pair in the instrument for so long after one.
    pub cool_down_minutes: u32,
}

/// The kind of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The only one.
    FundingCarry,
}

impl FundingCarryConfig {
    /// # Errors
    /// [`ConfigError`] names the first field out of range.
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let refuse = |field: &str, value: String, allowed: &str| {
            let message = format!("{value} is out of range; {allowed} is allowed");
            Err(ConfigError::new(file, line_of(text, field), field, message))
        };
        let ratio = self.notional_ratio;
        if ratio <= Decimal::ZERO || ratio > Decimal::ONE {
            return refuse("notional_ratio", ratio.to_string(), "above 0 to 1");
        }
        let numbers = [
            ("min_net_apr", self.min_net_apr, (0.0, 100.0)),
            ("exit_apr", self.exit_apr, (-100.0, 100.0)),
            ("max_basis_bps", self.max_basis_bps, (0.0, 10_000.0)),
        ];
        for (field, value, (least, most)) in numbers {
            if !(least..=most).contains(&value) {
                return refuse(field, value.to_string(), &format!("{least} to {most}"));
            }
        }
        let counts = [
            ("horizon_days", self.horizon_days, (1, 365)),
            ("exit_settlements", self.exit_settlements, (1, 1_000)),
            ("min_basis_hours", self.min_basis_hours, (0, 168)),
            ("cool_down_minutes", self.cool_down_minutes, (0, 1_000_000)),
        ];
        for (field, value, (least, most)) in counts {
            if !(least..=most).contains(&value) {
                return refuse(field, value.to_string(), &format!("{least} to {most}"));
            }
        }
        Ok(())
    }
}
