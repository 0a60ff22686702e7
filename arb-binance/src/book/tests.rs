//! Claims about the book, and the golden values of the recordings.

use arb_core::InstrumentId;

use super::*;
use crate::recorded::{Line, lines};
use crate::wire::{Message, Reader, SymbolTable, futures, rest, spot};

fn level(price: &str, qty: &str) -> Level {
    Level { price: price.parse().unwrap(), qty: qty.parse().unwrap() }
}

fn update<'a>(ids: [u64; 2], previous: Option<u64>, bids: &'a [Level]) -> DepthUpdate<'a> {
    DepthUpdate {
        instrument: InstrumentId(0),
        sent_at: arb_core::Timestamp::EPOCH,
        first_id: ids[0],
        last_id: ids[1],
        previous_id: previous,
        bids,
        asks: &[],
    }
}

fn snapshot(id: u64) -> DepthSnapshot {
    let bids = vec![level("10", "1"), level("9", "2")];
    DepthSnapshot { last_update_id: id, bids, asks: vec![level("11", "3")] }
}

#[test]
fn futures_drop_what_is_older_and_join_where_the_snapshot_lies_inside() {
    let mut book = OrderBook::new(DepthRules::Futures);
    let change = [level("9", "0"), level("8", "5")];
    assert_eq!(book.update(&update([1, 99], Some(0), &[])), UpdateOutcome::Buffered);
    assert_eq!(book.update(&update([100, 105], Some(99), &change)), UpdateOutcome::Buffered);
    assert!(!book.is_synced());
    assert_eq!(book.snapshot(&snapshot(100)), SnapshotOutcome::Synced { old: 1, applied: 1 });
    assert_eq!(book.update(&update([110, 120], Some(105), &[])), UpdateOutcome::Applied);
    let bids: Vec<Level> = book.levels(BookSide::Bids).collect();
    assert_eq!(bids, [level("10", "1"), level("8", "5")]);
    assert_eq!(book.best(BookSide::Asks), Some(level("11", "3")));
    assert_eq!((book.len(BookSide::Bids), book.update_id()), (2, Some(120)));
}

#[test]
fn spot_ids_count_up_without_a_hole() {
    let mut book = OrderBook::new(DepthRules::Spot);
    book.update(&update([95, 100], None, &[]));
    book.update(&update([101, 104], None, &[]));
    assert_eq!(book.snapshot(&snapshot(100)), SnapshotOutcome::Synced { old: 1, applied: 1 });
    assert_eq!(book.update(&update([105, 105], None, &[])), UpdateOutcome::Applied);
    assert_eq!(book.update(&update([107, 108], None, &[])), UpdateOutcome::Gap);
}

#[test]
fn a_snapshot_older_than_the_buffer_is_refused_and_a_newer_one_taken() {
    let mut book = OrderBook::new(DepthRules::Futures);
    book.update(&update([100, 105], Some(99), &[]));
    book.update(&update([106, 110], Some(105), &[]));
    assert_eq!(book.snapshot(&snapshot(90)), SnapshotOutcome::TooOld);
    assert!(!book.is_synced() && book.is_empty());
    assert_eq!(book.snapshot(&snapshot(107)), SnapshotOutcome::Synced { old: 1, applied: 1 });
}

#[test]
fn a_gap_empties_the_book_until_the_next_snapshot() {
    let mut book = OrderBook::new(DepthRules::Futures);
    assert_eq!(book.snapshot(&snapshot(100)), SnapshotOutcome::Synced { old: 0, applied: 0 });
    assert_eq!(book.update(&update([99, 101], Some(98), &[])), UpdateOutcome::Applied);
    assert_eq!(book.update(&update([110, 112], Some(109), &[])), UpdateOutcome::Gap);
    assert!(!book.is_synced() && book.best(BookSide::Bids).is_none());
    assert_eq!(book.update(&update([113, 115], Some(112), &[])), UpdateOutcome::Buffered);
    assert_eq!(book.snapshot(&snapshot(111)), SnapshotOutcome::Synced { old: 0, applied: 2 });
}

#[test]
fn the_same_update_of_two_connections_is_applied_once() {
    let mut book = OrderBook::new(DepthRules::Futures);
    book.snapshot(&snapshot(100));
    let change = update([99, 101], Some(98), &[]);
    assert_eq!(book.update(&change), UpdateOutcome::Applied);
    assert_eq!(book.update(&change), UpdateOutcome::Old);
    assert_eq!(book.update(&update([102, 103], Some(101), &[])), UpdateOutcome::Applied);
}

#[test]
fn the_buffer_is_bounded() {
    let mut book = OrderBook::new(DepthRules::Futures);
    for id in 0..3 * BUFFER as u64 {
        book.update(&update([id, id], id.checked_sub(1), &[]));
    }
    assert_eq!(book.buffer.len(), BUFFER);
}

/// The golden values of a recording, as its README has them.
struct Golden {
    file: &'static str,
    old: usize,
    applied: usize,
    last: u64,
    bid: [&'static str; 2],
    ask: [&'static str; 2],
    levels: [usize; 2],
}

const GOLDEN: [Golden; 5] = [
    Golden {
        file: "usdm_btcusdt_20230404",
        old: 0,
        applied: 4_322,
        last: 2_710_249_412_032,
        bid: ["28155.10", "0.060"],
        ask: ["28155.20", "3.719"],
        levels: [2_306, 1_791],
    },
    Golden {
        file: "usdm_btcusdt_20240718",
        old: 5,
        applied: 3_321,
        last: 4_984_033_952_967,
        bid: ["63959.90", "20.327"],
        ask: ["63960.00", "5.262"],
        levels: [2_170, 1_885],
    },
    Golden {
        file: "usdm_ethusdt_20240718",
        old: 5,
        applied: 3_268,
        last: 4_984_033_953_043,
        bid: ["3424.98", "77.165"],
        ask: ["3424.99", "80.013"],
        levels: [2_267, 1_954],
    },
    Golden {
        file: "usdm_btcusdt_20240808",
        old: 4,
        applied: 6_547,
        last: 5_123_135_475_514,
        bid: ["61659.70", "1.486"],
        ask: ["61659.80", "0.981"],
        levels: [5_018, 4_578],
    },
    Golden {
        file: "spot_btcusdt_20240808",
        old: 2,
        applied: 3_449,
        last: 50_093_421_584,
        bid: ["61685.99", "1.00870"],
        ask: ["61686.00", "2.29327"],
        levels: [1_209, 2_196],
    },
];

/// A recording played into a book.
struct Player {
    reader: Reader,
    book: OrderBook,
    old: usize,
    applied: usize,
    gaps: usize,
    compared: usize,
}

impl Player {
    fn new(file: &str) -> Self {
        let symbols = [("BTCUSDT", InstrumentId(0)), ("ETHUSDT", InstrumentId(0))];
        let symbols = SymbolTable::new(symbols);
        let (reader, rules) = match file.starts_with("spot") {
            true => (spot::reader(symbols), DepthRules::Spot),
            false => (futures::reader(symbols), DepthRules::Futures),
        };
        let book = OrderBook::new(rules);
        Self { reader, book, old: 0, applied: 0, gaps: 0, compared: 0 }
    }

    fn line(&mut self, line: &Line) {
        match line {
            Line::Frame(frame) => self.frame(frame),
            Line::Body(_, body) => {
                let snapshot = rest::depth(body.as_bytes()).unwrap();
                match self.book.snapshot(&snapshot) {
                    SnapshotOutcome::Synced { old, applied } => {
                        self.old += old;
                        self.applied += applied;
                    }
                    SnapshotOutcome::TooOld => panic!("the snapshot does not fit"),
                }
            }
        }
    }

    fn frame(&mut self, frame: &str) {
        let Self { reader, book, old, applied, gaps, compared } = self;
        reader.read(frame.as_bytes(), |message| match message {
            Message::Depth(depth) => match book.update(&depth) {
                UpdateOutcome::Buffered => {}
                UpdateOutcome::Old => *old += 1,
                UpdateOutcome::Applied => *applied += 1,
                UpdateOutcome::Gap => *gaps += 1,
            },
            Message::Quote(ticker) if book.update_id() == Some(ticker.update_id) => {
                let touch = |side| book.best(side).map(|best| (best.price, Some(best.qty)));
                assert_eq!(touch(BookSide::Bids), Some((ticker.best_bid, ticker.bid_qty)));
                assert_eq!(touch(BookSide::Asks), Some((ticker.best_ask, ticker.ask_qty)));
                *compared += 1;
            }
            _ => {}
        });
    }
}

#[test]
fn recorded_books_reach_their_golden_values_without_a_gap() {
    for golden in GOLDEN {
        let Some(lines) = lines(&format!("raw_ws/{}.frames.gz", golden.file)) else { return };
        let mut player = Player::new(golden.file);
        lines.iter().for_each(|line| player.line(line));
        let Player { book, old, applied, gaps, compared, .. } = player;
        assert_eq!((old, applied, gaps), (golden.old, golden.applied, 0), "{}", golden.file);
        assert_eq!(book.update_id(), Some(golden.last));
        assert_eq!(book.best(BookSide::Bids), Some(level(golden.bid[0], golden.bid[1])));
        assert_eq!(book.best(BookSide::Asks), Some(level(golden.ask[0], golden.ask[1])));
        assert_eq!([BookSide::Bids, BookSide::Asks].map(|side| book.len(side)), golden.levels);
        println!("{}: {compared} book tickers agree", golden.file);
    }
}

#[test]
fn a_recording_that_continues_another_has_no_gap_between() {
    for files in [
        ["usdm_btcusdt_20230404", "usdm_btcusdt_20230405"],
        ["usdm_btcusdt_20240718", "usdm_btcusdt_20240719"],
        ["usdm_ethusdt_20240718", "usdm_ethusdt_20240719"],
        ["spot_btcusdt_20240808", "spot_btcusdt_20240809"],
    ] {
        let mut player = Player::new(files[0]);
        for file in files {
            let Some(lines) = lines(&format!("raw_ws/{file}.frames.gz")) else { return };
            lines.iter().for_each(|line| player.line(line));
        }
        assert_eq!(player.gaps, 0, "{files:?}");
        assert!(player.book.is_synced() && player.applied > 6_000);
    }
}

#[test]
fn five_symbols_of_one_recorded_connection_stay_in_step() {
    let file = "raw_ws/cryptofeed/usdm_sand_chr_neo_ctk_bat_20210405.capture.gz";
    let Some(lines) = lines(file) else { return };
    let coins = ["SANDUSDT", "CHRUSDT", "NEOUSDT", "CTKUSDT", "BATUSDT"];
    let ids = coins.into_iter().zip((0..).map(InstrumentId));
    let mut reader = futures::reader(SymbolTable::new(ids));
    let mut books = coins.map(|_| OrderBook::new(DepthRules::Futures));
    let mut applied = 0;
    for line in &lines {
        match line {
            Line::Body(address, body) => {
                let at = coins.iter().position(|coin| address.contains(coin)).unwrap();
                let snapshot = rest::depth(body.as_bytes()).unwrap();
                assert_ne!(books[at].snapshot(&snapshot), SnapshotOutcome::TooOld);
            }
            Line::Frame(frame) => reader.read(frame.as_bytes(), |message| {
                let Message::Depth(depth) = message else { return };
                let outcome = books[depth.instrument.index()].update(&depth);
                assert_ne!(outcome, UpdateOutcome::Gap, "{frame}");
                applied += usize::from(outcome == UpdateOutcome::Applied);
            }),
        }
    }
    assert!(books.iter().all(OrderBook::is_synced) && applied > 4_000, "{applied}");
}
