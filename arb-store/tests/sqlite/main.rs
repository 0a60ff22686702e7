//! The SQLite store keeps every promise of the contract, and what a file adds to it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backup;
mod crash;
mod damage;
mod sharing;

use arb_store::sqlite::{SqliteOptions, SqliteStore};
use sqlx::{ConnectOptions as _, SqliteConnection};

async fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap();
    (folder, store)
}

/// A connection beside the store, for what no caller should do.
async fn raw(file: &std::path::Path) -> SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

async fn execute(file: &std::path::Path, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut raw(file).await).await.unwrap();
}

arb_store::contract!(fresh);
