//! The `arb` command, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A folder with a generated tape of six hours, thinned so that it is small.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(trades: u32) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let made = arb(&[
            "tape",
            "gen",
            "--seed",
            "7",
            "--trades",
            &trades.to_string(),
            "--out",
            &bench.path("tape.csv"),
        ]);
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        bench
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
        self.path(name)
    }

    fn backtest(&self, more: &[&str]) -> Output {
        let tape = self.path("tape.csv");
        let mut args = vec!["backtest", "--trades", &tape, "--symbol", "BTCUSDT"];
        args.extend(more);
        arb(&args)
    }
}

const HEADER: &str = "agg_trade_id,price,quantity,transact_time,is_buyer_maker\n";

#[test]
fn a_back_test_writes_json_and_a_journal_that_replays() {
    // Five hours of trades: the four-hour window is complete and the strategies may enter.
    let bench = Bench::new(600_000);
    let (json, journal) = (bench.path("result.json"), bench.path("run.arbj"));
    let run =
        bench.backtest(&["--strategy", "v51_baseline", "--json", &json, "--journal", &journal]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    assert!(stdout(&run).starts_with("no market inputs: signals fire on order flow alone"));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    for key in [
        "config_hash",
        "engine_version",
        "symbol",
        "from_ms",
        "to_ms",
        "trades_read",
        "holes",
        "inputs_present",
        "rules_off",
        "signals",
        "trades",
        "summary",
    ] {
        assert!(!result[key].is_null(), "{key}");
    }
    assert_eq!(result["trades_read"], 600_000);
    let trades = result["trades"].as_array().unwrap();
    assert!(!trades.is_empty());
    for key in ["entry_price", "qty", "pnl", "fee", "funding"] {
        assert!(trades[0][key].is_string(), "decimals are strings: {key}");
    }
    let signals = result["signals"].as_array().unwrap();
    assert!(signals.iter().all(|signal| signal["score"].as_f64().unwrap() >= 60.0));
    assert!(signals.iter().any(|signal| signal["fired"] == true));
    assert!(signals[0]["factors"]["direction"]["max"].is_number());
    assert!(result["summary"]["sharpe"].is_null(), "below 30 days there is none");

    let replay = arb(&["replay", &journal]);
    assert_eq!(code(&replay), 0, "{}", stderr(&replay));
    assert!(stdout(&replay).starts_with("identical: "), "{}", stdout(&replay));
    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = bench.write("damaged.arbj", &bytes);
    let replay = arb(&["replay", &damaged]);
    assert_eq!(code(&replay), 1);
    assert!(stderr(&replay).contains("is corrupt"), "{}", stderr(&replay));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let bench = Bench::new(30_000);
    let run = || bench.backtest(&["--strategy", "v52_8signals", "--all-decisions", "--json", "-"]);
    let (first, second) = (run(), run());
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert_eq!(first.stdout, second.stdout);
    let result: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert!(result["signals"].as_array().unwrap().len() > 50, "all decisions are recorded");
}

#[test]
fn several_instruments_keep_their_own_files() {
    let bench = Bench::new(20_000);
    let (a, b) = (bench.path("tape.csv"), bench.path("other.csv"));
    let made = arb(&["tape", "gen", "--seed", "8", "--trades", "20000", "--out", &b]);
    assert_eq!(code(&made), 0);
    let run = arb(&[
        "backtest",
        "--trades",
        &format!("BTCUSDT={a}"),
        &format!("ETHUSDT={b}"),
        "--strategy",
        "v51_baseline",
        "--all-decisions",
        "--json",
        "-",
    ]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(result["symbol"], "BTCUSDT,ETHUSDT");
    let of = |symbol: &str| {
        let signals = result["signals"].as_array().unwrap();
        signals.iter().filter(|signal| signal["symbol"] == symbol).count()
    };
    assert!(of("BTCUSDT") > 10 && of("ETHUSDT") > 10);
}

#[test]
fn indicators_have_exactly_these_columns_and_grid_times() {
    let bench = Bench::new(20_000);
    let tape = bench.path("tape.csv");
    let run = arb(&["indicators", "--trades", &tape, "--symbol", "BTCUSDT"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let text = stdout(&run);
    let mut lines = text.lines();
    assert_eq!(
        lines.next().unwrap(),
        "time_ms,last_price,cvd_30m,cvd_4h,cvd_day,vwap_30m,atr,atr_percentile,qty_p95,qty_p99,\
         large_flow_15m,cvd_slope,cvd_accel,complete_30m,complete_4h"
    );
    let times: Vec<i64> =
        lines.map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(times.iter().zip(times.iter().skip(1)).all(|(a, b)| b - a == 15_000));
    assert!(times.iter().all(|time| time % 15_000 == 0));
    let thin = arb(&[
        "indicators",
        "--trades",
        &tape,
        "--symbol",
        "BTCUSDT",
        "--every",
        "1m",
        "--format",
        "json",
    ]);
    let rows: Vec<Value> =
        stdout(&thin).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().all(|row| row["time_ms"].as_i64().unwrap() % 60_000 == 0));
    assert!(rows[0]["atr"].is_null() && rows[0]["cvd_30m"].is_string());
    let wrong = arb(&["indicators", "--trades", &tape, "--symbol", "BTCUSDT", "--every", "20s"]);
    assert_eq!(code(&wrong), 2);
}

#[test]
fn bad_trades_are_refused_with_file_line_and_field() {
    let bench = Bench::new(100);
    let rows = |rows: &str| format!("{HEADER}1,100.5,1,1700000000000,true\n{rows}").into_bytes();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&rows("2,100.5,1,1700000000001,true\n")).unwrap();
    let gz = gz.finish().unwrap();
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("number.csv", rows("2,12x,1,1700000000001,true\n"), "number.csv:3: price: "),
        ("decimals.csv", rows("2,1.123456789,1,1700000000001,true\n"), "decimals.csv:3: price: "),
        ("negative.csv", rows("2,-5,1,1700000000001,true\n"), "negative.csv:3: price: "),
        ("zero.csv", rows("2,0,1,1700000000001,true\n"), "zero.csv:3: price: "),
        ("back.csv", rows("2,100,1,1699999999999,true\n"), "back.csv:3: "),
        ("range.csv", rows("2,99999999999,1,1700000000001,true\n"), "range.csv:3: price: "),
        ("twice.csv", rows("1,100.6,1,1700000000000,true\n"), "twice.csv:3: "),
        ("hole.csv", rows("9,100.5,1,1700000000001,true\n"), "--accept-gaps"),
        ("empty.csv", Vec::new(), "empty.csv"),
        ("cut.csv.gz", gz[..gz.len() - 9].to_vec(), "truncated"),
    ];
    for (name, bytes, expected) in cases {
        let file = bench.write(name, &bytes);
        let run = arb(&[
            "backtest",
            "--trades",
            &file,
            "--symbol",
            "BTCUSDT",
            "--strategy",
            "v51_baseline",
        ]);
        assert_eq!(code(&run), 1, "{name}: {}", stderr(&run));
        let message = stderr(&run);
        assert!(message.starts_with("error: "), "{name}: {message}");
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn trades_without_quantity_are_skipped_and_counted() {
    let bench = Bench::new(100);
    let text = format!(
        "{HEADER}1,100,1,1700000000000,true\n2,100,0,1700000000001,true\n\
                        3,100,1,1700000000002,true\n"
    );
    let file = bench.write("zero_qty.csv", text.as_bytes());
    let run = arb(&[
        "backtest",
        "--trades",
        &file,
        "--symbol",
        "BTCUSDT",
        "--strategy",
        "v51_baseline",
        "--json",
        "-",
    ]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    assert!(stderr(&run).contains("1 trade without quantity skipped"));
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(result["trades_read"], 2);
    assert_eq!(result["holes"].as_array().unwrap().len(), 0, "their ids count as seen");
}

#[test]
fn another_symbol_in_the_file_is_refused() {
    let bench = Bench::new(100);
    let funding = "symbol,funding_time,funding_rate\nETHUSDT,1717200000000,0.0001\n";
    let file = bench.write("funding.csv", funding.as_bytes());
    let run = bench.backtest(&["--strategy", "v51_baseline", "--funding", &file]);
    assert_eq!(code(&run), 1);
    assert!(stderr(&run).contains("funding.csv:2: symbol: "), "{}", stderr(&run));
}

#[test]
fn a_strategy_with_a_typo_does_not_start() {
    let bench = Bench::new(100);
    let good = include_str!("../../strategies/v51_baseline.json");
    let cases = [
        ("unknown.json", good.replace("threshold\": 75", "treshold\": 75"), "treshold"),
        ("weights.json", good.replace("direction\": 45", "direction\": 30"), "100 to 110"),
        ("negative.json", good.replace("direction\": 45", "direction\": -1"), "weights.direction"),
        ("kind.json", good.replace("\"layered_score\"", "\"layerd\""), "layered_score"),
    ];
    for (name, text, expected) in cases {
        assert_ne!(text, good, "{name}");
        let file = bench.write(name, text.as_bytes());
        for run in [arb(&["strategies", "check", &file]), bench.backtest(&["--strategy", &file])] {
            assert_eq!(code(&run), 1, "{name}");
            let message = stderr(&run);
            assert!(message.contains(&format!("{name}:")), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}

#[test]
fn built_in_names_work_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_arb"))
        .current_dir(folder.path())
        .args(["strategies", "explain", "v52_8signals", "--inputs", "open_interest"])
        .output()
        .unwrap();
    assert_eq!(code(&run), 0);
    assert!(stdout(&run).contains("open_interest"));
    let list = stdout(&arb(&["strategies", "list"]));
    assert_eq!(list, "v51_baseline\nv52_8signals\nfunding_carry\n");
    let schema: Value = serde_json::from_slice(&arb(&["strategies", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["weights"].is_object());
}

#[test]
fn wrong_usage_exits_with_2() {
    let cases: [&[&str]; 6] = [
        &["backtest"],
        &["nothing"],
        &["backtest", "--trades", "x.csv", "--strategy", "v51_baseline"],
        &[
            "backtest",
            "--trades",
            "x.csv",
            "--symbol",
            "BTCUSDT",
            "--strategy",
            "v51_baseline",
            "--from",
            "2024-02-01",
            "--to",
            "2024-01-01",
        ],
        &["strategies", "schema", "nothing"],
        &["tape", "gen", "--seed", "x", "--trades", "1", "--out", "-"],
    ];
    for args in cases {
        let run = arb(args);
        assert_eq!(code(&run), 2, "{args:?}: {}", stderr(&run));
    }
    for (symbol, trades, message) in [
        ("", "x.csv", "is empty; a symbol such as BTCUSDT is needed"),
        ("btcusdt", "x.csv", "symbols are in capitals"),
        ("</script>", "x.csv", "letters, digits, _ and - are allowed"),
        ("BTCUSDT", "ETHUSDT=x.csv", "--symbol BTCUSDT, but --trades names ETHUSDT"),
    ] {
        let run = arb(&[
            "backtest",
            "--trades",
            trades,
            "--symbol",
            symbol,
            "--strategy",
            "v51_baseline",
        ]);
        assert_eq!(code(&run), 2, "{symbol:?}");
        assert!(stderr(&run).contains(message), "{symbol:?}: {}", stderr(&run));
    }
    let missing = arb(&[
        "backtest",
        "--trades",
        "no.csv",
        "--symbol",
        "BTCUSDT",
        "--strategy",
        "v51_baseline",
    ]);
    assert_eq!(code(&missing), 1);
    assert!(stderr(&missing).contains("no.csv"), "{}", stderr(&missing));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let run = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} tape gen --seed 1 --trades 200000 --out - | head -1; exit ${{PIPESTATUS:-0}}",
            env!("CARGO_BIN_EXE_arb")
        ))
        .output()
        .unwrap();
    assert!(stdout(&run).starts_with("agg_trade_id,"));
    assert_eq!(stderr(&run), "");
}

#[test]
fn the_bench_measures_every_part() {
    let run = arb(&["bench", "--json", "--trades", "10000"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(result["rows"].as_array().unwrap().len(), 6);
    assert!(result["rows"][0]["ns_per_trade"].as_f64().unwrap() > 0.0);
}

/// The recorded spot tape, where it stands beside the checkout.
#[test]
fn the_recorded_tape_gives_a_row_at_every_grid_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").map_or(folder, PathBuf::from);
    let tape = folder.join("trades/LTCUSDT-SPOT-aggTrades-2025-06-21_22.csv.gz");
    if !tape.exists() {
        println!("skipped: the recorded tape is not here");
        return;
    }
    let tape = tape.to_str().unwrap();
    let run = arb(&["indicators", "--trades", tape, "--symbol", "LTCUSDT"]);
    assert_eq!(stdout(&run).lines().count(), 1 + 5_743);
}
