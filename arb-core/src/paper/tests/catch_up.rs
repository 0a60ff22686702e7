//! Trades that were missed: what waited meets them and the present in the venue's order.

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::event::{Gap, GapAccepted};

fn trade(id: u64, at: i64, text: &str) -> Trade {
    let (price, qty) = (price(text), "1".parse().unwrap());
    Trade { instrument: BTC, taker_side: Buy, id, ts: ms(at), price, qty }
}

impl Floor {
    fn gap(&mut self, at: i64) -> Vec<Update> {
        self.see(ms(at), EventKind::Gap(Gap { instrument: BTC, after_id: self.trades }))
    }

    fn found(&mut self, at: i64, trades: &[Trade]) -> Vec<Update> {
        let backfill = Backfill { instrument: BTC, trades: trades.to_vec() };
        self.see(ms(at), EventKind::Backfill(Box::new(backfill)))
    }

    /// Holds 1 with a stop at 990 and a target of 1010; the last trade has id 2.
    fn guarded() -> Self {
        let mut floor = Self::new();
        floor.long(1_000, "1");
        floor.submit(1_000, order(Stop, Sell, "1", stop("990")));
        floor.submit(1_000, order(Target1, Sell, "1", limit("1010", TimeInForce::Gtc)));
        floor.tick(1_500);
        floor
    }
}

#[test]
fn a_target_that_was_reached_in_a_hole_fills_before_the_stop_that_came_after_it() {
    let mut floor = Floor::guarded();
    assert_eq!(floor.gap(2_000), []);
    floor.trades = 4;
    assert_eq!(floor.trade(5_000, "980", "1"), [], "nobody knows yet what came before");
    let updates = floor.found(6_000, &[trade(3, 3_000, "1011"), trade(4, 4_000, "985")]);
    assert_eq!(fills(&updates), filled(Target1, "1010", "1"));
    assert!(updates.contains(&(Stop, Expired)), "nothing is left to reduce");
    let Filled(fill) = updates[0].1 else { panic!("{updates:?}") };
    assert_eq!(fill.ts, ms(3_000));
}

#[test]
fn a_stop_that_only_the_present_reaches_waits_for_the_whole_hole() {
    let mut floor = Floor::guarded();
    floor.gap(2_000);
    floor.trades = 4;
    assert_eq!(floor.trade(5_000, "980", "1"), []);
    assert_eq!(floor.trade(5_100, "970", "1"), []);
    assert_eq!(floor.found(6_000, &[trade(4, 4_000, "1000")]), [], "3 is still missing");
    let updates = floor.found(6_100, &[trade(3, 3_000, "1000")]);
    assert_eq!(updates[0], (Stop, Triggered));
    assert_eq!(fills(&updates), filled(Stop, "979.9", "1"), "at 980, not at 970");
}

#[test]
fn holes_that_nobody_fills_end_the_wait() {
    let mut floor = Floor::guarded();
    floor.gap(2_000);
    floor.trades = 4;
    assert_eq!(floor.trade(5_000, "980", "1"), []);
    let accepted = |next_id| EventKind::GapAccepted(GapAccepted { instrument: BTC, next_id });
    assert_eq!(floor.see(ms(5_500), accepted(4)), [], "4 may still be found");
    assert_eq!(fills(&floor.see(ms(6_000), accepted(5))), filled(Stop, "979.9", "1"));
}

#[test]
fn lost_contact_without_a_lost_trade_is_no_wait() {
    for empty in [false, true] {
        let mut floor = Floor::guarded();
        floor.gap(2_000);
        if empty {
            assert_eq!(floor.trade(2_500, "1000", "0"), []);
        }
        assert_eq!(fills(&floor.trade(3_000, "980", "1")), filled(Stop, "979.9", "1"));
    }
}

#[test]
fn who_closes_at_once_takes_the_present_market() {
    let mut floor = Floor::guarded();
    floor.gap(2_000);
    floor.trades = 4;
    floor.submit(4_000, order(Close, Sell, "1", OrderKind::Market));
    let updates = floor.trade(5_000, "980", "1");
    assert_eq!(fills(&updates), filled(Close, "979.8", "1"));
    assert_eq!(floor.found(6_000, &[trade(3, 3_000, "980"), trade(4, 4_000, "985")]), []);
    assert_eq!(floor.net_qty(), "0");
}

#[test]
fn too_many_trades_give_the_missing_ones_up() {
    let mut floor = Floor::guarded();
    floor.gap(2_000);
    floor.trades = 4;
    let mut held = 0;
    while floor.trade(5_000 + held, "1000", "1").is_empty() {
        held += 1;
        if held == 250_000 - 1 {
            let updates = floor.trade(5_000 + held, "980", "1");
            assert_eq!(fills(&updates), filled(Stop, "979.9", "1"));
            return;
        }
    }
    panic!("filled after {held} trades");
}

/// What stop and targets of a long position do at trades of these prices, when those of `missed`
/// are known only after `late` more.
fn run(prices: &[i64], missed: Range<usize>, late: usize, fill: FillModel) -> Vec<Update> {
    let mut floor = Floor::with(|_, paper| paper.fill = fill);
    floor.long(1_000, "2");
    floor.submit(1_000, order(Stop, Sell, "2", stop("980")));
    floor.submit(1_000, order(Target1, Sell, "1", limit("1010", TimeInForce::Gtc)));
    floor.submit(1_000, order(Target2, Sell, "1", limit("1020", TimeInForce::Gtc)));
    let mut all = floor.tick(1_500);
    let before = floor.trades;
    let trades: Vec<Trade> = (0..)
        .zip(prices)
        .map(|(n, price)| Trade {
            id: before + 1 + u64::try_from(n).unwrap(),
            price: Price::from_units(price * 100_000_000).unwrap(),
            ..trade(0, 2_000 + n, "1")
        })
        .collect();
    let mut waiting = trades.get(missed.clone()).unwrap_or_default();
    for (n, trade) in trades.iter().enumerate() {
        if n == missed.start && !waiting.is_empty() {
            all.extend(
                floor
                    .see(trade.ts, EventKind::Gap(Gap { instrument: BTC, after_id: trade.id - 1 })),
            );
        }
        if n >= missed.end + late || n >= trades.len() - 1 {
            // In two pieces, as pages of a request.
            let (first, second) = waiting.split_at(waiting.len() / 2);
            for piece in [first, second].into_iter().filter(|piece| !piece.is_empty()) {
                all.extend(floor.found(3_000, piece));
            }
            waiting = &[];
        }
        if !missed.contains(&n) {
            all.extend(floor.see(trade.ts, EventKind::Trade(*trade)));
        }
    }
    all
}

proptest! {
    #[test]
    fn a_hole_that_is_filled_changes_nothing_but_the_time_of_the_news(
        prices in proptest::collection::vec(975..1_025_i64, 3..60),
        start in 0..60_usize,
        length in 0..20_usize,
        late in 1..20_usize,
        queue in any::<bool>(),
    ) {
        let fill = if queue { FillModel::Queue } else { FillModel::Through };
        let start = start % (prices.len() - 2);
        let end = (start + length).min(prices.len() - 2);
        let known = run(&prices, 0..0, 0, fill);
        prop_assert_eq!(run(&prices, start..end, late, fill), known);
    }
}
