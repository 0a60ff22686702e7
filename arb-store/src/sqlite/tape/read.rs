//! Reading the tape: rows and sealed trades merged by id.
//!
//! Invariant: the caller's transaction spans all statements of a read, so that what is sealed in
//! between is seen once.

use arb_core::port::{InstrumentKey, Listed};
use arb_core::{InstrumentId, Side, StoreError, Timestamp, Trade};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{TABLE, id_of};
use crate::sqlite::cells::int;
use crate::sqlite::error::failed;
use crate::sqlite::sealed::{self, merge};

/// A row of `agg_trades`, selected as agg_id, time_ns, price, qty, is_buyer_maker.
fn trade_of(row: &SqliteRow, instrument: InstrumentId) -> Result<Trade, StoreError> {
    let column = |at: usize| row.try_get_unchecked::<i64, _>(at).map_err(failed);
    let id = column(0)?;
    let damage =
        |what: String| StoreError::Corrupt { table: TABLE, key: format!("trade {id}"), what };
    Ok(Trade {
        instrument,
        taker_side: if column(4)? == 0 { Side::Buy } else { Side::Sell },
        id: u64::try_from(id).map_err(|_| damage("its id is negative".to_owned()))?,
        ts: Timestamp::from_nanos(column(1)?),
        price: price_of(column(2)?).map_err(damage)?,
        qty: qty_of(column(3)?).map_err(damage)?,
    })
}

fn price_of(units: i64) -> Result<arb_core::Price, String> {
    arb_core::Price::from_units(units).map_err(|error| format!("its price {error}"))
}

fn qty_of(units: i64) -> Result<arb_core::Qty, String> {
    arb_core::Qty::from_units(units).map_err(|error| format!("its quantity {error}"))
}

/// Up to `limit` rows with ids in `[from, to]`, ascending.
pub(in crate::sqlite) async fn rows(
    conn: &mut SqliteConnection,
    of: Listed,
    (from, to): (i64, i64),
    limit: usize,
) -> Result<Vec<Trade>, StoreError> {
    let rows = sqlx::query(
        "SELECT agg_id, time_ns, price, qty, is_buyer_maker FROM agg_trades
         WHERE instrument_id = ? AND agg_id BETWEEN ? AND ? ORDER BY agg_id LIMIT ?",
    )
    .bind(i64::from(of.key.0))
    .bind(from)
    .bind(to)
    .bind(int(TABLE, limit as u64)?)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    rows.iter().map(|row| trade_of(row, of.id)).collect()
}

/// Up to `limit` trades with ids in `[from, to]`, sealed or not, ascending.
pub(in crate::sqlite) async fn range(
    conn: &mut SqliteConnection,
    of: Listed,
    (from, to): (i64, i64),
    limit: usize,
) -> Result<Vec<Trade>, StoreError> {
    let sealed = sealed::read(conn, of, (from, to), limit).await?;
    // Rows beyond the last sealed trade are of no use when those alone reach the limit.
    let until = match sealed.last() {
        Some(last) if sealed.len() == limit => id_of(last)?,
        _ => to,
    };
    let rows = rows(conn, of, (from, until), limit).await?;
    if sealed.is_empty() {
        return Ok(rows);
    }
    let mut trades = if rows.is_empty() { sealed } else { merge(&sealed, &rows)? };
    trades.truncate(limit);
    Ok(trades)
}

/// The last `limit` trades, ascending.
pub(in crate::sqlite) async fn latest(
    conn: &mut SqliteConnection,
    of: Listed,
    limit: usize,
) -> Result<Vec<Trade>, StoreError> {
    let rows = sqlx::query(
        "SELECT agg_id, time_ns, price, qty, is_buyer_maker FROM agg_trades
         WHERE instrument_id = ? ORDER BY agg_id DESC LIMIT ?",
    )
    .bind(i64::from(of.key.0))
    .bind(int(TABLE, limit as u64)?)
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let mut trades: Vec<Trade> =
        rows.iter().rev().map(|row| trade_of(row, of.id)).collect::<Result<_, _>>()?;
    let lowest = trades.first().filter(|_| trades.len() >= limit).map(id_of).transpose()?;
    let sealed = sealed::latest(conn, of, (lowest.unwrap_or(0), limit)).await?;
    if !sealed.is_empty() {
        trades = merge(&sealed, &trades)?;
    }
    trades.drain(..trades.len().saturating_sub(limit));
    Ok(trades)
}

/// Id of the first row at or after a time, by bisection: times never fall while ids rise.
pub(in crate::sqlite) async fn first_row_at(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
    at: Timestamp,
) -> Result<Option<i64>, StoreError> {
    const ENDS: &str = "SELECT min(agg_id), max(agg_id) FROM agg_trades WHERE instrument_id = ?";
    const PROBE: &str = "SELECT agg_id, time_ns FROM agg_trades
        WHERE instrument_id = ? AND agg_id >= ? ORDER BY agg_id LIMIT 1";
    type Ends = (Option<i64>, Option<i64>);
    let key = i64::from(key.0);
    let ends: Ends = sqlx::query_as(ENDS).bind(key).fetch_one(&mut *conn).await.map_err(failed)?;
    let (Some(mut low), Some(last)) = ends else { return Ok(None) };
    let (mut high, mut found) = (last, None);
    while low <= high {
        let middle = low + (high - low) / 2;
        let probe = sqlx::query_as(PROBE).bind(key).bind(middle);
        let (id, time): (i64, i64) = probe.fetch_one(&mut *conn).await.map_err(failed)?;
        if time >= at.as_nanos() {
            (found, high) = (Some(id), middle - 1);
        } else {
            low = id + 1;
        }
    }
    Ok(found)
}

pub(in crate::sqlite) async fn first_sealed_at(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
    at: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM agg_trade_chunks WHERE instrument_id = ? AND last_time_ns >= ?
         ORDER BY last_time_ns, first_id LIMIT 1",
    )
    .bind(i64::from(key.0))
    .bind(at.as_nanos())
    .fetch_optional(conn)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let mut trades = Vec::new();
    let mut decoder = sealed::decoder()?;
    sealed::Stored::read(&row)?.unpack(&mut decoder, InstrumentId::default(), &mut trades)?;
    trades.iter().find(|t| t.ts >= at).map(id_of).transpose()
}
