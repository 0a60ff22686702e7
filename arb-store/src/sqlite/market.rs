//! Funding, market inputs, liquidations and rate snapshots.

use std::sync::LazyLock;

use arb_core::port::{Catalog, Listed, MarketStore, RateSnapshot};
use arb_core::{Event, EventKind, FundingSettled, Input, InputValue, StoreError, Timestamp};
use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::cells::{Cells, int, name_of, units};
use super::error::failed;
use super::insert::{Insert, Row};
use crate::inputs::{self, Value};

const FUNDING: &str = "funding_rates";
const INPUTS: &str = "market_indicators";
const LIQUIDATIONS: &str = "liquidations";
const RATES: &str = "rate_snapshots";

static INSERT_INPUTS: LazyLock<Insert> = LazyLock::new(|| {
    let head = "INSERT INTO market_indicators (instrument_id, kind, as_of_ns, known_at_ns, value)";
    Insert::new(head, 5, "ON CONFLICT DO NOTHING")
});
static INSERT_LIQUIDATIONS: LazyLock<Insert> = LazyLock::new(|| {
    let head =
        "INSERT INTO liquidations (instrument_id, time_ns, known_at_ns, direction, notional)";
    Insert::new(head, 5, "ON CONFLICT DO NOTHING")
});
static INSERT_RATES: LazyLock<Insert> = LazyLock::new(|| {
    let head = "INSERT INTO rate_snapshots (instrument_id, time_ms, mark_price, index_price,
        funding_rate, funding_interval_hours, next_funding_time_ms, tradable_basis)";
    Insert::new(head, 8, "ON CONFLICT DO NOTHING")
});

/// An input with the stored number of its instrument and the time it became known.
type Known = (i64, Timestamp, Input);

#[derive(Default)]
struct Batch {
    funding: Vec<(i64, String, FundingSettled)>,
    inputs: Vec<Known>,
    liquidations: Vec<Known>,
}

impl Batch {
    fn new(catalog: &Catalog, events: &[Event]) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for event in events {
            match &event.kind {
                EventKind::Funding(funding) => {
                    let key = catalog.key(funding.instrument)?;
                    let name = catalog.name(funding.instrument);
                    batch.funding.push((i64::from(key.0), name, *funding));
                }
                EventKind::Input(input) => {
                    let key = i64::from(catalog.key(input.instrument)?.0);
                    let list = match input.value {
                        InputValue::Liquidation(..) => &mut batch.liquidations,
                        _ => &mut batch.inputs,
                    };
                    list.push((key, event.at, *input));
                }
                _ => {}
            }
        }
        Ok(batch)
    }
}

async fn append(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    for (key, name, settled) in &batch.funding {
        settle(conn, *key, name, settled).await?;
    }
    let bind = |row: &mut Row<'_>, (key, known_at, input): &Known| {
        let (kind, value) = inputs::text(&input.value);
        row.put(*key).put(kind).put(input.as_of.as_nanos()).put(known_at.as_nanos()).put(value);
        Ok(())
    };
    INSERT_INPUTS.all(conn, &batch.inputs, bind).await?;
    let bind = |row: &mut Row<'_>, (key, known_at, input): &Known| {
        if let InputValue::Liquidation(direction, notional) = input.value {
            row.put(*key).put(input.as_of.as_nanos()).put(known_at.as_nanos());
            row.put(name_of(&direction)?).put(units(LIQUIDATIONS, notional)?);
        }
        Ok(())
    };
    INSERT_LIQUIDATIONS.all(conn, &batch.liquidations, bind).await?;
    Ok(())
}

async fn settle(
    conn: &mut SqliteConnection,
    key: i64,
    name: &str,
    settled: &FundingSettled,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO funding_rates (instrument_id, funding_time_ns, rate, mark_price)
         VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(settled.funding_time.as_nanos())
    .bind(settled.rate.normalize().to_string())
    .bind(settled.mark_price.map(arb_core::Price::units))
    .execute(&mut *conn)
    .await
    .map_err(failed)?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row =
        sqlx::query("SELECT * FROM funding_rates WHERE instrument_id = ? AND funding_time_ns = ?")
            .bind(key)
            .bind(settled.funding_time.as_nanos())
            .fetch_one(conn)
            .await
            .map_err(failed)?;
    let stored = Cells::new(FUNDING, &row).decimal("rate")?;
    inputs::same_settlement(name, stored, settled)
}

async fn append_rates(
    conn: &mut SqliteConnection,
    rates: &[(i64, RateSnapshot)],
) -> Result<(), StoreError> {
    let bind = |row: &mut Row<'_>, (key, rate): &(i64, RateSnapshot)| {
        row.put(*key)
            .put(rate.at.as_millis())
            .put(rate.mark_price.units())
            .put(rate.index_price.map(arb_core::Price::units))
            .put(rate.funding_rate.map(|rate| rate.normalize().to_string()))
            .put(rate.funding_interval_hours.map(i32::from))
            .put(rate.next_funding_at.map(Timestamp::as_millis))
            .put(rate.tradable_basis.map(|basis| basis.normalize().to_string()));
        Ok(())
    };
    INSERT_RATES.all(conn, rates, bind).await.map(|_| ())
}

fn input_of(row: &SqliteRow, of: Listed) -> Result<Event, StoreError> {
    let cells = Cells::new(INPUTS, row);
    let (kind, value): (String, String) = (cells.get("kind")?, cells.get("value")?);
    let value = inputs::parse(&kind, &value)?;
    Ok(event(of, (cells.ns("known_at_ns")?, cells.ns("as_of_ns")?), value))
}

fn event(of: Listed, (at, as_of): (Timestamp, Timestamp), value: Value) -> Event {
    Event { at, kind: EventKind::Input(Input { instrument: of.id, as_of, value }) }
}

async fn read_inputs(
    conn: &mut SqliteConnection,
    of: Listed,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Event>, StoreError> {
    let inputs = sqlx::query(
        "SELECT * FROM market_indicators
         WHERE instrument_id = ? AND known_at_ns >= ? AND known_at_ns < ?",
    )
    .bind(i64::from(of.key.0))
    .bind(from.as_nanos())
    .bind(to.as_nanos())
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let liquidations = sqlx::query(
        "SELECT * FROM liquidations
         WHERE instrument_id = ? AND known_at_ns >= ? AND known_at_ns < ?",
    )
    .bind(i64::from(of.key.0))
    .bind(from.as_nanos())
    .bind(to.as_nanos())
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let liquidation = |row| {
        let cells = Cells::new(LIQUIDATIONS, row);
        let value = InputValue::Liquidation(cells.named("direction")?, cells.money("notional")?);
        Ok(event(of, (cells.ns("known_at_ns")?, cells.ns("time_ns")?), value))
    };
    let events = inputs.iter().map(|row| input_of(row, of));
    let events = events.chain(liquidations.iter().map(liquidation));
    let mut events: Vec<Event> = events.collect::<Result<_, StoreError>>()?;
    inputs::sort(&mut events);
    Ok(events)
}

fn rate_of(row: &SqliteRow, of: Listed) -> Result<RateSnapshot, StoreError> {
    let cells = Cells::new(RATES, row);
    Ok(RateSnapshot {
        instrument: of.id,
        at: cells.ms("time_ms")?,
        mark_price: cells.price("mark_price")?,
        index_price: cells.opt_price("index_price")?,
        funding_rate: cells.opt_decimal("funding_rate")?,
        funding_interval_hours: cells.small("funding_interval_hours")?,
        next_funding_at: cells.opt_ms("next_funding_time_ms")?,
        tradable_basis: cells.opt_decimal("tradable_basis")?,
    })
}

#[async_trait]
impl MarketStore for SqliteStore {
    async fn append_market(&self, catalog: &Catalog, events: &[Event]) -> Result<(), StoreError> {
        let batch = Batch::new(catalog, events)?;
        self.write(batch, |conn, batch| Box::pin(append(conn, batch))).await
    }

    async fn funding(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FundingSettled>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM funding_rates
             WHERE instrument_id = ? AND funding_time_ns >= ? AND funding_time_ns < ?
             ORDER BY funding_time_ns",
        )
        .bind(i64::from(of.key.0))
        .bind(from.as_nanos())
        .bind(to.as_nanos())
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        let settled = |row| {
            let cells = Cells::new(FUNDING, row);
            Ok(FundingSettled {
                instrument: of.id,
                funding_time: cells.ns("funding_time_ns")?,
                rate: cells.decimal("rate")?,
                mark_price: cells.opt_price("mark_price")?,
            })
        };
        rows.iter().map(settled).collect()
    }

    async fn inputs(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Event>, StoreError> {
        read_inputs(&mut *self.read().await?, of, (from, to)).await
    }

    async fn latest_inputs(&self, of: Listed) -> Result<Vec<Event>, StoreError> {
        let mut tx = self.read().await?;
        let mut events = Vec::new();
        for kind in inputs::KINDS {
            let row = sqlx::query(
                "SELECT * FROM market_indicators WHERE instrument_id = ? AND kind = ?
                 ORDER BY as_of_ns DESC LIMIT 1",
            )
            .bind(i64::from(of.key.0))
            .bind(kind)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
            events.extend(row.as_ref().map(|row| input_of(row, of)).transpose()?);
        }
        Ok(events)
    }

    async fn append_rates(
        &self,
        catalog: &Catalog,
        rates: &[RateSnapshot],
    ) -> Result<(), StoreError> {
        let keyed = rates.iter().map(|r| Ok((i64::from(catalog.key(r.instrument)?.0), *r)));
        let keyed: Vec<(i64, RateSnapshot)> = keyed.collect::<Result<_, StoreError>>()?;
        self.write(keyed, |conn, rates| Box::pin(append_rates(conn, rates))).await
    }

    async fn latest_rates(&self, catalog: &Catalog) -> Result<Vec<RateSnapshot>, StoreError> {
        let mut tx = self.read().await?;
        let mut rates = Vec::new();
        for (of, _) in catalog.iter() {
            let row = sqlx::query(
                "SELECT * FROM rate_snapshots WHERE instrument_id = ?
                 ORDER BY time_ms DESC LIMIT 1",
            )
            .bind(i64::from(of.key.0))
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
            rates.extend(row.as_ref().map(|row| rate_of(row, of)).transpose()?);
        }
        Ok(rates)
    }

    async fn rates(
        &self,
        of: Listed,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<RateSnapshot>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM rate_snapshots
             WHERE instrument_id = ? AND time_ms >= ? AND time_ms < ? ORDER BY time_ms LIMIT ?",
        )
        .bind(i64::from(of.key.0))
        .bind(inputs::ms_up(from))
        .bind(inputs::ms_up(to))
        .bind(int(RATES, limit as u64)?)
        .fetch_all(&mut *self.read().await?)
        .await
        .map_err(failed)?;
        rows.iter().map(|row| rate_of(row, of)).collect()
    }
}
