//! What nodes show of themselves.
//!
//! Invariant: one row a stream, which only moves forward.

use arb_core::StoreError;
use arb_core::port::{Cursor, DeskStore, Shown};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::cells::{Cells, int, json_of};
use super::error::failed;
use super::{SqliteStore, lease};

const TABLE: &str = "desk_views";

struct Row {
    stream: String,
    cursor: Cursor,
    time_ms: i64,
    view: String,
    decisions: String,
    parts: String,
}

async fn show(conn: &mut SqliteConnection, row: &Row) -> Result<(), StoreError> {
    let before = cursor_of(conn, &row.stream).await?;
    lease::fence(conn, (&row.stream, row.cursor.epoch), before).await?;
    if before.is_some_and(|before| row.cursor <= before) {
        return Ok(());
    }
    sqlx::query(
        "INSERT OR REPLACE INTO desk_views (stream, epoch, seq, time_ms, view, decisions, parts)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.stream)
    .bind(int(TABLE, row.cursor.epoch)?)
    .bind(int(TABLE, row.cursor.seq)?)
    .bind(row.time_ms)
    .bind(&row.view)
    .bind(&row.decisions)
    .bind(&row.parts)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn cursor_of(
    conn: &mut SqliteConnection,
    stream: &str,
) -> Result<Option<Cursor>, StoreError> {
    let row = sqlx::query("SELECT epoch, seq FROM desk_views WHERE stream = ?")
        .bind(stream)
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    let cursor = |row| cursor(&Cells::new(TABLE, row));
    row.as_ref().map(cursor).transpose()
}

fn cursor(cells: &Cells<'_>) -> Result<Cursor, StoreError> {
    Ok(Cursor { epoch: cells.number("epoch")?, seq: cells.number("seq")? })
}

async fn shown(
    conn: &mut SqliteConnection,
    stream: &str,
    newer_than: Cursor,
) -> Result<Option<Shown>, StoreError> {
    let row = sqlx::query(
        "SELECT epoch, seq, view, decisions, parts FROM desk_views
         WHERE stream = ? AND (epoch, seq) > (?, ?)",
    )
    .bind(stream)
    .bind(int(TABLE, newer_than.epoch)?)
    .bind(int(TABLE, newer_than.seq)?)
    .fetch_optional(conn)
    .await
    .map_err(failed)?;
    let shown = |row| {
        let cells = Cells::new(TABLE, row);
        Ok(Shown {
            cursor: cursor(&cells)?,
            view: cells.json("view")?,
            decisions: cells.json("decisions")?,
            parts: cells.json("parts")?,
        })
    };
    row.as_ref().map(shown).transpose()
}

#[async_trait]
impl DeskStore for SqliteStore {
    async fn show(&self, stream: &str, shown: &Shown) -> Result<(), StoreError> {
        let row = Row {
            stream: stream.to_owned(),
            cursor: shown.cursor,
            time_ms: shown.view.at.as_millis(),
            view: json_of(&shown.view)?,
            decisions: json_of(&shown.decisions)?,
            parts: json_of(&shown.parts)?,
        };
        self.write(row, |conn, row| Box::pin(show(conn, row))).await
    }

    async fn shown(&self, stream: &str, newer_than: Cursor) -> Result<Option<Shown>, StoreError> {
        shown(&mut *self.read().await?, stream, newer_than).await
    }
}
