//! The SQLite store keeps every promise of the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

use arb_store::sqlite::{SqliteOptions, SqliteStore};

async fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap();
    (folder, store)
}

arb_store::contract!(fresh);
