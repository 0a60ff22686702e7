//! A paper run against its own replay, and against a back-test over the trades it stored.

use arb::record::log::LogView;
use arb::record::{JournalWriter, Tolerance, parity};
use arb::{Backtest, Event, EventKind, Registry};

use super::support::{Place, Script, clock, config, run};

#[tokio::test(start_paused = true)]
async fn a_log_replays_to_the_same_bytes() {
    let (place, script) = (Place::new(), Script::new(11, 20_000, 40));
    let node = run(&place, &script, &clock(script.begins())).await;
    let stopped = node.stop().await.unwrap();
    let replayed = place.replayed();
    assert_eq!(replayed.difference, None);
    assert_eq!(replayed.events + replayed.outputs + 1, stopped.records, "but for the last event");
    assert!(replayed.outputs > 100, "{replayed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_back_test_over_the_stored_trades_differs_by_named_causes_only() {
    let (place, script) = (Place::new(), Script::new(12, 20_000, 60));
    let node = run(&place, &script, &clock(script.begins())).await;
    assert_eq!(node.stop().await.unwrap().store_lag, 0);
    let (catalog, stored) = place.stored().await;
    assert_eq!(stored, script.trades());
    let listed = catalog.listed(super::support::BTC).unwrap();
    let (from, to) = (script.begins(), script.ends().plus(1));
    let mut events: Vec<Event> = stored.into_iter().map(Event::trade).collect();
    events.extend(place.store.inputs(listed, from, to).await.unwrap());
    for settled in place.store.funding(listed, from, to).await.unwrap() {
        let at = settled.funding_time.plus(60_000_000_000);
        events.push(Event { at, kind: EventKind::Funding(settled) });
    }
    events.sort_by_key(Event::order_key);
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    let mut test = Backtest::new(config(), Registry::builtin(), &mut writer).unwrap();
    events.into_iter().for_each(|event| test.on_event(event, &mut writer));
    test.finish(&mut writer);
    let journal = writer.finish().unwrap();
    let tolerance = Tolerance { time_ms: 500, ..Tolerance::default() };
    let log = LogView::open(&place.log()).unwrap();
    let mut all = Vec::new();
    let found =
        parity(journal.as_slice(), log, tolerance, &mut |each| all.push(each.clone())).unwrap();
    assert_eq!(found.unexplained(), 0, "{all:#?}");
    assert!(found.signals_matched > 50, "{found:#?}");
    assert!(found.entries_matched > 2, "{found:#?}");
    println!(
        "{} differences, all named; {} of {} signals and {} of {} entries equal",
        all.len(),
        found.signals_equal,
        found.signals_matched,
        found.entries_equal,
        found.entries_matched
    );
}
