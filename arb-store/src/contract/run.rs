//! A run of the engine to be projected, and outputs made by hand.

use std::sync::OnceLock;

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::port::{LogEntry, LogSource, Mode};
use arb_core::{
    Backtest, Bracket, Context, Decision, Direction, EngineConfig, Entry, Event, EventKind,
    ExitRules, Factor, Factors, InstrumentConfig, InstrumentId, Intent, Money, Observer, Output,
    Reason, Registry, RunId, Side, Signal, Strategy, Tier, Timestamp, TradeNote, TradeStatus,
    Transfer,
};

use super::instruments;

/// The stream `node` under an epoch.
#[must_use]
pub fn source(epoch: u64) -> LogSource {
    let (stream, run) = ("node".to_owned(), RunId::BACKTEST);
    LogSource { stream, epoch, run, mode: Mode::Paper }
}

/// A signal with one factor.
#[must_use]
pub fn signal(instrument: InstrumentId, time: Timestamp) -> Signal {
    let mut factors = Factors::default();
    let inputs = [("cvd_30m", Some(0.1 + 0.2)), ("atr", None)];
    factors.push(Factor::new("direction", (12.5, 30.0), &inputs, "takers buy"));
    Signal {
        strategy: "v52_8signals".to_owned(),
        config_hash: "abc".to_owned(),
        fired: true,
        notify: true,
        decision: Decision {
            time,
            instrument,
            direction: Some(Direction::Long),
            score: 1.0 / 3.0,
            tier: Some(Tier::Heavy),
            reason: Reason::Entry,
            price: Some("28140.5".parse().unwrap()),
            factors,
        },
    }
}

/// A trade that is open.
#[must_use]
pub fn trade(id: u64, instrument: InstrumentId, entry_time: Timestamp) -> TradeNote {
    let price = |text: &str| text.parse().unwrap();
    TradeNote {
        id,
        strategy: "v52_8signals".to_owned(),
        instrument,
        direction: Direction::Short,
        tier: None,
        score: 77.7,
        status: TradeStatus::Active,
        entry_time,
        exit_time: None,
        entry_price: price("28140.12345678"),
        exit_price: None,
        qty: "0.123".parse().unwrap(),
        open_qty: "0.123".parse().unwrap(),
        stop_price: price("28200"),
        tp1_price: price("28100"),
        tp2_price: price("28000"),
        pnl: Money::ZERO,
        fee: money("1.23456789"),
        funding: money("-0.00000001"),
        r_trade: money("7.36"),
        r_multiple: None,
    }
}

/// An amount.
#[must_use]
pub fn money(text: &str) -> Money {
    Money::round(text.parse().unwrap())
}

/// Buys whenever it has nothing, so that a short tape has everything an order can live through.
#[derive(Debug)]
struct Eager;

impl Strategy for Eager {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn on_event(&mut self, cx: &Context<'_>, _event: &Event, out: &mut Vec<Intent>) {
        let Some(row) = cx.indicators() else { return };
        let (Some(atr), None) = (row.atr, cx.position()) else { return };
        out.push(Intent::Enter(Box::new(Entry {
            side: Side::Buy,
            bracket: Bracket { atr, rules: ExitRules::standard() },
            risk_r: 1.into(),
            cool_down_ms: 300_000,
            decision: Decision {
                time: cx.now(),
                instrument: cx.instrument(),
                direction: Some(Direction::Long),
                score: 50.0,
                tier: Some(Tier::Standard),
                reason: Reason::Entry,
                price: Some(row.last_price),
                factors: Factors::default(),
            },
        })));
    }
}

/// Keeps what a log would hold of a run, trades excepted.
#[derive(Default)]
struct Log {
    records: Vec<(Event, Vec<Output>)>,
}

impl Observer for Log {
    fn event(&mut self, event: &Event) {
        if self.records.last().is_some_and(|(last, outputs)| {
            outputs.is_empty() && !matches!(last.kind, EventKind::Order(_) | EventKind::Transfer(_))
        }) {
            self.records.pop();
        }
        self.records.push((event.clone(), Vec::new()));
    }

    fn output(&mut self, output: &Output) {
        if let Some((_, outputs)) = self.records.last_mut() {
            outputs.push(output.clone());
        }
    }
}

/// The records of a run of some hours: every event of an order and every event with outputs.
pub fn recorded() -> &'static [(Event, Vec<Output>)] {
    static RUN: OnceLock<Vec<(Event, Vec<Output>)>> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut registry = Registry::builtin();
        registry.register("eager", |_: &str, _: &str| Ok(Box::new(Eager) as Box<dyn Strategy>));
        let spec = instruments().swap_remove(0);
        let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
            .with_strategy("inline", r#"{"kind": "eager", "name": "eager"}"#)
            .unwrap();
        let mut log = Log::default();
        let mut test = Backtest::new(config, registry, &mut log).unwrap();
        for trade in TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(1_500_000) {
            test.on_trade(&trade, &mut log);
        }
        test.finish(&mut log);
        let at = log.records.last().unwrap().0.at;
        let deposit = EventKind::Transfer(Transfer { amount: money("-12.5") });
        log.records.push((Event { at, kind: deposit }, Vec::new()));
        log.records
    })
}

/// Records as log entries, numbered in steps of ten from `first`.
#[must_use]
pub fn entries(records: &[(Event, Vec<Output>)], first: u64) -> Vec<LogEntry<'_>> {
    let numbered = (0..).zip(records);
    numbered
        .map(|(at, (event, outputs))| LogEntry { seq: first + at * 10, event, outputs })
        .collect()
}
