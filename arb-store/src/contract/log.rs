//! Claims about the projection of the log.

use std::time::Duration;

use arb_core::port::{Cursor, LogEntry, Mode, OrderRow, Page, SignalFilter, Store, TradeFilter};
use arb_core::{
    Event, EventKind, OrderState, OrderStatus, OrderUpdate, Output, StoreError, Timestamp,
};

use super::run::{entries, money, recorded, signal, source};
use super::{BTC, ETH, START, catalog, listed};

const ALL: Page = Page::first(100_000);

/// Orders, fills, signals, trades and the live events of a whole run against its outputs.
pub async fn a_run_is_projected_as_the_engine_told_it(store: &impl Store) {
    let catalog = catalog(store).await;
    let run = recorded();
    let log = entries(run, 1);
    for some in log.chunks(37) {
        store.append_log(&source(1), &catalog, some).await.unwrap();
    }
    let seq = log.last().unwrap().seq;
    assert_eq!(store.cursor("node").await.unwrap(), Some(Cursor { epoch: 1, seq }));
    assert_eq!(store.cursor("other").await.unwrap(), None);
    signals_and_trades(store, run, listed(&catalog, BTC).key).await;
    orders_and_fills(store, run).await;
    let transfers = store.transfers(Mode::Paper, ALL).await.unwrap();
    assert_eq!(transfers.iter().map(|row| row.amount).collect::<Vec<_>>(), [money("-12.5")]);
    let told: usize = run.iter().map(|(_, outputs)| outputs.len()).sum();
    let notes = store.live_events("node", Cursor::default(), 1 << 30).await.unwrap();
    assert_eq!(notes.len(), told);
    for (kind, body) in notes.iter().map(|note| (note.kind.as_str(), &note.body)) {
        let named = body.contains("\"um:BTCUSDT\"");
        assert_eq!(named, !matches!(kind, "risk" | "configured"), "{kind}: {body}");
    }
}

type Run = [(Event, Vec<Output>)];

fn outputs(run: &Run) -> impl Iterator<Item = &Output> {
    run.iter().flat_map(|(_, outputs)| outputs)
}

async fn signals_and_trades(store: &impl Store, run: &Run, btc: arb_core::port::InstrumentKey) {
    let mut told: Vec<_> = outputs(run)
        .filter_map(|output| match output {
            Output::Signal(s) => Some((s.decision.time, s.fired, s.decision.reason.to_string())),
            _ => None,
        })
        .collect();
    told.reverse();
    let rows = store.signals(&SignalFilter::default(), ALL).await.unwrap();
    assert!(rows.iter().all(|row| row.instrument == btc && row.strategy == "eager"));
    let stored: Vec<_> = rows.into_iter().map(|row| (row.time, row.fired, row.reason)).collect();
    assert!(told.len() > 20, "{}", told.len());
    assert_eq!(stored, told);

    let mut last = std::collections::BTreeMap::new();
    for output in outputs(run) {
        if let Output::Trade(note) = output {
            last.insert(note.id, note);
        }
    }
    assert!(last.len() > 5, "{}", last.len());
    let rows = store.own_trades(&TradeFilter::all(Mode::Paper), ALL).await.unwrap();
    assert_eq!(rows.len(), last.len());
    for row in rows {
        let note = last[&row.trade];
        assert_eq!((row.status, row.qty, row.open_qty), (note.status, note.qty, note.open_qty));
        assert_eq!((row.pnl, row.fee, row.r_trade), (note.pnl, note.fee, note.r_trade));
        assert_eq!((row.r_multiple, row.exit_price), (note.r_multiple, note.exit_price));
        assert_eq!(row.entry_time, Timestamp::from_millis(note.entry_time.as_millis()));
    }
    let live = store.own_trades(&TradeFilter::all(Mode::Live), ALL).await.unwrap();
    assert!(live.is_empty());
}

async fn orders_and_fills(store: &impl Store, run: &Run) {
    let mut states = std::collections::BTreeMap::new();
    let mut fills = Vec::new();
    for (event, outputs) in run {
        if let EventKind::Order(order) = &event.kind {
            let id = order.id.to_string();
            if let OrderUpdate::Filled(fill) = order.update {
                fills.push((id.clone(), fill.price, fill.qty, fill.fee, fill.ts));
            }
            if let Some(state) = states.get_mut(&id) {
                OrderState::apply(state, &order.update);
            }
        }
        for output in outputs {
            if let Output::Submit(approved) = output {
                let order = *approved.order();
                states.insert(order.id.to_string(), OrderState::submitted(order));
            }
        }
    }
    let rows = store.orders(Mode::Paper, ALL).await.unwrap();
    assert_eq!(rows.len(), states.len());
    assert!(rows.iter().any(|row| row.status == OrderStatus::Done));
    for row in rows {
        let OrderRow { client_id, side, qty, kind, effect, status, filled, .. } = row;
        let state = states[&client_id];
        let order = state.order;
        assert_eq!((side, qty, kind), (order.side, order.qty, order.kind), "{client_id}");
        assert_eq!((effect, status, filled), (order.effect, state.status, state.filled));
    }
    let stored = store.fills(Mode::Paper, ALL).await.unwrap();
    let mut stored: Vec<_> = stored
        .into_iter()
        .map(|row| (row.client_id, row.price, row.qty, row.fee, row.ts))
        .collect();
    stored.sort();
    fills.sort();
    assert_eq!(stored, fills);
}

/// Overlapping slices, as after a crash between writing and noting where.
pub async fn records_are_projected_once(store: &impl Store) {
    let catalog = catalog(store).await;
    let log = entries(recorded(), 1);
    let log = &log[..log.len().min(200)];
    let source = source(3);
    for (from, to) in [(0, 80), (0, 80), (40, 120), (119, log.len()), (10, 20)] {
        store.append_log(&source, &catalog, &log[from..to]).await.unwrap();
    }
    let told: usize = log.iter().map(|entry| entry.outputs.len()).sum();
    let notes = store.live_events("node", Cursor::default(), 1 << 30).await.unwrap();
    assert_eq!(notes.len(), told);
    let fills = log.iter().filter(|entry| {
        matches!(&entry.event.kind, EventKind::Order(o) if matches!(o.update, OrderUpdate::Filled(_)))
    });
    assert_eq!(store.fills(Mode::Paper, ALL).await.unwrap().len(), fills.count());
    let seq = log.last().unwrap().seq;
    assert_eq!(store.cursor("node").await.unwrap(), Some(Cursor { epoch: 3, seq }));
}

fn one_signal(at: i64) -> (Event, [Output; 1]) {
    let at = START.plus(at);
    (Event::tick(at), [Output::Signal(Box::new(signal(BTC, at)))])
}

/// A holder that came back from a pause must not write.
pub async fn an_older_epoch_is_fenced(store: &impl Store) {
    let catalog = catalog(store).await;
    let (event, outputs) = one_signal(0);
    let entry = |seq| [LogEntry { seq, event: &event, outputs: &outputs }];
    store.append_log(&source(2), &catalog, &entry(10)).await.unwrap();
    store.append_log(&source(4), &catalog, &entry(1)).await.unwrap();
    let error = store.append_log(&source(2), &catalog, &entry(11)).await.unwrap_err();
    let StoreError::Fenced { stream, epoch, current } = &error else { panic!("{error}") };
    assert_eq!((stream.as_str(), *epoch, *current), ("node", 2, 4));
    assert_eq!(store.signals(&SignalFilter::default(), ALL).await.unwrap().len(), 2);
    assert_eq!(store.cursor("node").await.unwrap(), Some(Cursor { epoch: 4, seq: 1 }));
}

/// Taking the lease is enough; the new holder need not have written.
pub async fn a_lease_fences_before_its_holder_writes(store: &impl Store) {
    let catalog = catalog(store).await;
    let (event, outputs) = one_signal(0);
    let entry = |seq| [LogEntry { seq, event: &event, outputs: &outputs }];
    let old = store.hold("node", "a", Duration::ZERO).await.unwrap().unwrap();
    store.append_log(&source(old.epoch), &catalog, &entry(1)).await.unwrap();
    let new = store.hold("node", "b", Duration::from_hours(1)).await.unwrap().unwrap();
    let error = store.append_log(&source(old.epoch), &catalog, &entry(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    store.append_log(&source(new.epoch), &catalog, &entry(2)).await.unwrap();
}

/// Neither equal nor falling; nothing of the slice is written.
pub async fn log_numbers_must_ascend(store: &impl Store) {
    let catalog = catalog(store).await;
    let (event, outputs) = one_signal(0);
    let entries = [5, 6, 6].map(|seq| LogEntry { seq, event: &event, outputs: &outputs });
    let error = store.append_log(&source(1), &catalog, &entries).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error}");
    assert_eq!(store.cursor("node").await.unwrap(), None);
    assert!(store.signals(&SignalFilter::default(), ALL).await.unwrap().is_empty());
}

/// A reader that goes on from the last cursor sees every output once.
pub async fn live_events_are_read_by_whole_records(store: &impl Store) {
    let catalog = catalog(store).await;
    let event = Event::tick(START);
    let many: Vec<Output> = (0..10).map(|_| Output::Quarantined { instrument: ETH }).collect();
    for (seq, count) in (1..).zip([1, 3, 0, 10, 2]) {
        let outputs = &many[..count];
        let entries = [LogEntry { seq, event: &event, outputs }];
        store.append_log(&source(1), &catalog, &entries).await.unwrap();
    }
    let entries = [LogEntry { seq: 1, event: &event, outputs: &many[..1] }];
    store.append_log(&source(2), &catalog, &entries).await.unwrap();
    for limit in [1, 2, 4, 100] {
        let (mut after, mut seen) = (Cursor::default(), Vec::new());
        loop {
            let notes = store.live_events("node", after, limit).await.unwrap();
            let Some(last) = notes.last() else { break };
            after = last.cursor;
            seen.extend(notes.into_iter().map(|n| (n.cursor.epoch, n.cursor.seq, n.ordinal)));
        }
        let counts = [(1, 1, 1), (1, 2, 3), (1, 4, 10), (1, 5, 2), (2, 1, 1)];
        let all =
            counts.into_iter().flat_map(|(epoch, seq, n)| (0..n).map(move |o| (epoch, seq, o)));
        assert_eq!(seen, all.collect::<Vec<_>>(), "limit {limit}");
    }
    for limit in [1, 3, 100] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let notes = store.newest_events("node", before, limit).await.unwrap();
            assert!(notes.len() <= limit);
            let Some(last) = notes.last() else { break };
            before = Some((last.cursor, last.ordinal));
            seen.extend(notes);
        }
        seen.reverse();
        let all = store.live_events("node", Cursor::default(), 1 << 30).await.unwrap();
        assert_eq!(seen, all, "newest first by {limit}");
    }
    assert!(store.newest_events("other", None, 9).await.unwrap().is_empty());
    let notes = store.live_events("node", Cursor::default(), 1).await.unwrap();
    assert_eq!(notes[0].kind, "quarantined");
    assert_eq!(notes[0].body, r#"{"instrument":"um:ETHUSDT"}"#);
    assert!(store.live_events("other", Cursor::default(), 9).await.unwrap().is_empty());
}
