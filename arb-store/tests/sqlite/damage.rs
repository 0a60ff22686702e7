//! What cannot be opened, read or written is told clearly, and nothing is lost by it.

use std::path::Path;

use arb_core::StoreError;
use arb_core::port::{
    BookStore as _, CommandStore as _, InstrumentStore as _, KeepDays, TapeStore as _, Upkeep as _,
};
use arb_core::time::DAY;
use arb_store::contract::{BTC, START, catalog, instruments, listed, read_all, tape};
use arb_store::sqlite::SqliteOptions;

use crate::{execute, fresh};

/// A store with 20,000 sealed trades and some rows, closed.
async fn filled(file: &Path) {
    let store = SqliteOptions::new(file).open().await.unwrap();
    let catalog = catalog(&store).await;
    store.append_trades(&catalog, &tape(BTC, 20_000)).await.unwrap();
    store.upkeep(START.plus(30 * DAY), KeepDays::default()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    let store = SqliteOptions::new(&file).max_pages(300).open().await.unwrap();
    let catalog = catalog(&store).await;
    let given = tape(BTC, 60_000);
    let mut stored = 0;
    let error = loop {
        match store.append_trades(&catalog, &given[stored..stored + 1_000]).await {
            Ok(()) => stored += 1_000,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(error.to_string().contains("free space"), "{error}");
    assert!(stored >= 10_000, "{stored}");
    let of = listed(&catalog, BTC);
    assert!(read_all(&store, of, 10_000).await == given[..stored]);
    let again = store.append_trades(&catalog, &given[stored..stored + 1_000]).await.unwrap_err();
    assert!(matches!(again, StoreError::Full(_)), "{again}");
    store.close().await;
    let store = SqliteOptions::new(&file).open().await.unwrap();
    store.append_trades(&catalog, &given[stored..]).await.unwrap();
    assert!(read_all(&store, of, 10_000).await == given);
    assert_eq!(store.check().await.unwrap().findings, []);
}

#[tokio::test]
async fn a_store_opened_for_reading_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    let missing = SqliteOptions::new(&file).open_read_only().await.unwrap_err();
    assert!(matches!(missing, StoreError::Unavailable(_)), "{missing}");
    assert!(missing.to_string().contains("arb.db"), "{missing}");
    filled(&file).await;
    let store = SqliteOptions::new(&file).open_read_only().await.unwrap();
    let catalog = store.catalog().await.unwrap();
    let btc = catalog.find(arb_core::Market::Um, "BTCUSDT").unwrap();
    assert_eq!(read_all(&store, btc, 50_000).await.len(), 20_000);
    let error = store.register(&instruments()).await.unwrap_err();
    let StoreError::ReadOnly(what) = &error else { panic!("{error}") };
    assert!(what.contains("arb.db"), "{what}");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    filled(&file).await;
    let mut rights = std::fs::metadata(&file).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&file, rights).unwrap();
    if std::fs::OpenOptions::new().append(true).open(&file).is_ok() {
        println!("skipped: this user may write read-only files");
        return;
    }
    let error = SqliteOptions::new(&file).open().await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    assert!(error.to_string().contains("arb.db"), "{error}");
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() {
    let error = SqliteOptions::new("/nowhere/at/all/arb.db").open().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all/arb.db"), "{error}");
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "these are my notes, and no database. ".repeat(200);
    std::fs::write(&file, &text).unwrap();
    let error = SqliteOptions::new(&file).open().await.unwrap_err();
    let StoreError::Corrupt { table: "file", key, .. } = &error else { panic!("{error}") };
    assert!(key.ends_with("notes.txt"), "{key}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);

    let other = folder.path().join("other.db");
    std::fs::write(&other, "").unwrap();
    execute(&other, "CREATE TABLE customers (id INTEGER)").await;
    let error = SqliteOptions::new(&other).open().await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    filled(&file).await;
    execute(&file, "PRAGMA user_version = 99").await;
    for error in [
        SqliteOptions::new(&file).open().await.unwrap_err(),
        SqliteOptions::new(&file).open_read_only().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Schema { found: 99, own: 3 }), "{error}");
        assert!(error.to_string().contains("99") && error.to_string().contains("up to 3"));
    }
}

#[tokio::test]
async fn a_file_of_the_first_schema_gets_the_later_tables_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    std::fs::write(&file, "").unwrap();
    let first = concat!(
        include_str!("../../migrations/sqlite/0001_tables.sql"),
        "PRAGMA application_id = 0x41524231; PRAGMA user_version = 1;
         INSERT INTO live_config VALUES ('key', 'value', 1, 'test');"
    );
    execute(&file, first).await;
    let error = SqliteOptions::new(&file).open_read_only().await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { found: 1, own: 3 }), "{error}");
    let store = SqliteOptions::new(&file).open().await.unwrap();
    assert_eq!(store.setting("key").await.unwrap().unwrap().value, "value");
    assert_eq!(store.request("none").await.unwrap(), None);
    store.close().await;
    SqliteOptions::new(&file).open_read_only().await.unwrap();
}

#[tokio::test]
async fn a_damaged_chunk_is_an_error_for_who_reads_it_and_a_finding() {
    let (_folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    let given = tape(BTC, 20_000);
    store.append_trades(&catalog, &given).await.unwrap();
    store.upkeep(START.plus(30 * DAY), KeepDays::default()).await.unwrap();
    execute(
        store.file(),
        "UPDATE agg_trade_chunks SET data = substr(data, 1, 100) || x'00' || substr(data, 102)
         WHERE id = 2",
    )
    .await;
    let of = listed(&catalog, BTC);
    let error = store.trades(of, 0, 50_000).await.unwrap_err();
    let StoreError::Corrupt { table: "agg_trade_chunks", key, .. } = &error else {
        panic!("{error}")
    };
    assert!(key.contains("row 2"), "{key}");
    assert_eq!(store.trades(of, 0, 4_096).await.unwrap(), given[..4_096]);
    let findings = store.check().await.unwrap().findings;
    assert!(findings.iter().any(|f| f.what.contains("checksum")), "{findings:?}");
}

#[tokio::test]
async fn tables_that_contradict_each_other_are_findings() {
    let (_folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    store.append_trades(&catalog, &tape(BTC, 20_000)).await.unwrap();
    store.upkeep(START.plus(30 * DAY), KeepDays::default()).await.unwrap();
    let found = async |sql, words: &str| {
        execute(store.file(), sql).await;
        let findings = store.check().await.unwrap().findings;
        assert!(findings.iter().any(|f| f.what.contains(words)), "{words}: {findings:?}");
    };
    found("UPDATE agg_trades_meta SET count = count + 1", "there is").await;
    found("UPDATE agg_trade_chunks SET last_time_ns = 5 WHERE id = 1", "columns").await;
    found("UPDATE agg_trades SET price = -1 WHERE agg_id % 2", "impossible").await;
    let twice = "INSERT INTO agg_trades SELECT instrument_id, last_id, 1, 1, 1, 0
        FROM agg_trade_chunks WHERE id = 3";
    found(twice, "sealed and also a row").await;
    let orphan = "PRAGMA foreign_keys = off;
        INSERT INTO transfers (mode, time_ms, amount) VALUES ('paper', 1, 1);
        INSERT INTO funding_ledger (mode, instrument_id, funding_time_ms, paid, approx)
        VALUES ('paper', 77, 1, 1, 0)";
    found(orphan, "not in instruments").await;
}

/// What the check says of a damaged file; none when it finds nothing, and all trades are there.
async fn told(file: &Path) -> Option<String> {
    let store = match SqliteOptions::new(file).open().await {
        Err(error @ StoreError::Corrupt { .. }) => return Some(error.to_string()),
        outcome => outcome.unwrap(),
    };
    let told = match store.check().await {
        Err(error @ StoreError::Corrupt { .. }) => Some(error.to_string()),
        outcome => outcome.unwrap().findings.first().map(|f| f.what.clone()),
    };
    if told.is_none() {
        let catalog = store.catalog().await.unwrap();
        let btc = catalog.find(arb_core::Market::Um, "BTCUSDT").unwrap();
        let found = read_all(&store, arb_core::port::Listed { id: BTC, ..btc }, 50_000).await;
        assert!(found == tape(BTC, 20_000), "damage went unnoticed");
    }
    store.close().await;
    told
}

#[tokio::test]
async fn garbage_in_the_file_is_told_unless_it_fell_on_free_space() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    filled(&file).await;
    let sound = std::fs::read(&file).unwrap();
    let pages = sound.len() / 4_096;
    let mut noticed = 0;
    for page in 0..pages {
        let mut bytes = sound.clone();
        bytes[page * 4_096..page * 4_096 + 2_048].fill(0xA5);
        std::fs::write(&file, &bytes).unwrap();
        noticed += usize::from(told(&file).await.is_some());
    }
    assert!(noticed > 40, "{noticed} of {pages}");
    std::fs::write(&file, &sound[..sound.len() / 2]).unwrap();
    assert!(told(&file).await.is_some(), "half a file");
}
