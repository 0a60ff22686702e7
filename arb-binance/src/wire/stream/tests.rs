//! Claims about frames: documented ones, live ones, recorded ones, and any bytes.

mod frames;
mod properties;
mod recorded;

use arb_core::{InstrumentId, Timestamp};

use super::{Reader, SymbolTable};
use crate::wire::{Counters, futures, spot};

/// Symbols of the recordings and of the documentation, in this order from 0.
pub(super) const SYMBOLS: [&str; 8] =
    ["BTCUSDT", "ETHUSDT", "SOLUSDT", "ILVUSDT", "BNBUSDT", "LTCUSDT", "币安人生USDT", "BTCUSDC"];

pub(super) fn symbols() -> SymbolTable {
    SymbolTable::new(SYMBOLS.into_iter().zip((0..).map(InstrumentId)))
}

fn futures_reader() -> Reader {
    futures::reader(symbols())
}

fn spot_reader() -> Reader {
    spot::reader(symbols())
}

/// The messages of a frame as text.
fn say(reader: &mut Reader, frame: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    reader.read(frame, |message| said.push(format!("{message:?}")));
    said
}

/// The same without the scanner.
fn say_parsed(reader: &mut Reader, frame: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    reader.read_without_scanner(frame, &mut |message| said.push(format!("{message:?}")));
    said
}

/// Both ways give the same messages and counts.
fn agree(reader: &Reader, frame: &[u8]) {
    let (mut scanning, mut parsing) = (reader.clone(), reader.clone());
    let shown = String::from_utf8_lossy(frame);
    assert_eq!(say(&mut scanning, frame), say_parsed(&mut parsing, frame), "{shown}");
    let same = |counters: Counters| Counters { parsed: 0, ..counters };
    assert_eq!(same(scanning.counters()), same(parsing.counters()), "{shown}");
}

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
