//! `arb carry`, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().unwrap()
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Forty days of 0.04 % every eight hours from 2023-11-15, then nothing.
fn funding() -> String {
    let mut text = "symbol,funding_time,funding_rate\n".to_owned();
    for settlement in 0..150_i64 {
        let at = 1_700_006_400_000 + settlement * 8 * 3_600_000;
        let rate = if settlement < 120 { "0.0004" } else { "0" };
        writeln!(text, "XUSDT,{at},{rate}").unwrap();
    }
    text
}

fn bars() -> String {
    let mut text = "open_time_utc,open_perp,close_perp,volume_perp,open_spot,close_spot,\
                    volume_spot,mark_price,funding_rate_raw\n"
        .to_owned();
    for hour in 0..24 * 20 {
        let (day, hour) = (hour / 24 + 1, hour % 24);
        writeln!(
            text,
            "2023-12-{day:02} {hour:02}:00:00,100.1,100.2,90000,100.0,100.1,90000,100.15,0.0005"
        )
        .unwrap();
    }
    text
}

#[test]
fn funding_files_alone_run_at_a_constant_price_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "XUSDT-fundingRate.csv", &funding());
    let output = arb(&["carry", "--funding", &file, "--json", "-"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no_price: XUSDT"), "{text}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["no_price"], serde_json::json!(["XUSDT"]));
    assert_eq!(result["settlements"], 150);
    assert_eq!(result["pairs"][0]["reason"], "low_funding");
    let earned: f64 = result["pairs"][0]["funding_earned"].as_str().unwrap().parse().unwrap();
    assert!(earned > 200.0, "{earned}");
    assert!(result["summary"]["realised_apr"].as_f64().unwrap() > 0.05);
    assert_eq!(result["summary"]["basis_pnl"], result["pairs"][0]["basis_pnl"]);
}

#[test]
fn bars_tell_prices_basis_and_settlements() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "table.csv", &bars());
    let journal = folder.path().join("run.arbj");
    let journal = journal.to_str().unwrap();
    let named = format!("XUSDT={file}");
    let output = arb(&["carry", "--bars", &named, "--json", "-", "--journal", journal]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["no_price"], serde_json::json!([]));
    let pair = &result["pairs"][0];
    assert_eq!(pair["status"], "open");
    // Half a spread and slippage are 1.5 bps: 100.1 is sold at 100.08 and 100.0 bought at 100.02.
    assert_eq!(pair["entry_basis_bps"], "5.9988");
    assert!(arb(&["replay", journal]).status.success());
}

#[test]
fn wrong_usage_and_bad_files_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let nameless = write(&folder, "rates.csv", &funding());
    let half = write(&folder, "YUSDT.csv", &bars().replace("05:00:00", "05:30:00"));
    let cheap = write(&folder, "ZUSDT.csv", &bars().replace("100.2", "-1"));
    let cases: [(&[&str], i32, &str); 5] = [
        (&["carry"], 2, "--bars or --funding is needed"),
        (&["carry", "--funding", &nameless], 2, "which symbol?"),
        (
            &["carry", "--bars", &half],
            1,
            ":7: open_time_utc: \"2023-12-01 05:30:00\" is no full hour",
        ),
        (&["carry", "--bars", &cheap], 1, ":2: close_perp: \"-1\""),
        (&["carry", "--bars", &cheap, &cheap], 2, "ZUSDT has bars already"),
    ];
    for (args, code, message) in cases {
        let output = arb(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(message), "{args:?}: {text}");
    }
}
