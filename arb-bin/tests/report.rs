//! `arb backtest --out`, run as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with a short tape, and how to back-test it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let tape = bench.path("tape.csv");
        let made = arb(&["tape", "gen", "--seed", "7", "--trades", "20000", "--out", &tape]);
        assert!(made.status.success());
        bench
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn backtest(&self, more: &[&str]) -> Output {
        let tape = self.path("tape.csv");
        let head = ["backtest", "--trades", &tape, "--symbol", "BTCUSDT"];
        arb(&[&head[..], &["--strategy", "v52_8signals"], more].concat())
    }
}

#[test]
fn a_report_is_written_and_its_path_told() {
    let bench = Bench::new();
    let (page, again) = (bench.path("report.html"), bench.path("again.html"));
    let run = bench.backtest(&["--out", &page]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(text(&run.stdout).ends_with(&format!("report  {page}\n")));
    let html = std::fs::read(&page).unwrap();
    assert!(html.starts_with(b"<!doctype html>") && html.ends_with(b"</html>"));
    let run = bench.backtest(&["--out", &again, "--json", "-"]);
    serde_json::from_slice::<serde_json::Value>(&run.stdout).unwrap();
    assert!(text(&run.stderr).ends_with(&format!("report  {again}\n")));
    assert!(html == std::fs::read(&again).unwrap(), "the same run writes the same bytes");
}

#[test]
fn a_place_that_cannot_hold_a_report_is_refused_before_the_run() {
    let bench = Bench::new();
    let folder = bench.path("");
    for (place, why) in [
        (bench.path("missing/report.html"), "No such file or directory"),
        (folder, "is a folder"),
        (bench.path("tape.csv/report.html"), "Not a directory"),
    ] {
        let run = bench.backtest(&["--out", &place]);
        assert_eq!(run.status.code(), Some(1), "{place}");
        assert!(run.stdout.is_empty(), "{place}");
        let told = text(&run.stderr);
        assert!(told.contains(&place) && told.contains(why), "{told}");
    }
}
