//! Indicators equal a naive recomputation, whatever happened to the feed.

use arb::{Backfill, Event, EventKind, Gap, Indicators, InstrumentId, Trade};
use proptest::prelude::*;

use crate::naive::Naive;
use crate::support::{events, ltc, random_tape, rows};

fn check_all(trades: &[Trade]) -> usize {
    let rows = rows(&events(trades));
    let mut naive = Naive::new(trades);
    let times: Vec<i64> = rows.iter().map(|row| row.time.as_nanos()).collect();
    assert_eq!(times, naive.grid().collect::<Vec<_>>(), "one row at every grid point");
    rows.iter().for_each(|row| naive.check(row));
    rows.len()
}

#[test]
fn equal_the_naive_recomputation_on_every_row_of_the_recorded_tape() {
    let Some(trades) = ltc() else { return };
    assert_eq!(trades.len(), 92_043);
    assert_eq!(check_all(&trades), 5_743);
}

fn without(trades: &[Trade], holes: &[(usize, usize)]) -> Vec<Trade> {
    let missing = |at: usize| holes.iter().any(|(from, len)| (*from..from + len).contains(&at));
    let keep = |(at, trade): (usize, &Trade)| (!missing(at)).then_some(*trade);
    trades.iter().enumerate().filter_map(keep).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn equal_the_naive_recomputation_for_any_sequence(
        seed in 1..u64::MAX, gap in 20..60_000_u64,
        holes in proptest::collection::vec((1..1_900_usize, 1..40_usize), 0..4),
    ) {
        let trades = without(&random_tape(seed, 2_000, gap), &holes);
        let span = trades[trades.len() - 1].ts.since(trades[0].ts);
        prop_assume!(span < 30 * 3_600 * 1_000_000_000);
        check_all(&trades);
    }

    #[test]
    fn a_late_start_with_a_warm_up_equals_never_having_stopped(seed in 1..u64::MAX) {
        let trades = random_tape(seed, 30_000, 6_000);
        let day_and_quarter = (24 * 60 + 15) * 60 * 1_000_000_000_i64;
        let start = trades[trades.len() / 3].ts;
        let late: Vec<Trade> = trades.iter().filter(|t| t.ts >= start).copied().collect();
        let (all, late) = (rows(&events(&trades)), rows(&events(&late)));
        let from = start.plus(day_and_quarter + 15_000_000_000);
        let pairs = late.iter().filter(|row| row.time >= from).map(|row| {
            let before = all.iter().find(|r| r.time == row.time);
            (before.copied().unwrap_or(*row), *row)
        });
        let mut compared = 0;
        for (always, restarted) in pairs {
            // ATR remembers its whole past: after n bars (13/14)^(n-14) of the difference at the
            // seeding is left; 291 bars leave less than 10⁻⁸ of a range that is at most 2 %.
            let (a, b) = (always.atr.unwrap(), restarted.atr.unwrap());
            prop_assert!((a - b).abs() <= 1e-8 * a.max(b), "{a} {b}");
            let blind = |row: Indicators| Indicators { atr: None, atr_percentile: None, ..row };
            prop_assert_eq!(blind(always), blind(restarted));
            compared += 1;
        }
        prop_assert!(compared > 500, "{compared} rows compared");
    }

    #[test]
    fn a_filled_hole_equals_never_having_had_it(
        seed in 1..u64::MAX, at in 3_000..3_500_usize, len in 1..60_usize, later in 1..300_usize,
        parts in 1..4_usize,
    ) {
        let trades = random_tape(seed, 5_000, 4_000);
        let mut holed: Vec<Event> = Vec::new();
        let (lost, back) = (at..at + len, at + len + later);
        for (i, trade) in trades.iter().enumerate() {
            if i == back {
                // The missing trades come in pieces, the last piece first.
                for part in trades[lost.clone()].chunks(len.div_ceil(parts)).rev() {
                    let backfill = Backfill { instrument: InstrumentId(0), trades: part.to_vec() };
                    let kind = EventKind::Backfill(Box::new(backfill));
                    holed.push(Event { at: trades[i - 1].ts, kind });
                }
            }
            if !lost.contains(&i) {
                holed.push(Event::trade(*trade));
            }
            if i + 1 == lost.start {
                let gap = Gap { instrument: InstrumentId(0), after_id: trade.id };
                holed.push(Event { at: trade.ts, kind: EventKind::Gap(gap) });
            }
        }
        let (whole, filled) = (rows(&events(&trades)), rows(&holed));
        let from = trades[back].ts.plus(15 * 60 * 1_000_000_000 + 15_000_000_000);
        let after = |rows: &[Indicators]| -> Vec<Indicators> {
            // A slope recorded while trades were missing stays in the acceleration of one minute.
            rows.iter().filter(|row| row.time > from).copied().collect()
        };
        let (whole, filled) = (after(&whole), after(&filled));
        prop_assert_eq!(whole.len(), filled.len());
        let differing = whole.iter().zip(&filled).find(|(whole, filled)| whole != filled);
        prop_assert_eq!(differing, None);
    }
}
