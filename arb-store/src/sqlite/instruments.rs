//! The table `instruments`.

use arb_core::port::{Catalog, InstrumentKey, InstrumentStore};
use arb_core::{Instrument, StoreError};
use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::cells::{Cells, json_of};
use super::error::failed;

const TABLE: &str = "instruments";

async fn register(
    conn: &mut SqliteConnection,
    instruments: &[Instrument],
) -> Result<Catalog, StoreError> {
    let mut entries = Vec::with_capacity(instruments.len());
    for instrument in instruments {
        let (market, spec) = (instrument.market, json_of(instrument)?);
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO instruments (venue, market, symbol, spec) VALUES (?, ?, ?, ?)
             ON CONFLICT (market, symbol) DO UPDATE SET spec = excluded.spec RETURNING id",
        )
        .bind(market.venue())
        .bind(market.as_str())
        .bind(&instrument.symbol)
        .bind(spec)
        .fetch_one(&mut *conn)
        .await
        .map_err(failed)?;
        entries.push((key_of(id)?, instrument.clone()));
    }
    Ok(Catalog::new(entries))
}

fn key_of(id: i64) -> Result<InstrumentKey, StoreError> {
    u32::try_from(id).map(InstrumentKey).map_err(|_| StoreError::Corrupt {
        table: TABLE,
        key: format!("row {id}"),
        what: "its id is out of range".to_owned(),
    })
}

impl Cells<'_> {
    /// An instrument's stored number.
    pub(super) fn instrument(&self, column: &str) -> Result<InstrumentKey, StoreError> {
        key_of(self.get(column)?)
    }
}

#[async_trait]
impl InstrumentStore for SqliteStore {
    async fn register(&self, instruments: &[Instrument]) -> Result<Catalog, StoreError> {
        let input = instruments.to_vec();
        self.write(input, |conn, input| Box::pin(register(conn, input))).await
    }

    async fn catalog(&self) -> Result<Catalog, StoreError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("SELECT id, spec FROM instruments ORDER BY id")
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?;
        let entry = |row| {
            let cells = Cells::new(TABLE, row);
            Ok((cells.instrument("id")?, cells.json("spec")?))
        };
        Ok(Catalog::new(rows.iter().map(entry).collect::<Result<_, StoreError>>()?))
    }
}
