//! Leases, by the clock of the machine that holds the file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arb_core::port::{Cursor, Lease, LeaseStore};
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::cells::{Cells, int};
use super::error::failed;

const TABLE: &str = "leases";

/// The store's clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Wish {
    name: String,
    holder: String,
    ttl: Duration,
}

pub(super) async fn find(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Lease>, StoreError> {
    let row = sqlx::query("SELECT epoch, holder, until_ms FROM leases WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    let lease = |row| {
        let cells = Cells::new(TABLE, row);
        let (epoch, holder) = (cells.number("epoch")?, cells.get("holder")?);
        Ok(Lease { holder, epoch, until: cells.ms("until_ms")? })
    };
    row.as_ref().map(lease).transpose()
}

/// Refuses an epoch that is over: a newer one holds the lease of the stream or has written.
pub(super) async fn fence(
    conn: &mut SqliteConnection,
    (stream, epoch): (&str, u64),
    written: Option<Cursor>,
) -> Result<(), StoreError> {
    let lease = find(conn, stream).await?.map_or(0, |lease| lease.epoch);
    let current = lease.max(written.map_or(0, |written| written.epoch));
    if epoch < current {
        return Err(StoreError::Fenced { stream: stream.to_owned(), epoch, current });
    }
    Ok(())
}

async fn hold(conn: &mut SqliteConnection, wish: &Wish) -> Result<Option<Lease>, StoreError> {
    let now = now_ms();
    let epoch = match find(conn, &wish.name).await? {
        None => 1,
        Some(lease) if lease.until <= Timestamp::from_millis(now) => lease.epoch + 1,
        Some(lease) if lease.holder == wish.holder => lease.epoch,
        Some(_) => return Ok(None),
    };
    let ttl = i64::try_from(wish.ttl.as_millis()).unwrap_or(i64::MAX);
    let until = now.saturating_add(ttl);
    sqlx::query(
        "INSERT OR REPLACE INTO leases (name, holder, epoch, until_ms) VALUES (?, ?, ?, ?)",
    )
    .bind(&wish.name)
    .bind(&wish.holder)
    .bind(int(TABLE, epoch)?)
    .bind(until)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(Some(Lease { holder: wish.holder.clone(), epoch, until: Timestamp::from_millis(until) }))
}

async fn release(
    conn: &mut SqliteConnection,
    name: &str,
    lease: &Lease,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE leases SET until_ms = min(until_ms, ?) WHERE name = ? AND holder = ? AND epoch = ?",
    )
    .bind(now_ms())
    .bind(name)
    .bind(&lease.holder)
    .bind(int(TABLE, lease.epoch)?)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(done.rows_affected() == 1)
}

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn hold(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let wish = Wish { name: name.to_owned(), holder: holder.to_owned(), ttl };
        self.write(wish, |conn, wish| Box::pin(hold(conn, wish))).await
    }

    async fn release(&self, name: &str, lease: &Lease) -> Result<bool, StoreError> {
        let input = (name.to_owned(), lease.clone());
        self.write(input, |conn, (name, lease)| Box::pin(release(conn, name, lease))).await
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        find(&mut *self.read().await?, name).await
    }
}
