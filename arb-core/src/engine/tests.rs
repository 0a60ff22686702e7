//! The engine by its claims: decisions, orders, commands, reconciliation.

use super::*;
use crate::config::InstrumentConfig;
use crate::event::{Command, Configure, Transfer};
use crate::instrument::Instrument;

mod owners;

fn config() -> EngineConfig {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
}

fn started() -> Engine {
    let mut engine = Engine::new(Registry::builtin());
    let event = config().to_event(Timestamp::EPOCH).unwrap();
    assert!(matches!(send(&mut engine, event).as_slice(), [Output::Configured { .. }]));
    engine
}

fn send(engine: &mut Engine, event: Event) -> Vec<Output> {
    let mut out = Vec::new();
    engine.on_event(&event, &mut out);
    out
}

fn refusal(out: &[Output]) -> String {
    match out {
        [Output::ConfigRefused { message }] => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_configuration_whose_hash_does_not_fit_is_refused() {
    let mut engine = started();
    let bytes = serde_json::to_vec(&config()).unwrap();
    let configure = Configure { bytes, hash: "0".repeat(64) };
    let kind = EventKind::Configure(Box::new(configure));
    let out = send(&mut engine, Event { at: Timestamp::EPOCH, kind });
    assert!(refusal(&out).contains("hash: is not the SHA-256"), "{out:?}");
}

#[test]
fn a_new_configuration_takes_effect_at_the_next_tick() {
    let mut engine = started();
    let text = Registry::builtin_text("v51_baseline").unwrap();
    let next = config().with_strategy("v51_baseline", text).unwrap();
    assert!(send(&mut engine, next.to_event(Timestamp::EPOCH).unwrap()).is_empty());
    let out = send(&mut engine, Event::tick(Timestamp::from_millis(15_000)));
    assert!(matches!(out.as_slice(), [Output::Configured { .. }]), "{out:?}");
}

#[test]
fn instruments_cannot_change_while_the_engine_runs() {
    let mut engine = started();
    let mut other = config();
    other.instruments[0].spec.symbol = "ETHUSDT".to_owned();
    let out = send(&mut engine, other.to_event(Timestamp::EPOCH).unwrap());
    assert!(refusal(&out).contains("cannot change"));
}

#[test]
fn a_strategy_with_a_typo_is_refused_with_its_line() {
    let mut engine = Engine::new(Registry::builtin());
    let text =
        Registry::builtin_text("v51_baseline").unwrap().replace("\"threshold\"", "\"treshold\"");
    let config = config().with_strategy("mine.json", &text).unwrap();
    let message = refusal(&send(&mut engine, config.to_event(Timestamp::EPOCH).unwrap()));
    assert!(message.starts_with("mine.json:15: treshold: unknown field"), "{message}");
}

#[test]
fn events_of_unknown_instruments_are_dropped_and_told() {
    let mut engine = started();
    let trade = Trade {
        instrument: InstrumentId(9),
        taker_side: crate::event::Side::Buy,
        id: 1,
        ts: Timestamp::from_millis(1),
        price: "1".parse().unwrap(),
        qty: "1".parse().unwrap(),
    };
    let expected =
        [Output::Dropped { instrument: InstrumentId(9), reason: DropReason::UnknownInstrument }];
    assert_eq!(send(&mut engine, Event::trade(trade)), expected);
}

#[test]
fn deposits_are_no_profit_and_withdrawals_no_loss() {
    let mut engine = started();
    let at = Timestamp::from_millis(15_000);
    send(&mut engine, Event::tick(at));
    // A withdrawal of half would be a drawdown of 50 % if it counted.
    let amount: Money = "5000".parse().unwrap();
    send(&mut engine, Event { at, kind: EventKind::Transfer(Transfer { amount: -amount }) });
    let out = send(&mut engine, Event::tick(at.plus(15_000_000_000)));
    assert_eq!(out, []);
    assert_eq!(engine.equity(), Some(amount));
    assert_eq!(engine.risk_state(), Some(RiskState::Active));
}

#[test]
fn a_pause_is_lifted_by_resume_and_a_reset_keeps_its_reason() {
    let mut engine = started();
    let mut command = |command| {
        let kind = EventKind::Command(Box::new(command));
        send(&mut engine, Event { at: Timestamp::EPOCH, kind });
        engine.risk_state().unwrap()
    };
    assert_eq!(command(Command::Pause), RiskState::ReduceOnly);
    assert_eq!(command(Command::Reset { reason: "checked".to_owned() }), RiskState::ReduceOnly);
    assert_eq!(command(Command::Resume), RiskState::Active);
}
