//! The one task that looks, and the place where clients wait.
//!
//! Invariant: the task runs while there are clients, and a while after the last one left, so that
//! it can resume; then it sleeps and the ring is emptied. What clients wait on is a number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::gather::Gather;
use super::message::Draft;
use super::ring::{Behind, Bounds, Ring, Start};
use super::wanted::Wanted;
use crate::app::App;
use crate::error::ApiError;

/// How often the task looks.
const TURN: Duration = Duration::from_millis(250);
/// How long it goes on without clients.
const LINGER: Duration = Duration::from_secs(60);
/// How long a first client waits for the first look.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// A few minutes of everything at usual rates.
const BOUNDS: Bounds = Bounds { messages: 8_192, bytes: 16 * 1024 * 1024 };
/// Messages that a client takes out of the ring at once.
const AT_ONCE: usize = 32;

/// Where streams come from.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// The number of the newest message.
    newest: watch::Sender<u64>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    clients: usize,
    task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Nobody looks.
    Asleep,
    /// It has been woken and has not told anything yet.
    Waking,
    /// It looks.
    Awake,
}

/// A client's place; it is free again when this is dropped.
pub(super) struct Seat {
    app: App,
    _place: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.app.hub.state();
        state.clients = state.clients.saturating_sub(1);
    }
}

impl Hub {
    /// A hub for so many clients, whose messages carry the name of this process.
    pub(crate) fn new(boot: &str, clients: usize) -> Self {
        Self::with_bounds(boot, clients, BOUNDS)
    }

    pub(super) fn with_bounds(boot: &str, clients: usize, bounds: Bounds) -> Self {
        let ring = Ring::new(boot.to_owned(), bounds);
        let state = State { ring, clients: 0, task: Task::Asleep };
        let places = Arc::new(Semaphore::new(clients.min(Semaphore::MAX_PERMITS)));
        Self { state: Mutex::new(state), newest: watch::Sender::new(0), places }
    }

    /// A place for a client, and somebody who looks.
    ///
    /// # Errors
    /// [`ApiError::Busy`] when every place is taken.
    pub(super) async fn seat(app: &App) -> Result<Seat, ApiError> {
        let places = Arc::clone(&app.hub.places);
        let place = places.try_acquire_owned().map_err(|_| ApiError::Busy)?;
        let mut newest = app.hub.newest.subscribe();
        let asleep = {
            let mut state = app.hub.state();
            state.clients += 1;
            let asleep = state.task == Task::Asleep;
            if asleep {
                state.task = Task::Waking;
            }
            asleep
        };
        let seat = Seat { app: app.clone(), _place: place };
        if asleep {
            tokio::spawn(look(app.clone()));
        }
        let awake = newest.wait_for(|_| app.hub.state().task != Task::Waking);
        // A store that does not answer keeps nobody from what comes without it.
        let _ = tokio::time::timeout(FIRST_LOOK, awake).await;
        Ok(seat)
    }

    /// Where a client begins; see [`Ring::start`].
    pub(super) fn start(&self, last: Option<&str>, wanted: &Wanted) -> Start {
        self.state().ring.start(last, wanted)
    }

    /// What stands behind a cursor; see [`Ring::behind`].
    pub(super) fn behind(&self, cursor: &mut u64, wanted: &Wanted) -> Behind {
        self.state().ring.behind(cursor, wanted, AT_ONCE)
    }

    /// The number of the newest message.
    pub(super) fn newest(&self) -> u64 {
        self.state().ring.newest()
    }

    /// Changes whenever there are new messages.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Tells messages to everybody.
    pub(super) fn publish(&self, drafts: Vec<Draft>) {
        let newest = {
            let mut state = self.state();
            if drafts.is_empty() && state.task == Task::Awake {
                return;
            }
            state.task = Task::Awake;
            drafts.into_iter().for_each(|draft| state.ring.push(draft));
            state.ring.newest()
        };
        self.newest.send_replace(newest);
    }

    /// Goes to sleep if there is still nobody; true when it does.
    fn rests(&self) -> bool {
        let mut state = self.state();
        let rests = state.clients == 0;
        if rests {
            state.task = Task::Asleep;
            state.ring.sleep();
        }
        rests
    }

    fn has_clients(&self) -> bool {
        self.state().clients > 0
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.state().task == Task::Asleep
    }

    /// A panic elsewhere cannot leave it half-written: every change is a push or an assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until nobody has listened for a while.
async fn look(app: App) {
    let mut gather = Gather::new();
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listened_at = Instant::now();
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            () = app.stopped() => return,
        }
        let drafts = gather.turn(&app).await;
        app.hub.publish(drafts);
        if app.hub.has_clients() {
            listened_at = Instant::now();
        } else if listened_at.elapsed() >= LINGER && app.hub.rests() {
            return;
        }
    }
}
