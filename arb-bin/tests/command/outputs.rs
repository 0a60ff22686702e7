//! Outputs neither destroy what was there nor appear half written; streams that fail are told.

use serde_json::Value;

use crate::support::Folder;

#[test]
fn an_output_that_is_an_input_is_refused_and_the_input_stays() {
    let folder = Folder::with_tape(1_000);
    let before = folder.read("tape.csv");
    std::os::unix::fs::symlink("tape.csv", folder.path("link.csv")).unwrap();
    for path in ["tape.csv", "./tape.csv", "link.csv"] {
        for flag in ["--journal", "--json"] {
            folder.backtest(&[flag, path]).refused(2, &[flag, "--trades"]);
        }
    }
    folder.write("mine.json", include_str!("../../../strategies/v51_baseline.json"));
    folder
        .backtest(&["--strategy", "mine.json", "--json", "mine.json"])
        .refused(2, &["--json mine.json", "--strategy"]);
    assert_eq!(folder.read("tape.csv"), before);
}

#[test]
fn two_outputs_in_one_file_are_refused() {
    let folder = Folder::with_tape(1_000);
    let run = folder.backtest(&["--json", "out", "--journal", "./out"]);
    run.refused(2, &["--journal ./out", "--json"]);
    assert_eq!(folder.names(), ["tape.csv"]);
}

#[test]
fn a_journal_on_standard_output_is_refused() {
    let folder = Folder::with_tape(1_000);
    folder.backtest(&["--journal", "-"]).refused(2, &["--journal", "binary"]);
    assert_eq!(folder.names(), ["tape.csv"]);
}

#[test]
fn a_failed_run_leaves_the_previous_files_as_they_were() {
    let folder = Folder::with_tape(1_000);
    let mut tape = folder.read("tape.csv");
    tape.extend_from_slice(b"no row\n");
    folder.write("tape.csv", &tape);
    folder.write("out.json", "before");
    folder.write("out.arbj", "before too");
    folder.backtest(&["--json", "out.json", "--journal", "out.arbj"]).refused(1, &["tape.csv:"]);
    assert_eq!(folder.read("out.json"), b"before");
    assert_eq!(folder.read("out.arbj"), b"before too");
    assert_eq!(folder.names(), ["out.arbj", "out.json", "tape.csv"], "nothing is left over");
}

#[test]
fn a_folder_that_is_missing_is_told_before_the_run() {
    let folder = Folder::with_tape(1_000);
    for flag in ["--json", "--journal"] {
        let run = folder.backtest(&[flag, "no/such/file"]);
        run.refused(1, &[flag, "no/such/file", "No such file or directory"]);
    }
    folder.backtest(&["--json", "."]).refused(1, &["is a folder"]);
    assert_eq!(folder.names(), ["tape.csv"]);
}

#[test]
fn devices_and_links_are_written_and_not_replaced() {
    let folder = Folder::with_tape(1_000);
    folder.write("real.json", "before");
    std::os::unix::fs::symlink("real.json", folder.path("link.json")).unwrap();
    let run = folder.backtest(&["--json", "link.json", "--journal", "/dev/null"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(folder.path("link.json").is_symlink());
    assert!(!std::path::Path::new("/dev/null").is_file());
    let result: Value = serde_json::from_slice(&folder.read("real.json")).unwrap();
    assert_eq!(result["trades_read"], 1_000);
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let folder = Folder::with_tape(1_000);
    let backtest = "arb backtest --trades tape.csv --symbol BTCUSDT --strategy v51_baseline";
    assert_eq!(folder.shell(&format!("{backtest} --journal run.arbj")).code, 0);
    for line in [
        backtest,
        &format!("{backtest} --json -"),
        "arb replay run.arbj",
        "arb strategies list",
        "arb strategies check v51_baseline",
        "arb strategies schema",
        "arb strategies explain v51_baseline",
        "arb bench --trades 10000",
        "arb bench --trades 10000 --json",
        "arb tape gen --seed 1 --trades 10 --out -",
        "arb indicators --trades tape.csv --symbol BTCUSDT",
        "arb parity run.arbj run.arbj",
        "arb --help",
    ] {
        let run = folder.shell(&format!("{line} >/dev/full"));
        assert_eq!(run.code, 1, "{line}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{line}: {}", run.stderr);
    }
    for line in ["arb strategies check no.json", "arb backtest", "arb replay tape.csv"] {
        let run = folder.shell(&format!("{line} 2>/dev/full"));
        assert!([1, 2].contains(&run.code), "{line}: {}", run.code);
        let closed = folder.shell(&format!("{line} 2>&-"));
        assert!([1, 2].contains(&closed.code), "{line}: {}", closed.code);
    }
    assert_eq!(folder.shell(&format!("{backtest} --json - 2>/dev/full")).code, 1);
    assert_eq!(folder.shell(&format!("{backtest} --journal run.arbj >/dev/full")).code, 1);
    assert_eq!(folder.shell("arb replay run.arbj").code, 0, "what was written is whole");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::with_tape(1_000);
    for line in [
        "arb strategies schema | head -1",
        "arb strategies explain v51_baseline | true",
        "arb backtest --trades tape.csv --symbol BTCUSDT --strategy v51_baseline | true",
        "arb --help | true",
    ] {
        let run = folder.shell(&format!("set -o pipefail; {line}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn decisions_come_last_in_the_result_and_are_the_same_in_both_layouts() {
    let folder = Folder::with_tape(30_000);
    let run = folder.backtest(&["--all-decisions", "--json", "out.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = String::from_utf8(folder.read("out.json")).unwrap();
    let indented: Value = serde_json::from_str(&text).unwrap();
    let at = |key: &str| text.find(&format!("\n  \"{key}\": ")).unwrap();
    assert!(at("summary") < at("trades") && at("trades") < at("signals"));
    assert!(indented["signals"].as_array().unwrap().len() > 50);
    let compact = folder.backtest(&["--all-decisions", "--json", "-"]).stdout;
    assert_eq!(compact.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&compact).unwrap(), indented);
    let without = folder.backtest(&["--json", "-", "--to", "2024-06-01T00:00:10Z"]);
    let empty: Value = serde_json::from_str(&without.stdout).unwrap();
    assert_eq!(empty["signals"].as_array().unwrap().len(), 0);
}

#[test]
fn generated_tapes_are_packed_as_their_name_says() {
    let folder = Folder::new();
    let tape = |out| ["tape", "gen", "--seed", "1", "--trades", "100", "--out", out];
    folder.ok(&tape("a.csv"));
    folder.ok(&tape("a.csv.gz"));
    assert_eq!(folder.read("a.csv.gz")[..2], [0x1f, 0x8b]);
    let rows = |file| folder.ok(&["indicators", "--trades", file, "--symbol", "BTCUSDT"]).stdout;
    assert_eq!(rows("a.csv"), rows("a.csv.gz"));
    folder.arb(&tape("a.zip")).refused(2, &["--out", ".csv.gz"]);
    let none = ["tape", "gen", "--seed", "1", "--trades", "0", "--out", "b.csv"];
    folder.arb(&none).refused(2, &["--trades"]);
    folder.arb(&tape("no/such/a.csv")).refused(1, &["--out no/such/a.csv"]);
    assert_eq!(folder.names(), ["a.csv", "a.csv.gz"]);
}
