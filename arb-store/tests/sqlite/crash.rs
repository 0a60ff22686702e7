//! A process that dies at any moment leaves whole batches, and every one it was told of.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use arb_core::port::{
    BookStore as _, Cursor, InstrumentStore as _, KeepDays, LogEntry, Page, SignalFilter,
    TapeStore as _, Upkeep as _,
};
use arb_core::time::DAY;
use arb_core::{Event, Output};
use arb_store::contract::{BTC, START, catalog, listed, read_all, run, tape};
use arb_store::sqlite::SqliteOptions;

const FILE: &str = "ARB_TEST_CRASH_FILE";
const BATCH: usize = 1_000;
const BATCHES: usize = 400;
const KILLS: usize = 12;

/// Not a test of its own: what the killed process does. Goes on where the file ends.
#[tokio::test]
#[ignore = "run by the test below"]
async fn writes_until_it_is_killed() {
    let Ok(file) = std::env::var(FILE) else { return };
    let store = SqliteOptions::new(file).open().await.unwrap();
    let catalog = store.register(&arb_store::contract::instruments()).await.unwrap();
    let tape = tape(BTC, BATCH * BATCHES);
    let stored = store.extent(listed(&catalog, BTC).key).await.unwrap();
    let done = stored.map_or(0, |extent| usize::try_from(extent.count).unwrap());
    let log = store.cursor("node").await.unwrap().map_or(0, |cursor| cursor.seq);
    for (at, batch) in tape[done..].chunks(BATCH).enumerate() {
        store.append_trades(&catalog, batch).await.unwrap();
        say("trades");
        let outputs = [Output::Signal(Box::new(run::signal(BTC, batch[0].ts)))];
        let (seq, event) = (log + at as u64 + 1, Event::tick(batch[0].ts));
        let entries = [LogEntry { seq, event: &event, outputs: &outputs }];
        store.append_log(&run::source(1), &catalog, &entries).await.unwrap();
        say("log");
        if at % 7 == 6 {
            store.upkeep(START.plus(30 * DAY), KeepDays::default()).await.unwrap();
            say("upkeep");
        }
    }
    say("end");
    // The parent decides when it is over.
    std::future::pending::<()>().await;
}

fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "done {what}").unwrap();
    out.flush().unwrap();
}

/// Starts the process, kills it after some acknowledgements; tells (batches, records) of those.
fn killed(file: &Path, after: usize) -> (usize, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut batches, mut records) = (0, 0);
    let mut told = lines.map_while(Result::ok);
    let mut count = |line: &str| match line.rsplit_once("done ").map(|(_, what)| what) {
        Some("trades") => batches += 1,
        Some("log") => records += 1,
        Some("end") => panic!("the process wrote everything before it was killed"),
        _ => {}
    };
    for line in told.by_ref().filter(|line| line.contains("done")).take(after) {
        count(&line);
    }
    // SIGKILL, while the next write is under way; lines that were on their way still count.
    child.kill().unwrap();
    told.for_each(|line| count(&line));
    child.wait().unwrap();
    (batches, records)
}

#[tokio::test]
async fn a_killed_process_leaves_whole_batches_and_all_it_was_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    let given = tape(BTC, BATCH * BATCHES);
    let (mut batches, mut records) = (0, 0);
    for kill in 0..KILLS {
        // Not the same phase twice: between, within and behind batches, records and upkeep.
        let told = killed(&file, 1 + kill * 5 % 17);
        (batches, records) = (batches + told.0, records + told.1);
        let store = SqliteOptions::new(&file).open().await.unwrap();
        assert_eq!(store.check().await.unwrap().findings, [], "kill {kill}");
        let catalog = catalog(&store).await;
        let stored = read_all(&store, listed(&catalog, BTC), 50_000).await;
        assert!(given.starts_with(&stored) && stored.len() % BATCH == 0, "kill {kill}: torn");
        assert!(stored.len() >= batches * BATCH, "kill {kill}: a batch is lost");
        let Cursor { seq, .. } = store.cursor("node").await.unwrap().unwrap_or_default();
        assert!(seq >= records, "kill {kill}: a record is lost");
        let all = Page::first(1 << 20);
        let signals = store.signals(&SignalFilter::default(), all).await.unwrap();
        assert_eq!(signals.len() as u64, seq, "kill {kill}: rows and cursor differ");
        // What was not acknowledged may have been written all the same.
        (batches, records) = (stored.len() / BATCH, seq);
        store.close().await;
    }
    println!("{KILLS} kills, {batches} batches, {records} records");
}
