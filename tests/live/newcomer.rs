//! A symbol that is added to a folder which has lived without it.

use std::time::Duration;

use arb::port::TapeStore as _;
use arb::{Market, Timestamp};

use super::support::{Venue, builtin, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_added_later_has_its_history_before_it_is_scored() {
    let epoch = Timestamp::from_millis(1_773_100_000_000);
    let venue = Venue::start(epoch, 1, &["BTCUSDT", "LTCUSDT"]).await;
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3_600);
    let strategies = || vec![builtin("v51_baseline")];
    let first = venue.options(folder.path(), &["BTCUSDT"], strategies(), hour / 6);
    first.start(|_| {}).await.unwrap().stop().await.unwrap();

    let symbols = ["BTCUSDT", "LTCUSDT"];
    let second = venue.options(folder.path(), &symbols, strategies(), 2 * hour);
    let read = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let note = |progress: &arb::live::HistoryProgress| {
        read.lock().unwrap().insert(progress.symbol.clone());
    };
    let live = second.start(note).await.unwrap();
    assert_eq!(
        Vec::from_iter(read.lock().unwrap().iter()),
        ["LTCUSDT"],
        "and nothing is read twice"
    );
    let ltc = live.catalog().find(Market::Um, "LTCUSDT").unwrap();
    let stored = live.store().extent(ltc.key).await.unwrap().unwrap();
    assert!(stored.first_time <= epoch.plus(-115 * arb::time::MINUTE), "{stored:?}");
    // Fourteen bars of five minutes: they are there at the first decision, not an hour later.
    let handle = live.node().handle();
    let ltc_row = until(|| async {
        let view = arb::port::Desk::snapshot(&handle);
        view.rows.iter().find(|(id, _)| *id == ltc.id).map(|(_, row)| *row)
    })
    .await;
    assert!(ltc_row.atr.is_some(), "{ltc_row:?}");
    assert!(ltc_row.complete_30m, "{ltc_row:?}");
    assert!(live.node().started().warmed > 1_000);
    live.stop().await.unwrap();
}
