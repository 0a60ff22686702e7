//! The settings, typed.
//!
//! Invariant: an unknown field is an error. What each field means stands in [`KEYS`](super::KEYS),
//! which names exactly these.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use arb::http::HttpOptions;
use arb::port::KeepDays;
use arb::{AccountConfig, RiskConfig};
use serde::{Deserialize, Serialize};

use super::values::{
    Balance, Days, Hours, PerTrade, Secret, Symbols, addresses, flag, port, positions, some_words,
    token_secret, words,
};

/// What a node is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) data_venue: DataVenue,
    pub(crate) order_venue: OrderVenue,
    pub(crate) trade_env: Option<TradeEnv>,
    pub(crate) venue_json: Option<PathBuf>,
    pub(crate) symbols: Symbols,
    #[serde(deserialize_with = "flag")]
    pub(crate) watch_others: bool,
    #[serde(deserialize_with = "some_words")]
    pub(crate) strategies: Vec<String>,
    pub(crate) balance: Balance,
    pub(crate) history_hours: Hours,
    pub(crate) log: LogFormat,
    pub(crate) discord_webhook: Option<Secret>,
    pub(crate) heartbeat_url: Option<Secret>,
    #[serde(deserialize_with = "token_secret")]
    pub(crate) jwt_secret: Option<Secret>,
    pub(crate) risk: Risk,
    pub(crate) keep_days: Keep,
    pub(crate) http: Http,
    pub(crate) postgres: Postgres,
}

/// Whose market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DataVenue {
    Binance,
    /// A simulated venue, named by --venue-json.
    Sim,
}

/// Where orders go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderVenue {
    /// Filled by the engine's own paper venue.
    Paper,
    /// The exchange itself; refused as long as there is no live executor.
    Binance,
}

/// Which of the venue's systems orders are meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TradeEnv {
    Testnet,
    Production,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Limits that differ from the engine's own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Risk {
    pub(crate) per_trade: PerTrade,
    #[serde(deserialize_with = "positions")]
    pub(crate) max_positions: u32,
}

/// How long the store keeps things.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keep {
    pub(crate) tape: Days,
    pub(crate) market: Days,
    pub(crate) signals: Days,
}

/// The REST host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    #[serde(deserialize_with = "flag")]
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "words")]
    pub(crate) cors_origins: Vec<String>,
    #[serde(deserialize_with = "addresses")]
    pub(crate) trusted_proxies: Vec<IpAddr>,
}

/// The server of a store that is not built yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Postgres {
    pub(crate) host: Option<String>,
    #[serde(deserialize_with = "port")]
    pub(crate) port: Option<u16>,
    pub(crate) db: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) pass: Option<Secret>,
    pub(crate) cloud_host: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) cloud_enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let listed = ["BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT"].map(str::to_owned);
        Self {
            data: "arb-data".into(),
            data_venue: DataVenue::Binance,
            order_venue: OrderVenue::Paper,
            trade_env: None,
            venue_json: None,
            symbols: Symbols::Listed(listed.into()),
            watch_others: true,
            strategies: ["v51_baseline", "v52_8signals"].map(str::to_owned).into(),
            balance: Balance(AccountConfig::default().initial_balance),
            history_hours: Hours(4.5),
            log: LogFormat::Text,
            discord_webhook: None,
            heartbeat_url: None,
            jwt_secret: None,
            risk: Risk::default(),
            keep_days: Keep::default(),
            http: Http::default(),
            postgres: Postgres::default(),
        }
    }
}

impl Default for Risk {
    fn default() -> Self {
        let RiskConfig { budget, max_positions, .. } = RiskConfig::default();
        Self { per_trade: PerTrade(budget), max_positions }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8_000));
        let HttpOptions { cors_origins, trusted_proxies, .. } = HttpOptions::default();
        Self { enabled: true, listen, cors_origins, trusted_proxies }
    }
}

impl From<Keep> for KeepDays {
    fn from(keep: Keep) -> Self {
        Self { tape: keep.tape.0, market: keep.market.0, signals: keep.signals.0 }
    }
}

impl From<Risk> for RiskConfig {
    fn from(risk: Risk) -> Self {
        Self { budget: risk.per_trade.0, max_positions: risk.max_positions, ..Self::default() }
    }
}
