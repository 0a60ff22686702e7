//! Claims about recorded trades.

use arb_core::port::{IdRange, Store, TapeExtent};
use arb_core::{Instrument, InstrumentId, Price, Qty, Side, StoreError, Timestamp, Trade};

use super::{BTC, BTC_SPOT, ETH, START, catalog, instruments, listed, read_all, tape};

/// Two instruments in one slice come back apart, whatever the page.
pub async fn trades_come_back_in_order_exactly_once(store: &impl Store) {
    let catalog = catalog(store).await;
    let (btc, eth) = (tape(BTC, 9_000), tape(ETH, 5_000));
    let mut both: Vec<Trade> = btc.iter().chain(&eth).copied().collect();
    both.sort_by_key(|t| (t.ts, t.instrument, t.id));
    for some in both.chunks(3_333) {
        store.append_trades(&catalog, some).await.unwrap();
    }
    for (id, given) in [(BTC, &btc), (ETH, &eth)] {
        for page in [777, 4_096, 100_000] {
            assert!(read_all(store, listed(&catalog, id), page).await == *given, "page of {page}");
        }
    }
    assert!(store.trades(listed(&catalog, BTC_SPOT), 0, 10).await.unwrap().is_empty());
    let newest = store.latest_trades(listed(&catalog, BTC), 30).await.unwrap();
    assert_eq!(newest, btc[btc.len() - 30..]);
    let extent = store.extent(listed(&catalog, BTC).key).await.unwrap().unwrap();
    assert_eq!((extent.first_id, extent.count), (btc[0].id, 9_000));
    assert_eq!((extent.last_id, extent.last_time), (btc[8_999].id, btc[8_999].ts));
    assert_eq!(extent.missing(), 0);
}

/// Overlap, as after a reconnect, adds what is new and nothing else.
pub async fn equal_trades_are_left_as_they_are(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 6_000);
    store.append_trades(&catalog, &given[..4_000]).await.unwrap();
    store.append_trades(&catalog, &given[2_500..]).await.unwrap();
    store.append_trades(&catalog, &given).await.unwrap();
    let of = listed(&catalog, BTC);
    assert!(read_all(store, of, 1_000).await == given);
    assert_eq!(store.extent(of.key).await.unwrap().unwrap().count, 6_000);
}

/// Neither the new trades before the conflict nor those after it are stored.
pub async fn an_id_with_another_content_is_a_conflict_and_nothing_is_written(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 100);
    let of = listed(&catalog, BTC);
    store.append_trades(&catalog, &given[10..50]).await.unwrap();
    let changes: [fn(&mut Trade); 4] = [
        |t| t.price = t.price.checked_add("0.1".parse().unwrap()).unwrap(),
        |t| t.qty = Qty::ZERO,
        |t| t.taker_side = t.taker_side.opposite(),
        |t| t.ts = t.ts.plus(1),
    ];
    for change in changes {
        let mut other = given.clone();
        change(&mut other[20]);
        for imported in [false, true] {
            let outcome = match imported {
                false => store.append_trades(&catalog, &other).await,
                true => store.import_trades(&catalog, &other).await,
            };
            let error = outcome.unwrap_err();
            let StoreError::Conflict { table, key, .. } = &error else { panic!("{error}") };
            assert_eq!(*table, "agg_trades");
            assert!(key.contains("um:BTCUSDT") && key.contains(&given[20].id.to_string()), "{key}");
            assert_eq!(read_all(store, of, 1_000).await, given[10..50]);
        }
    }
}

/// Twice the same id in one slice, or a smaller one.
pub async fn ids_that_do_not_ascend_are_refused(store: &impl Store) {
    let catalog = catalog(store).await;
    let mut given = tape(BTC, 10);
    given[5] = given[4];
    let error = store.append_trades(&catalog, &given).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { table: "agg_trades", .. }), "{error}");
    assert!(read_all(store, listed(&catalog, BTC), 10).await.is_empty());
}

/// An index beyond the catalog belongs to nobody.
pub async fn an_unregistered_instrument_is_refused(store: &impl Store) {
    let catalog = catalog(store).await;
    let strange = tape(InstrumentId(7), 3);
    let error = store.append_trades(&catalog, &strange).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { table: "instruments", .. }), "{error}");
}

/// Numbers never change; what the venue says of the instrument does.
pub async fn registering_again_keeps_the_number_and_renews_the_filters(store: &impl Store) {
    let before = catalog(store).await;
    let mut changed = instruments();
    changed.reverse();
    changed[2].tick_size = "0.5".parse().unwrap();
    let after = store.register(&changed).await.unwrap();
    for (of, instrument) in before.iter() {
        let now = after.find(instrument.market, &instrument.symbol).unwrap();
        assert_eq!(now.key, of.key);
    }
    assert_eq!(after.iter().next().unwrap().0.id, InstrumentId(0));
    let all = store.catalog().await.unwrap();
    assert_eq!(all.iter().count(), 4, "the one registered before is still there");
    let of = before.listed(BTC).unwrap();
    let (_, stored): (_, &Instrument) = all.by_key(of.key).unwrap();
    assert_eq!(*stored, changed[2]);
}

/// The smallest and largest legal values, microseconds and nanoseconds, a quantity of zero.
pub async fn values_survive_to_the_last_digit(store: &impl Store) {
    let catalog = catalog(store).await;
    let trade = |id, nanos, price: &str, qty: &str, taker_side| Trade {
        instrument: BTC_SPOT,
        taker_side,
        id,
        ts: Timestamp::from_nanos(nanos),
        price: price.parse::<Price>().unwrap(),
        qty: qty.parse::<Qty>().unwrap(),
    };
    let base = START.as_nanos();
    let given = [
        trade(0, base, "0.00000001", "0", Side::Buy),
        trade(1, base + 1, "10000000000", "10000000000", Side::Sell),
        trade(2, base + 1_000, "9999999999.99999999", "0.00000001", Side::Buy),
        trade(900, base + 1_000, "28140.5", "0.123", Side::Sell),
        trade((1 << 62) + 1, base + 86_400_000_000_000_000, "1", "1", Side::Buy),
    ];
    store.append_trades(&catalog, &given[..2]).await.unwrap();
    store.import_trades(&catalog, &given[2..]).await.unwrap();
    assert_eq!(read_all(store, listed(&catalog, BTC_SPOT), 2).await, given);
}

/// Imported, appended, and back-filled between: a reader cannot tell.
pub async fn history_and_recent_trades_are_one_tape(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 30_000);
    store.import_trades(&catalog, &given[..12_345]).await.unwrap();
    store.append_trades(&catalog, &given[20_000..]).await.unwrap();
    store.append_trades(&catalog, &given[12_345..13_000]).await.unwrap();
    store.import_trades(&catalog, &given[12_000..20_500]).await.unwrap();
    let of = listed(&catalog, BTC);
    for page in [999, 5_000, 1 << 20] {
        assert!(read_all(store, of, page).await == given, "page of {page}");
    }
    assert_eq!(store.latest_trades(of, 15_000).await.unwrap(), given[15_000..]);
    assert_eq!(store.extent(of.key).await.unwrap().unwrap().count, 30_000);
    assert!(store.holes(of.key).await.unwrap().is_empty());
}

/// Newest month first, overlapping, in slices of any size.
pub async fn history_may_arrive_in_any_order(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(ETH, 20_000);
    for (from, to) in [(15_000, 20_000), (9_990, 15_010), (0, 3), (5_000, 5_001), (0, 10_000)] {
        store.import_trades(&catalog, &given[from..to]).await.unwrap();
    }
    let of = listed(&catalog, ETH);
    assert!(read_all(store, of, 2_048).await == given);
    let extent = store.extent(of.key).await.unwrap().unwrap();
    let (first, last) = (given[0], given[19_999]);
    let whole = TapeExtent {
        first_id: first.id,
        last_id: last.id,
        first_time: first.ts,
        last_time: last.ts,
        count: 20_000,
    };
    assert_eq!(extent, whole);
}

/// Ids that never came, in rows and in sealed history.
pub async fn holes_are_named_until_they_are_filled(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 10_000);
    let of = listed(&catalog, BTC);
    let missing = [(1_000..1_001), (4_000..4_300), (7_000..7_500)];
    let gone = |at: usize| missing.iter().any(|range| range.contains(&at));
    let kept = |range: std::ops::Range<usize>| -> Vec<Trade> {
        range.filter(|at| !gone(*at)).map(|at| given[at]).collect()
    };
    store.import_trades(&catalog, &kept(0..5_000)).await.unwrap();
    store.append_trades(&catalog, &kept(5_000..10_000)).await.unwrap();
    let name = |range: &std::ops::Range<usize>| IdRange {
        first: given[range.start].id,
        last: given[range.end - 1].id,
    };
    let told: Vec<IdRange> = missing.iter().map(name).collect();
    assert_eq!(store.holes(of.key).await.unwrap(), told);
    assert_eq!(store.extent(of.key).await.unwrap().unwrap().missing(), 801);
    for (at, range) in missing.iter().enumerate() {
        store.append_trades(&catalog, &given[range.clone()]).await.unwrap();
        assert_eq!(store.holes(of.key).await.unwrap(), told[at + 1..]);
    }
    assert!(read_all(store, of, 3_000).await == given);
}

/// Before, at, between and after the trades; several trades share a time.
pub async fn the_first_trade_at_a_time_is_found(store: &impl Store) {
    let catalog = catalog(store).await;
    let given = tape(BTC, 12_000);
    let key = listed(&catalog, BTC).key;
    assert_eq!(store.first_id_at(key, START).await.unwrap(), None);
    store.import_trades(&catalog, &given[..6_000]).await.unwrap();
    store.append_trades(&catalog, &given[6_000..]).await.unwrap();
    let first_at = |at: Timestamp| given.iter().find(|t| t.ts >= at).map(|t| t.id);
    for at in [0, 1, 3_000, 5_999, 6_000, 6_001, 9_000, 11_999] {
        for moved in [-1, 0, 1] {
            let at = given[at].ts.plus(moved);
            assert_eq!(store.first_id_at(key, at).await.unwrap(), first_at(at), "{at}");
        }
    }
}
