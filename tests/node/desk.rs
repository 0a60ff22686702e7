//! A process without an engine sees the node through the store, and is heard by it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arb::desk::{DeskOptions, StoredDesk};
use arb::node::{Handle, Node, ScaledClock};
use arb::port::{
    Answer, Clock, ComponentState, Cursor, Desk, MeasureValue, NewRequest, Note, Notes, Request,
    RequestState, Store,
};
use arb::record::log::{LogCursor, LogRecord};
use arb::{Book, Command, Event, EventKind, RiskState, StoreError, Timestamp};
use serde_json::Value;

use super::support::{Pace, Place, Script, StepClock, config};

const START: Timestamp = Timestamp::from_millis(1_717_200_000_000);

async fn desk(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> StoredDesk {
    StoredDesk::open(DeskOptions::new(Arc::clone(store), Arc::clone(clock))).await.unwrap()
}

/// The next notes, at most `count`.
async fn some(mut notes: Notes, count: usize) -> Vec<Note> {
    let mut all = Vec::new();
    while all.len() < count {
        let next = std::future::poll_fn(|cx| notes.as_mut().poll_next(cx)).await;
        let Some(note) = next else { break };
        all.push(note);
    }
    all
}

/// Equal but for the last bits of floating-point numbers.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            (x - y).abs() <= 4.0 * f64::EPSILON * x.abs()
        }
        _ => a == b,
    }
}

fn shows_the_same(live: &Handle, stored: &StoredDesk) {
    let [a, b] = [live.snapshot(), stored.snapshot()];
    let json = |view| serde_json::to_value(view).unwrap();
    assert!(is_same(&json(&*a), &json(&*b)), "{a:#?}\n{b:#?}");
    assert!(!b.rules.is_empty() && !b.rows.is_empty() && b.instruments.len() == 1);
    let [da, db] = [live.decisions(), stored.decisions()].map(|d| serde_json::to_value(d).unwrap());
    assert!(is_same(&da, &db), "{da}\n{db}");
    assert_eq!(da.as_array().unwrap().len(), 1);
    let [ra, rb] = [&a.rates, &b.rates].map(|rates| {
        rates.iter().map(|rate| (rate.instrument, rate.mark_price)).collect::<Vec<_>>()
    });
    assert_eq!(ra, rb);
    assert_eq!(rb.len(), 1);
}

/// A node over a whole tape, and what a desk makes of its store.
async fn sees_what_the_node_sees(
    place: &Place,
    other: &Arc<dyn Store>,
    pace: Pace,
    script: Script,
) {
    let clock = pace.clock();
    let mut options = place.options(config(), &clock);
    options.feeds = vec![script.paced(&pace)];
    options.flush_every = Duration::from_millis(100);
    let mut node = Node::start(options).await.unwrap();
    let stored = desk(other, &clock).await;
    node.feeds_ended().await;
    // A command makes the node gather what it shows anew.
    stored.command(Command::Pause).await.unwrap();
    let live = node.handle();
    assert_eq!(node.stop().await.unwrap().store_lag, 0);
    while stored.snapshot().seq < live.snapshot().seq {
        stored.refresh().await;
    }
    shows_the_same(&live, &stored);
    assert_eq!(stored.snapshot().risk_state, RiskState::ReduceOnly);
    let told = some(live.notes(0), usize::MAX).await;
    assert!(told.len() > 100 && told.len() < 10_000, "{}", told.len());
    assert_eq!(some(stored.notes(0), told.len()).await, told);
    let middle = told[told.len() / 2].seq;
    let rest: Vec<Note> = told.into_iter().filter(|note| note.seq > middle).collect();
    assert_eq!(some(live.notes(middle), usize::MAX).await, rest);
    assert_eq!(some(stored.notes(middle), rest.len()).await, rest);
}

#[tokio::test(start_paused = true)]
async fn a_desk_over_the_store_shows_what_the_node_shows() {
    let (place, script) = (Place::new(), Script::new(41, 6_000, 40));
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(script.begins(), 1));
    sees_what_the_node_sees(&place, &place.store, Pace::Wait(clock), script).await;
}

#[cfg(feature = "sqlite")]
async fn opened_again(folder: &Path) -> Arc<dyn Store> {
    Arc::new(arb::sqlite::SqliteOptions::new(folder.join("arb.db")).open().await.unwrap())
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_desk_over_the_same_file_shows_what_the_node_shows() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::with_file(folder.path()).await;
    let other = opened_again(folder.path()).await;
    let script = Script::new(42, 6_000, 40);
    let pace = StepClock::pace(script.begins());
    sees_what_the_node_sees(&place, &other, pace, script).await;
}

/// The events of the log with their numbers.
fn events(log: &Path) -> Vec<(u64, Event)> {
    let mut cursor = LogCursor::new(log, 0);
    let mut all = Vec::new();
    while let Ok(Some(record)) = cursor.next(u64::MAX) {
        if let LogRecord::Event(event) = record {
            all.push((cursor.last(), event));
        }
    }
    all
}

/// The commands of the log with their numbers.
fn commands(place: &Place) -> Vec<(u64, Command)> {
    let commands = events(&place.log()).into_iter().filter_map(|(seq, event)| match event.kind {
        EventKind::Command(command) => Some((seq, *command)),
        _ => None,
    });
    commands.collect()
}

/// A node without feeds, whose time runs 60 times as fast as the clock of the machine.
async fn idle(place: &Place) -> (Node, Arc<dyn Clock>) {
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(START, 60));
    let mut options = place.options(config(), &clock);
    options.flush_every = Duration::from_millis(5);
    (Node::start(options).await.unwrap(), clock)
}

async fn is_heard(place: &Place, other: &Arc<dyn Store>) {
    let (node, clock) = idle(place).await;
    let stored = desk(other, &clock).await;
    let pause = stored.command(Command::Pause).await.unwrap();
    // Who has the receipt sees what came of it.
    assert!(stored.snapshot().seq >= pause.seq);
    assert_eq!(stored.snapshot().risk_state, RiskState::ReduceOnly);
    assert_eq!(node.handle().snapshot().risk_state, RiskState::ReduceOnly);
    let flatten = Command::Flatten(Some(Book::Directional));
    let flat = stored.command(flatten.clone()).await.unwrap();

    let mut settings = stored.snapshot().settings.clone();
    assert!(!settings.enabled);
    settings.tier_multiplier.light = 1.into();
    let refused = stored.configure(settings.clone()).await.unwrap_err();
    assert_eq!(refused.field, "tier_multiplier.light");
    settings.tier_multiplier.light = 0.into();
    (settings.enabled, settings.max_positions) = (true, 2);
    let changed = stored.configure(settings.clone()).await.unwrap();
    // They are in force from the next tick on.
    while stored.snapshot().settings != settings {
        stored.refresh().await;
    }
    assert_eq!(node.handle().snapshot().settings, settings);
    node.stop().await.unwrap();
    let given = commands(place);
    let expected = [(pause.seq, Command::Pause), (flat.seq, flatten)];
    assert_eq!(given[..2], expected);
    assert_eq!(given[2..].iter().map(|(_, c)| c).collect::<Vec<_>>(), [&Command::Resume]);
    let configured = events(&place.log()).into_iter().find(|(seq, _)| *seq == changed.seq);
    assert!(matches!(configured.unwrap().1.kind, EventKind::Configure(_)));
}

#[tokio::test(start_paused = true)]
async fn commands_and_settings_reach_the_engine_through_the_store() {
    let place = Place::new();
    is_heard(&place, &place.store).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn commands_and_settings_reach_the_engine_through_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::with_file(folder.path()).await;
    is_heard(&place, &opened_again(folder.path()).await).await;
}

fn flatten(id: &str, valid_for: Duration) -> NewRequest {
    NewRequest {
        id: id.to_owned(),
        stream: "node".to_owned(),
        asked_by: "test".to_owned(),
        request: Request::Command(Command::Flatten(None)),
        valid_for,
    }
}

/// Without a node, and then with one that must not do what was asked before.
async fn is_not_done_later(place: &Place, other: &Arc<dyn Store>) {
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(START, 1));
    let options = DeskOptions::new(Arc::clone(other), clock);
    let patience = Duration::from_millis(300);
    let lonely = StoredDesk::open(DeskOptions { patience, ..options }).await.unwrap();
    assert_eq!(lonely.snapshot().seq, 0);
    let feed = lonely.health().into_iter().find(|part| part.name == "feed").unwrap();
    assert_eq!(feed.state, ComponentState::Degraded);
    assert!(feed.detail.contains("no node has shown itself"), "{}", feed.detail);

    let error = lonely.command(Command::Flatten(None)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("no node has taken it within 0.3 s"), "{error}");
    let settings = lonely.snapshot().settings.clone();
    let error = lonely.configure(settings).await.unwrap_err();
    assert!(error.message.contains("no node has taken it"), "{error}");
    // Somebody asked and died before it could take that back.
    other.ask(&flatten("late", Duration::ZERO)).await.unwrap();

    let (node, clock) = idle(place).await;
    let stored = desk(other, &clock).await;
    let resumed = stored.command(Command::Resume).await.unwrap();
    let late = other.request("late").await.unwrap().unwrap();
    assert_eq!(late.state, RequestState::Answered(Answer::Expired));
    node.stop().await.unwrap();
    assert_eq!(commands(place), [(resumed.seq, Command::Resume)]);
    let configured = |(_, event): &(u64, Event)| matches!(event.kind, EventKind::Configure(_));
    assert_eq!(events(&place.log()).iter().filter(|each| configured(each)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_took_in_time_is_never_done() {
    let place = Place::new();
    is_not_done_later(&place, &place.store).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn what_nobody_took_from_the_file_in_time_is_never_done() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::with_file(folder.path()).await;
    is_not_done_later(&place, &opened_again(folder.path()).await).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_had_taken_is_told_to_be_lost_and_not_done_again() {
    let place = Place::new();
    let hour = Duration::from_hours(1);
    let gone = place.store.hold("node", "run gone", Duration::ZERO).await.unwrap().unwrap();
    place.store.ask(&flatten("taken", hour)).await.unwrap();
    assert_eq!(place.store.take("node", gone.epoch, 1).await.unwrap().len(), 1);
    let (node, clock) = idle(&place).await;
    let stored = desk(&place.store, &clock).await;
    let resumed = stored.command(Command::Resume).await.unwrap();
    let taken = place.store.request("taken").await.unwrap().unwrap();
    assert_eq!(taken.state, RequestState::Answered(Answer::Lost));
    node.stop().await.unwrap();
    assert_eq!(commands(&place), [(resumed.seq, Command::Resume)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_ended_is_told_with_the_time_it_was_last_seen() {
    let (place, script) = (Place::new(), Script::new(43, 500, 40));
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(script.begins(), 1));
    let mut options = place.options(config(), &clock);
    options.feeds = vec![script.feed(&clock)];
    let mut node = Node::start(options).await.unwrap();
    node.feeds_ended().await;
    node.stop().await.unwrap();
    let stored = desk(&place.store, &clock).await;
    let part = |name: &str| stored.health().into_iter().find(|part| part.name == name).unwrap();
    let age = || match stored.measures().into_iter().find(|m| m.name == "arb_view_age_seconds") {
        Some(arb::port::Measure { value: MeasureValue::Number(age), .. }) => age,
        other => panic!("{other:?}"),
    };
    assert_eq!(part("executor").state, ComponentState::Ok, "as the node found it");
    assert!(age() < 30.0, "{}", age());
    tokio::time::advance(Duration::from_secs(100)).await;
    for name in ["feed", "executor"] {
        let part = part(name);
        assert_eq!(part.state, ComponentState::Degraded);
        let secs = part.detail.strip_prefix("the node was last seen ").unwrap();
        let secs: u32 = secs.strip_suffix(" s ago").unwrap().parse().unwrap();
        assert!((100..130).contains(&secs), "{secs}");
    }
    assert!((100.0..130.0).contains(&age()), "{}", age());
    assert_eq!(part("store").state, ComponentState::Ok);
}

#[tokio::test(start_paused = true)]
async fn notes_go_on_behind_any_record_of_any_life_of_the_node() {
    let place = Place::new();
    let mut told = Vec::new();
    for _ in 0..4 {
        let (node, _) = idle(&place).await;
        let live = node.handle();
        for command in [Command::Pause, Command::Halt { reason: "test".to_owned() }] {
            live.command(command).await.unwrap();
        }
        live.command(Command::Reset { reason: "test".to_owned() }).await.unwrap();
        node.stop().await.unwrap();
        told = some(live.notes(0), usize::MAX).await;
    }
    let rows = place.store.live_events("node", Cursor::default(), 1_000).await.unwrap();
    let epochs: std::collections::BTreeSet<u64> = rows.iter().map(|row| row.cursor.epoch).collect();
    assert_eq!(epochs.len(), 4, "each life has an epoch of its own");
    assert_eq!(rows.len(), told.len());
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(START, 1));
    let stored = desk(&place.store, &clock).await;
    let last = told.last().unwrap().seq;
    for after in 0..last {
        let rest: Vec<&Note> = told.iter().filter(|note| note.seq > after).collect();
        let read = some(stored.notes(after), rest.len()).await;
        assert_eq!(read.iter().collect::<Vec<_>>(), rest, "after {after}");
    }
}
