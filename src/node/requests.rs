//! Requests of processes without an engine: taken from the store, handed to the driver, answered.
//!
//! Invariant: requests are taken under the lease of the stream alone, and carried out within the
//! time they were given. What a former life of the node took and did not answer is told to be lost
//! and is not done again. The store's troubles hold nothing up but requests.

use std::sync::Arc;
use std::time::Duration;

use arb_core::StoreError;
use arb_core::port::{Answer, Desk as _, Request, Store, TakenRequest};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follower::Following;
use super::handle::Handle;
use super::notes::Alive;

/// Time between two looks into the store.
const EVERY: Duration = Duration::from_millis(250);
/// The same while the store fails, in the end.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Requests taken at once.
const MANY: usize = 16;

/// What takes requests.
#[derive(Clone)]
struct Taker {
    store: Arc<dyn Store>,
    stream: String,
    desk: Handle,
    leased: watch::Receiver<Option<u64>>,
}

/// Serves requests until the node ends; a node without a store has none.
pub(super) fn serve(what: &Following) -> impl Future<Output = ()> + Send + use<> {
    let taker = what.store.clone().map(|store| Taker {
        store,
        stream: what.stream.clone(),
        desk: what.desk.clone(),
        leased: what.leased.subscribe(),
    });
    async move {
        let Some(taker) = taker else { return };
        // A task of its own, so that its panic is an error here.
        let mut task = JoinSet::new();
        loop {
            task.spawn(taker.clone().run());
            match task.join_next().await {
                Some(Err(died)) if died.is_panic() => {
                    tracing::error!(%died, "requests through the store are taken again");
                    tokio::time::sleep(LONGEST_PAUSE).await;
                }
                _ => return,
            }
        }
    }
}

impl Taker {
    async fn run(mut self) {
        let mut alive = self.desk.alive.clone();
        tokio::select! {
            () = self.turns() => {}
            _ = alive.wait_for(|alive| *alive == Alive::No) => {}
        }
    }

    async fn turns(&mut self) {
        // The epoch under which this task has nothing of a former life left.
        let mut begun = None;
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let Ok(leased) = self.leased.wait_for(Option::is_some).await.map(|epoch| *epoch) else {
                return;
            };
            let Some(epoch) = leased else { continue };
            match self.turn(epoch, &mut begun).await {
                Ok(()) => pause = EVERY,
                Err(error) => {
                    tracing::warn!(%error, "requests cannot be taken from the store");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn turn(&self, epoch: u64, begun: &mut Option<u64>) -> Result<(), StoreError> {
        if *begun != Some(epoch) {
            let lost = self.store.lose(&self.stream, epoch).await?;
            if lost > 0 {
                tracing::warn!(lost, "requests were taken before the restart and are not repeated");
            }
            *begun = Some(epoch);
        }
        let asked = Instant::now();
        for taken in self.store.take(&self.stream, epoch, MANY).await? {
            let answer = self.carry_out(&taken, asked).await;
            self.tell(&taken.id, epoch, &answer).await?;
        }
        Ok(())
    }

    /// Hands a request to the driver, unless its time has passed since it was taken: the process
    /// may have stood still.
    async fn carry_out(&self, taken: &TakenRequest, asked: Instant) -> Answer {
        if asked.elapsed() > taken.left {
            return Answer::Expired;
        }
        tracing::info!(id = taken.id, request = ?taken.request, "a request came through the store");
        match &taken.request {
            Request::Command(command) => match self.desk.command(command.clone()).await {
                Ok(receipt) => Answer::Done(receipt),
                Err(error) => Answer::Failed(error.to_string()),
            },
            Request::Settings(settings) => match self.desk.configure(settings.clone()).await {
                Ok(receipt) => Answer::Done(receipt),
                Err(refused) => Answer::Refused(refused),
            },
        }
    }

    /// Answers, however long the store is away: who asks should not have to wonder.
    async fn tell(&self, id: &str, epoch: u64, answer: &Answer) -> Result<(), StoreError> {
        let mut pause = EVERY;
        loop {
            match self.store.answer(id, epoch, answer).await {
                Ok(_) => return Ok(()),
                Err(error @ (StoreError::Fenced { .. } | StoreError::Schema { .. })) => {
                    return Err(error);
                }
                Err(error) => tracing::warn!(%error, id, "a request cannot be answered yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
