//! The long-running commands: they say where they are, fill their folder, and stop in order.

use std::path::Path;
use std::time::{Duration, Instant};

use arb::port::{BookStore as _, InstrumentStore as _, MarketStore as _, TapeStore as _};
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::{Instrument, InstrumentId, Side, Timestamp, Trade};
use serde_json::Value;

use super::running::{Running, block_on, until};
use super::support::Folder;

async fn store(file: &Path) -> SqliteStore {
    SqliteOptions::new(file).open_read_only().await.unwrap()
}

/// Rates, market inputs and indicators of BTCUSDT that are stored.
async fn rows(file: &Path) -> [usize; 3] {
    let store = store(file).await;
    let catalog = store.catalog().await.unwrap();
    let of = catalog.find(arb::Market::Um, "BTCUSDT").unwrap();
    let all = (Timestamp::EPOCH, Timestamp::MAX);
    [
        store.latest_rates(&catalog).await.unwrap().len(),
        store.inputs(of, all.0, all.1).await.unwrap().len(),
        store.indicators(of, all.0, all.1).await.unwrap().len(),
    ]
}

#[test]
fn a_demo_fills_its_store_within_twenty_seconds_and_goes_on_where_it_stopped() {
    let folder = Folder::new();
    let demo = ["demo", "--data", "d", "--symbols", "BTCUSDT,SOLUSDT", "--history-hours", "1"];
    let running = Running::start(&folder, &demo);
    let ready = Instant::now();
    for key in ["futures_rest", "futures_ws", "spot_rest", "spot_ws", "control"] {
        assert!(running.ready[key].as_str().unwrap().contains("127.0.0.1"), "{key}");
    }
    assert_eq!(running.ready["data"], "d");
    assert_eq!(running.ready["pid"], running.pid());
    assert_eq!(running.ready["clock"]["speed"], 1);
    let file = folder.path("d/arb.db");
    until("every table has rows", || !block_on(rows(&file)).contains(&0));
    assert!(ready.elapsed() < Duration::from_secs(20), "{:?}", ready.elapsed());
    let (out, err) = running.stop();
    assert_eq!(out, "", "stdout has the one line");
    assert!(err.contains("all on the disk"), "{err}");
    let trades = || {
        block_on(async {
            let store = store(&file).await;
            let catalog = store.catalog().await.unwrap();
            let of = catalog.find(arb::Market::Um, "BTCUSDT").unwrap();
            let extent = store.extent(of.key).await.unwrap().unwrap();
            (extent.count, store.holes(of.key).await.unwrap().len())
        })
    };
    let (before, holes) = trades();
    assert!(before > 10_000 && holes == 0, "{before} trades, {holes} holes");

    let rates: Value =
        serde_json::from_str(&folder.ok(&["rates", "--data", "d", "--json"]).stdout).unwrap();
    let rates = rates["rates"].as_array().unwrap();
    assert!(rates.len() > 4, "every perpetual of the venue: {}", rates.len());
    let year = |row: &Value| row["annualised"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(rates.windows(2).all(|pair| year(&pair[0]) >= year(&pair[1])), "best first");
    for row in rates {
        assert!(row["seven_days_annualised"].is_string(), "history was read: {row}");
    }
    let table = folder.ok(&["rates", "--data", "d", "--top", "2"]).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");

    folder.ok(&["backup", "--data", "d", "b.db"]);
    folder.arb(&["backup", "--data", "d", "b.db"]).refused(1, &["b.db"]);
    folder.ok(&["restore", "--data", "again", "b.db"]);
    folder.arb(&["restore", "--data", "d", "b.db"]).refused(1, &["arb.db"]);
    let again: Value =
        serde_json::from_str(&folder.ok(&["rates", "--data", "again", "--json"]).stdout).unwrap();
    assert_eq!(again["rates"].as_array().unwrap(), rates);
}

#[test]
fn a_node_lives_on_a_simulated_venue_of_another_process_and_fills_what_it_missed() {
    let folder = Folder::new();
    let sim = ["sim", "--seed", "3", "--symbols", "BTCUSDT,ETHUSDT", "--data", "venue"];
    let sim = Running::start(&folder, &sim);
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
        "0.2",
    ];
    let mut counts = Vec::new();
    for _ in 0..2 {
        let running = Running::start(&folder, &run);
        let file = folder.path("d/arb.db");
        let before = counts.last().copied().unwrap_or_default();
        let started = Instant::now();
        let (count, holes) = loop {
            let now = block_on(extent(&file));
            if now.0 > before + 50 && now.1 == 0 || started.elapsed() > Duration::from_secs(30) {
                break now;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        assert!(count > before + 50 && holes == 0, "{count} trades, {holes} holes");
        counts.push(count);
        let (_, err) = running.stop();
        assert!(err.contains("all on the disk"), "{err}");
    }
    let doctor = ["doctor", "--venue-json", "venue/venue.json", "--data", "d", "--deep"];
    let told = folder.ok(&doctor).stdout;
    assert!(told.contains("no damage") && !told.contains("bad "), "{told}");
    for check in [
        "settings",
        "futures",
        "clock",
        "spot requests",
        "market streams",
        "public streams",
        "spot streams",
        "coinbase",
        "folder",
        "disk",
        "store",
        "log",
    ] {
        let line = told.lines().find(|line| line.contains(check));
        assert!(line.is_some_and(|line| !line.starts_with("bad")), "{check}: {told}");
    }
    let json = folder.ok(&[&doctor[..], &["--json"]].concat()).stdout;
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["well"], report["checks"].as_array().unwrap().len()), (&true.into(), 12));
    sim.stop();
    folder.arb(&doctor).refused(1, &["problems found"]);
}

/// Trades of BTCUSDT that are stored, and holes between them.
pub(crate) async fn extent(file: &Path) -> (u64, usize) {
    let store = store(file).await;
    let catalog = store.catalog().await.unwrap();
    let Some(of) = catalog.find(arb::Market::Um, "BTCUSDT") else { return (0, 0) };
    let extent = store.extent(of.key).await.unwrap();
    (extent.map_or(0, |extent| extent.count), store.holes(of.key).await.unwrap().len())
}

/// Trades of a market that were made long before today.
fn old_trades(count: u64) -> Vec<Trade> {
    let trade = |id: u64| Trade {
        instrument: InstrumentId(0),
        id,
        price: "60000".parse().unwrap(),
        qty: "0.001".parse().unwrap(),
        ts: Timestamp::from_millis(1_700_000_000_000 + id.cast_signed()),
        taker_side: Side::Buy,
    };
    (1..=count).map(trade).collect()
}

#[test]
fn the_store_of_a_running_node_is_kept_up() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("d")).unwrap();
    block_on(async {
        let store = SqliteOptions::new(folder.path("d/arb.db")).open().await.unwrap();
        let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
        let spec = Instrument::perpetual("OLDUSDT", tick, lot);
        let catalog = store.register(&[spec]).await.unwrap();
        store.append_trades(&catalog, &old_trades(9_000)).await.unwrap();
        store.close().await;
    });
    let demo = ["demo", "--data", "d", "--symbols", "BTCUSDT", "--history-hours", "0"];
    let mut running = Running::start(&folder, &demo);
    let line = running.wait_for("upkeep:");
    assert!(line.contains("8192 trades sealed, 0 trades and 0 other rows removed"), "{line}");
    running.stop();
    let settings = "[keep_days]\ntape = 30\n";
    folder.write("arb.toml", settings);
    let mut running = Running::start(&folder, &[&demo[..], &["--config", "arb.toml"]].concat());
    let line = running.wait_for("upkeep:");
    assert!(line.contains("9000 trades and"), "what somebody asks for is done: {line}");
    running.stop();
}

/// Perpetuals with trades.
pub(crate) async fn with_trades(file: &Path) -> usize {
    let store = store(file).await;
    let mut count = 0;
    for (of, _) in store.catalog().await.unwrap().iter() {
        count += usize::from(store.extent(of.key).await.unwrap().is_some());
    }
    count
}

#[test]
fn wrong_ways_to_start_are_explained() {
    let folder = Folder::new();
    folder.arb(&["run", "--data-venue", "sim"]).refused(2, &["--venue-json"]);
    folder.arb(&["run", "--venue-json", "x"]).refused(2, &["--data-venue sim"]);
    let missing = ["run", "--data-venue", "sim", "--venue-json", "none.json"];
    folder.arb(&missing).refused(1, &["none.json"]);
    folder.write("odd.json", "{\"futures_rest\": \"http://example.com\"}");
    let odd = ["run", "--data-venue", "sim", "--venue-json", "odd.json"];
    folder.arb(&odd).refused(1, &["odd.json"]);
    folder.arb(&["demo", "--strategy", "nothing"]).refused(1, &["nothing", "v52_8signals"]);
    folder.arb(&["demo", "--history-hours", "99"]).refused(2, &["--history-hours"]);
    folder.arb(&["rates", "--data", "nowhere"]).refused(1, &["nowhere", "arb run"]);
    folder.arb(&["sim", "--faults", "none.json"]).refused(1, &["none.json"]);
    folder.write("faults.json", "{\"faults\":[{\"kind\":\"melt\"}]}");
    folder.arb(&["sim", "--faults", "faults.json"]).refused(2, &["faults.json", "melt"]);
    let taken = Running::start(&folder, &["sim", "--symbols", "1"]);
    let address = taken.ready["futures_rest"].as_str().unwrap().to_owned();
    let port = address.rsplit(':').next().unwrap();
    folder.arb(&["sim", "--symbols", "1", "--port", port]).refused(1, &["--port", "in use"]);
    folder.arb(&["demo", "--sim-port", port]).refused(1, &["--sim-port"]);
    taken.stop();
}
