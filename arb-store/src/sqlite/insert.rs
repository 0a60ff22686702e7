//! Many rows in one statement.
//!
//! Invariant: statements come in few sizes, so that each is prepared once and kept. Row by row is
//! some thirty times slower, because each statement crosses to SQLite's thread.

use std::sync::Arc;

use arb_core::StoreError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};

use super::error::failed;

const SIZES: [usize; 5] = [2000, 250, 32, 4, 1];
/// SQLite's limit of `?` in a statement.
const MAX_PARAMETERS: usize = 32_766;

/// An `INSERT` for any number of rows.
pub(super) struct Insert {
    columns: usize,
    statements: Vec<(usize, Arc<str>)>,
}

/// Arguments of a statement, row after row.
pub(super) struct Row<'a> {
    args: &'a mut SqliteArguments,
    failed: Option<sqlx::error::BoxDynError>,
}

impl Row<'_> {
    /// The next column.
    #[inline]
    pub(super) fn put<'t, T>(&mut self, value: T) -> &mut Self
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        if let Err(error) = self.args.add(value) {
            self.failed = Some(error);
        }
        self
    }
}

impl Insert {
    /// `head` up to and without `VALUES`, `tail` after the rows.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let fitting = SIZES.into_iter().filter(|size| size * columns <= MAX_PARAMETERS);
        let statement = |size| {
            let rows = vec![row.as_str(); size].join(",");
            (size, format!("{head} VALUES {rows} {tail}").into())
        };
        Self { columns, statements: fitting.map(statement).collect() }
    }

    /// Inserts the rows; tells how many there are more than before.
    pub(super) async fn all<R: Sync>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&mut Row<'_>, &R) -> Result<(), StoreError> + Send + Sync,
    ) -> Result<u64, StoreError> {
        let mut inserted = 0;
        let mut rest = rows;
        for (size, text) in &self.statements {
            let blocks = rest.chunks_exact(*size);
            let remainder = blocks.remainder();
            for block in blocks {
                inserted += self.block(conn, text, block, &bind).await?;
            }
            rest = remainder;
        }
        Ok(inserted)
    }

    async fn block<R: Sync>(
        &self,
        conn: &mut SqliteConnection,
        text: &Arc<str>,
        rows: &[R],
        bind: &(impl Fn(&mut Row<'_>, &R) -> Result<(), StoreError> + Send + Sync),
    ) -> Result<u64, StoreError> {
        let mut args = SqliteArguments::default();
        args.reserve(rows.len() * self.columns, 0);
        let mut row = Row { args: &mut args, failed: None };
        for each in rows {
            bind(&mut row, each)?;
        }
        if let Some(error) = row.failed {
            return Err(StoreError::Backend(error));
        }
        let query = sqlx::query_with(AssertSqlSafe(Arc::clone(text)), args);
        Ok(query.execute(conn).await.map_err(failed)?.rows_affected())
    }
}
