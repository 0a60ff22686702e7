//! Whole trades, worked by hand.

use super::*;

/// Profit after fees as a multiple of the risk, to 4 decimals.
fn r_multiple(floor: &Floor, r_trade: &str) -> Decimal {
    let net = floor.venue.ledger().wallet() - money("10000");
    (net.to_decimal() / money(r_trade).to_decimal()).round_dp(4)
}

#[test]
fn a_long_takes_its_first_target_and_ends_at_break_even() {
    let mut floor = Floor::new();
    // Entry: 1000 + 0.1 half spread + 0.1 slippage = 1000.2; fee 2 × 1000.2 × 0.0005 = 1.0002.
    floor.long(1_000, "2");
    // One R is |1000.2 − 980| × 2 = 40.4.
    floor.submit(1_000, order(Stop, Sell, "2", stop("980")));
    floor.submit(1_000, order(Target1, Sell, "1", limit("1015", TimeInForce::Gtc)));
    floor.submit(1_000, order(Target2, Sell, "1", limit("1030", TimeInForce::Gtc)));
    let accepted = [(Stop, Accepted), (Target1, Accepted), (Target2, Accepted)];
    assert_eq!(floor.tick(1_250), accepted);

    // First target: maker, fee 1015 × 0.0002 = 0.203; realised 1015 − 1000.2 = 14.8.
    assert_eq!(fills(&floor.trade(2_000, "1015.1", "1")), filled(Target1, "1015", "1"));
    assert_eq!(floor.venue.ledger().totals().realised, money("14.8"));

    // Break-even 1000.2 × (1 + 0.0005 + 0.0005 + 0.0001) = 1001.30022, up to 1001.4.
    let break_even = Order { id: id(Stop, 1), ..order(Stop, Sell, "1", stop("1001.4")) };
    floor.submit(2_000, break_even);
    assert_eq!(floor.tick(2_300), [(Stop, Accepted)]);
    floor.venue.cancel(id(Stop, 0), BTC, ms(2_300));
    assert_eq!(floor.tick(2_600), [(Stop, Canceled)]);

    // Stopped by a trade at 1001: 1001 − 0.1001 down to 1000.8; fee 0.5004; realised 0.6.
    let updates = floor.trade(3_000, "1001", "1");
    assert_eq!(updates[0], (Stop, Triggered));
    assert_eq!(fills(&updates), filled(Stop, "1000.8", "1"));
    assert_eq!(updates[2..], [(Target2, Expired)]);

    // 14.8 + 0.6 − (1.0002 + 0.203 + 0.5004) = 13.6964.
    assert_eq!(floor.venue.ledger().totals().fees, money("1.7036"));
    assert_eq!(floor.venue.ledger().wallet(), money("10013.6964"));
    assert_eq!(r_multiple(&floor, "40.4"), "0.3390".parse().unwrap());
}

#[test]
fn a_short_reaches_both_targets() {
    let mut floor = Floor::new();
    // Entry: 1000 − 0.2 = 999.8; fee 3 × 999.8 × 0.0005 = 1.4997.
    floor.submit(750, order(Entry, Sell, "3", OrderKind::Market));
    assert_eq!(fills(&floor.trade(1_000, "1000", "1")), filled(Entry, "999.8", "3"));
    floor.submit(1_000, order(Stop, Buy, "3", stop("1020")));
    floor.submit(1_000, order(Target1, Buy, "1.5", limit("985", TimeInForce::Gtc)));
    floor.submit(1_000, order(Target2, Buy, "1.5", limit("970", TimeInForce::Gtc)));
    floor.tick(1_250);
    // One trade through both: each fills at its own price, and the stop has nothing left.
    let updates = floor.trade(2_000, "969.9", "1");
    let expected = [(Target1, "985".into(), "1.5".into()), (Target2, "970".into(), "1.5".into())];
    assert_eq!(fills(&updates), expected);
    assert_eq!(updates[2..], [(Stop, Expired)]);
    // Realised 1.5 × 14.8 + 1.5 × 29.8 = 66.9; fees 1.4997 + 0.2955 + 0.291 = 2.0862.
    assert_eq!(floor.venue.ledger().wallet(), money("10064.8138"));
    // One R is 20.2 × 3 = 60.6.
    assert_eq!(r_multiple(&floor, "60.6"), "1.0695".parse().unwrap());
}

#[test]
fn a_short_loses_more_than_one_r_in_a_gap() {
    let mut floor = Floor::new();
    floor.submit(750, order(Entry, Sell, "2", OrderKind::Market));
    floor.trade(1_000, "1000", "1");
    floor.submit(1_000, order(Stop, Buy, "2", stop("1020")));
    floor.tick(1_250);
    // 1025 + 0.1025 up to 1025.2: loss 2 × 25.4 = 50.8, fees 0.9998 + 1.0252.
    assert_eq!(fills(&floor.trade(2_000, "1025", "1")), filled(Stop, "1025.2", "2"));
    assert_eq!(floor.venue.ledger().wallet(), money("9947.175"));
    assert_eq!(r_multiple(&floor, "40.4"), "-1.3075".parse().unwrap());
}
