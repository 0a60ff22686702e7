//! Requests to nodes.
//!
//! Invariant: a request leaves `waiting` once, inside a transaction that looks at its time: it is
//! taken, withdrawn, or over.

use std::time::Duration;

use arb_core::port::{Answer, CommandStore, NewRequest, RequestState, StoredRequest, TakenRequest};
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::cells::{Cells, int, json_of};
use super::error::failed;
use super::lease::{self, now_ms};

const TABLE: &str = "desk_requests";

struct Asking {
    new: NewRequest,
    request: String,
}

async fn ask(conn: &mut SqliteConnection, asking: &Asking) -> Result<(), StoreError> {
    let Asking { new, request } = asking;
    if let Some(old) = find(conn, &new.id).await? {
        let same = (&old.stream, &old.asked_by, &old.request)
            == (&new.stream, &new.asked_by, &new.request);
        return if same { Ok(()) } else { Err(another(&new.id)) };
    }
    let now = now_ms();
    let valid_ms = i64::try_from(new.valid_for.as_millis()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO desk_requests (id, stream, asked_by, request, asked_at_ms, expires_at_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&new.id)
    .bind(&new.stream)
    .bind(&new.asked_by)
    .bind(request)
    .bind(now)
    .bind(now.saturating_add(valid_ms))
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

fn another(id: &str) -> StoreError {
    let what = "is another request; every request needs an id of its own".to_owned();
    StoreError::Conflict { table: TABLE, key: id.to_owned(), what }
}

/// Who takes from a stream.
struct Taker {
    stream: String,
    epoch: u64,
    limit: usize,
}

async fn take(conn: &mut SqliteConnection, taker: &Taker) -> Result<Vec<TakenRequest>, StoreError> {
    check_lease(conn, taker).await?;
    let now = now_ms();
    sqlx::query(
        "UPDATE desk_requests SET answer = ?, answered_at_ms = ?2
         WHERE stream = ?3 AND answer IS NULL AND taken_epoch IS NULL AND expires_at_ms <= ?2",
    )
    .bind(json_of(&Answer::Expired)?)
    .bind(now)
    .bind(&taker.stream)
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let rows = sqlx::query(
        "UPDATE desk_requests SET taken_epoch = ? WHERE n IN (
             SELECT n FROM desk_requests
             WHERE stream = ? AND answer IS NULL AND taken_epoch IS NULL ORDER BY n LIMIT ?
         ) RETURNING n, id, request, expires_at_ms",
    )
    .bind(int(TABLE, taker.epoch)?)
    .bind(&taker.stream)
    .bind(int(TABLE, taker.limit as u64)?)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        let cells = Cells::new(TABLE, row);
        let left = cells.ms("expires_at_ms")?.as_millis().saturating_sub(now);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let (id, request) = (cells.get("id")?, cells.json("request")?);
        taken.push((cells.number("n")?, TakenRequest { id, request, left }));
    }
    // What an update returns has no order of its own.
    taken.sort_by_key(|(n, _)| *n);
    Ok(taken.into_iter().map(|(_, taken)| taken).collect())
}

async fn check_lease(conn: &mut SqliteConnection, taker: &Taker) -> Result<(), StoreError> {
    let current = lease::find(conn, &taker.stream).await?.map_or(0, |lease| lease.epoch);
    if taker.epoch == current {
        return Ok(());
    }
    let (stream, epoch) = (taker.stream.clone(), taker.epoch);
    Err(StoreError::Fenced { stream, epoch, current })
}

async fn lose(conn: &mut SqliteConnection, taker: &Taker) -> Result<u64, StoreError> {
    check_lease(conn, taker).await?;
    let lost = sqlx::query(
        "UPDATE desk_requests SET answer = ?, answered_at_ms = ?
         WHERE stream = ? AND answer IS NULL AND taken_epoch IS NOT NULL",
    )
    .bind(json_of(&Answer::Lost)?)
    .bind(now_ms())
    .bind(&taker.stream)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(lost.rows_affected())
}

async fn answer(
    conn: &mut SqliteConnection,
    (id, epoch, answer): &(String, u64, String),
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE desk_requests SET answer = ?, answered_at_ms = ?
         WHERE id = ? AND taken_epoch = ? AND answer IS NULL",
    )
    .bind(answer)
    .bind(now_ms())
    .bind(id)
    .bind(int(TABLE, *epoch)?)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(done.rows_affected() == 1)
}

async fn withdraw(
    conn: &mut SqliteConnection,
    id: &str,
) -> Result<Option<RequestState>, StoreError> {
    let now = now_ms();
    sqlx::query(
        "UPDATE desk_requests SET answer = iif(expires_at_ms <= ?1, ?2, ?3), answered_at_ms = ?1
         WHERE id = ?4 AND taken_epoch IS NULL AND answer IS NULL",
    )
    .bind(now)
    .bind(json_of(&Answer::Expired)?)
    .bind(json_of(&Answer::Withdrawn)?)
    .bind(id)
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    Ok(find(conn, id).await?.map(|stored| stored.state))
}

async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<StoredRequest>, StoreError> {
    let row = sqlx::query("SELECT * FROM desk_requests WHERE id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    row.as_ref().map(|row| stored(&Cells::new(TABLE, row))).transpose()
}

fn stored(cells: &Cells<'_>) -> Result<StoredRequest, StoreError> {
    let expires_at = cells.ms("expires_at_ms")?;
    let answer: Option<String> = cells.get("answer")?;
    let taken: Option<i64> = cells.get("taken_epoch")?;
    let state = match (answer, taken) {
        (Some(_), _) => RequestState::Answered(cells.json("answer")?),
        (None, Some(_)) => RequestState::Taken { epoch: cells.number("taken_epoch")? },
        (None, None) if expires_at <= Timestamp::from_millis(now_ms()) => {
            RequestState::Answered(Answer::Expired)
        }
        (None, None) => RequestState::Waiting,
    };
    Ok(StoredRequest {
        id: cells.get("id")?,
        stream: cells.get("stream")?,
        asked_by: cells.get("asked_by")?,
        request: cells.json("request")?,
        asked_at: cells.ms("asked_at_ms")?,
        expires_at,
        state,
    })
}

/// Whether a request of the stream has no answer: looked at before the write lock is taken.
async fn has_open(conn: &mut SqliteConnection, stream: &str) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT n FROM desk_requests WHERE stream = ? AND answer IS NULL LIMIT 1",
    )
    .bind(stream)
    .fetch_optional(conn)
    .await
    .map_err(failed)?;
    Ok(found.is_some())
}

#[async_trait]
impl CommandStore for SqliteStore {
    async fn ask(&self, request: &NewRequest) -> Result<(), StoreError> {
        let asking = Asking { request: json_of(&request.request)?, new: request.clone() };
        self.write(asking, |conn, asking| Box::pin(ask(conn, asking))).await
    }

    async fn take(
        &self,
        stream: &str,
        epoch: u64,
        limit: usize,
    ) -> Result<Vec<TakenRequest>, StoreError> {
        let taker = Taker { stream: stream.to_owned(), epoch, limit };
        {
            let mut reader = self.read().await?;
            check_lease(&mut reader, &taker).await?;
            if !has_open(&mut reader, stream).await? {
                return Ok(Vec::new());
            }
        }
        self.write(taker, |conn, taker| Box::pin(take(conn, taker))).await
    }

    async fn lose(&self, stream: &str, epoch: u64) -> Result<u64, StoreError> {
        let taker = Taker { stream: stream.to_owned(), epoch, limit: 0 };
        self.write(taker, |conn, taker| Box::pin(lose(conn, taker))).await
    }

    async fn answer(&self, id: &str, epoch: u64, told: &Answer) -> Result<bool, StoreError> {
        let input = (id.to_owned(), epoch, json_of(told)?);
        self.write(input, |conn, input| Box::pin(answer(conn, input))).await
    }

    async fn withdraw(&self, id: &str) -> Result<Option<RequestState>, StoreError> {
        self.write(id.to_owned(), |conn, id| Box::pin(withdraw(conn, id))).await
    }

    async fn request(&self, id: &str) -> Result<Option<StoredRequest>, StoreError> {
        find(&mut *self.read().await?, id).await
    }
}
