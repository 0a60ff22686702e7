//! `arb funding stats`, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arb::Decimal;
use serde_json::Value;

fn stats(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(["funding", "stats"]).args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let run = stats(&[args, &["--json", "-"]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(folder: &tempfile::TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

const HEADER: &str = "symbol,funding_time,funding_rate\n";
/// 2023-12-31 16:00 to 2024-01-01 16:00, with the jitter of real files and an interval of 8, then
/// 4 hours.
const ROWS: &str = "SOLUSDT,1704038400003,0.00010000\n\
                    SOLUSDT,1704067200000,-0.00020000\n\
                    SOLUSDT,1704096000018,0.00040000\n\
                    SOLUSDT,1704110400001,0.00030000\n\
                    SOLUSDT,1704124800000,0.00010000\n";

/// Σ rates by UTC year, from the text and by nothing that is under test.
fn plain_sums(csv: &str) -> BTreeMap<i64, Decimal> {
    // First milliseconds of the years 2020 to 2027.
    let years: Vec<i64> = (2020..2028_i64)
        .map(|year| (0..year - 1970).map(|n| 365 + i64::from((1970 + n) % 4 == 0)).sum::<i64>())
        .map(|days| days * 86_400_000)
        .collect();
    let mut sums = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let time: i64 = cells[1].parse().unwrap();
        let year = 2019 + i64::try_from(years.partition_point(|start| *start <= time)).unwrap();
        *sums.entry(year).or_insert(Decimal::ZERO) += cells[2].parse::<Decimal>().unwrap();
    }
    sums
}

fn told_sums(symbol: &Value) -> BTreeMap<i64, Decimal> {
    let years = symbol["years"].as_array().unwrap();
    years
        .iter()
        .map(|y| (y["year"].as_i64().unwrap(), y["sum"].as_str().unwrap().parse().unwrap()))
        .collect()
}

#[test]
fn a_written_file_gives_figures_worked_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "SOLUSDT-fundingRate.csv", &format!("{HEADER}{ROWS}"));
    let result = json(&[&file]);
    let symbol = &result["symbols"][0];
    assert_eq!(symbol["symbol"], "SOLUSDT");
    assert_eq!(told_sums(symbol), plain_sums(&format!("{HEADER}{ROWS}")));
    assert_eq!(symbol["years"][0]["sum"], "0.0001");
    assert_eq!(symbol["years"][1]["sum"], "0.0006");
    let total = &symbol["total"];
    assert_eq!((&total["settlements"], &total["hours"]), (&5.into(), &"32".into()));
    assert_eq!(total["mean"], "0.00014");
    assert_eq!(total["annualised"], "0.191625", "0.0007 in 32 hours");
    assert_eq!(total["negative_share"], "0.2");
    assert_eq!(total["min"]["time_ms"], 1_704_067_200_000_i64);
    let changes = symbol["interval_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[1]["since_ms"], 1_704_110_400_000_i64);
    assert_eq!(changes[1]["interval_secs"], 14_400);
    let shown = text(&stats(&[&file]).stdout);
    assert!(shown.contains("intervals 4 h × 2, 8 h × 2; 4 h from 2024-01-01 12:00"), "{shown}");
}

#[test]
fn as_of_leaves_later_settlements_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "SOLUSDT-fundingRate.csv", &format!("{HEADER}{ROWS}"));
    let result = json(&[&file, "--as-of", "2024-01-01T08:00:00Z"]);
    let symbol = &result["symbols"][0];
    assert_eq!(symbol["total"]["settlements"], 3);
    assert_eq!(symbol["year_to_date"]["sum"], "0.0002");
    assert_eq!(symbol["seven_days"]["settlements"], 3);
    let late = json(&[&file, "--as-of", "2024-02-01"]);
    assert_eq!(late["symbols"][0]["seven_days"]["mean"], Value::Null);
    assert_eq!(late["symbols"][0]["year_to_date"]["settlements"], 4);
    let early = stats(&[&file, "--as-of", "2020-01-01"]);
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("SOLUSDT: no settlement up to 2020-01-01"));
}

#[test]
fn files_of_one_symbol_merge_and_contradictions_name_both_lines() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<&str> = ROWS.lines().collect();
    let part = |range: &[&str]| format!("{HEADER}{}\n", range.join("\n"));
    let first = write(&folder, "SOLUSDT-fundingRate-2023-12.csv", &part(&lines[..3]));
    let second = write(&folder, "SOLUSDT-fundingRate-2024-01.csv", &part(&lines[1..]));
    let whole = write(&folder, "SOLUSDT-fundingRate.csv", &format!("{HEADER}{ROWS}"));
    assert_eq!(json(&[&second, &first]), json(&[&whole]));
    let other = ROWS.replace("018,0.00040000", "002,0.00050000");
    let other = write(&folder, "other.csv", &format!("{HEADER}{other}"));
    let run = stats(&[&whole, &format!("SOLUSDT={other}")]);
    assert_eq!(run.status.code(), Some(1));
    let error = text(&run.stderr);
    assert!(error.contains("other.csv:4: funding_time: 2024-01-01T08:00:00.000Z"), "{error}");
    assert!(error.contains("SOLUSDT-fundingRate.csv:4"), "{error}");
}

#[test]
fn bad_input_names_file_line_field_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    for (row, expected) in [
        ("SOLUSDT,1704038400003,2", ":3: funding_rate: \"2\" is out of range; a fraction"),
        ("BTCUSDT,1704038400003,0.1", ":3: symbol: \"BTCUSDT\""),
        ("SOLUSDT,soon,0.1", ":3: funding_time: \"soon\""),
    ] {
        let first = ROWS.lines().next().unwrap();
        let file = write(&folder, "a.csv", &format!("{HEADER}{first}\n{row}\n"));
        let run = stats(&[&file, "--symbol", "SOLUSDT"]);
        assert_eq!(run.status.code(), Some(1));
        assert!(text(&run.stderr).contains(expected), "{}", text(&run.stderr));
    }
    let file = write(&folder, "b.csv", &format!("{HEADER}{ROWS}"));
    assert_eq!(stats(&[&file]).status.code(), Some(2), "nobody says which symbol it is");
    let named = write(&folder, "SOLUSDT-fundingRate.csv", &format!("{HEADER}{ROWS}"));
    assert_eq!(stats(&[&named, "--symbol", "BTCUSDT"]).status.code(), Some(2));
    assert_eq!(stats(&[]).status.code(), Some(2));
}

fn recorded(symbol: &str) -> Option<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").map_or(folder, PathBuf::from);
    let path = folder.join(format!("funding/{symbol}-fundingRate.csv.gz"));
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: the recorded funding of {symbol} is not here");
        return None;
    };
    let mut csv = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut csv).unwrap();
    Some((path.to_str().unwrap().to_owned(), csv))
}

#[test]
fn every_year_of_the_recorded_files_is_the_plain_sum() {
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT", "POLUSDT"] {
        let Some((path, csv)) = recorded(symbol) else { continue };
        let result = json(&[&path]);
        let told = &result["symbols"][0];
        assert_eq!(told_sums(told), plain_sums(&csv), "{symbol}");
        let all: Decimal = plain_sums(&csv).values().sum();
        assert_eq!(told["total"]["sum"].as_str().unwrap().parse::<Decimal>().unwrap(), all);
        assert_eq!(told["total"]["settlements"], csv.lines().count() - 1);
        assert_eq!(told["holes"], Value::Array(Vec::new()), "{symbol}");
    }
}

#[test]
fn the_intervals_of_november_2022_are_seen() {
    let Some((path, _)) = recorded("SOLUSDT") else { return };
    let result = json(&[&path]);
    let seen: Vec<_> = result["symbols"][0]["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["interval_secs"].as_i64().unwrap() / 3_600, i["settlements"].as_u64().unwrap()))
        .collect();
    assert_eq!(seen, [(2, 98), (4, 3), (8, 5_944)]);
}

#[test]
fn symbols_are_ranked_by_what_they_pay_now() {
    let folder = tempfile::tempdir().unwrap();
    let file = |symbol: &str, rate: &str| {
        let rows = ROWS.replace("SOLUSDT", symbol).replace("0.00010000", rate);
        write(&folder, &format!("{symbol}-fundingRate.csv"), &format!("{HEADER}{rows}"))
    };
    let (low, high) = (file("AAAUSDT", "0.00010000"), file("BBBUSDT", "0.00050000"));
    let result = json(&[&low, &high]);
    let names: Vec<_> =
        result["symbols"].as_array().unwrap().iter().map(|s| s["symbol"].clone()).collect();
    assert_eq!(names, ["BBBUSDT", "AAAUSDT"]);
    let only = json(&[&low, &high, "--symbol", "AAAUSDT"]);
    assert_eq!(only["symbols"].as_array().unwrap().len(), 1);
    let shown = text(&stats(&[&low, &high]).stdout);
    assert!(shown.starts_with("rank  symbol"), "{shown}");
}
