//! Journals that differ in one thing: the comparison names that thing, and its counts are those of
//! a plain comparison of what both runs said.

mod causes;
mod counts;
mod live;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use arb::record::{
    CauseKind, DifferenceKind, JournalWriter, Parity, ParityDifference, Tolerance, parity,
};
use arb::{
    Backtest, EngineConfig, Event, EventKind, FundingSettled, Input, InputValue, InstrumentId,
    Observer, Order, Output, PaperConfig, PaperVenue, Purpose, Registry, Signal, Timestamp, Trade,
    TradeNote,
};

use crate::support::{events, parse_csv, with_strategy};

/// One run: what is configured, and what it sees.
#[derive(Clone)]
struct Case {
    config: EngineConfig,
    paper: PaperConfig,
    events: Vec<Event>,
}

/// The committed tape: 30,000 generated trades over twenty hours.
fn trades() -> Vec<Trade> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tape.csv.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    parse_csv(&text)
}

impl Case {
    /// Trades, open interest and ratios every five minutes, and funding every hour.
    fn new() -> Self {
        let trades = trades();
        let mut case = Self {
            config: with_strategy("v51_baseline"),
            paper: PaperConfig::default(),
            events: events(&trades),
        };
        let (first, last) = (trades[0].ts, trades[trades.len() - 1].ts);
        let mut time = first.ceil_to(300_000_000_000);
        let mut step = 0_i64;
        while time < last {
            for value in inputs(step) {
                case.insert(time.plus(330_000_000_000), time, value);
            }
            if time == time.floor_to(3_600_000_000_000) {
                case.settle(time, "0.0001");
            }
            time = time.plus(300_000_000_000);
            step += 1;
        }
        case
    }

    fn insert(&mut self, at: Timestamp, as_of: Timestamp, value: InputValue) {
        let input = Input { instrument: InstrumentId(0), as_of, value };
        self.put(Event { at, kind: EventKind::Input(input) });
    }

    fn settle(&mut self, time: Timestamp, rate: &str) {
        let settled = FundingSettled {
            instrument: InstrumentId(0),
            funding_time: time,
            rate: rate.parse().unwrap(),
            mark_price: None,
        };
        self.put(Event { at: time.plus(60_000_000_000), kind: EventKind::Funding(settled) });
    }

    fn put(&mut self, event: Event) {
        let key = (event.at, event.kind.rank());
        let place = self.events.partition_point(|other| (other.at, other.kind.rank()) < key);
        self.events.insert(place, event);
    }

    fn run(&self) -> Ran {
        let mut seen = (JournalWriter::new(Vec::new()).unwrap(), Said::default());
        let (config, registry) = (self.config.clone(), Registry::builtin());
        let venue = PaperVenue::new(&EngineConfig { paper: self.paper, ..config.clone() });
        let mut test = Backtest::with_venue(config, venue, registry, &mut seen).unwrap();
        self.events.iter().for_each(|event| test.on_event(event.clone(), &mut seen));
        test.finish(&mut seen);
        let (journal, said) = seen;
        Ran { journal: journal.finish().unwrap(), said }
    }
}

/// Values that cross the thresholds of the score, each in its own rhythm.
fn inputs(step: i64) -> [InputValue; 3] {
    let wave = |period: i64| ((step % period) - period / 2) as f64 / (period / 2) as f64;
    let interest = 1_000_000 + ((step * 7_919) % 17 - 8) * 9_000;
    [
        InputValue::OpenInterest(interest.into()),
        InputValue::LongShortRatio(1.4 + 0.7 * wave(14)),
        InputValue::TopTraderRatio(1.15 + 0.5 * wave(22)),
    ]
}

/// A journal, and what the run said, kept by other means.
struct Ran {
    journal: Vec<u8>,
    said: Said,
}

#[derive(Default)]
struct Said {
    now: Timestamp,
    tick: Timestamp,
    events: Vec<Event>,
    signals: BTreeMap<Timestamp, Signal>,
    entries: BTreeMap<Timestamp, Order>,
    trades: BTreeMap<u64, TradeNote>,
}

impl Observer for Said {
    fn event(&mut self, event: &Event) {
        self.now = event.at;
        if let EventKind::Tick(tick) = event.kind {
            self.tick = tick;
        }
        self.events.push(event.clone());
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Signal(signal) => {
                self.signals.insert(signal.decision.time, (**signal).clone());
            }
            Output::Submit(sent) if sent.order().id.purpose == Purpose::Entry => {
                self.entries.insert(self.tick, *sent.order());
            }
            Output::Trade(note) => {
                self.trades.insert(note.id, (**note).clone());
            }
            _ => {}
        }
    }
}

impl Said {
    /// The trade that a decision led to.
    fn trade(&self, decided_at: Timestamp) -> Option<&TradeNote> {
        self.trades.get(&self.entries.get(&decided_at)?.id.intent)
    }
}

fn compared(a: &Ran, b: &Ran) -> Parity {
    within(a, b, Tolerance::default()).0
}

fn within(a: &Ran, b: &Ran, tolerance: Tolerance) -> (Parity, Vec<ParityDifference>) {
    let mut all = Vec::new();
    let mut each = |difference: &ParityDifference| all.push(difference.clone());
    let result = parity(a.journal.as_slice(), b.journal.as_slice(), tolerance, &mut each).unwrap();
    let told: u64 = result.rows.iter().map(|row| row.count).sum();
    assert_eq!(told, all.len() as u64, "every difference is in one row");
    let explained: u64 = result.causes.iter().map(|cause| cause.effects).sum();
    assert_eq!(told, explained + result.unexplained());
    (result, all)
}

/// The causes that explain something.
fn named(result: &Parity) -> Vec<CauseKind> {
    let effective = result.causes.iter().filter(|cause| cause.effects > 0);
    effective.map(|cause| cause.kind.clone()).collect()
}

fn field(name: &str) -> CauseKind {
    CauseKind::Configuration { field: name.to_owned() }
}

fn input(name: &str) -> CauseKind {
    CauseKind::Input { symbol: "LTCUSDT".to_owned(), input: name.to_owned() }
}

/// Differences by kind that one cause, or none, explains.
fn by_kind(result: &Parity, cause: Option<&CauseKind>) -> BTreeMap<DifferenceKind, u64> {
    let is = |index: Option<usize>| index.map(|index| &result.causes[index].kind) == cause;
    let rows = result.rows.iter().filter(|row| is(row.cause));
    rows.map(|row| (row.kind, row.count)).collect()
}
