//! `arb fetch`: what comes is what the venue has, however often the command is killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::running::{Running, block_on, until};
use super::support::{Folder, HEADER};

/// A venue whose past is the generated trades of `tape.csv`.
fn venue(folder: &Folder, trades: u32, faults: &str) -> (Running, String, i64) {
    let count = trades.to_string();
    folder.ok(&["tape", "gen", "--seed", "7", "--trades", &count, "--out", "tape.csv"]);
    let tape = String::from_utf8(folder.read("tape.csv")).unwrap();
    let time = |line: &str| line.split(',').nth(5).unwrap().parse::<i64>().unwrap();
    let end = time(tape.lines().last().unwrap()) + 1;
    folder.write("faults.json", faults);
    let epoch = (end + 60_000).to_string();
    let sim = [
        "sim",
        "--tape",
        "BTCUSDT=tape.csv",
        "--epoch",
        &epoch,
        "--data",
        "venue",
        "--symbols",
        "BTCUSDT",
        "--faults",
        "faults.json",
    ];
    let begin = time(tape.lines().nth(1).unwrap());
    (Running::start(folder, &sim), begin.to_string(), end)
}

const NO_FAULTS: &str = "{}";

fn args<'a>(from: &'a str, to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["fetch", "--symbol", "BTCUSDT", "--from", from, "--to", to];
    args.extend(["--venue-json", "venue/venue.json"]);
    args.extend(more);
    args
}

#[test]
fn trades_are_those_of_the_venue_whoever_was_killed() {
    let folder = Folder::new();
    let slow =
        r#"{"faults":[{"kind":"delay","path":"/fapi/v1/aggTrades","ms":40,"for_ms":3600000}]}"#;
    let (sim, from, end) = venue(&folder, 40_000, slow);
    let to = end.to_string();
    let fetch = args(&from, &to, &["--out", "got.csv"]);
    let mut running = Running::begin_plain(&folder, &fetch);
    let line = running.wait_for(" of 40,000 trades, ");
    running.kill();
    assert!(line.contains("to come"), "{line}");
    assert!(folder.path("got.csv.partial.db").exists() && !folder.path("got.csv").exists());
    let said = folder.ok(&fetch).stderr;
    assert!(said.contains("BTCUSDT: 40,000 trades are stored"), "{said}");
    let tape = String::from_utf8(folder.read("tape.csv")).unwrap();
    let columns = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        [cells[0], cells[1], cells[2], cells[5], cells[6]].join(",") + "\n"
    };
    let expected: String = tape.lines().map(columns).collect();
    assert!(String::from_utf8(folder.read("got.csv")).unwrap() == expected, "to the byte");
    let left = folder.names().into_iter().filter(|name| name.contains("partial")).count();
    assert_eq!(left, 0, "what was only for the output is gone");
    sim.stop();
}

#[test]
fn a_store_takes_a_period_in_parts_and_a_tape_is_made_of_it() {
    let folder = Folder::new();
    let (sim, from, end) = venue(&folder, 20_000, NO_FAULTS);
    let middle = (end - 300_000).to_string();
    folder.ok(&args(&middle, &end.to_string(), &["--data", "d"]));
    folder.ok(&args(&from, &end.to_string(), &["--data", "d"]));
    let said = folder.ok(&args(&from, &end.to_string(), &["--data", "d"])).stderr;
    assert!(said.contains("20,000 trades are stored"), "{said}");
    let (count, holes) = block_on(super::live::extent(&folder.path("d/arb.db")));
    assert_eq!((count, holes), (20_000, 0));
    folder.ok(&args(&from, &middle, &["--out", "part.arbt"]));
    let info = folder.ok(&["tape", "info", "part.arbt"]).stdout;
    assert!(info.contains("aggregate trades"), "{info}");
    folder.arb(&args("2031-01-01", "2031-01-02", &["--data", "d"])).refused(1, &["nothing"]);
    sim.stop();
    let alone = args(&from, &middle, &["--data", "d"]);
    folder.arb(&alone).refused(1, &["the venue's clock"]);
}

#[test]
fn settlements_statistics_and_bars_come_too() {
    let folder = Folder::new();
    let sim = ["sim", "--seed", "3", "--symbols", "BTCUSDT", "--data", "venue"];
    let sim = Running::start(&folder, &sim);
    let now = sim.ready["clock"]["epoch_ms"].as_i64().unwrap();
    let (from, to) = ((now - 20 * 3_600_000).to_string(), now.to_string());
    folder.ok(&args(&from, &to, &["--what", "funding", "--out", "funding.csv"]));
    let funding = String::from_utf8(folder.read("funding.csv")).unwrap();
    assert!(
        funding.starts_with("symbol,funding_time,") && funding.lines().count() >= 3,
        "{funding}"
    );
    folder.ok(&["funding", "stats", "--symbol", "BTCUSDT", "funding.csv"]);
    folder.ok(&args(&from, &to, &["--what", "metrics", "--out", "metrics.csv"]));
    let metrics = String::from_utf8(folder.read("metrics.csv")).unwrap();
    let rows: Vec<&str> = metrics.lines().skip(1).collect();
    assert!((230..=241).contains(&rows.len()), "every five minutes of 20 hours: {}", rows.len());
    let whole = |row: &&&str| row.split(',').filter(|cell| !cell.is_empty()).count() == 5;
    assert!(rows.iter().filter(whole).count() >= 230, "{}", rows[0]);
    folder.ok(&args(&from, &to, &["--what", "metrics", "--out", "metrics.arbt"]));

    let bars = args(&from, &to, &["--what", "klines", "--interval", "5m", "--out", "bars.csv"]);
    folder.ok(&bars);
    let whole = folder.read("bars.csv");
    let text = String::from_utf8(whole.clone()).unwrap();
    let opens: Vec<i64> =
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!((238..=240).contains(&opens.len()), "{} bars", opens.len());
    assert!(opens.windows(2).all(|pair| pair[1] - pair[0] == 300_000));
    // Cut off inside a line, as a kill does.
    std::fs::remove_file(folder.path("bars.csv")).unwrap();
    folder.write("bars.csv.partial", &whole[..whole.len() / 2]);
    folder.ok(&bars);
    assert_eq!(folder.read("bars.csv"), whole);
    sim.stop();
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let folder = Folder::new();
    for (flags, part) in [
        (vec!["--symbol", "BTCUSDT"], "--from"),
        (vec!["--symbol", "BTCUSDT", "--from", "2026-11-02", "--to", "2026-11-01"], "before"),
        (vec!["--symbol", "BTCUSDT", "--from", "x"], "no date"),
        (vec!["--symbol", "BTCUSDT", "--from", "2026-11-02", "--out", "a.txt"], ".arbt"),
        (vec!["--symbol", "A,B", "--from", "2026-11-02", "--out", "a.csv"], "one symbol"),
        (vec!["--symbol", "BTCUSDT", "--from", "2026-11-02", "--what", "klines"], "--out"),
        (
            vec!["--symbol", "BTCUSDT", "--from", "2026-11-02", "--archive-url", "http://x.org"],
            "https://",
        ),
    ] {
        let all = [vec!["fetch"], flags].concat();
        folder.arb(&all).refused(2, &[part]);
    }
    folder.arb(&["fetch", "--archive", "none.zip"]).refused(1, &["none.zip"]);
}

/// A zip as the archive has it, and its checksum.
fn zipped(name: &str, csv: &str) -> (Vec<u8>, String) {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(csv.as_bytes()).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let checksum = format!("{}  {name}\n", arb::hash_of(&bytes));
    (bytes, checksum)
}

/// Days of trades, ids without a hole.
fn day(first: u64, date_ms: i64, count: u64) -> String {
    let mut csv = HEADER.to_owned();
    for id in first..first + count {
        let at = date_ms + (id - first).cast_signed();
        csv.push_str(&format!("{id},60000.{},0.0{},{at},{}\n", id % 10, id % 9 + 1, id % 3 == 0));
    }
    csv
}

const NOV_1: i64 = 1_793_491_200_000;
const DAY: i64 = 86_400_000;

#[test]
fn archive_files_are_brought_in_and_a_damaged_one_is_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("files")).unwrap();
    for (number, name) in [(0_u64, "2026-11-01"), (1, "2026-11-02")] {
        let file = format!("files/BTCUSDT-aggTrades-{name}.zip");
        let csv = day(1 + number * 5_000, NOV_1 + number.cast_signed() * DAY, 5_000);
        let (bytes, checksum) = zipped("a.csv", &csv);
        folder.write(&file, bytes);
        folder.write(&format!("{file}.CHECKSUM"), checksum);
    }
    folder.write("files/ETHUSDT-aggTrades-2026-11-01.csv", day(1, NOV_1, 10));
    let import = ["fetch", "--data", "d", "--archive", "files", "--symbol", "BTCUSDT"];
    let said = folder.ok(&import).stderr;
    assert!(said.contains("2 files read, 2 of them against a checksum: 10,000 trades"), "{said}");
    assert!(said.contains("1 file of other symbols"), "{said}");
    folder.ok(&import);
    assert_eq!(block_on(super::live::extent(&folder.path("d/arb.db"))), (10_000, 0));

    folder.write("files/BTCUSDT-aggTrades-2026-11-02.zip", zipped("a.csv", &day(1, NOV_1, 9)).0);
    let parts = ["2026-11-02.zip has SHA-256", "2026-11-02.zip.CHECKSUM names"];
    folder.arb(&import).refused(1, &parts);
    folder.write("other.csv", day(1, NOV_1, 5).replace("60000.", "7."));
    let other = ["fetch", "--data", "d", "--archive", "other.csv", "--symbol", "BTCUSDT"];
    folder.arb(&other).refused(1, &["BTCUSDT trade 1", "conflict"]);
    folder.write(
        "single.csv",
        format!("id,price,qty,quote_qty,time,is_buyer_maker\n1,7,1,7,{NOV_1},true\n"),
    );
    let single = ["fetch", "--data", "d", "--archive", "single.csv", "--symbol", "BTCUSDT"];
    folder.arb(&single).refused(1, &["single.csv", "aggTrades"]);
}

/// A server of files that understands ranges and cuts some answers off.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Content by path, and after how many bytes its first answer is cut off.
type Files = BTreeMap<String, (Vec<u8>, Option<usize>)>;

impl Server {
    fn start(files: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (files, log) = (Arc::new(Mutex::new(files)), Arc::clone(&asked));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (files, log) = (Arc::clone(&files), Arc::clone(&log));
                std::thread::spawn(move || answer(socket, &files, &log));
            }
        });
        Self { address, asked }
    }
}

fn answer(mut socket: TcpStream, files: &Mutex<Files>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let (mut first, mut begin) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            begin = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().unwrap().push(format!("{path} from {begin}"));
    let mut files = files.lock().unwrap();
    let Some((content, cut)) = files.get_mut(&path) else {
        socket
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        return;
    };
    let status = if begin > 0 { "206 Partial Content" } else { "200 OK" };
    let body = &content[begin..];
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).unwrap();
    let given = cut.take().unwrap_or(body.len()).min(body.len());
    socket.write_all(&body[..given]).unwrap();
    let _ = socket.shutdown(std::net::Shutdown::Both);
    let _ = reader.read_to_end(&mut Vec::new());
}

#[test]
fn archives_are_downloaded_checked_and_go_on_where_they_were_cut_off() {
    let folder = Folder::new();
    let path = |date: &str| {
        format!("/data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-{date}.zip")
    };
    let mut files = Files::new();
    for (number, date) in [(0_u64, "2026-11-01"), (1, "2026-11-02"), (3, "2026-11-04")] {
        let csv = day(1 + number * 5_000, NOV_1 + number.cast_signed() * DAY, 5_000);
        let (bytes, checksum) = zipped("a.csv", &csv);
        let cut = (number == 0).then_some(bytes.len() / 3);
        files.insert(path(date), (bytes, cut));
        let checksum = if number == 3 { format!("{}  a\n", "0".repeat(64)) } else { checksum };
        files.insert(format!("{}.CHECKSUM", path(date)), (checksum.into_bytes(), None));
    }
    let cut_at = files[&path("2026-11-01")].1.unwrap();
    let server = Server::start(files);
    let fetch = |from, to| {
        ["fetch", "--symbol", "BTCUSDT", "--from", from, "--to", to, "--data", "d", "--archive-url"]
    };
    let two = [&fetch("2026-11-01", "2026-11-03")[..], &[&server.address]].concat();
    let said = folder.ok(&two).stderr;
    assert!(said.contains("2 files read, 2 of them against a checksum: 10,000 trades"), "{said}");
    assert_eq!(block_on(super::live::extent(&folder.path("d/arb.db"))), (10_000, 0));
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked.contains(&format!("{} from {cut_at}", path("2026-11-01"))), "{asked:?}");
    folder.ok(&two);
    assert_eq!(server.asked.lock().unwrap().len(), asked.len(), "what is there is not asked again");

    let three = [&fetch("2026-11-02", "2026-11-04")[..], &[&server.address]].concat();
    folder.arb(&three).refused(1, &["1 file not in the archive", "aggTrades-2026-11-03.zip"]);
    let bad = [&fetch("2026-11-04", "2026-11-05")[..], &[&server.address]].concat();
    folder.arb(&bad).refused(1, &["2026-11-04.zip has SHA-256", "2026-11-04.zip.CHECKSUM names"]);
    assert!(!folder.path("d/archive/BTCUSDT-aggTrades-2026-11-04.zip").exists());
}

#[test]
fn a_node_begins_with_the_archives_it_is_given() {
    let folder = Folder::new();
    let sim = ["sim", "--seed", "3", "--symbols", "BTCUSDT", "--data", "venue"];
    let sim = Running::start(&folder, &sim);
    let now = sim.ready["clock"]["epoch_ms"].as_i64().unwrap();
    let (from, to) = ((now - 1_200_000).to_string(), (now - 600_000).to_string());
    folder.ok(&args(&from, &to, &["--out", "BTCUSDT-aggTrades-part.csv"]));
    let csv = String::from_utf8(folder.read("BTCUSDT-aggTrades-part.csv")).unwrap();
    let count = csv.lines().count() - 1;
    let run = [
        "run",
        "--data-venue",
        "sim",
        "--venue-json",
        "venue/venue.json",
        "--data",
        "d",
        "--symbols",
        "BTCUSDT",
        "--history-hours",
        "0.4",
        "--archive",
        "BTCUSDT-aggTrades-part.csv",
    ];
    let mut node = Running::begin(&folder, &run, &[]);
    let line = node.wait_for("archives:");
    assert!(
        line.contains(&format!("1 files, 0 of them with a checksum, {count} trades")),
        "{line}"
    );
    node.wait_for("history:");
    node.wait_until_ready();
    let file = folder.path("d/arb.db");
    until("the history is whole", || {
        let (stored, holes) = block_on(super::live::extent(&file));
        stored > count as u64 && holes == 0
    });
    node.stop();
    let rates: Value =
        serde_json::from_str(&folder.ok(&["rates", "--data", "d", "--json"]).stdout).unwrap();
    assert!(rates["rates"].is_array());
    sim.stop();
}
