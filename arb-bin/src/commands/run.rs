//! `arb run`: the live node on the venue's public data, trading on paper.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use arb::live::{Addresses, LiveOptions, Others};
use arb::node::{ScaledClock, WallClock};
use arb::port::Clock;
use arb::{AccountConfig, Registry, Timestamp};
use serde::Deserialize;

use super::live::{LiveArgs, block_on, discord, live};
use super::usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for everything it writes: the store is arb.db in it
    #[arg(long, default_value = "arb-data")]
    data: PathBuf,
    /// Whose market data
    #[arg(long, value_enum, default_value_t = DataVenue::Binance)]
    data_venue: DataVenue,
    /// Where orders go
    #[arg(long, value_enum, default_value_t = OrderVenue::Paper)]
    order_venue: OrderVenue,
    /// The line of a simulated venue (`arb sim --ready-json`), as its addresses and clock
    #[arg(long, value_name = "FILE")]
    venue_json: Option<PathBuf>,
    /// Leave out the perpetuals that are watched for funding and mark only
    #[arg(long)]
    only_symbols: bool,
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DataVenue {
    Binance,
    /// A simulated venue, named by --venue-json.
    Sim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OrderVenue {
    /// Filled by the engine's own paper venue.
    Paper,
}

/// The clock of a simulated venue.
#[derive(Clone, Copy, Debug, Deserialize)]
struct SimClock {
    epoch_ms: i64,
    wall_ms: i64,
    speed: u32,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let OrderVenue::Paper = args.order_venue;
    block_on(async {
        let (addresses, clock) = venue(args)?;
        let account =
            AccountConfig { initial_balance: args.live.balance, ..AccountConfig::default() };
        let options = LiveOptions {
            addresses,
            clock,
            folder: args.data.clone(),
            symbols: args.live.symbols.clone(),
            others: if args.only_symbols { Others::LeftOut } else { Others::Watched },
            strategies: args.live.strategies()?,
            registry: Registry::builtin(),
            account,
            history: args.live.history(),
            notifier: discord()?,
        };
        live(&args.live, options, serde_json::Map::new()).await
    })
}

fn venue(args: &Args) -> Result<(Addresses, Arc<dyn Clock>)> {
    match (args.data_venue, &args.venue_json) {
        (DataVenue::Binance, None) => Ok((Addresses::production(), Arc::new(WallClock))),
        (DataVenue::Binance, Some(_)) => {
            usage("--venue-json names a simulated venue; add --data-venue sim")
        }
        (DataVenue::Sim, None) => {
            usage("--data-venue sim needs --venue-json FILE, the line of arb sim --ready-json")
        }
        (DataVenue::Sim, Some(file)) => simulated(file),
    }
}

pub(super) fn simulated(file: &Path) -> Result<(Addresses, Arc<dyn Clock>)> {
    #[derive(Deserialize)]
    struct Line {
        clock: SimClock,
    }
    let name = format!("--venue-json {}", file.display());
    let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
    let addresses = Addresses::from_json(&name, &text)?;
    let Line { clock } = serde_json::from_str(&text).with_context(|| name)?;
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let passed = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) - clock.wall_ms;
    let now = clock.epoch_ms + passed.saturating_mul(i64::from(clock.speed));
    Ok((addresses, Arc::new(ScaledClock::new(Timestamp::from_millis(now), clock.speed))))
}
