//! Where the venue is.
//!
//! Invariant: what travels over a network is encrypted; plain `http` and `ws` are for loopback
//! only, which is where a simulated venue runs.

use arb_core::ConfigError;
use serde::{Deserialize, Serialize};

/// Base addresses, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Futures requests, such as `https://fapi.binance.com`.
    pub futures_rest: String,
    /// Futures streams before the routed path, such as `wss://fstream.binance.com`.
    pub futures_ws: String,
    /// Spot requests.
    pub spot_rest: String,
    /// Spot streams.
    pub spot_ws: String,
    /// Coinbase's Exchange feed, the reference price; none goes without the premium.
    #[serde(default, alias = "coinbase_exchange_ws")]
    pub coinbase_ws: Option<String>,
}

impl Addresses {
    /// The exchange itself. Spot comes from the hosts that have market data only.
    #[must_use]
    pub fn production() -> Self {
        Self {
            futures_rest: "https://fapi.binance.com".to_owned(),
            futures_ws: "wss://fstream.binance.com".to_owned(),
            spot_rest: "https://data-api.binance.vision".to_owned(),
            spot_ws: "wss://data-stream.binance.vision".to_owned(),
            coinbase_ws: Some("wss://ws-feed.exchange.coinbase.com".to_owned()),
        }
    }

    /// The addresses of a JSON object, such as the line a simulated venue prints when it is ready;
    /// its other fields are ignored.
    ///
    /// # Errors
    /// [`ConfigError`] with the field.
    pub fn from_json(name: &str, text: &str) -> Result<Self, ConfigError> {
        let addresses: Self = serde_json::from_str(text)
            .map_err(|e| ConfigError::new(name, Some(e.line()), "json", e.to_string()))?;
        addresses.check(name)?;
        Ok(addresses)
    }

    /// Refuses addresses of another scheme, and plain ones beyond loopback.
    ///
    /// # Errors
    /// [`ConfigError`] with the field.
    pub fn check(&self, name: &str) -> Result<(), ConfigError> {
        let rest = [("futures_rest", &self.futures_rest), ("spot_rest", &self.spot_rest)];
        let streams = [("futures_ws", &self.futures_ws), ("spot_ws", &self.spot_ws)];
        let coinbase = self.coinbase_ws.as_ref().map(|address| ("coinbase_ws", address));
        for (field, address) in rest {
            check(name, field, address, ("https://", "http://"))?;
        }
        for (field, address) in streams.into_iter().chain(coinbase) {
            check(name, field, address, ("wss://", "ws://"))?;
        }
        Ok(())
    }
}

fn check(
    name: &str,
    field: &str,
    address: &str,
    (secure, plain): (&str, &str),
) -> Result<(), ConfigError> {
    let refuse = |message: String| Err(ConfigError::new(name, None, field, message));
    if address.ends_with('/') || address.contains(['?', '#', '@', ' ']) {
        return refuse(format!("{address:?} is no base address; such as {secure}host is allowed"));
    }
    if let Some(host) = address.strip_prefix(secure) {
        return if host.is_empty() { refuse(format!("{address:?} names no host")) } else { Ok(()) };
    }
    match address.strip_prefix(plain) {
        Some(host) if is_loopback(host) => Ok(()),
        Some(_) => {
            refuse(format!("{address:?} is not encrypted; {secure} is needed beyond loopback"))
        }
        None => refuse(format!("{address:?} has another scheme; {secure} is needed")),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.split('/').next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(field: &str, address: &str) -> Result<Addresses, ConfigError> {
        let mut json = serde_json::to_value(Addresses::production()).unwrap();
        json[field] = address.into();
        json["pid"] = 7.into();
        Addresses::from_json("venue.json", &json.to_string())
    }

    #[test]
    fn the_line_of_a_simulated_venue_is_taken() {
        assert_eq!(
            with("futures_rest", "https://fapi.binance.com").unwrap(),
            Addresses::production()
        );
        for address in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9"] {
            assert_eq!(with("futures_rest", address).unwrap().futures_rest, address);
        }
    }

    #[test]
    fn nothing_unencrypted_leaves_the_machine() {
        for (field, address) in [
            ("futures_rest", "http://fapi.binance.com"),
            ("spot_rest", "http://127.0.0.1.example.com"),
            ("futures_ws", "ws://10.0.0.1:80"),
            ("coinbase_ws", "ftp://127.0.0.1"),
            ("futures_ws", "https://fstream.binance.com"),
            ("futures_rest", "https://user@host"),
            ("futures_rest", "https://host/"),
            ("futures_rest", "https://"),
        ] {
            let error = with(field, address).unwrap_err();
            assert_eq!(error.field, field, "{address}");
        }
    }
}
