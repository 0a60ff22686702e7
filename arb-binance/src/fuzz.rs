//! Any bytes against every reader of this crate.

use arb_core::{InstrumentId, Market, Timestamp};

use crate::book::{BookSide, DepthRules, OrderBook};
use crate::wire::rest::{self, Refused};
use crate::wire::{Counters, Interval, Message, Reader, SymbolTable, coinbase, futures, spot};

/// Reads any bytes as a frame of every stream and as the body of every answer.
///
/// # Panics
/// When the scanner and the JSON parser make different messages of the same bytes, which is a bug.
pub fn fuzz_frame(bytes: &[u8]) {
    let symbols = SymbolTable::new([("BTCUSDT", InstrumentId(0)), ("ETHUSDT", InstrumentId(1))]);
    both_ways(&futures::reader(symbols.clone()), bytes);
    both_ways(&spot::reader(symbols.clone()), bytes);
    let products = [("BTC-USD", InstrumentId(0)), ("USDT-USD", InstrumentId(1))];
    coinbase::Reader::new(SymbolTable::new(products)).read(bytes, |_| {});
    book(&symbols, bytes);
    bodies(&symbols, bytes);
}

fn both_ways(reader: &Reader, bytes: &[u8]) {
    let (mut scanning, mut parsing) = (reader.clone(), reader.clone());
    let (mut scanned, mut parsed) = (String::new(), String::new());
    scanning.read(bytes, |message| scanned += &format!("{message:?}\n"));
    parsing.read_without_scanner(bytes, &mut |message| parsed += &format!("{message:?}\n"));
    assert_eq!(scanned, parsed, "scanner and parser differ");
    let same = |counters: Counters| Counters { parsed: 0, ..counters };
    assert_eq!(same(scanning.counters()), same(parsing.counters()), "counters differ");
}

/// Bytes as lines: snapshots and updates of one book.
fn book(symbols: &SymbolTable, bytes: &[u8]) {
    let mut reader = futures::reader(symbols.clone());
    let mut book = OrderBook::new(DepthRules::Futures);
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(snapshot) = rest::depth(line) {
            book.snapshot(&snapshot);
        }
        reader.read(line, |message| {
            message.events(Timestamp::EPOCH, |_| {});
            if let Message::Depth(update) = message {
                book.update(&update);
            }
        });
    }
    let known = book.levels(BookSide::Bids).chain(book.levels(BookSide::Asks)).count();
    assert_eq!(known, book.len(BookSide::Bids) + book.len(BookSide::Asks), "levels are lost");
}

fn bodies(symbols: &SymbolTable, bytes: &[u8]) {
    let (btc, now) = (InstrumentId(0), Timestamp::EPOCH);
    drop(rest::exchange_info(bytes));
    drop(rest::spot_exchange_info(bytes));
    drop(rest::server_time(bytes));
    drop(rest::agg_trades(bytes, btc));
    drop(rest::klines(bytes, btc, Interval::M1, now));
    drop(rest::premium_index(bytes, symbols));
    drop(rest::funding_rates(bytes, symbols));
    drop(rest::funding_info(bytes, symbols));
    drop(rest::open_interest(bytes, symbols));
    drop(rest::ratios(bytes, symbols));
    drop(rest::leverage_brackets(bytes));
    let refused = Refused { market: Market::Um, status: 429, body: bytes, retry_after: None, now };
    drop(rest::refusal(&refused));
}

#[cfg(test)]
mod tests;
