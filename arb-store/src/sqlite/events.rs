//! Live events: the engine's outputs in the order of the log, from both ends.

use arb_core::StoreError;
use arb_core::port::{Cursor, NoteRow};
use sqlx::SqliteConnection;

use super::book_read::each;
use super::cells::{Cells, int};
use super::error::failed;

fn note_of(c: Cells<'_>) -> Result<NoteRow, StoreError> {
    Ok(NoteRow {
        cursor: Cursor { epoch: c.number("epoch")?, seq: c.number("seq")? },
        ordinal: c.get("ordinal")?,
        at: c.ms("time_ms")?,
        kind: c.get("kind")?,
        body: c.get("body")?,
    })
}

pub(super) async fn live_events(
    conn: &mut SqliteConnection,
    stream: &str,
    after: Cursor,
    limit: usize,
) -> Result<Vec<NoteRow>, StoreError> {
    const TABLE: &str = "live_events";
    let rows = sqlx::query(
        "SELECT * FROM live_events WHERE stream = ? AND (epoch, seq) > (?, ?)
         ORDER BY epoch, seq, ordinal LIMIT ?",
    )
    .bind(stream)
    .bind(int(TABLE, after.epoch)?)
    .bind(int(TABLE, after.seq)?)
    .bind(int(TABLE, limit as u64)?)
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let mut notes = each(&rows, TABLE, note_of)?;
    let Some(last) = notes.last().filter(|_| notes.len() == limit) else { return Ok(notes) };
    // The limit may have cut the last record in two; its other outputs belong to this page.
    let rest = sqlx::query(
        "SELECT * FROM live_events WHERE stream = ? AND epoch = ? AND seq = ? AND ordinal > ?
         ORDER BY ordinal",
    )
    .bind(stream)
    .bind(int(TABLE, last.cursor.epoch)?)
    .bind(int(TABLE, last.cursor.seq)?)
    .bind(last.ordinal)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    notes.extend(each(&rest, TABLE, note_of)?);
    Ok(notes)
}

pub(super) async fn newest_events(
    conn: &mut SqliteConnection,
    stream: &str,
    before: Option<(Cursor, u32)>,
    limit: usize,
) -> Result<Vec<NoteRow>, StoreError> {
    const TABLE: &str = "live_events";
    let (epoch, seq, ordinal) = match before {
        None => (i64::MAX, i64::MAX, i64::MAX),
        Some((cursor, ordinal)) => {
            (int(TABLE, cursor.epoch)?, int(TABLE, cursor.seq)?, i64::from(ordinal))
        }
    };
    let rows = sqlx::query(
        "SELECT * FROM live_events WHERE stream = ? AND (epoch, seq, ordinal) < (?, ?, ?)
         ORDER BY epoch DESC, seq DESC, ordinal DESC LIMIT ?",
    )
    .bind(stream)
    .bind(epoch)
    .bind(seq)
    .bind(ordinal)
    .bind(int(TABLE, limit as u64)?)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    each(&rows, TABLE, note_of)
}
