//! A backup is whole, checked, and becomes a store again.

use std::path::Path;

use arb_core::StoreError;
use arb_core::port::{AccountStore as _, KeepDays, NewUser, TapeStore as _, Upkeep as _, UserRole};
use arb_core::time::DAY;
use arb_store::contract::{BTC, ETH, START, catalog, listed, read_all, tape};
use arb_store::sqlite::{BackupReport, Enclosed, SqliteOptions};

use crate::{execute, fresh};

/// Restores without files inside.
async fn restore(backup: &Path, file: &Path) -> Result<BackupReport, StoreError> {
    arb_store::sqlite::restore(backup, file, Path::new("no-files-inside")).await
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_under_load_becomes_the_same_store_again() {
    let (folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    let (btc, eth) = (tape(BTC, 30_000), tape(ETH, 20_000));
    store.append_trades(&catalog, &btc).await.unwrap();
    store.upkeep(START.plus(30 * DAY), KeepDays::default()).await.unwrap();
    let user = NewUser {
        email: "a@x".to_owned(),
        password_hash: "hash".to_owned(),
        role: UserRole::Admin,
        created_at: START,
    };
    let user = store.insert_user(&user, None).await.unwrap().unwrap();
    let copy = folder.path().join("copy.db");
    let write = async {
        for batch in eth.chunks(500) {
            store.append_trades(&catalog, batch).await?;
        }
        Ok::<(), StoreError>(())
    };
    let (report, ()) = tokio::try_join!(store.backup(&copy), write).unwrap();
    assert_eq!(report.check.findings, []);
    assert_eq!(report.bytes, std::fs::metadata(&copy).unwrap().len());

    let target = folder.path().join("restored.db");
    assert_eq!(restore(&copy, &target).await.unwrap(), report);
    let restored = SqliteOptions::new(&target).open().await.unwrap();
    assert!(read_all(&restored, listed(&catalog, BTC), 50_000).await == btc);
    let some = read_all(&restored, listed(&catalog, ETH), 50_000).await;
    assert!(eth.starts_with(&some) && some.len() % 500 == 0, "{}", some.len());
    assert_eq!(restored.user(user.id).await.unwrap(), Some(user));
    restored.append_trades(&catalog, &eth).await.unwrap();
    assert!(read_all(&restored, listed(&catalog, ETH), 50_000).await == eth);
}

#[tokio::test]
async fn files_travel_inside_a_backup_and_come_out_as_they_were() {
    let (folder, store) = fresh().await;
    let (large, copy) = (folder.path().join("large"), folder.path().join("copy.db"));
    let content: Vec<u8> = (0..9_000_000_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(&large, &content).unwrap();
    let enclose = |name: &str, length| Enclosed {
        name: name.to_owned(),
        file: std::fs::File::open(&large).unwrap(),
        length,
    };
    let files = vec![enclose("a", 8_500_000), enclose("deep/b", 5), enclose("empty", 0)];
    let report = store.backup_with(&copy, move || Ok(files)).await.unwrap();
    assert_eq!(report.enclosed, 3);
    let (target, into) = (folder.path().join("new.db"), folder.path().join("log"));
    let restored = arb_store::sqlite::restore(&copy, &target, &into).await.unwrap();
    assert_eq!(restored, report);
    assert_eq!(std::fs::read(into.join("a")).unwrap(), content[..8_500_000]);
    assert_eq!(std::fs::read(into.join("deep/b")).unwrap(), content[..5]);
    assert_eq!(std::fs::read(into.join("empty")).unwrap(), b"");
    assert!(std::fs::metadata(&target).unwrap().len() < 4_000_000, "they are no more in the store");
    SqliteOptions::new(&target).open().await.unwrap().close().await;

    let other = folder.path().join("other.db");
    let taken = arb_store::sqlite::restore(&copy, &other, &into).await.unwrap_err();
    assert!(taken.to_string().contains("log") && !other.exists(), "{taken}");
    execute(&copy, "UPDATE backup_files SET bytes = x'00' WHERE name = 'deep/b'").await;
    let error = arb_store::sqlite::restore(&copy, &other, &folder.path().join("x")).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("deep/b: the checksum of piece 0"), "{error}");
    let short = vec![enclose("a", 9_000_001)];
    let error = store.backup_with(&folder.path().join("c.db"), move || Ok(short)).await;
    assert!(error.unwrap_err().to_string().contains("too early"));
    assert_eq!(names(folder.path()).iter().filter(|name| name.contains("partial")).count(), 0);
}

#[tokio::test]
async fn a_name_that_is_taken_is_never_overwritten() {
    let (folder, store) = fresh().await;
    let taken = folder.path().join("taken.db");
    std::fs::write(&taken, "precious").unwrap();
    let copy = folder.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    for error in
        [store.backup(&taken).await.unwrap_err(), restore(&copy, &taken).await.unwrap_err()]
    {
        let StoreError::Invalid { key, what, .. } = &error else { panic!("{error}") };
        assert!(key.ends_with("taken.db") && what.contains("exists"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "precious");
    std::fs::write(folder.path().join("half.db-wal"), "of somebody").unwrap();
    let error = restore(&copy, &folder.path().join("half.db")).await.unwrap_err();
    assert!(error.to_string().contains("half.db-wal"), "{error}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing_behind() {
    let (folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    store.import_trades(&catalog, &tape(BTC, 20_000)).await.unwrap();
    let copy = folder.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    execute(&copy, "UPDATE agg_trade_chunks SET checksum = 1 WHERE id = 2").await;
    let before = names(folder.path());
    let error = restore(&copy, &folder.path().join("new.db")).await.unwrap_err();
    let StoreError::Corrupt { key, what, .. } = &error else { panic!("{error}") };
    assert!(key.ends_with("copy.db") && what.contains("checksum"), "{error}");
    let text = folder.path().join("text");
    std::fs::write(&text, "no database at all").unwrap();
    let error = restore(&text, &folder.path().join("new.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    std::fs::remove_file(&text).unwrap();
    std::fs::write(&text, "").unwrap();
    let error = restore(&text, &folder.path().join("new.db")).await.unwrap_err();
    assert!(error.to_string().contains("holds no store"), "{error}");
    std::fs::remove_file(&text).unwrap();
    let missing = restore(&text, &folder.path().join("new.db")).await.unwrap_err();
    assert!(matches!(missing, StoreError::Unavailable(_)), "{missing}");
    assert_eq!(names(folder.path()), before);
}

#[tokio::test]
async fn a_damaged_store_gives_no_backup() {
    let (folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    store.import_trades(&catalog, &tape(BTC, 20_000)).await.unwrap();
    execute(store.file(), "UPDATE agg_trade_chunks SET checksum = 1 WHERE id = 2").await;
    let before = names(folder.path());
    let error = store.backup(&folder.path().join("copy.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(names(folder.path()), before);
}
