//! A carry pair, step by step, against every answer a venue can give.

use super::*;
use crate::instrument::Instrument;
use crate::order::{RejectReason, Role};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn prices() -> PairPrices {
    let at = price("100");
    PairPrices { perp_bid: at, perp_ask: at, spot_bid: at, spot_ask: at }
}

fn pair(target: &str) -> CarryPair {
    let perp = Instrument::perpetual("XUSDT", price("0.01"), qty("0.1"));
    let spot = Instrument::spot("XUSDT", price("0.01"), qty("0.01"));
    let plan = PairPlan {
        run: RunId::BACKTEST,
        intent: 1,
        strategy: Some(0),
        strategy_name: "carry".to_owned(),
        perp: InstrumentId(0),
        spot: InstrumentId(1),
        lots: Lots::new(&perp, &spot, 1, Decimal::new(1, 3)).unwrap(),
        limits: CarryLimits::default(),
    };
    CarryPair::new(plan, qty(target), START)
}

fn at(ms: i64) -> Timestamp {
    START.plus(ms * 1_000_000)
}

/// Sends what the pair wants and returns its id.
fn send(pair: &mut CarryPair, leg: LegOf, purpose: Purpose) -> ClientOrderId {
    let id = pair.next_id(leg, purpose);
    pair.sent(id, leg);
    id
}

fn filled(side: Side, size: &str, base_fee: &str) -> OrderUpdate {
    let base_fee = qty(base_fee);
    let fee = price("100").notional(base_fee).to_money();
    let (price, qty, ts) = (price("100"), qty(size), START);
    OrderUpdate::Filled(Fill { side, price, qty, role: Role::Taker, fee, base_fee, ts })
}

/// A pair whose short of 40 has just filled, and nothing else.
fn on_one_leg() -> CarryPair {
    let mut pair = pair("40");
    assert_eq!(pair.next(START, prices(), Mood::Free), Some(Wish::Slice(qty("40"))));
    let id = send(&mut pair, LegOf::Perp, Purpose::Entry);
    pair.on_order(id, &filled(Side::Sell, "40", "0"), true, at(100));
    pair
}

/// A pair with both legs.
fn hedged() -> CarryPair {
    let mut pair = on_one_leg();
    let wish = pair.next(at(100), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty("40.05"))));
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    pair.on_order(id, &filled(Side::Buy, "40.05", "0.04005"), true, at(300));
    assert_eq!(pair.coins(), qty("40.00995"));
    pair
}

#[test]
fn the_spot_leg_follows_the_short_and_covers_its_fee() {
    let mut pair = hedged();
    assert!(!pair.is_busy());
    assert_eq!(pair.next(at(400), prices(), Mood::Free), None);
}

#[test]
fn slices_are_bounded_and_each_is_hedged_before_the_next() {
    let mut pair = pair("120");
    assert_eq!(pair.next(START, prices(), Mood::Free), Some(Wish::Slice(qty("50"))));
    let id = send(&mut pair, LegOf::Perp, Purpose::Entry);
    assert_eq!(pair.next(at(50), prices(), Mood::Free), None, "one order at a time");
    pair.on_order(id, &filled(Side::Sell, "50", "0"), true, at(100));
    let wish = pair.next(at(100), prices(), Mood::Quiet);
    assert_eq!(
        wish,
        Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty("50.06"))),
        "hedges pass always"
    );
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    pair.on_order(id, &filled(Side::Buy, "50.06", "0.05006"), true, at(200));
    assert_eq!(pair.next(at(300), prices(), Mood::Quiet), None, "no slice near a settlement");
    assert_eq!(pair.next(at(300), prices(), Mood::Free), Some(Wish::Slice(qty("50"))));
}

#[test]
fn a_partial_short_is_hedged_by_what_it_filled() {
    let mut pair = pair("40");
    let id = send(&mut pair, LegOf::Perp, Purpose::Entry);
    pair.on_order(id, &filled(Side::Sell, "7.3", "0"), false, at(50));
    assert_eq!(pair.next(at(50), prices(), Mood::Free), None, "the order may still fill");
    pair.on_order(id, &OrderUpdate::Expired, true, at(60));
    let wish = pair.next(at(60), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty("7.31"))));
}

#[test]
fn past_two_seconds_the_excess_leg_is_closed() {
    let mut pair = on_one_leg();
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    pair.on_order(id, &OrderUpdate::Expired, true, at(1_000));
    let wish = pair.next(at(1_500), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty("40.05"))), "still in time");
    let wish = pair.next(at(2_101), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty("40"))));
}

#[test]
fn a_hedge_that_hangs_is_canceled_before_the_short_is_closed() {
    let mut pair = on_one_leg();
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    assert_eq!(pair.next(at(2_000), prices(), Mood::Free), None);
    let wish = pair.next(at(2_101), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Cancel(id, LegOf::Spot)));
    assert_eq!(pair.next(at(2_200), prices(), Mood::Free), None, "asked once");
    pair.on_order(id, &OrderUpdate::Canceled, true, at(2_300));
    let wish = pair.next(at(2_300), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty("40"))));
}

#[test]
fn an_unknown_outcome_is_neither_sent_again_nor_unwound_until_the_time_is_up() {
    let mut pair = on_one_leg();
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    pair.on_order(id, &OrderUpdate::Unknown, false, at(500));
    assert!(pair.waits_for_unknown());
    assert_eq!(pair.next(at(15_000), prices(), Mood::Free), None);
    assert_eq!(pair.next(at(15_501), prices(), Mood::Free), None, "the wait ends here");
    assert!(!pair.waits_for_unknown());
    let wish = pair.next(at(15_502), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty("40"))), "the proven delta");
    // The truth comes late: the coins were bought after all, and the short is gone.
    let close = send(&mut pair, LegOf::Perp, Purpose::Close);
    pair.on_order(close, &filled(Side::Buy, "40", "0"), true, at(15_600));
    pair.on_order(id, &filled(Side::Buy, "40.05", "0.04005"), true, at(15_700));
    let wish = pair.next(at(15_700), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Sell, qty("40"))));
}

#[test]
fn an_unknown_outcome_that_settles_in_time_is_used() {
    let mut pair = on_one_leg();
    let id = send(&mut pair, LegOf::Spot, Purpose::Entry);
    pair.on_order(id, &OrderUpdate::Unknown, false, at(500));
    pair.on_order(id, &filled(Side::Buy, "40.05", "0.04005"), true, at(9_000));
    assert_eq!(pair.next(at(9_000), prices(), Mood::Free), None, "together");
    assert!(!pair.is_busy());
}

#[test]
fn a_refused_short_leaves_no_pair() {
    let mut pair = pair("40");
    let id = send(&mut pair, LegOf::Perp, Purpose::Entry);
    pair.on_order(id, &OrderUpdate::Rejected(RejectReason::Margin), true, at(10));
    assert!(pair.is_over(Some(price("100"))));
    assert!(!pair.has_traded());
}

#[test]
fn closing_takes_both_legs_down_and_leaves_dust() {
    let mut pair = hedged();
    pair.close("low_funding");
    let wish = pair.next(at(500), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty("40"))));
    let id = send(&mut pair, LegOf::Perp, Purpose::Close);
    pair.on_order(id, &filled(Side::Buy, "40", "0"), true, at(600));
    let wish = pair.next(at(600), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Sell, qty("40"))));
    let id = send(&mut pair, LegOf::Spot, Purpose::Close);
    pair.on_order(id, &filled(Side::Sell, "40", "0"), true, at(700));
    assert_eq!(pair.next(at(700), prices(), Mood::Free), None);
    assert!(pair.is_over(Some(price("100"))));
    assert_eq!(pair.coins(), qty("0.00995"), "less than one spot step");
}

#[test]
fn a_liquidated_short_sells_the_coins_at_once() {
    let mut pair = hedged();
    let id = pair.next_id(LegOf::Perp, Purpose::Liquidation);
    pair.on_order(id, &filled(Side::Buy, "40", "0"), true, at(1_000));
    let wish = pair.next(at(1_000), prices(), Mood::Quiet);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Sell, qty("40"))), "even then");
    assert!(pair.is_closing());
}

#[test]
fn a_held_pair_tolerates_half_a_percent_and_mends_more() {
    let mut pair = hedged();
    // 0.2 of 40 coins is 0.5 %: tolerated; 0.3 is not.
    pair.spot = qty("39.81");
    assert_eq!(pair.next(at(1_000), prices(), Mood::Free), None);
    pair.spot = qty("39.7");
    let wish = pair.next(at(1_000), prices(), Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty("0.31"))));
}

#[test]
fn a_hedge_below_the_smallest_order_closes_the_contracts_instead() {
    let mut pair = pair("40");
    let cheap = PairPrices { spot_ask: price("1"), spot_bid: price("1"), ..prices() };
    let id = send(&mut pair, LegOf::Perp, Purpose::Entry);
    pair.on_order(id, &filled(Side::Sell, "2", "0"), true, at(10));
    let wish = pair.next(at(10), cheap, Mood::Free);
    assert_eq!(wish, Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty("2"))), "2.01 is below 5");
}
