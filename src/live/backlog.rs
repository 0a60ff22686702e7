//! History that fills the store while the node runs, for the next engine that begins anew.
//!
//! Invariant: it takes only what half of the budget leaves, and never stops the node: what fails is
//! logged and tried again later. The running engine never sees it.

use std::sync::Arc;
use std::time::Duration;

use arb_binance::net::{FuturesRest, Watched};
use arb_core::port::{Catalog, Clock};
use arb_store::sqlite::SqliteStore;
use tokio::task::JoinSet;

use super::history::{History, HistoryProgress};

/// Pause after a failure.
const PAUSE: Duration = Duration::from_mins(10);
/// Trades of a symbol between two lines of the log.
const TOLD_EVERY: u64 = 250_000;

/// The task that fills the store; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Filling {
    _task: JoinSet<()>,
}

/// What is filled, from where.
#[derive(Debug)]
pub(super) struct Backlog {
    venue: FuturesRest,
    store: Arc<SqliteStore>,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    watched: Vec<Watched>,
    length: Duration,
}

impl Backlog {
    /// What will be filled, from where; nothing yet.
    pub(super) fn new(
        venue: &FuturesRest,
        store: &Arc<SqliteStore>,
        catalog: &Catalog,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            venue: venue.for_history(),
            store: Arc::clone(store),
            catalog: catalog.clone(),
            clock,
            watched: Vec::new(),
            length: Duration::ZERO,
        }
    }

    /// The instruments, of which those with order flow count, and how far back.
    pub(super) fn of(self, watched: &[Watched], length: Duration) -> Self {
        Self { watched: watched.to_vec(), length, ..self }
    }

    /// Begins.
    pub(super) fn start(self) -> Filling {
        let mut task = JoinSet::new();
        if !self.length.is_zero() {
            task.spawn(self.fill());
        }
        Filling { _task: task }
    }

    async fn fill(self) {
        let Self { venue, store, catalog, clock, watched, length } = self;
        loop {
            let clock: &dyn Clock = &*clock;
            let past = History { venue: &venue, store: &store, catalog: &catalog, clock };
            match past.fill(&watched, length, &tell).await {
                Ok(()) => {
                    tracing::info!("backlog: the store has the history that a new engine takes");
                    return;
                }
                Err(error) => tracing::warn!(%error, "backlog: tried again in ten minutes"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn tell(progress: &HistoryProgress) {
    let HistoryProgress { symbol, trades, left, .. } = progress;
    if *left > 0 && trades % TOLD_EVERY < 1_000 {
        tracing::info!(symbol, "backlog: {trades} trades behind, {left} to come");
    }
}
