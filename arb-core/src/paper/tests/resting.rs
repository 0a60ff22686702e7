//! Limit orders that rest, and those that should not.

use super::*;

#[test]
fn a_resting_limit_fills_when_traded_through_and_not_at_its_price() {
    let mut floor = Floor::new();
    floor.long(1_000, "2");
    floor.submit(1_000, order(Target1, Sell, "1", limit("1015", TimeInForce::Gtc)));
    floor.tick(1_400);
    assert_eq!(floor.trade(1_500, "1015", "500"), []);
    let updates = floor.trade(1_600, "1015.1", "0.001");
    let fee = money("0.203");
    let ts = ms(1_600);
    let (qty, side, role) = ("1".parse().unwrap(), Sell, Role::Maker);
    let expected = Fill { side, price: price("1015"), qty, role, fee, base_fee: Qty::ZERO, ts };
    assert_eq!(updates, [(Target1, Filled(expected))]);
}

#[test]
fn the_queue_ahead_is_served_first() {
    let mut floor = Floor::with(|_, paper| {
        paper.fill = FillModel::Queue;
        paper.queue_ahead_ratio = Decimal::new(1, 2);
    });
    floor.long(1_000, "2");
    floor.submit(1_000, order(Target1, Sell, "2", limit("1015", TimeInForce::Gtc)));
    floor.tick(1_400);
    // One hundredth of 1,001 is ahead: 10.01. Sellers at the price do not serve our side.
    assert_eq!(floor.taker_trade(1_500, Sell, "1015", "50"), []);
    assert_eq!(floor.taker_trade(1_600, Buy, "1015", "10"), []);
    let updates = floor.taker_trade(1_700, Buy, "1015", "0.7105");
    assert_eq!(fills(&updates), filled(Target1, "1015", "0.7"), "0.7005 floored to the lot");
    let updates = floor.taker_trade(1_800, Buy, "1015", "1");
    assert_eq!(fills(&updates), filled(Target1, "1015", "1"));
    let updates = floor.trade(1_900, "1015.1", "0.001");
    assert_eq!(fills(&updates), filled(Target1, "1015", "0.3"), "traded through");
}

#[test]
fn one_trade_serves_two_of_our_orders_once() {
    let mut floor = Floor::with(|_, paper| {
        paper.fill = FillModel::Queue;
        paper.queue_ahead_ratio = Decimal::ZERO;
    });
    floor.long(1_000, "2");
    floor.submit(1_000, order(Target1, Sell, "1", limit("1015", TimeInForce::Gtc)));
    floor.submit(1_000, order(Target2, Sell, "1", limit("1015", TimeInForce::Gtc)));
    floor.tick(1_400);
    let updates = floor.trade(1_500, "1015", "1.5");
    let expected = [(Target1, "1015".into(), "1".into()), (Target2, "1015".into(), "0.5".into())];
    assert_eq!(fills(&updates), expected);
}

#[test]
fn a_post_only_order_never_takes() {
    let mut floor = Floor::new();
    // Without a quote the ask is 1000 + 1 bp = 1000.1.
    floor.submit(1_000, order(Entry, Buy, "1", limit("1000.1", TimeInForce::Gtx)));
    let rests = order(Entry, Buy, "1", limit("1000", TimeInForce::Gtx));
    floor.submit(1_000, Order { id: id(Entry, 1), ..rests });
    let refused = (Entry, Rejected(RejectReason::WouldTake));
    assert_eq!(floor.tick(1_250), [refused, (Entry, Accepted)]);
    let updates = floor.trade(1_300, "999.9", "1");
    assert!(matches!(updates[..], [(Entry, Filled(Fill { role: Role::Maker, .. }))]));
}

#[test]
fn a_marketable_limit_takes_its_share_and_rests_with_the_remainder() {
    let mut floor = Floor::new();
    floor.trade(290_000, "1000", "50");
    floor.submit(300_000, order(Entry, Buy, "8", limit("1001", TimeInForce::Gtc)));
    let updates = floor.trade(300_300, "1000", "0.019");
    assert_eq!(fills(&updates), filled(Entry, "1000.2", "5.001"));
    assert_eq!(updates.len(), 2, "the remainder rests");
    // 100 more give a share of 15.0019, so a trade through fills the missing 2.999 as maker.
    let updates = floor.trade(301_000, "1000.9", "100");
    assert_eq!(fills(&updates), filled(Entry, "1001", "2.999"));
}

#[test]
fn a_marketable_limit_that_the_market_leaves_rests() {
    let mut floor = Floor::new();
    floor.submit(1_000, order(Entry, Buy, "1", limit("1000.5", TimeInForce::Gtc)));
    assert_eq!(floor.trade(1_250, "1002", "1"), [(Entry, Accepted)]);
    let updates = floor.trade(1_300, "1000.4", "1");
    assert_eq!(fills(&updates), filled(Entry, "1000.5", "1"));
}
