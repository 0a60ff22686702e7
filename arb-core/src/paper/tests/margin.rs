//! Margin and liquidation, worked by hand without spread and slippage.

use super::*;

fn floor(balance: &str) -> Floor {
    let balance = money(balance);
    let mut floor = Floor::with(|config, _| {
        config.account.initial_balance = balance;
        config.account.slippage = Decimal::ZERO;
        for instrument in &mut config.instruments {
            instrument.spread_bps = Decimal::ZERO;
        }
    });
    floor.trade(100, "1000", "10000");
    floor
}

fn enter(floor: &mut Floor, side: Side, qty: &str) -> Vec<Update> {
    floor.submit(750, order(Entry, side, qty, OrderKind::Market));
    floor.trade(1_000, "1000", "1")
}

fn position_close(updates: &[Update]) -> Fill {
    match updates.last() {
        Some((Purpose::Liquidation, Filled(fill))) => *fill,
        other => panic!("no liquidation but {other:?}"),
    }
}

#[test]
fn an_entry_beyond_the_available_balance_is_refused() {
    let refused = (Entry, Rejected(RejectReason::Margin));
    // Leverage 5: 50 at 1000 bind exactly the 10,000 there are.
    assert_eq!(enter(&mut floor("10000"), Buy, "50.001"), [refused]);
    let mut floor = floor("10000");
    assert_eq!(enter(&mut floor, Buy, "40")[0], (Entry, Accepted));
    // 8,000 are bound, 20 were paid in fees: 1,980 are left for 9.9.
    let more = |ordinal, qty| Order {
        id: id(Entry, ordinal),
        ..order(Entry, Buy, qty, limit("1000", TimeInForce::Gtc))
    };
    floor.submit(1_000, more(1, "9.901"));
    floor.submit(1_000, more(2, "5"));
    // Resting orders bind margin too: 980 are left, which is 4.9.
    floor.submit(1_000, more(3, "4.901"));
    floor.submit(1_000, more(4, "4.9"));
    let accepted = (Entry, Accepted);
    assert_eq!(floor.tick(1_250), [refused, accepted, refused, accepted]);
    // The opposite direction frees margin first.
    let flip = order(Entry, Sell, "80", OrderKind::Market);
    floor.submit(1_250, Order { id: id(Entry, 5), ..flip });
    assert_eq!(floor.tick(1_500), [accepted]);
}

#[test]
fn the_bracket_of_a_large_notional_lowers_the_leverage() {
    // 2,000 at 1000 are in the tier of 5 M with leverage 5; 5,001 in that of 100 M with 2.
    let refused = (Entry, Rejected(RejectReason::Margin));
    assert_eq!(enter(&mut floor("1000000"), Buy, "2000")[0], (Entry, Accepted));
    assert_eq!(enter(&mut floor("1000300"), Buy, "5001"), [refused]);
}

#[test]
fn a_long_is_liquidated_when_its_margin_is_used_up() {
    let mut floor = floor("1000");
    enter(&mut floor, Buy, "4.9");
    floor.submit(1_000, order(Stop, Sell, "4.9", mark_stop("700")));
    floor.submit(1_000, order(Target1, Sell, "2", limit("1100", TimeInForce::Gtc)));
    floor.tick(1_250);
    // Wallet 1000 − 2.45; 997.55 + 4.9 (p − 1000) < 1 % × 4.9 p below 804.46.
    assert_eq!(floor.trade(2_000, "804.5", "1"), []);
    let updates = floor.trade(2_001, "804.4", "1");
    assert_eq!(updates[..2], [(Stop, Expired), (Target1, Expired)]);
    let fill = position_close(&updates);
    assert_eq!((fill.price, fill.side), (price("804.4"), Sell));
    // 804.4 × 4.9 × (0.0005 + 0.0125)
    assert_eq!(fill.fee, money("51.24028"));
    // 997.55 − 4.9 × 195.6 − 51.24028: the account owes, as its ledger shows.
    assert_eq!(floor.venue.ledger().wallet(), money("-12.13028"));
    assert_eq!(floor.net_qty(), "0");
    assert_eq!(floor.out.last().unwrap().id, id(Purpose::Liquidation, 0));
}

#[test]
fn the_second_bracket_deducts_its_constant() {
    let mut floor = floor("25000");
    enter(&mut floor, Buy, "100");
    // 24950 + 100 (p − 1000) < 2.5 % × 100 p − 750 below 762.05.
    assert_eq!(floor.trade(2_000, "762.1", "1"), []);
    position_close(&floor.trade(2_001, "762", "1"));
}

#[test]
fn a_short_is_liquidated_by_the_mark_and_not_by_trades() {
    let mut floor = floor("1000");
    enter(&mut floor, Sell, "4.9");
    // 997.55 − 4.9 (p − 1000) < 1 % × 4.9 p above 1191.66.
    floor.mark(1_500, "1000");
    assert_eq!(floor.trade(2_000, "1300", "1"), []);
    assert_eq!(floor.mark(2_500, "1191.6"), []);
    let fill = position_close(&floor.mark(3_000, "1191.7"));
    assert_eq!((fill.price, fill.ts), (price("1191.7"), ms(3_000)));
}

#[test]
fn a_stale_mark_gives_way_to_the_last_price_at_the_tick() {
    let mut floor = floor("1000");
    enter(&mut floor, Buy, "4.9");
    floor.mark(1_500, "1000");
    assert_eq!(floor.trade(2_000, "800", "1"), []);
    assert_eq!(floor.tick(11_500), []);
    position_close(&floor.tick(11_501));
}

#[test]
fn a_withdrawal_can_liquidate() {
    let mut floor = floor("1000");
    enter(&mut floor, Buy, "4.9");
    let amount = money("-960");
    // 37.55 are left for a maintenance margin of 49.
    position_close(&floor.see(ms(2_000), EventKind::Transfer(Transfer { amount })));
}

#[test]
fn a_loss_in_one_instrument_liquidates_the_whole_account() {
    let mut floor = floor("1000");
    let on_ltc = |at: i64, price: &str| {
        let (price, qty): (Price, Qty) = (price.parse().unwrap(), "10000".parse().unwrap());
        Trade { instrument: LTC, taker_side: Buy, id: 0, ts: ms(at), price, qty }
    };
    floor.see(ms(500), EventKind::Trade(on_ltc(500, "100")));
    enter(&mut floor, Buy, "2");
    let ltc = order(Entry, Buy, "20", OrderKind::Market);
    floor.submit(1_000, Order { id: id(Entry, 1), instrument: LTC, ..ltc });
    floor.see(ms(1_500), EventKind::Trade(on_ltc(1_500, "100")));
    // Wallet 998; both at 2,000. Down to 80 and 710 the balance is 998 − 400 − 580 = 18 and the
    // maintenance margin 16 + 14.2 = 30.2.
    assert_eq!(floor.see(ms(2_000), EventKind::Trade(on_ltc(2_000, "80"))), []);
    assert_eq!(floor.trade(2_100, "720", "1"), [], "38 against 30.4");
    let updates = floor.trade(2_200, "710", "1");
    let closed: Vec<_> = floor.out.iter().map(|e| (e.instrument, e.id.ordinal)).collect();
    assert_eq!(closed, [(BTC, 0), (LTC, 0)]);
    assert_eq!(fills(&updates)[1], (Purpose::Liquidation, "80".into(), "20".into()));
}
