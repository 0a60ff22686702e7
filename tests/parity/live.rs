//! A back-test against journals as a live run writes them: ticks told later, late trades, commands.

use arb::record::{CauseKind, DifferenceKind as Kind, JournalWriter, Tolerance};
use arb::{Command, Engine, Event, EventKind, Health, Observer, Quote, Registry, Timestamp};

use super::{Case, Ran, Said, compared, field, input, named, within};

/// The engine over these events, the venue's answers among them.
fn replayed(events: &[Event]) -> Ran {
    let mut seen = (JournalWriter::new(Vec::new()).unwrap(), Said::default());
    let (mut engine, mut out) = (Engine::new(Registry::builtin()), Vec::new());
    for event in events {
        seen.event(event);
        engine.on_event(event, &mut out);
        out.drain(..).for_each(|output| seen.output(&output));
    }
    Ran { journal: seen.0.finish().unwrap(), said: seen.1 }
}

fn millis(at: Timestamp, millis: i64) -> Timestamp {
    at.plus(millis * 1_000_000)
}

/// The events of a back-test with the times a live driver would give them: ticks 400 ms late,
/// the others `behind_ms`.
fn live(events: &[Event], behind_ms: i64) -> Vec<Event> {
    let stamp = |event: &Event| {
        let later = match &event.kind {
            EventKind::Tick(_) => 400,
            EventKind::Configure(_) => 0,
            _ => behind_ms,
        };
        Event { at: millis(event.at, later), kind: event.kind.clone() }
    };
    let mut stamped: Vec<Event> = events.iter().map(stamp).collect();
    stamped.sort_by_key(|event| event.at);
    stamped
}

#[test]
fn a_live_journal_equals_its_back_test_within_the_grace() {
    let a = Case::new().run();
    let b = replayed(&live(&a.said.events, 400));
    let strict = compared(&a, &b);
    assert_eq!(strict.count(Kind::SignalLate), a.said.signals.len() as u64, "told 400 ms later");
    assert!(named(&strict).contains(&CauseKind::Grid));
    assert_eq!(strict.unexplained(), 0);
    let (result, all) = within(&a, &b, Tolerance { time_ms: 450, ..Tolerance::default() });
    assert!(result.is_equal(), "{all:?}");
    assert!(!result.identical);
}

#[test]
fn trades_that_come_before_an_older_tick_are_the_grid() {
    let a = Case::new().run();
    let b = replayed(&live(&a.said.events, 40));
    let (result, all) = within(&a, &b, Tolerance { time_ms: 450, ..Tolerance::default() });
    let inputs: Vec<_> = all.iter().filter(|d| d.kind == Kind::SignalInputs).collect();
    assert!(inputs.len() > 20, "the last price is that of a trade behind the grid time");
    assert!(inputs.iter().all(|d| result.causes[d.cause.unwrap()].kind == CauseKind::Grid));
    assert_eq!(result.unexplained(), 0);
}

#[test]
fn a_trade_behind_its_tick_is_late() {
    let a = Case::new().run();
    let mut events = a.said.events.clone();
    // A trade right before a tick, moved behind it; large, so that it is felt.
    let place = (40_000..events.len() - 1)
        .chain(20_000..40_000)
        .find(|at| {
            matches!(events[*at].kind, EventKind::Trade(_))
                && matches!(events[at + 1].kind, EventKind::Tick(_))
        })
        .unwrap();
    events.swap(place, place + 1);
    events[place + 1].at = events[place].at;
    let result = compared(&a, &replayed(&events));
    let trades = CauseKind::Trades { symbol: "LTCUSDT".to_owned() };
    let cause = result.causes.iter().find(|cause| cause.kind == trades).unwrap();
    assert_eq!(cause.shifted, 1, "{:?}", cause.samples);
    assert!(cause.samples[0].b.as_ref().unwrap().ends_with(", late"));
}

#[test]
fn a_missing_tick_is_the_grid() {
    let a = Case::new().run();
    let fired = a.said.signals.values().find(|signal| signal.fired).unwrap().decision.time;
    let events: Vec<Event> = a
        .said
        .events
        .iter()
        .filter(|event| event.kind != EventKind::Tick(fired))
        .filter(|event| !matches!(event.kind, EventKind::Order(_)))
        .cloned()
        .collect();
    let result = compared(&a, &replayed(&events));
    assert!(named(&result).contains(&CauseKind::Grid));
    let grid = result.causes.iter().find(|cause| cause.kind == CauseKind::Grid).unwrap();
    assert_eq!((grid.missing, grid.extra, grid.from), (1, 0, fired));
    let missed = result.rows.iter().find(|row| row.kind == Kind::EntryMissed).unwrap();
    assert_eq!(missed.cause.map(|index| &result.causes[index].kind), Some(&CauseKind::Grid));
}

#[test]
fn a_command_of_the_operator_is_named() {
    let a = Case::new().run();
    let first = *a.said.entries.keys().next().unwrap();
    let mut events: Vec<Event> =
        a.said.events.iter().filter(|e| !matches!(e.kind, EventKind::Order(_))).cloned().collect();
    let place = events.partition_point(|event| event.at < millis(first, -30_000));
    let kind = EventKind::Command(Box::new(Command::Pause));
    events.insert(place, Event { at: millis(first, -30_000), kind });
    let result = compared(&a, &replayed(&events));
    assert_eq!(result.unexplained(), 0);
    assert_eq!(named(&result)[0], CauseKind::Operator { what: "pause".to_owned() });
    assert_eq!(result.count(Kind::RiskExtra), 1);
    assert_eq!(result.count(Kind::EntryMissed), a.said.entries.len() as u64);
}

#[test]
fn what_only_live_has_is_listed_without_an_effect() {
    let a = Case::new().run();
    let mut events = a.said.events.clone();
    let at = events[10_000].at;
    let health = Health::Connection { silent_ms: 12 };
    events.insert(10_001, Event { at, kind: EventKind::Health(health) });
    let quote = Quote {
        instrument: arb::InstrumentId(0),
        ts: at,
        best_bid: "64999".parse().unwrap(),
        best_ask: "65000".parse().unwrap(),
    };
    events.insert(10_002, Event { at, kind: EventKind::Quote(quote) });
    let result = compared(&a, &replayed(&events));
    assert!(result.is_equal(), "{:?}", result.rows);
    let kinds: Vec<_> = result.causes.iter().map(|cause| cause.kind.clone()).collect();
    assert!(kinds.contains(&input("quote")), "{kinds:?}");
    assert!(kinds.contains(&CauseKind::Health { what: "connection".to_owned() }));
}

#[test]
fn an_output_that_no_event_explains_is_unexplained() {
    let a = Case::new().run();
    // The same events, but one recorded decision was lost on the way.
    let mut writer = JournalWriter::new(Vec::new()).unwrap();
    let (mut engine, mut out) = (Engine::new(Registry::builtin()), Vec::new());
    let mut lost = None;
    for event in &a.said.events {
        writer.event(event);
        engine.on_event(event, &mut out);
        for output in out.drain(..) {
            match &output {
                arb::Output::Signal(signal) if lost.is_none() => lost = Some(signal.decision.time),
                _ => writer.output(&output),
            }
        }
    }
    let b = Ran { journal: writer.finish().unwrap(), said: Said::default() };
    let result = compared(&a, &b);
    assert_eq!((result.count(Kind::SignalMissed), result.unexplained()), (1, 1));
    assert_eq!(Some(result.rows[0].examples[0].at), lost);
    assert_eq!(result.rows[0].cause, None);
}

#[test]
fn instruments_are_matched_by_symbol_not_by_number() {
    let a = Case::new().run();
    let mut case = Case::new();
    let mut other = case.config.instruments[0].clone();
    other.spec.symbol = "ETHUSDT".to_owned();
    case.config.instruments.insert(0, other);
    let second = arb::InstrumentId(1);
    for event in &mut case.events {
        match &mut event.kind {
            EventKind::Trade(e) => e.instrument = second,
            EventKind::Input(e) => e.instrument = second,
            EventKind::Funding(e) => e.instrument = second,
            EventKind::Gap(e) => e.instrument = second,
            EventKind::GapAccepted(e) => e.instrument = second,
            other => panic!("{other:?}"),
        }
    }
    let result = compared(&a, &case.run());
    assert!(result.is_equal(), "{:?}", result.rows);
    assert_eq!(result.signals_equal, a.said.signals.len() as u64);
    let kinds: Vec<_> = result.causes.iter().map(|cause| cause.kind.clone()).collect();
    assert_eq!(kinds, [field("instruments[ETHUSDT]")]);
}
