//! A trade from entry to its end, through every answer of a venue.

use proptest::prelude::*;

use super::levels::{break_even, level, stop_distance};
use super::*;
use crate::order::RejectReason;
use crate::order::{Role, RunId};
use crate::strategy::ExitRules;

proptest! {
    #[test]
    fn levels_lie_on_the_tick_and_never_beyond_the_exact_distance(
        entry in 1_000..10_000_000_i64, distance in 10..900_i64, tick in 1..50_i64,
    ) {
        let (entry, distance) = (Decimal::new(entry, 2), Decimal::new(distance, 2));
        let tick = Price::from_units(tick * 1_000_000).unwrap();
        for favour in [Direction::Long, Direction::Short] {
            let at = level(entry, distance, favour, tick);
            prop_assume!(at.is_some());
            let at = at.unwrap();
            prop_assert_eq!(at.units() % tick.units(), 0);
            // A stop nearer than asked loses less, a target nearer than asked promises less.
            prop_assert!((at.to_decimal() - entry).abs() <= distance.max(tick.to_decimal()));
        }
    }

    #[test]
    fn break_even_is_rounded_away_from_loss(
        entry in 100_000..10_000_000_i64, costs in 0..50_i64, tick in 1..50_i64,
    ) {
        let (entry, costs) = (Decimal::new(entry, 2), Decimal::new(costs, 4));
        let tick = Price::from_units(tick * 1_000_000).unwrap();
        let at = |direction| break_even(direction, entry, costs, Decimal::ZERO, tick).unwrap();
        prop_assert!(at(Direction::Long).to_decimal() >= entry * (Decimal::ONE + costs));
        prop_assert!(at(Direction::Short).to_decimal() <= entry * (Decimal::ONE - costs));
    }
}

#[test]
fn the_stop_distance_is_the_largest_of_its_terms() {
    let distance = |atr: f64, tick: &str, spread: f64| {
        let bracket = Bracket { atr, rules: ExitRules::standard() };
        stop_distance(&bracket, 1_000.0, tick.parse().unwrap(), spread).unwrap().to_string()
    };
    assert_eq!(distance(4.0, "0.1", 0.0001), "8", "2 ATR");
    assert_eq!(distance(1.0, "0.1", 0.0001), "3", "30 bps of 1,000");
    assert_eq!(distance(1.0, "1", 0.0001), "5", "5 ticks");
    assert_eq!(distance(1.0, "0.1", 0.0020), "6", "3 spreads of 2");
    let bracket =
        Bracket { atr: f64::NAN, rules: ExitRules { min_stop_bps: 0.0, ..ExitRules::standard() } };
    assert!(
        stop_distance(&bracket, f64::NAN, "0.1".parse().unwrap(), 0.0).is_some(),
        "ticks remain"
    );
}

fn plan() -> Plan {
    Plan {
        run: RunId::BACKTEST,
        intent: 1,
        strategy: Some(0),
        strategy_name: "test".to_owned(),
        instrument: InstrumentId(0),
        direction: Direction::Long,
        bracket: Bracket { atr: 1.0, rules: ExitRules::standard() },
        stop_distance: "2".parse().unwrap(),
        spread: 0.0,
        tick_size: "0.1".parse().unwrap(),
        lot_size: "0.001".parse().unwrap(),
        exit_costs: Decimal::new(6, 4),
        working_type: WorkingType::ContractPrice,
        max_unprotected_secs: 5,
        tier: None,
        score: 80.0,
    }
}

fn open_trade() -> (DirectionalTrade, Vec<Action>) {
    let mut trade = DirectionalTrade::new(plan(), "100".parse().unwrap());
    let mut actions = Vec::new();
    let id = trade.plan.id(Purpose::Entry, 0);
    trade.on_order(id, &fill("100", "1"), None, &mut actions);
    trade.on_entry_over(&mut actions);
    (trade, actions)
}

fn fill(price: &str, qty: &str) -> OrderUpdate {
    OrderUpdate::Filled(Fill {
        side: crate::event::Side::Buy,
        price: price.parse().unwrap(),
        qty: qty.parse().unwrap(),
        role: Role::Taker,
        fee: Money::ZERO,
        base_fee: Qty::ZERO,
        ts: Timestamp::from_millis(1_000),
    })
}

fn purposes(actions: &[Action]) -> Vec<(Purpose, u16)> {
    let id = |action: &Action| match action {
        Action::Submit(order) => (order.id.purpose, order.id.ordinal),
        Action::Cancel(id) => (id.purpose, id.ordinal + 100),
    };
    actions.iter().map(id).collect()
}

#[test]
fn an_entry_brings_a_stop_and_two_targets() {
    let (_, actions) = open_trade();
    use Purpose::{Stop, Target1, Target2};
    assert_eq!(purposes(&actions), [(Stop, 0), (Target1, 0), (Target2, 0)]);
}

#[test]
fn a_stop_is_replaced_by_placing_the_new_one_first() {
    let (mut trade, mut actions) = open_trade();
    let stop = trade.plan.id(Purpose::Stop, 0);
    trade.on_order(stop, &OrderUpdate::Accepted, None, &mut actions);
    actions.clear();
    let last = Some("101.5".parse().unwrap());
    trade.on_order(trade.plan.id(Purpose::Target1, 0), &fill("101.5", "0.5"), last, &mut actions);
    assert_eq!(purposes(&actions), [(Purpose::Stop, 1)], "the old one still rests");
    actions.clear();
    let second = trade.plan.id(Purpose::Stop, 1);
    trade.on_order(second, &OrderUpdate::Accepted, last, &mut actions);
    assert_eq!(purposes(&actions), [(Purpose::Stop, 100)], "now it is cancelled");
}

#[test]
fn a_stop_that_would_trigger_at_once_closes_at_market() {
    let (mut trade, mut actions) = open_trade();
    actions.clear();
    let refused = OrderUpdate::Rejected(RejectReason::WouldTrigger);
    trade.on_order(trade.plan.id(Purpose::Stop, 0), &refused, None, &mut actions);
    assert_eq!(purposes(&actions), [(Purpose::Close, 0)]);
}

#[test]
fn three_lost_stops_close_at_market() {
    let (mut trade, mut actions) = open_trade();
    for ordinal in 0..3 {
        actions.clear();
        let stop = trade.plan.id(Purpose::Stop, ordinal);
        trade.on_order(stop, &OrderUpdate::Expired, None, &mut actions);
        trade.on_tick(Timestamp::from_millis(2_000), &mut actions);
        let expected = if ordinal < 2 { (Purpose::Stop, ordinal + 1) } else { (Purpose::Close, 0) };
        assert_eq!(purposes(&actions), [expected]);
    }
}

/// 30 bps of a decision at 1,000 are 3.0; the entry fills at 1,010, of which they are 3.03: the stop
/// belongs at 1,006.97, toward the entry 1,007.0, the targets at 1,012.2725 and 1,014.545.
#[test]
fn distances_are_measured_from_the_average_entry() {
    let bracket = Bracket { atr: 0.1, rules: ExitRules::standard() };
    let stop_distance = "3".parse().unwrap();
    let mut trade =
        DirectionalTrade::new(Plan { bracket, stop_distance, ..plan() }, "1000".parse().unwrap());
    let id = trade.plan.id(Purpose::Entry, 0);
    trade.on_order(id, &fill("1010", "1"), None, &mut Vec::new());
    let note = trade.note();
    let levels = [note.stop_price, note.tp1_price, note.tp2_price].map(|price| price.to_string());
    assert_eq!(levels, ["1007", "1012.2", "1014.5"]);
}
