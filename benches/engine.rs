//! Ratios of the engine against the machine's limit: the bare loop over the same trades.
//!
//! `cargo bench --bench engine` prints each figure in time per trade (throughput in elements).
//! `ARB_BENCH_TRADES` sets the number of trades, 10 million unless told.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark may panic"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bare trade has narrower fields by design"
)]

mod bare;

use std::hint::black_box;

use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};
use arb::tape::{Source, SourceKind, Tape, TapeHeader, TapeOptions, TapeWriter, verify_bytes};
use arb::{
    Backtest, EngineConfig, Event, Instrument, InstrumentConfig, InstrumentId, Recorder, Registry,
    Side, Trade,
};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

fn tape(count: usize) -> Vec<Trade> {
    TapeGenerator::new(GeneratorConfig::btcusdt(20_240_601)).take(count).collect()
}

fn bare_tape(tape: &[Trade]) -> Vec<bare::BareTrade> {
    let to_bare = |t: &Trade| {
        let price = (t.price.units() / 10_000_000) as u32;
        let lots = (t.qty.units() / 100_000) as u32;
        bare::BareTrade::new(t.ts.as_millis(), t.id, price, lots, t.taker_side == Side::Sell)
    };
    tape.iter().map(to_bare).collect()
}

fn instruments(count: usize) -> Vec<InstrumentConfig> {
    let one = |at| InstrumentConfig {
        spec: Instrument::perpetual(
            &format!("SYM{at}USDT"),
            "0.1".parse().unwrap(),
            "0.001".parse().unwrap(),
        ),
        spread_bps: 1.into(),
    };
    (0..count).map(one).collect()
}

/// `v52_8signals` that may enter whatever an entry costs, so that fills and ledger are exercised.
fn eager(config: EngineConfig) -> EngineConfig {
    let text = Registry::builtin_text("v52_8signals").unwrap();
    let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
    json["max_cost_r"] = 10.into();
    config.with_strategy("eager", &json.to_string()).unwrap()
}

fn run(config: EngineConfig, tape: &[Trade]) -> Recorder {
    let mut seen = Recorder::default();
    let registry = Registry::builtin();
    let mut test = Backtest::new(config, registry, &mut seen).unwrap();
    for trade in tape {
        test.on_trade(trade, &mut seen);
    }
    test.finish(&mut seen);
    seen
}

/// The same trades, dealt to `count` instruments in turn, each on a clock that runs `count` times
/// slower, so that an instrument sees the same trades between two ticks as alone.
fn dealt(tape: &[Trade], count: usize) -> Vec<Trade> {
    let first = tape[0];
    let deal = |(at, trade): (usize, &Trade)| {
        let (round, id) = (at / count, (at % count) as u16);
        Trade {
            instrument: InstrumentId(id),
            id: first.id + round as u64,
            ts: tape[round].ts,
            ..*trade
        }
    };
    tape.iter().enumerate().map(deal).collect()
}

fn whole_engine(c: &mut Criterion) {
    let count = std::env::var("ARB_BENCH_TRADES").ok().and_then(|n| n.parse().ok());
    let tape = tape(count.unwrap_or(10_000_000));
    let bare = bare_tape(&tape);
    let mut group = group(c, "engine", tape.len());
    group.bench_function("bare loop, full indicators", |b| {
        b.iter(|| bare::bare_backtest(black_box(&bare)));
    });
    group.bench_function("indicators", |b| {
        b.iter(|| run(EngineConfig::new(instruments(1)), black_box(&tape)));
    });
    let seen = run(eager(EngineConfig::new(instruments(1))), &tape);
    println!("whole back-test: {} trades, {} signals", seen.trades.len(), seen.signals.len());
    group.bench_function("whole back-test", |b| {
        b.iter(|| run(eager(EngineConfig::new(instruments(1))), black_box(&tape)));
    });
    group.finish();
}

fn many_symbols(c: &mut Criterion) {
    let tape = tape(2_000_000);
    let mut group = group(c, "symbols", tape.len());
    for count in [1, 4, 50, 500] {
        let dealt = dealt(&tape, count);
        let bare = bare_tape(&dealt);
        group.bench_function(format!("bare loop, {count}"), |b| {
            b.iter(|| {
                let one = || (bare::BareIndicators::new((2 << 20) / count), 0, 0);
                let mut all: Vec<_> = (0..count).map(|_| one()).collect();
                for (trade, bare) in dealt.iter().zip(&bare) {
                    let (indicators, next_ms, sum) = &mut all[trade.instrument.index()];
                    indicators.push(bare);
                    if bare.t_ms >= *next_ms {
                        *next_ms = bare.t_ms - bare.t_ms % 15_000 + 15_000;
                        *sum += indicators.snapshot().cvd[0];
                    }
                }
                all.iter().map(|(_, _, sum)| sum).sum::<i64>()
            });
        });
        group.bench_function(format!("whole back-test, {count}"), |b| {
            b.iter(|| run(eager(EngineConfig::new(instruments(count))), black_box(&dealt)));
        });
    }
    group.finish();
}

/// The archive's CSV, from the page cache: the bare loop parses and keeps CVD and ATR; ours checks
/// every field, merges, and runs the whole back-test, or the indicators alone.
fn archive_csv(c: &mut Criterion) {
    let tape = tape(3_000_000);
    let path = std::env::temp_dir().join("arb-bench.csv");
    let mut csv = CSV_HEADER.as_bytes().to_vec();
    tape.iter().for_each(|trade| csv_line(trade, &mut csv));
    std::fs::write(&path, &csv).unwrap();
    let mut group = group(c, "csv", tape.len());
    group.bench_function("bare loop, file to CVD and ATR", |b| {
        b.iter(|| bare::bare_csv(&std::fs::read(&path).unwrap()));
    });
    group.bench_function("reading alone", |b| {
        b.iter(|| {
            read(&path, |event| {
                black_box(event);
            })
        });
    });
    for (name, config) in [
        ("file to indicators", EngineConfig::new(instruments(1))),
        ("file to back-test result", eager(EngineConfig::new(instruments(1)))),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut seen = Recorder::default();
                let registry = Registry::builtin();
                let mut test = Backtest::new(config.clone(), registry, &mut seen).unwrap();
                read(&path, |event| test.on_event(event, &mut seen));
                test.finish(&mut seen);
                seen
            });
        });
    }
    group.finish();
    std::fs::remove_file(&path).unwrap();
}

/// A tape from memory and from the page cache, with decoding in turn or on its own thread.
fn columnar_tape(c: &mut Criterion) {
    let tape = tape(10_000_000);
    let mut writer = TapeWriter::new("bench", Vec::new(), TapeHeader::new("BTCUSDT")).unwrap();
    tape.iter().for_each(|trade| writer.trade(trade).unwrap());
    let (bytes, info) = writer.finish().unwrap();
    println!("tape: {} bytes, {} trades", info.bytes, tape.len());
    let path = std::env::temp_dir().join("arb-bench.arbt");
    std::fs::write(&path, &bytes).unwrap();
    let mut group = group(c, "arbt", tape.len());
    group.bench_function("decoding, in memory", |b| {
        b.iter(|| verify_bytes("bench", black_box(&bytes)).unwrap());
    });
    group.bench_function("events, in memory", |b| {
        b.iter(|| {
            let mut tape = Tape::from_bytes(&[(source(&path), &bytes)], TapeOptions::default());
            let mut events = Vec::new();
            while tape.as_mut().unwrap().next_batch(&mut events).unwrap() > 0 {
                black_box(&events);
                events.clear();
            }
        });
    });
    let config = eager(EngineConfig::new(instruments(1)));
    group.bench_function("whole back-test, no tape", |b| {
        b.iter(|| run(config.clone(), black_box(&tape)));
    });
    group.bench_function("tape to back-test result, one thread", |b| {
        b.iter(|| from_tape(&config, |each| read(&path, each)));
    });
    group.bench_function("tape to back-test result, decode thread", |b| {
        b.iter(|| from_tape(&config, |each| read_ahead(&path, each)));
    });
    group.finish();
    std::fs::remove_file(&path).unwrap();
}

fn from_tape(config: &EngineConfig, read: impl FnOnce(&mut dyn FnMut(Event))) -> Recorder {
    let mut seen = Recorder::default();
    let mut test = Backtest::new(config.clone(), Registry::builtin(), &mut seen).unwrap();
    read(&mut |event| test.on_event(event, &mut seen));
    test.finish(&mut seen);
    seen
}

fn read_ahead(path: &std::path::Path, mut each: impl FnMut(Event)) {
    let tape = Tape::open(&[source(path)], TapeOptions::default()).unwrap();
    let (mut tape, mut events) = (tape.read_ahead().unwrap(), Vec::new());
    while tape.next_batch(&mut events).unwrap() > 0 {
        events.drain(..).for_each(&mut each);
    }
}

fn source(path: &std::path::Path) -> Source {
    Source {
        instrument: InstrumentId(0),
        symbol: "BTCUSDT".to_owned(),
        kind: SourceKind::Trades,
        path: path.to_owned(),
    }
}

fn read(path: &std::path::Path, mut each: impl FnMut(Event)) {
    let mut tape = Tape::open(&[source(path)], TapeOptions::default()).unwrap();
    let mut batch = Vec::new();
    while tape.next_batch(&mut batch).unwrap() > 0 {
        batch.drain(..).for_each(&mut each);
    }
}

fn group<'a>(
    c: &'a mut Criterion,
    name: &str,
    trades: usize,
) -> BenchmarkGroup<'a, criterion::measurement::WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(trades as u64));
    group.sample_size(10);
    group
}

criterion_group!(benches, whole_engine, archive_csv, columnar_tape, many_symbols);
criterion_main!(benches);
