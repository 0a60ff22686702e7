//! A node moved by hand: the test gives what the feed brings, and virtual time passes when it says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arb::node::{Feed, Node, NodeOptions, Resume};
use arb::port::{Clock, MarketFeed, View};
use arb::record::log::{LogCursor, LogRecord, Seq};
use arb::{
    Bracket, Context, Decision, Direction, EngineConfig, Entry, Event, EventKind, ExitRules,
    Factors, Fill, Gap, Intent, Interest, Memory, OrderUpdate, Purpose, Reason, Registry, Side,
    Strategy, Tier, Timestamp, Trade, VenueError,
};
use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use super::support::{BTC, clock};

/// One millisecond behind a grid time, so that the first tick is 15 seconds later.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_100_001);

/// The price that the fragile strategy cannot bear.
pub const FATAL: &str = "6666";

/// Buys whenever it holds nothing. With an ATR of 100 and a price of 6,000 the stop lies 200 below
/// the entry, the targets 150 and 300 above; one R is 200, so it buys one coin.
#[derive(Debug)]
struct Eager {
    interest: Interest,
}

impl Strategy for Eager {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn interest(&self) -> Interest {
        self.interest
    }

    fn memory(&self) -> Memory {
        Memory::Nothing
    }

    fn recall(&mut self, _: &[u8]) -> Result<(), arb::ConfigError> {
        Ok(())
    }

    fn on_event(&mut self, cx: &Context<'_>, event: &Event, out: &mut Vec<Intent>) {
        if let EventKind::Trade(trade) = &event.kind {
            assert!(trade.price != FATAL.parse().unwrap(), "a price to die for");
            return;
        }
        if cx.position().is_some() || cx.cool_down_until().is_some() {
            return;
        }
        let decision = Decision {
            time: cx.now(),
            instrument: cx.instrument(),
            direction: Some(Direction::Long),
            score: 80.0,
            tier: Some(Tier::Standard),
            reason: Reason::Entry,
            price: cx.market().last_price(),
            factors: Factors::default(),
        };
        out.push(Intent::Enter(Box::new(Entry {
            side: Side::Buy,
            bracket: Bracket { atr: 100.0, rules: ExitRules::standard() },
            risk_r: 1.into(),
            cool_down_ms: 60_000,
            decision,
        })));
    }
}

/// The eager strategy on the decision grid, and as `fragile` on every trade.
pub fn registry() -> Registry {
    let mut registry = Registry::builtin();
    for (kind, interest) in [("eager", Interest::Grid), ("fragile", Interest::Trades)] {
        registry.register(kind, move |_: &str, _: &str| {
            Ok(Box::new(Eager { interest }) as Box<dyn Strategy>)
        });
    }
    registry
}

pub fn config(kind: &str) -> EngineConfig {
    let text = format!(r#"{{"kind": "{kind}", "name": "eager"}}"#);
    let mut config = crate::support::config().with_strategy("eager.json", &text).unwrap();
    config.run = "node1".parse().unwrap();
    config
}

/// What a feed does next.
pub enum Does {
    Bring(Vec<EventKind>),
    Fail,
    Panic,
}

type Script = Arc<Mutex<mpsc::UnboundedReceiver<Does>>>;

struct HandFeed {
    script: Script,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl MarketFeed for HandFeed {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        let does = self.script.lock().await.recv().await;
        match does {
            None => Ok(false),
            Some(Does::Fail) => Err(VenueError::Disconnected("as the test wants".into())),
            Some(Does::Panic) => panic!("as the test wants"),
            Some(Does::Bring(kinds)) => {
                let at = self.clock.now();
                out.extend(kinds.into_iter().map(|kind| Event { at, kind }));
                Ok(true)
            }
        }
    }
}

/// A node with its feed in the test's hand.
pub struct Hand {
    pub node: Node,
    pub clock: Arc<dyn Clock>,
    does: mpsc::UnboundedSender<Does>,
    /// What each opened feed was told.
    pub opened: Arc<std::sync::Mutex<Vec<Resume>>>,
    /// Id of the next trade.
    pub next_id: u64,
    /// The trades so far.
    pub given: Vec<Trade>,
}

impl Hand {
    /// Starts a node at a time with a feed that waits for the test.
    pub async fn start(mut options: NodeOptions, clock: Arc<dyn Clock>, next_id: u64) -> Self {
        let (does, script) = mpsc::unbounded_channel();
        let script: Script = Arc::new(Mutex::new(script));
        let opened = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (told, at) = (Arc::clone(&opened), Arc::clone(&clock));
        options.feeds = vec![Feed {
            name: "hand".to_owned(),
            instruments: vec![BTC],
            open: Box::new(move |resume: &Resume| {
                told.lock().unwrap().push(resume.clone());
                let feed = HandFeed { script: Arc::clone(&script), clock: Arc::clone(&at) };
                Box::new(feed) as Box<dyn MarketFeed>
            }),
        }];
        let node = Node::start(options).await.unwrap();
        Self { node, clock, does, opened, next_id, given: Vec::new() }
    }

    pub fn does(&self, what: Does) {
        self.does.send(what).unwrap();
    }

    /// A trade of the present.
    pub fn trade_now(&mut self, price: &str) -> Trade {
        let trade = trade(self.next_id, self.clock.now(), price);
        self.next_id += 1;
        self.given.push(trade);
        trade
    }

    /// Id of the last trade the node had when it started.
    pub fn known(&self) -> u64 {
        self.opened.lock().unwrap()[0].last_trade_ids[0].unwrap_or_default()
    }

    /// Brings a trade, and lets everything follow from it.
    pub async fn trade(&mut self, price: &str) -> Trade {
        let trade = self.trade_now(price);
        self.does(Does::Bring(vec![EventKind::Trade(trade)]));
        self.pass(1).await;
        trade
    }

    /// Lets time pass; whatever is due happens.
    pub async fn pass(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// Lets time pass until it is so long after the start.
    pub async fn until(&self, ms: i64) {
        tokio::time::sleep(self.clock.wait(START.plus(ms * 1_000_000))).await;
    }

    /// Ten trades at 6,000 in ten seconds, and the tick that follows: the engine has decided.
    pub async fn decide(&mut self) {
        for second in 0..10 {
            self.until(second * 1_000).await;
            self.trade("6000").await;
        }
        self.until(15_500).await;
    }

    /// An open position, its stop and targets resting.
    pub async fn enter(&mut self) {
        self.decide().await;
        self.until(16_000).await;
        self.trade("6000").await;
        self.until(17_000).await;
        self.trade("6000").await;
        assert_eq!(self.view().trades.len(), 1, "a position is open");
    }

    pub fn view(&self) -> Arc<View> {
        arb::port::Desk::snapshot(&self.node.handle())
    }
}

/// Ten coins at a price.
pub fn trade(id: u64, ts: Timestamp, price: &str) -> Trade {
    Trade {
        instrument: BTC,
        taker_side: Side::Buy,
        id,
        ts,
        price: price.parse().unwrap(),
        qty: "10".parse().unwrap(),
    }
}

/// A clock of virtual time, milliseconds after the start.
pub fn clock_at(ms: i64) -> Arc<dyn Clock> {
    clock(START.plus(ms * 1_000_000))
}

/// A life on a runtime of its own, in virtual time. A node that is given back dies there and then:
/// only a write that the kernel already has is finished.
pub fn life<T>(work: impl Future<Output = (T, Option<Node>)>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let (value, node) = runtime.block_on(work);
    std::mem::forget(node);
    runtime.shutdown_timeout(Duration::from_secs(10));
    value
}

/// The events of a log with their numbers.
pub fn events(log: &Path) -> Vec<(Seq, Event)> {
    let mut cursor = LogCursor::new(log, 0);
    let mut events = Vec::new();
    loop {
        let event = match cursor.next(u64::MAX) {
            Ok(Some(LogRecord::Event(event))) => event,
            Ok(Some(LogRecord::Output(_))) => continue,
            // The end of a log that is not sealed.
            Ok(None) | Err(_) => return events,
        };
        events.push((cursor.last(), event));
    }
}

/// The gaps a log has.
pub fn gaps(log: &Path) -> Vec<Gap> {
    let gap = |(_, event): (Seq, Event)| match event.kind {
        EventKind::Gap(gap) => Some(gap),
        _ => None,
    };
    events(log).into_iter().filter_map(gap).collect()
}

/// What the venue said about orders, and when.
pub fn updates(log: &Path) -> Vec<(Timestamp, Purpose, OrderUpdate)> {
    let update = |(_, event): (Seq, Event)| match event.kind {
        EventKind::Order(order) => Some((event.at, order.id.purpose, order.update)),
        _ => None,
    };
    events(log).into_iter().filter_map(update).collect()
}

/// The fills of a log, in its order.
pub fn fills(log: &Path) -> Vec<(Purpose, Fill)> {
    let fill = |(_, purpose, update): (Timestamp, Purpose, OrderUpdate)| match update {
        OrderUpdate::Filled(fill) => Some((purpose, fill)),
        _ => None,
    };
    updates(log).into_iter().filter_map(fill).collect()
}
