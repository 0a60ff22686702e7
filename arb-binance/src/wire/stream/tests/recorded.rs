//! Every recorded frame: both readers agree, each other and with a plain reading of the JSON.

use arb_core::{InstrumentId, Price, Qty, Side, Timestamp, Trade};
use serde_json::Value;

use super::{Reader, agree, symbols};
use crate::recorded::frames;
use crate::wire::{Message, SymbolTable, futures, spot};

/// How many of each kind: depth, book ticker, trade, mark.
type Kinds = [usize; 4];

const FUTURES: [(&str, Kinds); 7] = [
    ("usdm_btcusdt_20230404", [4_322, 6_765, 2_197, 99]),
    ("usdm_btcusdt_20230405", [11_788, 37_440, 10_738, 415]),
    ("usdm_btcusdt_20240718", [3_326, 7_113, 974, 0]),
    ("usdm_btcusdt_20240719", [5_696, 45_147, 9_727, 0]),
    ("usdm_ethusdt_20240718", [3_273, 9_089, 1_640, 0]),
    ("usdm_ethusdt_20240719", [5_656, 38_239, 12_015, 0]),
    ("usdm_btcusdt_20240808", [6_551, 66_089, 21_313, 0]),
];

const SPOT: [(&str, Kinds); 3] = [
    ("spot_btcusdt_20230405", [3_929, 8_015, 3_144, 0]),
    ("spot_btcusdt_20240808", [3_451, 28_040, 9_757, 0]),
    ("spot_btcusdt_20240809", [3_044, 45_134, 10_147, 0]),
];

/// Reads a recording both ways and counts; every message is compared with its JSON.
fn check(path: &str, start: &Reader) -> Option<(Kinds, Reader)> {
    let frames = frames(path)?;
    let mut reader = start.clone();
    let mut kinds = [0; 4];
    for frame in &frames {
        agree(start, frame.as_bytes());
        let value: Value = serde_json::from_str(frame).unwrap();
        reader.read(frame.as_bytes(), |message| {
            kinds[kind(&message)] += 1;
            compare(&message, value.get("data").unwrap_or(&value));
        });
    }
    let counters = reader.counters();
    assert_eq!(counters.frames, frames.len() as u64, "{path}");
    assert_eq!(counters.dropped + counters.unknown_events + counters.unknown_values, 0, "{path}");
    Some((kinds, reader))
}

fn kind(message: &Message<'_>) -> usize {
    match message {
        Message::Depth(_) => 0,
        Message::Quote(_) => 1,
        Message::SingleTrade(_) | Message::AggTrade(_) => 2,
        Message::Mark(_) => 3,
        other => panic!("{other:?}"),
    }
}

fn compare(message: &Message<'_>, json: &Value) {
    let price = |key: &str| -> Price { json[key].as_str().unwrap().parse().unwrap() };
    let qty = |key: &str| -> Qty { json[key].as_str().unwrap().parse().unwrap() };
    let time = |key: &str| Timestamp::from_millis(json[key].as_i64().unwrap());
    let number = |key: &str| json[key].as_u64().unwrap();
    match message {
        Message::AggTrade(print) | Message::SingleTrade(print) => {
            let market = json.get("X").is_none_or(|kind| kind == "MARKET");
            let trade = Trade {
                instrument: print.trade.instrument,
                taker_side: if json["m"] == true { Side::Sell } else { Side::Buy },
                id: number(if json["e"] == "trade" { "t" } else { "a" }),
                ts: time("T"),
                price: price("p"),
                qty: if market { qty("q") } else { Qty::ZERO },
            };
            assert_eq!((print.trade, print.off_market, print.sent_at), (trade, !market, time("E")));
        }
        Message::Quote(ticker) => {
            assert_eq!(ticker.update_id, number("u"));
            assert_eq!((ticker.best_bid, ticker.best_ask), (price("b"), price("a")));
            assert_eq!((ticker.bid_qty, ticker.ask_qty), (Some(qty("B")), Some(qty("A"))));
            assert_eq!(ticker.ts, json.get("T").map(|_| time("T")));
        }
        Message::Mark(mark) => {
            assert_eq!((mark.mark_price, mark.index_price), (price("p"), Some(price("i"))));
            let rate: arb_core::Decimal = json["r"].as_str().unwrap().parse().unwrap();
            assert_eq!(mark.funding_rate, Some(rate));
            assert_eq!((mark.next_funding_at, mark.sent_at), (Some(time("T")), time("E")));
        }
        Message::Depth(depth) => {
            assert_eq!((depth.first_id, depth.last_id), (number("U"), number("u")));
            assert_eq!(depth.previous_id, json.get("pu").and_then(Value::as_u64));
            for (key, levels) in [("b", depth.bids), ("a", depth.asks)] {
                let rows = json[key].as_array().unwrap();
                assert_eq!(rows.len(), levels.len());
                for (row, level) in rows.iter().zip(levels) {
                    let cell = |at: usize| row[at].as_str().unwrap();
                    assert_eq!(level.price, cell(0).parse().unwrap());
                    assert_eq!(level.qty, cell(1).parse().unwrap());
                }
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_recorded_futures_frame_is_read_alike_both_ways() {
    for (name, expected) in FUTURES {
        let path = format!("raw_ws/{name}.frames.gz");
        let Some((kinds, reader)) = check(&path, &futures::reader(symbols())) else { return };
        assert_eq!(kinds, expected, "{name}");
        let slow = kinds[2] as u64;
        assert_eq!(reader.counters().parsed, slow, "{name}: only single trades are parsed");
    }
}

#[test]
fn every_recorded_spot_frame_is_read_alike_both_ways() {
    for (name, expected) in SPOT {
        let path = format!("raw_ws/{name}.frames.gz");
        let Some((kinds, reader)) = check(&path, &spot::reader(symbols())) else { return };
        assert_eq!(kinds, expected, "{name}");
        assert_eq!(reader.counters().parsed, kinds[2] as u64, "{name}");
    }
}

#[test]
fn recorded_coin_m_frames_say_nothing_to_a_reader_of_usd_m() {
    for name in ["coinm_btcusd_perp_20240808", "coinm_btcusd_perp_20240809"] {
        let Some(frames) = frames(&format!("raw_ws/{name}.frames.gz")) else { return };
        let mut reader = futures::reader(symbols());
        for frame in &frames {
            reader.read(frame.as_bytes(), |message| panic!("{message:?}"));
        }
        assert_eq!(reader.counters().unknown_symbols, frames.len() as u64);
    }
}

#[test]
fn recorded_agg_trades_are_all_scanned_and_their_ids_have_no_hole() {
    let recordings = [
        ("usdm_sand_chr_neo_ctk_bat_20210405", vec!["SAND", "CHR", "NEO", "CTK", "BAT"], 574),
        ("usdm_dent_ksm_xmr_yfi_20210417", vec!["DENT", "KSM", "XMR", "YFI"], 185),
    ];
    for (name, coins, expected) in recordings {
        let path = format!("raw_ws/cryptofeed/{name}.capture.gz");
        let Some(frames) = frames(&path) else { return };
        let symbols: Vec<String> = coins.iter().map(|coin| format!("{coin}USDT")).collect();
        let ids = symbols.iter().zip(0..).map(|(symbol, id)| (symbol.as_str(), InstrumentId(id)));
        let start = futures::reader(SymbolTable::new(ids));
        let (mut reader, mut last, mut trades) = (start.clone(), [None; 5], 0);
        for frame in frames.iter().filter(|frame| frame.contains("\"data\"")) {
            agree(&start, frame.as_bytes());
            let value: Value = serde_json::from_str(frame).unwrap();
            let before = reader.counters().parsed;
            let mut scanned = false;
            reader.read(frame.as_bytes(), |message| {
                if !matches!(message, Message::Kline(_)) {
                    compare(&message, &value["data"]);
                }
                let Message::AggTrade(print) = message else { return };
                let last = &mut last[print.trade.instrument.index()];
                assert!(last.is_none_or(|id| id + 1 == print.trade.id));
                *last = Some(print.trade.id);
                scanned = true;
            });
            trades += usize::from(scanned);
            assert!(!scanned || reader.counters().parsed == before, "{frame}");
        }
        assert_eq!((trades, reader.counters().dropped), (expected, 0), "{name}");
    }
}

#[test]
fn frames_of_2025_and_2026_are_scanned() {
    let Some(frames) = frames("raw_ws/single_frames.jsonl") else { return };
    let mut reader = futures::reader(symbols());
    let mut said = Vec::new();
    for frame in &frames {
        agree(&reader, frame.as_bytes());
        reader.read(frame.as_bytes(), |message| said.push(format!("{message:?}")));
    }
    let kind = |text: &String| text.split('(').next().unwrap().to_owned();
    let kinds: Vec<String> = said.iter().map(kind).collect();
    assert_eq!(kinds, ["AggTrade", "Liquidation", "AggTrade", "AggTrade", "Liquidation"]);
    assert_eq!(reader.counters().parsed, 2);
}
