//! The environment as a layer.
//!
//! Invariant: an empty variable is none. Of two variables of one key the one that begins with
//! `ARB_` counts.

use super::keys::{KEYS, Key, RISK_PER_TRADE_USD};

/// Names that are no keys and no typos: where the recorded data of the tests is.
const OTHERS: [&str; 1] = ["ARB_DATA_DIR"];

/// Variables by name.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(String, String)>);

impl Variables {
    /// Those of this process; what is no text is left out.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(super) fn of(all: &[(&str, &str)]) -> Self {
        Self(all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Keys that are set: key, variable, text.
    pub(super) fn values(&self) -> Vec<(&'static Key, String, String)> {
        KEYS.iter().filter_map(|key| self.value(key)).collect()
    }

    fn value(&self, key: &'static Key) -> Option<(&'static Key, String, String)> {
        let own = key.variable();
        if let Some(text) = self.get(&own) {
            return Some((key, own, text.to_owned()));
        }
        if key.name == "risk.per_trade"
            && let Some(amount) = self.get(RISK_PER_TRADE_USD)
        {
            return Some((key, RISK_PER_TRADE_USD.to_owned(), format!("{} USDT", amount.trim())));
        }
        let earlier = key.earlier?;
        let text = self.get(earlier)?;
        Some((key, earlier.to_owned(), text.to_owned()))
    }

    /// Variables that look like ours and name no key: a typo, most likely.
    pub(super) fn unknown(&self) -> Vec<String> {
        let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let is_unknown = |name: &&String| {
            name.starts_with("ARB_") && !known.contains(name) && !OTHERS.contains(&name.as_str())
        };
        self.0.iter().map(|(name, _)| name).filter(is_unknown).cloned().collect()
    }
}
