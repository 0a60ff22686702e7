//! Counts against a plain comparison, and what swapping the journals does.

use arb::record::{DifferenceKind as Kind, Parity};
use arb::{Decimal, Price, Signal, Timestamp, TradeNote};

use super::{Case, Ran, compared};

/// Pairs that run the same tape and differ in one thing.
pub(super) fn variants() -> Vec<(&'static str, Case)> {
    let base = Case::new();
    let vary = |change: fn(&mut Case)| {
        let mut case = base.clone();
        change(&mut case);
        case
    };
    vec![
        ("latency", vary(|case| case.paper.latency_ms = 30_000)),
        ("slippage", vary(|case| case.config.account.slippage = Decimal::new(9, 4))),
        ("fee", vary(|case| case.config.account.taker_fee = Decimal::new(2, 4))),
        ("mask", vary(|case| case.config.mask_inputs = vec![arb::InputName::OpenInterest])),
        (
            "threshold",
            vary(|case| {
                let text = &mut case.config.strategies[0].text;
                *text = text.replace("\"threshold\": 75", "\"threshold\": 82");
            }),
        ),
        (
            "tiers",
            vary(|case| {
                let text = &mut case.config.strategies[0].text;
                *text = text.replace("\"light_from\": 60", "\"light_from\": 70");
            }),
        ),
        (
            "hole",
            vary(|case| {
                let gone = case.events[9_000].clone();
                case.events = crate::support::events(
                    &super::trades().into_iter().filter(|t| t.ts != gone.at).collect::<Vec<_>>(),
                );
            }),
        ),
        ("risk", vary(|case| case.config.risk.max_order_notional = "9000".parse().unwrap())),
    ]
}

fn differing(a: &Ran, b: &Ran, differs: impl Fn(&Signal, &Signal) -> bool) -> u64 {
    let other = |time: &Timestamp| b.said.signals.get(time);
    let pairs = a.said.signals.iter().filter_map(|(time, own)| Some((own, other(time)?)));
    pairs.filter(|(x, y)| differs(x, y)).count() as u64
}

fn trades_differing(a: &Ran, b: &Ran, differs: impl Fn(&TradeNote, &TradeNote) -> bool) -> u64 {
    let both = a.said.entries.keys().filter(|time| b.said.entries.contains_key(time));
    let pairs = both.filter_map(|time| Some((a.said.trade(*time)?, b.said.trade(*time)?)));
    pairs.filter(|(x, y)| differs(x, y)).count() as u64
}

fn only<T>(
    a: &std::collections::BTreeMap<Timestamp, T>,
    b: &std::collections::BTreeMap<Timestamp, T>,
) -> u64 {
    a.keys().filter(|time| !b.contains_key(time)).count() as u64
}

fn check_signals(name: &str, result: &Parity, a: &Ran, b: &Ran) {
    let late = result.count(Kind::SignalLate) + result.count(Kind::SignalEarly);
    let (x, y) = (&a.said.signals, &b.said.signals);
    assert_eq!(result.count(Kind::SignalMissed) + late, only(x, y), "{name}: missed");
    assert_eq!(result.count(Kind::SignalExtra) + late, only(y, x), "{name}: extra");
    let score = |s: &Signal| s.decision.score.to_bits();
    let kind = |s: &Signal| s.decision.reason.kind();
    let scores = differing(a, b, |x, y| score(x) != score(y));
    assert_eq!(result.count(Kind::SignalScore), scores, "{name}: score");
    let tiers = differing(a, b, |x, y| x.decision.tier != y.decision.tier);
    assert_eq!(result.count(Kind::SignalTier), tiers, "{name}: tier");
    let directions = differing(a, b, |x, y| x.decision.direction != y.decision.direction);
    assert_eq!(result.count(Kind::SignalDirection), directions, "{name}: direction");
    let fired = differing(a, b, |x, y| x.fired != y.fired);
    assert_eq!(result.count(Kind::SignalFired), fired, "{name}: fired");
    let reasons = differing(a, b, |x, y| {
        let same = score(x) == score(y) && x.decision.factors == y.decision.factors;
        let figures = same && x.decision.reason != y.decision.reason;
        x.fired == y.fired && (kind(x) != kind(y) || figures)
    });
    assert_eq!(result.count(Kind::SignalReason), reasons, "{name}: reason");
}

fn check_trades(name: &str, result: &Parity, a: &Ran, b: &Ran) {
    let late = result.count(Kind::EntryLate) + result.count(Kind::EntryEarly);
    let (x, y) = (&a.said.entries, &b.said.entries);
    assert_eq!(result.count(Kind::EntryMissed) + late, only(x, y), "{name}: missed entries");
    assert_eq!(result.count(Kind::EntryExtra) + late, only(y, x), "{name}: extra entries");
    let qty = x.iter().filter(|(time, own)| y.get(time).is_some_and(|other| other.qty != own.qty));
    let check = |kind: Kind, naive: u64| {
        // A pair of different instants differs beside these.
        let found = result.count(kind);
        assert!((naive..=naive + late).contains(&found), "{name}: {kind:?} {found}, not {naive}");
    };
    check(Kind::OrderQty, qty.count() as u64);
    let differs = |f: fn(&TradeNote) -> Option<Price>| {
        trades_differing(a, b, move |x, y| f(x).zip(f(y)).is_some_and(|(x, y)| x != y))
    };
    check(Kind::EntryPrice, differs(|note| Some(note.entry_price)));
    check(Kind::ExitPrice, differs(|note| note.exit_price));
    check(Kind::ExitStatus, trades_differing(a, b, |x, y| x.status != y.status));
    check(Kind::Fee, trades_differing(a, b, |x, y| x.fee != y.fee));
    check(Kind::Funding, trades_differing(a, b, |x, y| x.funding != y.funding));
    check(Kind::Pnl, trades_differing(a, b, |x, y| x.pnl != y.pnl));
    let exits =
        |x: &TradeNote, y: &TradeNote| x.exit_time.zip(y.exit_time).is_some_and(|(x, y)| x != y);
    check(Kind::ExitTime, trades_differing(a, b, exits));
}

#[test]
fn counts_are_those_of_a_plain_comparison() {
    let a = Case::new().run();
    assert!(a.said.trades.len() >= 5, "{} trades are too few to say much", a.said.trades.len());
    for (name, case) in variants() {
        let b = case.run();
        let result = compared(&a, &b);
        assert!(!result.is_equal(), "{name}");
        check_signals(name, &result, &a, &b);
        check_trades(name, &result, &a, &b);
        let [in_a, in_b] = &result.contents;
        assert_eq!(in_a.signals, a.said.signals.len() as u64);
        assert_eq!(in_b.entries, b.said.entries.len() as u64);
        let closed = b.said.trades.values().filter(|note| !note.status.is_open());
        let fees: arb::Money = closed.clone().map(|note| note.fee).sum();
        assert_eq!((in_b.closed, in_b.fees), (closed.count() as u64, fees), "{name}");
    }
}

#[test]
fn swapping_the_journals_swaps_missed_and_extra() {
    let a = Case::new().run();
    for (name, case) in variants() {
        let b = case.run();
        let (there, back) = (compared(&a, &b), compared(&b, &a));
        for row in &there.rows {
            let kind = match row.kind {
                Kind::SignalMissed => Kind::SignalExtra,
                Kind::SignalExtra => Kind::SignalMissed,
                Kind::SignalLate => Kind::SignalEarly,
                Kind::SignalEarly => Kind::SignalLate,
                Kind::EntryMissed => Kind::EntryExtra,
                Kind::EntryExtra => Kind::EntryMissed,
                Kind::EntryLate => Kind::EntryEarly,
                Kind::EntryEarly => Kind::EntryLate,
                Kind::RiskMissed => Kind::RiskExtra,
                Kind::RiskExtra => Kind::RiskMissed,
                Kind::NoteMissed => Kind::NoteExtra,
                Kind::NoteExtra => Kind::NoteMissed,
                other => other,
            };
            assert_eq!(there.count(row.kind), back.count(kind), "{name}: {:?}", row.kind);
        }
        for (x, y) in there.causes.iter().zip(&back.causes) {
            assert_eq!((&x.kind, x.effects, x.missing), (&y.kind, y.effects, y.extra), "{name}");
        }
        assert_eq!(there.causes.len(), back.causes.len(), "{name}");
    }
}

#[test]
fn equal_runs_are_identical() {
    let (a, b) = (Case::new().run(), Case::new().run());
    let result = compared(&a, &b);
    assert!(result.identical && result.is_equal());
    assert_eq!((result.causes.len(), result.rows.len()), (0, 0));
    assert_eq!(result.signals_equal, a.said.signals.len() as u64);
    assert_eq!(result.entries_equal, a.said.entries.len() as u64);
}
