//! Each cause alone, and two at once.

use arb::record::{CauseKind, DifferenceKind as Kind, Evidence, Tolerance};
use arb::{Decimal, EventKind, FillModel, InputValue, Registry};

use super::counts::variants;
use super::{Case, Ran, by_kind, compared, field, input, named, within};

/// The only cause of everything that differs.
fn only_cause(a: &Ran, b: &Ran) -> CauseKind {
    let result = compared(a, b);
    assert!(!result.is_equal());
    assert_eq!(result.unexplained(), 0, "{:?}", result.rows);
    let mut named = named(&result);
    assert_eq!(named.len(), 1, "{named:?}");
    named.remove(0)
}

#[test]
fn the_thing_that_differs_is_the_cause() {
    let a = Case::new().run();
    for (name, case) in variants() {
        let expected = match name {
            "latency" => CauseKind::OrderLatency,
            "slippage" => field("account.slippage"),
            "fee" => field("account.taker_fee"),
            "mask" => field("mask_inputs.open_interest"),
            "threshold" => field("strategy.threshold"),
            "tiers" => field("strategy.tiers.light_from"),
            "risk" => field("risk.max_order_notional"),
            // The variant has no inputs either; what lacks trades is tested below.
            "hole" => continue,
            other => panic!("{other}"),
        };
        assert_eq!(only_cause(&a, &case.run()), expected, "{name}");
    }
}

#[test]
fn spread_and_exits_are_named_by_their_fields() {
    let a = Case::new().run();
    let mut case = Case::new();
    case.config.instruments[0].spread_bps = Decimal::from(4);
    assert_eq!(only_cause(&a, &case.run()), field("instruments[LTCUSDT].spread_bps"));
    let mut case = Case::new();
    let text = &mut case.config.strategies[0].text;
    *text = text.replace("\"timeout_minutes\": 60", "\"timeout_minutes\": 20");
    assert_eq!(only_cause(&a, &case.run()), field("strategy.exits.timeout_minutes"));
}

#[test]
fn layout_and_names_of_a_strategy_are_no_cause() {
    let a = Case::new().run();
    let mut case = Case::new();
    let text = &mut case.config.strategies[0].text;
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    *text = value.to_string().replace("v51_baseline", "my_own");
    case.config.strategies[0].file = "my_own.json".to_owned();
    let result = compared(&a, &case.run());
    assert!(result.is_equal() && !result.identical, "{:?}", result.rows);
    assert!(result.causes.iter().all(|cause| cause.inert && cause.effects == 0));
    assert_eq!(result.causes[0].kind, field("strategy.name"));
}

/// A case without one trade, everything else the same.
fn with_a_hole(at: usize) -> Case {
    let mut case = Case::new();
    let inputs: Vec<_> = case
        .events
        .iter()
        .filter(|event| !matches!(event.kind, EventKind::Trade(_)))
        .cloned()
        .collect();
    let mut trades = super::trades();
    trades.remove(at);
    case.events = crate::support::events(&trades);
    inputs.into_iter().for_each(|event| case.put(event));
    case
}

#[test]
fn a_missing_trade_is_named_with_its_id() {
    let (a, b) = (Case::new().run(), with_a_hole(9_000).run());
    let expected = CauseKind::Trades { symbol: "LTCUSDT".to_owned() };
    assert_eq!(only_cause(&a, &b), expected);
    let result = compared(&a, &b);
    let cause = &result.causes[0];
    assert_eq!(cause.missing, 1);
    assert_eq!(cause.extra, 2, "the gap and its acceptance");
    let trade = super::trades()[9_000];
    let samples: Vec<&str> = cause.samples.iter().map(|sample| sample.what.as_str()).collect();
    assert!(samples.contains(&format!("trade {}", trade.id).as_str()), "{samples:?}");
    assert!(cause.from <= trade.ts);
    let notes = result.rows.iter().find(|row| row.kind == Kind::NoteExtra).unwrap();
    assert!(notes.examples[0].b.as_ref().unwrap().starts_with("hole of trades"));
}

#[test]
fn another_price_of_a_trade_is_named() {
    let a = Case::new().run();
    let mut case = Case::new();
    for event in &mut case.events {
        if let EventKind::Trade(trade) = &mut event.kind
            && trade.id == 9_001
        {
            trade.price = "70000".parse().unwrap();
        }
    }
    let result = compared(&a, &case.run());
    let cause = &result.causes[0];
    assert_eq!(cause.kind, CauseKind::Trades { symbol: "LTCUSDT".to_owned() });
    assert_eq!((cause.different, cause.samples[0].what.as_str()), (1, "trade 9001"));
    assert!(cause.samples[0].b.as_ref().unwrap().starts_with("70000 ×"));
    assert_eq!((result.unexplained(), result.is_equal()), (0, false));
}

/// Open interest as another source would have it, from a time on.
fn with_other_interest(from_step: usize) -> Case {
    let mut case = Case::new();
    let values = case.events.iter_mut().filter_map(|event| match &mut event.kind {
        EventKind::Input(input) => match &mut input.value {
            InputValue::OpenInterest(value) => Some(value),
            _ => None,
        },
        _ => None,
    });
    for (step, value) in values.enumerate().skip(from_step) {
        *value += Decimal::from((step as i64 * 31) % 23 * 4_000);
    }
    case
}

#[test]
fn an_input_is_named_from_its_first_difference() {
    let (a, b) = (Case::new().run(), with_other_interest(80).run());
    assert_eq!(only_cause(&a, &b), input("open_interest"));
    let result = compared(&a, &b);
    let cause = &result.causes[0];
    let first = a.said.events.iter().filter(|event| {
        matches!(&event.kind, EventKind::Input(i) if matches!(i.value, InputValue::OpenInterest(_)))
    });
    // The first few steps differ by nothing: 31 × step mod 23 is zero at 92.
    assert_eq!(cause.from, first.clone().nth(80).unwrap().at);
    let before = result.rows.iter().flat_map(|row| &row.examples).map(|d| d.at).min().unwrap();
    assert!(before >= cause.from);
    let direct = result.rows.iter().flat_map(|row| &row.examples);
    assert!(direct.clone().any(|d| d.kind == Kind::SignalScore && d.evidence == Evidence::Direct));
}

#[test]
fn an_input_that_is_known_later_is_shifted() {
    let a = Case::new().run();
    let mut case = Case::new();
    let late: Vec<_> = case
        .events
        .iter()
        .filter(|event| {
            matches!(&event.kind, EventKind::Input(i)
            if matches!(i.value, InputValue::LongShortRatio(_)))
        })
        .cloned()
        .collect();
    case.events.retain(|event| !late.contains(event));
    for mut event in late {
        event.at = event.at.plus(30_000_000_000);
        case.put(event);
    }
    let b = case.run();
    assert_eq!(only_cause(&a, &b), input("long_short_ratio"));
    let result = compared(&a, &b);
    assert!(result.causes[0].shifted > 100 && result.causes[0].missing == 0);
}

#[test]
fn a_file_shifted_by_a_row_is_missing_and_extra() {
    let a = Case::new().run();
    let mut case = Case::new();
    for event in &mut case.events {
        if let EventKind::Input(input) = &mut event.kind
            && matches!(input.value, InputValue::TopTraderRatio(_))
        {
            input.as_of = input.as_of.plus(60_000_000_000);
        }
    }
    let result = compared(&a, &case.run());
    let cause = &result.causes[0];
    assert_eq!(cause.kind, input("top_trader_ratio"));
    assert_eq!(cause.missing, cause.extra);
    assert!(cause.missing > 100);
}

#[test]
fn settled_funding_explains_funding() {
    let a = Case::new().run();
    let mut case = Case::new();
    for event in &mut case.events {
        if let EventKind::Funding(funding) = &mut event.kind {
            funding.rate *= Decimal::from(30);
        }
    }
    let b = case.run();
    assert_eq!(only_cause(&a, &b), input("funding_settled"));
    let result = compared(&a, &b);
    assert!(result.count(Kind::Funding) > 0);
    assert!(result.count(Kind::NoteDiffers) > 0, "the bookings themselves");
}

#[test]
fn a_risk_limit_that_refuses_is_named_with_the_refusal() {
    let a = Case::new().run();
    let mut case = Case::new();
    case.config.risk.max_positions = 0;
    let b = case.run();
    assert_eq!(only_cause(&a, &b), field("risk.max_positions"));
    let result = compared(&a, &b);
    assert_eq!(result.count(Kind::EntryMissed), a.said.entries.len() as u64);
    let fired = result.rows.iter().find(|row| row.kind == Kind::SignalFired).unwrap();
    let text = fired.examples[0].b.as_ref().unwrap();
    assert!(text.starts_with("risk: max_positions"), "{text}");
}

#[test]
fn equal_orders_answered_otherwise_are_the_venues() {
    let a = Case::new().run();
    let mut case = Case::new();
    case.paper.max_participation = Decimal::new(1, 4);
    case.paper.fill = FillModel::Queue;
    let b = case.run();
    assert_eq!(only_cause(&a, &b), CauseKind::VenueAnswers);
    assert!(compared(&a, &b).count(Kind::FilledQty) > 0);
}

#[test]
fn two_causes_are_told_apart() {
    let a = Case::new().run();
    let mut case = with_other_interest(60);
    case.paper.latency_ms = 1_250;
    case.config.account.maker_fee = Decimal::ZERO;
    let result = compared(&a, &case.run());
    assert_eq!(result.unexplained(), 0);
    let scores = by_kind(&result, Some(&input("open_interest")));
    assert_eq!(scores[&Kind::SignalScore], result.count(Kind::SignalScore));
    let latency = by_kind(&result, Some(&CauseKind::OrderLatency));
    assert_eq!(latency[&Kind::EntryTime], result.count(Kind::EntryTime));
    let fees = by_kind(&result, Some(&field("account.maker_fee")));
    assert_eq!(fees[&Kind::Fee], result.count(Kind::Fee));
    assert!(!scores.contains_key(&Kind::Fee) && !latency.contains_key(&Kind::SignalScore));
    assert!(!fees.contains_key(&Kind::SignalScore));
}

#[test]
fn a_shorter_journal_is_told_as_the_period() {
    let a = Case::new().run();
    let mut case = Case::new();
    case.events.truncate(case.events.len() * 2 / 3);
    let b = case.run();
    let result = compared(&a, &b);
    assert_eq!(named(&result), [CauseKind::Period]);
    assert_eq!(result.unexplained(), 0);
    assert!(result.count(Kind::SignalMissed) > 0 && result.count(Kind::SignalExtra) == 0);
    let mut case = with_a_hole(9_000);
    case.events.truncate(case.events.len() * 2 / 3);
    let result = compared(&a, &case.run());
    let end = result.contents[1].to.unwrap();
    for row in result.rows.iter().filter(|row| row.kind == Kind::SignalMissed) {
        assert!(row.examples.iter().all(|missed| missed.at > end), "{row:?}");
        assert_eq!(row.cause.map(|index| &result.causes[index].kind), Some(&CauseKind::Period));
    }
    let mut case = Case::new();
    case.events.drain(..5_000);
    let result = compared(&a, &case.run());
    assert_eq!(named(&result), [CauseKind::Period]);
    assert_eq!(result.unexplained(), 0);
}

#[test]
fn journals_of_two_strategies_are_compared_field_by_field() {
    let a = Case::new().run();
    let mut case = Case::new();
    case.config.strategies[0].text = Registry::builtin_text("v52_8signals").unwrap().to_owned();
    let result = compared(&a, &case.run());
    assert_eq!(result.unexplained(), 0);
    assert!(result.signals_matched > 0, "a lone strategy is the same whatever its name");
    assert!(named(&result).iter().all(|kind| matches!(kind, CauseKind::Configuration { field }
        if field.starts_with("strategy."))));
}

#[test]
fn what_is_within_the_tolerance_is_equal() {
    let a = Case::new().run();
    let mut case = Case::new();
    // So little that the same trades fill, a few basis points of price elsewhere.
    case.paper.latency_ms = 251;
    case.config.account.slippage = Decimal::new(10_001, 8);
    let b = case.run();
    assert!(!compared(&a, &b).is_equal());
    let tolerance = Tolerance { time_ms: 5, price_bps: Decimal::new(5, 1) };
    let (result, _) = within(&a, &b, tolerance);
    assert!(result.is_equal(), "{:?}", result.rows);
    assert!(!result.identical && !result.causes.is_empty());
}
