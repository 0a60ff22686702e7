//! The gate: sizes, refusals, and reducing orders that always pass.

use super::super::{RiskConfig, Trip};
use super::*;
use crate::event::{Event, EventKind, Health, Quote, Trade};
use crate::instrument::Instrument;
use crate::market::Inputs;
use crate::order::{Book, Purpose, RunId};
use crate::risk::guard::GuardEvent;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

struct Scene {
    config: RiskConfig,
    guard: Guard,
    market: MarketState,
    exposure: Exposure,
    account: Equity,
    now: Timestamp,
}

/// An account without coins and positions.
fn plain(equity: &str) -> Equity {
    let equity = money(equity);
    Equity { equity, margin_balance: equity, ..Equity::default() }
}

impl Scene {
    fn new() -> Self {
        let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
        let spec = Instrument::perpetual("BTCUSDT", tick, lot);
        let now = Timestamp::from_millis(1_700_000_000_000);
        Self {
            config: RiskConfig::default(),
            guard: Guard::new(money("10000"), 2),
            market: Self::market(spec, now),
            exposure: Exposure::default(),
            account: plain("10000"),
            now,
        }
    }

    fn market(spec: Instrument, now: Timestamp) -> MarketState {
        let mut market =
            MarketState::new(InstrumentId(0), spec, Decimal::new(1, 4), Inputs::default());
        let trade = Trade {
            instrument: InstrumentId(0),
            taker_side: Side::Buy,
            id: 1,
            ts: now,
            price: "60000".parse().unwrap(),
            qty: "1".parse().unwrap(),
        };
        market.on_trade(&trade, &mut Vec::new());
        market
    }

    fn approve(&self, side: Side) -> Result<Order, Refusal> {
        let gate = Gate {
            config: &self.config,
            guard: &self.guard,
            market: &self.market,
            exposure: self.exposure,
            account: self.account,
            r_unit: money("200"),
            now: self.now,
        };
        let id = ClientOrderId {
            run: RunId::BACKTEST,
            book: Book::Directional,
            intent: 1,
            leg: 0,
            purpose: Purpose::Entry,
            ordinal: 0,
        };
        let proposal = Proposal {
            id,
            strategy: 0,
            instrument: InstrumentId(0),
            side,
            price: "60000".parse().unwrap(),
            stop_distance: "1000".parse().unwrap(),
            budget: money("200"),
            fees: Decimal::new(1, 3),
        };
        gate.approve(&proposal).map(|approved| *approved.order())
    }

    fn refusal(&self) -> String {
        self.approve(Side::Buy).unwrap_err().to_string()
    }
}

#[test]
fn approves_an_ioc_limit_inside_the_collar() {
    let scene = Scene::new();
    let order = scene.approve(Side::Buy).unwrap();
    // 200 ÷ 1000 = 0.2; the collar is 1 % above 60,000.
    assert_eq!(order.qty.to_string(), "0.2");
    let limit = |price: &str| OrderKind::Limit {
        price: price.parse().unwrap(),
        time_in_force: TimeInForce::Ioc,
    };
    assert_eq!(order.kind, limit("60600"));
    assert_eq!(scene.approve(Side::Sell).unwrap().kind, limit("59400"));
}

#[test]
fn refuses_entries_while_paused_or_halted() {
    let mut scene = Scene::new();
    scene.guard.paused = true;
    assert_eq!(scene.refusal(), "state is ReduceOnly");
    scene.guard.paused = false;
    let poor = plain("9400");
    let tripped = scene.guard.check(&scene.config, money("200"), poor);
    let (limit, actual) = (Decimal::from(-600), Decimal::from(-600));
    let trip = Trip { rule: Rule::DailyLoss, limit, actual };
    assert_eq!(tripped, Some(GuardEvent { trip, flatten: true }));
    assert_eq!(scene.refusal(), "state is Halted");
    // Midnight starts new sums and lifts no halt.
    scene.guard.roll_day(Timestamp::from_millis(1_800_000_000_000), poor);
    assert_eq!(scene.refusal(), "state is Halted");
    scene.guard.reset(poor);
    assert!(scene.approve(Side::Buy).is_ok());
}

#[test]
fn refuses_entry_when_drawdown_exceeds_the_limit() {
    let mut scene = Scene::new();
    scene.config.daily_loss_r = Decimal::from(1_000);
    let at = plain;
    assert_eq!(scene.guard.check(&scene.config, money("200"), at("12000")), None);
    assert_eq!(scene.guard.check(&scene.config, money("200"), at("10800.01")), None);
    let tripped = scene.guard.check(&scene.config, money("200"), at("10800")).unwrap();
    assert_eq!(tripped.trip.rule, Rule::Drawdown);
}

#[test]
fn a_losing_streak_pauses_its_strategy_alone() {
    let mut scene = Scene::new();
    let mut lose = |net: &str, now| {
        scene.guard.on_trade_closed(&scene.config, Some(0), (money(net), money("200")), now)
    };
    let now = scene.now;
    for _ in 0..4 {
        assert!(!lose("-21", now));
    }
    assert!(!lose("-19", now), "less than a tenth of R is no loss and ends the streak");
    for _ in 0..4 {
        assert!(!lose("-21", now));
    }
    assert!(lose("-21", now));
    assert!(scene.refusal().starts_with("losing streak, paused until 2023-11-14T23:13:20"));
    scene.now = scene.now.plus(HOUR);
    assert!(scene.approve(Side::Buy).is_ok());
}

/// What the refusal says, and what brings it about.
type Case = (&'static str, fn(&mut Scene));

#[test]
fn each_limit_refuses_with_limit_and_actual() {
    let cases: [Case; 8] = [
        ("max_positions: 5 against a limit of 4", |s| s.exposure.positions = 4),
        ("open_risk: 812 against a limit of 800", |s| s.exposure.open_risk = money("600")),
        ("net_directional: 30000 against a limit of 30000", |s| s.exposure.net = money("30000")),
        ("gross_notional: 100000 against a limit of 100000", |s| {
            s.exposure.gross = money("100000");
        }),
        ("available_balance: 0.1 against a limit of 0.2", |s| {
            s.account.initial_margin = money("9000");
        }),
        ("costs: 401 against a limit of 400", |s| s.guard.on_costs(money("401"))),
        ("unfilled_gap: 1 against a limit of 0", |s| s.market.on_gap()),
        ("order_rate: 31 against a limit of 30", |s| {
            (0..30).for_each(|_| s.guard.on_order(Some(0), s.now));
        }),
    ];
    for (expected, change) in cases {
        let mut scene = Scene::new();
        change(&mut scene);
        assert_eq!(scene.refusal(), expected);
    }
}

#[test]
fn measured_health_refuses_and_unmeasured_is_off() {
    let cases = [
        (Health::Clock { uncertainty_ms: 251, step_ms: 0, offset_ms: 0 }, "clock: 251"),
        (Health::Clock { uncertainty_ms: 0, step_ms: 501, offset_ms: 0 }, "clock: 501"),
        (Health::Connection { silent_ms: 5_001 }, "stale_connection: 5001"),
        (Health::Peg(Decimal::new(994, 3)), "peg: 0.006"),
    ];
    for (health, expected) in cases {
        let mut scene = Scene::new();
        assert_eq!(scene.guard.unmeasured().count(), 3);
        scene.guard.on_health(&health);
        assert_eq!(scene.guard.unmeasured().count(), 2);
        assert!(scene.refusal().starts_with(expected), "{}", scene.refusal());
    }
}

#[test]
fn an_instrument_near_its_end_or_not_trading_refuses() {
    let at = |change: fn(&mut Instrument, Timestamp)| {
        let mut scene = Scene::new();
        let mut spec = scene.market.spec().clone();
        change(&mut spec, scene.now);
        scene.market = Scene::market(spec, scene.now);
        scene.refusal()
    };
    let closed = at(|spec, _| spec.status = TradingStatus::NotTrading);
    assert_eq!(closed, "status: 0 against a limit of 1");
    let delivery = at(|spec, now| spec.delivery_at = Some(now.plus(23 * HOUR)));
    assert_eq!(delivery, "delivery: 23 against a limit of 24");
    let young = at(|spec, now| spec.listed_at = Some(now.plus(-6 * DAY)));
    assert_eq!(young, "listing: 6 against a limit of 7");
}

#[test]
fn a_wide_book_refuses() {
    let mut scene = Scene::new();
    let quote = Quote {
        instrument: InstrumentId(0),
        ts: scene.now,
        best_bid: "59950".parse().unwrap(),
        best_ask: "60050".parse().unwrap(),
    };
    let event = Event { at: scene.now, kind: EventKind::Quote(quote) };
    assert_eq!(event.kind.rank(), 5);
    scene.market.on_quote(&quote);
    assert!(scene.refusal().starts_with("spread: 16.66"), "{}", scene.refusal());
}

#[test]
fn notional_limits_shrink_before_they_refuse() {
    let mut scene = Scene::new();
    scene.exposure.net = money("24000");
    // 6,000 left ÷ 60,600 at the collar = 0.0990…
    assert_eq!(scene.approve(Side::Buy).unwrap().qty.to_string(), "0.099");
    // The other way the net position shrinks first.
    assert_eq!(scene.approve(Side::Sell).unwrap().qty.to_string(), "0.2");
}
