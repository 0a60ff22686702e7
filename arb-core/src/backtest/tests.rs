//! Whole trades, worked by hand.
//!
//! The account has 10,000 quote and risks 200 (one R) a trade; taker 5 bps, maker 2 bps, slippage
//! 1 bp, spread 1 bp. Tick 0.1, lot 0.001. The scripted strategy enters at the first tick with an
//! ATR of 100, so the stop distance is max(2 × 100, 30 bps of 60,000 = 180, 0.5, 18) = 200.

use rust_decimal::Decimal;

mod carry;

use super::*;
use crate::event::{Command, Direction, FundingSettled, Side};
use crate::instrument::{Instrument, InstrumentId};
use crate::num::Qty;
use crate::order::{Effect, OrderKind};
use crate::output::TradeStatus;
use crate::risk::RiskState;
use crate::strategy::{
    Bracket, Context, Decision, Entry, ExitRules, Factors, Intent, Reason, Strategy, Tier,
};
use crate::{InstrumentConfig, Price};

/// One millisecond after a grid time, so that the first tick is 15 seconds later.
const START_MS: i64 = 1_700_000_100_001;

#[derive(Debug)]
struct Scripted {
    direction: Direction,
    done: bool,
}

impl Strategy for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn on_event(&mut self, cx: &Context<'_>, _: &Event, out: &mut Vec<Intent>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let rules = ExitRules::standard();
        let decision = Decision {
            time: cx.now(),
            instrument: cx.instrument(),
            direction: Some(self.direction),
            score: 80.0,
            tier: Some(Tier::Standard),
            reason: Reason::Entry,
            price: cx.market().last_price(),
            factors: Factors::default(),
        };
        out.push(Intent::Enter(Box::new(Entry {
            side: self.direction.entry_side(),
            bracket: Bracket { atr: 100.0, rules },
            risk_r: 1.into(),
            cool_down_ms: 600_000,
            decision,
        })));
    }
}

/// A back-test with the scripted strategy, and a tape written trade by trade.
struct Story {
    test: Backtest,
    seen: (Recorder, Outputs),
    next_id: u64,
}

#[derive(Default)]
struct Outputs(Vec<Output>, Vec<Event>);

impl Observer for Outputs {
    fn output(&mut self, output: &Output) {
        self.0.push(output.clone());
    }

    fn event(&mut self, event: &Event) {
        self.1.push(event.clone());
    }
}

impl Story {
    fn new(direction: Direction) -> Self {
        Self::with(direction, |_| ())
    }

    fn with(direction: Direction, change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut registry = Registry::builtin();
        registry.register("scripted", move |_: &str, _: &str| {
            Ok(Box::new(Scripted { direction, done: false }) as Box<dyn Strategy>)
        });
        let spec =
            Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
        let text = r#"{"kind": "scripted", "name": "scripted"}"#;
        let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
            .with_strategy("scripted.json", text)
            .unwrap();
        change(&mut config);
        let mut seen = (Recorder::default(), Outputs::default());
        let test = Backtest::new(config, registry, &mut seen).unwrap();
        let mut story = Self { test, seen, next_id: 1 };
        // Ten trades of 1 BTC before the decision at START + 15 s: participation allows 1 BTC.
        for second in 0..10 {
            story.trade(second * 1_000, "60000");
        }
        story
    }

    /// One BTC at `price`, `ms` after the start.
    fn trade(&mut self, ms: i64, price: &str) {
        let trade = Trade {
            instrument: InstrumentId(0),
            taker_side: Side::Buy,
            id: self.next_id,
            ts: Timestamp::from_millis(START_MS + ms),
            price: price.parse().unwrap(),
            qty: "1".parse().unwrap(),
        };
        self.next_id += 1;
        self.test.on_trade(&trade, &mut self.seen);
    }

    fn send(&mut self, ms: i64, kind: EventKind) {
        let at = Timestamp::from_millis(START_MS + ms);
        self.test.on_event(Event { at, kind }, &mut self.seen);
    }

    fn end(mut self) -> (TradeNote, Vec<Output>, Vec<Event>, Backtest) {
        self.test.finish(&mut self.seen);
        let note = self.seen.0.trades.into_values().next().expect("a trade");
        (note, self.seen.1.0, self.seen.1.1, self.test)
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

#[test]
fn a_long_takes_its_first_target_and_ends_at_the_break_even_stop() {
    let mut story = Story::new(Direction::Long);
    // Decided at 15 s, it acts at 15 s + 400 ms grace + 250 ms latency: the trade at 15.5 s is too
    // early, the one at 16 s fills at 60000 × (1 + 0.5 bp + 1 bp) = 60009.0.
    // Budget 200 ÷ 200 = 1 BTC; net notional 3 × 10,000 at the collar price 60,600 allows
    // 30000 ÷ 60600 = 0.49504…, floored to 0.495.
    story.trade(15_500, "60001");
    story.trade(16_000, "60000");
    // Stop 60009 − 200 = 59809.0, targets 60009 + 150 = 60159.0 and 60009 + 300 = 60309.0.
    // At the limit nothing fills; strictly through fills floor(0.495 ÷ 2) = 0.247 at the limit.
    story.trade(20_000, "60159");
    story.trade(21_000, "60159.1");
    // Break-even 60009 × (1 + 0.05 % + 0.05 % + 0.01 %) = 60075.0099, rounded up to 60075.1.
    // The trade at 60075.0 triggers it and fills 0.248 at 60075 × (1 − 1 bp) = 60068.9925, down
    // to 60068.9.
    story.trade(22_000, "60100");
    story.trade(23_000, "60075");
    let (note, ..) = story.end();
    assert_eq!(note.status, TradeStatus::SlBe);
    assert_eq!(note.entry_time, Timestamp::from_millis(START_MS + 16_000));
    assert_eq!(note.exit_time, Some(Timestamp::from_millis(START_MS + 23_000)));
    assert_eq!((note.qty, note.open_qty), ("0.495".parse().unwrap(), Qty::ZERO));
    assert_eq!(note.entry_price, price("60009"));
    assert_eq!((note.tp1_price, note.tp2_price), (price("60159"), price("60309")));
    assert_eq!(note.r_trade, money("99"), "200 × 0.495");
    // 150 × 0.247 + 59.9 × 0.248.
    assert_eq!(note.pnl, money("37.05") + money("14.8552"));
    // 60009 × 0.495 × 5 bps + 60159 × 0.247 × 2 bps + 60068.9 × 0.248 × 5 bps.
    assert_eq!(note.fee, money("14.8522275") + money("2.9718546") + money("7.4485436"));
    let r = note.r_multiple.unwrap();
    assert!((r - 26.632_574_3 / 99.0).abs() < 1e-12, "{r}");
}

#[test]
fn a_short_receives_funding_and_takes_both_targets() {
    let mut story = Story::new(Direction::Short);
    // Fills at 60000 × (1 − 1.5 bp) = 59991.0; stop 60191, targets 59841 and 59691.
    // Sells are limited by the present price 60000: 30000 ÷ 60000 = 0.5, exactly.
    story.trade(16_000, "60000");
    // Longs pay a positive rate: −(−0.5) × 60000 × 0.0001 = 3 received. The record of the
    // settlement comes a minute later.
    let funding_time = Timestamp::from_millis(START_MS + 20_000);
    let (rate, mark_price) = ("0.0001".parse().unwrap(), Some(price("60000")));
    let instrument = InstrumentId(0);
    let settled = FundingSettled { instrument, funding_time, rate, mark_price };
    story.send(80_000, EventKind::Funding(settled));
    story.trade(81_000, "59840.9");
    // Break-even 59991 × (1 − 0.11 %) + 3 ÷ 0.5 = 59931.0099, rounded down to 59931.0.
    story.trade(82_000, "59800");
    story.trade(83_000, "59690.9");
    let (note, outputs, _, test) = story.end();
    assert_eq!(note.status, TradeStatus::Tp);
    assert_eq!((note.entry_price, note.qty), (price("59991"), "0.5".parse().unwrap()));
    let stops: Vec<Price> = outputs.iter().filter_map(stop_price).collect();
    assert_eq!(stops, [price("60191"), price("59931")]);
    assert_eq!(note.funding, money("-3"));
    assert_eq!(note.pnl, money("37.5") + money("75"), "150 × 0.25 + 300 × 0.25");
    // 59991 × 0.5 × 5 bps + 59841 × 0.25 × 2 bps + 59691 × 0.25 × 2 bps.
    assert_eq!(note.fee, money("14.99775") + money("2.99205") + money("2.98455"));
    let net = note.pnl - note.fee - note.funding;
    assert_eq!(test.engine().equity(), Some(money("10000") + net));
    assert!((note.r_multiple.unwrap() - net.to_f64_lossy() / 100.0).abs() < 1e-12);
}

fn stop_price(output: &Output) -> Option<Price> {
    match output {
        Output::Submit(approved) => match approved.order().kind {
            OrderKind::StopMarket { stop_price, .. } => Some(stop_price),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_gap_through_the_stop_fills_at_the_first_trade_beyond() {
    let mut story = Story::new(Direction::Long);
    story.trade(16_000, "60000");
    story.trade(17_000, "60000");
    // The stop rests at 59809; the next trade is at 59500 and fills at 59500 × (1 − 1 bp) =
    // 59494.05, down to 59494.0.
    story.trade(20_000, "59500");
    let (note, ..) = story.end();
    assert_eq!(note.status, TradeStatus::Sl);
    assert_eq!(note.exit_price, Some(price("59494")));
    assert!(note.r_multiple.unwrap() < -2.5);
}

#[test]
fn a_trade_that_outlives_its_time_is_closed_at_market() {
    let mut story = Story::new(Direction::Long);
    for minute in 0..62 {
        story.trade(16_000 + minute * 60_000, "60000");
    }
    let (note, ..) = story.end();
    assert_eq!(note.status, TradeStatus::Timeout);
    // Entered at 16 s, it is old enough at the tick of 1 h 30 s; the next trade comes at 61:16.
    assert_eq!(note.exit_time, Some(Timestamp::from_millis(START_MS + 16_000 + 61 * 60_000)));
}

#[test]
fn a_position_open_at_the_end_has_no_exit() {
    let mut story = Story::new(Direction::Long);
    story.trade(16_000, "60000");
    story.trade(17_000, "60000");
    let (note, ..) = story.end();
    assert_eq!((note.status, note.exit_time), (TradeStatus::Active, None));
    assert_eq!(note.r_multiple, None);
}

#[test]
fn a_daily_loss_halts_and_flattens_and_only_an_operator_resets() {
    let mut story = Story::with(Direction::Long, |config| config.risk.daily_loss_r = Decimal::ONE);
    story.trade(16_000, "60000");
    story.trade(17_000, "60000");
    // No stop is hit at 59810, but with slippage and fees the day is not yet 200 down; a mark of
    // 59500 is: 0.495 × 509 + 14.85 = 266.8.
    let mark = crate::event::Mark {
        instrument: InstrumentId(0),
        ts: Timestamp::from_millis(START_MS + 29_000),
        mark_price: price("59500"),
        index_price: None,
    };
    story.send(29_000, EventKind::Mark(mark));
    story.trade(29_500, "59900");
    story.trade(31_000, "59900");
    story.trade(31_500, "59900");
    assert_eq!(story.test.engine().risk_state(), Some(RiskState::Halted));
    let reset = Command::Reset { reason: "looked at it".to_owned() };
    story.send(40_000, EventKind::Command(Box::new(reset)));
    story.trade(41_000, "59900");
    assert_eq!(story.test.engine().risk_state(), Some(RiskState::Active));
    let (note, ..) = story.end();
    assert_eq!(note.status, TradeStatus::Flatten);
}

#[test]
fn a_position_is_closed_a_day_before_delivery() {
    let delivery = Timestamp::from_millis(START_MS + 24 * 3_600_000 + 30_000);
    let mut story = Story::with(Direction::Long, |config| {
        config.instruments[0].spec.delivery_at = Some(delivery);
    });
    story.trade(16_000, "60000");
    story.trade(31_000, "60000");
    story.trade(46_000, "60000");
    let (note, ..) = story.end();
    assert_eq!(note.status, TradeStatus::Flatten);
    // Ticks lie a millisecond before full seconds: at 44.999 s less than a day is left.
    assert_eq!(note.exit_time, Some(Timestamp::from_millis(START_MS + 46_000)));
}

#[test]
fn reducing_orders_pass_in_every_state() {
    for command in [Command::Pause, Command::Flatten(None)] {
        let mut story = Story::new(Direction::Long);
        story.trade(16_000, "60000");
        story.send(17_000, EventKind::Command(Box::new(command)));
        story.trade(18_000, "60000");
        story.trade(19_000, "59700");
        let (note, outputs, ..) = story.end();
        assert!(!note.status.is_open(), "{:?}", note.status);
        let opening = outputs.iter().filter(|output| match output {
            Output::Submit(approved) => approved.order().effect == Effect::Open,
            _ => false,
        });
        assert_eq!(opening.count(), 1, "the entry alone may open");
    }
}

#[test]
fn no_rule_lets_a_paused_engine_enter() {
    let mut story = Story::new(Direction::Long);
    story.send(10_000, EventKind::Command(Box::new(Command::Pause)));
    story.trade(14_000, "60000");
    story.trade(16_000, "60000");
    story.test.finish(&mut story.seen);
    assert!(story.seen.0.trades.is_empty());
    let reason = story.seen.0.signals[0].decision.reason.to_string();
    assert_eq!(reason, "risk: state is ReduceOnly");
}

#[test]
fn a_prefix_of_a_tape_gives_a_prefix_of_the_events_and_outputs() {
    let run = |count: usize| {
        let mut story = Story::new(Direction::Long);
        let prices = ["60000", "60050", "60159.1", "60200", "60075", "60000", "59900"];
        for (at, price) in prices.iter().take(count).enumerate() {
            story.trade(16_000 + 7_000 * i64::try_from(at).unwrap(), price);
        }
        let events = std::mem::take(&mut story.seen.1.1);
        let outputs = std::mem::take(&mut story.seen.1.0);
        (events, outputs)
    };
    let (all_events, all_outputs) = run(7);
    for count in 0..7 {
        let (events, outputs) = run(count);
        assert_eq!(events, all_events[..events.len()]);
        assert_eq!(outputs, all_outputs[..outputs.len()]);
    }
}
