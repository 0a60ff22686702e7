//! `arb demo`: a simulated venue and a live node in one process, without network or keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use arb::live::{Addresses, LiveOptions, Others};
use arb::node::ScaledClock;
use arb::sim::{
    FaultPlan, MarketConfig, SimMarket, SimServer, VenueConfig, VenueLimits, known_symbols, symbol,
    symbols,
};
use arb::{AccountConfig, Registry, Timestamp};
use tokio::net::TcpListener;

use super::live::{LiveArgs, block_on, discord, live};
use super::usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for everything it writes; a temporary one unless told
    #[arg(long)]
    data: Option<PathBuf>,
    /// The same seed gives the same market
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much faster than the wall the market's time runs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: u32,
    /// Port of the simulated venue; 0 is any free one
    #[arg(long, default_value_t = 0)]
    sim_port: u16,
    #[command(flatten)]
    live: LiveArgs,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let temporary = tempfile::tempdir().context("a temporary folder")?;
    let folder = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    block_on(async {
        let server = venue(args).await?;
        let addresses = Addresses::from_json("sim", &serde_json::to_string(server.addresses())?)?;
        let clock = ScaledClock::new(server.now(), args.speed);
        let account =
            AccountConfig { initial_balance: args.live.balance, ..AccountConfig::default() };
        let options = LiveOptions {
            addresses,
            clock: Arc::new(clock),
            folder,
            symbols: args.live.symbols.clone(),
            others: Others::Watched,
            strategies: args.live.strategies()?,
            registry: Registry::builtin(),
            account,
            history: args.live.history(),
            notifier: discord()?,
        };
        live(&args.live, options, server.addresses()).await
    })
}

/// The venue, without limits of requests: the node reads hours of trades before it begins.
async fn venue(args: &Args) -> Result<SimServer> {
    let mut specs = symbols(known_symbols());
    for name in &args.live.symbols {
        if !specs.iter().any(|spec| spec.symbol == *name) {
            specs.push(symbol(name));
        }
    }
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
    let config = MarketConfig::new(args.seed, epoch, specs);
    let market = SimMarket::new(config).or_else(|error| usage(error.to_string()))?;
    let limits = VenueLimits {
        futures_weight: 1_000_000,
        spot_weight: 1_000_000,
        ..VenueLimits::DOCUMENTED
    };
    let config = VenueConfig { limits, faults: FaultPlan::none(), speed: args.speed };
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), args.sim_port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("--sim-port {}: choose another, or 0", args.sim_port))?;
    SimServer::start(listener, Arc::new(market), config).context("the simulated venue")
}
