//! Projection of the log.
//!
//! Invariant: rows and the stream's cursor change in one transaction, so a record is projected
//! once however often it is handed in.

use std::sync::LazyLock;

use arb_core::port::{
    BookStore, CarryRow, Catalog, Cursor, FillRow, FundingRow, IndicatorRow, Listed, LogEntry,
    LogSource, Mode, NoteRow, OrderRow, Page, Setting, SignalFilter, SignalRow, TradeFilter,
    TradeRow, TransferRow,
};
use arb_core::{OrderUpdate, Price, Qty, StoreError, Timestamp};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::cells::{Cells, int, json_of, name_of, units};
use super::error::failed;
use super::insert::{self, Insert};
use super::{SqliteStore, book_read, events, lease};
use crate::project::{self, Projection, Row, project};

static INSERT_INDICATORS: LazyLock<Insert> = LazyLock::new(|| {
    let head = "INSERT INTO signal_indicators (instrument_id, time_ms, price, cvd_fast, cvd_mid,
        cvd_day, vwap_30m, atr_5m, atr_percentile, p95_qty, p99_qty, score, complete)";
    Insert::new(head, 13, "ON CONFLICT DO NOTHING")
});

struct Log {
    stream: String,
    projection: Projection,
}

async fn append(conn: &mut SqliteConnection, log: &Log) -> Result<(), StoreError> {
    let Log { stream, projection: Projection { rows, cursor } } = log;
    let done = cursor_of(conn, stream).await?;
    lease::fence(conn, (stream, cursor.epoch), done).await?;
    let is_new = |seq: u64| done.is_none_or(|done| Cursor { epoch: cursor.epoch, seq } > done);
    for (_, row) in rows.iter().filter(|(seq, _)| is_new(*seq)) {
        write(conn, stream, row).await?;
    }
    if is_new(cursor.seq) {
        sqlx::query("INSERT OR REPLACE INTO streams (stream, epoch, seq) VALUES (?, ?, ?)")
            .bind(stream)
            .bind(int("streams", cursor.epoch)?)
            .bind(int("streams", cursor.seq)?)
            .execute(conn)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn cursor_of(
    conn: &mut SqliteConnection,
    stream: &str,
) -> Result<Option<Cursor>, StoreError> {
    let row = sqlx::query("SELECT epoch, seq FROM streams WHERE stream = ?")
        .bind(stream)
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    let cursor = |row| {
        let cells = Cells::new("streams", row);
        Ok(Cursor { epoch: cells.number("epoch")?, seq: cells.number("seq")? })
    };
    row.as_ref().map(cursor).transpose()
}

async fn write(conn: &mut SqliteConnection, stream: &str, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Order(row) => order(conn, row).await,
        Row::Update { client_id, at, update } => order_update(conn, client_id, *at, update).await,
        Row::Fill(row) => fill(conn, row).await,
        Row::Signal(row) => signal(conn, row).await,
        Row::Trade(row) => trade(conn, row).await,
        Row::Carry(row) => carry(conn, row).await,
        Row::Funding(row) => funding(conn, row).await,
        Row::Transfer(row) => transfer(conn, row).await,
        Row::Note(row) => note(conn, stream, row).await,
    }
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

async fn run(conn: &mut SqliteConnection, query: Query) -> Result<(), StoreError> {
    query.execute(conn).await.map(|_| ()).map_err(failed)
}

fn opt_name<T: serde::Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(name_of).transpose()
}

async fn order(conn: &mut SqliteConnection, row: &OrderRow) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT OR IGNORE INTO orders (mode, client_id, instrument_id, side, qty, kind, effect,
             status, last_update, filled, submitted_at_ms, updated_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(name_of(&row.mode)?)
    .bind(row.client_id.clone())
    .bind(i64::from(row.instrument.0))
    .bind(name_of(&row.side)?)
    .bind(row.qty.units())
    .bind(json_of(&row.kind)?)
    .bind(name_of(&row.effect)?)
    .bind(name_of(&row.status)?)
    .bind(row.last_update.clone())
    .bind(row.filled.units())
    .bind(row.submitted_at.as_millis())
    .bind(row.updated_at.as_millis());
    run(conn, query).await
}

async fn order_update(
    conn: &mut SqliteConnection,
    client_id: &str,
    at: Timestamp,
    update: &OrderUpdate,
) -> Result<(), StoreError> {
    let Some(mut row) = book_read::order(conn, client_id).await? else { return Ok(()) };
    project::apply(&mut row, update, at);
    let query = sqlx::query(
        "UPDATE orders SET status = ?, last_update = ?, filled = ?, updated_at_ms = ?
         WHERE client_id = ?",
    )
    .bind(name_of(&row.status)?)
    .bind(row.last_update)
    .bind(row.filled.units())
    .bind(row.updated_at.as_millis())
    .bind(row.client_id);
    run(conn, query).await
}

async fn fill(conn: &mut SqliteConnection, row: &FillRow) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO fills (mode, client_id, instrument_id, side, price, qty, role, fee, base_fee,
             time_ns)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(name_of(&row.mode)?)
    .bind(row.client_id.clone())
    .bind(i64::from(row.instrument.0))
    .bind(name_of(&row.side)?)
    .bind(row.price.units())
    .bind(row.qty.units())
    .bind(name_of(&row.role)?)
    .bind(units("fills", row.fee)?)
    .bind(row.base_fee.units())
    .bind(row.ts.as_nanos());
    run(conn, query).await
}

async fn signal(conn: &mut SqliteConnection, row: &SignalRow) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO signal_logs (time_ms, instrument_id, strategy, config_hash, direction, score,
             tier, fired, reason, price, factors)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.time.as_millis())
    .bind(i64::from(row.instrument.0))
    .bind(row.strategy.clone())
    .bind(row.config_hash.clone())
    .bind(opt_name(row.direction.as_ref())?)
    .bind(row.score)
    .bind(opt_name(row.tier.as_ref())?)
    .bind(row.fired)
    .bind(row.reason.clone())
    .bind(row.price.map(Price::units))
    .bind(row.factors.clone());
    run(conn, query).await
}

async fn trade(conn: &mut SqliteConnection, row: &TradeRow) -> Result<(), StoreError> {
    const TABLE: &str = "own_trades";
    let query = sqlx::query(
        "INSERT INTO own_trades (run, mode, trade, instrument_id, strategy, direction, tier, score,
             status, entry_time_ms, exit_time_ms, entry_price, exit_price, qty, open_qty, sl_price,
             tp1_price, tp2_price, pnl, fee, funding, r_trade, pnl_r)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run, trade) DO UPDATE SET status = excluded.status,
             entry_time_ms = excluded.entry_time_ms, exit_time_ms = excluded.exit_time_ms,
             entry_price = excluded.entry_price, exit_price = excluded.exit_price,
             qty = excluded.qty, open_qty = excluded.open_qty, sl_price = excluded.sl_price,
             tp1_price = excluded.tp1_price, tp2_price = excluded.tp2_price, pnl = excluded.pnl,
             fee = excluded.fee, funding = excluded.funding, r_trade = excluded.r_trade,
             pnl_r = excluded.pnl_r",
    )
    .bind(row.run.clone())
    .bind(name_of(&row.mode)?)
    .bind(int(TABLE, row.trade)?)
    .bind(i64::from(row.instrument.0))
    .bind(row.strategy.clone())
    .bind(name_of(&row.direction)?)
    .bind(opt_name(row.tier.as_ref())?)
    .bind(row.score)
    .bind(name_of(&row.status)?)
    .bind(row.entry_time.as_millis())
    .bind(row.exit_time.map(Timestamp::as_millis))
    .bind(row.entry_price.units())
    .bind(row.exit_price.map(Price::units))
    .bind(row.qty.units())
    .bind(row.open_qty.units())
    .bind(row.stop_price.units())
    .bind(row.tp1_price.units())
    .bind(row.tp2_price.units())
    .bind(units(TABLE, row.pnl)?)
    .bind(units(TABLE, row.fee)?)
    .bind(units(TABLE, row.funding)?)
    .bind(units(TABLE, row.r_trade)?)
    .bind(row.r_multiple);
    run(conn, query).await
}

async fn carry(conn: &mut SqliteConnection, row: &CarryRow) -> Result<(), StoreError> {
    const TABLE: &str = "carry_pairs";
    let query = sqlx::query(
        "INSERT INTO carry_pairs (run, mode, pair, strategy, perp_id, spot_id, status, reason,
             opened_at_ms, closed_at_ms, perp_qty, spot_qty, perp_entry_price, spot_entry_price,
             entry_basis_bps, notional, fees, funding, pnl)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run, pair) DO UPDATE SET status = excluded.status, reason = excluded.reason,
             closed_at_ms = excluded.closed_at_ms, perp_qty = excluded.perp_qty,
             spot_qty = excluded.spot_qty, perp_entry_price = excluded.perp_entry_price,
             spot_entry_price = excluded.spot_entry_price,
             entry_basis_bps = excluded.entry_basis_bps, notional = excluded.notional,
             fees = excluded.fees, funding = excluded.funding, pnl = excluded.pnl",
    )
    .bind(row.run.clone())
    .bind(name_of(&row.mode)?)
    .bind(int(TABLE, row.pair)?)
    .bind(row.strategy.clone())
    .bind(i64::from(row.perp.0))
    .bind(i64::from(row.spot.0))
    .bind(name_of(&row.status)?)
    .bind(row.reason.clone())
    .bind(row.opened_at.as_millis())
    .bind(row.closed_at.map(Timestamp::as_millis))
    .bind(row.perp_qty.units())
    .bind(row.spot_qty.units())
    .bind(row.perp_entry_price.map(Price::units))
    .bind(row.spot_entry_price.map(Price::units))
    .bind(row.entry_basis_bps.map(|basis| basis.normalize().to_string()))
    .bind(units(TABLE, row.notional)?)
    .bind(units(TABLE, row.fees)?)
    .bind(units(TABLE, row.funding)?)
    .bind(units(TABLE, row.pnl)?);
    run(conn, query).await
}

async fn funding(conn: &mut SqliteConnection, row: &FundingRow) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO funding_ledger (mode, instrument_id, funding_time_ms, paid, approx)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(name_of(&row.mode)?)
    .bind(i64::from(row.instrument.0))
    .bind(row.funding_time.as_millis())
    .bind(units("funding_ledger", row.paid)?)
    .bind(row.approx);
    run(conn, query).await
}

async fn transfer(conn: &mut SqliteConnection, row: &TransferRow) -> Result<(), StoreError> {
    let query = sqlx::query("INSERT INTO transfers (mode, time_ms, amount) VALUES (?, ?, ?)")
        .bind(name_of(&row.mode)?)
        .bind(row.at.as_millis())
        .bind(units("transfers", row.amount)?);
    run(conn, query).await
}

async fn note(conn: &mut SqliteConnection, stream: &str, row: &NoteRow) -> Result<(), StoreError> {
    const TABLE: &str = "live_events";
    let query = sqlx::query(
        "INSERT INTO live_events (stream, epoch, seq, ordinal, time_ms, kind, body)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(stream.to_owned())
    .bind(int(TABLE, row.cursor.epoch)?)
    .bind(int(TABLE, row.cursor.seq)?)
    .bind(row.ordinal)
    .bind(row.at.as_millis())
    .bind(row.kind.clone())
    .bind(row.body.clone());
    run(conn, query).await
}

async fn append_indicators(
    conn: &mut SqliteConnection,
    rows: &[(i64, IndicatorRow)],
) -> Result<(), StoreError> {
    let bind = |row: &mut insert::Row<'_>, (key, r): &(i64, IndicatorRow)| {
        row.put(*key).put(r.time.as_millis()).put(r.price.units());
        for cvd in [r.cvd_fast, r.cvd_mid, r.cvd_day] {
            row.put(cvd.normalize().to_string());
        }
        row.put(r.vwap_30m).put(r.atr_5m).put(r.atr_percentile);
        row.put(r.qty_p95.map(Qty::units)).put(r.qty_p99.map(Qty::units));
        row.put(r.score).put(r.complete);
        Ok(())
    };
    INSERT_INDICATORS.all(conn, rows, bind).await.map(|_| ())
}

async fn set_setting(conn: &mut SqliteConnection, setting: &Setting) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT OR REPLACE INTO live_config (key, value, updated_at_ms, updated_by)
         VALUES (?, ?, ?, ?)",
    )
    .bind(setting.key.clone())
    .bind(setting.value.clone())
    .bind(setting.updated_at.as_millis())
    .bind(setting.updated_by.clone());
    run(conn, query).await
}

#[async_trait]
impl BookStore for SqliteStore {
    async fn append_log(
        &self,
        source: &LogSource,
        catalog: &Catalog,
        entries: &[LogEntry<'_>],
    ) -> Result<(), StoreError> {
        let Some(projection) = project(source, catalog, entries)? else { return Ok(()) };
        let log = Log { stream: source.stream.clone(), projection };
        self.write(log, |conn, log| Box::pin(append(conn, log))).await
    }

    async fn cursor(&self, stream: &str) -> Result<Option<Cursor>, StoreError> {
        cursor_of(&mut *self.read().await?, stream).await
    }

    async fn live_events(
        &self,
        stream: &str,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError> {
        events::live_events(&mut *self.read().await?, stream, after, limit).await
    }

    async fn newest_events(
        &self,
        stream: &str,
        before: Option<(Cursor, u32)>,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError> {
        events::newest_events(&mut *self.read().await?, stream, before, limit).await
    }

    async fn append_indicators(
        &self,
        catalog: &Catalog,
        rows: &[IndicatorRow],
    ) -> Result<(), StoreError> {
        let keyed = rows.iter().map(|row| Ok((i64::from(catalog.key(row.instrument)?.0), *row)));
        let keyed: Vec<_> = keyed.collect::<Result<_, StoreError>>()?;
        self.write(keyed, |conn, rows| Box::pin(append_indicators(conn, rows))).await
    }

    async fn indicators(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<IndicatorRow>, StoreError> {
        book_read::indicators(&mut *self.read().await?, of, (from, to)).await
    }

    async fn signals(
        &self,
        filter: &SignalFilter,
        page: Page,
    ) -> Result<Vec<SignalRow>, StoreError> {
        book_read::signals(&mut *self.read().await?, filter, page).await
    }

    async fn own_trades(
        &self,
        filter: &TradeFilter,
        page: Page,
    ) -> Result<Vec<TradeRow>, StoreError> {
        book_read::own_trades(&mut *self.read().await?, filter, page).await
    }

    async fn carry_pairs(&self, mode: Mode, page: Page) -> Result<Vec<CarryRow>, StoreError> {
        book_read::carry_pairs(&mut *self.read().await?, mode, page).await
    }

    async fn orders(&self, mode: Mode, page: Page) -> Result<Vec<OrderRow>, StoreError> {
        book_read::orders(&mut *self.read().await?, mode, page).await
    }

    async fn fills(&self, mode: Mode, page: Page) -> Result<Vec<FillRow>, StoreError> {
        book_read::fills(&mut *self.read().await?, mode, page).await
    }

    async fn funding_ledger(&self, mode: Mode, page: Page) -> Result<Vec<FundingRow>, StoreError> {
        book_read::funding_ledger(&mut *self.read().await?, mode, page).await
    }

    async fn transfers(&self, mode: Mode, page: Page) -> Result<Vec<TransferRow>, StoreError> {
        book_read::transfers(&mut *self.read().await?, mode, page).await
    }

    async fn setting(&self, key: &str) -> Result<Option<Setting>, StoreError> {
        book_read::setting(&mut *self.read().await?, key).await
    }

    async fn set_setting(&self, setting: &Setting) -> Result<(), StoreError> {
        self.write(setting.clone(), |conn, s| Box::pin(set_setting(conn, s))).await
    }
}
