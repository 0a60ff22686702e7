//! What a strategy wants at a tick of a market, and when it keeps still.

use super::*;
use crate::event::{Input, InputValue, Side, Trade};
use crate::instrument::{Instrument, InstrumentId};
use crate::market::{InputAges, Inputs, MarketState};
use crate::num::{Price, Qty};
use crate::risk::CarryLimits;
use crate::strategy::EntryCosts;
use crate::time::{HOUR, MINUTE, SECOND, Timestamp};

const START: Timestamp = Timestamp::from_millis(1_717_200_000_000);
const NOW: Timestamp = START.plus(6 * HOUR);

/// Six hours of one side taking, with the price going its way; `skipped` ids are never seen.
fn market(side: Side, skipped: std::ops::Range<u64>) -> MarketState {
    let (tick, lot) = (Price::parse(b"0.01").unwrap(), Qty::parse(b"0.001").unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    let inputs = Inputs::new(InputAges::default(), &[]);
    let mut market = MarketState::new(InstrumentId(0), spec, Decimal::ZERO, inputs);
    let mut out = Vec::new();
    for id in 1_u64..=4_320 {
        let n = i64::try_from(id - 1).unwrap();
        let ts = START.plus(n * 5 * SECOND + 1);
        // The price swings by 1 % so that there is a true range, and drifts the side's way.
        let swing = if (n / 12) % 2 == 0 { 0 } else { 100_000_000 };
        let way = if side == Side::Buy { swing + n * 100_000 } else { -swing - n * 100_000 };
        let price = Price::from_units(10_000_000_000 + way).unwrap();
        // Now and then a large trade; many at the end, so that the flow accelerates.
        let size = if id % 50 == 0 || id > 4_310 { 500_000_000 } else { 100_000_000 };
        let (instrument, qty) = (InstrumentId(0), Qty::from_units(size).unwrap());
        if !skipped.contains(&id) {
            let trade = Trade { instrument, taker_side: side, id, ts, price, qty };
            market.on_trade(&trade, &mut out);
        }
        if id % 3 == 0 {
            market.on_tick(START.plus((n + 1) * 5 * SECOND), &mut out);
        }
    }
    market
}

/// All inputs at their best for a direction.
fn with_inputs(mut market: MarketState, direction: Direction) -> MarketState {
    let long = direction == Direction::Long;
    let mut feed = |as_of: Timestamp, value| {
        let input = Input { instrument: InstrumentId(0), as_of, value };
        market.inputs_mut().on_input(&input);
    };
    feed(NOW, InputValue::LongShortRatio(if long { 0.5 } else { 3.0 }));
    feed(NOW, InputValue::TopTraderRatio(if long { 2.0 } else { 0.5 }));
    feed(NOW, InputValue::CoinbasePremium(0.01 * direction.sign()));
    feed(NOW.plus(-15 * MINUTE), InputValue::OpenInterest(Decimal::from(100)));
    feed(NOW, InputValue::OpenInterest(Decimal::from(110)));
    market
}

fn context(market: &MarketState) -> Context<'_> {
    Context {
        now: NOW,
        instrument: InstrumentId(0),
        markets: std::slice::from_ref(market),
        market,
        position: None,
        cool_down_until: None,
        costs: EntryCosts {
            taker_fee: Decimal::new(5, 4),
            slippage: Decimal::new(1, 4),
            spread: Decimal::new(1, 4),
            spot_fee: Decimal::new(1, 3),
        },
        spot: None,
        carry: None,
        limits: CarryLimits::default(),
    }
}

fn intent(strategy: &mut LayeredScore, cx: &Context<'_>) -> Intent {
    let mut out = Vec::new();
    strategy.on_event(cx, &Event::tick(NOW), &mut out);
    assert_eq!(out.len(), 1, "one intent a tick");
    out.pop().unwrap()
}

fn observed(strategy: &mut LayeredScore, cx: &Context<'_>) -> Decision {
    match intent(strategy, cx) {
        Intent::Observe(decision) => *decision,
        other => panic!("{other:?}"),
    }
}

#[test]
fn enters_with_the_flow_on_either_side() {
    for (side, direction) in [(Side::Buy, Direction::Long), (Side::Sell, Direction::Short)] {
        let bare = market(side, 0..0);
        let full = with_inputs(bare.clone(), direction);
        for (market, tier, size) in
            [(bare, Tier::Standard, Decimal::ONE), (full, Tier::Heavy, Decimal::new(15, 1))]
        {
            let Intent::Enter(entry) = intent(&mut v51(), &context(&market)) else {
                panic!("{:#?}", v51().explain(&context(&market)));
            };
            assert_eq!(entry.decision.direction, Some(direction));
            assert_eq!((entry.decision.tier, entry.risk_r), (Some(tier), size));
            assert_eq!(entry.decision.reason, Reason::Entry);
            assert_eq!((entry.side, entry.cool_down_ms), (side, 600_000));
            assert_eq!(entry.bracket.rules, v51().config.exits);
            assert_eq!(Some(entry.bracket.atr), market.indicators().unwrap().atr);
        }
    }
}

#[test]
fn keeps_still_in_cool_down_and_with_a_position() {
    let market = market(Side::Buy, 0..0);
    let cooling = Context { cool_down_until: Some(NOW.plus(1)), ..context(&market) };
    let decision = observed(&mut v51(), &cooling);
    assert_eq!(decision.reason, Reason::Busy("cool_down".into()));
    let holding = Context { position: Some(Direction::Long), ..context(&market) };
    let decision = observed(&mut v51(), &holding);
    assert_eq!(decision.reason, Reason::Busy("position".into()));
    let over = Context { cool_down_until: Some(NOW), ..context(&market) };
    assert!(matches!(intent(&mut v51(), &over), Intent::Enter(_)));
}

#[test]
fn a_strong_opposite_signal_closes_whatever_the_cool_down() {
    let held = Some(Direction::Short);
    let strong = with_inputs(market(Side::Buy, 0..0), Direction::Long);
    let cx = Context { position: held, cool_down_until: Some(NOW.plus(HOUR)), ..context(&strong) };
    let Intent::Exit(exit) = intent(&mut v51(), &cx) else { panic!("no exit") };
    assert_eq!((exit.instrument, exit.decision.reason), (InstrumentId(0), Reason::SignalFlip));

    let weak = market(Side::Buy, 0..0);
    let cx = Context { position: held, ..context(&weak) };
    let decision = observed(&mut v51(), &cx);
    assert!(decision.score < 85.0);
    assert_eq!(decision.reason, Reason::Busy("position".into()));
}

#[test]
fn a_flip_needs_contiguous_flow_but_no_cheap_entry() {
    let holed = with_inputs(market(Side::Buy, 4_000..4_010), Direction::Long);
    let cx = Context { position: Some(Direction::Short), ..context(&holed) };
    let gate = Gate::fact("complete_30m", false);
    assert_eq!(observed(&mut v51(), &cx).reason, gate.reason());

    let strong = with_inputs(market(Side::Buy, 0..0), Direction::Long);
    let mut cx = Context { position: Some(Direction::Short), ..context(&strong) };
    cx.costs.taker_fee = Decimal::ONE;
    assert!(matches!(intent(&mut v51(), &cx), Intent::Exit(_)));
}

#[test]
fn the_first_gate_that_refuses_is_the_reason() {
    let (clean, holed) = (market(Side::Buy, 0..0), market(Side::Buy, 1_500..1_510));
    let name = |strategy: &mut LayeredScore, cx: &Context<'_>| match observed(strategy, cx).reason {
        Reason::Gate { name, .. } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&mut v51(), &context(&holed)), "complete_4h");

    let mut dear = context(&clean);
    dear.costs.taker_fee = Decimal::new(5, 2);
    assert_eq!(name(&mut v51(), &dear), "cost_r");

    let change = |change: fn(&mut LayeredScoreConfig)| {
        let mut strategy = v51();
        change(&mut strategy.config);
        name(&mut strategy, &context(&clean))
    };
    assert_eq!(change(|c| c.gates.min_inputs_present = 0.6), "inputs_present");
    assert_eq!(change(|c| c.gates.min_atr_percentile = Some(101.0)), "min_atr_percentile");
    assert_eq!(change(|c| c.gates.max_atr_percentile = Some(-1.0)), "max_atr_percentile");
    assert_eq!(change(|c| c.gates.min_traded_bars_ratio = 1.1), "traded_bars");
    assert_eq!(change(|c| c.gates.min_coverage_24h = 1.1), "coverage_24h");
    assert_eq!(change(|c| c.threshold = 90.0), "threshold");
}

#[test]
fn a_light_signal_is_told_with_the_threshold() {
    let market = market(Side::Buy, 0..0);
    let mut strategy = v51();
    strategy.config.threshold = 84.6;
    let decision = observed(&mut strategy, &context(&market));
    assert_eq!(decision.tier, Some(Tier::Light));
    let gate = Gate::at_least("threshold", 84.6, Some(decision.score));
    assert_eq!(decision.reason, gate.reason());
}

#[test]
fn no_signal_while_the_four_hours_disagree() {
    let mut market = with_inputs(market(Side::Sell, 0..0), Direction::Long);
    let mut out = Vec::new();
    for id in 4_321_u64..4_331 {
        let ts = NOW.plus(SECOND + i64::try_from(id - 4_321).unwrap());
        let qty = Qty::from_units(200 * 100_000_000).unwrap();
        let price = Price::from_units(10_000_000_000).unwrap();
        let (instrument, taker_side) = (InstrumentId(0), Side::Buy);
        market.on_trade(&Trade { instrument, taker_side, id, ts, price, qty }, &mut out);
    }
    market.on_tick(NOW.plus(15 * SECOND), &mut out);
    let row = *market.indicators().unwrap();
    assert!(row.cvd_30m.signum() > 0 && row.cvd_4h.signum() < 0, "{row:?}");
    let mut strategy = v51();
    strategy.config.tiers.light_from = 0.0;
    let decision = observed(&mut strategy, &context(&market));
    assert!(decision.score > 50.0);
    assert_eq!((decision.direction, decision.tier), (Some(Direction::Long), None));
    assert!(matches!(decision.reason, Reason::Gate { ref name, .. } if name == "cvd_4h"));
}

#[test]
fn no_direction_below_the_least_share() {
    let market = market(Side::Buy, 0..0);
    let mut strategy = v51();
    strategy.config.direction.min_cvd_share = 1.0;
    assert!(matches!(intent(&mut strategy, &context(&market)), Intent::Enter(_)));
    strategy.config.direction.min_cvd_share = 1.1;
    let decision = observed(&mut strategy, &context(&market));
    assert_eq!((decision.reason, decision.direction), (Reason::NoDirection, None));
    let explanation = strategy.explain(&context(&market)).unwrap();
    let direction = Gate { name: "direction", passed: false, limit: Some(1.1), actual: Some(1.0) };
    assert_eq!(explanation.gates, [direction]);
}

#[test]
fn explains_every_gate_in_order() {
    let market = market(Side::Buy, 0..0);
    let cx = Context { position: Some(Direction::Long), ..context(&market) };
    let explanation = v51().explain(&cx).unwrap();
    let names: Vec<&str> = explanation.gates.iter().map(|gate| gate.name).collect();
    let expected = [
        "direction",
        "complete_30m",
        "complete_4h",
        "complete_15m",
        "coverage_24h",
        "cvd_4h",
        "atr",
        "inputs_present",
        "min_atr_percentile",
        "max_atr_percentile",
        "traded_bars",
        "cost_r",
        "threshold",
        "position",
        "cool_down",
    ];
    assert_eq!(names, expected);
    let closed: Vec<_> = explanation.gates.iter().filter(|gate| !gate.passed).collect();
    assert_eq!(closed, [&Gate::fact("position", false)]);
    assert_eq!(explanation.decision, observed(&mut v51(), &cx));
}

#[test]
fn looks_only_at_ticks_of_its_symbols() {
    let market = market(Side::Buy, 0..0);
    let mut out = Vec::new();
    let quote = crate::event::Quote {
        instrument: InstrumentId(0),
        ts: NOW,
        best_bid: Price::parse(b"100").unwrap(),
        best_ask: Price::parse(b"101").unwrap(),
    };
    let event = Event { at: NOW, kind: EventKind::Quote(quote) };
    v51().on_event(&context(&market), &event, &mut out);
    let mut other = v51();
    other.config.symbols = Symbols::These(vec!["ETHUSDT".to_owned()]);
    other.on_event(&context(&market), &Event::tick(NOW), &mut out);
    assert_eq!(out, []);
}
