//! A node with its REST host, without listeners and with a thousand of them, in turns.
//!
//! `cargo bench --bench streams --features accounts,http,live` reads `ARB_BENCH_SECONDS` (60, all
//! turns together) and `ARB_BENCH_CLIENTS` (1000, half of them event streams, half sockets). Frames
//! come at a steady rate; a strategy that looks at every trade tells when it did. The listeners are
//! a process of their own on the same cores. In the last turn a few more come that never read.
//!
//! `scripts/streams` adds the instructions of an event, counted by valgrind.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    dead_code,
    reason = "a benchmark may stop at its first surprise, and takes what it needs of the others"
)]

#[path = "streams/listeners.rs"]
mod listeners;
#[path = "socket/node.rs"]
mod node;
#[path = "socket/server.rs"]
mod server;
#[path = "socket/shared.rs"]
mod shared;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arb::accounts::{AccountOptions, AccountService, SigningKeys};
use arb::http::{Host, HttpOptions};
use arb::node::{Handle, WallClock};
use arb::port::{Accounts as _, Origin, Scope, Store};
use tokio::net::TcpListener;

use self::node::{Looks, Reading};
use self::server::Server;
use self::shared::Pace;

/// Frames a second: ten times what four symbols bring on an average day.
const RATE: u64 = 1_000;
/// The generated day has 23 trades a second; so much faster the venue's clock goes with the wall's.
const FASTER: i64 = 43;
/// Pairs of turns, without and with listeners.
const PAIRS: u32 = 3;
/// Before the first turn.
const WARM_UP: Duration = Duration::from_secs(3);
/// Those that never read.
const DEAF: usize = 20;

fn number(name: &str, or: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(or)
}

/// Resident memory of this process, kilobytes.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Accounts, and an API key that may read everything.
async fn accounts(store: &Arc<dyn Store>, folder: &std::path::Path) -> (AccountService, String) {
    let keys = SigningKeys::load(None, folder).unwrap();
    let accounts =
        AccountOptions::new(Arc::clone(store), Arc::new(WallClock), keys).open().unwrap();
    let login = accounts.bootstrap_admin().await.unwrap().unwrap();
    let password = login.password.expose();
    let session = accounts.login(Origin::default(), &login.email, password).await.unwrap();
    let who = accounts.authenticate(&session.access).await.unwrap();
    let key = accounts.create_key(&who, "listeners", &[Scope::Read]).await.unwrap();
    (accounts, key.secret)
}

async fn serve(reading: &Reading) -> (SocketAddr, String) {
    let store = Arc::clone(&reading.store) as Arc<dyn Store>;
    let (accounts, key) = accounts(&store, reading.folder.path()).await;
    let host = Arc::new(Host {
        desk: Arc::new(reading.node.handle()),
        store,
        accounts: Arc::new(accounts),
        clock: Arc::clone(&reading.clock) as Arc<dyn arb::port::Clock>,
        symbols: vec!["BTCUSDT".to_owned()],
        options: HttpOptions::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(arb::http::serve_apart(listener, host, std::future::pending()));
    (address, key)
}

/// Listeners in a process of their own.
struct Crowd(Child);

impl Crowd {
    /// All of them hear.
    async fn gather(address: SocketAddr, key: &str, (ears, deaf): (usize, usize)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["listen", &address.to_string(), &ears.to_string(), &deaf.to_string()]);
        command.env("ARB_BENCH_KEY", key).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(move || {
            let (mut line, mut reader) = (String::new(), BufReader::new(stdout));
            reader.read_line(&mut line).unwrap();
            (line, reader)
        });
        let (line, reader) = line.await.unwrap();
        assert_eq!(line.trim(), "all hear");
        child.stdout = Some(reader.into_inner());
        Self(child)
    }

    /// They go; messages that all of them heard, and those that were dropped.
    async fn leave(mut self) -> String {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        let stdout = self.0.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let (mut line, mut reader) = (String::new(), BufReader::new(stdout));
            reader.read_line(&mut line).unwrap();
            line.trim().to_owned()
        });
        let told = read.await.unwrap();
        self.0.wait().unwrap();
        told
    }
}

/// What the turns of one kind gave.
#[derive(Default)]
struct Turns {
    latencies: Vec<u64>,
    resident_kb: Vec<u64>,
    deepest_queue: u64,
}

impl Turns {
    /// Waits, and takes what was decided meanwhile.
    async fn take(&mut self, (server, handle): (&Server, &Handle), long: Duration) {
        let (first, ends) = (server.times.decided(), Instant::now() + long);
        while Instant::now() < ends {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.deepest_queue = self.deepest_queue.max(handle.metrics().queue_depth);
        }
        let decided = server.times.decided();
        self.latencies.extend_from_slice(&server.times.latencies()[first..decided]);
        self.resident_kb.push(resident_kb());
    }

    fn tell(&mut self, name: &str) -> f64 {
        self.latencies.sort_unstable();
        let last = (self.latencies.len() - 1) as f64;
        let at = |share: f64| self.latencies[(last * share) as usize] as f64 / 1e3;
        println!(
            "{name:16} {:8} events, µs: p50 {:6.1} p90 {:6.1} p99 {:7.1} p99.9 {:8.1}; deepest queue {} batches",
            self.latencies.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            self.deepest_queue,
        );
        at(0.5)
    }
}

async fn run(seconds: usize, count: usize) {
    let turn = Duration::from_secs(seconds as u64) / (2 * PAIRS);
    // Room for warming up and for the crowds to come and go.
    let frames = RATE as usize * (2 * seconds + 120);
    let server = Server::start(&server::tape(frames, FASTER), Pace::Gently(RATE));
    let reading = Reading::start(&server, Looks::Trades).await;
    let (address, key) = serve(&reading).await;
    let handle = reading.node.handle();
    tokio::time::sleep(WARM_UP).await;
    let (mut alone, mut with) = (Turns::default(), Turns::default());
    for pair in 1..=PAIRS {
        alone.take((&server, &handle), turn).await;
        let deaf = if pair == PAIRS { DEAF } else { 0 };
        let crowd = Crowd::gather(address, &key, (count, deaf)).await;
        tokio::time::sleep(WARM_UP).await;
        with.take((&server, &handle), turn).await;
        println!("turn {pair}: {}", crowd.leave().await);
    }
    let (a, b) = (alone.tell("no listeners"), with.tell(&format!("{count} listeners")));
    println!("p50 × no listeners {:.3}", b / a);
    let (a, b) = (alone.resident_kb[0], with.resident_kb[0]);
    println!(
        "resident kB without {:?}, with {:?}: {:.1} kB a listener in the first pair",
        alone.resident_kb,
        with.resident_kb,
        b.saturating_sub(a) as f64 / count as f64
    );
    println!("{}", listeners::dropped(address).await);
    reading.node.stop().await.unwrap();
}

/// Frames without a clock: for valgrind, which counts what an event costs.
async fn count_instructions(frames: usize, count: usize) {
    let server = Server::start(&server::tape(frames, FASTER), Pace::Gently(RATE));
    let reading = Reading::start(&server, Looks::Trades).await;
    let (address, key) = serve(&reading).await;
    let crowd = Crowd::gather(address, &key, (count, 0)).await;
    while server.times.decided() < frames {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("{}", crowd.leave().await);
    reading.node.stop().await.unwrap();
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    match words[..] {
        ["listen", address, ears, deaf] => {
            let counts = (ears.parse().unwrap(), deaf.parse().unwrap());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(listeners::listen(address.parse().unwrap(), counts));
        }
        ["count", frames, ears] => {
            runtime.block_on(count_instructions(frames.parse().unwrap(), ears.parse().unwrap()));
        }
        _ => {
            let count = number("ARB_BENCH_CLIENTS", 1_000);
            runtime.block_on(run(number("ARB_BENCH_SECONDS", 60), count));
        }
    }
}
