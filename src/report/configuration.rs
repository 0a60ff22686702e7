//! The configuration of a run, as every report shows it.
//!
//! Invariant: what is shown is what the hash was made of; strategies stand to the letter.

use std::io;

use arb_core::{Configure, EngineConfig, StrategyText};

/// A configuration to be read, for `templates/configuration.html`.
pub(super) struct Configuration {
    pub(super) hash: String,
    /// Enough of the hash to tell runs apart.
    pub(super) short_hash: String,
    /// Everything but the strategies' texts.
    pub(super) text: String,
    pub(super) strategies: Vec<StrategyText>,
    /// Names of the strategies, from their own texts.
    pub(super) names: String,
}

impl Configuration {
    pub(super) fn new(seen: Option<&(EngineConfig, Configure)>) -> io::Result<Self> {
        let Some((config, configure)) = seen else {
            let empty = String::new;
            let (hash, short_hash, text) = (empty(), empty(), empty());
            return Ok(Self { hash, short_hash, text, strategies: Vec::new(), names: empty() });
        };
        let mut plain = config.clone();
        for strategy in &mut plain.strategies {
            "… below, to the letter".clone_into(&mut strategy.text);
        }
        let hash = configure.hash.clone();
        Ok(Self {
            short_hash: hash.get(..12).unwrap_or(&hash).to_owned(),
            hash,
            text: serde_json::to_string_pretty(&plain)?,
            strategies: config.strategies.clone(),
            names: names(config),
        })
    }
}

fn names(config: &EngineConfig) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let name = |text: &StrategyText| {
        serde_json::from_str::<Named>(&text.text).map_or(text.file.clone(), |named| named.name)
    };
    let names: Vec<String> = config.strategies.iter().map(name).collect();
    if names.is_empty() { "no strategy".to_owned() } else { names.join(", ") }
}
