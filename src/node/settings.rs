//! What an operator changed while the node ran, over the configuration it was started with.
//!
//! Invariant: the configuration of the command line is never lost: settings are laid over it, and
//! what they name in a strategy's text is the only thing that changes there.

use std::path::{Path, PathBuf};

use arb_core::port::{TierMultipliers, TradingSettings};
use arb_core::{Budget, ConfigError, Decimal, EngineConfig, StrategyText};
use serde_json::Value;

pub(super) const FILE: &str = "settings.json";
const MULTIPLIERS: [&str; 2] = ["standard_multiplier", "heavy_multiplier"];

/// The settings that a configuration amounts to.
pub(super) fn settings_of(config: &EngineConfig, paused: Paused) -> TradingSettings {
    let initial_balance = config.account.initial_balance;
    let risk_per_trade = match config.risk.budget {
        Budget::ShareOfInitialBalance(share) => share,
        Budget::Quote(amount) => {
            let share = amount.to_decimal().checked_div(initial_balance.to_decimal());
            share.unwrap_or_default().round_dp(8)
        }
    };
    let first = config.strategies.iter().find_map(multipliers);
    TradingSettings {
        enabled: paused == Paused::No,
        enabled_strategies: config.strategies.iter().filter_map(name).collect(),
        initial_balance,
        risk_per_trade,
        max_positions: config.risk.max_positions,
        tier_multiplier: first.unwrap_or_default(),
    }
}

/// Whether an operator has paused the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paused {
    No,
    Yes,
}

/// `base` with the settings laid over it.
pub(super) fn apply(
    base: &EngineConfig,
    settings: &TradingSettings,
) -> Result<EngineConfig, ConfigError> {
    let refuse =
        |field: &str, message: String| Err(ConfigError::new("settings", None, field, message));
    let known: Vec<String> = base.strategies.iter().filter_map(name).collect();
    if let Some(unknown) = settings.enabled_strategies.iter().find(|name| !known.contains(name)) {
        let message = format!("{unknown:?} is not loaded; loaded are {}", known.join(", "));
        return refuse("enabled_strategies", message);
    }
    if settings.tier_multiplier.light != Decimal::ZERO {
        let message = "a light signal is recorded and never traded: 0 is allowed".to_owned();
        return refuse("tier_multiplier.light", message);
    }
    for (field, size) in [
        ("tier_multiplier.standard", settings.tier_multiplier.standard),
        ("tier_multiplier.heavy", settings.tier_multiplier.heavy),
    ] {
        if size <= Decimal::ZERO || size > Decimal::TEN {
            return refuse(field, format!("{size} given, more than 0 and up to 10 is allowed"));
        }
    }
    if settings.risk_per_trade <= Decimal::ZERO || settings.risk_per_trade > Decimal::new(1, 1) {
        let message = format!(
            "{} given, a fraction of more than 0 and up to 0.1 is allowed",
            settings.risk_per_trade
        );
        return refuse("risk_per_trade", message);
    }
    let mut config = base.clone();
    config
        .strategies
        .retain(|text| name(text).is_some_and(|name| settings.enabled_strategies.contains(&name)));
    for text in &mut config.strategies {
        resize(text, settings.tier_multiplier);
    }
    config.account.initial_balance = settings.initial_balance;
    config.risk.max_positions = settings.max_positions;
    let same_budget = settings_of(base, Paused::No).risk_per_trade == settings.risk_per_trade
        && base.account.initial_balance == settings.initial_balance;
    if !same_budget {
        config.risk.budget = Budget::ShareOfInitialBalance(settings.risk_per_trade);
    }
    Ok(config)
}

fn name(text: &StrategyText) -> Option<String> {
    let value: Value = serde_json::from_str(&text.text).ok()?;
    Some(value.get("name")?.as_str()?.to_owned())
}

fn multipliers(text: &StrategyText) -> Option<TierMultipliers> {
    let value: Value = serde_json::from_str(&text.text).ok()?;
    let size = |key: &str| value.get("tiers")?.get(key)?.as_str()?.parse().ok();
    let [standard, heavy] = MULTIPLIERS.map(size);
    Some(TierMultipliers { light: Decimal::ZERO, standard: standard?, heavy: heavy? })
}

/// Writes other sizes into a strategy's text; one that has them already stays to the letter.
fn resize(text: &mut StrategyText, sizes: TierMultipliers) {
    if multipliers(text).is_none_or(|present| present == sizes) {
        return;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&text.text) else { return };
    for (key, size) in MULTIPLIERS.into_iter().zip([sizes.standard, sizes.heavy]) {
        if let Some(tiers) = value.get_mut("tiers").and_then(Value::as_object_mut) {
            tiers.insert(key.to_owned(), Value::String(size.normalize().to_string()));
        }
    }
    if let Ok(written) = serde_json::to_string_pretty(&value) {
        text.text = written;
    }
}

/// The settings of an earlier run in this folder; none when nobody changed any.
pub(super) fn read(folder: &Path) -> Result<Option<TradingSettings>, ConfigError> {
    let path = folder.join(FILE);
    let refuse = |line, message: String| {
        Err(ConfigError::new(path.display().to_string(), line, "settings", message))
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return refuse(None, error.to_string()),
    };
    match serde_json::from_slice(&bytes) {
        Ok(settings) => Ok(Some(settings)),
        Err(error) => refuse(Some(error.line()), format!("{error}; mend or remove the file")),
    }
}

/// Keeps the settings for the next start.
pub(super) fn write(folder: &Path, settings: &TradingSettings) -> Result<(), ConfigError> {
    let path = folder.join(FILE);
    let written = serde_json::to_vec_pretty(settings)
        .map_err(std::io::Error::other)
        .and_then(|bytes| replace(&path, &bytes));
    written.map_err(|error| {
        ConfigError::new(path.display().to_string(), None, "settings", error.to_string())
    })
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let aside: PathBuf = path.with_extension("tmp");
    let mut file = std::fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use arb_core::{Instrument, InstrumentConfig, Registry};

    use super::*;

    fn base() -> EngineConfig {
        let spec =
            Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
        let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
        ["v51_baseline", "v52_8signals"].into_iter().fold(config, |config, name| {
            config.with_strategy(name, Registry::builtin_text(name).unwrap()).unwrap()
        })
    }

    #[test]
    fn the_settings_of_a_configuration_laid_over_it_change_nothing() {
        let config = base();
        let settings = settings_of(&config, Paused::No);
        assert_eq!(settings.enabled_strategies, ["v51_baseline", "v52_8signals"]);
        assert_eq!(settings.tier_multiplier.heavy, "1.5".parse().unwrap());
        let same = apply(&config, &settings).unwrap();
        assert_eq!(serde_json::to_string(&same).unwrap(), serde_json::to_string(&config).unwrap());
    }

    #[test]
    fn what_is_changed_reaches_the_engine() {
        let mut settings = settings_of(&base(), Paused::No);
        settings.enabled_strategies = vec!["v52_8signals".to_owned()];
        settings.max_positions = 2;
        settings.risk_per_trade = "0.01".parse().unwrap();
        settings.tier_multiplier.heavy = "2".parse().unwrap();
        let config = apply(&base(), &settings).unwrap();
        assert_eq!(settings_of(&config, Paused::No), settings);
        Registry::builtin().build("v52_8signals", &config.strategies[0].text).unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_field() {
        let refused = |change: fn(&mut TradingSettings)| {
            let mut settings = settings_of(&base(), Paused::No);
            change(&mut settings);
            apply(&base(), &settings).unwrap_err().to_string()
        };
        let text = refused(|s| s.enabled_strategies.push("v99".to_owned()));
        assert!(text.contains("enabled_strategies") && text.contains("v51_baseline"), "{text}");
        assert!(refused(|s| s.tier_multiplier.light = Decimal::ONE).contains("light"));
        assert!(refused(|s| s.tier_multiplier.heavy = Decimal::ZERO).contains("heavy"));
        assert!(refused(|s| s.risk_per_trade = Decimal::ONE).contains("risk_per_trade"));
    }

    #[test]
    fn settings_are_kept_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let settings = settings_of(&base(), Paused::Yes);
        write(folder.path(), &settings).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(settings));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("settings.json"));
    }
}
