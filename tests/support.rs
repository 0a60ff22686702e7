//! Tapes and runs that the tests share.

use std::io::Read as _;
use std::path::PathBuf;

use arb::{
    Backtest, Engine, EngineConfig, Event, EventKind, Gap, GapAccepted, Indicators, Instrument,
    InstrumentConfig, InstrumentId, Observer, Price, Qty, Registry, Side, Timestamp, Trade,
};

/// The recorded data, where it stands beside the checkout; prints that a test skips otherwise.
pub fn recorded(path: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").unwrap_or_else(|_| beside.to_owned());
    let file = PathBuf::from(folder).join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {path} is not here");
    None
}

/// The recorded LTC spot tape, parsed by hand.
pub fn ltc() -> Option<Vec<Trade>> {
    let path = recorded("trades/LTCUSDT-SPOT-aggTrades-2025-06-21_22.csv.gz")?;
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(parse_csv(&text))
}

/// Archive rows with a header, parsed by hand and not by the reader under test.
pub fn parse_csv(text: &str) -> Vec<Trade> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name| header.iter().position(|column| *column == name).unwrap();
    let [id, price, qty, time, maker] =
        ["agg_trade_id", "price", "quantity", "transact_time", "is_buyer_maker"].map(column);
    let row = |line: &str| {
        let cell: Vec<&str> = line.split(',').collect();
        Trade {
            instrument: InstrumentId(0),
            id: cell[id].parse().unwrap(),
            price: cell[price].parse().unwrap(),
            qty: cell[qty].parse().unwrap(),
            ts: Timestamp::from_millis(cell[time].parse().unwrap()),
            taker_side: if cell[maker] == "true" { Side::Sell } else { Side::Buy },
        }
    };
    lines.map(row).collect()
}

/// A sparse random tape: about one trade in `mean_gap_ms`, ids from 1, ms times.
pub fn random_tape(seed: u64, count: usize, mean_gap_ms: u64) -> Vec<Trade> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut ms, mut price) = (1_700_000_000_000_i64 + (next() % 86_400_000) as i64, 100_000_i64);
    (1..=count as u64)
        .map(|id| {
            // Bursts, usual gaps, and now and then minutes of silence.
            let gap = match next() % 100 {
                0..30 => 0,
                30..98 => next() % (2 * mean_gap_ms),
                _ => next() % (60 * mean_gap_ms),
            };
            ms += gap as i64;
            price = (price + (next() % 41) as i64 - 20).max(1_000);
            let size = 1 + next() % (1 << (next() % 24));
            Trade {
                instrument: InstrumentId(0),
                taker_side: if next() % 3 == 0 { Side::Sell } else { Side::Buy },
                id,
                ts: Timestamp::from_millis(ms),
                price: Price::from_units(price * 1_000_000).unwrap(),
                qty: Qty::from_units(size as i64 * 100_000).unwrap(),
            }
        })
        .collect()
}

/// Events of a tape as a reader gives them: holes are announced, and accepted after.
pub fn events(trades: &[Trade]) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, trade) in trades.iter().enumerate() {
        events.push(Event::trade(*trade));
        let instrument = trade.instrument;
        if at > 0 && trades[at - 1].id + 1 != trade.id {
            let gap = GapAccepted { instrument, next_id: trade.id };
            events.push(Event { at: trade.ts, kind: EventKind::GapAccepted(gap) });
        }
        if trades.get(at + 1).is_some_and(|next| next.id != trade.id + 1) {
            let gap = Gap { instrument, after_id: trade.id };
            events.push(Event { at: trade.ts, kind: EventKind::Gap(gap) });
        }
    }
    events
}

pub fn config() -> EngineConfig {
    let (tick, lot) = ("0.01".parse().unwrap(), "0.001".parse().unwrap());
    let spec = Instrument::perpetual("LTCUSDT", tick, lot);
    EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
}

pub fn with_strategy(name: &str) -> EngineConfig {
    config().with_strategy(name, Registry::builtin_text(name).unwrap()).unwrap()
}

/// Rows of indicators at every tick.
#[derive(Default)]
pub struct Rows(pub Vec<Indicators>);

impl Observer for Rows {
    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        let row = engine.market(InstrumentId(0)).and_then(|market| market.indicators());
        self.0.extend(row.filter(|row| row.time == at));
    }
}

pub fn run(config: EngineConfig, events: &[Event], observer: &mut impl Observer) -> Backtest {
    let registry = Registry::builtin();
    let mut test = Backtest::new(config, registry, observer).unwrap();
    for event in events {
        test.on_event(event.clone(), observer);
    }
    test.finish(observer);
    test
}

pub fn rows(events: &[Event]) -> Vec<Indicators> {
    let mut rows = Rows::default();
    run(config(), events, &mut rows);
    rows.0
}
