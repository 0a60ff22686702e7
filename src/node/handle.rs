//! What hosts hold of a node: they see views and notes, and send commands.
//!
//! Invariant: a receipt is given when the command is on the disk, and a handle never holds the node
//! up, however slow the host is.

use std::sync::Arc;

use arb_core::port::{Desk, Notes, Receipt, View};
use arb_core::{Command, StoreError};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use super::driver::{Asked, Stop};
use super::metrics::{Counters, Metrics};
use super::notes::{Alive, NoteRing};

/// A running node, for hosts.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Asked>,
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) notes: Arc<NoteRing>,
    pub(super) alive: watch::Receiver<Alive>,
    pub(super) counters: Arc<Counters>,
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

    /// Asks the node to end; [`Node::stop`](super::Node::stop) also waits for it.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(Stop::Yes);
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

    fn notes(&self, after_seq: u64) -> Notes {
        self.notes.stream(after_seq, self.alive.clone())
    }

    async fn command(&self, command: Command) -> Result<Receipt, StoreError> {
        let (answer, receipt) = oneshot::channel();
        self.commands.send(Asked { command, answer }).await.map_err(|_| ended())?;
        receipt.await.map_err(|_| ended())?
    }
}
