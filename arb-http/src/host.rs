//! What a host is made of, and how it behaves.
//!
//! Invariant: everything here is given by the embedder; the crate adds no default that opens a
//! door. Whoever sets nothing gets limits that a public address survives.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Accounts, Clock, Desk, Store};

/// An engine, its store and its accounts, to be served.
#[derive(Clone)]
pub struct Host {
    /// The engine.
    pub desk: Arc<dyn Desk>,
    /// What it stores.
    pub store: Arc<dyn Store>,
    /// Users, tokens and keys.
    pub accounts: Arc<dyn Accounts>,
    /// The venue's time.
    pub clock: Arc<dyn Clock>,
    /// Configured perpetuals with order flow, such as `BTCUSDT`; answers name them by their coin.
    pub symbols: Vec<String>,
    /// Limits, time-outs, origins.
    pub options: HttpOptions,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("symbols", &self.symbols)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MetricsAccess {
    /// Callers on this machine, others with a token. A proxy on this machine must not forward it.
    #[default]
    LocalOrToken,
    /// Only with a token.
    Token,
    /// Everybody.
    Anyone,
}

/// How a host behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpOptions {
    /// Origins whose pages may call. Default: `http://localhost:3000` and `http://localhost:3001`.
    pub cors_origins: Vec<String>,
    /// Peers whose `X-Forwarded-For` is believed, last entry first. Default: none.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who may read `/metrics`. Default: callers on this machine, others with a token.
    pub metrics: MetricsAccess,
    /// Name of the engine's log stream in the store. Default: `node`.
    pub stream: String,
    /// Largest request body, bytes. Default: 65,536.
    pub max_body_bytes: usize,
    /// Open connections at most; further ones wait to be accepted. Default: 10,000.
    pub max_connections: usize,
    /// Expensive reads at the same time; further ones wait shortly, then get 503. Default: 8.
    pub max_heavy_reads: usize,
    /// Time for a request's header, and the longest idle time of a connection. Default: 30 s.
    pub header_timeout: Duration,
    /// Time for a request's body; then 408. Default: 10 s.
    pub body_timeout: Duration,
    /// Time for an answer to begin; then 503. Default: 30 s.
    pub request_timeout: Duration,
    /// Time for a peer to take what is written to it; then its connection ends. Default: 30 s.
    pub write_timeout: Duration,
    /// Time that open requests are given when the host stops. Default: 3 s.
    pub stop_timeout: Duration,
    /// Open streams at most, of both kinds; further ones get 503. Default: 2,000.
    pub max_streams: usize,
    /// Calls of register, login and refresh by one address in a minute. Default: 30.
    pub logins_per_minute: u32,
    /// Refused tokens by one address in a minute, after which it is not listened to. Default: 300.
    pub refused_tokens_per_minute: u32,
    /// Remembered `Idempotency-Key`s; the oldest are forgotten first. Default: 10,000.
    pub max_idempotency_keys: usize,
    /// How long an `Idempotency-Key` is remembered. Default: 24 h.
    pub idempotency_ttl: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            cors_origins: ["http://localhost:3000", "http://localhost:3001"]
                .map(str::to_owned)
                .to_vec(),
            trusted_proxies: Vec::new(),
            metrics: MetricsAccess::default(),
            stream: "node".to_owned(),
            max_body_bytes: 64 * 1024,
            max_connections: 10_000,
            max_heavy_reads: 8,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(3),
            max_streams: 2_000,
            logins_per_minute: 30,
            refused_tokens_per_minute: 300,
            max_idempotency_keys: 10_000,
            idempotency_ttl: Duration::from_secs(24 * 60 * 60),
        }
    }
}
