//! Every refusal says where, what, and what is allowed.

use super::*;
use crate::tape::klines::klines;
use crate::tape::{Origin, Packed};

fn refused(text: impl Into<Vec<u8>>) -> String {
    refusal(&vec![trades("a.csv", text)])
}

/// The refusal of a second row behind a good one.
fn second(row: &str) -> String {
    refused(format!("1,5,1,{},1\n{row}\n", T0 + 1))
}

fn refused_as(kind: SourceKind, text: String) -> String {
    refusal(&vec![file(kind, 0, "f.csv", text)])
}

#[test]
fn numbers_must_be_numbers() {
    assert_eq!(
        second("2,1e5,1,1717200000002,1"),
        "a.csv:2: price: \"1e5\" is no decimal number; only digits and one dot are allowed"
    );
    assert_eq!(
        second("2,,1,1717200000002,1"),
        "a.csv:2: price: \"\" is empty; a decimal number such as 12.5 is needed"
    );
    assert_eq!(
        second("2,-5,1,1717200000002,1"),
        "a.csv:2: price: \"-5\" is negative; a number above 0 is needed"
    );
    assert_eq!(
        second("2,0.0,1,1717200000002,1"),
        "a.csv:2: price: \"0.0\" is zero; a number above 0 is needed"
    );
    assert_eq!(
        second("2,0.123456789,1,1717200000002,1"),
        "a.csv:2: price: \"0.123456789\" has more than 8 decimals; \
         8 are allowed, trailing zeros not counted"
    );
    assert_eq!(
        second("2,5,10000000001,1717200000002,1"),
        "a.csv:2: quantity: \"10000000001\" is out of range; at most 10000000000 is allowed"
    );
    assert_eq!(
        second("2x,5,1,1717200000002,1"),
        "a.csv:2: id: \"2x\" is no whole number; 1 to 18 digits are allowed"
    );
    assert_eq!(
        second("2,5,1,1717200000002,yes"),
        "a.csv:2: is_buyer_maker: \"yes\" is no flag; \
         true, false, True, False, 1, 0 are allowed"
    );
}

#[test]
fn times_must_be_of_this_age_and_go_forward() {
    let allowed = "is no time; milliseconds (13 digits) or microseconds (16 digits) \
                   from 2001-09-09 to 2261-12-31 are allowed";
    assert_eq!(second("2,5,1,1717200000,1"), format!("a.csv:2: time: \"1717200000\" {allowed}"));
    assert_eq!(
        second("2,5,1,9999999999999,1"),
        format!("a.csv:2: time: \"9999999999999\" {allowed}")
    );
    assert_eq!(
        second("2,5,1,1717200000000,1"),
        "a.csv:2: time: 2024-06-01T00:00:00.000Z is before 2024-06-01T00:00:00.001Z of a.csv:1; \
         times must not go back"
    );
}

#[test]
fn ids_must_go_up() {
    assert_eq!(refused(rows([4, 5, 3])), "a.csv:3: id: 3 is below 5 of a.csv:2; ids must go up");
}

#[test]
fn one_id_has_one_content() {
    let files = vec![
        trades("b.csv", "2,5,1,1717200000002,1\n"),
        trades("a.csv", "1,5,1,1717200000001,1\n2,5,9,1717200000002,1\n"),
    ];
    let message = refusal(&files);
    assert_eq!(
        message,
        "b.csv:1: id: 2 is in a.csv:2 too, with another quantity (9, here 1); \
         one id allows one content only"
    );
    let inside = second("1,6,1,1717200000001,1");
    assert_eq!(
        inside,
        "a.csv:2: id: 1 is in a.csv:1 too, with another price (5, here 6); \
         one id allows one content only"
    );
}

#[test]
fn the_same_trade_in_two_units_is_one_if_it_is_the_same_instant() {
    let files = |micros: &str| {
        let other = format!("1,5,1,{micros},1\n2,5,1,1717200000003000,1\n");
        vec![trades("a.csv", "1,5,1,1717200000002,1\n"), trades("b.csv", other)]
    };
    assert_eq!(events(&files("1717200000002000")).len(), 2);
    assert_eq!(
        refusal(&files("1717200000002001")),
        "a.csv:1: id: 1 is in b.csv:1 too, with another time \
         (1717200000002001, here 1717200000002000) µs; one file has milliseconds, the other \
         microseconds: give only one of them; one id allows one content only"
    );
}

#[test]
fn columns_are_called_what_the_header_calls_them() {
    let header = "agg_trade_id,price,qty,transact_time,is_buyer_maker\n";
    let rows = |second: &str| refused(format!("{header}1,5,1,1717200000001,1\n{second}\n"));
    assert!(rows("2,5,1,9,1").starts_with("a.csv:3: transact_time: \"9\" is no time"));
    assert!(rows("2,5,1,1717200000000,1").starts_with("a.csv:3: transact_time: 2024-"));
    assert!(rows("x,5,1,1717200000001,1").starts_with("a.csv:3: agg_trade_id: \"x\""));
    assert!(rows("0,5,1,1717200000001,1").starts_with("a.csv:3: agg_trade_id: 0 is below"));
    assert!(rows("1,6,1,1717200000001,1").starts_with("a.csv:3: agg_trade_id: 1 is in a.csv:2"));
    assert!(rows("2,5,x,1717200000001,1").starts_with("a.csv:3: qty: \"x\""));
    let funding = |rows: &str| {
        let header = "calc_time,funding_interval_hours,last_funding_rate\n";
        refused_as(SourceKind::Funding, format!("{header}{rows}\n"))
    };
    assert!(funding("1717200000000,8,2").starts_with("f.csv:2: last_funding_rate: "));
    let twice = funding("1717200000000,8,0.1\n1717200000000,8,0.2");
    assert!(twice.starts_with("f.csv:3: calc_time: 2024-06-01"), "{twice}");
    assert!(twice.ends_with("another rate; one calc_time allows one content only"), "{twice}");
}

#[test]
fn a_file_holds_one_symbol_the_expected_one() {
    assert_eq!(
        refused("a,p,q,T,m,s\n1,5,1,1717200000001,1,ETHUSDT\n"),
        "a.csv:2: s: \"ETHUSDT\" is another symbol; BTCUSDT is allowed"
    );
    assert_eq!(
        refused_as(SourceKind::Funding, format!("ETHUSDT,{T0},0.0001\n")),
        "f.csv:1: symbol: \"ETHUSDT\" is another symbol; BTCUSDT is allowed"
    );
    assert_eq!(
        refused_as(SourceKind::Metrics, format!("{T0},ETHUSDT,1,1,1,1,1,1\n")),
        "f.csv:1: symbol: \"ETHUSDT\" is another symbol; BTCUSDT is allowed"
    );
}

#[test]
fn rows_have_as_many_columns_as_the_first_line() {
    assert_eq!(second("2,5,1,1717200000002"), "a.csv:2: row: has 4 columns; 5 are needed");
    let many = "1,".repeat(5_000);
    assert_eq!(second(&many).split(';').next_back().unwrap(), " no archive has such lines");
    assert_eq!(refused("1,".repeat(20)), "a.csv:1: row: has 21 columns; 16 are allowed");
}

#[test]
fn unknown_formats_are_named() {
    assert_eq!(
        refused("id,price,time,is_buyer_maker\n1,5,1717200000001,1\n"),
        "a.csv:1: header: has no column of the name quantity, qty, q; one is needed"
    );
    assert_eq!(
        refused("id,price,p,q,T,m\n1,5,5,1,1717200000001,1\n"),
        "a.csv:1: header: has two columns of the name price, p; one is allowed"
    );
    assert_eq!(
        refused_as(SourceKind::Metrics, "1,2,3\n".to_owned()),
        "f.csv:1: row: 3 columns fit no known layout; allowed are a header line or: \
         create_time,symbol,sum_open_interest,sum_open_interest_value,\
         count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,\
         count_long_short_ratio,sum_taker_long_short_vol_ratio"
    );
    let klines = "1717200000000,1,1,1,1,1,1717200059999,1,1,1,1,0\n";
    assert!(refused(klines).starts_with("a.csv:1: row: 12 columns fit no known layout; "));
}

#[test]
fn single_and_aggregate_trades_do_not_mix() {
    let files = vec![trades("a.csv", rows([1])), trades("b.csv", "1,5,1,5,1717200000001,true\n")];
    assert_eq!(
        refusal(&files),
        "b.csv:1: id: the file has single trades but a.csv has aggregate trades; \
         their ids cannot be merged"
    );
}

#[test]
fn a_file_has_rows() {
    for text in ["", "\n\n", HEADER, "\u{feff}"] {
        assert_eq!(refused(text), "a.csv: has no rows; at least one is needed", "{text:?}");
    }
    assert_eq!(
        refused_as(SourceKind::Funding, "calc_time,last_funding_rate\n".to_owned()),
        "f.csv: has no rows; at least one is needed"
    );
}

#[test]
fn blank_lines_are_for_the_end() {
    let text = format!("{}\n\n{}", rows([1]), rows([2]));
    let message = "row: is blank; blank lines are allowed at the end only";
    assert_eq!(refused(text), format!("a.csv:2: {message}"));
    assert_eq!(refused(format!("\n{}", rows([1]))), format!("a.csv:1: {message}"));
}

#[test]
fn text_is_utf8() {
    let message = "row: is not UTF-8 text; a CSV file is needed";
    assert_eq!(refused(b"\xff\xfe1\x00,\n".to_vec()), format!("a.csv:1: {message}"));
    let second = [rows([1]).as_bytes(), b"\x80\n"].concat();
    assert_eq!(refused(second), format!("a.csv:2: {message}"));
}

#[test]
fn a_missing_file_is_named() {
    let source = Source { path: "no/such.csv".into(), ..trades("", "").0 };
    let message = Tape::open(&[source], TapeOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with("no/such.csv: cannot be read: "), "{message}");
}

#[test]
fn inputs_are_in_range_and_agree() {
    let funding = |rows: String| refused_as(SourceKind::Funding, rows);
    assert_eq!(
        funding(format!("{T0},8,1.5\n")),
        "f.csv:1: funding_rate: \"1.5\" is out of range; a fraction from -1 to 1 is allowed"
    );
    assert_eq!(
        funding(format!("{T0},0,0.0001\n")),
        "f.csv:1: funding_interval_hours: \"0\" is no interval; \
         whole hours from 1 to 24 are allowed"
    );
    assert_eq!(
        funding(format!("{T0},8,0.0001\n{},8,0.0002\n", T0 + 5)),
        "f.csv:2: funding_time: 2024-06-01T00:00:00.000Z is in f.csv:1 too, with another rate; \
         one funding_time allows one content only"
    );
    assert_eq!(
        funding(format!("BTCUSDT,{T0},0.0001,-1\n")),
        "f.csv:1: mark_price: \"-1\" is negative; a number above 0 is needed"
    );
    let metrics = |row: &str| refused_as(SourceKind::Metrics, row.to_owned());
    assert_eq!(
        metrics("2024-02-30 00:00:00,BTCUSDT,1,1,1,1,1,1\n").split(';').next().unwrap(),
        "f.csv:1: row: 8 columns fit no known layout"
    );
    assert_eq!(
        metrics("2024-06-01 00:00:00,BTCUSDT,1,1,1,-2,1,1\n"),
        "f.csv:1: sum_toptrader_long_short_ratio: \"-2\" is negative; a number from 0 is allowed"
    );
    assert_eq!(
        metrics("2024-06-01 00:00:00,BTCUSDT,0x1,1,1,2,1,1\n"),
        "f.csv:1: sum_open_interest: \"0x1\" is no decimal number; \
         digits with one dot are allowed"
    );
}

#[test]
fn a_pipe_is_no_file() {
    let source = Source { path: "/dev/null".into(), ..trades("", "").0 };
    let message = Tape::open(&[source], TapeOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with("/dev/null: is not a regular file"), "{message}");
}

#[test]
fn klines_have_their_prices_between_low_and_high() {
    let refusal = |prices: &str| {
        let row = format!("{T0},{prices},1,{},1,1,1,1,0\n", T0 + 59_999);
        let file = Packed { name: "k.csv".into(), origin: Origin::Memory(row.as_bytes().into()) };
        klines(&file).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(refusal("2,3,1,2"), Ok(()));
    assert_eq!(
        refusal("2,1,3,2"),
        Err("k.csv:1: high: \"1\" is below low 3; high is the highest price".to_owned())
    );
    assert_eq!(
        refusal("4,3,1,2"),
        Err("k.csv:1: open: \"4\" is outside low 1 to high 3".to_owned())
    );
    assert_eq!(
        refusal("2,3,1,0.5"),
        Err("k.csv:1: close: \"0.5\" is outside low 1 to high 3".to_owned())
    );
}

#[test]
fn klines_last() {
    let row = format!("{T0},1,1,1,1,1,{T0},1,1,1,1,0\n");
    let file = Packed { name: "k.csv".into(), origin: Origin::Memory(row.as_bytes().into()) };
    assert_eq!(
        klines(&file).unwrap_err().to_string(),
        format!("k.csv:1: close_time: \"{T0}\" is not after open_time; a kline must last")
    );
}
