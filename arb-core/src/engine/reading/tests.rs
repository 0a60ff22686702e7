//! Readings by hand: what is used of every limit, of which instrument, and what is missing.
//!
//! The account has 10,000 quote and risks 200 (one R) a trade. The scripted strategy buys BTC at
//! 60,000 with an ATR of 100, so with a stop 200 away; the net limit of three times the equity at
//! the collar price of 60,600 allows 0.495 BTC.

use std::collections::BTreeSet;

use super::*;
use crate::config::{EngineConfig, InstrumentConfig};
use crate::event::{Command, Direction, Event, EventKind, Health, Mark, Quote, Side, Trade};
use crate::instrument::{Instrument, InstrumentId};
use crate::order::{Fill, OrderEvent, OrderUpdate, Purpose, Role};
use crate::output::Output;
use crate::risk::RiskConfig;
use crate::strategy::{
    Bracket, Context, Decision, Entry, ExitRules, Factors, Intent, Reason, Registry, Strategy, Tier,
};
use crate::time::Timestamp;

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);
/// A grid time.
const START: Timestamp = Timestamp::from_millis(1_700_000_100_000);

/// Wants to buy at every tick.
#[derive(Debug)]
struct Eager;

impl Strategy for Eager {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn on_event(&mut self, cx: &Context<'_>, _: &Event, out: &mut Vec<Intent>) {
        out.push(Intent::Enter(Box::new(Entry {
            side: Side::Buy,
            bracket: Bracket { atr: 100.0, rules: ExitRules::standard() },
            risk_r: 1.into(),
            cool_down_ms: 600_000,
            decision: Decision {
                time: cx.now(),
                instrument: cx.instrument(),
                direction: Some(Direction::Long),
                score: 80.0,
                tier: Some(Tier::Standard),
                reason: Reason::Entry,
                price: cx.market().last_price(),
                factors: Factors::default(),
            },
        })));
    }
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// An engine that was told things.
struct Scene {
    engine: Engine,
    now: Timestamp,
    next_id: u64,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut registry = Registry::builtin();
        registry.register("eager", |_: &str, _: &str| Ok(Box::new(Eager) as Box<dyn Strategy>));
        let mut own = Self { engine: Engine::new(registry), now: START, next_id: 1 };
        let mut config = config();
        change(&mut config);
        let event = config.to_event(START).unwrap();
        own.engine.on_event(&event, &mut Vec::new());
        own
    }

    fn send(&mut self, kind: EventKind) -> Vec<Output> {
        let mut out = Vec::new();
        self.engine.on_event(&Event { at: self.now, kind }, &mut out);
        out
    }

    /// Lets time pass; ticks are told apart from it.
    fn pass(&mut self, secs: i64) {
        self.now = self.now.plus(secs * SECOND);
    }

    fn tick(&mut self) -> Vec<Output> {
        self.send(EventKind::Tick(self.now))
    }

    fn trade(&mut self, instrument: InstrumentId, price: &str) {
        let (price, qty) = (price.parse().unwrap(), "1".parse().unwrap());
        let (id, ts) = (self.next_id, self.now);
        self.next_id += 1;
        let taker_side = Side::Buy;
        self.send(EventKind::Trade(Trade { instrument, taker_side, id, ts, price, qty }));
    }

    /// A trade in both perpetuals and a tick, after which both have order flow.
    fn flow(&mut self) {
        self.trade(BTC, "60000");
        self.trade(ETH, "3000");
        self.pass(15);
        self.tick();
    }

    /// Buys 0.495 BTC at 60,000 without a fee; its stop is sent and not confirmed.
    fn enter(&mut self) {
        self.trade(BTC, "60000");
        self.pass(15);
        let out = self.tick();
        let order = out.iter().find_map(|output| match output {
            Output::Submit(approved) => Some(*approved.order()),
            _ => None,
        });
        let order = order.unwrap();
        assert_eq!((order.id.purpose, order.qty.to_string()), (Purpose::Entry, "0.495".into()));
        let fill = Fill {
            side: Side::Buy,
            price: "60000".parse().unwrap(),
            qty: order.qty,
            role: Role::Taker,
            fee: Money::ZERO,
            base_fee: crate::num::Qty::ZERO,
            ts: self.now,
        };
        let (id, instrument, update) = (order.id, order.instrument, OrderUpdate::Filled(fill));
        self.send(EventKind::Order(Box::new(OrderEvent { id, instrument, update })));
    }

    fn core(&mut self) -> &mut Core {
        self.engine.core.as_mut().unwrap()
    }

    fn all(&self, rule: Rule) -> Vec<RuleReading> {
        self.engine.rule_readings().into_iter().filter(|reading| reading.rule == rule).collect()
    }

    fn read(&self, rule: Rule) -> RuleReading {
        let all = self.all(rule);
        let [reading] = all.as_slice() else { panic!("{rule:?}: {all:?}") };
        reading.clone()
    }

    /// What is used of the only reading of a rule, as text.
    fn used(&self, rule: Rule) -> String {
        self.read(rule).used.unwrap().normalize().to_string()
    }

    /// The reading as (actual, limit, used).
    fn figures(&self, rule: Rule) -> [String; 3] {
        let RuleReading { actual, limit, used, .. } = self.read(rule);
        [actual.unwrap(), limit, used.unwrap()].map(|value| value.normalize().to_string())
    }
}

fn config() -> EngineConfig {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let specs = [
        Instrument::perpetual("BTCUSDT", tick, lot),
        Instrument::perpetual("ETHUSDT", tick, lot),
        Instrument::spot("BTCUSDT", tick, lot),
    ];
    let of = |spec| InstrumentConfig { spec, spread_bps: 1.into() };
    let text = r#"{"kind": "eager", "name": "eager"}"#;
    EngineConfig::new(specs.map(of).to_vec()).with_strategy("eager.json", text).unwrap()
}

/// The rule after a rule; the compiler asks for new ones here.
const fn after(rule: Rule) -> Option<Rule> {
    Some(match rule {
        Rule::State => Rule::DailyLoss,
        Rule::DailyLoss => Rule::LosingStreak,
        Rule::LosingStreak => Rule::Drawdown,
        Rule::Drawdown => Rule::InstrumentOwned,
        Rule::InstrumentOwned => Rule::MaxPositions,
        Rule::MaxPositions => Rule::OpenRisk,
        Rule::OpenRisk => Rule::OrderNotional,
        Rule::OrderNotional => Rule::InstrumentNotional,
        Rule::InstrumentNotional => Rule::NetDirectional,
        Rule::NetDirectional => Rule::GrossNotional,
        Rule::GrossNotional => Rule::PriceCollar,
        Rule::PriceCollar => Rule::Spread,
        Rule::Spread => Rule::Volume24h,
        Rule::Volume24h => Rule::Status,
        Rule::Status => Rule::Listing,
        Rule::Listing => Rule::Delivery,
        Rule::Delivery => Rule::StaleConnection,
        Rule::StaleConnection => Rule::StaleMark,
        Rule::StaleMark => Rule::UnfilledGap,
        Rule::UnfilledGap => Rule::Clock,
        Rule::Clock => Rule::UnknownOutcomes,
        Rule::UnknownOutcomes => Rule::Unprotected,
        Rule::Unprotected => Rule::MarginRatio,
        Rule::MarginRatio => Rule::AvailableBalance,
        Rule::AvailableBalance => Rule::Costs,
        Rule::Costs => Rule::Peg,
        Rule::Peg => Rule::OrderRate,
        Rule::OrderRate => Rule::CancelRate,
        Rule::CancelRate => Rule::Lot,
        Rule::Lot => Rule::MinNotional,
        Rule::MinNotional => Rule::SpotMarket,
        Rule::SpotMarket => Rule::CarryNotional,
        Rule::CarryNotional => Rule::CarryDailyLoss,
        Rule::CarryDailyLoss => Rule::LiquidationDistance,
        Rule::LiquidationDistance => Rule::Settlement,
        Rule::Settlement => Rule::CarryUnknown,
        Rule::CarryUnknown => Rule::Log,
        Rule::Log => return None,
    })
}

/// Rules that have no limit of ours: they are a state, belong to the venue, or to one order.
const WITHOUT_LIMIT: [Rule; 7] = [
    Rule::State,
    Rule::InstrumentOwned,
    Rule::Status,
    Rule::Lot,
    Rule::MinNotional,
    Rule::SpotMarket,
    Rule::CarryUnknown,
];

#[test]
fn every_rule_with_a_limit_is_read_and_no_other() {
    let rules: BTreeSet<Rule> =
        std::iter::successors(Some(Rule::State), |rule| after(*rule)).collect();
    assert_eq!(rules.len(), 38);
    let mut scene = Scene::new();
    let mut expected = rules;
    expected.retain(|rule| !WITHOUT_LIMIT.contains(rule));
    let check = |scene: &Scene| {
        let read: Vec<Rule> = scene.engine.rule_readings().iter().map(|r| r.rule).collect();
        assert!(read.is_sorted(), "in the order in which they are asked");
        assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), expected);
    };
    check(&scene);
    scene.enter();
    check(&scene);
}

#[test]
fn what_is_used_is_the_share_of_a_limit_that_is_the_most_or_the_least() {
    let used = |sense, limit, actual: Option<&str>| {
        let reading = reading(Rule::Costs, sense, dec(limit), actual.map(dec));
        reading.used.map(|used| used.normalize().to_string())
    };
    for (limit, actual, expected) in [
        ("10", "0", "0"),
        ("10", "-5", "0"),
        ("10", "5", "0.5"),
        ("10", "10", "1"),
        ("10", "15", "1.5"),
        ("0", "0", "0"),
        ("0", "1", "2"),
        ("3", "1", "0.333333"),
    ] {
        let found = used(Sense::AtMost, limit, Some(actual));
        assert_eq!(found.as_deref(), Some(expected), "{actual} of at most {limit}");
    }
    for (limit, actual, expected) in [
        ("10", "20", "0.5"),
        ("10", "10", "1"),
        ("10", "5", "2"),
        ("10", "0", "2"),
        ("10", "-1", "2"),
    ] {
        let found = used(Sense::AtLeast, limit, Some(actual));
        assert_eq!(found.as_deref(), Some(expected), "{actual} of at least {limit}");
    }
    assert_eq!(used(Sense::AtMost, "10", None), None);
    assert_eq!(used(Sense::AtLeast, "10", None), None);
}

#[test]
fn what_cannot_be_measured_says_what_is_missing() {
    let mut scene = Scene::new();
    let missing = |scene: &Scene| {
        let all = scene.engine.rule_readings();
        assert!(all.iter().all(|r| r.actual.is_some() == r.missing.is_none()), "{all:?}");
        assert!(all.iter().all(|r| r.actual.is_some() == r.used.is_some()), "{all:?}");
        let missing = all.into_iter().filter_map(|r| Some((r.rule, r.missing?)));
        missing.map(|(rule, what)| format!("{}: {what}", rule.as_str())).collect::<Vec<_>>()
    };
    let always = [
        "order_notional: judged at each order",
        "price_collar: judged at each order",
        "carry_daily_loss: no carry pair is open",
        "liquidation_distance: no carry pair is open",
        "settlement: judged at each order",
    ];
    let at_first = [
        &always[..2],
        &[
            "spread: quotes",
            "volume_24h: 24 hours of trades",
            "listing: listing dates",
            "delivery: no delivery announced",
            "stale_connection: connection health",
            "stale_mark: mark prices",
            "unfilled_gap: order flow",
            "clock: clock health",
            "clock: clock health",
            "clock: clock health",
            "peg: USDT/USD price",
        ],
        &always[2..],
    ];
    assert_eq!(missing(&scene), at_first.concat());
    // Everything comes but a listing, a delivery and 24 hours.
    scene.flow();
    for health in [
        Health::Clock { uncertainty_ms: 1, step_ms: 1, offset_ms: 1 },
        Health::Connection { silent_ms: 1 },
        Health::Peg(Decimal::ONE),
    ] {
        scene.send(EventKind::Health(health));
    }
    let (ts, mark_price) = (scene.now, "60000".parse().unwrap());
    let mark = Mark { instrument: BTC, ts, mark_price, index_price: None };
    scene.send(EventKind::Mark(mark));
    let (best_bid, best_ask) = (mark_price, "60006".parse().unwrap());
    scene.send(EventKind::Quote(Quote { instrument: BTC, ts, best_bid, best_ask }));
    let still = [
        "volume_24h: 24 hours of trades",
        "listing: listing dates",
        "delivery: no delivery announced",
    ];
    assert_eq!(missing(&scene), [&always[..2], &still, &always[2..]].concat());
}

#[test]
fn health_is_read_as_it_was_measured() {
    let mut scene = Scene::new();
    let (uncertainty_ms, step_ms, offset_ms) = (125, 500, 10_000);
    scene.send(EventKind::Health(Health::Clock { uncertainty_ms, step_ms, offset_ms }));
    let clock: Vec<_> = scene.all(Rule::Clock).into_iter().map(|r| (r.of, r.used)).collect();
    let expected = [("offset", "2"), ("step", "1"), ("uncertainty", "0.5")];
    assert_eq!(clock, expected.map(|(of, used)| (Some(of.to_owned()), Some(dec(used)))));
    for (silent_ms, used) in [(0, "0"), (5_000, "1"), (7_500, "1.5")] {
        scene.send(EventKind::Health(Health::Connection { silent_ms }));
        assert_eq!(scene.used(Rule::StaleConnection), used);
    }
    for (price, used) in [("1", "0"), ("1.005", "1"), ("0.995", "1"), ("0.99", "2")] {
        scene.send(EventKind::Health(Health::Peg(dec(price))));
        assert_eq!(scene.used(Rule::Peg), used, "{price}");
    }
    for (state, used) in [(FeedState::Down, "2"), (FeedState::Up, "0")] {
        scene.send(EventKind::Health(Health::Log(state)));
        assert_eq!(scene.used(Rule::Log), used);
    }
}

#[test]
fn market_quality_is_that_of_the_worst_instrument() {
    let days = |days: i64| Some(START.plus(days * DAY));
    let mut scene = Scene::with(|config| {
        let [btc, eth, ..] = config.instruments.as_mut_slice() else { panic!("two perpetuals") };
        // 14 days and three and a half, which are three whole ones.
        (btc.spec.listed_at, eth.spec.listed_at) = (days(-14), Some(START.plus(-84 * HOUR)));
        (btc.spec.delivery_at, eth.spec.delivery_at) = (days(1), days(10));
    });
    scene.flow();
    let of = |reading: RuleReading| reading.of.unwrap();
    assert_eq!(scene.figures(Rule::Listing), ["3", "7", "2.333333"]);
    assert_eq!(of(scene.read(Rule::Listing)), "ETHUSDT");
    // 15 s of the day have passed.
    assert_eq!(scene.figures(Rule::Delivery), ["23", "24", "1.043478"]);
    assert_eq!(of(scene.read(Rule::Delivery)), "BTCUSDT");

    let quote = |scene: &mut Scene, instrument, bid: &str, ask: &str| {
        let (best_bid, best_ask) = (bid.parse().unwrap(), ask.parse().unwrap());
        scene.send(EventKind::Quote(Quote { instrument, ts: scene.now, best_bid, best_ask }));
    };
    quote(&mut scene, BTC, "59985", "60015");
    assert_eq!(scene.figures(Rule::Spread), ["5", "10", "0.5"]);
    quote(&mut scene, ETH, "2997", "3003");
    assert_eq!(scene.figures(Rule::Spread), ["20", "10", "2"]);
    assert_eq!(of(scene.read(Rule::Spread)), "ETHUSDT");

    let mark = |scene: &mut Scene, instrument, price: &str| {
        let (ts, mark_price) = (scene.now, price.parse().unwrap());
        let mark = Mark { instrument, ts, mark_price, index_price: None };
        scene.send(EventKind::Mark(mark));
    };
    mark(&mut scene, BTC, "60000");
    assert_eq!(scene.figures(Rule::StaleMark), ["0", "10", "0"]);
    scene.pass(15);
    mark(&mut scene, ETH, "3000");
    assert_eq!(scene.figures(Rule::StaleMark), ["15", "10", "1.5"]);
    assert_eq!(of(scene.read(Rule::StaleMark)), "BTCUSDT");

    assert_eq!(scene.figures(Rule::UnfilledGap), ["0", "0", "0"]);
    let gap = crate::event::Gap { instrument: ETH, after_id: 2 };
    scene.send(EventKind::Gap(gap));
    assert_eq!(scene.figures(Rule::UnfilledGap), ["1", "0", "2"]);
    assert_eq!(of(scene.read(Rule::UnfilledGap)), "ETHUSDT");
}

#[test]
fn the_volume_of_a_day_is_read_once_a_day_was_seen() {
    let mut scene = Scene::new();
    // A trade of 60,000 each quarter of an hour: 96 of them are 5,760,000 a day.
    for quarter in 0..=100 {
        scene.trade(BTC, "60000");
        assert_eq!(scene.read(Rule::Volume24h).actual.is_some(), quarter > 95, "{quarter}");
        for _ in 0..60 {
            scene.pass(15);
            scene.tick();
        }
    }
    let volume = scene.read(Rule::Volume24h);
    assert_eq!(volume.of.as_deref(), Some("BTCUSDT"));
    let actual = volume.actual.unwrap();
    assert!((dec("5700000")..=dec("5820000")).contains(&actual), "{actual}");
    let used = volume.used.unwrap();
    assert_eq!(used, (dec("20000000") / actual).round_dp(6));
    assert!(used > dec("3.4"), "less than a third of the least");
}

#[test]
fn a_position_is_read_against_every_limit_of_exposure() {
    let mut scene = Scene::new();
    for rule in [
        Rule::MaxPositions,
        Rule::OpenRisk,
        Rule::InstrumentNotional,
        Rule::NetDirectional,
        Rule::GrossNotional,
        Rule::MarginRatio,
    ] {
        assert_eq!(scene.used(rule), "0", "{rule:?}");
    }
    assert_eq!(scene.figures(Rule::AvailableBalance), ["1", "0.2", "0.2"]);
    scene.enter();
    assert_eq!(scene.figures(Rule::MaxPositions), ["1", "4", "0.25"]);
    // (200 to the stop + 60,000 × (5 bps + 1 bp) to leave) × 0.495, of 4 R.
    assert_eq!(scene.figures(Rule::OpenRisk), ["116.82", "800", "0.146025"]);
    assert_eq!(scene.figures(Rule::InstrumentNotional), ["29700", "50000", "0.594"]);
    assert_eq!(scene.read(Rule::InstrumentNotional).of.as_deref(), Some("BTCUSDT"));
    assert_eq!(scene.figures(Rule::NetDirectional), ["29700", "30000", "0.99"]);
    assert_eq!(scene.figures(Rule::GrossNotional), ["29700", "100000", "0.297"]);
    // 1 % of 29,700 in the lowest tier.
    assert_eq!(scene.figures(Rule::MarginRatio), ["0.0297", "0.5", "0.0594"]);
    let account = scene.engine.account().unwrap();
    assert_eq!(account.initial_margin, "5940".parse().unwrap(), "a fifth");
    assert_eq!(scene.figures(Rule::AvailableBalance), ["0.406", "0.2", "0.492611"]);
}

#[test]
fn a_loss_is_read_against_the_day_and_the_peak() {
    let mut scene = Scene::new();
    scene.enter();
    assert_eq!(scene.figures(Rule::DailyLoss), ["0", "600", "0"]);
    assert_eq!(scene.figures(Rule::Drawdown), ["0", "0.1", "0"]);
    // 0.495 × 1,000, and twice that.
    scene.trade(BTC, "59000");
    assert_eq!(scene.figures(Rule::DailyLoss), ["495", "600", "0.825"]);
    assert_eq!(scene.figures(Rule::Drawdown), ["0.0495", "0.1", "0.495"]);
    scene.trade(BTC, "57000");
    assert_eq!(scene.figures(Rule::DailyLoss), ["1485", "600", "2.475"]);
    assert_eq!(scene.figures(Rule::Drawdown), ["0.1485", "0.1", "1.485"]);
    // A gain uses nothing.
    scene.trade(BTC, "61000");
    assert_eq!(scene.figures(Rule::DailyLoss), ["-495", "600", "0"]);
    assert_eq!(scene.figures(Rule::Drawdown), ["0", "0.1", "0"]);
}

#[test]
fn a_position_without_a_proven_stop_is_read_in_seconds() {
    let mut scene = Scene::new();
    scene.enter();
    for (secs, used) in [(0, "0"), (5, "1"), (5, "2")] {
        scene.pass(secs);
        scene.send(EventKind::Health(Health::Connection { silent_ms: 0 }));
        assert_eq!(scene.used(Rule::Unprotected), used);
    }
}

#[test]
fn conduct_is_read_for_each_strategy() {
    let risk = RiskConfig::default();
    let lost = ("-100".parse().unwrap(), "100".parse().unwrap());
    let mut scene = Scene::new();
    let now = scene.now;
    assert_eq!(scene.read(Rule::OrderRate).of.as_deref(), Some("eager"));
    for (rule, limit) in [
        (Rule::OrderRate, risk.max_orders_per_minute),
        (Rule::CancelRate, risk.max_cancels_per_minute),
    ] {
        assert_eq!(scene.used(rule), "0");
        for (count, used) in [(limit, "1"), (limit / 2, "1.5")] {
            let guard = &mut scene.core().guard;
            (0..count).for_each(|_| match rule {
                Rule::OrderRate => guard.on_order(Some(0), now),
                _ => guard.on_cancel(Some(0), now),
            });
            assert_eq!(scene.used(rule), used, "{rule:?}");
        }
    }
    assert_eq!(scene.used(Rule::LosingStreak), "0");
    scene.core().guard.on_trade_closed(&risk, Some(0), lost, now);
    assert_eq!(scene.figures(Rule::LosingStreak), ["1", "5", "0.2"]);
    for nth in 2..=5 {
        let pauses = scene.core().guard.on_trade_closed(&risk, Some(0), lost, now);
        assert_eq!(pauses, nth == 5);
    }
    assert_eq!(scene.used(Rule::LosingStreak), "1", "while it pauses");
    scene.pass(3_600);
    scene.send(EventKind::Health(Health::Connection { silent_ms: 0 }));
    assert_eq!(scene.used(Rule::LosingStreak), "0", "the pause is over");
    assert_eq!(scene.used(Rule::OrderRate), "0", "a minute is over");
}

#[test]
fn costs_and_unknown_outcomes_are_read_for_their_time() {
    let risk = RiskConfig::default();
    let mut scene = Scene::new();
    for used in ["0.5", "1", "1.5"] {
        scene.core().guard.on_costs("200".parse().unwrap());
        assert_eq!(scene.used(Rule::Costs), used);
    }
    for used in ["0.333333", "0.666667", "1", "1.333333"] {
        let now = scene.now;
        scene.core().guard.on_unknown(&risk, now);
        assert_eq!(scene.used(Rule::UnknownOutcomes), used);
    }
    // The rule looks five minutes back.
    scene.pass(301);
    scene.send(EventKind::Health(Health::Connection { silent_ms: 0 }));
    assert_eq!(scene.used(Rule::UnknownOutcomes), "0");
}

#[test]
fn a_pause_is_told() {
    let mut scene = Scene::new();
    assert!(!scene.engine.is_paused());
    scene.send(EventKind::Command(Box::new(Command::Pause)));
    assert!(scene.engine.is_paused());
    scene.send(EventKind::Command(Box::new(Command::Resume)));
    assert!(!scene.engine.is_paused());
}

#[test]
fn decisions_are_kept_over_a_reconfiguration_by_the_strategys_name() {
    let mut scene = Scene::new();
    scene.flow();
    let before: Vec<Signal> = scene.engine.decisions().cloned().collect();
    let of: Vec<_> = before.iter().map(|signal| signal.decision.instrument).collect();
    assert_eq!(of, [BTC, ETH], "the newest about each instrument");
    assert!(before.iter().all(|signal| signal.decision.time == scene.now));
    // Another strategy before it, and another limit.
    let mut next = config();
    let text = Registry::builtin_text("v51_baseline").unwrap();
    next.strategies.clear();
    let mut next = next.with_strategy("v51_baseline", text).unwrap();
    next.strategies.extend(config().strategies);
    next.risk.max_positions = 1;
    scene.send(next.to_event(scene.now).unwrap().kind);
    let mut out = Vec::new();
    scene.core().apply_pending(&mut out);
    assert!(matches!(out.as_slice(), [Output::Configured { .. }]), "{out:?}");
    assert_eq!(scene.read(Rule::MaxPositions).limit, Decimal::ONE);
    let after: Vec<Signal> = scene.engine.decisions().cloned().collect();
    assert_eq!(after, before);
}

#[test]
fn an_engine_without_a_configuration_has_nothing_to_read() {
    let engine = Engine::new(Registry::builtin());
    assert_eq!(engine.account(), None);
    assert!(engine.rule_readings().is_empty() && engine.decisions().next().is_none());
    assert!(!engine.is_paused());
}
