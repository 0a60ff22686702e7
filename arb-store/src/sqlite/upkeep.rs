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
use super::cells::int;
use super::chunk::CHUNK;
use super::error::failed;
use super::sealed::{self, Origin};
use super::tape::{self, extent, first_row_at, id_of, rows, set_extent};

/// Chunks of one step.
const CHUNKS: usize = 12;
/// Rows removed in one step.
const REMOVED: i64 = 50_000;

#[derive(Clone)]
struct Step {
    key: InstrumentKey,
    before: Timestamp,
}

/// Seals the oldest rows before a time: whole chunks, and whatever lies among sealed trades. Tells
/// how many.
async fn seal(conn: &mut SqliteConnection, step: &Step) -> Result<u64, StoreError> {
    const WHOLE: &str = "SELECT time_ns FROM agg_trades WHERE instrument_id = ?
        ORDER BY agg_id LIMIT 1 OFFSET ?";
    const SEALED: &str = "SELECT max(last_id) FROM agg_trade_chunks WHERE instrument_id = ?";
    let of = Listed { key: step.key, id: InstrumentId::default() };
    let key = i64::from(of.key.0);
    let whole = sqlx::query_scalar(WHOLE).bind(key).bind(int("agg_trades", CHUNK as u64 - 1)?);
    let whole: Option<i64> = whole.fetch_optional(&mut *conn).await.map_err(failed)?;
    let sealed = sqlx::query_scalar(SEALED).bind(key).fetch_one(&mut *conn).await;
    let sealed: i64 = sealed.map(|id: Option<i64>| id.unwrap_or(-1)).map_err(failed)?;
    // Without a whole chunk of old rows only those among sealed trades are worth reading.
    let is_old = whole.is_some_and(|time| time < step.before.as_nanos());
    let reach = if is_old { i64::MAX } else { sealed };
    let mut old = rows(conn, of, (0, reach), CHUNKS * CHUNK).await?;
    old.truncate(old.partition_point(|t| t.ts < step.before));
    let whole = old.len() - old.len() % CHUNK;
    let among = |t: &Trade| id_of(t).is_ok_and(|id| id < sealed);
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

/// Removes market inputs and rates of an instrument before a time; tells how many.
async fn forget_market(conn: &mut SqliteConnection, step: &Step) -> Result<u64, StoreError> {
    // The times of rows are whole milliseconds; a bound inside one keeps it.
    let (ms, ns) = (step.before.as_millis(), step.before.floor_to(1_000_000).as_nanos());
    let rates = "DELETE FROM rate_snapshots WHERE instrument_id = ? AND time_ms < ?";
    let inputs = "DELETE FROM market_indicators WHERE instrument_id = ? AND as_of_ns < ?";
    let liquidations = "DELETE FROM liquidations WHERE instrument_id = ? AND time_ns < ?";
    let mut removed = 0;
    for (statement, before) in [(rates, ms), (inputs, ns), (liquidations, ns)] {
        let gone = sqlx::query(statement).bind(i64::from(step.key.0)).bind(before);
        removed += gone.execute(&mut *conn).await.map_err(failed)?.rows_affected();
    }
    Ok(removed)
}

/// Removes indicator rows of an instrument before a time; tells how many.
async fn forget_indicators(conn: &mut SqliteConnection, step: &Step) -> Result<u64, StoreError> {
    let gone = sqlx::query("DELETE FROM signal_indicators WHERE instrument_id = ? AND time_ms < ?")
        .bind(i64::from(step.key.0))
        .bind(step.before.as_millis());
    Ok(gone.execute(conn).await.map_err(failed)?.rows_affected())
}

/// Removes the oldest signals and live events before a time; tells how many.
async fn forget_signals(
    conn: &mut SqliteConnection,
    before: &Timestamp,
) -> Result<u64, StoreError> {
    let signals = "DELETE FROM signal_logs WHERE id IN
        (SELECT id FROM signal_logs WHERE time_ms < ? ORDER BY time_ms LIMIT ?)";
    let events = "DELETE FROM live_events WHERE (stream, epoch, seq, ordinal) IN
        (SELECT stream, epoch, seq, ordinal FROM live_events WHERE time_ms < ?
         ORDER BY time_ms LIMIT ?)";
    let mut removed = 0;
    for statement in [signals, events] {
        let gone = sqlx::query(statement).bind(before.as_millis()).bind(REMOVED);
        removed += gone.execute(&mut *conn).await.map_err(failed)?.rows_affected();
    }
    Ok(removed)
}

fn cutoff(now: Timestamp, days: Option<u32>) -> Option<Timestamp> {
    days.map(|days| now.plus(-i64::from(days).saturating_mul(DAY)))
}

impl SqliteStore {
    /// Repeats a step until it finds nothing to do; tells what it did in all.
    async fn repeat<I: Clone + Send + Sync + 'static>(
        &self,
        input: I,
        step: super::writer::Step<I, u64>,
    ) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            match self.write(input.clone(), step).await? {
                0 => return Ok(all),
                some => all += some,
            }
        }
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn upkeep(&self, now: Timestamp, keep: KeepDays) -> Result<UpkeepReport, StoreError> {
        let mut report = UpkeepReport::default();
        let sealed_before = now.plus(-arb_core::time::nanos(self.options.seal_after));
        for (of, _) in self.catalog().await?.iter() {
            let step = |before| Step { key: of.key, before };
            if let Some(before) = cutoff(now, keep.tape) {
                report.removed_trades +=
                    self.repeat(step(before), |conn, s| Box::pin(trim(conn, s))).await?;
            }
            report.sealed +=
                self.repeat(step(sealed_before), |conn, s| Box::pin(seal(conn, s))).await?;
            if let Some(before) = cutoff(now, keep.market) {
                report.removed_rows +=
                    self.write(step(before), |conn, s| Box::pin(forget_market(conn, s))).await?;
            }
            if let Some(before) = cutoff(now, keep.signals) {
                let step = step(before);
                report.removed_rows +=
                    self.write(step, |conn, s| Box::pin(forget_indicators(conn, s))).await?;
            }
        }
        if let Some(before) = cutoff(now, keep.signals) {
            report.removed_rows +=
                self.repeat(before, |conn, t| Box::pin(forget_signals(conn, t))).await?;
        }
        Ok(report)
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        super::check::check(&mut *self.read().await?).await
    }
}
