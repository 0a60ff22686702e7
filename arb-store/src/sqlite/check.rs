//! The check of a store's integrity, and the holes of its tape.
//!
//! Invariant: damage that stops one part of the check is a finding and does not stop the others.

use arb_core::port::{CheckReport, Finding, IdRange, InstrumentKey, Listed, TapeExtent};
use arb_core::{InstrumentId, StoreError, Trade};
use sqlx::{Row as _, SqliteConnection};

use super::cells::Cells;
use super::error::failed;
use super::sealed::{self, Stored};
use super::tape;

const CHUNKS: &str = "SELECT * FROM agg_trade_chunks WHERE instrument_id = ? AND first_id > ? ORDER BY first_id LIMIT 64";

/// Consecutive ids of the rows of an instrument.
async fn row_ranges(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
) -> Result<Vec<IdRange>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT min(agg_id), max(agg_id) FROM
             (SELECT agg_id, agg_id - row_number() OVER (ORDER BY agg_id) AS island
              FROM agg_trades WHERE instrument_id = ?)
         GROUP BY island ORDER BY 1",
    )
    .bind(i64::from(key.0))
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let range = |(first, last): (i64, i64)| IdRange {
        first: first.unsigned_abs(),
        last: last.unsigned_abs(),
    };
    Ok(rows.into_iter().map(range).collect())
}

fn add_ranges(trades: &[Trade], ranges: &mut Vec<IdRange>) {
    for run in trades.chunk_by(|a, b| b.id == a.id + 1) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            ranges.push(IdRange { first: first.id, last: last.id });
        }
    }
}

fn between(mut ranges: Vec<IdRange>) -> Vec<IdRange> {
    ranges.sort_unstable();
    let mut holes = Vec::new();
    let mut reached: Option<u64> = None;
    for range in ranges {
        if let Some(last) = reached.filter(|last| range.first > last + 1) {
            holes.push(IdRange { first: last + 1, last: range.first - 1 });
        }
        reached = reached.max(Some(range.last));
    }
    holes
}

/// The ids missing between the first and the last one.
pub(super) async fn holes(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
) -> Result<Vec<IdRange>, StoreError> {
    let mut ranges = row_ranges(conn, key).await?;
    let mut decoder = sealed::decoder()?;
    let mut after = -1_i64;
    loop {
        let page = sqlx::query(CHUNKS).bind(i64::from(key.0)).bind(after);
        let rows = page.fetch_all(&mut *conn).await.map_err(failed)?;
        let Some(last) = rows.last() else { return Ok(between(ranges)) };
        after = last.try_get("first_id").map_err(failed)?;
        for row in &rows {
            let chunk = Stored::read(row)?;
            let mut trades = Vec::new();
            chunk.unpack(&mut decoder, InstrumentId::default(), &mut trades)?;
            add_ranges(&trades, &mut ranges);
        }
    }
}

/// Checks everything there is to check.
pub(super) async fn check(conn: &mut SqliteConnection) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    let outcome = pages(conn, &mut report).await;
    note(&mut report, outcome)?;
    let keys = sqlx::query("SELECT id, symbol FROM instruments ORDER BY id").fetch_all(&mut *conn);
    let keys = match keys.await.map_err(failed) {
        Ok(keys) => keys,
        Err(error) => {
            note(&mut report, Err(error))?;
            return Ok(report);
        }
    };
    for row in &keys {
        let outcome = instrument(conn, Cells::new("instruments", row), &mut report).await;
        note(&mut report, outcome)?;
    }
    Ok(report)
}

/// Damage becomes a finding, any other error stays one.
fn note(report: &mut CheckReport, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::Corrupt { table, key, what }) => {
            report.findings.push(Finding { table: table.to_owned(), key, what });
            Ok(())
        }
        other => other,
    }
}

async fn pages(conn: &mut SqliteConnection, report: &mut CheckReport) -> Result<(), StoreError> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(100)")
        .fetch_all(&mut *conn)
        .await
        .map_err(failed)?;
    for what in lines.into_iter().filter(|line| line != "ok") {
        report.findings.push(Finding { table: "file".to_owned(), key: "pages".to_owned(), what });
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(conn).await.map_err(failed)?;
    for row in &orphans {
        let table: String = row.try_get(0).map_err(failed)?;
        let id: Option<i64> = row.try_get(1).map_err(failed)?;
        let parent: String = row.try_get(2).map_err(failed)?;
        let key = id.map_or_else(|| "a row".to_owned(), |id| format!("row {id}"));
        let what = format!("refers to a record that is not in {parent}");
        report.findings.push(Finding { table, key, what });
    }
    Ok(())
}

/// The tape of one instrument.
async fn instrument(
    conn: &mut SqliteConnection,
    cells: Cells<'_>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let key = cells.instrument("id")?;
    let symbol: String = cells.get("symbol")?;
    let of = Listed { key, id: InstrumentId::default() };
    let mut seen = Seen { ranges: row_ranges(conn, key).await?, count: 0 };
    seen.count = seen.ranges.iter().map(|range| range.last - range.first + 1).sum();
    let mut finding = |table: &str, what: String| {
        let (table, key) = (table.to_owned(), symbol.clone());
        report.findings.push(Finding { table, key, what });
    };
    for what in bad_rows(conn, key).await? {
        finding("agg_trades", what);
    }
    for what in chunks(conn, of, &mut seen).await? {
        finding("agg_trade_chunks", what);
    }
    seen.ranges.sort_unstable();
    let ends = seen.ranges.first().zip(seen.ranges.iter().map(|range| range.last).max());
    let found = ends.map(|(first, last)| (first.first, last, seen.count));
    let told = tape::extent(conn, key).await?;
    let told = told.map(|e: TapeExtent| (e.first_id, e.last_id, e.count));
    if told != found {
        let what = format!("says (first, last, count) {told:?}, there is {found:?}");
        finding("agg_trades_meta", what);
    }
    report.trades += seen.count;
    report.holes.extend(between(seen.ranges).into_iter().map(|hole| (key, hole)));
    Ok(())
}

/// What was found of a tape so far.
struct Seen {
    ranges: Vec<IdRange>,
    count: u64,
}

async fn bad_rows(
    conn: &mut SqliteConnection,
    key: InstrumentKey,
) -> Result<Vec<String>, StoreError> {
    let bad: Vec<i64> = sqlx::query_scalar(
        "SELECT agg_id FROM agg_trades WHERE instrument_id = ?
           AND (price <= 0 OR price > 1000000000000000000 OR qty < 0 OR qty > 1000000000000000000
                OR agg_id < 0 OR is_buyer_maker NOT IN (0, 1))
         ORDER BY agg_id LIMIT 100",
    )
    .bind(i64::from(key.0))
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    Ok(bad.into_iter().map(|id| format!("trade {id} holds an impossible value")).collect())
}

async fn chunks(
    conn: &mut SqliteConnection,
    of: Listed,
    seen: &mut Seen,
) -> Result<Vec<String>, StoreError> {
    let mut decoder = sealed::decoder()?;
    let (mut findings, mut after, mut reached) = (Vec::new(), -1_i64, -1_i64);
    loop {
        let page = sqlx::query(CHUNKS).bind(i64::from(of.key.0)).bind(after);
        let rows = page.fetch_all(&mut *conn).await.map_err(failed)?;
        let Some(last) = rows.last() else { return Ok(findings) };
        after = last.try_get("first_id").map_err(failed)?;
        for row in &rows {
            let chunk = Stored::read(row)?;
            let mut trades = Vec::new();
            if let Err(error) = chunk.unpack(&mut decoder, of.id, &mut trades) {
                findings.push(error.to_string());
            }
            if chunk.first_id <= reached {
                findings.push(format!("row {} overlaps the one before", chunk.id));
            }
            reached = chunk.last_id;
            add_ranges(&trades, &mut seen.ranges);
            seen.count += trades.len() as u64;
            findings.extend(twice(conn, of, &chunk, &trades).await?);
        }
    }
}

/// Trades that are both a row and sealed.
async fn twice(
    conn: &mut SqliteConnection,
    of: Listed,
    chunk: &Stored,
    trades: &[Trade],
) -> Result<Option<String>, StoreError> {
    let ids = (chunk.first_id, chunk.last_id);
    let rows = tape::rows(conn, of, ids, super::chunk::CHUNK).await?;
    let sealed = |row: &&Trade| trades.binary_search_by_key(&row.id, |t| t.id).is_ok();
    Ok(rows.iter().find(sealed).map(|t| format!("trade {} is sealed and also a row", t.id)))
}
