//! From a frame to events nothing is allocated once buffers have their size; only an array of marks,
//! of which there is one a second, costs a single small allocation.
//!
//! Alone in its file: it counts what the whole process allocates.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::alloc::System;

use arb_binance::wire::{Message, Reader, SymbolTable, futures, spot};
use arb_binance::{DepthRules, OrderBook, TrackerConfig, TradeTracker};
use arb_core::{EventKind, InstrumentId, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: Timestamp = Timestamp::from_millis(1_791_391_082_030);
const BTC: InstrumentId = InstrumentId(0);

/// Frames as the venue sends them, of one second: trades of both generations, marks of many,
/// quotes, levels and a liquidation.
fn of_futures(second: u64) -> Vec<String> {
    let mut frames = Vec::new();
    for n in 0..20 {
        let id = 3_478_018_549 + second * 20 + n;
        let newer = if n % 2 == 0 { r#","nq":"0.016""# } else { "" };
        let st = if n % 2 == 0 { r#","st":1"# } else { "" };
        frames.push(format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1791391082024,"a":{id},"s":"BTCUSDT","p":"83434.40","q":"0.016"{newer},"f":8154045700,"l":8154045704,"T":1791391081874,"m":true{st}}}}}"#
        ));
        frames.push(format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{id},"s":"BTCUSDT","b":"83434.30","B":"6.123","a":"83434.40","A":"1.250","T":1791391082020,"E":1791391082024}}}}"#
        ));
        frames.push(format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1791391082024,"T":1791391082020,"s":"BTCUSDT","U":{},"u":{},"pu":{},"b":[["83434.30","6.123"],["83430.00","0"]],"a":[["83434.40","1.250"],["83440.10","0.5"]]}}}}"#,
            id * 10 + 1,
            id * 10 + 10,
            id * 10,
        ));
    }
    let mark = |n: u64| {
        let symbol = if n == 0 { "BTCUSDT".to_owned() } else { format!("C{n}USDT") };
        format!(
            r#"{{"e":"markPriceUpdate","E":1791391082000,"s":"{symbol}","p":"83434.40000000","ap":"83434.40000000","i":"83440.12345678","P":"83430.00000000","r":"0.00010000","T":1791417600000,"st":1}}"#
        )
    };
    let marks: Vec<String> = (0..300).map(mark).collect();
    let one = &marks[0];
    frames.push(format!(r#"{{"stream":"btcusdt@markPrice@1s","data":{one}}}"#));
    frames.push(format!(r#"{{"stream":"!markPrice@arr@1s","data":[{}]}}"#, marks.join(",")));
    frames
}

fn of_spot(second: u64) -> Vec<String> {
    let frame = |n: u64| {
        let id = 100_000 + second * 20 + n;
        [
            format!(
                r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1791391082024,"s":"BTCUSDT","a":{id},"p":"83430.01","q":"0.00120","f":{id},"l":{id},"T":1791391082020,"m":false,"M":true}}}}"#
            ),
            format!(
                r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{id},"s":"BTCUSDT","b":"83430.00","B":"1.20000","a":"83430.01","A":"0.50000"}}}}"#
            ),
        ]
    };
    (0..20).flat_map(frame).collect()
}

/// What follows the frames of a connection.
struct Follower {
    reader: Reader,
    tracker: TradeTracker,
    book: OrderBook,
    events: Vec<EventKind>,
}

impl Follower {
    fn new(reader: Reader) -> Self {
        let mut tracker = TradeTracker::new(BTC, TrackerConfig::default());
        tracker.connected();
        let book = OrderBook::new(DepthRules::Futures);
        Self { reader, tracker, book, events: Vec::new() }
    }

    /// Reads frames as a feed does; tells how many events there were.
    fn read(&mut self, frames: &[String]) -> usize {
        let mut count = 0;
        for frame in frames {
            let Self { reader, tracker, book, events } = self;
            reader.read(frame.as_bytes(), |message| match &message {
                Message::AggTrade(print) => tracker.trade(print.trade, NOW, events),
                Message::Depth(update) => {
                    if book.is_synced() {
                        book.update(update);
                    }
                }
                other => other.events(NOW, |kind| events.push(kind)),
            });
            count += events.len();
            events.clear();
        }
        count
    }
}

#[test]
fn a_frame_becomes_events_without_an_allocation() {
    let names: Vec<String> = (1..300).map(|n| format!("C{n}USDT")).collect();
    let others = names.iter().map(String::as_str).zip((1..).map(InstrumentId));
    let table = SymbolTable::new(std::iter::once(("BTCUSDT", BTC)).chain(others));
    let mut followers = [
        (Follower::new(futures::reader(table)), of_futures as fn(u64) -> Vec<String>, 943),
        (Follower::new(spot::reader(SymbolTable::new([("BTCUSDT", BTC)]))), of_spot as _, 40),
    ];
    for (follower, frames, expected) in &mut followers {
        // The first frames give the buffers their size.
        assert_eq!(follower.read(&frames(0)), *expected);
        for second in 1..50 {
            let frames = frames(second);
            let is_array = |frame: &&String| frame.contains("@arr");
            let arrays: Vec<String> = frames.iter().filter(is_array).cloned().collect();
            let frames: Vec<String> =
                frames.iter().filter(|frame| !is_array(frame)).cloned().collect();
            let mut events = 0;
            for (frames, most) in [(&frames, 0), (&arrays, arrays.len())] {
                let region = Region::new(ALLOCATOR);
                events += follower.read(frames);
                let change = region.change();
                assert!(change.allocations <= most, "second {second}: {change:?}");
                assert_eq!(change.reallocations, 0, "second {second}: {change:?}");
            }
            assert_eq!(events, *expected, "every frame is used");
        }
        assert_eq!(follower.tracker.counters().holes, 0);
    }
}
