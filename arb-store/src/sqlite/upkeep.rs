//! Sealing and retention, in steps of one transaction each.
//!
//! Invariant: a step leaves the tape as it was for readers, but for trades that are too old. Steps
//! go through the writer's queue, so live writes get their turn between them.

use arb_core::port::{
    CheckReport, InstrumentKey, InstrumentStore as _, KeepDays, Listed, TapeExtent, Upkeep,
    UpkeepReport,
};
use arb_core::time::DAY;
use arb_core::{InstrumentId, StoreError, Timestamp, Trade};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::chunk::CHUNK;
use super::error::failed;
use super::sealed::{self, Origin};
use super::tape::{self, extent, first_row_at, id_of, rows, set_extent};

/// Chunks of one step.
const CHUNKS: usize = 12;
/// Rows removed in one step.
const REMOVED: i64 = 50_000;

struct Step {
    key: InstrumentKey,
    before: Timestamp,
}

/// Seals the oldest rows before a time: whole chunks, and whatever lies among sealed trades. Tells
/// how many.
async fn seal(conn: &mut SqliteConnection, step: &Step) -> Result<u64, StoreError> {
    let of = Listed { key: step.key, id: InstrumentId::default() };
    let mut old = rows(conn, of, (0, i64::MAX), CHUNKS * CHUNK).await?;
    old.truncate(old.partition_point(|t| t.ts < step.before));
    let whole = old.len() - old.len() % CHUNK;
    let sealed_to: Option<i64> =
        sqlx::query_scalar("SELECT max(last_id) FROM agg_trade_chunks WHERE instrument_id = ?")
            .bind(i64::from(of.key.0))
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
    let among = |t: &Trade| id_of(t).is_ok_and(|id| Some(id) < sealed_to);
    old.truncate(old.partition_point(among).max(whole));
    let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(0) };
    let (first, last) = (id_of(first)?, id_of(last)?);
    sealed::store(conn, of, &old, Origin::Recorded).await?;
    let gone =
        sqlx::query("DELETE FROM agg_trades WHERE instrument_id = ? AND agg_id BETWEEN ? AND ?");
    let gone = gone.bind(i64::from(of.key.0)).bind(first).bind(last);
    gone.execute(conn).await.map_err(failed)?;
    Ok(old.len() as u64)
}

/// Removes recorded trades before a time; tells how many.
async fn trim(conn: &mut SqliteConnection, step: &Step) -> Result<u64, StoreError> {
    let key = i64::from(step.key.0);
    let Some(known) = extent(conn, step.key).await? else { return Ok(0) };
    let sealed: Option<i64> = sqlx::query_scalar(
        "SELECT sum(count) FROM agg_trade_chunks
         WHERE instrument_id = ? AND last_time_ns < ? AND imported = 0",
    )
    .bind(key)
    .bind(step.before.as_nanos())
    .fetch_one(&mut *conn)
    .await
    .map_err(failed)?;
    sqlx::query(
        "DELETE FROM agg_trade_chunks
         WHERE instrument_id = ? AND last_time_ns < ? AND imported = 0",
    )
    .bind(key)
    .bind(step.before.as_nanos())
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let until = first_row_at(conn, step.key, step.before).await?.unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "DELETE FROM agg_trades WHERE instrument_id = ?1 AND agg_id < ?2 AND agg_id IN
             (SELECT agg_id FROM agg_trades WHERE instrument_id = ?1 AND agg_id < ?2
              ORDER BY agg_id LIMIT ?3)",
    )
    .bind(key)
    .bind(until)
    .bind(REMOVED)
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    let removed = rows.rows_affected() + sealed.map_or(0, i64::unsigned_abs);
    if removed > 0 {
        let left = known.count.saturating_sub(removed);
        let new = ends(conn, step.key).await?;
        let new = new.map(|(first, last)| TapeExtent {
            first_id: first.id,
            last_id: last.id,
            first_time: first.ts,
            last_time: last.ts,
            count: left,
        });
        set_extent(conn, step.key, new).await?;
    }
    Ok(removed)
}

/// First and last trade of a tape.
async fn ends(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
) -> Result<Option<(Trade, Trade)>, StoreError> {
    let of = Listed { key, id: InstrumentId::default() };
    let first = tape::range(conn, of, (0, i64::MAX), 1).await?;
    let last = tape::latest(conn, of, 1).await?;
    Ok(first.first().copied().zip(last.first().copied()))
}

/// Removes rows of the other tables before the given times (market, signals); tells how many.
async fn forget(
    conn: &mut SqliteConnection,
    (market, signals): &(Option<Timestamp>, Option<Timestamp>),
) -> Result<u64, StoreError> {
    const MARKET: [&str; 3] = [
        "DELETE FROM rate_snapshots WHERE time_ms < ?",
        "DELETE FROM market_indicators WHERE time_ms < ?",
        "DELETE FROM liquidations WHERE time_ms < ?",
    ];
    const SIGNALS: [&str; 3] = [
        "DELETE FROM signal_logs WHERE time_ms < ?",
        "DELETE FROM signal_indicators WHERE time_ms < ?",
        "DELETE FROM live_events WHERE time_ms < ?",
    ];
    let mut removed = 0;
    for (statements, before) in [(MARKET, market), (SIGNALS, signals)] {
        let Some(before) = before else { continue };
        for statement in statements {
            let gone = sqlx::query(statement).bind(before.as_millis()).execute(&mut *conn).await;
            removed += gone.map_err(failed)?.rows_affected();
        }
    }
    Ok(removed)
}

fn cutoff(now: Timestamp, days: Option<u32>) -> Option<Timestamp> {
    days.map(|days| now.plus(-i64::from(days).saturating_mul(DAY)))
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn upkeep(&self, now: Timestamp, keep: KeepDays) -> Result<UpkeepReport, StoreError> {
        let mut report = UpkeepReport::default();
        let age = arb_core::time::nanos(self.options.seal_after);
        for (of, _) in self.catalog().await?.iter() {
            if let Some(before) = cutoff(now, keep.tape) {
                loop {
                    let step = Step { key: of.key, before };
                    let removed = self.write(step, |conn, s| Box::pin(trim(conn, s))).await?;
                    report.removed_trades += removed;
                    if removed == 0 {
                        break;
                    }
                }
            }
            loop {
                let step = Step { key: of.key, before: now.plus(-age) };
                let sealed = self.write(step, |conn, s| Box::pin(seal(conn, s))).await?;
                report.sealed += sealed;
                if sealed == 0 {
                    break;
                }
            }
        }
        let times = (cutoff(now, keep.market), cutoff(now, keep.signals));
        report.removed_rows = self.write(times, |conn, t| Box::pin(forget(conn, t))).await?;
        Ok(report)
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        super::check::check(&mut *self.read().await?).await
    }
}
