//! Recorded trades: recent ones as rows, older ones sealed, read as one tape.
//!
//! Invariant: an id is either a row or sealed, never both, and `agg_trades_meta` counts each once;
//! all three change in one transaction. A reader looks at both in one transaction too, so sealing
//! under its eyes neither hides a trade nor shows it twice.

mod batch;
mod read;

use std::sync::LazyLock;

use arb_core::port::{Catalog, IdRange, InstrumentKey, Listed, TapeExtent, TapeStore};
use arb_core::{Side, StoreError, Timestamp, Trade};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use self::batch::{Batch, Span};
use self::read::first_sealed_at;
pub(super) use self::read::{first_row_at, latest, range, rows};
use super::SqliteStore;
use super::cells::{Cells, int};
use super::chunk::CHUNK;
use super::error::failed;
use super::insert::Insert;
use super::sealed::{self, Origin};

const TABLE: &str = "agg_trades";
/// Trades of one transaction.
const AT_ONCE: usize = 50_000;
/// The same for history, in whole chunks.
const IMPORTED_AT_ONCE: usize = 12 * CHUNK;
/// Existing trades that are compared at once.
const COMPARED: usize = 10_000;

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let head = "INSERT INTO agg_trades
        (instrument_id, agg_id, time_ns, price, qty, is_buyer_maker)";
    Insert::new(head, 6, "")
});

pub(super) fn id_of(trade: &Trade) -> Result<i64, StoreError> {
    int(TABLE, trade.id)
}

pub(super) fn conflict(stored: &Trade, given: &Trade) -> StoreError {
    let show = |t: &Trade| format!("{:?} {} × {} at {}", t.taker_side, t.price, t.qty, t.ts);
    StoreError::Conflict {
        table: TABLE,
        key: format!("trade {}", given.id),
        what: format!("stored is {}, given is {}", show(stored), show(given)),
    }
}

async fn append(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    let mut behind = Vec::new();
    for span in &batch.spans {
        let known = extent(conn, span.of.key).await?;
        // Beyond the last id nothing can exist, which is how nearly every batch comes.
        if known.is_none_or(|known| known.last_id < span.first.id) {
            enlarge(conn, known, span.of.key, (&span.first, &span.last, span.count)).await?;
        } else {
            behind.push(span);
        }
    }
    if behind.is_empty() {
        return insert(conn, &batch.keys, &batch.trades).await;
    }
    let mut trades = batch.trades.clone();
    for span in behind {
        let fresh = unknown(conn, span.of, &batch.of(span.of.id)).await;
        let fresh = fresh.map_err(|error| span.told(error))?;
        trades.retain(|t| t.instrument != span.of.id);
        if let (Some(first), Some(last)) = (fresh.first(), fresh.last()) {
            let known = extent(conn, span.of.key).await?;
            enlarge(conn, known, span.of.key, (first, last, fresh.len() as u64)).await?;
        }
        trades.extend(fresh);
    }
    insert(conn, &batch.keys, &trades).await
}

async fn insert(
    conn: &mut SqliteConnection,
    keys: &[i64],
    trades: &[Trade],
) -> Result<(), StoreError> {
    let bind = |row: &mut super::insert::Row<'_>, trade: &Trade| {
        let key = keys.get(trade.instrument.index()).copied().unwrap_or_default();
        row.put(key)
            .put(id_of(trade)?)
            .put(trade.ts.as_nanos())
            .put(trade.price.units())
            .put(trade.qty.units())
            .put(i32::from(trade.taker_side == Side::Sell));
        Ok(())
    };
    INSERT.all(conn, trades, bind).await.map(|_| ())
}

/// Those of `given` that are not stored.
///
/// # Errors
/// [`StoreError::Conflict`] when one is stored with another content.
async fn unknown(
    conn: &mut SqliteConnection,
    of: Listed,
    given: &[Trade],
) -> Result<Vec<Trade>, StoreError> {
    let (Some(first), Some(last)) = (given.first(), given.last()) else { return Ok(Vec::new()) };
    let (mut from, to) = (id_of(first)?, id_of(last)?);
    let (mut fresh, mut given) = (Vec::new(), given.iter().peekable());
    loop {
        let stored = range(conn, of, (from, to), COMPARED).await?;
        for old in &stored {
            while let Some(new) = given.next_if(|new| new.id < old.id) {
                fresh.push(*new);
            }
            if let Some(new) = given.next_if(|new| new.id == old.id)
                && new != old
            {
                return Err(conflict(old, new));
            }
        }
        match stored.last() {
            Some(last) if stored.len() == COMPARED => from = id_of(last)? + 1,
            _ => break,
        }
    }
    fresh.extend(given);
    Ok(fresh)
}

async fn import(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    for span in &batch.spans {
        import_span(conn, batch, span).await.map_err(|error| span.told(error))?;
    }
    Ok(())
}

async fn import_span(
    conn: &mut SqliteConnection,
    batch: &Batch,
    span: &Span,
) -> Result<(), StoreError> {
    let known = extent(conn, span.of.key).await?;
    let own;
    let mut trades: &[Trade] = &batch.trades;
    if batch.spans.len() > 1 {
        own = batch.of(span.of.id);
        trades = &own;
    }
    let fresh;
    if known.is_some_and(|known| known.last_id >= span.first.id) {
        fresh = unknown(conn, span.of, trades).await?;
        trades = &fresh;
    }
    let (Some(first), Some(last)) = (trades.first(), trades.last()) else { return Ok(()) };
    let count = sealed::store(conn, span.of, trades, Origin::Imported).await?;
    enlarge(conn, known, span.of.key, (first, last, count)).await
}

/// Adds trades to what is known of an instrument.
async fn enlarge(
    conn: &mut SqliteConnection,
    known: Option<TapeExtent>,
    key: InstrumentKey,
    (first, last, count): (&Trade, &Trade, u64),
) -> Result<(), StoreError> {
    let mut new = known.unwrap_or(TapeExtent {
        first_id: first.id,
        last_id: last.id,
        first_time: first.ts,
        last_time: last.ts,
        count: 0,
    });
    if first.id < new.first_id {
        (new.first_id, new.first_time) = (first.id, first.ts);
    }
    if last.id > new.last_id {
        (new.last_id, new.last_time) = (last.id, last.ts);
    }
    new.count += count;
    set_extent(conn, key, Some(new)).await
}

/// Writes what is known of an instrument's trades.
pub(super) async fn set_extent(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
    extent: Option<TapeExtent>,
) -> Result<(), StoreError> {
    let Some(e) = extent else {
        let gone = sqlx::query("DELETE FROM agg_trades_meta WHERE instrument_id = ?");
        return gone.bind(i64::from(key.0)).execute(conn).await.map(|_| ()).map_err(failed);
    };
    sqlx::query(
        "INSERT OR REPLACE INTO agg_trades_meta
             (instrument_id, first_agg_id, last_agg_id, first_time_ns, last_time_ns, count)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(i64::from(key.0))
    .bind(int(TABLE, e.first_id)?)
    .bind(int(TABLE, e.last_id)?)
    .bind(e.first_time.as_nanos())
    .bind(e.last_time.as_nanos())
    .bind(int(TABLE, e.count)?)
    .execute(conn)
    .await
    .map(|_| ())
    .map_err(failed)
}

/// What is known of an instrument's trades.
pub(super) async fn extent(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
) -> Result<Option<TapeExtent>, StoreError> {
    let row = sqlx::query("SELECT * FROM agg_trades_meta WHERE instrument_id = ?")
        .bind(i64::from(key.0))
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    let read = |row| {
        let cells = Cells::new("agg_trades_meta", row);
        Ok(TapeExtent {
            first_id: cells.number("first_agg_id")?,
            last_id: cells.number("last_agg_id")?,
            first_time: cells.ns("first_time_ns")?,
            last_time: cells.ns("last_time_ns")?,
            count: cells.number("count")?,
        })
    };
    row.as_ref().map(read).transpose()
}

#[async_trait]
impl TapeStore for SqliteStore {
    async fn append_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError> {
        for some in trades.chunks(AT_ONCE) {
            let batch = Batch::new(catalog, some)?;
            self.write(batch, |conn, batch| Box::pin(append(conn, batch))).await?;
        }
        Ok(())
    }

    async fn import_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError> {
        for some in trades.chunks(IMPORTED_AT_ONCE) {
            let batch = Batch::new(catalog, some)?;
            self.write(batch, |conn, batch| Box::pin(import(conn, batch))).await?;
        }
        Ok(())
    }

    async fn trades(
        &self,
        of: Listed,
        from_id: u64,
        limit: usize,
    ) -> Result<Vec<Trade>, StoreError> {
        // No stored id is beyond i64, so a larger one has nothing after it.
        let Ok(from) = i64::try_from(from_id) else { return Ok(Vec::new()) };
        let limit = limit.min(usize::MAX >> 1);
        range(&mut *self.read().await?, of, (from, i64::MAX), limit).await
    }

    async fn latest_trades(&self, of: Listed, limit: usize) -> Result<Vec<Trade>, StoreError> {
        latest(&mut *self.read().await?, of, limit).await
    }

    async fn first_id_at(
        &self,
        of: InstrumentKey,
        at: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.read().await?;
        let row = first_row_at(&mut tx, of, at).await?;
        let sealed = first_sealed_at(&mut tx, of, at).await?;
        let first = row.into_iter().chain(sealed).min();
        Ok(first.map(i64::unsigned_abs))
    }

    async fn extent(&self, of: InstrumentKey) -> Result<Option<TapeExtent>, StoreError> {
        extent(&mut *self.read().await?, of).await
    }

    async fn holes(&self, of: InstrumentKey) -> Result<Vec<IdRange>, StoreError> {
        let mut tx = self.read().await?;
        match extent(&mut tx, of).await? {
            Some(known) if known.missing() > 0 => super::check::holes(&mut tx, of).await,
            _ => Ok(Vec::new()),
        }
    }
}
