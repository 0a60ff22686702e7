//! `arb sweep`, run as a user runs it, and killed while it runs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with twelve days of sparse trades whose price follows the takers.
struct Bench {
    folder: tempfile::TempDir,
}

/// Flags of a small sweep: twelve variants over five spans.
const SWEEP: [&str; 8] = [
    "--symbol",
    "LTCUSDT",
    "--strategy",
    "v51_baseline",
    "--param",
    "exits.stop_atr=1..3.5/0.5",
    "--param",
    "threshold=[70,80]",
];
const BACK_TESTS: usize = 60;

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.path("tape.csv"), tape()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The sweep, with its report under `name`.
    fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        command.arg("sweep").args(SWEEP).args(more);
        command.arg("--trades").arg(self.path("tape.csv"));
        command.arg("--json").arg(self.path(&format!("{name}.json")));
        command.arg("--out").arg(self.path(&format!("{name}.html")));
        command
    }

    fn run(&self, name: &str, more: &[&str]) -> Output {
        self.command(name, more).output().unwrap()
    }

    /// Both reports of a run that must have worked.
    fn reports(&self, name: &str, more: &[&str]) -> (String, Vec<u8>) {
        let run = self.run(name, more);
        assert!(run.status.success(), "{}", stderr(&run));
        let json = std::fs::read_to_string(self.path(&format!("{name}.json"))).unwrap();
        (json, std::fs::read(self.path(&format!("{name}.html"))).unwrap())
    }

    /// Exit code and message of a run that must be refused.
    fn refusal(&self, more: &[&str]) -> (i32, String) {
        let run = self.run("refused", more);
        assert!(!self.path("refused.json").exists(), "nothing may run");
        (run.status.code().unwrap(), stderr(&run))
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Twelve days, a trade in four seconds; takers lean for hours and the price goes with them.
fn tape() -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |end: i64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from(state % u64::try_from(end).unwrap()).unwrap()
    };
    let mut csv = "agg_trade_id,price,quantity,transact_time,is_buyer_maker\n".to_owned();
    let (mut price, mut lean, mut ms) = (1_000_000_i64, 0_i64, 1_717_200_000_000_i64);
    let end = ms + 12 * 86_400_000;
    let mut id = 0;
    while ms < end {
        id += 1;
        lean += below(61) - 30 - lean / 1_000;
        price += price * (below(601) - 300 + lean / 16) / 2_000_000;
        let sells = below(2_000) >= 1_000 + lean;
        let (whole, cents) = (price / 10_000, price % 10_000 / 100);
        let qty = 1 + below(200) * below(200) / 200;
        writeln!(csv, "{id},{whole}.{cents:02},{qty},{ms},{sells}").unwrap();
        ms += below(8_000);
    }
    csv
}

#[test]
fn a_sweep_killed_at_any_point_goes_on_and_writes_the_same_bytes() {
    let bench = Bench::new();
    let whole = bench.reports("whole", &["--workers", "1"]);
    let result: Value = serde_json::from_str(&whole.0).unwrap();
    assert_eq!(result["variants"], 12);
    assert_eq!(result["folds"].as_array().unwrap().len(), 4);
    assert!(result["ranking"][0]["train"]["trades"].as_u64().unwrap() > 10);

    let path = bench.path("state");
    let state = ["--workers", "2", "--state", path.to_str().unwrap()];
    for least in [3, 20] {
        let mut command = bench.command("killed", &state);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while lines(&path) < least && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        // SIGKILL: nothing of the process gets to say goodbye.
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it ended before it could be killed");
        assert!(lines(&path) < BACK_TESTS);
        assert!(!bench.path("killed.json").exists());
    }
    assert!(bench.reports("resumed", &state) == whole, "resumed after two kills");
    assert_eq!(lines(&path), 1 + BACK_TESTS);
    assert!(bench.reports("again", &state) == whole, "nothing left to do");
    assert!(bench.reports("three", &["--workers", "3"]) == whole, "three workers");
    let streamed = ["--workers", "2", "--max-memory-mb", "1"];
    assert!(bench.reports("streamed", &streamed) == whole, "streamed from the file");

    // The same file with other data or settings would mix what cannot be compared.
    let other = ["--state", path.to_str().unwrap(), "--taker-bps", "4"];
    let (code, message) = bench.refusal(&other);
    assert_eq!(code, 1);
    let difference = "config.account.taker_fee is \"0.0005\" there and \"0.0004\" here";
    assert!(message.contains(difference), "{message}");
}

#[test]
fn the_hold_out_is_touched_once_and_the_terminal_says_what_it_gave() {
    let bench = Bench::new();
    let path = bench.path("state");
    let touch = ["--state", path.to_str().unwrap(), "--touch-hold-out"];
    let first = bench.run("first", &touch);
    assert!(first.status.success(), "{}", stderr(&first));
    let told = String::from_utf8(first.stdout).unwrap();
    assert!(told.contains("On the hold-out it made"), "{told}");
    assert!(told.contains("12 variants tried; ranked by total_r"), "{told}");
    let touched = lines(&path);
    assert!(bench.run("same", &touch).status.success());
    assert_eq!(lines(&path), touched, "the same variant does not run again");

    // Another metric may choose another variant; a touch with it is refused.
    let ranked: Value =
        serde_json::from_slice(&std::fs::read(bench.path("first.json")).unwrap()).unwrap();
    let best = &ranked["ranking"][0]["values"][0];
    let value =
        if best == &Value::from(1) { "exits.min_stop_bps=[40]" } else { "exits.min_stop_bps=[35]" };
    let mut other = Command::new(env!("CARGO_BIN_EXE_arb"));
    other.args(["sweep", "--symbol", "LTCUSDT", "--strategy", "v51_baseline"]);
    other.args(["--param", value]).args(touch).arg("--trades").arg(bench.path("tape.csv"));
    let refused = other.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("touched 1 time(s) with other parameters"));
    let again = other.arg("--touch-hold-out-again").output().unwrap();
    let told = String::from_utf8(again.stdout).unwrap();
    assert!(told.contains("touched with 2 different variants"), "{told}");
    assert!(told.contains("12 more before on the same data"), "{told}");
}

#[test]
fn wrong_flags_are_refused_before_anything_runs() {
    let bench = Bench::new();
    for (flags, expected) in [
        (&["--param", "exits.stop_art=[1]"] as &[&str], "the strategy has no \"stop_art\" there"),
        (&["--param", "exits.timeout_minutes=[0]"], "exits.timeout_minutes: is 0; 1 to 100000"),
        (&["--param", "flip_threshold=[60]"], "flip_threshold: is 60; 70 to 100 is allowed"),
        (&["--param", "cool_down_minutes=5..15"], "a grid needs a step"),
        (&["--param", "cool_down_minutes=15"], "is no range"),
        (&["--random", "99"], "the ranges hold 12 variants"),
        (&["--max-variants", "11"], "12 variants are more than 11"),
        (&["--purge", "4h59m"], "--purge 4h59m is too short"),
        (&["--embargo", "1h"], "--embargo 1h is too short"),
        (&["--purge", "soon"], "\"soon\" is no length of time"),
        (&["--param", "exits.timeout_minutes=[90]", "--purge", "5h"], "at least 5h30m is needed"),
        (&["--folds", "60"], "too short for 60 folds"),
        (&["--folds", "0"], "at least one fold is needed"),
        (&["--hold-out", "100%"], "0 to below 100 %"),
        (&["--rank-by", "luck"], "\"luck\" is no metric; total_r, mean_r, net, sharpe are"),
        (&["--touch-hold-out"], "--state"),
        (&["--grid", "--random", "3"], "cannot be used with"),
    ] {
        let (code, message) = bench.refusal(flags);
        assert_eq!(code, 2, "{flags:?}: {message}");
        assert!(message.contains(expected), "{flags:?}: {message}");
    }
}
