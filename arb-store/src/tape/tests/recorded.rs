//! Recorded data, where it lies beside the checkout.

use std::path::PathBuf;

use arb_core::Hole;

use super::*;

/// The folder of recorded data: `ARB_DATA_DIR`, or `../shared/data` beside the workspace.
fn recorded(file: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = std::env::var_os("ARB_DATA_DIR").map_or_else(beside, PathBuf::from);
    let path = folder.join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn open(kind: SourceKind, symbol: &str, file: &str, gaps: Gaps) -> Option<Tape> {
    let path = recorded(file)?;
    let source = Source { instrument: InstrumentId(0), symbol: symbol.to_owned(), kind, path };
    Some(Tape::open(&[source], TapeOptions { gaps, ..TapeOptions::default() }).unwrap())
}

#[test]
fn the_recorded_spot_tape_has_its_known_holes() {
    let file = "trades/LTCUSDT-SPOT-aggTrades-2025-06-21_22.csv.gz";
    let Some(mut tape) = open(SourceKind::Trades, "LTCUSDT", file, Gaps::Accept) else { return };
    let events = drain(&mut tape).unwrap();
    let stats = tape.stats();
    assert_eq!((stats.trades, stats.zero_qty, stats.duplicates), (92_043, 0, 0));
    assert_eq!(stats.holes.len(), 19);
    assert_eq!(stats.holes.iter().map(Hole::missing).sum::<u64>(), 197);
    assert_eq!(events.len(), 92_043 + 2 * 19);
    assert_eq!(stats.bytes_read, tape.total_bytes());
}

#[test]
fn recorded_single_trades_have_no_hole_across_the_insurance_fund() {
    let file = "trades/BTCUSDT-trades-2023-04-04_05.csv.gz";
    let Some(mut tape) = open(SourceKind::Trades, "BTCUSDT", file, Gaps::Refuse) else { return };
    assert_eq!(drain(&mut tape).unwrap().len(), 12_935);
    assert_eq!((tape.stats().trades, tape.stats().off_market), (12_934, 1));
}

#[test]
fn recorded_inputs_are_read_whole() {
    let file = "funding/BTCUSDT-fundingRate.csv.gz";
    let Some(mut funding) = open(SourceKind::Funding, "BTCUSDT", file, Gaps::Refuse) else {
        return;
    };
    assert_eq!(drain(&mut funding).unwrap().len(), 6_741);
    let file = "metrics/HYPEUSDT-metrics-2025-05-30-sample.csv";
    let Some(mut metrics) = open(SourceKind::Metrics, "HYPEUSDT", file, Gaps::Refuse) else {
        return;
    };
    assert_eq!(drain(&mut metrics).unwrap().len(), 3 * 12);
}
