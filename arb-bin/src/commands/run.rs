//! `arb run`: the live node on the venue's public data, trading on paper.

mod api;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use arb::Timestamp;
use arb::live::{Addresses, probe};
use arb::node::{ScaledClock, WallClock};
use arb::port::Clock;
use serde::{Deserialize, Serialize};

use super::live::{FirstLogin, LiveArgs, block_on, live, options, start_log, strategy_texts};
use super::{config::note_unknown, usage};
use crate::config::{Config, DataVenue, Flag, OrderVenue, TradeEnv, Variables, Which};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for everything it writes: the store is arb.db in it; arb-data unless configured
    #[arg(long)]
    data: Option<PathBuf>,
    /// Whose market data
    #[arg(long, value_enum)]
    data_venue: Option<DataVenue>,
    /// Where orders go
    #[arg(long, value_enum)]
    order_venue: Option<OrderVenue>,
    /// The line of a simulated venue (`arb sim --ready-json`), as its addresses and clock
    #[arg(long, value_name = "FILE")]
    venue_json: Option<PathBuf>,
    /// Leave out the perpetuals that are watched for funding and mark only
    #[arg(long)]
    only_symbols: bool,
    /// Archive files, or folders of them, brought in before the first start
    #[arg(long, num_args = 1.., value_name = "FILE")]
    archive: Vec<PathBuf>,
    /// What this process does
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
    #[command(flatten)]
    live: LiveArgs,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Collects, decides, trades, and serves REST and the dashboard.
    All,
    /// The same without REST.
    Node,
    /// Serves REST over the store of a node that runs in another process.
    Api,
}

/// How much history the store gets while the node runs: what an engine that begins anew takes.
const BACKLOG: Duration = Duration::from_hours(24);

/// The clock of a venue as a line of JSON tells it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct ClockLine {
    /// Venue time, milliseconds since 1970.
    epoch_ms: i64,
    /// When that was, on the wall; without it the venue is asked.
    wall_ms: Option<i64>,
    speed: u32,
}

/// What the line of a running node says about its venue.
#[derive(Debug, Serialize)]
struct VenueLine<'a> {
    #[serde(flatten)]
    addresses: &'a Addresses,
    clock: ClockLine,
}

impl Args {
    fn flags(&self) -> Vec<Flag> {
        fn name<V: clap::ValueEnum>(value: Option<&V>) -> Option<String> {
            Some(value?.to_possible_value()?.get_name().to_owned())
        }
        let path = |path: &Option<PathBuf>| Some(path.as_ref()?.display().to_string());
        let all = [
            ("data", "--data", path(&self.data)),
            ("data_venue", "--data-venue", name(self.data_venue.as_ref())),
            ("order_venue", "--order-venue", name(self.order_venue.as_ref())),
            ("venue_json", "--venue-json", path(&self.venue_json)),
            ("watch_others", "--only-symbols", self.only_symbols.then(|| "false".to_owned())),
        ];
        let own = all.into_iter().filter_map(|(key, flag, text)| Some((key, flag, text?)));
        own.chain(self.live.flags()).collect()
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let which = Which::of(args.live.config.as_deref());
    let mut config = Config::load(which, &Variables::of_process(), &args.flags())?;
    refuse(&config)?;
    config.settings.http.enabled &= args.role != Role::Node;
    start_log(config.settings.log)?;
    note_unknown(&config);
    if let Some(file) = &config.file {
        tracing::info!("settings of {}", file.display());
    }
    block_on(async {
        if args.role == Role::Api {
            let clock = stored_clock(&config).await?;
            return api::serve(&args.live, &config, clock).await;
        }
        let (addresses, clock) = venue(&config).await?;
        let line = clock_line(&*clock, config.settings.data_venue, &config)?;
        let venue = VenueLine { addresses: &addresses.clone(), clock: line };
        let folder = config.settings.data.clone();
        let mut options = options(&config, (addresses, clock), folder)?;
        options.archives.clone_from(&args.archive);
        options.backlog = BACKLOG;
        live(&args.live, (&config, FirstLogin::Told), options, venue).await
    })
}

/// Refuses what this version cannot do, so that nobody believes it is done.
///
/// # Errors
/// What is asked for, where, and what to do instead.
pub(super) fn refuse(config: &Config) -> Result<()> {
    let settings = &config.settings;
    let postgres = &settings.postgres;
    let wanted = [
        ("postgres.host", postgres.host.is_some()),
        ("postgres.cloud_host", postgres.cloud_host.is_some()),
        ("postgres.cloud_enabled", postgres.cloud_enabled),
    ];
    if let Some((key, _)) = wanted.iter().find(|(_, is_set)| *is_set) {
        bail!(
            "{}: a Postgres store is not built yet, and nothing would be written there; this \
             version keeps everything in the data folder. Leave the key out to run so",
            config.named(key)
        );
    }
    if settings.order_venue == OrderVenue::Binance {
        let what = match settings.trade_env {
            Some(TradeEnv::Production) => format!(
                "{} is production and {} is binance",
                config.named("trade_env"),
                config.named("order_venue")
            ),
            _ => format!("{} is binance", config.named("order_venue")),
        };
        bail!(
            "{what}: there is no live executor yet, and no order would reach the exchange; set \
             order_venue to paper, which trades the same signals on the engine's own venue"
        );
    }
    if let Some(address) = &settings.heartbeat_url
        && !is_safe(address.reveal())
    {
        bail!("{}: is no https:// address", config.named("heartbeat_url"));
    }
    strategy_texts(config).map(|_| ())
}

/// Whether what is sent to an address is encrypted or stays on this machine.
pub(super) fn is_safe(address: &str) -> bool {
    let local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    let is_local = local.iter().any(|start| address.starts_with(start)) && !address.contains('@');
    address.starts_with("https://") || is_local
}

async fn venue(config: &Config) -> Result<(Addresses, Arc<dyn Clock>)> {
    let settings = &config.settings;
    match (settings.data_venue, &settings.venue_json) {
        (DataVenue::Binance, None) => Ok((Addresses::production(), Arc::new(WallClock))),
        (DataVenue::Binance, Some(_)) => usage(format!(
            "{} names a simulated venue; add --data-venue sim",
            config.named("venue_json").replace("venue_json", "--venue-json")
        )),
        (DataVenue::Sim, None) => {
            usage("--data-venue sim needs --venue-json FILE, the line of arb sim --ready-json")
        }
        (DataVenue::Sim, Some(file)) => simulated(file).await,
    }
}

/// The clock of the node whose store is served.
async fn stored_clock(config: &Config) -> Result<Arc<dyn Clock>> {
    match (config.settings.data_venue, &config.settings.venue_json) {
        (DataVenue::Sim, Some(file)) => Ok(simulated(file).await?.1),
        _ => Ok(Arc::new(WallClock)),
    }
}

/// Where a simulated venue is and what time it is there.
///
/// The line of `arb sim` says when on the wall its epoch was. A line without `wall_ms` leaves that
/// open, and the venue is asked for its time.
pub(super) async fn simulated(file: &Path) -> Result<(Addresses, Arc<dyn Clock>)> {
    let (addresses, ClockLine { epoch_ms, wall_ms, speed }) = read_line(file)?;
    let now = match wall_ms {
        Some(wall_ms) => {
            let passed = wall_now_ms().saturating_sub(wall_ms);
            epoch_ms.saturating_add(passed.saturating_mul(i64::from(speed)))
        }
        None => {
            let guess = ScaledClock::new(Timestamp::from_millis(epoch_ms), speed);
            let passed = probe(&addresses, Arc::new(guess)).await?.offset_ms;
            guess.now().as_millis().saturating_add(passed)
        }
    };
    Ok((addresses, Arc::new(ScaledClock::new(Timestamp::from_millis(now), speed))))
}

fn read_line(file: &Path) -> Result<(Addresses, ClockLine)> {
    #[derive(Deserialize)]
    struct Line {
        clock: ClockLine,
    }
    let name = format!("--venue-json {}", file.display());
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("{name}: arb sim --data FOLDER writes FOLDER/venue.json when it is ready")
    })?;
    let addresses = Addresses::from_json(&name, &text)?;
    let Line { clock } = serde_json::from_str(&text).with_context(|| name)?;
    Ok((addresses, clock))
}

fn wall_now_ms() -> i64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}

/// The clock of the venue now, for the line of a node that is ready.
fn clock_line(clock: &dyn Clock, venue: DataVenue, config: &Config) -> Result<ClockLine> {
    let speed = match (venue, &config.settings.venue_json) {
        (DataVenue::Sim, Some(file)) => read_line(file)?.1.speed,
        _ => 1,
    };
    Ok(ClockLine { epoch_ms: clock.now().as_millis(), wall_ms: Some(wall_now_ms()), speed })
}
