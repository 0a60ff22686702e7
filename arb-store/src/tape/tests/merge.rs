//! Several files and instruments become one order.

use super::*;

#[test]
fn overlapping_files_in_any_order_give_each_trade_once() {
    let expected = events(&vec![trades("a.csv", rows(1..=12))]);
    let files = vec![
        trades("c.csv", rows(7..=12)),
        trades("a.csv", rows(1..=8)),
        trades("b.csv", format!("{HEADER}{}", rows([3, 4, 8, 9]))),
    ];
    let (merged, stats) = read(&files, TapeOptions::default()).unwrap();
    assert_eq!(merged, expected);
    assert_eq!((stats.trades, stats.duplicates), (12, 6));
}

#[test]
fn a_row_repeated_inside_a_file_is_given_once() {
    let text = format!("{}{}", rows([1, 2, 2]), rows([2, 3]));
    let (merged, stats) = read(&vec![trades("a.csv", text)], TapeOptions::default()).unwrap();
    assert_eq!(merged.len(), 3);
    assert_eq!(stats.duplicates, 2);
}

#[test]
fn repeated_rows_without_quantity_are_given_once() {
    let row = "1,5,0,1717200000001,1\n";
    let files = vec![trades("a.csv", row), trades("b.csv", row)];
    let (merged, stats) = read(&files, TapeOptions::default()).unwrap();
    assert_eq!((merged.len(), stats.zero_qty, stats.duplicates), (1, 1, 1));
}

#[test]
fn events_of_all_sources_come_in_the_total_order() {
    // Of the same millisecond: funding, input, then trades by instrument.
    let due = T0 - 60_000;
    let funding = format!("calc_time,funding_interval_hours,last_funding_rate\n{due},8,0.0001\n");
    let files = vec![
        file(SourceKind::Trades, 1, "e.csv", "7,1,1,1717200000000,1\n8,1,1,1717200000002,1\n"),
        trades("b.csv", "1,1,1,1717200000000,1\n2,1,1,1717200000000,1\n3,1,1,1717200000002,1\n"),
        file(SourceKind::Funding, 1, "f.csv", funding.clone()),
        file(SourceKind::Funding, 0, "g.csv", funding),
    ];
    let merged = events(&files);
    let expected = [
        "funding 0:0.0001 of -60000 @0",
        "funding 1:0.0001 of -60000 @0",
        "hours 8 of 0:-60000 @0",
        "hours 8 of 1:-60000 @0",
        "trade 0:1 @0",
        "trade 0:2 @0",
        "trade 1:7 @0",
        "trade 0:3 @2",
        "trade 1:8 @2",
    ];
    assert_eq!(short(&merged), expected);
    assert!(merged.is_sorted_by_key(Event::order_key));
}

#[test]
fn long_interleaved_tapes_stay_in_order_over_many_batches() {
    let files = vec![
        trades("b.csv", rows((1..=9_000).filter(|id| id % 1_000 != 7))),
        file(SourceKind::Trades, 1, "e.csv", rows(500..=9_500)),
    ];
    let (merged, stats) = read(&files, accept()).unwrap();
    assert_eq!(stats.trades, 8_991 + 9_001);
    assert_eq!(stats.holes.len(), 9);
    let trades: Vec<_> = merged.iter().filter(|e| matches!(e.kind, EventKind::Trade(_))).collect();
    assert!(trades.is_sorted_by_key(|event| event.order_key()));
    assert!(merged.is_sorted_by_key(|event| event.at));
}

#[test]
fn the_period_holds_its_first_instant_and_not_its_last() {
    let at = |ms| Some(Timestamp::from_millis(T0 + ms));
    let files = vec![trades("a.csv", rows(1..=4)), trades("b.csv", rows(5..=9))];
    let within = |from, to| {
        let options = TapeOptions { from, to, ..TapeOptions::default() };
        short(&read(&files, options).unwrap().0)
    };
    assert_eq!(within(at(3), at(6)), ["trade 0:3 @3", "trade 0:4 @4", "trade 0:5 @5"]);
    assert_eq!(within(at(9), None), ["trade 0:9 @9"]);
    assert_eq!(within(None, at(2)), ["trade 0:1 @1"]);
    assert!(within(at(10), None).is_empty() && within(None, at(1)).is_empty());
}

#[test]
fn inputs_before_the_period_are_kept_for_thirty_days() {
    let day = 86_400_000;
    let row = |days: i64| format!("{},8,0.0001\n", T0 - days * day);
    let funding =
        ["calc_time,funding_interval_hours,last_funding_rate\n", &row(31), &row(29), &row(0)];
    let files =
        vec![trades("a.csv", rows(1..=1)), file(SourceKind::Funding, 0, "f.csv", funding.concat())];
    let from = Some(Timestamp::from_millis(T0));
    let to = Some(Timestamp::from_millis(T0 + 60_000));
    let (merged, _) = read(&files, TapeOptions { from, to, ..TapeOptions::default() }).unwrap();
    let early = 60_000 - 29 * day;
    let expected = [
        format!("funding 0:0.0001 of {} @{early}", -29 * day),
        format!("hours 8 of 0:{} @{early}", -29 * day),
        "trade 0:1 @1".to_owned(),
    ];
    assert_eq!(short(&merged), expected);
}

#[test]
fn nothing_follows_an_error() {
    let text = format!("{}5,x,1,1,1,1717200000005,true\n", rows(1..=4));
    let mut tape = Tape::from_bytes(&[trades("a.csv", text)], TapeOptions::default()).unwrap();
    let mut out = Vec::new();
    tape.next_batch(&mut out).unwrap_err();
    assert_eq!(short(&out), ["trade 0:1 @1", "trade 0:2 @2"]);
    assert_eq!(tape.next_batch(&mut out).unwrap(), 0);
}
