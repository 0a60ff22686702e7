//! Sealed trades: the table of chunks.
//!
//! Invariant: the chunks of an instrument are disjoint ranges of ids, each holds 1 to
//! [`CHUNK`] trades, and its columns say what its data says. Trades that fall inside or right
//! behind chunks that are not full are merged into them, by writing those chunks anew.

use arb_core::port::Listed;
use arb_core::{InstrumentId, StoreError, Trade};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::cells::{Cells, int, invalid};
use super::chunk::{CHUNK, Decoder, Encoder};
use super::error::failed;
use super::tape::{conflict, id_of};

const TABLE: &str = "agg_trade_chunks";

/// Whether retention may remove a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Recorded here.
    Recorded,
    /// Brought by somebody, who also removes it.
    Imported,
}

/// A chunk as stored.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    pub(super) count: u64,
    times: (i64, i64),
    imported: bool,
    checksum: i64,
    data: Vec<u8>,
}

impl Stored {
    pub(super) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let cells = Cells::new(TABLE, row);
        Ok(Self {
            id: cells.get("id")?,
            first_id: cells.get("first_id")?,
            last_id: cells.get("last_id")?,
            count: cells.number("count")?,
            times: (cells.get("first_time_ns")?, cells.get("last_time_ns")?),
            imported: cells.flag("imported")?,
            checksum: cells.get("checksum")?,
            data: cells.get("data")?,
        })
    }

    /// Appends its trades, after comparing checksum and columns with them.
    pub(super) fn unpack(
        &self,
        decoder: &mut Decoder,
        instrument: InstrumentId,
        out: &mut Vec<Trade>,
    ) -> Result<(), StoreError> {
        let damage = |what: &str| StoreError::Corrupt {
            table: TABLE,
            key: format!("row {}, trades {} to {}", self.id, self.first_id, self.last_id),
            what: what.to_owned(),
        };
        if i64::from(crc32fast::hash(&self.data)) != self.checksum {
            return Err(damage("its checksum does not fit its data"));
        }
        let before = out.len();
        decoder.decode(&self.data, instrument, out).map_err(damage)?;
        let added = out.get(before..).unwrap_or_default();
        let (Some(first), Some(last)) = (added.first(), added.last()) else {
            return Err(damage("it is empty"));
        };
        let told = (self.first_id, self.last_id, self.count, self.times);
        let times = (first.ts.as_nanos(), last.ts.as_nanos());
        if told != (id_of(first)?, id_of(last)?, added.len() as u64, times) {
            return Err(damage("its columns do not fit its data"));
        }
        Ok(())
    }
}

/// A decoder, or the error of the machine that cannot make one.
pub(super) fn decoder() -> Result<Decoder, StoreError> {
    Decoder::new().map_err(|error| StoreError::Backend(Box::new(error)))
}

/// Appends up to `limit` sealed trades with ids in `[from, to]`, ascending.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    of: Listed,
    (from, to): (i64, i64),
    limit: usize,
) -> Result<Vec<Trade>, StoreError> {
    // Chunks are disjoint, so only the last one that begins at or before `from` can reach over it.
    const START: &str = "SELECT coalesce(max(first_id), 0) FROM agg_trade_chunks
        WHERE instrument_id = ? AND first_id <= ?";
    const PAGE: &str = "SELECT * FROM agg_trade_chunks
        WHERE instrument_id = ? AND first_id BETWEEN ? AND ? ORDER BY first_id LIMIT ?";
    const AT_ONCE: usize = 64;
    let key = i64::from(of.key.0);
    let start = sqlx::query_scalar(START).bind(key).bind(from);
    let mut start: i64 = start.fetch_one(&mut *conn).await.map_err(failed)?;
    let (mut decoder, mut trades) = (decoder()?, Vec::new());
    loop {
        let missing = limit.saturating_sub(trades.len());
        let chunks = (missing / CHUNK + 2).min(AT_ONCE);
        let page = sqlx::query(PAGE).bind(key).bind(start).bind(to);
        let page = page.bind(int(TABLE, chunks as u64)?);
        let rows = page.fetch_all(&mut *conn).await.map_err(failed)?;
        for row in &rows {
            let (chunk, before) = (Stored::read(row)?, trades.len());
            chunk.unpack(&mut decoder, of.id, &mut trades)?;
            keep(&mut trades, before, (from, to));
            if trades.len() >= limit {
                trades.truncate(limit);
                return Ok(trades);
            }
            start = chunk.first_id + 1;
        }
        if rows.len() < chunks {
            return Ok(trades);
        }
    }
}

/// The last `limit` sealed trades with an id above `above`, and perhaps some more, ascending.
pub(super) async fn latest(
    conn: &mut SqliteConnection,
    of: Listed,
    (above, limit): (i64, usize),
) -> Result<Vec<Trade>, StoreError> {
    const BEFORE: &str = "SELECT * FROM agg_trade_chunks
        WHERE instrument_id = ? AND first_id < ? AND last_id > ? ORDER BY first_id DESC LIMIT 1";
    let (mut decoder, mut before) = (decoder()?, i64::MAX);
    let mut chunks = Vec::new();
    let mut count = 0;
    while count < limit {
        let row = sqlx::query(BEFORE).bind(i64::from(of.key.0)).bind(before).bind(above);
        let Some(row) = row.fetch_optional(&mut *conn).await.map_err(failed)? else { break };
        let (chunk, mut trades) = (Stored::read(&row)?, Vec::new());
        chunk.unpack(&mut decoder, of.id, &mut trades)?;
        count += trades.len();
        before = chunk.first_id;
        chunks.push(trades);
    }
    Ok(chunks.into_iter().rev().flatten().collect())
}

/// Drops trades outside `[from, to]` from the ascending ones that begin at `start`.
fn keep(trades: &mut Vec<Trade>, start: usize, (from, to): (i64, i64)) {
    let (from, to) = (from.unsigned_abs(), to.unsigned_abs());
    let added = trades.get(start..).unwrap_or_default();
    let below = added.partition_point(|t| t.id < from);
    let inside = added.partition_point(|t| t.id <= to);
    trades.truncate(start + inside);
    trades.drain(start..start + below.min(inside));
}

/// Stores ascending trades as chunks, merged with the chunks they touch; tells how many are new.
///
/// # Errors
/// [`StoreError::Conflict`] when an id is sealed with another content.
pub(super) async fn store(
    conn: &mut SqliteConnection,
    of: Listed,
    trades: &[Trade],
    origin: Origin,
) -> Result<u64, StoreError> {
    let (Some(first), Some(last)) = (trades.first(), trades.last()) else { return Ok(0) };
    let touched = touched(conn, of, (id_of(first)?, id_of(last)?)).await?;
    let imported = origin == Origin::Imported || touched.iter().any(|chunk| chunk.imported);
    let mut encoder = Encoder::new().map_err(|error| StoreError::Backend(Box::new(error)))?;
    if touched.is_empty() {
        write(conn, &mut encoder, (of, imported), trades).await?;
        return Ok(trades.len() as u64);
    }
    let (mut decoder, mut old) = (decoder()?, Vec::new());
    for chunk in &touched {
        chunk.unpack(&mut decoder, of.id, &mut old)?;
        sqlx::query("DELETE FROM agg_trade_chunks WHERE id = ?")
            .bind(chunk.id)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
    }
    let merged = merge(&old, trades)?;
    write(conn, &mut encoder, (of, imported), &merged).await?;
    Ok((merged.len() - old.len()) as u64)
}

/// The chunks that overlap `[first, last]`, and the one before if there is room in it.
async fn touched(
    conn: &mut SqliteConnection,
    of: Listed,
    (first, last): (i64, i64),
) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM agg_trade_chunks
         WHERE instrument_id = ?1 AND first_id <= ?3 AND first_id >= coalesce(
             (SELECT max(first_id) FROM agg_trade_chunks
              WHERE instrument_id = ?1 AND first_id <= ?2), 0)
         ORDER BY first_id",
    )
    .bind(i64::from(of.key.0))
    .bind(first)
    .bind(last)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let mut chunks: Vec<Stored> = rows.iter().map(Stored::read).collect::<Result<_, _>>()?;
    let outside = |chunk: &Stored| chunk.last_id < first && chunk.count >= CHUNK as u64;
    if chunks.first().is_some_and(outside) {
        chunks.remove(0);
    }
    Ok(chunks)
}

/// Two ascending runs as one; equal trades become one.
pub(super) fn merge(old: &[Trade], new: &[Trade]) -> Result<Vec<Trade>, StoreError> {
    let mut merged = Vec::with_capacity(old.len() + new.len());
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let next = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if a.id == b.id => {
                if a != b {
                    return Err(conflict(a, b));
                }
                new.next();
                old.next()
            }
            (Some(a), Some(b)) if b.id < a.id => new.next(),
            (Some(_), _) => old.next(),
            (None, _) => new.next(),
        };
        match next {
            Some(trade) => merged.push(*trade),
            None => return Ok(merged),
        }
    }
}

async fn write(
    conn: &mut SqliteConnection,
    encoder: &mut Encoder,
    (of, imported): (Listed, bool),
    trades: &[Trade],
) -> Result<(), StoreError> {
    for block in trades.chunks(CHUNK) {
        let (Some(first), Some(last)) = (block.first(), block.last()) else { continue };
        let data = encoder.encode(block).map_err(|error| {
            invalid(TABLE, format!("trade {}", first.id), format!("cannot be packed: {error}"))
        })?;
        sqlx::query(
            "INSERT INTO agg_trade_chunks (instrument_id, first_id, last_id, first_time_ns,
                 last_time_ns, count, imported, checksum, data)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::from(of.key.0))
        .bind(id_of(first)?)
        .bind(id_of(last)?)
        .bind(first.ts.as_nanos())
        .bind(last.ts.as_nanos())
        .bind(int(TABLE, block.len() as u64)?)
        .bind(imported)
        .bind(i64::from(crc32fast::hash(&data)))
        .bind(data)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    }
    Ok(())
}
