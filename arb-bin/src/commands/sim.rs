//! `arb sim`: the simulated venue, for any client.
//!
//! The only command with an asynchronous runtime so far, and it lives here. What it serves follows
//! from its flags: with `--epoch` the same flags serve the same market again.

mod market;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use arb::sim::{Addresses, FaultPlan, SimMarket, SimServer, VenueConfig, VenueLimits};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::market::{FramesFile, Symbols, TapeFile};
use super::live::start_log;
use super::usage;
use crate::config::LogFormat;
use crate::output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port to listen on; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The same seed and epoch give the same market
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names such as BTCUSDT,ETHUSDT; a number of symbols; or all that are known by name
    #[arg(long, default_value = "all")]
    symbols: Symbols,
    /// How much faster than the wall virtual time runs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: u32,
    /// A file of faults, or none
    #[arg(long, default_value = "none")]
    faults: String,
    /// Virtual time at the start, milliseconds since 1970; now, or where recorded data begins
    #[arg(long)]
    epoch: Option<i64>,
    /// Recorded trades to serve at their own time: [spot:]SYMBOL=FILE, archive format
    #[arg(long, value_name = "SYMBOL=FILE")]
    tape: Vec<TapeFile>,
    /// Recorded frames to serve at their own time: [spot:]FILE
    #[arg(long, value_name = "FILE")]
    frames: Vec<FramesFile>,
    /// Trades of a day, in percent of what each symbol has by itself
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    activity: u16,
    /// How often best prices change, milliseconds: 1, 2, 5, 10, 25 or 50
    #[arg(long, default_value_t = 50)]
    step: u16,
    /// Folder for what it writes: venue.json, the line of --ready-json
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print one line of JSON when it is ready
    #[arg(long)]
    ready_json: bool,
    /// How logs are written, on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

/// One line that says that it is ready, and where.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    pid: u32,
    data: Option<&'a Path>,
    #[serde(flatten)]
    addresses: &'a Addresses,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    start_log(args.log)?;
    let faults = faults(&args.faults)?;
    let market = Arc::new(market::market(args)?);
    let config = VenueConfig { limits: VenueLimits::DOCUMENTED, faults, speed: args.speed };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let served = runtime.block_on(serve(args, market, config));
    // Open connections are not waited for.
    runtime.shutdown_background();
    served
}

fn faults(named: &str) -> Result<FaultPlan> {
    if named == "none" {
        return Ok(FaultPlan::none());
    }
    let text = std::fs::read_to_string(named).with_context(|| format!("--faults {named}"))?;
    FaultPlan::parse(&text).or_else(|error| usage(format!("--faults {named}: {error}")))
}

async fn serve(args: &Args, market: Arc<SimMarket>, config: VenueConfig) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("SIGINT")?;
    let listener = listen(SocketAddr::new(args.host, args.port)).await?;
    let server = SimServer::start(listener, market, config).context("the server")?;
    announce(args, server.addresses())?;
    let Addresses { futures_rest: address, clock, .. } = server.addresses();
    tracing::info!(address, clock.epoch_ms, clock.speed, "the simulated venue serves");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!(now_ms = server.now().as_millis(), "the simulated venue stops");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "--port {}: in use by another process; stop it, name another port, or give 0 for any \
             free one",
            address.port()
        ),
        _ => anyhow!("--host {} --port {}: {error}", address.ip(), address.port()),
    })
}

fn announce(args: &Args, addresses: &Addresses) -> Result<()> {
    let ready = Ready { pid: std::process::id(), data: args.data.as_deref(), addresses };
    let line = serde_json::to_string(&ready)?;
    if let Some(folder) = &args.data {
        let named = || format!("--data {}", folder.display());
        std::fs::create_dir_all(folder).with_context(named)?;
        std::fs::write(folder.join("venue.json"), format!("{line}\n")).with_context(named)?;
    }
    if args.ready_json {
        return output::stdout(format_args!("{line}\n"));
    }
    let Addresses { futures_rest, futures_ws, spot_rest, spot_ws, control, clock, .. } = addresses;
    output::stdout(format_args!(
        "futures  {futures_rest}  {futures_ws}\nspot     {spot_rest}  {spot_ws}\n\
         coinbase {}\n         {}\ncontrol  {control}\n\
         virtual time runs {} times as fast as the wall; Ctrl-C stops\n",
        addresses.coinbase_exchange_ws, addresses.coinbase_advanced_ws, clock.speed
    ))
}
