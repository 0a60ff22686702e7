//! The configuration of an engine: one JSON text whose hash is part of every signal.
//!
//! Invariant: no silent default; a field that is missing or unknown refuses the start.

mod check;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ConfigError;
use crate::event::{Configure, Event, EventKind};
use crate::instrument::Instrument;
use crate::market::{InputAges, InputName};
use crate::num::{Money, decimal_text};
use crate::order::{RunId, WorkingType};
use crate::paper::PaperConfig;
use crate::risk::RiskConfig;
use crate::time::Timestamp;

/// Everything the engine must know before its first event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Name of the run, part of every order id.
    pub run: RunId,
    /// Instruments; the position in this list is the [`InstrumentId`](crate::InstrumentId).
    pub instruments: Vec<InstrumentConfig>,
    /// JSON texts of the strategies, exactly as written by their authors.
    pub strategies: Vec<StrategyText>,
    /// Balance, fees and leverage.
    pub account: AccountConfig,
    /// Limits.
    pub risk: RiskConfig,
    /// How stops trigger.
    pub working_type: WorkingType,
    /// Inputs that strategies must not see.
    pub mask_inputs: Vec<InputName>,
    /// Ages from which an input counts as absent.
    pub input_ages: InputAges,
    /// Which decisions become signals.
    pub record: Record,
    /// What the paper venue assumes.
    pub paper: PaperConfig,
    /// Length of the decision grid, seconds; more than 15 only for tapes of bars, which say
    /// nothing in between.
    pub grid_secs: u32,
}

/// One instrument with what its market costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentConfig {
    /// Filters and margin tiers.
    pub spec: Instrument,
    /// Spread assumed where there is no book, basis points of price.
    #[serde(with = "decimal_text")]
    pub spread_bps: Decimal,
}

/// A strategy's JSON with the place it came from, for error messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyText {
    /// Name of the file, without its folders, or built-in name.
    pub file: String,
    /// The JSON text, to the letter, so that errors name the author's own lines.
    pub text: String,
}

/// The account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Balance at the start, quote currency.
    pub initial_balance: Money,
    /// Account leverage: initial margin is notional ÷ leverage.
    pub leverage: u16,
    /// Fee of a maker fill, a fraction of notional.
    #[serde(with = "decimal_text")]
    pub maker_fee: Decimal,
    /// Fee of a taker fill, a fraction of notional.
    #[serde(with = "decimal_text")]
    pub taker_fee: Decimal,
    /// Fee of a spot fill, a fraction of notional; a buy pays it in the base asset.
    #[serde(with = "decimal_text")]
    pub spot_fee: Decimal,
    /// Slippage of a market order, a fraction of price.
    #[serde(with = "decimal_text")]
    pub slippage: Decimal,
}

impl Default for AccountConfig {
    /// 10,000 quote, leverage 5, maker 0.02 %, taker 0.05 %, spot 0.1 %, slippage 1 bp.
    fn default() -> Self {
        Self {
            initial_balance: Money::round(Decimal::from(10_000)),
            leverage: 5,
            maker_fee: Decimal::new(2, 4),
            taker_fee: Decimal::new(5, 4),
            spot_fee: Decimal::new(1, 3),
            slippage: Decimal::new(1, 4),
        }
    }
}

/// Which decisions become signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Those with a tier.
    Tiered,
    /// All of them.
    All,
}

impl EngineConfig {
    /// A paper account with the default limits and no strategy yet.
    #[must_use]
    pub fn new(instruments: Vec<InstrumentConfig>) -> Self {
        Self {
            run: RunId::BACKTEST,
            instruments,
            strategies: Vec::new(),
            account: AccountConfig::default(),
            risk: RiskConfig::default(),
            working_type: WorkingType::ContractPrice,
            mask_inputs: Vec::new(),
            input_ages: InputAges::default(),
            record: Record::Tiered,
            paper: PaperConfig::default(),
            grid_secs: 15,
        }
    }

    /// The same configuration with one more strategy, from its JSON text.
    ///
    /// # Errors
    /// [`ConfigError`] when the text is no JSON; its fields are checked when the engine is built.
    pub fn with_strategy(mut self, file: &str, text: &str) -> Result<Self, ConfigError> {
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|e| ConfigError::new(file, Some(e.line()), "json", e.to_string()))?;
        // The folder says nothing about the run, and would change its hash.
        let name = std::path::Path::new(file).file_name().and_then(|name| name.to_str());
        let file = name.unwrap_or(file).to_owned();
        self.strategies.push(StrategyText { file, text: text.to_owned() });
        Ok(self)
    }

    /// The event that brings this configuration to an engine.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot be written as JSON.
    pub fn to_event(&self, at: Timestamp) -> Result<Event, ConfigError> {
        let bytes = serde_json::to_vec(self)
            .map_err(|e| ConfigError::new("configuration", None, "json", e.to_string()))?;
        let hash = hash_of(&bytes);
        Ok(Event { at, kind: EventKind::Configure(Box::new(Configure { bytes, hash })) })
    }

    pub(crate) fn parse(configure: &Configure) -> Result<Self, ConfigError> {
        let refuse = |line, field: &str, message: String| {
            Err(ConfigError::new("configuration", line, field, message))
        };
        if hash_of(&configure.bytes) != configure.hash {
            return refuse(None, "hash", "is not the SHA-256 of the bytes".to_owned());
        }
        let config: Self = match serde_json::from_slice(&configure.bytes) {
            Ok(config) => config,
            Err(e) => return refuse(Some(e.line()), "json", e.to_string()),
        };
        if let Some((field, message)) = check::flaw(&config) {
            return refuse(None, &field, message);
        }
        if config.grid_secs == 0 || !config.grid_secs.is_multiple_of(15) {
            let message = format!("{} given, a multiple of 15 is allowed", config.grid_secs);
            return refuse(None, "grid_secs", message);
        }
        Ok(config)
    }
}

/// SHA-256 as hexadecimal text.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(bytes);
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_tell_from_which_folder_a_strategy_came() {
        let spec =
            Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
        let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
        let bytes = |file: &str| {
            let config = config.clone().with_strategy(file, "{}").unwrap();
            serde_json::to_vec(&config).unwrap()
        };
        assert_eq!(bytes("/home/me/mine.json"), bytes("mine.json"));
        assert_eq!(bytes("../mine.json"), bytes("mine.json"));
        assert_ne!(bytes("other.json"), bytes("mine.json"));
    }
}
