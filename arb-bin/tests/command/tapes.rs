//! Tapes: made of files, looked at, and to a back-test the same as these files.

use std::path::{Path, PathBuf};

use super::support::{Folder, HEADER, Run};

const FUNDING: &str = "symbol,funding_time,funding_rate,mark_price\n\
                       BTCUSDT,1700006400000,0.00012300,36900.5\n\
                       BTCUSDT,1700035200004,-0.00001000,37001\n";
const METRICS: &str = "create_time,symbol,sum_open_interest,sum_toptrader_long_short_ratio,\
                       count_long_short_ratio\n\
                       2023-11-14 22:20:00,BTCUSDT,81234.567,1.2,1.25\n\
                       2023-11-14 22:25:00,BTCUSDT,81300.5,1.21,\n";
const MARKS: &str = "time,mark_price,index_price,funding_rate,next_funding_time\n\
                     1700000100000,37000.12345678,37001,0.0001,1700006400000\n\
                     1700000160000,37010,37011,0.00011,1700006400000\n";
const LIQUIDATIONS: &str = "time,side,average_price,accumulated_fill_quantity,symbol\n\
                            1700000200000,SELL,36950.1,2.5,BTCUSDT\n\
                            1700000300000,BUY,37050.1,0.015,BTCUSDT\n";

/// A folder with `tape.csv` and a file of every other kind, and `all.arbt` of them.
fn market(trades: u32) -> Folder {
    let folder = Folder::with_tape(trades);
    let files = [
        ("funding.csv", FUNDING),
        ("metrics.csv", METRICS),
        ("marks.csv", MARKS),
        ("liquidations.csv", LIQUIDATIONS),
    ];
    files.iter().for_each(|(name, text)| folder.write(name, text));
    let mut args = vec!["tape", "import", "--out", "all.arbt", "--symbol", "BTCUSDT", "tape.csv"];
    args.extend(files.map(|(name, _)| name));
    folder.ok(&args);
    folder
}

fn backtest(folder: &Folder, data: &[&str], name: &str) -> Run {
    let (journal, json) = (format!("{name}.journal"), format!("{name}.json"));
    let mut args = vec!["backtest", "--strategy", "v52_8signals", "--journal", &journal];
    args.extend(["--json", &json]);
    args.extend(data);
    folder.ok(&args)
}

#[test]
fn a_back_test_over_a_tape_gives_the_bytes_of_one_over_its_files() {
    let folder = market(120_000);
    let files = ["--trades", "tape.csv", "--symbol", "BTCUSDT", "--funding", "funding.csv"];
    let more = ["--metrics", "metrics.csv", "--marks", "marks.csv"];
    let last = ["--liquidations", "liquidations.csv"];
    let csv = backtest(&folder, &[&files[..], &more, &last].concat(), "csv");
    let tape = backtest(&folder, &["--trades", "all.arbt"], "tape");
    assert!(folder.read("csv.journal").len() > 1_000_000);
    assert!(folder.read("csv.journal") == folder.read("tape.journal"));
    let [of_files, of_tape] =
        ["csv.json", "tape.json"].map(|name| String::from_utf8(folder.read(name)).unwrap());
    assert_eq!(of_files.replace("csv", "_"), of_tape.replace("tape", "_").replace("csv", "_"));
    assert_eq!(csv.stdout.lines().count(), tape.stdout.lines().count());
}

/// The recorded spot tape with its 19 holes, where it stands beside the checkout.
#[test]
fn a_recorded_tape_gives_the_bytes_of_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").map_or(folder, PathBuf::from);
    let file = folder.join("trades/LTCUSDT-SPOT-aggTrades-2025-06-21_22.csv.gz");
    if !file.exists() {
        println!("skipped: the recorded tape is not here");
        return;
    }
    let (file, folder) = (file.to_str().unwrap(), Folder::new());
    let import = ["tape", "import", "--out", "t.arbt", "--symbol", "LTCUSDT", "--market", "spot"];
    folder.ok(&[&import[..], &[file]].concat());
    backtest(&folder, &["--accept-gaps", "--trades", file, "--symbol", "LTCUSDT"], "csv");
    backtest(&folder, &["--accept-gaps", "--trades", "t.arbt"], "tape");
    assert!(folder.read("csv.journal").len() > 1_000_000);
    assert!(folder.read("csv.journal") == folder.read("tape.journal"));
}

#[test]
fn a_tape_of_tapes_is_that_of_all_their_files() {
    let folder = market(2_000);
    folder.ok(&["tape", "import", "--out", "one.arbt", "--symbol", "BTCUSDT", "tape.csv"]);
    let rest = ["funding.csv", "metrics.csv", "marks.csv", "liquidations.csv"];
    let begin = ["tape", "import", "--symbol", "BTCUSDT", "--out"];
    folder.ok(&[&begin[..], &["rest.arbt"], &rest].concat());
    folder.ok(&[&begin[..], &["again.arbt", "one.arbt", "rest.arbt"]].concat());
    let [all, again] = ["all.arbt", "again.arbt"].map(|name| {
        let run = folder.ok(&["tape", "info", "--json", name]);
        let mut info: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let own = info.as_object_mut().unwrap();
        ["file", "sources", "bytes"].iter().for_each(|key| drop(own.remove(*key).unwrap()));
        info
    });
    assert_eq!(all, again);
    let tables: Vec<&str> =
        all["tables"].as_array().unwrap().iter().map(|t| t["table"].as_str().unwrap()).collect();
    assert_eq!(tables, ["trades", "funding", "marks", "metrics", "liquidations"]);
}

#[test]
fn a_generated_tape_is_the_generated_file() {
    let folder = Folder::with_tape(5_000);
    folder.ok(&["tape", "gen", "--seed", "7", "--trades", "5000", "--out", "tape.arbt"]);
    backtest(&folder, &["--trades", "tape.csv", "--symbol", "BTCUSDT"], "csv");
    backtest(&folder, &["--trades", "tape.arbt"], "tape");
    assert!(folder.read("csv.journal") == folder.read("tape.journal"));
    let whole = folder.ok(&["tape", "verify", "tape.arbt"]);
    assert_eq!(whole.stdout, "tape.arbt: 5,000 rows in 1 block, all whole\n");
}

#[test]
fn an_import_tells_holes_repeated_rows_and_what_it_made() {
    let folder = Folder::new();
    let first =
        format!("{HEADER}7,100.1,0.5,1700000000000,true\n8,100.2,0.5,1700000000100,false\n");
    folder.write("a.csv", &first);
    folder.write("b.csv", format!("{first}12,100.3,1.5,1700000000200,true\n"));
    let run = folder.ok(&["tape", "import", "--out", "t.arbt", "--symbol", "X", "a.csv", "b.csv"]);
    for part in
        ["2 repeated rows left out", "1, 3 ids missing", "tick 0.1, lot 0.1", "a.csv, b.csv"]
    {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    folder
        .arb(&["backtest", "--trades", "t.arbt", "--strategy", "v51_baseline"])
        .refused(1, &["t.arbt", ":3: id: 9 to 11 are missing", "--accept-gaps"]);
}

#[test]
fn what_is_no_tape_is_said_to_be_none() {
    let folder = Folder::with_tape(100);
    folder.write("odd.csv", "a,b\n1,2\n");
    folder.write("klines.csv", "1700000000000,1,1,1,1,0,1700003599999,0,0,0,0,0\n");
    let import = ["tape", "import", "--symbol", "BTCUSDT", "--out"];
    let with = |more: &[&'static str]| folder.arb(&[&import[..], more].concat());
    with(&["t.csv", "tape.csv"]).refused(2, &["--out", ".arbt"]);
    with(&["t.arbt"]).refused(2, &["no INPUT"]);
    with(&["t.arbt", "odd.csv"]).refused(1, &["odd.csv", "no known kind"]);
    with(&["t.arbt", "klines.csv"]).refused(1, &["klines.csv", "--premium-klines"]);
    with(&["t.arbt", "missing.csv"]).refused(1, &["missing.csv"]);
    folder.arb(&["tape", "info", "tape.csv"]).refused(1, &["tape.csv", "no .arbt tape"]);
    folder.ok(&[&import[..], &["t.arbt", "tape.csv"]].concat());
    with(&["t.arbt", "t.arbt"]).refused(2, &["--out", "INPUT too"]);
    let other = ["tape", "import", "--symbol", "ETHUSDT", "--out", "e.arbt", "t.arbt"];
    folder.arb(&other).refused(1, &["t.arbt", "BTCUSDT", "ETHUSDT"]);
    assert!(!folder.names().contains(&"e.arbt".to_owned()), "nothing half written stays");
    let mut damaged = folder.read("t.arbt");
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    folder.write("d.arbt", damaged);
    folder.arb(&["tape", "verify", "d.arbt"]).refused(1, &["d.arbt", "block 0 (trades)", "byte"]);
    let run = ["backtest", "--trades", "d.arbt", "--strategy", "v51_baseline"];
    folder.arb(&run).refused(1, &["d.arbt", "block 0 (trades)", "checksum"]);
}
