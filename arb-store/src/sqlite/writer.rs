//! The one task that writes.
//!
//! Jobs that wait are written in one transaction, each behind its own savepoint, and are answered
//! only after the commit; when the transaction fails as a whole, each job is tried alone and gets
//! its own error. So a job that fails takes nobody with it, and what was answered is in the file.

use std::future::Future;
use std::pin::Pin;

use arb_core::StoreError;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::error::failed;

/// Jobs of one transaction: another process gets its turn in between.
const GROUP: usize = 16;
/// Jobs that may wait; who comes later waits before the queue.
const QUEUE: usize = 64;

/// What a job does inside the transaction.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A job without captured state: its input is repeated when the job is.
pub(super) type Step<I, T> = for<'a> fn(&'a mut SqliteConnection, &'a I) -> Work<'a, T>;

trait Job: Send {
    fn run<'a>(&'a mut self, conn: &'a mut SqliteConnection) -> Work<'a, ()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<I, T> {
    input: I,
    step: Step<I, T>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<I: Send + Sync, T: Send> Job for Task<I, T> {
    fn run<'a>(&'a mut self, conn: &'a mut SqliteConnection) -> Work<'a, ()> {
        Box::pin(async move {
            self.value = Some((self.step)(conn, &self.input).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        // Who asked may have gone; the job is done all the same.
        let _ = reply.send(outcome.and_then(|()| value.ok_or_else(ended)));
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// Hands jobs to the task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    /// Starts the task; it ends, and closes its connection, when the last writer is gone.
    pub(super) fn start(conn: SqliteConnection) -> (Self, tokio::task::JoinHandle<()>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        (Self { jobs }, tokio::spawn(write(conn, queue)))
    }

    /// Runs a job and waits until it is committed.
    pub(super) async fn run<I, T>(&self, input: I, step: Step<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { input, step, value: None, reply };
        self.jobs.send(Box::new(task)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

async fn write(mut conn: SqliteConnection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        if let Ok(outcomes) = together(&mut conn, &mut group).await {
            for (job, outcome) in group.drain(..).zip(outcomes) {
                job.answer(outcome);
            }
            continue;
        }
        for mut job in group.drain(..) {
            let outcome = alone(&mut conn, job.as_mut()).await;
            job.answer(outcome);
        }
    }
    // Nobody is left to hear of an error; everything answered is committed.
    let _ = conn.close().await;
}

async fn sql(conn: &mut SqliteConnection, text: &'static str) -> Result<(), StoreError> {
    sqlx::query(text).execute(conn).await.map(|_| ()).map_err(failed)
}

type Outcomes = Vec<Result<(), StoreError>>;

/// One transaction for all; an error means that nothing of it is in the file.
async fn together(
    conn: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
) -> Result<Outcomes, StoreError> {
    sql(conn, "BEGIN IMMEDIATE").await?;
    let outcomes = match each(conn, group).await {
        Ok(outcomes) => sql(conn, "COMMIT").await.map(|()| outcomes),
        Err(error) => Err(error),
    };
    if outcomes.is_err() {
        // SQLite may have rolled back by itself; then there is nothing left to roll back.
        let _ = sql(conn, "ROLLBACK").await;
    }
    outcomes
}

async fn each(
    conn: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
) -> Result<Outcomes, StoreError> {
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        sql(conn, "SAVEPOINT job").await?;
        let outcome = job.run(conn).await;
        if outcome.is_err() {
            sql(conn, "ROLLBACK TO job").await?;
        }
        sql(conn, "RELEASE job").await?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

async fn alone(conn: &mut SqliteConnection, job: &mut dyn Job) -> Result<(), StoreError> {
    sql(conn, "BEGIN IMMEDIATE").await?;
    let outcome = match job.run(conn).await {
        Ok(()) => sql(conn, "COMMIT").await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        let _ = sql(conn, "ROLLBACK").await;
    }
    outcome
}
