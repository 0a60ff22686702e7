//! Frames from a socket to decisions: a bare client against the feed, and against the whole node.
//!
//! `cargo bench --bench socket --features live` reads `ARB_BENCH_FRAMES` (1 million) trade frames
//! flat out, in turns, and then frames at a steady rate for the latency. A server thread is pinned
//! to core 0 and the bare client and the feed to core 1; the node may use both, as in life. Only
//! ratios within one run mean anything.
//!
//! | who | does |
//! |---|---|
//! | bare | tokio-tungstenite, the bare scanner, bare indicators, a look at all of them per frame |
//! | feed | `Line`, reader, contiguity of ids, the engine with `v52_8signals`, inline in one task |
//! | feed, each trade | the same with a strategy that looks at every trade |
//! | node | all of `arb run` behind its discovery: feed, driver, log on disk, SQLite following |
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    dead_code,
    reason = "a benchmark may stop at its first surprise, and shares files with others"
)]

#[path = "bare.rs"]
mod bare;
#[path = "socket/clients.rs"]
mod clients;
#[path = "socket/node.rs"]
mod node;
#[path = "../arb-binance/benches/bare.rs"]
mod scanner;
#[path = "socket/server.rs"]
mod server;
#[path = "socket/shared.rs"]
mod shared;

use std::time::Duration;

use self::clients::{Client, Outcome};
use self::node::Looks;
use self::server::Server;
use self::shared::{Pace, pin};

/// Rounds of which the median counts.
const ROUNDS: usize = 5;

/// A busy market's speed, of a generated day's.
const FASTER: i64 = 12;

fn frames() -> usize {
    std::env::var("ARB_BENCH_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The clients to run: those whose names begin with `ARB_BENCH_ONLY`, and always the bare one.
fn clients() -> Vec<Client> {
    let only = std::env::var("ARB_BENCH_ONLY").unwrap_or_default();
    let is_wanted = |client: &Client| *client == Client::Bare || client.name().starts_with(&only);
    Client::ALL.into_iter().filter(is_wanted).collect()
}

fn flat_out(count: usize) {
    let (clients, tape) = (clients(), server::tape(count, FASTER));
    println!("flat out, {count} frames, ns a frame (median of {ROUNDS}, lowest, highest; × bare)");
    let mut times: Vec<Vec<f64>> = clients.iter().map(|_| Vec::new()).collect();
    let mut behind = Duration::ZERO;
    for _ in 0..ROUNDS {
        for (client, times) in clients.iter().zip(&mut times) {
            let server = Server::start(&tape, Pace::FlatOut);
            let Outcome { took, stored_after, .. } = client.run(&server);
            times.push(took.as_nanos() as f64 / count as f64);
            behind = behind.max(stored_after);
        }
    }
    let bare = median(times[0].clone());
    for (client, mut times) in clients.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let (low, high) = (times[0], times[times.len() - 1]);
        let middle = median(times);
        println!("{:24} {middle:8.0} {low:8.0} {high:8.0} {:6.2}", client.name(), middle / bare);
    }
    println!("the store had the last trade {:.1} s after the decision", behind.as_secs_f64());
}

fn latency(count: usize, rate: u64) {
    println!("at {rate} frames a second, {count} frames, sent to decided, µs");
    let (mut bare, tape) = (None, server::tape(count, FASTER));
    // The node tells when it decided by the strategy that looks at every trade.
    let is_told = |client: &Client| *client != Client::Node(Looks::Grid);
    for client in clients().into_iter().filter(is_told) {
        let mut medians = Vec::new();
        let mut tails = Vec::new();
        for _ in 0..3 {
            let server = Server::start(&tape, Pace::PerSecond(rate));
            let mut latencies = client.run(&server).latencies;
            // The beginning is that of a connection.
            latencies.drain(..latencies.len() / 10);
            latencies.sort_unstable();
            let at = |share: f64| {
                latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e3
            };
            medians.push(at(0.5));
            tails.push([at(0.99), at(0.999)]);
        }
        let middle = median(medians);
        let bare = *bare.get_or_insert(middle);
        let tail = |n: usize| median(tails.iter().map(|tail| tail[n]).collect());
        println!(
            "{:24} p50 {middle:7.1} p99 {:8.1} p99.9 {:8.1}   p50 × bare {:.2}",
            client.name(),
            tail(0),
            tail(1),
            middle / bare
        );
    }
}

fn main() {
    pin(1);
    let count = frames();
    flat_out(count);
    latency(count.min(100_000), 20_000);
}
