//! Inputs become known when they were published, not when they were true.

use super::*;

/// Milliseconds of 5 minutes and 30 seconds.
const METRICS_KNOWN: i64 = 330_000;

const METRICS_HEADER: &str = "create_time,symbol,sum_open_interest,sum_open_interest_value,\
                              count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,\
                              count_long_short_ratio,sum_taker_long_short_vol_ratio\n";

fn of(kind: SourceKind, text: impl Into<Vec<u8>>) -> Vec<String> {
    short(&events(&vec![file(kind, 0, "f.csv", text)]))
}

#[test]
fn metrics_are_sorted_and_known_after_five_and_a_half_minutes() {
    let rows = "2024-06-01 00:05:00,BTCUSDT,103453.1500000000000000,7992877899.36,1.6,2.202,1.58,1\n\
                2024-06-01 00:00:00,BTCUSDT,76643.191,1,2.0,1.9,1.8,0.7\n";
    let expected = [
        format!("oi 76643.191 of 0:0 @{METRICS_KNOWN}"),
        format!("accounts 1.8 of 0:0 @{METRICS_KNOWN}"),
        format!("top 1.9 of 0:0 @{METRICS_KNOWN}"),
        format!("oi 103453.15 of 0:300000 @{}", 300_000 + METRICS_KNOWN),
        format!("accounts 1.58 of 0:300000 @{}", 300_000 + METRICS_KNOWN),
        format!("top 2.202 of 0:300000 @{}", 300_000 + METRICS_KNOWN),
    ];
    assert_eq!(of(SourceKind::Metrics, rows), expected);
    assert_eq!(of(SourceKind::Metrics, format!("{METRICS_HEADER}{rows}")), expected);
}

#[test]
fn an_empty_metric_is_no_input_and_a_time_may_be_milliseconds() {
    let rows = format!("{T0},BTCUSDT,,1,2.0,,1.8,0.7\n");
    assert_eq!(of(SourceKind::Metrics, rows), [format!("accounts 1.8 of 0:0 @{METRICS_KNOWN}")]);
}

#[test]
fn open_interest_padded_past_28_digits_is_read_exactly() {
    let rows = format!("{T0},BTCUSDT,12345678901234.5000000000000000,1,,,,\n");
    assert_eq!(
        of(SourceKind::Metrics, rows),
        [format!("oi 12345678901234.5 of 0:0 @{METRICS_KNOWN}")]
    );
}

#[test]
fn a_settlement_is_known_a_minute_after_its_nominal_second() {
    let jittered = T0 + 13;
    let expected = ["funding 0:-0.00012359 of 0 @60000"];
    let row = format!("BTCUSDT,{jittered},-0.00012359\n");
    assert_eq!(of(SourceKind::Funding, row.clone()), expected);
    let text = format!("symbol,funding_time,funding_rate\n{row}");
    assert_eq!(of(SourceKind::Funding, text), expected);

    let archive =
        format!("calc_time,funding_interval_hours,last_funding_rate\n{jittered},4,0.0001\n");
    let expected = ["funding 0:0.0001 of 0 @60000", "hours 4 of 0:0 @60000"];
    assert_eq!(of(SourceKind::Funding, archive), expected);
    assert_eq!(of(SourceKind::Funding, format!("{jittered},4,0.0001\n")), expected);
}

#[test]
fn equal_settlements_are_one_and_join_what_they_know() {
    let archive = format!("{T0},8,0.00010000\n");
    let recorded =
        format!("symbol,funding_time,funding_rate,mark_price\nBTCUSDT,{T0},0.0001,67500.5\n");
    let files = vec![
        file(SourceKind::Funding, 0, "a.csv", archive),
        file(SourceKind::Funding, 0, "b.csv", recorded),
    ];
    let (events, stats) = read(&files, TapeOptions::default()).unwrap();
    assert_eq!(short(&events), ["funding 0:0.0001 of 0 @60000", "hours 8 of 0:0 @60000"]);
    let EventKind::Funding(settled) = &events[0].kind else { panic!("no settlement") };
    assert_eq!(settled.mark_price.unwrap().to_string(), "67500.5");
    assert_eq!(stats.duplicates, 1);
}

#[test]
fn an_empty_mark_price_is_none() {
    let row = format!("BTCUSDT,{T0},0.0001,\n");
    assert_eq!(of(SourceKind::Funding, row), ["funding 0:0.0001 of 0 @60000"]);
}

fn minute(index: i64, premium: &str) -> String {
    let open = T0 + index * 60_000;
    let p = premium;
    format!("{open},{p},{p},{p},{p},0,{},0,12,0,0,0\n", open + 59_999)
}

#[test]
fn a_kline_of_the_premium_is_known_at_its_close() {
    // P = 0.0007, so F = 0.0007 + clamp(0.0001 - 0.0007) = 0.0002; then
    // P = (1 × 0.0007 + 2 × 0.0004) ÷ 3 = 0.0005, so F = 0.0001.
    let text = [minute(0, "0.0007"), minute(1, "0.0004")].concat();
    let expected = ["running 0.0002 of 0:60000 @60000", "running 0.0001 of 0:120000 @120000"];
    assert_eq!(of(SourceKind::PremiumKlines, text), expected);
}

#[test]
fn the_estimate_starts_anew_with_each_funding_interval() {
    let text = [minute(479, "-0.0010"), minute(480, "0.0010")].concat();
    let known = [480 * 60_000, 481 * 60_000];
    let expected = [
        format!("running -0.0005 of 0:{0} @{0}", known[0]),
        format!("running 0.0005 of 0:{0} @{0}", known[1]),
    ];
    assert_eq!(of(SourceKind::PremiumKlines, text), expected);
}

#[test]
fn the_estimate_follows_the_interval_once_it_is_known() {
    let files = vec![
        file(SourceKind::Funding, 0, "f.csv", format!("{},4,0.0001\n", T0 + 60_000)),
        file(
            SourceKind::PremiumKlines,
            0,
            "p.csv",
            [minute(0, "0.0010"), minute(1, "0.0010")].concat(),
        ),
    ];
    let expected = [
        "running 0.0005 of 0:60000 @60000",
        "funding 0:0.0001 of 60000 @120000",
        "running 0.00025 of 0:120000 @120000",
        "hours 4 of 0:60000 @120000",
    ];
    let mut found = short(&events(&files));
    found[2..].sort_by_key(|event| !event.starts_with("running"));
    assert_eq!(found, expected);
}

#[test]
fn inputs_alone_are_a_tape() {
    let files = vec![file(SourceKind::Funding, 0, "f.csv", format!("{T0},8,0.0001\n"))];
    assert_eq!(events(&files).len(), 2);
}
