//! A hole is announced where a live feed would notice it.

use super::*;

fn with(gaps: Gaps, files: &Files) -> (Vec<String>, TapeStats) {
    let (events, stats) = read(files, TapeOptions { gaps, ..TapeOptions::default() }).unwrap();
    (short(&events), stats)
}

fn holed() -> Files {
    vec![trades("a.csv", rows([1, 2, 5, 9, 10]))]
}

#[test]
fn the_first_hole_is_refused_by_default() {
    assert_eq!(
        refusal(&holed()),
        "a.csv:3: id: 3 to 4 are missing (2 in all) between 2024-06-01T00:00:00.002Z and \
         2024-06-01T00:00:00.005Z; --accept-gaps lets the run go on"
    );
}

#[test]
fn an_accepted_hole_is_announced_behind_the_trade_before_and_accepted_behind_the_one_after() {
    let (events, stats) = with(Gaps::Accept, &holed());
    let expected = [
        "trade 0:1 @1",
        "trade 0:2 @2",
        "gap 0:2 @2",
        "trade 0:5 @5",
        "accepted 0:5 @5",
        "gap 0:5 @5",
        "trade 0:9 @9",
        "accepted 0:9 @9",
        "trade 0:10 @10",
    ];
    assert_eq!(events, expected);
    let holes: Vec<_> =
        stats.holes.iter().map(|h| (h.from_id, h.to_id, ms(h.start), ms(h.end))).collect();
    assert_eq!(holes, [(3, 4, 2, 5), (6, 8, 5, 9)]);
}

#[test]
fn an_announced_hole_stays_open() {
    let (events, stats) = with(Gaps::Announce, &holed());
    let expected = [
        "trade 0:1 @1",
        "trade 0:2 @2",
        "gap 0:2 @2",
        "trade 0:5 @5",
        "gap 0:5 @5",
        "trade 0:9 @9",
        "trade 0:10 @10",
    ];
    assert_eq!(events, expected);
    assert_eq!(stats.holes.len(), 2);
}

#[test]
fn a_hole_is_announced_before_later_trades_of_another_instrument() {
    let other = file(SourceKind::Trades, 1, "e.csv", rows([3, 4]));
    let files = vec![trades("a.csv", rows([1, 2, 5])), other];
    let expected = [
        "trade 0:1 @1",
        "trade 0:2 @2",
        "gap 0:2 @2",
        "trade 1:3 @3",
        "trade 1:4 @4",
        "trade 0:5 @5",
        "accepted 0:5 @5",
    ];
    assert_eq!(with(Gaps::Accept, &files).0, expected);
}

#[test]
fn a_hole_between_files_is_a_hole_and_one_that_another_file_fills_is_none() {
    let apart = vec![trades("a.csv", rows([1, 2])), trades("b.csv", rows([4]))];
    assert_eq!(with(Gaps::Accept, &apart).1.holes.len(), 1);
    let filled = vec![trades("a.csv", rows([1, 2, 4])), trades("b.csv", rows([3]))];
    let expected = ["trade 0:1 @1", "trade 0:2 @2", "trade 0:3 @3", "trade 0:4 @4"];
    assert_eq!(with(Gaps::Refuse, &filled).0, expected);
}

#[test]
fn the_ends_of_the_period_are_no_holes() {
    let at = |ms| Some(Timestamp::from_millis(T0 + ms));
    let options = TapeOptions { gaps: Gaps::Accept, from: at(2), to: at(9) };
    let (events, stats) = read(&holed(), options).unwrap();
    let expected = ["trade 0:2 @2", "gap 0:2 @2", "trade 0:5 @5", "accepted 0:5 @5"];
    assert_eq!(short(&events), expected);
    assert_eq!(stats.holes.len(), 1);
}
