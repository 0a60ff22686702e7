//! Market state: order of trades, holes, back-fill, inputs with age.

use super::*;
use crate::event::{FundingSettled, Input, InputValue, Side};

fn market() -> MarketState {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("BTCUSDT", tick, lot);
    MarketState::new(InstrumentId(0), spec, Decimal::ZERO, Inputs::default())
}

fn trade(id: u64, ms: i64, qty: &str) -> Trade {
    Trade {
        instrument: InstrumentId(0),
        taker_side: Side::Buy,
        id,
        ts: Timestamp::from_millis(1_700_000_000_000 + ms),
        price: "100".parse().unwrap(),
        qty: qty.parse().unwrap(),
    }
}

fn dropped(out: &[Output]) -> Vec<DropReason> {
    let reason = |output: &Output| match output {
        Output::Dropped { reason, .. } => Some(*reason),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

#[test]
fn a_jump_of_ids_is_a_hole_even_without_an_announcement() {
    let (mut market, mut out) = (market(), Vec::new());
    assert!(market.on_trade(&trade(0, 0, "1"), &mut out), "ids may begin at 0");
    assert!(market.on_trade(&trade(4, 10, "1"), &mut out));
    let Some(Output::Hole(hole)) = out.first() else { panic!("{out:?}") };
    assert_eq!((hole.from_id, hole.to_id, hole.missing()), (1, 3, 3));
    assert!(market.has_unfilled_hole());
    market.on_gap_accepted(4);
    assert!(!market.has_unfilled_hole());
}

#[test]
fn lost_contact_without_loss_leaves_no_hole() {
    let (mut market, mut out) = (market(), Vec::new());
    market.on_trade(&trade(7, 0, "1"), &mut out);
    market.on_gap();
    assert!(market.has_unfilled_hole(), "nobody knows what was missed");
    market.on_trade(&trade(8, 10, "1"), &mut out);
    assert!(!market.has_unfilled_hole() && out.is_empty());
}

#[test]
fn repeated_and_backward_trades_are_dropped_and_told() {
    let (mut market, mut out) = (market(), Vec::new());
    market.on_trade(&trade(7, 100, "1"), &mut out);
    assert!(!market.on_trade(&trade(7, 100, "1"), &mut out));
    assert!(!market.on_trade(&trade(8, 99, "1"), &mut out));
    assert_eq!(dropped(&out), [DropReason::Duplicate, DropReason::TimeWentBack]);
    assert_eq!(market.last_trade_id(), Some(7));
}

#[test]
fn a_trade_without_quantity_counts_as_seen_and_changes_nothing_else() {
    let (mut market, mut out) = (market(), Vec::new());
    market.on_trade(&trade(7, 0, "1"), &mut out);
    assert!(
        !market.on_trade(&Trade { price: "200".parse().unwrap(), ..trade(8, 1, "0") }, &mut out)
    );
    assert!(market.on_trade(&trade(9, 2, "1"), &mut out));
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(market.last_price().unwrap().to_string(), "100");
}

#[test]
fn a_trade_that_arrives_before_its_tick_waits_for_it() {
    let (mut market, mut out) = (market(), Vec::new());
    let grid = Timestamp::from_millis(1_700_000_010_000);
    market.on_trade(&trade(1, 9_000, "1"), &mut out);
    market.on_trade(&trade(2, 10_200, "5"), &mut out);
    market.on_tick(grid, &mut out);
    assert_eq!(market.indicators().unwrap().cvd_30m.to_string(), "1");
    // A late one, of a time before the tick, counts from the next tick on.
    market.on_tick(grid.plus(15 * SECOND), &mut out);
    assert_eq!(market.indicators().unwrap().cvd_30m.to_string(), "6");
    market.on_trade(&trade(3, 10_300, "7"), &mut out);
    assert_eq!(market.late_trades(), 1);
    market.on_tick(grid.plus(30 * SECOND), &mut out);
    assert_eq!(market.indicators().unwrap().cvd_30m.to_string(), "13");
}

#[test]
fn a_late_trade_before_a_back_fill_counts_in_every_sum() {
    let (mut market, mut out) = (market(), Vec::new());
    let grid = Timestamp::from_millis(1_700_000_010_000);
    market.on_trade(&trade(1, 1_000, "1"), &mut out);
    market.on_trade(&trade(3, 3_000, "1"), &mut out);
    market.on_tick(grid, &mut out);
    // Stamped before the tick that was told already, and not yet part of any sum.
    market.on_trade(&trade(4, 9_000, "10"), &mut out);
    market.on_backfill(&[trade(2, 2_000, "100")]);
    market.on_tick(grid.plus(15 * SECOND), &mut out);
    let row = market.indicators().unwrap();
    let sums = [row.cvd_30m, row.cvd_4h, row.cvd_day, row.volume_30m].map(|sum| sum.to_string());
    assert_eq!(sums, ["112"; 4].map(str::to_owned));
}

#[test]
fn sums_that_leave_their_range_quarantine_the_instrument() {
    let (mut market, mut out) = (market(), Vec::new());
    let huge = Trade {
        price: "9999999999".parse().unwrap(),
        qty: "9999999999".parse().unwrap(),
        ..trade(1, 0, "1")
    };
    for id in 1..200 {
        market.on_trade(&Trade { id, ..huge }, &mut out);
    }
    market.on_tick(Timestamp::from_millis(1_700_000_010_000), &mut out);
    assert_eq!(out, [Output::Quarantined { instrument: InstrumentId(0) }]);
    assert!(market.is_quarantined() && market.indicators().is_none());
    assert!(!market.on_trade(&trade(200, 1, "1"), &mut out));
    assert_eq!(dropped(&out), [DropReason::Quarantined]);
}

/// The log writes decimals without the zeros at their end, and a float made of a decimal may
/// depend on them.
#[test]
fn zeros_at_the_end_of_a_decimal_change_no_input() {
    let (instrument, now) = (InstrumentId(0), Timestamp::from_millis(1_700_000_000_000));
    let inputs = |values: [Decimal; 2]| {
        let mut inputs = Inputs::new(InputAges::default(), &[]);
        let at = [now.plus(-15 * 60 * SECOND), now];
        for (as_of, value) in at.into_iter().zip(values) {
            let (open_interest, rate) = (InputValue::OpenInterest(value), value);
            inputs.on_input(&Input { instrument, as_of, value: open_interest });
            let running = InputValue::FundingRate(rate);
            inputs.on_input(&Input { instrument, as_of, value: running });
            let settled =
                FundingSettled { instrument, funding_time: as_of, rate, mark_price: None };
            inputs.on_funding(&settled);
        }
        let change = inputs.open_interest_change(now).unwrap().to_bits();
        let rate = inputs.funding_rate_8h(now).unwrap().to_bits();
        (change, rate, inputs.max_funding_excess(now, 1e-4).to_bits())
    };
    for n in 0..2_000 {
        let mantissas = [26_123_456_789_012_i64 + n * 7_919, 26_223_456_789_012 + n * 104_729];
        let plain = mantissas.map(|mantissa| Decimal::new(mantissa, 3));
        let padded = plain.map(|mut value| {
            value.rescale(8);
            value
        });
        assert_eq!(inputs(plain), inputs(padded), "{plain:?}");
    }
}
