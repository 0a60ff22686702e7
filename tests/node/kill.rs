//! A process that dies by SIGKILL at any moment, many times over.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use arb::Timestamp;
use arb::node::Node;
use arb::record::log::{LogCursor, LogRecord};

use super::restart::{check, now, random, rows_of_one_life};
use super::support::{Place, Script, StepClock, config};

const FOLDER: &str = "ARB_TEST_NODE_FOLDER";
const TRADES: &str = "ARB_TEST_NODE_TRADES";

fn script(trades: usize) -> Script {
    Script::new(31, trades, 40)
}

/// Where virtual time stands: behind the last event of the log.
fn last_at(log: &Path) -> Option<Timestamp> {
    let mut cursor = LogCursor::new(log, 0);
    let mut last = None;
    while let Ok(Some(record)) = cursor.next(u64::MAX) {
        if let LogRecord::Event(event) = record {
            last = Some(event.at);
        }
    }
    last
}

/// Not a test of its own: what the killed process does. Goes on where its log ends.
#[tokio::test]
#[ignore = "run by the tests below"]
async fn lives_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let script = script(std::env::var(TRADES).unwrap().parse().unwrap());
    let place = Place::with_file(Path::new(&folder)).await;
    let begins = last_at(&place.log()).map_or(script.begins(), |at| {
        at.max(script.begins()).plus([1, 2_000, 90_000][at.as_millis() as usize % 3] * 1_000_000)
    });
    let pace = StepClock::pace(begins);
    let mut options = place.options(config(), &pace.clock());
    options.feeds = vec![script.paced(&pace)];
    options.flush_every = Duration::from_millis(5);
    let mut node = Node::start(options).await.unwrap();
    let mut views = node.handle().views();
    tokio::select! {
        () = node.feeds_ended() => {}
        () = async {
            loop {
                say("view");
                views.changed().await.unwrap();
            }
        } => {}
    }
    assert_eq!(node.stop().await.unwrap().store_lag, 0);
    say("end");
}

fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "node {what}").unwrap();
    out.flush().unwrap();
}

enum Life {
    Killed,
    Ended,
}

/// Starts the process and kills it after some views.
fn life(folder: &Path, trades: usize, (views, spin): (u64, u64)) -> Life {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "node::kill::lives_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(TRADES, trades.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0_u64;
    for line in lines.map_while(Result::ok) {
        if line.ends_with("node end") {
            assert!(child.wait().unwrap().success());
            return Life::Ended;
        }
        seen += u64::from(line.ends_with("node view"));
        if seen >= views {
            (0..spin).for_each(|round| {
                std::hint::black_box(round);
            });
            // SIGKILL, while whatever follows is under way.
            child.kill().unwrap();
            child.wait().unwrap();
            return Life::Killed;
        }
    }
    panic!("the process died by itself: {:?}", child.wait());
}

fn survives(trades: usize, kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut next = random(trades as u64);
    let mut killed = 0;
    while killed < kills * 2 {
        let after = if killed < kills { 1 + next(4) } else { u64::MAX };
        match life(folder.path(), trades, (after, next(10_000_000))) {
            Life::Killed => killed += 1,
            Life::Ended => break,
        }
    }
    assert!(killed >= kills, "{killed} kills");
    let script = script(trades);
    let never = rows_of_one_life(&script);
    now(async {
        let place = Place::with_file(folder.path()).await;
        check(&place, &script, &never).await;
    });
    println!("{killed} kills, {} trades", script.trades().len());
}

#[test]
fn five_sigkills_lose_nothing() {
    survives(6_000, 5);
}

#[test]
#[ignore = "slow: scripts/soak"]
fn fifty_sigkills_lose_nothing() {
    survives(60_000, 50);
}
