//! Frames to events against a bare scanner of the same minimal checks and against generic parsers.
//!
//! `cargo bench -p arb-binance`. Only ratios within one run mean anything. The frames come from a
//! seeded generator, in the live key order, in both generations.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at its first surprise"
)]

mod bare;

use std::hint::black_box;

use arb_binance::wire::{Message, SymbolTable, futures};
use arb_core::{
    Backtest, EngineConfig, Event, EventKind, Instrument, InstrumentConfig, InstrumentId, Price,
    Qty, Registry, Side, Timestamp, Trade,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;

/// Frames a pass reads.
const FRAMES: usize = 100_000;

/// Xorshift: the same frames on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn dice() -> Dice {
    Dice(20_240_601)
}

/// One text per frame, end to end.
struct Frames {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    fn new(mut frame: impl FnMut(u64, &mut Dice) -> String) -> Self {
        let (mut text, mut ends, mut dice) = (Vec::new(), Vec::new(), dice());
        for number in 0..FRAMES as u64 {
            text.extend_from_slice(frame(number, &mut dice).as_bytes());
            ends.push(text.len());
        }
        Self { text, ends }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.text[*start..*end])
    }
}

const T0: u64 = 1_791_391_081_874;

fn agg_trade(number: u64, dice: &mut Dice, generation: &[&str; 2]) -> String {
    let (time, id) = (T0 + number * 43, 3_478_018_549 + number);
    let (price, qty) = (640_000 + dice.below(20_000), 1 + dice.below(3_000));
    let qty = format!("{}.{:03}", qty / 1_000, qty % 1_000);
    let rpi = if generation[0].is_empty() { String::new() } else { format!(",\"nq\":\"{qty}\"") };
    format!(
        r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{},"a":{id},"s":"BTCUSDT","p":"{}.{}0","q":"{qty}"{rpi},"f":{},"l":{},"T":{time},"m":{}{}}}}}"#,
        time + 3,
        price / 10,
        price % 10,
        id * 2,
        id * 2 + 1,
        dice.below(2) == 0,
        generation[1]
    )
}

fn book_ticker(number: u64, dice: &mut Dice) -> String {
    let (time, price) = (T0 + number, 640_000 + dice.below(20_000));
    let (bid, ask) = (dice.below(20_000), dice.below(20_000));
    format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{},"s":"BTCUSDT","b":"{}.{}0","B":"{}.{:03}","a":"{}.{}0","A":"{}.{:03}","T":{time},"E":{}}}}}"#,
        5_123_107_839_020 + number * 31,
        price / 10,
        price % 10,
        bid / 1_000,
        bid % 1_000,
        (price + 1) / 10,
        (price + 1) % 10,
        ask / 1_000,
        ask % 1_000,
        time + 2
    )
}

fn mark(number: u64, dice: &mut Dice) -> String {
    let (time, price) = (T0 + number * 1_000, 6_400_000_000_000 + dice.below(200_000_000_000));
    let decimal = |units: u64| format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    format!(
        r#"{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{time},"s":"BTCUSDT","p":"{}","ap":"{}","P":"{}","i":"{}","r":"0.0000{}","T":1791417600000,"st":1}}}}"#,
        decimal(price),
        decimal(price + 17),
        decimal(price + 7_777),
        decimal(price - 123_456),
        1_000 + dice.below(9_000)
    )
}

/// Six hundred symbols, as a node that watches the whole market has.
fn symbols() -> SymbolTable {
    let names: Vec<String> = (1..600).map(|n| format!("COIN{n}USDT")).collect();
    let others = names.iter().zip((1..).map(InstrumentId)).map(|(name, id)| (name.as_str(), id));
    SymbolTable::new(std::iter::once(("BTCUSDT", InstrumentId(0))).chain(others))
}

/// A cheap use of an event that no optimiser can drop: volume by side and the last price.
#[derive(Default)]
struct Update {
    signed: i64,
    last: i64,
}

impl Update {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Trade(trade) => {
                self.signed += trade.qty.signed(trade.taker_side).units();
                self.last = trade.price.units();
            }
            EventKind::Quote(quote) => self.last = quote.best_bid.units(),
            EventKind::Mark(mark) => self.last = mark.mark_price.units(),
            _ => {}
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Row<'a>,
}

#[derive(Deserialize)]
struct Row<'a> {
    a: u64,
    #[serde(borrow)]
    s: &'a str,
    #[serde(borrow)]
    p: &'a str,
    #[serde(borrow)]
    q: &'a str,
    #[serde(rename = "T")]
    ts: i64,
    m: bool,
}

type Parser = fn(&[u8], &SymbolTable) -> Event;

fn generic(frame: &[u8], symbols: &SymbolTable) -> Event {
    trade(&serde_json::from_slice::<Envelope<'_>>(frame).unwrap().data, symbols)
}

fn sonic(frame: &[u8], symbols: &SymbolTable) -> Event {
    trade(&sonic_rs::from_slice::<Envelope<'_>>(frame).unwrap().data, symbols)
}

fn trade(row: &Row<'_>, symbols: &SymbolTable) -> Event {
    Event::trade(Trade {
        instrument: symbols.get(row.s.as_bytes()).unwrap(),
        taker_side: if row.m { Side::Sell } else { Side::Buy },
        id: row.a,
        ts: Timestamp::from_millis(row.ts),
        price: Price::parse(row.p.as_bytes()).unwrap(),
        qty: Qty::parse(row.q.as_bytes()).unwrap(),
    })
}

fn value(frame: &[u8], symbols: &SymbolTable) -> Event {
    let value: serde_json::Value = serde_json::from_slice(frame).unwrap();
    let data = &value["data"];
    let text = |key: &str| data[key].as_str().unwrap().as_bytes();
    Event::trade(Trade {
        instrument: symbols.get(text("s")).unwrap(),
        taker_side: if data["m"] == true { Side::Sell } else { Side::Buy },
        id: data["a"].as_u64().unwrap(),
        ts: Timestamp::from_millis(data["T"].as_i64().unwrap()),
        price: Price::parse(text("p")).unwrap(),
        qty: Qty::parse(text("q")).unwrap(),
    })
}

fn group(c: &mut Criterion, name: &str, frames: &Frames) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(FRAMES as u64)).sample_size(20);
    group.bench_function("reader, to events", |bench| {
        let mut reader = futures::reader(symbols());
        let mut out: Vec<Event> = Vec::new();
        bench.iter(|| {
            let mut update = Update::default();
            for frame in frames.iter() {
                out.clear();
                reader.read(frame, |message: Message<'_>| {
                    message.events(Timestamp::EPOCH, |kind| {
                        out.push(Event { at: Timestamp::EPOCH, kind });
                    });
                });
                out.iter().for_each(|event| update.event(event));
            }
            black_box((update.signed, update.last))
        });
        assert_eq!(reader.counters().parsed, 0);
    });
    if name.starts_with("aggTrade") {
        peers(&mut group, frames);
    }
    group.finish();
}

fn peers(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    frames: &Frames,
) {
    group.bench_function("bare scanner, no fallback, to events", |bench| {
        bench.iter(|| {
            let mut update = Update::default();
            for frame in frames.iter() {
                let event = black_box(bare::agg_trade(frame).unwrap());
                update.event(&event);
            }
            black_box((update.signed, update.last))
        });
    });
    let symbols = symbols();
    let parsers: [(&str, Parser); 3] = [
        ("serde_json, borrowed", generic),
        ("serde_json, Value", value),
        ("sonic-rs, borrowed", sonic),
    ];
    for (name, parse) in parsers {
        group.bench_function(name, |bench| {
            bench.iter_batched(
                Update::default,
                |mut update| {
                    for frame in frames.iter() {
                        update.event(&parse(frame, &symbols));
                    }
                    black_box((update.signed, update.last))
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// The engine with all its windows, as a back-test drives it.
fn engine() -> Backtest {
    let spec = Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
    let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
    Backtest::new(config, Registry::builtin(), &mut ()).unwrap()
}

/// Parsing and the engine's whole update behind it, the same for every parser.
fn with_update(c: &mut Criterion) {
    let frames = Frames::new(|number, dice| agg_trade(number, dice, &["nq", ",\"st\":1"]));
    let mut group = c.benchmark_group("aggTrade of 2026 and full indicators");
    group.throughput(Throughput::Elements(FRAMES as u64)).sample_size(20);
    group.bench_function("reader", |bench| {
        let mut reader = futures::reader(symbols());
        bench.iter_batched(
            engine,
            |mut engine| {
                for frame in frames.iter() {
                    reader.read(frame, |message: Message<'_>| {
                        if let Message::AggTrade(print) = message {
                            engine.on_trade(&print.trade, &mut ());
                        }
                    });
                }
                engine
            },
            BatchSize::LargeInput,
        );
    });
    let symbols = symbols();
    let parsers: [(&str, Parser); 2] =
        [("sonic-rs, borrowed", sonic), ("serde_json, borrowed", generic)];
    for (name, parse) in parsers {
        group.bench_function(name, |bench| {
            bench.iter_batched(
                engine,
                |mut engine| {
                    for frame in frames.iter() {
                        let event = parse(frame, &symbols);
                        let EventKind::Trade(trade) = event.kind else { continue };
                        engine.on_trade(&trade, &mut ());
                    }
                    engine
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn frames(c: &mut Criterion) {
    let of = |generation: [&'static str; 2]| {
        Frames::new(move |number, dice| agg_trade(number, dice, &generation))
    };
    group(c, "aggTrade of 2024", &of(["", ""]));
    group(c, "aggTrade of 2026", &of(["nq", ",\"st\":1"]));
    group(c, "bookTicker", &Frames::new(book_ticker));
    group(c, "markPrice", &Frames::new(mark));
}

criterion_group!(benches, frames, with_update);
criterion_main!(benches);
