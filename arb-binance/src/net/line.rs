//! A set of streams that goes on over connections: back-off, rolling reconnects, an end.
//!
//! Invariant: while the venue can be reached there is always a connection, and a connection that
//! grows old is replaced before the venue cuts it: the new one delivers before the old one goes, so
//! that no trade falls between them. What both deliver is told by ids, not here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::connection::{self, Plan, Told};
use super::dialer::Dialer;
use super::frames::Frames;

/// Age at which a connection is replaced; the venue ends it at 24 hours.
const LIFE: Duration = Duration::from_secs(23 * 3_600);
/// Longest time without a frame on streams that are always busy.
const SILENCE: Duration = Duration::from_secs(15);
/// How long both connections deliver when one replaces the other.
const OVERLAP: Duration = Duration::from_secs(5);
/// How long a successor may take to deliver before another is tried.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a line is told.
#[derive(Clone, Debug)]
pub struct LineConfig {
    /// For messages and as the seed of its waits, such as `market`.
    pub name: String,
    /// Where to connect, such as `wss://fstream.binance.com/market/stream`.
    pub address: String,
    /// Messages that subscribe.
    pub messages: Vec<String>,
    /// Longest time without a frame.
    pub silence: Duration,
    /// Age at which a connection is replaced; the venue cuts at 24 hours.
    pub life: Duration,
}

impl LineConfig {
    /// Streams of Binance, replaced after 23 hours, silent for 15 s at most.
    #[must_use]
    pub fn streams(name: impl Into<String>, address: String, streams: &[String]) -> Self {
        Self {
            name: name.into(),
            address,
            messages: connection::subscriptions(streams),
            silence: SILENCE,
            life: LIFE,
        }
    }
}

impl LineConfig {
    /// Adds streams by a message of their own.
    pub(super) fn add(&mut self, streams: &[String]) {
        self.messages.push(connection::subscription(self.messages.len() + 1, streams));
    }
}

/// What a line tells.
#[derive(Clone, Debug)]
pub enum LineEvent {
    /// A connection delivers.
    Up {
        /// Its number on this line, from 1.
        connection: u64,
    },
    /// Frames came, in order.
    Frames {
        /// On which connection.
        connection: u64,
        /// Their payloads.
        frames: Frames,
    },
    /// A connection ended. One that never was up is told too, with its reason.
    Down {
        /// Its number.
        connection: u64,
        /// Whether it had delivered.
        was_up: bool,
        /// Why, for people.
        reason: Arc<str>,
        /// How long nothing is tried because the venue asked for it, where it did.
        stay_away: Option<Duration>,
    },
}

/// A running line; dropping it ends its connections.
#[derive(Debug)]
pub struct Line {
    supervisor: JoinHandle<()>,
    renewal: Arc<Notify>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

impl Line {
    /// Starts it on the present tokio runtime; frames wait in `out` when nobody takes them.
    #[must_use]
    pub fn start(config: LineConfig, dialer: Arc<Dialer>, out: mpsc::Sender<LineEvent>) -> Self {
        let renewal = Arc::new(Notify::new());
        let supervisor = Supervisor::new(config, dialer, out);
        Self { supervisor: tokio::spawn(supervisor.run(Arc::clone(&renewal))), renewal }
    }

    /// Replaces the connection by a new one that subscribes anew, as when it grows old: for a
    /// stream that went silent while others go on.
    pub fn renew(&self) {
        self.renewal.notify_one();
    }
}

/// A connection's task. Aborted when dropped, so no connection outlives its line.
struct Connection {
    number: u64,
    task: JoinHandle<()>,
    began: Instant,
    is_up: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Supervisor {
    config: LineConfig,
    dialer: Arc<Dialer>,
    told: Told,
    /// Ups and downs of the connections.
    heard: mpsc::UnboundedReceiver<LineEvent>,
    backoff: Backoff,
    numbers: u64,
}

/// The connections of a line at one moment.
#[derive(Default)]
struct Held {
    current: Option<Connection>,
    successor: Option<Connection>,
    /// When the next connection is begun; none while there is nothing to begin.
    begin_at: Option<Instant>,
    /// When the replaced one goes.
    retire_at: Option<Instant>,
}

impl Supervisor {
    fn new(config: LineConfig, dialer: Arc<Dialer>, owner: mpsc::Sender<LineEvent>) -> Self {
        let (supervisor, heard) = mpsc::unbounded_channel();
        let (first, longest) = (Duration::from_millis(250), Duration::from_secs(30));
        let backoff = Backoff::new(first, longest, &config.name);
        Self { config, dialer, told: Told { owner, supervisor }, heard, backoff, numbers: 0 }
    }

    fn connect(&mut self) -> Connection {
        self.numbers += 1;
        let plan = Plan {
            address: self.config.address.clone(),
            messages: self.config.messages.clone(),
            silence: self.config.silence,
            dialer: Arc::clone(&self.dialer),
        };
        let task = tokio::spawn(connection::run(plan, self.numbers, self.told.clone()));
        Connection { number: self.numbers, task, began: Instant::now(), is_up: false }
    }

    /// Ends when nobody takes the frames any more, and with the line.
    async fn run(mut self, renewal: Arc<Notify>) {
        let mut held = Held { begin_at: Some(Instant::now()), ..Held::default() };
        while !self.told.owner.is_closed() {
            let next = self.next_step(&held);
            tokio::select! {
                biased;
                event = self.heard.recv() => match event {
                    Some(LineEvent::Up { connection }) => self.delivers(connection, &mut held),
                    Some(LineEvent::Down { connection, stay_away, .. }) => {
                        self.lose(connection, stay_away, &mut held);
                    }
                    _ => {}
                },
                () = renewal.notified() => {
                    if held.current.is_some() && held.successor.is_none() {
                        held.begin_at.get_or_insert_with(Instant::now);
                    }
                }
                () = sleep_until(next) => self.step(&mut held).await,
            }
        }
    }

    fn is_old(&self, connection: &Connection) -> bool {
        connection.began.elapsed() >= self.config.life
    }

    /// When something is to be done although nothing is heard.
    fn next_step(&self, held: &Held) -> Instant {
        let current = held.current.as_ref();
        let settled = held.successor.is_none() && held.begin_at.is_none();
        let old = current.filter(|_| settled).map(|now| now.began + self.config.life);
        let late = held.successor.as_ref().filter(|next| !next.is_up);
        let late = late.map(|next| next.began + PATIENCE);
        let far = Instant::now() + Duration::from_secs(3_600);
        [held.begin_at, held.retire_at, old, late].into_iter().flatten().min().unwrap_or(far)
    }

    /// Does what has its time.
    async fn step(&mut self, held: &mut Held) {
        let now = Instant::now();
        if held.retire_at.is_some_and(|at| now >= at) {
            held.retire_at = None;
            let old = std::mem::replace(&mut held.current, held.successor.take());
            if let Some(old) = old {
                old.task.abort();
                let reason = "replaced before the venue ends it".into();
                let (connection, was_up) = (old.number, old.is_up);
                let down = LineEvent::Down { connection, was_up, reason, stay_away: None };
                let _ = self.told.owner.send(down).await;
            }
        }
        if held.successor.as_ref().is_some_and(|s| !s.is_up && now >= s.began + PATIENCE) {
            held.successor = None;
            held.begin_at = Some(now + self.backoff.next());
        }
        let grows_old = held.successor.is_none()
            && held.begin_at.is_none()
            && held.current.as_ref().is_some_and(|current| self.is_old(current));
        if grows_old || held.begin_at.is_some_and(|at| now >= at) {
            held.begin_at = None;
            let place = match held.current {
                None => &mut held.current,
                Some(_) => &mut held.successor,
            };
            *place = Some(self.connect());
        }
    }

    fn delivers(&mut self, connection: u64, held: &mut Held) {
        self.backoff.reset();
        if let Some(current) = held.current.as_mut().filter(|c| c.number == connection) {
            current.is_up = true;
        }
        if let Some(successor) = held.successor.as_mut().filter(|c| c.number == connection) {
            successor.is_up = true;
            held.retire_at = Some(Instant::now() + OVERLAP);
        }
    }

    /// A connection ended by itself: its successor takes its place, or one is tried for.
    fn lose(&mut self, connection: u64, stay_away: Option<Duration>, held: &mut Held) {
        let is_it = |each: &Option<Connection>| {
            each.as_ref().is_some_and(|connected| connected.number == connection)
        };
        if is_it(&held.current) {
            held.current = held.successor.take();
        } else if is_it(&held.successor) {
            held.successor = None;
        } else {
            return;
        }
        held.retire_at = None;
        if held.current.as_ref().is_none_or(|current| self.is_old(current)) {
            let wait = self.backoff.next().max(stay_away.unwrap_or_default());
            held.begin_at = Some(Instant::now() + wait);
        }
    }
}

#[cfg(test)]
mod tests;
