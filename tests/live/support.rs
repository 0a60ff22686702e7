//! A simulated venue and a live node on it, in one process.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arb::live::{Addresses, LiveOptions, OrderFlow, Others};
use arb::node::ScaledClock;
use arb::port::KeepDays;
use arb::sim::{FaultPlan, MarketConfig, SimMarket, SimServer, VenueConfig, VenueLimits, symbol};
use arb::{AccountConfig, Registry, RiskConfig, StrategyText, Timestamp};
use tokio::net::TcpListener;

/// Longest wait for anything; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A venue whose time runs `speed` times as fast as ours.
pub(crate) struct Venue {
    pub(crate) server: SimServer,
    speed: u32,
}

impl Venue {
    pub(crate) async fn start(epoch: Timestamp, speed: u32, symbols: &[&str]) -> Self {
        let specs = symbols.iter().copied().map(symbol).collect();
        let market = SimMarket::new(MarketConfig::new(11, epoch, specs)).unwrap();
        let limits = VenueLimits {
            futures_weight: 1_000_000,
            spot_weight: 1_000_000,
            ..VenueLimits::DOCUMENTED
        };
        let config = VenueConfig { limits, faults: FaultPlan::none(), speed };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = SimServer::start(listener, Arc::new(market), config).unwrap();
        Self { server, speed }
    }

    /// What a node of these symbols and strategies is told; it reads `history` of trades.
    pub(crate) fn options(
        &self,
        folder: &Path,
        symbols: &[&str],
        strategies: Vec<StrategyText>,
        history: Duration,
    ) -> LiveOptions {
        let line = serde_json::to_string(self.server.addresses()).unwrap();
        LiveOptions {
            addresses: Addresses::from_json("sim", &line).unwrap(),
            clock: Arc::new(ScaledClock::new(self.server.now(), self.speed)),
            folder: folder.to_owned(),
            symbols: OrderFlow::Of(symbols.iter().map(|symbol| (*symbol).to_owned()).collect()),
            others: Others::Watched,
            strategies,
            registry: Registry::builtin(),
            account: AccountConfig::default(),
            risk: RiskConfig::default(),
            keep: KeepDays::default(),
            history,
            archives: Vec::new(),
            backlog: Duration::ZERO,
            notifier: None,
        }
    }
}

/// A strategy that comes with the engine.
pub(crate) fn builtin(name: &str) -> StrategyText {
    let text = Registry::builtin_text(name).unwrap().to_owned();
    StrategyText { file: name.to_owned(), text }
}

/// Waits until `done` says so, looking again and again.
pub(crate) async fn until<T, F>(mut done: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let search = async {
        loop {
            if let Some(found) = done().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("in time")
}
