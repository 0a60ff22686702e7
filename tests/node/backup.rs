//! A backup of a running node is a node again: the same account, the same positions.

use std::time::Duration;

use arb::Timestamp;
use arb::live::{backup, restore};
use arb::node::{Node, NodeOptions};
use arb::port::{BookStore as _, Desk as _, Setting, Store, View};
use arb::sqlite::SqliteOptions;

use super::support::{Pace, Place, Script, StepClock, config};

fn options(place: &Place, pace: &Pace) -> NodeOptions {
    let mut options = place.options(config(), &pace.clock());
    options.flush_every = Duration::from_millis(5);
    options
}

/// The last moment at which a run of the script holds a position.
async fn last_open(script: &Script) -> Timestamp {
    let (place, pace) = (Place::new(), StepClock::pace(script.begins()));
    let mut options = options(&place, &pace);
    options.feeds = vec![script.paced(&pace)];
    let mut node = Node::start(options).await.unwrap();
    let mut views = node.handle().views();
    let mut last = None;
    let watch = async {
        while views.changed().await.is_ok() {
            let view = views.borrow_and_update().clone();
            if !view.trades.is_empty() {
                last = Some(view.at);
            }
        }
    };
    tokio::select! {
        () = watch => {}
        () = node.feeds_ended() => {}
    }
    node.stop().await.unwrap();
    last.unwrap()
}

/// Waits until everything decided is stored.
async fn settled(node: &Node) -> std::sync::Arc<View> {
    let handle = node.handle();
    for _ in 0..2_000 {
        let (metrics, view) = (handle.metrics(), handle.snapshot());
        if metrics.store_lag == 0 && view.seq == metrics.seq && !view.trades.is_empty() {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", handle.metrics());
}

async fn name_run(store: &dyn Store) {
    let setting = Setting {
        key: "node.run".to_owned(),
        value: "node1".to_owned(),
        updated_at: Timestamp::EPOCH,
        updated_by: "test".to_owned(),
    };
    store.set_setting(&setting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_goes_on_with_the_account_and_the_positions_of_the_backup() {
    let whole = Script::new(21, 12_000, 40);
    let until = last_open(&whole).await.plus(1_000_000_000);
    let (before, after): (Vec<_>, Vec<_>) =
        whole.events.iter().cloned().partition(|(arrives, _)| *arrives <= until);
    let script = Script { events: before.into() };
    let folder = tempfile::tempdir().unwrap();
    let place = Place::with_file(folder.path()).await;
    name_run(&*place.store).await;
    let pace = StepClock::pace(script.begins());
    let mut first = options(&place, &pace);
    first.feeds = vec![script.paced(&pace)];
    let mut node = Node::start(first).await.unwrap();
    node.feeds_ended().await;
    let view = settled(&node).await;

    let copy = folder.path().join("copy.db");
    let report = backup(folder.path(), &copy).await.unwrap();
    assert!(report.enclosed > 1, "a state and the log behind it: {}", report.enclosed);
    let other = tempfile::tempdir().unwrap();
    restore(&copy, other.path()).await.unwrap();
    assert!(std::fs::read_dir(other.path().join("log/snapshots")).unwrap().next().is_some());
    assert!(restore(&copy, other.path()).await.is_err(), "a folder in use is left as it is");

    let again = Place::with_file(other.path()).await;
    let restored = Node::start(options(&again, &pace)).await.unwrap();
    // The view counts events; what was said to the last one follows in the log.
    assert!((0..100).contains(&(restored.started().records - view.seq)));
    let seen = restored.handle().snapshot();
    // A view is at most a second old: the last prices move the equity, never cash or positions.
    assert_eq!((seen.account.wallet, &seen.trades), (view.account.wallet, &view.trades));
    restored.stop().await.unwrap();

    let rest = Script { events: after.into() };
    let mut second = options(&again, &pace);
    second.feeds = vec![rest.paced(&pace)];
    let mut restored = Node::start(second).await.unwrap();
    restored.feeds_ended().await;
    assert_eq!(restored.stop().await.unwrap().store_lag, 0, "its store follows");
    node.stop().await.unwrap();
    let (_, stored) = again.stored().await;
    assert!(stored.last().unwrap().ts > until, "what came later is in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_in_the_middle_of_everything_starts() {
    let script = Script::new(22, 8_000, 40);
    let folder = tempfile::tempdir().unwrap();
    let place = Place::with_file(folder.path()).await;
    name_run(&*place.store).await;
    let pace = StepClock::pace(script.begins());
    let mut running = options(&place, &pace);
    running.feeds = vec![script.paced(&pace)];
    let mut node = Node::start(running).await.unwrap();
    let mut views = node.handle().views();
    let mut copies = Vec::new();
    for number in 0..3 {
        let next = views.borrow().seq + 2_000;
        let _ =
            tokio::time::timeout(Duration::from_secs(30), views.wait_for(|view| view.seq >= next))
                .await;
        let copy = folder.path().join(format!("copy{number}.db"));
        backup(folder.path(), &copy).await.unwrap();
        copies.push(copy);
    }
    node.feeds_ended().await;
    node.stop().await.unwrap();
    for copy in copies {
        let other = tempfile::tempdir().unwrap();
        restore(&copy, other.path()).await.unwrap();
        let store = SqliteOptions::new(other.path().join("arb.db")).open().await.unwrap();
        let stored = store.cursor("node").await.unwrap().map_or(0, |cursor| cursor.seq);
        store.close().await;
        let again = Place::with_file(other.path()).await;
        let restored = Node::start(options(&again, &pace)).await.unwrap();
        assert!(restored.started().records >= stored, "the log reaches as far as the store");
        assert_eq!(restored.stop().await.unwrap().store_lag, 0);
    }
}
