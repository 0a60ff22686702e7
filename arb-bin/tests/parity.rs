//! `arb parity`, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::process::{Command, Output};

use serde_json::Value;

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with a generated tape of five hours and journals over it.
struct Journals(tempfile::TempDir);

impl Journals {
    fn new() -> Self {
        let journals = Self(tempfile::tempdir().unwrap());
        let tape = journals.path("tape.csv");
        let made = arb(&["tape", "gen", "--seed", "7", "--trades", "600000", "--out", &tape]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
        journals
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn backtest(&self, name: &str, more: &[&str]) -> String {
        let (tape, journal) = (self.path("tape.csv"), self.path(name));
        let args = ["backtest", "--trades", &tape, "--symbol", "BTCUSDT"];
        let rest = ["--strategy", "v51_baseline", "--journal", &journal];
        let run = arb(&[&args[..], &rest, more].concat());
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        journal
    }
}

#[test]
fn journals_are_equal_different_or_damaged() {
    let journals = Journals::new();
    let a = journals.backtest("a.arbj", &[]);
    let same = arb(&["parity", &a, &a]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
    assert!(text(&same.stdout).starts_with("identical: byte for byte"));

    let slow = journals.backtest("slow.arbj", &["--latency-ms", "1250"]);
    let (json, run) = (journals.path("parity.json"), |more: &[&str]| {
        arb(&[&["parity", &a, &slow][..], more].concat())
    });
    let found = run(&["--json", &json]);
    assert_eq!(found.status.code(), Some(1));
    let shown = text(&found.stdout);
    assert!(shown.starts_with("different: "), "{shown}");
    assert!(shown.contains("configuration paper.latency_ms"), "{shown}");
    assert!(shown.contains("2  order latency"), "{shown}");
    assert!(shown.contains("650 ms → 1650 ms"), "{shown}");
    assert!(text(&found.stderr).contains("error: the journals differ"));
    check_json(&json);
    let on_stdout = run(&["--json", "-", "--examples", "0"]);
    let value: Value = serde_json::from_slice(&on_stdout.stdout).unwrap();
    assert_eq!(value, serde_json::from_slice::<Value>(&std::fs::read(&json).unwrap()).unwrap());
    assert!(text(&on_stdout.stderr).starts_with("different: "));

    let mut bytes = std::fs::read(&slow).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&slow, bytes).unwrap();
    let damaged = run(&[]);
    assert_eq!(damaged.status.code(), Some(1));
    let error = text(&damaged.stderr);
    assert!(error.contains("slow.arbj: record ") && error.contains("is corrupt"), "{error}");
}

fn check_json(path: &str) {
    let value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let differences = value["differences"].as_array().unwrap();
    let result = &value["result"];
    let rows = result["rows"].as_array().unwrap();
    let counted: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, differences.len() as u64);
    assert!(counted > 0);
    for difference in differences {
        let cause = difference["cause"].as_u64().unwrap();
        let cause = &result["causes"][usize::try_from(cause).unwrap()];
        assert_eq!(cause["kind"], "order_latency");
    }
    assert_eq!(result["identical"], false);
    assert_eq!(result["contents"][0]["market_trades"], 600_000);
}

#[test]
fn wrong_usage_exits_with_2_and_a_missing_file_with_1() {
    for args in [
        &["parity"][..],
        &["parity", "a"],
        &["parity", "a", "b", "--tolerance-ms", "70000"],
        &["parity", "a", "b", "--price-tolerance-bps", "-1"],
        &["parity", "a", "b", "--price-tolerance-bps", "x"],
    ] {
        let run = arb(args);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {}", text(&run.stderr));
    }
    let missing = arb(&["parity", "no.arbj", "no.arbj"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("no.arbj"));
}
