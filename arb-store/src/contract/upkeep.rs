//! Claims about sealing, retention and the check.

use arb_core::port::{KeepDays, LogEntry, RateSnapshot, SignalFilter, Store};
use arb_core::time::{DAY, SECOND};
use arb_core::{Event, EventKind, Input, InputValue, Output, StoreError, Timestamp};

use super::run::{signal, source};
use super::{BTC, ETH, START, catalog, listed, read_all, tape};

const EVERYTHING: KeepDays = KeepDays { tape: None, market: None, signals: None };

/// Long after the tape: everything is old enough to be sealed.
fn later() -> Timestamp {
    START.plus(30 * DAY)
}

/// Whatever a store does inside, trades stay, and upkeep ends.
pub async fn upkeep_changes_nothing_for_readers(store: &impl Store) {
    let catalog = catalog(store).await;
    let (btc, eth) = (tape(BTC, 60_000), tape(ETH, 5_000));
    store.append_trades(&catalog, &btc[..30_000]).await.unwrap();
    store.append_trades(&catalog, &btc[30_100..]).await.unwrap();
    store.append_trades(&catalog, &eth).await.unwrap();
    store.upkeep(later(), EVERYTHING).await.unwrap();
    store.append_trades(&catalog, &btc[30_000..30_100]).await.unwrap();
    for _ in 0..2 {
        let again = store.upkeep(later(), EVERYTHING).await.unwrap();
        assert_eq!((again.removed_trades, again.removed_rows), (0, 0));
        assert!(read_all(store, listed(&catalog, BTC), 10_000).await == btc);
        assert!(read_all(store, listed(&catalog, ETH), 10_000).await == eth);
    }
    let key = listed(&catalog, BTC).key;
    assert_eq!(store.extent(key).await.unwrap().unwrap().count, 60_000);
    let ts = btc[31_000].ts;
    let first = btc.iter().find(|t| t.ts >= ts).map(|t| t.id);
    assert_eq!(store.first_id_at(key, ts).await.unwrap(), first);
    assert_eq!(store.latest_trades(listed(&catalog, BTC), 5_000).await.unwrap(), btc[55_000..]);
}

/// An equal trade is left alone and another content refused, wherever the first one went.
pub async fn trades_that_were_sealed_are_still_known(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 20_000);
    store.append_trades(&catalog, &given).await.unwrap();
    store.upkeep(later(), EVERYTHING).await.unwrap();
    store.append_trades(&catalog, &given[5_000..7_000]).await.unwrap();
    let mut other = given[100..200].to_vec();
    other[50].ts = other[50].ts.plus(SECOND);
    let error = store.append_trades(&catalog, &other).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    assert!(read_all(store, listed(&catalog, BTC), 4_000).await == given);
}

/// Recorded trades go when their days are over; what somebody imported is theirs to remove.
pub async fn retention_spares_imported_trades(store: &impl Store) {
    let catalog = catalog(store).await;
    let mut given = tape(BTC, 30_000);
    for trade in &mut given[15_000..] {
        trade.ts = trade.ts.plus(10 * DAY);
    }
    let eth = tape(ETH, 9_000);
    store.append_trades(&catalog, &given).await.unwrap();
    store.import_trades(&catalog, &eth).await.unwrap();
    store.upkeep(START.plus(12 * DAY), EVERYTHING).await.unwrap();
    let keep = KeepDays { tape: Some(7), ..EVERYTHING };
    let report = store.upkeep(START.plus(12 * DAY), keep).await.unwrap();
    let of = listed(&catalog, BTC);
    let left = read_all(store, of, 10_000).await;
    // Sealed blocks go when their last trade is old.
    assert!(left.ends_with(&given[15_000..]) && given.ends_with(&left));
    assert!(left.len() < 15_000 + 4_096, "{}", left.len());
    assert_eq!(report.removed_trades, (given.len() - left.len()) as u64);
    let extent = store.extent(of.key).await.unwrap().unwrap();
    assert_eq!((extent.first_id, extent.first_time), (left[0].id, left[0].ts));
    assert_eq!(extent.count, left.len() as u64);
    assert!(read_all(store, listed(&catalog, ETH), 10_000).await == eth);
    assert!(store.check().await.unwrap().findings.is_empty());
    let forever = store.upkeep(START.plus(400 * DAY), keep).await.unwrap();
    assert_eq!(forever.removed_trades, left.len() as u64);
    assert_eq!(store.extent(of.key).await.unwrap(), None);
    assert!(read_all(store, listed(&catalog, ETH), 10_000).await == eth);
}

/// Rates, inputs, signals and live events of the last days stay.
pub async fn retention_of_other_tables_keeps_what_is_young(store: &impl Store) {
    let catalog = catalog(store).await;
    let of = listed(&catalog, BTC);
    let days = [0, 5, 10];
    for (seq, day) in (1..).zip(days) {
        let at = START.plus(day * DAY);
        let rate = RateSnapshot {
            instrument: BTC,
            at,
            mark_price: "1".parse().unwrap(),
            index_price: None,
            funding_rate: None,
            funding_interval_hours: None,
            next_funding_at: None,
            tradable_basis: None,
        };
        store.append_rates(&catalog, &[rate]).await.unwrap();
        let input = Input { instrument: BTC, as_of: at, value: InputValue::LongShortRatio(1.5) };
        let input = Event { at, kind: EventKind::Input(input) };
        store.append_market(&catalog, &[input]).await.unwrap();
        let outputs = [Output::Signal(Box::new(signal(BTC, at)))];
        let event = Event::tick(at);
        let entry = LogEntry { seq, event: &event, outputs: &outputs };
        store.append_log(&source(1), &catalog, &[entry]).await.unwrap();
    }
    let keep = KeepDays { market: Some(7), signals: Some(2), tape: None };
    let report = store.upkeep(START.plus(11 * DAY), keep).await.unwrap();
    assert_eq!(report.removed_rows, 2 + 2 * 2);
    let (from, to) = (START.plus(-DAY), START.plus(100 * DAY));
    assert_eq!(store.rates(of, (from, to), 10).await.unwrap().len(), 2);
    assert_eq!(store.inputs(of, from, to).await.unwrap().len(), 2);
    let page = arb_core::port::Page::first(10);
    assert_eq!(store.signals(&SignalFilter::default(), page).await.unwrap().len(), 1);
    let notes = store.live_events("node", Default::default(), 10).await.unwrap();
    assert_eq!(notes.len(), 1);
}

/// Holes are told and are no damage.
pub async fn a_sound_store_has_no_findings(store: &impl Store) {
    let catalog = catalog(store).await;
    assert_eq!(store.check().await.unwrap(), Default::default());
    let given = tape(BTC, 20_000);
    store.append_trades(&catalog, &given[..15_000]).await.unwrap();
    store.upkeep(later(), EVERYTHING).await.unwrap();
    store.append_trades(&catalog, &given[15_010..]).await.unwrap();
    store.import_trades(&catalog, &tape(ETH, 5_000)).await.unwrap();
    let report = store.check().await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.trades, 24_990);
    let [(key, hole)] = report.holes[..] else { panic!("{:?}", report.holes) };
    assert_eq!(key, listed(&catalog, BTC).key);
    assert_eq!((hole.first, hole.last), (given[15_000].id, given[15_009].id));
}
