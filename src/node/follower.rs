//! The background task: follows the log, fills the store, takes snapshots, removes what is old.
//!
//! Invariant: it reads durable records only and runs them through the same engine code, so what it
//! writes is what was logged, and the log is checked against the code all the time. A chunk is
//! repeated until the store has all of it; the cursor stands in the store and moves with the rows.
//! What the node shows of itself follows the rows, so that a reader never sees a view whose past is
//! not stored.
//! While the store is down the log waits, and no segment is removed that the store or the next
//! start still needs.

use std::sync::Arc;
use std::time::Duration;

use arb_core::port::Store;
use arb_core::{EngineConfig, Event, EventKind, Output, PaperVenue, Registry, StoreError};
use tokio::sync::watch;

use super::driver::News;
use super::error::NodeError;
use super::handle::Handle;
use super::metrics::{Counters, add, set};
use super::projected::Projected;
use super::projection::Chunk;
use super::replica::Replica;
use super::snapshot;
use super::view::Viewer;
use crate::record::log::{LogCursor, LogOptions, Seq, remove_before, segment_ends};

/// Events of one chunk.
const CHUNK: usize = 2_000;
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time between two views in the store, when neither a tick nor an operator asks for one.
const SHOW_EVERY: Duration = Duration::from_secs(3);

/// What a follower works with.
#[derive(Clone)]
pub(super) struct Following {
    pub(super) config: EngineConfig,
    pub(super) registry: Registry,
    pub(super) log: LogOptions,
    pub(super) stream: String,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) keep: Duration,
    pub(super) rates_every: Duration,
    pub(super) durable: watch::Receiver<Seq>,
    pub(super) counters: Arc<Counters>,
    /// Tells how the parts are.
    pub(super) desk: Handle,
    /// Epoch of the stream's lease, while it is held.
    pub(super) leased: watch::Sender<Option<u64>>,
}

/// Follows the log until the driver has ended and everything durable is stored.
pub(super) async fn follow(what: Following) -> Result<(), NodeError> {
    let mut pause = Duration::from_secs(1);
    loop {
        let followed = match Follower::start(what.clone()).await {
            Ok(mut follower) => follower.run().await,
            Err(error) => Err(error.into()),
        };
        what.leased.send_replace(None);
        match followed {
            Ok(()) => return Ok(()),
            Err(Trouble::Node(NodeError::Ended)) => return Ok(()),
            Err(Trouble::Node(error)) => return Err(error),
            Err(Trouble::Store(error)) => {
                // Fenced, or the store was replaced: begin again from where it stands.
                add(&what.counters.store_failures, 1);
                tracing::error!(%error, "the store is written from its own place on again");
                if pause_while_running(&what, pause).await.is_err() {
                    return Ok(());
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Waits, or tells that the driver has ended.
pub(super) async fn pause_while_running(
    what: &Following,
    pause: Duration,
) -> Result<(), NodeError> {
    let mut durable = what.durable.clone();
    let ended = async { while durable.changed().await.is_ok() {} };
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = ended => Err(NodeError::Ended),
    }
}

pub(super) enum Trouble {
    Node(NodeError),
    Store(StoreError),
}

impl From<NodeError> for Trouble {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

struct Follower {
    what: Following,
    state: Option<State>,
    store: Option<Projected>,
}

/// What reads the log, on a thread where it may wait for the disk.
pub(super) struct State {
    pub(super) replica: Replica,
    cursor: LogCursor,
    chunk: Chunk,
    pub(super) viewer: Viewer,
    /// Something was read that hosts should see at once.
    pub(super) news: News,
    /// The last snapshot that exists.
    snapshot: Seq,
    /// Where segments end.
    ends: Vec<Seq>,
}

impl Follower {
    async fn start(what: Following) -> Result<Self, NodeError> {
        let store = match &what.store {
            Some(store) => Some(Projected::start(Arc::clone(store), &what).await?),
            None => None,
        };
        if let Some(store) = &store {
            check_place(&what.stream, store.done, *what.durable.borrow())?;
        }
        let done = store.as_ref().map_or(Seq::MAX, |store| store.done);
        let state = {
            let what = what.clone();
            blocking(move || State::open(&what, done)).await??
        };
        Ok(Self { what, state: Some(state), store })
    }

    async fn run(&mut self) -> Result<(), Trouble> {
        let mut durable = self.what.durable.clone();
        loop {
            let upto = *durable.borrow_and_update();
            self.catch_up(upto).await?;
            // A closed channel still has its last value, which was looked at above.
            let renew = self.store.as_ref().map(Projected::renew_at);
            let show = self.show_at();
            tokio::select! {
                changed = durable.changed() => if changed.is_err() {
                    return self.end().await;
                },
                () = sleep_until(renew) => self.renew().await?,
                () = sleep_until(show) => self.show().await?,
            }
        }
    }

    /// Reads, stores and snapshots up to a record.
    async fn catch_up(&mut self, upto: Seq) -> Result<(), Trouble> {
        loop {
            let Some(mut state) = self.state.take() else { return Err(NodeError::Ended.into()) };
            let (state, read) = blocking(move || {
                let read = state.read(upto);
                (state, read)
            })
            .await?;
            let snapshot_due = state.is_snapshot_due();
            let state = self.state.insert(state);
            read?;
            if state.chunk.is_empty() && !snapshot_due {
                return Ok(());
            }
            if let Some(store) = self.store.as_mut().filter(|_| !state.chunk.is_empty()) {
                store.write(&state.chunk, &self.what).await?;
            }
            set(&self.what.counters.stored_seq, state.replica.seq);
            state.chunk.clear();
            if self.show_at().is_some_and(|at| at <= tokio::time::Instant::now()) {
                self.show().await?;
            }
            if snapshot_due {
                self.fold().await?;
            }
        }
    }

    /// When the state should be shown; none while it is.
    fn show_at(&self) -> Option<tokio::time::Instant> {
        let (state, store) = (self.state.as_ref()?, self.store.as_ref()?);
        match store.shown {
            Some((_, seq)) if seq == state.replica.seq => None,
            Some((at, _)) if state.news == News::None => Some(at + SHOW_EVERY),
            _ => Some(tokio::time::Instant::now()),
        }
    }

    async fn show(&mut self) -> Result<(), Trouble> {
        match (&mut self.state, &mut self.store) {
            (Some(state), Some(store)) => store.show(state, &self.what).await,
            _ => Ok(()),
        }
    }

    /// Writes the state at the beginning of a segment, and removes what nobody needs any more.
    async fn fold(&mut self) -> Result<(), Trouble> {
        let Some(mut state) = self.state.take() else { return Err(NodeError::Ended.into()) };
        let what = self.what.clone();
        let state = blocking(move || {
            state.fold(&what);
            state
        })
        .await?;
        self.state = Some(state);
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), Trouble> {
        match &mut self.store {
            Some(store) => store.renew().await,
            None => Ok(()),
        }
    }

    async fn end(&mut self) -> Result<(), Trouble> {
        let upto = *self.what.durable.borrow();
        self.catch_up(upto).await?;
        if self.show_at().is_some() {
            self.show().await?;
        }
        if let Some(store) = &mut self.store {
            store.release().await;
        }
        Ok(())
    }
}

impl State {
    /// The state to follow from, for a store that has records up to `done`.
    fn open(what: &Following, done: Seq) -> Result<Self, NodeError> {
        let folder = &what.log.folder;
        let found = snapshot::newest(folder, what.config.run, done);
        let snapshot = found.as_ref().map_or(0, |snapshot| snapshot.seq);
        let replica = match found {
            Some(snapshot) => Replica::restore(what.registry.clone(), snapshot)?,
            None => Replica::new(what.registry.clone(), PaperVenue::new(&what.config)),
        };
        let cursor = LogCursor::new(folder, replica.seq);
        // What the store has already is run, because the engine needs it, and not stored again.
        let known = done.min(*what.durable.borrow());
        let chunk = Chunk::new(what.rates_every);
        let (viewer, news, ends) = (Viewer::default(), News::Some, Vec::new());
        let mut own = Self { replica, cursor, chunk, viewer, news, snapshot, ends };
        while what.store.is_some() && own.replica.seq < known {
            let Some((_, event)) = own.replica.next(&mut own.cursor, known)? else { break };
            own.chunk.watch(&event);
            own.watch(&event);
        }
        Ok(own)
    }

    /// Remembers what views need of an event that was run.
    fn watch(&mut self, event: &Event) {
        self.viewer.watch(event);
        let out = &self.replica.cell.out;
        if out.iter().any(|output| matches!(output, Output::Configured { .. })) {
            self.viewer.reconfigured();
        }
        if matches!(
            event.kind,
            EventKind::Tick(_) | EventKind::Command(_) | EventKind::Configure(_)
        ) {
            self.news = News::Some;
        }
    }

    fn read(&mut self, upto: Seq) -> Result<(), NodeError> {
        self.ends = segment_ends(self.cursor.folder())?;
        // A segment ends behind the last record read when the next one was begun meanwhile.
        while self.chunk.len() < CHUNK && !self.is_snapshot_due() {
            let Some((seq, event)) = self.replica.next(&mut self.cursor, upto)? else { break };
            self.watch(&event);
            self.chunk.take(seq, event, &self.replica.cell);
        }
        Ok(())
    }

    /// Whether a segment ends here, and nothing of the venue waits.
    fn is_snapshot_due(&self) -> bool {
        self.replica.seq > self.snapshot
            && !self.replica.cell.has_answers()
            && self.replica.unlogged().is_empty()
            && self.ends.binary_search(&self.replica.seq).is_ok()
    }

    fn fold(&mut self, what: &Following) {
        let folder = &what.log.folder;
        self.snapshot = self.replica.seq;
        let written = snapshot::encode(&self.replica, what.config.run)
            .and_then(|payload| snapshot::write(folder, self.replica.seq, &payload));
        if let Err(error) = written {
            // The log is whole without it; a restart only takes longer.
            tracing::warn!(%error, "no snapshot was taken");
            return;
        }
        let Some(oldest) = snapshot::numbers(folder).first().copied() else { return };
        match remove_before(folder, oldest + 1, what.keep) {
            Ok(removed) if removed.segments > 0 => {
                tracing::info!(removed.segments, removed.bytes, "old segments were removed");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old segments cannot be removed"),
        }
    }
}

/// Makes sure that the store was not filled from another log.
pub(super) fn check_place(stream: &str, stored: Seq, last: Seq) -> Result<(), NodeError> {
    if stored <= last {
        return Ok(());
    }
    Err(NodeError::StoreAhead { stream: stream.to_owned(), stored, last })
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Runs work that waits for the disk or takes long where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NodeError::Task(e.to_string()))
}
