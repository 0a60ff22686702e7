//! Claims about ids: given once, in order, or missing and announced.

use arb_core::{Price, Qty, Side};
use proptest::prelude::*;

use super::*;

const BTC: InstrumentId = InstrumentId(3);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn trade(id: u64) -> Trade {
    Trade {
        instrument: BTC,
        taker_side: if id.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        id,
        ts: at(i64::try_from(id).unwrap()),
        price: Price::from_units(100_000_000 + i64::try_from(id).unwrap()).unwrap(),
        qty: Qty::from_units(1).unwrap(),
    }
}

fn tracker(connections: u32) -> TradeTracker {
    let mut tracker = TradeTracker::new(BTC, TrackerConfig::default());
    for _ in 0..connections {
        tracker.connected();
    }
    tracker
}

fn short(events: &[EventKind]) -> Vec<String> {
    let one = |event: &EventKind| match event {
        EventKind::Trade(t) => t.id.to_string(),
        EventKind::Gap(gap) => format!("gap after {}", gap.after_id),
        EventKind::GapAccepted(gap) => format!("accepted before {}", gap.next_id),
        EventKind::Backfill(found) => {
            let ids: Vec<_> = found.trades.iter().map(|t| t.id.to_string()).collect();
            format!("found {}", ids.join("+"))
        }
        other => panic!("{other:?}"),
    };
    events.iter().map(one).collect()
}

fn feed(tracker: &mut TradeTracker, ids: &[u64], now: i64) -> Vec<String> {
    let mut out = Vec::new();
    for id in ids {
        tracker.trade(trade(*id), at(now), &mut out);
    }
    short(&out)
}

#[test]
fn a_single_connection_that_skips_ids_announces_the_hole_at_once() {
    let mut tracker = tracker(1);
    assert_eq!(feed(&mut tracker, &[7, 8, 11, 12], 0), ["7", "8", "gap after 8", "11", "12"]);
    let request = tracker.request(at(0)).unwrap();
    assert_eq!(request, BackfillRequest { instrument: BTC, from_id: 9, limit: 2 });
    assert_eq!(tracker.request(at(0)), None, "one request at a time");
    let mut out = Vec::new();
    tracker.answer(&[trade(9), trade(10), trade(11)], at(1), &mut out);
    assert_eq!(short(&out), ["found 9+10"]);
    assert!(tracker.is_complete() && tracker.request(at(9_000)).is_none());
}

#[test]
fn a_rolling_reconnect_gives_every_trade_once_in_order() {
    let mut tracker = tracker(1);
    assert_eq!(feed(&mut tracker, &[1, 2], 0), ["1", "2"]);
    tracker.connected();
    // The new connection is ahead of the old one, and starts behind a trade of it.
    assert!(feed(&mut tracker, &[4, 5], 10).is_empty());
    assert_eq!(feed(&mut tracker, &[3, 4, 6, 5], 20), ["3", "4", "5", "6"]);
    let mut out = Vec::new();
    tracker.disconnected(at(30), &mut out);
    assert_eq!(feed(&mut tracker, &[6, 7], 30), ["7"]);
    assert!(out.is_empty() && tracker.is_complete());
    assert_eq!(tracker.counters().duplicates, 3);
}

#[test]
fn patience_ends_with_its_time_or_with_the_other_connection() {
    let mut tracker = tracker(2);
    assert_eq!(feed(&mut tracker, &[1, 3], 0), ["1"]);
    let mut out = Vec::new();
    tracker.advance(at(499), &mut out);
    assert!(out.is_empty());
    tracker.advance(at(500), &mut out);
    assert_eq!(short(&out), ["gap after 1", "3"]);
    assert_eq!(feed(&mut tracker, &[2], 600), ["found 2"], "the other connection was late");
    assert!(feed(&mut tracker, &[5], 700).is_empty());
    out.clear();
    tracker.disconnected(at(701), &mut out);
    assert_eq!(short(&out), ["gap after 3", "5"]);
}

#[test]
fn a_disconnect_is_announced_once_and_heals_when_nothing_was_missed() {
    let mut tracker = tracker(1);
    feed(&mut tracker, &[1, 2], 0);
    let mut out = Vec::new();
    tracker.disconnected(at(1), &mut out);
    tracker.disconnected(at(2), &mut out);
    assert_eq!(short(&out), ["gap after 2"]);
    assert!(!tracker.is_complete());
    tracker.connected();
    assert_eq!(feed(&mut tracker, &[3], 3), ["3"]);
    assert!(tracker.is_complete());
    tracker.disconnected(at(4), &mut out);
    tracker.connected();
    assert_eq!(feed(&mut tracker, &[9], 5), ["9"], "the gap was announced already");
    assert_eq!(tracker.request(at(5)).map(|r| (r.from_id, r.limit)), Some((4, 5)));
}

#[test]
fn a_restart_continues_behind_the_last_stored_trade() {
    let mut tracker = TradeTracker::resume(BTC, TrackerConfig::default(), 41);
    tracker.connected();
    assert_eq!(feed(&mut tracker, &[41, 45], 0), ["gap after 41", "45"]);
    assert_eq!(tracker.request(at(0)).map(|r| (r.from_id, r.limit)), Some((42, 3)));
}

#[test]
fn a_long_hole_is_asked_for_page_by_page() {
    let mut tracker = tracker(1);
    feed(&mut tracker, &[0, 2_501], 0);
    let mut pages = Vec::new();
    while let Some(request) = tracker.request(at(0)) {
        let last = request.from_id + u64::from(request.limit);
        let page: Vec<Trade> = (request.from_id..last).map(trade).collect();
        tracker.answer(&page, at(0), &mut Vec::new());
        pages.push((request.from_id, request.limit));
    }
    assert_eq!(pages, [(1, 1_000), (1_001, 1_000), (2_001, 500)]);
    assert_eq!(tracker.counters().filled, 2_500);
}

#[test]
fn a_hole_nobody_can_fill_is_accepted_after_bounded_tries() {
    let mut tracker = tracker(1);
    feed(&mut tracker, &[1, 4], 0);
    let (mut out, mut tries, mut now) = (Vec::new(), 0, 0);
    while out.is_empty() {
        if tracker.request(at(now)).is_some() {
            tries += 1;
            tracker.answer(&[trade(4), trade(5)], at(now), &mut out);
        }
        now += 1_000;
    }
    assert_eq!((tries, short(&out)), (5, vec!["accepted before 4".to_owned()]));
    assert_eq!(now, 31_000, "waits of 2, 4, 8 and 16 s lay between");
    assert!(tracker.is_complete());
    assert_eq!(tracker.counters().accepted, 2);
}

#[test]
fn a_failed_request_is_no_try() {
    let mut tracker = tracker(1);
    feed(&mut tracker, &[1, 4], 0);
    for round in 0..50 {
        assert!(tracker.request(at(round * 2_000)).is_some(), "{round}");
        tracker.failed(at(round * 2_000));
        assert_eq!(tracker.request(at(round * 2_000 + 1_999)), None);
    }
    assert!(!tracker.is_complete());
}

/// What a feed may do.
#[derive(Clone, Debug)]
enum Step {
    Trade(u64),
    Pass(i64),
    Connect,
    Disconnect,
    Fill { lost: bool },
}

/// Two connections that each deliver most of the ids, somewhat out of order, some twice.
fn steps(last: u64) -> impl Strategy<Value = Vec<Step>> {
    let one = move || {
        proptest::collection::vec(
            (any::<bool>(), 0_u64..20, 0_u8..12),
            usize::try_from(last).unwrap(),
        )
        .prop_map(move |draws| {
            let mut ids: Vec<(u64, u64)> = Vec::new();
            for (id, (shift, by, fate)) in (1..=last).zip(draws) {
                let place = id * 4 + if shift { by } else { 0 };
                match fate {
                    0 => {}
                    1 => ids.extend([(place, id), (place + by, id)]),
                    _ => ids.push((place, id)),
                }
            }
            ids
        })
    };
    let other = proptest::collection::vec(
        (
            0_u64..4 * last,
            prop_oneof![
                4 => (0_i64..900).prop_map(Step::Pass),
                1 => Just(Step::Connect),
                1 => Just(Step::Disconnect),
                2 => any::<bool>().prop_map(|lost| Step::Fill { lost }),
            ],
        ),
        0..40,
    );
    (one(), one(), other).prop_map(|(a, b, other)| {
        let trades = a.into_iter().chain(b).map(|(place, id)| (place, Step::Trade(id)));
        let mut steps: Vec<(u64, Step)> = trades.chain(other).collect();
        steps.sort_by_key(|(place, _)| *place);
        steps.into_iter().map(|(_, step)| step).collect()
    })
}

/// The venue, which has lost some ids for good.
fn page(request: BackfillRequest, last: u64, gone: &[u64]) -> Vec<Trade> {
    (request.from_id..=last)
        .filter(|id| !gone.contains(id))
        .take(request.limit.into())
        .map(trade)
        .collect()
}

/// Every claim of the module about what was given.
fn check(out: &[EventKind], tracker: &TradeTracker) -> Result<(), TestCaseError> {
    let (mut given, mut last, mut gap_after) = (std::collections::BTreeSet::new(), None, None);
    let mut holes: Vec<(u64, u64)> = Vec::new();
    let mut found = std::collections::BTreeSet::new();
    let mut accepted = 0;
    for event in out {
        match event {
            EventKind::Trade(trade) => {
                if let Some(last) = last.filter(|last| last + 1 != trade.id) {
                    prop_assert!(last < trade.id, "{} after {last}", trade.id);
                    prop_assert_eq!(gap_after, Some(last), "announced before it shows");
                    holes.push((last + 1, trade.id - 1));
                }
                (last, gap_after) = (Some(trade.id), None);
                prop_assert!(given.insert(trade.id));
            }
            EventKind::Gap(gap) => {
                prop_assert_eq!(last, Some(gap.after_id));
                prop_assert!(gap_after.replace(gap.after_id).is_none(), "announced once");
            }
            EventKind::Backfill(backfill) => {
                prop_assert!(backfill.trades.is_sorted_by_key(|trade| trade.id));
                for trade in &backfill.trades {
                    let id = trade.id;
                    prop_assert!(holes.iter().any(|(from, to)| (*from..=*to).contains(&id)));
                    prop_assert!(given.insert(id) && found.insert(id));
                }
            }
            EventKind::GapAccepted(gap) => {
                prop_assert!(holes.iter().any(|(_, to)| gap.next_id <= to + 1));
                accepted += 1;
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
    let missing = holes.iter().flat_map(|(from, to)| *from..=*to).filter(|id| !given.contains(id));
    let missing = missing.count() as u64;
    if tracker.is_complete() {
        prop_assert_eq!(missing, tracker.counters().accepted);
        prop_assert!(missing == 0 || accepted > 0);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_id_is_given_once_or_lies_in_an_announced_hole(
        steps in steps(60),
        gone in proptest::collection::vec(1_u64..61, 0..6),
    ) {
        let (mut tracker, mut out, mut now) = (tracker(1), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Trade(id) if gone.contains(&id) => {}
                Step::Trade(id) => tracker.trade(trade(id), at(now), &mut out),
                Step::Pass(millis) => {
                    now += millis;
                    tracker.advance(at(now), &mut out);
                }
                Step::Connect => tracker.connected(),
                Step::Disconnect => tracker.disconnected(at(now), &mut out),
                Step::Fill { lost } => {
                    if let Some(request) = tracker.request(at(now)) {
                        match lost {
                            true => tracker.failed(at(now)),
                            false => tracker.answer(&page(request, 60, &gone), at(now), &mut out),
                        }
                    }
                }
            }
            check(&out, &tracker)?;
        }
        // The feed goes on, time passes, and the venue answers everything it can.
        tracker.connected();
        tracker.trade(trade(61), at(now), &mut out);
        for _ in 0..2_000 {
            now += 100;
            tracker.advance(at(now), &mut out);
            if let Some(request) = tracker.request(at(now)) {
                tracker.answer(&page(request, 61, &gone), at(now), &mut out);
            }
        }
        prop_assert!(tracker.is_complete());
        check(&out, &tracker)?;
        prop_assert_eq!(tracker.last_id(), Some(61));
    }
}

#[test]
fn trades_that_no_connection_brought_are_given_and_contact_counts_as_lost() {
    let mut tracker = tracker(1);
    assert_eq!(feed(&mut tracker, &[5, 6], 0), ["5", "6"]);
    let mut out = Vec::new();
    assert_eq!(tracker.overlooked(&[trade(5), trade(6)], at(40_000), &mut out), 0);
    assert!(out.is_empty() && tracker.is_complete(), "a quiet instrument");
    let found = tracker.overlooked(&[trade(7), trade(8)], at(40_000), &mut out);
    assert_eq!(
        (found, short(&out)),
        (2, ["gap after 6", "7", "8", "gap after 8"].map(str::to_owned).to_vec())
    );
    assert!(!tracker.is_complete(), "the stream is still silent");
    assert_eq!(feed(&mut tracker, &[7, 8, 9], 50_000), ["9"]);
    assert!(tracker.is_complete() && tracker.request(at(60_000)).is_none());
}
