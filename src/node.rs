//! The live node: feeds in, a log on the disk, the engine between them, orders out.
//!
//! One task owns the engine and its paper venue. Feeds fill a bounded queue; the driver stamps,
//! logs, decides and acts; a background task follows the log through the same engine code, fills
//! the store and takes snapshots. Hosts hold a [`Handle`], which is a
//! [`Desk`](arb_core::port::Desk).
//!
//! Invariant: the log alone determines the state. A node that was killed at any moment starts with
//! the newest snapshot and what the log has behind it, and stands where it stood after its last
//! durable record; what had been under way follows from there.
//!
//! The library reads no signals and starts no runtime: a host does, and calls [`Node::stop`].

mod asked;
mod backup;
mod cell;
mod clock;
mod driver;
mod error;
mod feeds;
mod follower;
mod grid;
mod handle;
mod journal;
mod metrics;
mod notes;
mod projected;
mod projection;
mod rates;
mod replica;
mod requests;
mod settings;
mod snapshot;
mod start;
mod tell;
mod view;
mod warm;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Clock, Notifier, Store};
use arb_core::{EngineConfig, Registry};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::backup::HeldState;
pub use self::clock::{ScaledClock, WallClock};
use self::driver::Stop;
pub use self::error::NodeError;
pub use self::feeds::{Feed, OpenFeed, Resume};
pub use self::handle::Handle;
pub use self::metrics::{Buckets, Gauges, LATENCY_BOUNDS_US, Metrics};
use self::notes::Alive;
use crate::record::log::{LogOptions, Seq, Torn};

/// Name of a node's stream in its store, unless told otherwise.
pub const STREAM: &str = "node";

/// How long the background tasks may take to catch up when the node stops.
const LAST_RESPECTS: Duration = Duration::from_secs(3);

/// What a node is made of.
pub struct NodeOptions {
    /// The configuration; a changed one takes effect at the first tick.
    pub config: EngineConfig,
    /// The strategy kinds.
    pub registry: Registry,
    /// Where the log is.
    pub log: LogOptions,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where events come from.
    pub feeds: Vec<Feed>,
    /// What is filled from the log, if anything is.
    pub store: Option<Arc<dyn Store>>,
    /// Who is told, if anybody is.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Name of the stream and its lease in the store.
    pub stream: String,
    /// How much stored history runs through an engine that begins anew.
    pub warm_up: Duration,
    /// How long segments are kept that nobody needs for a restart.
    pub keep: Duration,
    /// Batches that may wait for the engine.
    pub queue: usize,
    /// Longest time between an event and its place on the disk, where nobody waits for it.
    pub flush_every: Duration,
    /// Most bytes that may wait for the disk.
    pub max_waiting: usize,
    /// Time between two rate snapshots in the store.
    pub rates_every: Duration,
    /// Figures of parts outside the node that its handle tells too.
    pub gauges: Vec<Gauges>,
}

impl NodeOptions {
    /// A node with the wall clock, a day and a quarter of an hour of warm-up, a week of log, and
    /// neither feeds nor store yet.
    #[must_use]
    pub fn new(config: EngineConfig, registry: Registry, log: LogOptions) -> Self {
        Self {
            config,
            registry,
            log,
            clock: Arc::new(WallClock),
            feeds: Vec::new(),
            store: None,
            notifier: None,
            stream: STREAM.to_owned(),
            warm_up: Duration::from_mins(24 * 60 + 15),
            keep: Duration::from_hours(7 * 24),
            queue: 1_024,
            flush_every: Duration::from_millis(50),
            max_waiting: 64 * 1024 * 1024,
            rates_every: Duration::from_mins(1),
            gauges: Vec::new(),
        }
    }
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, feeds, stream, keep, .. } = self;
        f.debug_struct("NodeOptions")
            .field("log", log)
            .field("feeds", feeds)
            .field("stream", stream)
            .field("keep", keep)
            .finish_non_exhaustive()
    }
}

/// How a node found its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// The snapshot it began with; 0 is none.
    pub snapshot: Seq,
    /// Records of the log.
    pub records: Seq,
    /// What was cut off the log's end, if anything was.
    pub torn: Option<Torn>,
    /// Events of warm-up.
    pub warmed: u64,
    /// The event before which it stands, halted, because it made the engine panic.
    pub poisoned: Option<Seq>,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Records of the log, all of them on the disk.
    pub records: Seq,
    /// Records that the store does not have; the next start brings them.
    pub store_lag: u64,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    started: Started,
    driver: JoinHandle<Result<(), NodeError>>,
    feeds: JoinSet<()>,
    tasks: JoinSet<()>,
    alive: watch::Sender<Alive>,
}

impl Node {
    /// Opens the log, runs it again from the newest snapshot, warms up where there is none, and
    /// starts everything.
    ///
    /// # Errors
    /// [`NodeError`] when the configuration is refused or the log cannot be used.
    pub async fn start(options: NodeOptions) -> Result<Self, NodeError> {
        start::start(options).await
    }

    /// What hosts hold.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// How the node found its log.
    #[must_use]
    pub const fn started(&self) -> &Started {
        &self.started
    }

    /// Waits until all feeds have ended by themselves, as recorded ones do.
    pub async fn feeds_ended(&mut self) {
        while self.feeds.join_next().await.is_some() {}
    }

    /// Waits until the node ends by itself, which is a failure.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn wait(&mut self) -> Result<(), NodeError> {
        ended(&mut self.driver).await
    }

    /// Takes in what has come, writes everything, and ends.
    ///
    /// # Errors
    /// Why it had ended before, or what could not be written.
    pub async fn stop(mut self) -> Result<Stopped, NodeError> {
        self.feeds.abort_all();
        self.handle.ask_to_stop();
        let driven = ended(&mut self.driver).await;
        self.alive.send_replace(Alive::No);
        let tasks = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_RESPECTS, tasks).await.is_err() {
            tracing::warn!("the store has not everything yet; the next start brings the rest");
            self.tasks.abort_all();
        }
        driven?;
        let metrics = self.handle.metrics();
        Ok(Stopped { records: metrics.seq, store_lag: metrics.store_lag })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.stop.send_replace(Stop::Yes);
        self.alive.send_replace(Alive::No);
    }
}

async fn ended(driver: &mut JoinHandle<Result<(), NodeError>>) -> Result<(), NodeError> {
    if driver.is_finished() {
        // A handle that was waited for has nothing more to say.
        return match tokio::time::timeout(Duration::ZERO, driver).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(died)) => Err(NodeError::Task(died.to_string())),
            Err(_) => Err(NodeError::Ended),
        };
    }
    driver.await.map_err(|e| NodeError::Task(e.to_string()))?
}
