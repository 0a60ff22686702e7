//! `arb demo`: a simulated venue and a live node in one process, without network or keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use arb::Timestamp;
use arb::live::Addresses;
use arb::node::ScaledClock;
use arb::sim::{
    FaultPlan, MarketConfig, SimMarket, SimServer, VenueConfig, VenueLimits, known_symbols, symbol,
    symbols,
};
use tokio::net::TcpListener;

use super::live::{FirstLogin, HostArgs, LiveArgs, block_on, live, options, start_log};
use super::usage;
use crate::config::{Config, Settings, Symbols, Variables, Which};

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

/// A file of settings is read only where it is named, and its folder is never used: the demo must
/// not write simulated trades into the folder of a real node.
pub(crate) fn run(args: &Args) -> Result<()> {
    let which = args.live.config.as_deref().map_or(Which::Without, Which::Named);
    let config = Config::load(which, &Variables::of_process(), &args.live.flags())?;
    start_log(config.settings.log)?;
    let temporary = tempfile::tempdir().context("a temporary folder")?;
    let folder = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    block_on(async {
        let server = venue(args, &config.settings).await?;
        let addresses = Addresses::from_json("sim", &serde_json::to_string(server.addresses())?)?;
        let clock = ScaledClock::new(server.now(), args.speed);
        let options = options(&config, (addresses, Arc::new(clock)), folder)?;
        // Another program may have the usual port, and a demo must start anyhow.
        let mut live_args = args.live.clone();
        if live_args.host.port.is_none() && live_args.host.listen.is_none() && config.file.is_none()
        {
            live_args.host = HostArgs { port: Some(0), listen: None };
        }
        live(&live_args, (&config, FirstLogin::Made), options, server.addresses()).await
    })
}

/// The venue, without limits of requests: the node reads hours of trades before it begins.
async fn venue(args: &Args, settings: &Settings) -> Result<SimServer> {
    let mut specs = symbols(known_symbols());
    if let Symbols::Listed(names) = &settings.symbols {
        for name in names {
            if !specs.iter().any(|spec| spec.symbol == *name) {
                specs.push(symbol(name));
            }
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
