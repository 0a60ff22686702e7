//! The store behind the follower: lease and place of the stream, rows, and what the node shows.
//!
//! Invariant: everything is written under the lease, in the order of the log, and what is shown
//! comes after the rows that lead to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arb_core::StoreError;
use arb_core::port::{
    Catalog, Cursor, DecisionRow, Desk as _, LogEntry, LogSource, Mode, Shown, Store,
};
use tokio::sync::watch;

use super::driver::News;
use super::error::NodeError;
use super::follower::{Following, LONGEST_PAUSE, State, Trouble, pause_while_running};
use super::metrics::add;
use super::projection::Chunk;
use crate::record::log::Seq;

/// How long the lease of the stream holds without being renewed.
const LEASE: Duration = Duration::from_secs(30);

/// The store's side.
pub(super) struct Projected {
    store: Arc<dyn Store>,
    catalog: Catalog,
    source: LogSource,
    renewed: tokio::time::Instant,
    /// The last record the store has.
    pub(super) done: Seq,
    /// When the node was shown last, and up to which record.
    pub(super) shown: Option<(tokio::time::Instant, Seq)>,
    leased: watch::Sender<Option<u64>>,
}

impl Projected {
    /// Takes the lease, registers the instruments and finds the place; waits for the store.
    pub(super) async fn start(store: Arc<dyn Store>, what: &Following) -> Result<Self, NodeError> {
        let source = LogSource {
            stream: what.stream.clone(),
            epoch: 0,
            run: what.config.run,
            mode: Mode::Paper,
        };
        let renewed = tokio::time::Instant::now();
        let (catalog, leased) = (Catalog::default(), what.leased.clone());
        let mut own = Self { store, catalog, source, renewed, done: 0, shown: None, leased };
        let specs: Vec<_> = what.config.instruments.iter().map(|i| i.spec.clone()).collect();
        let mut pause = Duration::from_millis(200);
        loop {
            match own.attach(&specs).await {
                Ok(true) => return Ok(own),
                Ok(false) => tracing::warn!("another process writes the stream; waiting for it"),
                Err(error) => {
                    add(&what.counters.store_failures, 1);
                    tracing::warn!(%error, "the store is not ready; the log waits");
                }
            }
            pause_while_running(what, pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attach(&mut self, specs: &[arb_core::Instrument]) -> Result<bool, StoreError> {
        let Some(lease) = self.hold().await? else { return Ok(false) };
        self.source.epoch = lease;
        self.catalog = self.store.register(specs).await?;
        let cursor = self.store.cursor(&self.source.stream).await?;
        self.done = cursor.map_or(0, |cursor| cursor.seq);
        Ok(true)
    }

    /// Takes or renews the lease and tells its epoch.
    async fn hold(&mut self) -> Result<Option<u64>, StoreError> {
        let holder = format!("run {}", self.source.run.as_str());
        self.renewed = tokio::time::Instant::now();
        let lease = self.store.hold(&self.source.stream, &holder, LEASE).await?;
        let epoch = lease.map(|lease| lease.epoch);
        self.leased.send_replace(epoch);
        Ok(epoch)
    }

    pub(super) fn renew_at(&self) -> tokio::time::Instant {
        self.renewed + LEASE / 3
    }

    pub(super) async fn renew(&mut self) -> Result<(), Trouble> {
        match self.hold().await {
            Ok(Some(epoch)) => {
                self.source.epoch = epoch;
                Ok(())
            }
            Ok(None) => Err(Trouble::Store(StoreError::Unavailable(
                "another process holds the lease of the stream".into(),
            ))),
            // Writing will find out soon enough whether the store is there.
            Err(error) => {
                tracing::warn!(%error, "the lease was not renewed");
                Ok(())
            }
        }
    }

    pub(super) async fn release(&mut self) {
        self.leased.send_replace(None);
        if let Ok(Some(lease)) = self.store.lease(&self.source.stream).await {
            let _ = self.store.release(&self.source.stream, &lease).await;
        }
    }

    /// Stores a chunk, however long it takes.
    pub(super) async fn write(&mut self, chunk: &Chunk, what: &Following) -> Result<(), Trouble> {
        let mut pause = Duration::from_millis(100);
        loop {
            if self.renew_at() <= tokio::time::Instant::now() {
                self.renew().await?;
            }
            match self.try_write(chunk, what).await {
                Ok(()) => {
                    what.counters.store_failing.store(false, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error @ (StoreError::Fenced { .. } | StoreError::Schema { .. })) => {
                    return Err(Trouble::Store(error));
                }
                Err(error) => {
                    add(&what.counters.store_failures, 1);
                    what.counters.store_failing.store(true, Ordering::Relaxed);
                    tracing::warn!(%error, "the store did not take a chunk; the log waits");
                }
            }
            // When the node is ending, the next one goes on from the store's cursor.
            pause_while_running(what, pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_write(&mut self, chunk: &Chunk, what: &Following) -> Result<(), StoreError> {
        if let Some(specs) = chunk.new_instruments(&self.catalog) {
            self.catalog = self.store.register(&specs).await?;
        }
        chunk.store_market(&*self.store, &self.catalog, &what.counters).await?;
        let entries: Vec<LogEntry<'_>> = chunk.entries().collect();
        self.store.append_log(&self.source, &self.catalog, &entries).await
    }

    /// Shows the state that was stored last. A store that does not take it gets the next one: the
    /// rows are what must not be lost.
    pub(super) async fn show(
        &mut self,
        state: &mut State,
        what: &Following,
    ) -> Result<(), Trouble> {
        let (replica, viewer) = (&state.replica, &mut state.viewer);
        state.news = News::None;
        self.shown = Some((tokio::time::Instant::now(), replica.seq));
        if replica.cell.engine.config().is_none() {
            return Ok(());
        }
        viewer.renew();
        let shown = Shown {
            cursor: Cursor { epoch: self.source.epoch, seq: replica.seq },
            view: viewer.view(&replica.cell, replica.seq, replica.at),
            decisions: viewer.signals().iter().map(DecisionRow::from).collect(),
            parts: what.desk.health(),
        };
        match self.store.show(&self.source.stream, &shown).await {
            Ok(()) => Ok(()),
            Err(error @ StoreError::Fenced { .. }) => Err(Trouble::Store(error)),
            Err(error) => {
                add(&what.counters.store_failures, 1);
                tracing::warn!(%error, "the node could not be shown in the store");
                Ok(())
            }
        }
    }
}
