//! Migrations: embedded, in order, each once.
//!
//! Invariant: the file's `user_version` is the number of migrations it has had, and changes with
//! them in one transaction that takes the write lock first. So two processes that open a new file
//! at the same moment migrate it once, which a runner without a lock would not give.

use std::path::Path;

use arb_core::StoreError;
use sqlx::SqliteConnection;

use super::error::{damaged, failed};

/// What made the file, in its header: `ARB1`.
const APPLICATION_ID: i64 = 0x4152_4231;

const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/sqlite/0001_tables.sql"),
    include_str!("../../migrations/sqlite/0002_desk.sql"),
    include_str!("../../migrations/sqlite/0003_tradable_basis.sql"),
];

/// The newest schema this program knows.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

async fn pragma(conn: &mut SqliteConnection, text: &'static str) -> Result<i64, StoreError> {
    sqlx::query_scalar(text).fetch_one(conn).await.map_err(failed)
}

/// The schema of the file; zero for a new one.
///
/// # Errors
/// [`StoreError::Schema`] when it is newer than this program, [`StoreError::Corrupt`] when another
/// program made the file.
pub(super) async fn version(conn: &mut SqliteConnection, file: &Path) -> Result<i64, StoreError> {
    let found = pragma(conn, "PRAGMA user_version").await?;
    let maker = pragma(conn, "PRAGMA application_id").await?;
    let tables = pragma(conn, "SELECT count(*) FROM sqlite_schema").await?;
    if maker != APPLICATION_ID && (maker != 0 || found != 0 || tables != 0) {
        let what = "is a SQLite database of another program; name another file";
        return Err(damaged(&file.display().to_string(), what.to_owned()));
    }
    if found > newest() {
        return Err(StoreError::Schema { found, own: newest() });
    }
    Ok(found)
}

/// Brings the file to the newest schema.
pub(super) async fn migrate(conn: &mut SqliteConnection, file: &Path) -> Result<(), StoreError> {
    run(conn, "BEGIN IMMEDIATE").await?;
    let outcome = match steps(conn, file).await {
        Ok(()) => run(conn, "COMMIT").await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        // The first error is the one to tell.
        let _ = run(conn, "ROLLBACK").await;
    }
    outcome
}

async fn steps(conn: &mut SqliteConnection, file: &Path) -> Result<(), StoreError> {
    let found = version(conn, file).await?;
    let done = usize::try_from(found).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        run(conn, migration).await?;
    }
    if done < MIGRATIONS.len() {
        let header =
            format!("PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION_ID}", newest());
        sqlx::raw_sql(sqlx::AssertSqlSafe(header)).execute(conn).await.map_err(failed)?;
    }
    Ok(())
}

async fn run(conn: &mut SqliteConnection, text: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(text).execute(conn).await.map(|_| ()).map_err(failed)
}

/// Does what changes nothing and needs the right to write: beginning a transaction does not.
pub(super) async fn try_to_write(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    run(conn, "DELETE FROM agg_trades_meta WHERE 0").await
}
