//! Telling people: messages of what a node decided and did.
//!
//! Invariant: never an alarm path. A message may be late or lost with its channel; what must not be
//! missed is a risk rule, and an outside watch over the heartbeat.

mod discord;
mod heartbeat;
mod message;

use std::time::Duration;

pub use self::discord::{Discord, WebhookError};
pub use self::heartbeat::Heartbeat;

const TIME_OUT: Duration = Duration::from_secs(10);

/// Requests that follow nobody elsewhere.
fn client() -> reqwest::Result<reqwest::Client> {
    // Whoever embeds this may have chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(TIME_OUT).redirect(reqwest::redirect::Policy::none()).build()
}
