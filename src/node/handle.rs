//! What hosts hold of a node: they see views and notes, and send commands.
//!
//! Invariant: a receipt is given when the command is on the disk, and a handle never holds the node
//! up, however slow the host is.

use std::sync::Arc;

use arb_core::port::{
    Clock, Component, ComponentState, DecisionRow, Desk, Measure, Notes, Receipt, TradingSettings,
    View,
};
use arb_core::time::SECOND;
use arb_core::{Command, ConfigError, InstrumentId, Signal, StoreError, Timestamp};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use super::asked::Asked;
use super::driver::Stop;
use super::metrics::{Counters, Metrics};
use super::notes::{Alive, NoteRing};
use super::view::WholeAt;

/// Silence of all feeds from which they count as degraded, seconds.
const SILENT_SECS: i64 = 10;
/// Records behind the log from which the store counts as degraded.
const STORE_LAG: u64 = 200_000;

/// A running node, for hosts.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Asked>,
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) signals: watch::Receiver<Arc<[Signal]>>,
    pub(super) whole_at: watch::Receiver<WholeAt>,
    pub(super) notes: Arc<NoteRing>,
    pub(super) alive: watch::Receiver<Alive>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) has_store: bool,
    pub(super) stop: Arc<watch::Sender<Stop>>,
}

impl Handle {
    /// The counters at this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.counters.read()
    }

    /// Tells each new view.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// When the windows that entries need will be whole, if no trade is missed until then; only of
    /// instruments whose trades are followed.
    #[must_use]
    pub fn whole_at(&self) -> Arc<[(InstrumentId, Timestamp)]> {
        Arc::clone(&self.whole_at.borrow())
    }

    /// Asks the node to end; [`Node::stop`](super::Node::stop) also waits for it.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(Stop::Yes);
    }

    fn feed(&self, metrics: &Metrics) -> Component {
        let last = metrics.last_batch_at;
        let silent = last.map(|at| self.clock.now().since(at) / SECOND);
        let (state, detail) = match silent {
            _ if *self.alive.borrow() == Alive::No => (ComponentState::Degraded, "ended".into()),
            None => (ComponentState::Degraded, "nothing has come yet".into()),
            Some(secs) if secs > SILENT_SECS => {
                (ComponentState::Degraded, format!("nothing has come for {secs} s"))
            }
            Some(_) => (ComponentState::Ok, format!("{} events", metrics.events)),
        };
        Component { name: "feed".to_owned(), state, detail }
    }

    fn store(&self, metrics: &Metrics) -> Component {
        let lag = metrics.store_lag;
        let (state, detail) = match () {
            () if !self.has_store => (ComponentState::Off, "no store is attached".to_owned()),
            () if metrics.store_failing => {
                (ComponentState::Degraded, format!("its last write failed, {lag} records wait"))
            }
            () if lag > STORE_LAG => (ComponentState::Degraded, format!("{lag} records behind")),
            () => (ComponentState::Ok, format!("{lag} records behind")),
        };
        Component { name: "store".to_owned(), state, detail }
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("the node has ended".into())
}

#[async_trait]
impl Desk for Handle {
    fn snapshot(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    fn decisions(&self) -> Vec<DecisionRow> {
        let signals = Arc::clone(&self.signals.borrow());
        signals.iter().map(DecisionRow::from).collect()
    }

    fn notes(&self, after_seq: u64) -> Notes {
        self.notes.stream(after_seq, self.alive.clone())
    }

    fn health(&self) -> Vec<Component> {
        let metrics = self.counters.read();
        let own = |name: &str, state, detail: &str| Component {
            name: name.to_owned(),
            state,
            detail: detail.to_owned(),
        };
        vec![
            self.feed(&metrics),
            self.store(&metrics),
            own("executor", ComponentState::Ok, "the paper venue, inside the node"),
            own("guard", ComponentState::Off, "limits are watched by the engine itself"),
        ]
    }

    fn measures(&self) -> Vec<Measure> {
        let mut measures = self.counters.read().measures();
        measures.extend(self.counters.gauges());
        measures
    }

    async fn command(&self, command: Command) -> Result<Receipt, StoreError> {
        let (answer, receipt) = oneshot::channel();
        let asked = Asked::Command(command, answer);
        self.commands.send(asked).await.map_err(|_| ended())?;
        receipt.await.map_err(|_| ended())?
    }

    async fn configure(&self, settings: TradingSettings) -> Result<Receipt, ConfigError> {
        let ended = || ConfigError::new("settings", None, "node", "the node has ended");
        let (answer, receipt) = oneshot::channel();
        let asked = Asked::Settings(Box::new(settings), answer);
        self.commands.send(asked).await.map_err(|_| ended())?;
        receipt.await.map_err(|_| ended())?
    }
}
