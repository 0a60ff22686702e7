//! What goes wrong around a node: an event nobody can bear, a full disk, a store that is away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arb::node::{NodeError, NodeOptions};
use arb::port::{Clock, Desk as _};
use arb::{
    Backfill, Command, EventKind, FeedState, Health, OrderUpdate, Purpose, RejectReason, RiskState,
    TradeStatus,
};

use super::hand::{Does, FATAL, Hand, clock_at, config, events, fills, life, registry, updates};
use super::restart::now;
use super::support::{BTC, Place};

fn options(place: &Place, kind: &str, clock: &Arc<dyn Clock>) -> NodeOptions {
    let mut options = place.options(config(kind), clock);
    options.registry = registry();
    options
}

#[test]
fn an_event_that_makes_the_engine_panic_halts_the_next_start_until_an_operator_resets() {
    let place = Place::new();
    let (fatal, seq) = life(async {
        let clock = clock_at(0);
        let mut hand = Hand::start(options(&place, "fragile", &clock), clock, 1).await;
        hand.enter().await;
        let fatal = hand.trade(FATAL).await;
        match hand.node.wait().await {
            Err(NodeError::Poisoned { seq, message }) => {
                assert!(message.contains("a price to die for"), "{message}");
                ((fatal, seq), None)
            }
            other => panic!("{other:?}"),
        }
    });
    let event = events(&place.log()).into_iter().find(|(at, _)| *at == seq);
    assert_eq!(event, None, "what reads the log passes over the event");
    life(async {
        let clock = clock_at(60_000);
        let options = options(&place, "fragile", &clock);
        let mut hand = Hand::start(options, clock, fatal.id + 1).await;
        assert_eq!(hand.node.started().poisoned, Some(seq));
        assert_eq!(hand.view().risk_state, RiskState::Halted);
        assert_eq!(hand.view().trades.len(), 1, "the position is where it was");
        // The feed brings the trade again, as history this time, and life goes on.
        hand.trade("6000").await;
        let backfill = Backfill { instrument: BTC, trades: vec![fatal] };
        hand.does(Does::Bring(vec![EventKind::Backfill(Box::new(backfill))]));
        // Both targets are passed: exits work while the engine is halted.
        hand.trade("6400").await;
        hand.pass(1_000).await;
        assert!(hand.view().trades.is_empty());
        for _ in 0..200 {
            hand.pass(1_000).await;
            hand.trade("6000").await;
        }
        assert!(hand.view().trades.is_empty(), "nobody enters while the engine is halted");
        let reset = Command::Reset { reason: "looked at it".to_owned() };
        hand.node.handle().command(reset).await.unwrap();
        for _ in 0..40 {
            hand.pass(1_000).await;
            hand.trade("6000").await;
        }
        assert_eq!(hand.view().risk_state, RiskState::Active);
        assert_eq!(hand.view().trades.len(), 1, "the operator let it enter again");
        hand.node.stop().await.unwrap();
        ((), None)
    });
    let (_, stored) = now(place.stored());
    assert!(stored.contains(&fatal), "the trade is stored all the same");
    assert_eq!(stored.len() as u64, stored.last().unwrap().id, "every trade once");
    assert_eq!(place.replayed_by(registry()).difference, None);
}

/// A disk that somebody else fills: a file that takes up what the log may still hold.
struct Ballast(PathBuf);

impl Ballast {
    const MOST: u64 = 1 << 20;

    fn of(place: &Place) -> Self {
        Self(place.log().join("ballast"))
    }

    fn fill(&self) {
        std::fs::write(&self.0, vec![0; Self::MOST as usize]).unwrap();
    }

    fn empty(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

async fn on_a_small_disk(place: &Place) -> Hand {
    let clock = clock_at(0);
    let mut options = options(place, "eager", &clock);
    options.log.max_bytes = Some(Ballast::MOST);
    Hand::start(options, clock, 1).await
}

/// What the log says about its own health.
fn log_states(place: &Place) -> Vec<FeedState> {
    let state = |event: &EventKind| match event {
        EventKind::Health(Health::Log(state)) => Some(*state),
        _ => None,
    };
    events(&place.log()).iter().filter_map(|(_, event)| state(&event.kind)).collect()
}

#[tokio::test(start_paused = true)]
async fn with_a_full_disk_an_entry_is_not_sent() {
    let place = Place::new();
    let ballast = Ballast::of(&place);
    let mut hand = on_a_small_disk(&place).await;
    for second in 0..10 {
        hand.until(second * 1_000).await;
        hand.trade("6000").await;
    }
    // The entry of the tick at 15 s is what finds out.
    ballast.fill();
    for second in 14..80 {
        hand.until(second * 1_000).await;
        hand.trade("6000").await;
    }
    assert!(hand.view().trades.is_empty(), "nothing was bought");
    assert!(hand.node.handle().metrics().log_failures > 0);
    let refused = hand.node.handle().command(Command::Pause).await.unwrap_err();
    assert!(refused.to_string().contains("may hold"), "no receipt without a disk: {refused}");
    hand.node.handle().command(Command::Resume).await.unwrap_err();
    ballast.empty();
    for second in 80..140 {
        hand.until(second * 1_000).await;
        hand.trade("6000").await;
    }
    assert_eq!(hand.view().trades.len(), 1, "with room again the strategy enters");
    hand.node.stop().await.unwrap();
    let entries: Vec<OrderUpdate> = updates(&place.log())
        .into_iter()
        .filter(|(_, purpose, _)| *purpose == Purpose::Entry)
        .map(|(.., update)| update)
        .collect();
    let refused = OrderUpdate::Rejected(RejectReason::NotDurable);
    assert_eq!(entries[..2], [refused, OrderUpdate::Accepted], "{entries:?}");
    assert_eq!(log_states(&place), [FeedState::Down, FeedState::Up]);
    let (_, stored) = place.stored().await;
    assert_eq!(stored, hand.given, "what came meanwhile waited in memory");
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[tokio::test(start_paused = true)]
async fn with_a_full_disk_exits_go_on() {
    let place = Place::new();
    let ballast = Ballast::of(&place);
    let mut hand = on_a_small_disk(&place).await;
    hand.enter().await;
    ballast.fill();
    hand.until(20_000).await;
    hand.trade("6160").await;
    hand.pass(2_000).await;
    let view = hand.view();
    let [trade] = &view.trades[..] else { panic!("half of it is open: {view:?}") };
    assert_eq!(trade.status, TradeStatus::Tp1Hit);
    assert!(trade.stop_price > trade.entry_price, "the stop went to break-even: {trade:?}");
    // The new stop works although no record of it is on the disk.
    hand.trade("5990").await;
    assert!(hand.view().trades.is_empty());
    hand.pass(2_000).await;
    assert!(hand.node.handle().metrics().durable_seq < hand.node.handle().metrics().seq);
    ballast.empty();
    hand.pass(2_000).await;
    hand.node.stop().await.unwrap();
    let sold: Vec<Purpose> = fills(&place.log()).into_iter().map(|(purpose, _)| purpose).collect();
    assert_eq!(sold, [Purpose::Entry, Purpose::Target1, Purpose::Stop]);
    assert_eq!(log_states(&place), [FeedState::Down, FeedState::Up]);
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[test]
fn a_disk_that_stays_full_ends_the_node_with_the_reason_and_nothing_durable_is_lost() {
    let place = Place::new();
    let error = life(async {
        let clock = clock_at(0);
        let mut options = options(&place, "eager", &clock);
        options.log.max_bytes = Some(Ballast::MOST);
        options.max_waiting = 20_000;
        let mut hand = Hand::start(options, clock, 1).await;
        hand.enter().await;
        Ballast::of(&place).fill();
        let trades: Vec<EventKind> =
            (0..2_000).map(|_| EventKind::Trade(hand.trade_now("6000"))).collect();
        hand.does(Does::Bring(trades));
        hand.pass(1).await;
        let error = loop {
            hand.pass(1_000).await;
            let more = EventKind::Trade(hand.trade_now("6000"));
            hand.does(Does::Bring(vec![more]));
            if let Ok(ended) = tokio::time::timeout(Duration::from_secs(1), hand.node.wait()).await
            {
                break ended.unwrap_err();
            }
        };
        (error, None)
    });
    assert!(matches!(error, NodeError::NoRoom { .. }), "{error}");
    assert!(error.to_string().contains("may hold"), "{error}");
    Ballast::of(&place).empty();
    life(async {
        let clock = clock_at(60_000);
        let hand = Hand::start(options(&place, "eager", &clock), clock, 3_000).await;
        assert_eq!(hand.view().trades.len(), 1, "the position is known");
        hand.node.stop().await.unwrap();
        ((), None)
    });
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[tokio::test(start_paused = true)]
async fn a_fenced_node_writes_nothing_and_goes_on_when_the_lease_is_free() {
    let place = Place::new();
    let clock = clock_at(0);
    let mut options = options(&place, "eager", &clock);
    options.flush_every = Duration::from_secs(1);
    let mut hand = Hand::start(options, clock, 1).await;
    for _ in 0..100 {
        hand.trade("6000").await;
    }
    hand.pass(70_000).await;
    assert_eq!(hand.node.handle().metrics().store_lag, 0);
    // As if the node had slept and another one had taken over.
    let held = place.store.lease("node").await.unwrap().unwrap();
    assert!(place.store.release("node", &held).await.unwrap());
    let minute = Duration::from_secs(60);
    let other = place.store.hold("node", "another process", minute).await.unwrap().unwrap();
    assert!(other.epoch > held.epoch);
    for _ in 0..100 {
        hand.trade("6000").await;
    }
    hand.pass(100_000).await;
    let metrics = hand.node.handle().metrics();
    assert!(metrics.store_lag >= 100, "{metrics:?}");
    // The trade rows are kept once more by their ids; whatever has a cursor is fenced.
    let cursor = place.store.cursor("node").await.unwrap().unwrap();
    assert_eq!(cursor.epoch, held.epoch);
    assert!(place.store.release("node", &other).await.unwrap());
    hand.pass(100_000).await;
    let metrics = hand.node.handle().metrics();
    assert_eq!(metrics.store_lag, 0, "{metrics:?}");
    hand.node.stop().await.unwrap();
    let (_, stored) = place.stored().await;
    assert_eq!(stored, hand.given);
    let cursor = place.store.cursor("node").await.unwrap().unwrap();
    assert!(cursor.epoch > other.epoch, "{cursor:?}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_store_that_is_away_is_waited_for_and_gets_everything() {
    use sqlx::{Connection as _, Executor as _, SqliteConnection};

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arb.db");
    let store = arb::sqlite::SqliteOptions::new(&file).busy_timeout(Duration::from_millis(20));
    let mut place = Place::with_file(folder.path()).await;
    place.store = Arc::new(store.open().await.unwrap());
    let clock = clock_at(0);
    let mut options = options(&place, "eager", &clock);
    options.flush_every = Duration::from_millis(1);
    let mut hand = Hand::start(options, clock, 1).await;
    let handle = hand.node.handle();
    hand.trade("6000").await;
    until(|| handle.metrics().store_lag == 0).await;
    let address = format!("sqlite://{}", file.display());
    let mut other = SqliteConnection::connect(&address).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..100 {
        hand.trade("6000").await;
    }
    until(|| handle.metrics().store_failing && handle.metrics().events > 100).await;
    let health = handle.health().into_iter().find(|part| part.name == "store").unwrap();
    assert!(health.detail.contains("records wait"), "{health:?}");
    other.execute("ROLLBACK").await.unwrap();
    until(|| !handle.metrics().store_failing).await;
    assert!(handle.metrics().store_failures > 0);
    hand.node.stop().await.unwrap();
    let (_, stored) = place.stored().await;
    assert_eq!(stored, hand.given);
}

/// Waits for what other tasks bring about.
#[cfg(feature = "sqlite")]
async fn until(mut is_so: impl FnMut() -> bool) {
    let patience = Duration::from_secs(30);
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, waiting).await.expect("it never came about");
}
