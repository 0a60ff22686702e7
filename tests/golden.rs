//! Golden replays: the whole engine over a committed tape, and over the recorded LTC tape.
//!
//! `ARB_BLESS=1 cargo test --test engine golden` writes the files anew; read the difference before
//! committing it. The first tape is generated: every 60th trade of `TapeGenerator`, seed 7.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};
use arb::record::JournalWriter;
use arb::stats::Summary;
use arb::{Recorder, Trade, hash_of};

use crate::support::{events, ltc, parse_csv, run, with_strategy};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn blessing() -> bool {
    std::env::var_os("ARB_BLESS").is_some()
}

fn tape() -> Vec<Trade> {
    let file = path("tape.csv.gz");
    if blessing() {
        let mut csv = CSV_HEADER.as_bytes().to_vec();
        let thinned = TapeGenerator::new(GeneratorConfig::btcusdt(7)).step_by(60).take(30_000);
        for (id, trade) in (1..).zip(thinned) {
            csv_line(&Trade { id, ..trade }, &mut csv);
        }
        let out = std::fs::File::create(&file).unwrap();
        let mut gz = flate2::write::GzEncoder::new(out, flate2::Compression::best());
        gz.write_all(&csv).unwrap();
        gz.finish().unwrap();
    }
    let mut text = String::new();
    let input = std::fs::File::open(file).unwrap();
    flate2::read::GzDecoder::new(input).read_to_string(&mut text).unwrap();
    parse_csv(&text)
}

/// What a run gave, as lines: every trade, the summary, and the hash of the journal.
fn told(strategy: &str, trades: &[Trade]) -> String {
    let mut seen = (Recorder::default(), JournalWriter::new(Vec::new()).unwrap());
    run(with_strategy(strategy), &events(trades), &mut seen);
    let (recorder, journal) = seen;
    let mut lines = vec![format!("{strategy}: {} signals", recorder.signals.len())];
    for trade in recorder.trades.values() {
        lines.push(serde_json::to_string(trade).unwrap());
    }
    let summary = Summary::new(recorder.trades.values(), &recorder.equity);
    lines.push(serde_json::to_string(&summary).unwrap());
    lines.push(format!("journal {}", hash_of(&journal.finish().unwrap())));
    lines.push(String::new());
    lines.join("\n")
}

fn compare(name: &str, trades: &[Trade]) {
    let told = told("v51_baseline", trades) + &told("v52_8signals", trades);
    if blessing() {
        std::fs::write(path(name), &told).unwrap();
    }
    let expected = std::fs::read_to_string(path(name)).unwrap();
    for (at, (line, golden)) in told.lines().zip(expected.lines()).enumerate() {
        assert_eq!(line, golden, "line {} of {name}", at + 1);
    }
    assert_eq!(told, expected);
}

#[test]
fn golden_replay_of_the_generated_tape() {
    compare("generated.txt", &tape());
}

/// The tape is spot data, traded here as if it were the perpetual.
#[test]
fn golden_replay_of_the_recorded_spot_tape() {
    if let Some(trades) = ltc() {
        compare("ltc_spot.txt", &trades);
    }
}
