//! Values on their way into and out of columns.
//!
//! Invariant: a number goes in whole or not at all, and what is read is checked again: a row that
//! no type of ours could have written is [`StoreError::Corrupt`], with table and column.

use arb_core::{Decimal, Money, Price, Qty, StoreError, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Type};

use super::error::failed;

const DECIMALS: u32 = 8;

pub(super) fn invalid(table: &'static str, key: String, what: String) -> StoreError {
    StoreError::Invalid { table, key, what }
}

/// A number of ours as SQLite's integer.
pub(super) fn int(table: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value)
        .map_err(|_| invalid(table, value.to_string(), format!("ids go up to {}", i64::MAX)))
}

/// Money in units of 10⁻⁸.
pub(super) fn units(table: &'static str, amount: Money) -> Result<i64, StoreError> {
    let mut scaled = amount.to_decimal();
    scaled.rescale(DECIMALS);
    let fits = (scaled.scale() == DECIMALS).then(|| i64::try_from(scaled.mantissa()).ok());
    fits.flatten().ok_or_else(|| {
        let most = Decimal::from_i128_with_scale(i64::MAX.into(), DECIMALS);
        invalid(table, format!("amount {amount}"), format!("amounts go up to {most}"))
    })
}

/// A unit variant's name, as serde writes it.
pub(super) fn name_of<T: Serialize>(value: &T) -> Result<String, StoreError> {
    let json = json_of(value)?;
    Ok(json.trim_matches('"').to_owned())
}

/// A value as JSON.
pub(super) fn json_of<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend(Box::new(error)))
}

/// A row with the name of its table.
#[derive(Clone, Copy)]
pub(super) struct Cells<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Cells<'r> {
    pub(super) const fn new(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    fn corrupt(&self, column: &str, what: impl std::fmt::Display) -> StoreError {
        let id = self.row.try_get_unchecked::<i64, _>(0).unwrap_or(0);
        let key = format!("row {id}, column {column}");
        StoreError::Corrupt { table: self.table, key, what: what.to_string() }
    }

    /// A column as it is.
    pub(super) fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|error| match error {
            sqlx::Error::ColumnDecode { source, .. } => self.corrupt(column, source),
            other => failed(other),
        })
    }

    fn checked<T, E: std::fmt::Display>(
        &self,
        column: &str,
        make: impl Fn(i64) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        value.map(make).transpose().map_err(|error| self.corrupt(column, error))
    }

    fn there<T>(&self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column, "is null"))
    }

    pub(super) fn number(&self, column: &str) -> Result<u64, StoreError> {
        self.there(column, self.checked(column, u64::try_from)?)
    }

    pub(super) fn small<T: TryFrom<i64, Error = std::num::TryFromIntError>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        self.checked(column, T::try_from)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.get::<i64>(column)? != 0)
    }

    pub(super) fn price(&self, column: &str) -> Result<Price, StoreError> {
        self.there(column, self.opt_price(column)?)
    }

    pub(super) fn opt_price(&self, column: &str) -> Result<Option<Price>, StoreError> {
        self.checked(column, Price::from_units)
    }

    pub(super) fn qty(&self, column: &str) -> Result<Qty, StoreError> {
        self.there(column, self.opt_qty(column)?)
    }

    pub(super) fn opt_qty(&self, column: &str) -> Result<Option<Qty>, StoreError> {
        self.checked(column, Qty::from_units)
    }

    pub(super) fn money(&self, column: &str) -> Result<Money, StoreError> {
        let units: i64 = self.get(column)?;
        Ok(Money::round(Decimal::from_i128_with_scale(units.into(), DECIMALS)))
    }

    /// A column of milliseconds.
    pub(super) fn ms(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.get(column)?))
    }

    pub(super) fn opt_ms(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
    }

    /// A column of nanoseconds.
    pub(super) fn ns(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_nanos(self.get(column)?))
    }

    pub(super) fn decimal(&self, column: &str) -> Result<Decimal, StoreError> {
        self.there(column, self.opt_decimal(column)?)
    }

    pub(super) fn opt_decimal(&self, column: &str) -> Result<Option<Decimal>, StoreError> {
        let text: Option<String> = self.get(column)?;
        let value = text.map(|text| Decimal::from_str_exact(&text)).transpose();
        value.map_err(|error| self.corrupt(column, error))
    }

    /// A unit variant by the name serde gives it.
    pub(super) fn named<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.there(column, self.opt_named(column)?)
    }

    pub(super) fn opt_named<T: DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        let value = text.map(|text| T::deserialize(serde_json::Value::String(text))).transpose();
        value.map_err(|error| self.corrupt(column, error))
    }

    /// A column of JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, error))
    }
}
