//! A paper run told again: its log replays, and a back-test over what it stored differs from it by
//! named causes only.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arb::port::{BookStore as _, Page, SignalFilter};
use arb::sqlite::SqliteOptions;
use serde_json::Value;

use super::support::Folder;

/// A demo at sixty times the pace of the wall, until its store holds so many decisions.
fn demo(folder: &Folder, decisions: usize) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_arb"))
        .args(["demo", "--data", "d", "--seed", "5", "--speed", "60", "--ready-json"])
        .args(["--symbols", "BTCUSDT", "--strategy", "v51_baseline", "--history-hours", "5"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{}", said(&mut demo));
    let started = Instant::now();
    while recorded(folder) < decisions {
        assert!(started.elapsed() < Duration::from_secs(90), "{} decisions", recorded(folder));
        std::thread::sleep(Duration::from_millis(500));
    }
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let said = said(&mut demo);
    assert!(demo.wait().unwrap().success(), "{said}");
}

fn said(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

/// Decisions in the store.
fn recorded(folder: &Folder) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteOptions::new(folder.path("d/arb.db")).open_read_only().await.unwrap();
        let page = Page::first(1 << 20);
        store.signals(&SignalFilter::default(), page).await.unwrap().len()
    })
}

#[test]
fn a_paper_run_replays_and_differs_from_its_back_test_by_named_causes() {
    let folder = Folder::new();
    demo(&folder, 20);
    let replayed = folder.ok(&["replay", "d/log"]).stdout;
    assert!(replayed.starts_with("identical: "), "{replayed}");
    let export = ["tape", "export", "--data", "d", "--symbol", "BTCUSDT", "--out"];
    let told = folder.ok(&[&export[..], &["btc.arbt"]].concat()).stderr;
    assert!(["trades", "marks", "metrics"].iter().all(|table| told.contains(table)), "{told}");
    folder.ok(&["tape", "verify", "btc.arbt"]);
    folder.ok(&[
        "backtest",
        "--trades",
        "btc.arbt",
        "--strategy",
        "v51_baseline",
        "--journal",
        "back.arbj",
    ]);
    let parity = ["parity", "back.arbj", "d/log", "--tolerance-ms", "1000", "--json", "p.json"];
    let shown = folder.arb(&parity);
    assert!(shown.stdout.starts_with("different: "), "{shown:?}");
    let found: Value = serde_json::from_slice(&folder.read("p.json")).unwrap();
    let causes = found["result"]["causes"].as_array().unwrap();
    let kind = |difference: &Value| {
        let cause = usize::try_from(difference["cause"].as_u64().unwrap()).unwrap();
        causes[cause]["kind"].as_str().unwrap().to_owned()
    };
    let differences = found["differences"].as_array().unwrap();
    assert!(!differences.is_empty());
    let unexplained: Vec<&Value> =
        differences.iter().filter(|each| kind(each) == "unexplained").collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}\n{}", shown.stdout);
    assert!(found["result"]["signals_matched"].as_u64().unwrap() > 10, "{}", shown.stdout);
}

#[test]
fn csv_and_tape_of_a_node_have_the_same_trades() {
    let folder = Folder::new();
    demo(&folder, 0);
    let export = ["tape", "export", "--data", "d", "--symbol"];
    for out in ["a.arbt", "a.csv", "a.csv.gz"] {
        folder.ok(&[&export[..], &["BTCUSDT", "--out", out]].concat());
    }
    let rows = |file: &str| {
        let args = ["indicators", "--trades", file, "--symbol", "BTCUSDT"];
        folder.ok(&args).stdout
    };
    let trades = rows("a.csv");
    assert!(trades.lines().count() > 1_000);
    assert!(trades == rows("a.csv.gz") && trades == rows("a.arbt"));
    folder.arb(&[&export[..], &["ETHUSDT", "--out", "e.csv"]].concat()).refused(1, &["no trades"]);
    folder.arb(&[&export[..], &["NOUSDT", "--out", "n.csv"]].concat()).refused(1, &["NOUSDT"]);
    folder.arb(&[&export[..], &["BTCUSDT", "--out", "b.zip"]].concat()).refused(2, &[".arbt"]);
    let nowhere = ["tape", "export", "--data", "x", "--symbol", "BTCUSDT", "--out", "c.csv"];
    folder.arb(&nowhere).refused(1, &["arb run"]);
    assert!(!folder.names().iter().any(|name| ["c.csv", "e.csv", "n.csv"].contains(&&**name)));
}
