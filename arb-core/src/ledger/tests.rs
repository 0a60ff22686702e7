//! The ledger: conservation, ownership, rounding.

use proptest::prelude::*;

use super::*;
use crate::event::Side;
use crate::num::Qty;
use crate::order::Role;

const BTC: InstrumentId = InstrumentId(0);
const LTC: InstrumentId = InstrumentId(1);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn fill(side: Side, price: &str, qty: &str, fee: &str) -> Fill {
    Fill {
        side,
        price: price.parse().unwrap(),
        qty: qty.parse().unwrap(),
        role: Role::Taker,
        fee: money(fee),
        base_fee: Qty::ZERO,
        ts: Timestamp::EPOCH,
    }
}

fn ledger() -> Ledger {
    Ledger::new(money("10000"), 2)
}

#[test]
fn a_partial_close_realises_its_share_of_the_cost() {
    let mut ledger = ledger();
    // 2 at 100 and 1 at 106 cost 306, so one of three costs 102 and gains 110 − 102 = 8.
    ledger.apply_fill(BTC, &fill(Side::Buy, "100", "2", "0.1")).unwrap();
    ledger.apply_fill(BTC, &fill(Side::Buy, "106", "1", "0.05")).unwrap();
    let booked = ledger.apply_fill(BTC, &fill(Side::Sell, "110", "1", "0.05")).unwrap();
    assert_eq!(booked, Booked { realised: money("8"), fee: money("0.05") });
    assert_eq!(ledger.position(BTC).unwrap().average_entry(), Some(Decimal::from(102)));
    assert_eq!(ledger.wallet(), money("10007.8"));
    assert_eq!(ledger.unrealised(BTC, price("103")), money("2"));
    assert_eq!(ledger.equity(|_| Some(price("103"))), money("10009.8"));
}

#[test]
fn a_fill_larger_than_the_position_closes_it_and_opens_the_opposite() {
    let mut ledger = ledger();
    ledger.apply_fill(BTC, &fill(Side::Sell, "100", "2", "0")).unwrap();
    // Buying 5 at 90 closes the short of 2 with a gain of 20 and opens a long of 3 at 90.
    let booked = ledger.apply_fill(BTC, &fill(Side::Buy, "90", "5", "0")).unwrap();
    assert_eq!(booked.realised, money("20"));
    let position = ledger.position(BTC).unwrap();
    assert_eq!(position.net_qty(), "3".parse().unwrap());
    assert_eq!(position.average_entry(), Some(Decimal::from(90)));
    assert_eq!(ledger.open_count(), 1);
}

#[test]
fn what_rounding_leaves_stays_in_the_cost() {
    let mut ledger = ledger();
    // Three units of 10⁻⁸ cost 10⁻⁸: each third would be a fraction of the last decimal.
    let cent = "0.00000001";
    ledger.apply_fill(BTC, &fill(Side::Buy, "1", "0.00000001", "0")).unwrap();
    ledger.apply_fill(BTC, &fill(Side::Buy, "1.5", "0.00000003", "0")).unwrap();
    // 5.5 × 10⁻⁸ paid for four; selling two at 1 pays 2 and releases 2.75, rounded to −1.
    let booked = ledger.apply_fill(BTC, &fill(Side::Sell, "1", "0.00000002", "0")).unwrap();
    assert_eq!(booked.realised, -money(cent));
    // The cost is now 5.5 − 2 − 1 = 2.5, so selling the rest at 1 loses 0.5, half to even: 0.
    let booked = ledger.apply_fill(BTC, &fill(Side::Sell, "1", "0.00000002", "0")).unwrap();
    assert_eq!(booked.realised, Money::ZERO);
    assert_eq!(ledger.position(BTC).unwrap().cost, 50_000_000);
    assert_eq!(ledger.open_count(), 0);
}

#[test]
fn a_long_pays_a_positive_rate_on_the_quantity_at_the_boundary() {
    let at = Timestamp::from_millis(8 * 3_600_000);
    let settled = FundingSettled {
        instrument: BTC,
        funding_time: at,
        rate: "0.0001".parse().unwrap(),
        mark_price: None,
    };
    let mut ledger = ledger();
    let mut early = fill(Side::Buy, "100", "2", "0");
    early.ts = at.plus(-1);
    let mut on_boundary = fill(Side::Buy, "100", "7", "0");
    on_boundary.ts = at;
    ledger.apply_fill(BTC, &early).unwrap();
    ledger.apply_fill(BTC, &on_boundary).unwrap();
    assert_eq!(ledger.net_qty_at(BTC, at), "2".parse().unwrap());
    // 2 × 101 × 0.0001
    assert_eq!(ledger.apply_funding(&settled, price("101")), money("0.0202"));
    assert_eq!(ledger.wallet(), money("9999.9798"));
    assert_eq!(ledger.apply_funding(&settled, price("101")), Money::ZERO, "booked once");
    assert_eq!(ledger.totals().funding, money("0.0202"));
}

#[test]
fn a_short_receives_a_positive_rate() {
    let mut ledger = ledger();
    ledger.apply_fill(LTC, &fill(Side::Sell, "50", "10", "0")).unwrap();
    let settled = FundingSettled {
        instrument: LTC,
        funding_time: Timestamp::from_millis(1),
        rate: "0.00012345".parse().unwrap(),
        mark_price: None,
    };
    assert_eq!(ledger.apply_funding(&settled, price("50.1")), money("-0.06184845"));
}

#[test]
fn what_is_out_of_range_changes_nothing() {
    let mut ledger = ledger();
    ledger.apply_fill(BTC, &fill(Side::Buy, "1", "10000000000", "0")).unwrap();
    let before = ledger.clone();
    let too_much = fill(Side::Buy, "1", "0.00000001", "0");
    assert_eq!(ledger.apply_fill(BTC, &too_much), Err(NumError::OutOfRange));
    assert_eq!(ledger.apply_fill(InstrumentId(9), &too_much), Err(NumError::OutOfRange));
    let ruin = fill(Side::Sell, "1", "1", "2000000000000000000");
    assert_eq!(ledger.apply_fill(BTC, &ruin), Err(NumError::OutOfRange));
    assert_eq!(ledger, before);
}

#[test]
fn a_transfer_is_no_profit() {
    let mut ledger = ledger();
    ledger.transfer(money("-500"));
    assert_eq!(ledger.wallet(), money("9500"));
    assert_eq!(ledger.totals(), Totals::default());
}

#[test]
fn initial_margin_is_notional_over_leverage() {
    let mut ledger = ledger();
    ledger.apply_fill(BTC, &fill(Side::Sell, "100", "3", "0")).unwrap();
    ledger.apply_fill(LTC, &fill(Side::Buy, "50", "1", "0")).unwrap();
    let marks = |id| Some(price(if id == BTC { "110" } else { "50" }));
    // 330 ÷ 5 + 50 ÷ 2
    let leverage = |id, _| if id == BTC { 5 } else { 2 };
    assert_eq!(ledger.initial_margin(marks, leverage), money("91"));
}

fn any_fill() -> impl Strategy<Value = (InstrumentId, Fill)> {
    let units = prop_oneof![1..1_000_i64, 1..1_000_000_000_000_i64];
    let price = prop_oneof![1..1_000_i64, 1..10_000_000_000_000_i64];
    (0..2_u16, any::<bool>(), price, units, -100..1_000_i64, 0..10_000_i64).prop_map(
        |(instrument, buys, price, qty, fee, ms)| {
            let fill = Fill {
                side: if buys { Side::Buy } else { Side::Sell },
                price: Price::from_units(price).unwrap(),
                qty: Qty::from_units(qty).unwrap(),
                role: Role::Taker,
                fee: Money::round(Decimal::new(fee, 8)),
                base_fee: Qty::ZERO,
                ts: Timestamp::from_millis(ms),
            };
            (InstrumentId(instrument), fill)
        },
    )
}

/// Cash paid for everything so far, exact: negative when more was sold than bought.
fn cash(fills: &[(InstrumentId, Fill)], instrument: InstrumentId) -> i128 {
    let mine = fills.iter().filter(|(id, _)| *id == instrument);
    mine.map(|(_, f)| signed_notional(f.price, f.qty.signed(f.side))).sum()
}

proptest! {
    #[test]
    fn no_sequence_of_fills_makes_or_loses_money(
        fills in proptest::collection::vec(any_fill(), 1..60),
        rates in proptest::collection::vec(-1_000_000..1_000_000_i64, 0..5),
        close in 1..10_000_000_000_000_i64,
    ) {
        let mut ledger = ledger();
        for (id, fill) in &fills {
            ledger.apply_fill(*id, fill).unwrap();
        }
        for (hour, rate) in (1..).zip(&rates) {
            let settled = FundingSettled {
                instrument: BTC,
                funding_time: Timestamp::from_millis(3_600_000 * hour),
                rate: Decimal::new(*rate, 8),
                mark_price: None,
            };
            ledger.apply_funding(&settled, Price::from_units(close).unwrap());
        }
        let totals = ledger.totals();
        let expected = money("10000") + totals.realised - totals.fees - totals.funding;
        prop_assert_eq!(ledger.wallet(), expected);
        for id in [BTC, LTC] {
            let position = ledger.position(id).unwrap();
            // Realised profit is what came in minus what the rest still costs, to the last digit.
            let realised = units_of(position.totals().realised).unwrap();
            prop_assert_eq!(realised, position.cost - cash(&fills, id));
        }
        // Closing at one price gives the sum of all cash flows, up to one rounding.
        let at = Price::from_units(close).unwrap();
        for id in [BTC, LTC] {
            let net = ledger.net_qty(id);
            let mut last = fills.clone();
            if let Some(side) = net.side() {
                let fee = Money::ZERO;
                let (side, qty, role) = (side.opposite(), net.abs(), Role::Taker);
                let closing = Fill { side, price: at, qty, role, fee, base_fee: Qty::ZERO, ts: Timestamp::EPOCH };
                let floating = ledger.unrealised(id, at);
                let booked = ledger.apply_fill(id, &closing).unwrap();
                prop_assert_eq!(booked.realised, floating);
                last.push((id, closing));
            }
            let realised = units_of(ledger.position(id).unwrap().totals().realised).unwrap();
            let residue = ledger.position(id).unwrap().cost;
            prop_assert_eq!(realised, residue - cash(&last, id));
            prop_assert!(residue.abs() <= i128::from(ONE) / 2);
        }
        prop_assert_eq!(ledger.open_count(), 0);
    }

    #[test]
    fn the_quantity_at_a_boundary_counts_the_fills_before_it(
        fills in proptest::collection::vec(any_fill(), 1..40),
        ms in 0..10_001_i64,
    ) {
        let mut ledger = ledger();
        for (id, fill) in &fills {
            ledger.apply_fill(*id, fill).unwrap();
        }
        let at = Timestamp::from_millis(ms);
        let before = fills.iter().filter(|(id, f)| *id == BTC && f.ts < at);
        let expected: i64 = before.map(|(_, f)| f.qty.signed(f.side).units()).sum();
        prop_assert_eq!(ledger.net_qty_at(BTC, at).units(), expected);
    }
}
