//! Reading the engine's tables.
//!
//! Invariant: lists are ordered by (time, id), newest first, and the place of a page's last row
//! begins the next page: no row is shown twice or skipped while new ones are written.

use arb_core::StoreError;
use arb_core::Timestamp;
use arb_core::port::{
    CarryRow, FillRow, FundingRow, IndicatorRow, Listed, Mode, OrderRow, Page, Setting,
    SignalFilter, SignalRow, TradeFilter, TradeResult, TradeRow, TransferRow,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::cells::{Cells, int, name_of};
use super::error::failed;
use crate::inputs::ms_up;

/// The bounds of a page as arguments: (time, id) below which rows are, and how many.
fn bounds(page: Page) -> Result<(i64, i64, i64), StoreError> {
    let (time, id) = match page.before {
        Some((time, id)) => (time.as_millis(), int("page", id)?),
        None => (i64::MAX, i64::MAX),
    };
    Ok((time, id, int("page", page.limit as u64)?))
}

macro_rules! page {
    ($conn:expr, $sql:literal, $page:expr, $($arg:expr),*) => {{
        let (time, id, limit) = bounds($page)?;
        let query = sqlx::query($sql).bind(time).bind(id).bind(limit)$(.bind($arg))*;
        query.fetch_all($conn).await.map_err(failed)?
    }};
}

pub(super) fn each<T>(
    rows: &[SqliteRow],
    table: &'static str,
    of: impl Fn(Cells<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| of(Cells::new(table, row))).collect()
}

pub(super) async fn signals(
    conn: &mut SqliteConnection,
    filter: &SignalFilter,
    page: Page,
) -> Result<Vec<SignalRow>, StoreError> {
    let rows = match (filter.strategy.clone(), filter.instrument.map(|key| i64::from(key.0))) {
        // What hosts ask for most has an index of its own.
        (Some(strategy), Some(instrument)) => page!(
            conn,
            "SELECT * FROM signal_logs WHERE (time_ms, id) < (?1, ?2)
               AND strategy = ?4 AND instrument_id = ?5
             ORDER BY time_ms DESC, id DESC LIMIT ?3",
            page,
            strategy,
            instrument
        ),
        (strategy, instrument) => page!(
            conn,
            "SELECT * FROM signal_logs WHERE (time_ms, id) < (?1, ?2)
               AND (?4 IS NULL OR strategy = ?4) AND (?5 IS NULL OR instrument_id = ?5)
             ORDER BY time_ms DESC, id DESC LIMIT ?3",
            page,
            strategy,
            instrument
        ),
    };
    each(&rows, "signal_logs", |c| {
        Ok(SignalRow {
            id: c.number("id")?,
            time: c.ms("time_ms")?,
            instrument: c.instrument("instrument_id")?,
            strategy: c.get("strategy")?,
            config_hash: c.get("config_hash")?,
            direction: c.opt_named("direction")?,
            score: c.get("score")?,
            tier: c.opt_named("tier")?,
            fired: c.flag("fired")?,
            reason: c.get("reason")?,
            price: c.opt_price("price")?,
            factors: c.get("factors")?,
        })
    })
}

pub(super) async fn own_trades(
    conn: &mut SqliteConnection,
    filter: &TradeFilter,
    page: Page,
) -> Result<Vec<TradeRow>, StoreError> {
    let result = filter.result.map(|result| match result {
        TradeResult::Open => "open",
        TradeResult::Closed => "closed",
        TradeResult::Win => "win",
        TradeResult::Loss => "loss",
    });
    let rows = page!(
        conn,
        "SELECT * FROM own_trades WHERE (entry_time_ms, id) < (?1, ?2) AND mode = ?4
           AND (?5 IS NULL OR strategy = ?5) AND (?6 IS NULL OR instrument_id = ?6)
           AND (?7 IS NULL
                OR ?7 = iif(status IN ('active', 'tp1_hit'), 'open', 'closed')
                OR status NOT IN ('active', 'tp1_hit')
                   AND ?7 = iif(pnl - fee - funding > 0, 'win', 'loss'))
         ORDER BY entry_time_ms DESC, id DESC LIMIT ?3",
        page,
        name_of(&filter.mode)?,
        filter.strategy.clone(),
        filter.instrument.map(|key| i64::from(key.0)),
        result
    );
    each(&rows, "own_trades", own_trade)
}

fn own_trade(c: Cells<'_>) -> Result<TradeRow, StoreError> {
    Ok(TradeRow {
        id: c.number("id")?,
        run: c.get("run")?,
        mode: c.named("mode")?,
        trade: c.number("trade")?,
        instrument: c.instrument("instrument_id")?,
        strategy: c.get("strategy")?,
        direction: c.named("direction")?,
        tier: c.opt_named("tier")?,
        score: c.get("score")?,
        status: c.named("status")?,
        entry_time: c.ms("entry_time_ms")?,
        exit_time: c.opt_ms("exit_time_ms")?,
        entry_price: c.price("entry_price")?,
        exit_price: c.opt_price("exit_price")?,
        qty: c.qty("qty")?,
        open_qty: c.qty("open_qty")?,
        stop_price: c.price("sl_price")?,
        tp1_price: c.price("tp1_price")?,
        tp2_price: c.price("tp2_price")?,
        pnl: c.money("pnl")?,
        fee: c.money("fee")?,
        funding: c.money("funding")?,
        r_trade: c.money("r_trade")?,
        r_multiple: c.get("pnl_r")?,
    })
}

pub(super) async fn carry_pairs(
    conn: &mut SqliteConnection,
    mode: Mode,
    page: Page,
) -> Result<Vec<CarryRow>, StoreError> {
    let rows = page!(
        conn,
        "SELECT * FROM carry_pairs WHERE (opened_at_ms, id) < (?1, ?2) AND mode = ?4
         ORDER BY opened_at_ms DESC, id DESC LIMIT ?3",
        page,
        name_of(&mode)?
    );
    each(&rows, "carry_pairs", |c| {
        Ok(CarryRow {
            id: c.number("id")?,
            run: c.get("run")?,
            mode: c.named("mode")?,
            pair: c.number("pair")?,
            strategy: c.get("strategy")?,
            perp: c.instrument("perp_id")?,
            spot: c.instrument("spot_id")?,
            status: c.named("status")?,
            reason: c.get("reason")?,
            opened_at: c.ms("opened_at_ms")?,
            closed_at: c.opt_ms("closed_at_ms")?,
            perp_qty: c.qty("perp_qty")?,
            spot_qty: c.qty("spot_qty")?,
            perp_entry_price: c.opt_price("perp_entry_price")?,
            spot_entry_price: c.opt_price("spot_entry_price")?,
            entry_basis_bps: c.opt_decimal("entry_basis_bps")?,
            notional: c.money("notional")?,
            fees: c.money("fees")?,
            funding: c.money("funding")?,
            pnl: c.money("pnl")?,
        })
    })
}

fn order_of(c: Cells<'_>) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        id: c.number("id")?,
        mode: c.named("mode")?,
        client_id: c.get("client_id")?,
        instrument: c.instrument("instrument_id")?,
        side: c.named("side")?,
        qty: c.qty("qty")?,
        kind: c.json("kind")?,
        effect: c.named("effect")?,
        status: c.named("status")?,
        last_update: c.get("last_update")?,
        filled: c.qty("filled")?,
        submitted_at: c.ms("submitted_at_ms")?,
        updated_at: c.ms("updated_at_ms")?,
    })
}

pub(super) async fn orders(
    conn: &mut SqliteConnection,
    mode: Mode,
    page: Page,
) -> Result<Vec<OrderRow>, StoreError> {
    let rows = page!(
        conn,
        "SELECT * FROM orders WHERE (submitted_at_ms, id) < (?1, ?2) AND mode = ?4
         ORDER BY submitted_at_ms DESC, id DESC LIMIT ?3",
        page,
        name_of(&mode)?
    );
    each(&rows, "orders", order_of)
}

/// The order with this client id.
pub(super) async fn order(
    conn: &mut SqliteConnection,
    client_id: &str,
) -> Result<Option<OrderRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM orders WHERE client_id = ?").bind(client_id);
    let row = row.fetch_optional(conn).await.map_err(failed)?;
    row.as_ref().map(|row| order_of(Cells::new("orders", row))).transpose()
}

pub(super) async fn fills(
    conn: &mut SqliteConnection,
    mode: Mode,
    page: Page,
) -> Result<Vec<FillRow>, StoreError> {
    let (time, id) = match page.before {
        Some((time, id)) => (time.as_nanos(), int("page", id)?),
        None => (i64::MAX, i64::MAX),
    };
    let rows = sqlx::query(
        "SELECT * FROM fills WHERE (time_ns, id) < (?1, ?2) AND mode = ?4
         ORDER BY time_ns DESC, id DESC LIMIT ?3",
    )
    .bind(time)
    .bind(id)
    .bind(int("page", page.limit as u64)?)
    .bind(name_of(&mode)?)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    each(&rows, "fills", |c| {
        Ok(FillRow {
            id: c.number("id")?,
            mode: c.named("mode")?,
            client_id: c.get("client_id")?,
            instrument: c.instrument("instrument_id")?,
            side: c.named("side")?,
            price: c.price("price")?,
            qty: c.qty("qty")?,
            role: c.named("role")?,
            fee: c.money("fee")?,
            base_fee: c.qty("base_fee")?,
            ts: c.ns("time_ns")?,
        })
    })
}

pub(super) async fn funding_ledger(
    conn: &mut SqliteConnection,
    mode: Mode,
    page: Page,
) -> Result<Vec<FundingRow>, StoreError> {
    let rows = page!(
        conn,
        "SELECT * FROM funding_ledger WHERE (funding_time_ms, id) < (?1, ?2) AND mode = ?4
         ORDER BY funding_time_ms DESC, id DESC LIMIT ?3",
        page,
        name_of(&mode)?
    );
    each(&rows, "funding_ledger", |c| {
        Ok(FundingRow {
            id: c.number("id")?,
            mode: c.named("mode")?,
            instrument: c.instrument("instrument_id")?,
            funding_time: c.ms("funding_time_ms")?,
            paid: c.money("paid")?,
            approx: c.flag("approx")?,
        })
    })
}

pub(super) async fn transfers(
    conn: &mut SqliteConnection,
    mode: Mode,
    page: Page,
) -> Result<Vec<TransferRow>, StoreError> {
    let rows = page!(
        conn,
        "SELECT * FROM transfers WHERE (time_ms, id) < (?1, ?2) AND mode = ?4
         ORDER BY time_ms DESC, id DESC LIMIT ?3",
        page,
        name_of(&mode)?
    );
    each(&rows, "transfers", |c| {
        Ok(TransferRow {
            id: c.number("id")?,
            mode: c.named("mode")?,
            at: c.ms("time_ms")?,
            amount: c.money("amount")?,
        })
    })
}

pub(super) async fn indicators(
    conn: &mut SqliteConnection,
    of: Listed,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<IndicatorRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM signal_indicators
         WHERE instrument_id = ? AND time_ms >= ? AND time_ms < ? ORDER BY time_ms",
    )
    .bind(i64::from(of.key.0))
    .bind(ms_up(from))
    .bind(ms_up(to))
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    each(&rows, "signal_indicators", |c| {
        Ok(IndicatorRow {
            instrument: of.id,
            time: c.ms("time_ms")?,
            price: c.price("price")?,
            cvd_fast: c.decimal("cvd_fast")?,
            cvd_mid: c.decimal("cvd_mid")?,
            cvd_day: c.decimal("cvd_day")?,
            vwap_30m: c.get("vwap_30m")?,
            atr_5m: c.get("atr_5m")?,
            atr_percentile: c.get("atr_percentile")?,
            qty_p95: c.opt_qty("p95_qty")?,
            qty_p99: c.opt_qty("p99_qty")?,
            score: c.get("score")?,
            complete: c.flag("complete")?,
        })
    })
}

pub(super) async fn setting(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<Setting>, StoreError> {
    let row = sqlx::query("SELECT * FROM live_config WHERE key = ?").bind(key);
    let row = row.fetch_optional(conn).await.map_err(failed)?;
    let setting = |row| {
        let c = Cells::new("live_config", row);
        Ok(Setting {
            key: c.get("key")?,
            value: c.get("value")?,
            updated_at: c.ms("updated_at_ms")?,
            updated_by: c.get("updated_by")?,
        })
    };
    row.as_ref().map(setting).transpose()
}
