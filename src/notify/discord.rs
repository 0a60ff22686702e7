//! Messages to a Discord channel by webhook.
//!
//! Invariant: the webhook's address is a secret. It is in no log, error or debug text, and it is
//! only ever sent to Discord itself or to loopback.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arb_core::port::Notifier;
use arb_core::{Output, Timestamp, VenueError};
use async_trait::async_trait;
use reqwest::StatusCode;
use tokio::time::Instant;

use super::message::Teller;

/// A wait that Discord does not name.
const USUAL_WAIT: Duration = Duration::from_secs(5);
const HOSTS: [&str; 3] = [
    "https://discord.com/api/webhooks/",
    "https://discordapp.com/api/webhooks/",
    "http://127.0.0.1:",
];

/// The webhook cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It is of another host, or of none.
    #[error(
        "the Discord webhook is no address of Discord; copy it from the channel's settings, \
         Integrations: https://discord.com/api/webhooks/…"
    )]
    Address,
    /// No client can be built on this machine.
    #[error("the client for Discord could not be made: {0}")]
    Client(String),
}

/// Tells a Discord channel.
pub struct Discord {
    http: reqwest::Client,
    webhook: String,
    teller: Mutex<Teller>,
    /// When the next message may be sent.
    open_at: Mutex<Instant>,
}

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discord").field("webhook", &"…").finish_non_exhaustive()
    }
}

impl Discord {
    /// Messages to a webhook.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn new(webhook: &str) -> Result<Self, WebhookError> {
        if !HOSTS.iter().any(|host| webhook.starts_with(host)) {
            return Err(WebhookError::Address);
        }
        let client = |error: reqwest::Error| WebhookError::Client(error.without_url().to_string());
        let http = super::client().map_err(client)?;
        Ok(Self {
            http,
            webhook: webhook.to_owned(),
            teller: Mutex::new(Teller::new(Vec::new())),
            open_at: Mutex::new(Instant::now()),
        })
    }

    /// Names instruments by these, in the order of their ids.
    #[must_use]
    pub fn naming(self, symbols: Vec<String>) -> Self {
        Self { teller: Mutex::new(Teller::new(symbols)), ..self }
    }

    async fn send(&self, text: &str) -> Result<(), VenueError> {
        let wait = self.open_at().saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            return Err(VenueError::RateLimited { retry_after: wait });
        }
        // Names in strategies must not call people.
        let body = serde_json::json!({ "content": text, "allowed_mentions": { "parse": [] } });
        let lost = |error: reqwest::Error| VenueError::Disconnected(Box::new(error.without_url()));
        let request = self.http.post(&self.webhook).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.map_err(lost)?;
        let seconds = |name: &str| -> Option<Duration> {
            let text = answer.headers().get(name)?.to_str().ok()?;
            Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
        };
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = seconds("retry-after").unwrap_or(USUAL_WAIT);
            self.close_for(retry_after);
            return Err(VenueError::RateLimited { retry_after });
        }
        let remaining = answer.headers().get("x-ratelimit-remaining");
        if remaining.is_some_and(|left| left == "0") {
            self.close_for(seconds("x-ratelimit-reset-after").unwrap_or(USUAL_WAIT));
        }
        if status.is_success() {
            return Ok(());
        }
        let reason = "Discord refused the message; check that the webhook still exists".to_owned();
        Err(VenueError::Rejected { code: status.as_u16().into(), reason })
    }

    fn open_at(&self) -> Instant {
        *self.open_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_for(&self, wait: Duration) {
        *self.open_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + wait;
    }

    fn teller(&self) -> std::sync::MutexGuard<'_, Teller> {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for Discord {
    async fn notify(&self, output: &Output) -> Result<(), VenueError> {
        let text = self.teller().text(output);
        if let Some(text) = text {
            self.send(&text).await?;
        }
        self.teller().told(output);
        Ok(())
    }

    async fn elapsed(&self, now: Timestamp) -> Result<(), VenueError> {
        let due = self.teller().due(now);
        let Some((day, text)) = due else { return Ok(()) };
        self.send(&text).await?;
        self.teller().summed_up(day);
        Ok(())
    }

    fn memory(&self) -> Option<String> {
        self.teller().memory()
    }

    fn recall(&self, memory: &str) {
        self.teller().recall(memory);
    }
}
