//! One client's way through the messages.
//!
//! Invariant: messages come in order, each once, and all that are wanted; or the client is told why
//! it ends. Who is banned, or whose token expired, hears nothing a minute later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::hub::{Hub, Seat};
use super::message::Message;
use super::ring::Behind;
use super::wanted::Wanted;
use crate::app::App;
use crate::error::ApiError;
use crate::metrics::{OpenStream, StreamKind};

/// How often it is asked whether the client may still listen.
const RECHECK: Duration = Duration::from_secs(30);
/// How old a message may become before its client counts as too slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// How old the next message is at least where a connection was not written to any more.
const STALLED: Duration = Duration::from_secs(15);

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client was too slow.
    Slow,
    /// The token expired or was revoked, or the role was lowered.
    NotAllowed,
    /// The host stops.
    Stopping,
}

impl End {
    /// In words, for the client.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Slow => "too slow: messages were not read in time; connect again to go on",
            Self::NotAllowed => "the token is no longer valid for this stream; log in again",
            Self::Stopping => "the server stops",
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// At least one message.
    Messages(Vec<Arc<Message>>),
    /// Nothing more.
    End(End),
}

/// Who listens to what.
#[derive(Debug)]
pub(super) struct Listener {
    /// The access token or API key, asked about again and again.
    pub(super) token: String,
    pub(super) wanted: Wanted,
    /// The id of the last message it heard.
    pub(super) last: Option<String>,
}

/// A client that listens.
pub(super) struct Client {
    app: App,
    listener: Listener,
    first: Vec<Arc<Message>>,
    cursor: u64,
    /// Up to this number it catches up, however old the messages are.
    behind_until: u64,
    changes: watch::Receiver<u64>,
    recheck: Interval,
    /// It must be asked whether the client may go on, before it hears more.
    is_in_doubt: bool,
    /// It was counted as too slow.
    is_dropped: bool,
    _seat: Seat,
    _counted: OpenStream,
}

impl Client {
    /// Takes a place and begins.
    ///
    /// # Errors
    /// [`ApiError::Busy`] when every place is taken.
    pub(super) async fn begin(
        app: &App,
        kind: StreamKind,
        listener: Listener,
    ) -> Result<Self, ApiError> {
        let seat = Hub::seat(app).await?;
        let changes = app.hub.changes();
        let start = app.hub.start(listener.last.as_deref(), &listener.wanted);
        let mut recheck = tokio::time::interval_at(Instant::now() + RECHECK, RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            listener,
            first: start.first,
            cursor: start.cursor,
            behind_until: app.hub.newest(),
            changes,
            recheck,
            is_in_doubt: false,
            is_dropped: false,
            _seat: seat,
            _counted: app.streams.open(kind),
            app: app.clone(),
        })
    }

    /// What it wants, for writing messages.
    pub(super) const fn wanted(&self) -> &Wanted {
        &self.listener.wanted
    }

    /// Counts it as too slow.
    pub(super) fn too_slow(&mut self) -> End {
        if !std::mem::replace(&mut self.is_dropped, true) {
            self.app.streams.dropped();
        }
        End::Slow
    }

    /// Waits for the next messages. May be dropped and called again: nothing is lost between.
    pub(super) async fn next(&mut self) -> Step {
        if !self.first.is_empty() {
            return Step::Messages(std::mem::take(&mut self.first));
        }
        loop {
            if self.is_in_doubt {
                if !self.is_allowed().await {
                    return Step::End(End::NotAllowed);
                }
                self.is_in_doubt = false;
            }
            // Marked as seen before looking, so that what comes meanwhile wakes it again.
            self.changes.borrow_and_update();
            match self.app.hub.behind(&mut self.cursor, &self.listener.wanted) {
                Behind::Lost => return Step::End(self.too_slow()),
                Behind::Next(next) if next.iter().any(|message| self.is_late(message)) => {
                    return Step::End(self.too_slow());
                }
                Behind::Next(next) if !next.is_empty() => return Step::Messages(next),
                Behind::Next(_) => {}
            }
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    return Step::End(End::Stopping);
                },
                _ = self.recheck.tick() => self.is_in_doubt = true,
                () = self.app.stopped() => return Step::End(End::Stopping),
            }
        }
    }

    fn is_late(&self, message: &Message) -> bool {
        message.number > self.behind_until && message.made_at.elapsed() > PATIENCE
    }

    async fn is_allowed(&self) -> bool {
        match self.app.authenticate(&self.listener.token).await {
            Ok(who) => self.listener.wanted.allowed(&who).is_ok(),
            Err(ApiError::Unauthorised | ApiError::Forbidden(_)) => false,
            // Nobody can be asked at this moment; the next time decides.
            Err(_) => true,
        }
    }
}

impl Drop for Client {
    /// A connection that takes nothing more is cut off without a word: its client was too slow too.
    fn drop(&mut self) {
        let mut cursor = self.cursor;
        let is_stalled = match self.app.hub.behind(&mut cursor, &self.listener.wanted) {
            Behind::Lost => true,
            Behind::Next(next) => next.first().is_some_and(|message| {
                message.number > self.behind_until && message.made_at.elapsed() >= STALLED
            }),
        };
        if is_stalled {
            self.too_slow();
        }
    }
}
