//! Feeds made of generated tapes, and nodes over them in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arb::node::{Feed, Node, NodeOptions, Resume, ScaledClock};
use arb::port::Clock;
use arb::port::{Catalog, MarketFeed, Store};
use arb::record::log::{LogOptions, LogView};
use arb::record::{Replayed, replay};
use arb::{
    Backfill, EngineConfig, Event, EventKind, FundingSettled, Input, InputValue, InstrumentId,
    Mark, MemoryStore, Registry, Timestamp, Trade, VenueError,
};
use async_trait::async_trait;

use crate::support::{random_tape, with_strategy};

pub const BTC: InstrumentId = InstrumentId(0);

/// What a venue sends, each with the time at which it arrives.
#[derive(Clone, Debug)]
pub struct Script {
    pub events: Arc<Vec<(Timestamp, Event)>>,
}

impl Script {
    /// Trades of a random tape, marks and inputs, `delay_ms` behind the venue.
    pub fn new(seed: u64, trades: usize, delay_ms: i64) -> Self {
        Self::of(&random_tape(seed, trades, 3_000), delay_ms)
    }

    pub fn of(trades: &[Trade], delay_ms: i64) -> Self {
        let late = |at: Timestamp| at.plus(delay_ms * 1_000_000);
        let mut events: Vec<(Timestamp, Event)> =
            trades.iter().map(|trade| (late(trade.ts), Event::trade(*trade))).collect();
        let (first, last) = (trades[0].ts, trades[trades.len() - 1].ts);
        let mut at = first.ceil_to(300_000_000_000);
        let mut step = 0_i64;
        while at < last {
            for value in inputs(step) {
                let kind = EventKind::Input(Input { instrument: BTC, as_of: at, value });
                events.push((late(at), Event { at, kind }));
            }
            let mark =
                Mark { instrument: BTC, ts: at, mark_price: trades[0].price, index_price: None };
            events.push((late(at), Event { at, kind: EventKind::Mark(mark) }));
            if step % 96 == 7 {
                let funding = FundingSettled {
                    instrument: BTC,
                    funding_time: at,
                    rate: "0.0001".parse().unwrap(),
                    mark_price: Some(trades[0].price),
                };
                let known = at.plus(60_000_000_000);
                events.push((known, Event { at: known, kind: EventKind::Funding(funding) }));
            }
            at = at.plus(300_000_000_000);
            step += 1;
        }
        events.sort_by_key(|(arrives, event)| (*arrives, event.order_key()));
        Self { events: Arc::new(events) }
    }

    pub fn trades(&self) -> Vec<Trade> {
        let trades = self.events.iter().filter_map(|(_, event)| match event.kind {
            EventKind::Trade(trade) => Some(trade),
            _ => None,
        });
        trades.collect()
    }

    pub fn begins(&self) -> Timestamp {
        self.events[0].0.plus(-1_000_000_000)
    }

    pub fn ends(&self) -> Timestamp {
        self.events[self.events.len() - 1].0
    }

    /// A feed of it, which begins where the clock is and fetches what was missed.
    pub fn feed(&self, clock: &Arc<dyn Clock>) -> Feed {
        self.paced(&Pace::Wait(Arc::clone(clock)))
    }

    pub fn paced(&self, pace: &Pace) -> Feed {
        let (script, pace) = (self.clone(), pace.clone());
        Feed {
            name: "tape".to_owned(),
            instruments: vec![BTC],
            open: Box::new(move |resume: &Resume| {
                Box::new(ScriptFeed::open(&script, &pace, resume)) as Box<dyn MarketFeed>
            }),
        }
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

/// How a feed and time go together.
#[derive(Clone, Debug)]
pub enum Pace {
    /// The feed waits for the clock.
    Wait(Arc<dyn Clock>),
    /// The clock stands still until the feed moves it: as fast as the machine can, in real time.
    Step(Arc<StepClock>),
}

impl Pace {
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Wait(clock) => Arc::clone(clock),
            Self::Step(clock) => Arc::clone(clock) as Arc<dyn Clock>,
        }
    }

    async fn reach(&self, at: Timestamp) -> Timestamp {
        match self {
            Self::Wait(clock) => tokio::time::sleep(clock.wait(at)).await,
            Self::Step(clock) => clock.0.store(at.as_nanos(), Ordering::SeqCst),
        }
        self.clock().now()
    }
}

/// A clock that somebody moves.
#[derive(Debug)]
pub struct StepClock(AtomicI64);

impl StepClock {
    pub fn pace(at: Timestamp) -> Pace {
        Pace::Step(Arc::new(Self(AtomicI64::new(at.as_nanos()))))
    }
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        if until <= self.now() { Duration::ZERO } else { Duration::from_secs(3_600) }
    }
}

/// Delivers a script as a venue does: what is due comes in one batch, what passed while nobody
/// listened is fetched by id after the first trade.
pub struct ScriptFeed {
    script: Script,
    pace: Pace,
    at: usize,
    missed: Option<Vec<Trade>>,
}

impl ScriptFeed {
    pub fn open(script: &Script, pace: &Pace, resume: &Resume) -> Self {
        let now = pace.clock().now();
        let at = script.events.partition_point(|(arrives, _)| *arrives < now);
        let known = resume.last_trade_ids.first().copied().flatten();
        let seen = |event: &Event| match event.kind {
            EventKind::Trade(trade) if known.is_none_or(|known| trade.id > known) => Some(trade),
            _ => None,
        };
        let mut missed: Vec<Trade> =
            script.events[..at].iter().filter_map(|(_, event)| seen(event)).collect();
        missed.sort_by_key(|trade| trade.id);
        let missed = known.map(|_| missed).filter(|missed| !missed.is_empty());
        Self { script: script.clone(), pace: pace.clone(), at, missed }
    }
}

#[async_trait]
impl MarketFeed for ScriptFeed {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        let Some((arrives, _)) = self.script.events.get(self.at) else { return Ok(false) };
        let now = self.pace.reach(*arrives).await;
        while let Some((arrives, event)) = self.script.events.get(self.at) {
            if *arrives > now {
                break;
            }
            out.push(event.clone());
            self.at += 1;
            let is_trade = matches!(event.kind, EventKind::Trade(_));
            if let Some(trades) = self.missed.take_if(|_| is_trade) {
                let backfill = Backfill { instrument: BTC, trades };
                let kind = EventKind::Backfill(Box::new(backfill));
                out.push(Event { at: event.at, kind });
            }
        }
        Ok(true)
    }
}

/// A folder with a log and a store beside it.
pub struct Place {
    pub folder: PathBuf,
    pub store: Arc<dyn Store>,
    /// Removed with the place.
    _owned: Option<tempfile::TempDir>,
}

impl Place {
    pub fn new() -> Self {
        let owned = tempfile::tempdir().unwrap();
        let (folder, store) = (owned.path().to_owned(), Arc::new(MemoryStore::new()));
        Self { folder, store, _owned: Some(owned) }
    }

    /// With the store in a file.
    #[cfg(feature = "sqlite")]
    pub async fn with_file(folder: &Path) -> Self {
        let store = arb::sqlite::SqliteOptions::new(folder.join("arb.db")).open().await.unwrap();
        Self { folder: folder.to_owned(), store: Arc::new(store), _owned: None }
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Options of a node here that flushes once a virtual minute and seals small segments.
    pub fn options(&self, config: EngineConfig, clock: &Arc<dyn Clock>) -> NodeOptions {
        let log = LogOptions { segment_bytes: 200_000, ..LogOptions::new(self.log()) };
        let mut options = NodeOptions::new(config, Registry::builtin(), log);
        options.clock = Arc::clone(clock);
        options.store = Some(Arc::clone(&self.store));
        options.flush_every = Duration::from_secs(60);
        options
    }

    pub fn replayed(&self) -> Replayed {
        self.replayed_by(Registry::builtin())
    }

    pub fn replayed_by(&self, registry: Registry) -> Replayed {
        replay(LogView::open(&self.log()).unwrap(), registry).unwrap()
    }

    /// What is stored, ids ascending.
    pub async fn stored(&self) -> (Catalog, Vec<Trade>) {
        let catalog = self.store.register(&[config().instruments[0].spec.clone()]).await.unwrap();
        let listed = catalog.listed(BTC).unwrap();
        (catalog, self.store.trades(listed, 0, usize::MAX >> 1).await.unwrap())
    }
}

/// Strategies that fire on a random tape.
pub fn config() -> EngineConfig {
    let mut config = with_strategy("v51_baseline");
    config.run = "node1".parse().unwrap();
    config.instruments[0].spec.tick_size = "0.01".parse().unwrap();
    config
}

/// A clock of virtual time.
pub fn clock(at: Timestamp) -> Arc<dyn Clock> {
    Arc::new(ScaledClock::new(at, 1))
}

/// Runs a script from where the clock is to its end.
pub async fn run(place: &Place, script: &Script, clock: &Arc<dyn Clock>) -> Node {
    let mut options = place.options(config(), clock);
    options.feeds = vec![script.feed(clock)];
    let mut node = Node::start(options).await.unwrap();
    node.feeds_ended().await;
    node
}
