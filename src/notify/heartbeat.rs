//! A sign of life to an outside watch, which alarms when it stays away.
//!
//! Invariant: it is sent while the node decides and only then, so a node that hangs falls silent.

use std::fmt;
use std::time::Duration;

use arb_core::Timestamp;

use crate::node::Handle;

/// Time between two signs of life.
const EVERY: Duration = Duration::from_secs(60);

/// Requests an address once a minute while the node's view moves.
pub struct Heartbeat {
    address: String,
    handle: Handle,
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").finish_non_exhaustive()
    }
}

impl Heartbeat {
    /// Signs of life to an address, which is a secret as a whole.
    #[must_use]
    pub const fn new(address: String, handle: Handle) -> Self {
        Self { address, handle }
    }

    /// Sends them until it is dropped.
    pub async fn run(self) {
        let Ok(http) = super::client() else { return };
        let mut every = tokio::time::interval(EVERY);
        let mut last: Option<(u64, Timestamp)> = None;
        loop {
            every.tick().await;
            let view = arb_core::port::Desk::snapshot(&self.handle);
            let now = (view.seq, view.at);
            if last.replace(now) == Some(now) {
                tracing::warn!("the node's view does not move: no sign of life is sent");
                continue;
            }
            if let Err(error) = http.get(&self.address).send().await {
                let error = error.without_url();
                tracing::warn!(%error, "the sign of life was not delivered");
            }
        }
    }
}
