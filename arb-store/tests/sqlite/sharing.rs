//! Several processes on one file, and several writers in one: two stores stand for two processes,
//! because SQLite's locks are between connections.

use std::time::Duration;

use arb_core::StoreError;
use arb_core::port::{InstrumentStore as _, LeaseStore as _, TapeStore as _, Upkeep as _};
use arb_store::contract::{BTC, ETH, catalog, instruments, listed, read_all, tape};
use arb_store::sqlite::SqliteOptions;
use sqlx::Executor as _;

use crate::{fresh, raw};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_the_same_file() {
    let (_folder, one) = fresh().await;
    let two = SqliteOptions::new(one.file()).open().await.unwrap();
    let catalog = catalog(&one).await;
    assert_eq!(two.register(&instruments()).await.unwrap(), catalog);
    let (btc, eth) = (tape(BTC, 20_000), tape(ETH, 20_000));
    let write = async |store: &arb_store::sqlite::SqliteStore, trades: &[arb_core::Trade]| {
        for batch in trades.chunks(500) {
            store.append_trades(&catalog, batch).await?;
        }
        Ok::<(), StoreError>(())
    };
    tokio::try_join!(write(&one, &btc), write(&two, &eth)).unwrap();
    assert!(read_all(&two, listed(&catalog, BTC), 9_000).await == btc);
    assert!(read_all(&one, listed(&catalog, ETH), 9_000).await == eth);
    assert_eq!(one.check().await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_make_one_schema() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteOptions::new(folder.path().join("arb.db")).open();
    let (a, b, c, d) = tokio::try_join!(open(), open(), open(), open()).unwrap();
    let epoch = async |store: &arb_store::sqlite::SqliteStore, holder: &str| {
        let held = store.hold("node", holder, Duration::from_hours(1)).await.unwrap();
        held.map(|lease| lease.epoch)
    };
    let held = tokio::join!(epoch(&a, "a"), epoch(&b, "b"), epoch(&c, "c"), epoch(&d, "d"));
    let held = [held.0, held.1, held.2, held.3];
    assert_eq!(held.iter().flatten().collect::<Vec<_>>(), [&1], "one of four holds it: {held:?}");
}

#[tokio::test]
async fn a_lock_that_stays_is_told_and_nothing_is_lost() {
    let (_folder, store) = fresh().await;
    let file = store.file().to_owned();
    let catalog = catalog(&store).await;
    store.close().await;
    let options = SqliteOptions::new(&file).busy_timeout(Duration::from_millis(30));
    let store = options.open().await.unwrap();
    let mut other = raw(&file).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let given = tape(BTC, 1_000);
    let error = store.append_trades(&catalog, &given).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
    other.execute("ROLLBACK").await.unwrap();
    store.append_trades(&catalog, &given).await.unwrap();
    assert!(read_all(&store, listed(&catalog, BTC), 9_000).await == given);
}

#[tokio::test]
async fn a_write_that_fails_takes_nobody_with_it() {
    let (_folder, store) = fresh().await;
    let catalog = catalog(&store).await;
    let (btc, eth) = (tape(BTC, 2_000), tape(ETH, 2_000));
    store.append_trades(&catalog, &btc[..1_000]).await.unwrap();
    let mut wrong = btc[900..].to_vec();
    wrong[50].ts = wrong[50].ts.plus(1);
    // All three wait in the queue at once and share a transaction.
    let (good, bad, also_good) = tokio::join!(
        store.append_trades(&catalog, &eth[..1_000]),
        store.append_trades(&catalog, &wrong),
        store.append_trades(&catalog, &eth[1_000..]),
    );
    good.unwrap();
    assert!(matches!(bad, Err(StoreError::Conflict { .. })), "{bad:?}");
    also_good.unwrap();
    assert!(read_all(&store, listed(&catalog, BTC), 9_000).await == btc[..1_000]);
    assert!(read_all(&store, listed(&catalog, ETH), 9_000).await == eth);
}

#[tokio::test]
async fn closing_writes_what_was_handed_over() {
    let (_folder, store) = fresh().await;
    let file = store.file().to_owned();
    let catalog = catalog(&store).await;
    let given = tape(BTC, 5_000);
    {
        // Handed over and not waited for: polled until it stands in the queue, then dropped.
        let mut write = std::pin::pin!(store.append_trades(&catalog, &given));
        let polled = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::future::Future::poll(write.as_mut(), cx).is_pending())
        });
        assert!(polled.await);
    }
    store.close().await;
    let store = SqliteOptions::new(file).open().await.unwrap();
    assert!(read_all(&store, listed(&catalog, BTC), 9_000).await == given);
}
