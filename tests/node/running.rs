//! A running node: what hosts see, what it keeps up with, how it ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arb::node::{Node, NodeError};
use arb::port::{Desk as _, Notifier};
use arb::{Backfill, Command, Event, EventKind, Output, Quote, RiskState, StoreError, VenueError};
use async_trait::async_trait;

use super::hand::{Does, Hand, clock_at, config, events, gaps, registry, trade};
use super::support::{BTC, Place};

fn options(place: &Place, clock: &Arc<dyn arb::port::Clock>) -> arb::node::NodeOptions {
    let mut options = place.options(config("eager"), clock);
    options.registry = registry();
    options
}

async fn start(place: &Place) -> Hand {
    let clock = clock_at(0);
    Hand::start(options(place, &clock), clock, 1).await
}

#[tokio::test(start_paused = true)]
async fn a_receipt_names_the_record_that_holds_the_command() {
    let place = Place::new();
    let mut hand = start(&place).await;
    hand.trade("6000").await;
    let handle = hand.node.handle();
    let mut receipts = Vec::new();
    for command in [Command::Pause, Command::Resume, Command::Halt { reason: "a test".into() }] {
        let receipt = handle.command(command.clone()).await.unwrap();
        // On the disk at this moment, not only when the node ends.
        let held = events(&place.log());
        let (_, event) = held.into_iter().find(|(seq, _)| *seq == receipt.seq).unwrap();
        assert_eq!(event.kind, EventKind::Command(Box::new(command)));
        receipts.push(receipt.seq);
    }
    assert!(receipts.is_sorted() && handle.snapshot().seq >= receipts[2]);
    assert_eq!(hand.view().risk_state, RiskState::Halted);
    hand.node.stop().await.unwrap();
    let ended = handle.command(Command::Pause).await.unwrap_err();
    assert!(matches!(ended, StoreError::Unavailable(_)), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panics_or_fails_is_opened_again_and_its_instruments_lost_contact() {
    let place = Place::new();
    let mut hand = start(&place).await;
    for (number, trouble) in [Does::Panic, Does::Fail].into_iter().enumerate() {
        let last = hand.trade("6000").await;
        hand.does(trouble);
        // The pause before a feed is opened again doubles from a second.
        hand.pass(5_000).await;
        let opened = hand.opened.lock().unwrap().clone();
        assert_eq!(opened.len(), number + 2);
        assert_eq!(opened.last().unwrap().last_trade_ids, [Some(last.id)]);
        assert_eq!(hand.node.handle().metrics().feed_restarts, number as u64 + 1);
        // One trade was missed; the feed brings it after the next.
        let (missed, next) = (hand.trade_now("6001"), hand.trade_now("6002"));
        let backfill = Backfill { instrument: BTC, trades: vec![missed] };
        let backfill = EventKind::Backfill(Box::new(backfill));
        hand.does(Does::Bring(vec![EventKind::Trade(next), backfill]));
        hand.pass(1).await;
    }
    hand.node.stop().await.unwrap();
    let lost: Vec<u64> = gaps(&place.log()).into_iter().map(|gap| gap.after_id).collect();
    assert_eq!(lost.len(), 2, "contact was lost each time: {lost:?}");
    assert!(lost[0] <= 1 && lost[1] <= 4, "nothing behind the last trade is claimed: {lost:?}");
    let (_, stored) = place.stored().await;
    let ids: Vec<u64> = stored.into_iter().map(|trade| trade.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_feeds_wait_and_replaces_quotes_only() {
    let place = Place::new();
    let clock = clock_at(0);
    let mut options = options(&place, &clock);
    options.queue = 1;
    let mut hand = Hand::start(options, clock, 1).await;
    let quote = |ts| {
        let [best_bid, best_ask] = ["5999", "6001"].map(|price| price.parse().unwrap());
        EventKind::Quote(Quote { instrument: BTC, ts, best_bid, best_ask })
    };
    for _ in 0..500 {
        let (a, b) = (hand.trade_now("6000"), hand.trade_now("6001"));
        let kinds = vec![quote(a.ts), EventKind::Trade(a), quote(b.ts), EventKind::Trade(b)];
        hand.does(Does::Bring(kinds));
    }
    hand.pass(1_000).await;
    let metrics = hand.node.handle().metrics();
    assert!(metrics.coalesced_quotes > 0, "{metrics:?}");
    assert_eq!(metrics.events + metrics.coalesced_quotes, 2_000, "{metrics:?}");
    hand.node.stop().await.unwrap();
    let (_, stored) = place.stored().await;
    assert_eq!(stored.len(), 1_000, "no trade was left out");
    let is_quote = |(_, event): &(u64, Event)| matches!(event.kind, EventKind::Quote(_));
    let quotes = events(&place.log()).iter().filter(|each| is_quote(each)).count() as u64;
    assert_eq!(quotes + metrics.coalesced_quotes, 1_000);
}

/// Fails at its first tries, and remembers what was delivered.
#[derive(Default)]
struct Moody {
    fails: Mutex<u32>,
    told: Mutex<Vec<Output>>,
}

impl Moody {
    fn failing(times: u32) -> Arc<Self> {
        Arc::new(Self { fails: Mutex::new(times), told: Mutex::default() })
    }
}

#[async_trait]
impl Notifier for Moody {
    async fn notify(&self, output: &Output) -> Result<(), VenueError> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(VenueError::RateLimited { retry_after: Duration::from_secs(1) });
        }
        self.told.lock().unwrap().push(output.clone());
        Ok(())
    }
}

fn reasons(told: &Moody) -> Vec<String> {
    let reason = |output: &Output| match output {
        Output::Risk(note) => Some(note.reason.clone()),
        _ => None,
    };
    told.told.lock().unwrap().iter().filter_map(reason).collect()
}

#[tokio::test(start_paused = true)]
async fn a_notifier_is_told_everything_once_and_in_order_also_over_a_restart() {
    let place = Place::new();
    let mut expected = Vec::new();
    let mut told = Vec::new();
    for round in 0..3 {
        // Down for good in the second life: what it misses there is told in the third.
        let moody = Moody::failing([2, u32::MAX, 0][round]);
        let clock = clock_at(round as i64 * 60_000);
        let mut options = options(&place, &clock);
        options.notifier = Some(Arc::clone(&moody) as Arc<dyn Notifier>);
        let hand = Hand::start(options, clock, 1).await;
        for number in 0..4 {
            let reason = format!("{round}.{number}");
            hand.node.handle().command(Command::Reset { reason: reason.clone() }).await.unwrap();
            expected.push(reason);
        }
        hand.pass(10_000).await;
        let lag = hand.node.handle().metrics().notifier_lag;
        assert_eq!(lag > 0, round == 1, "{lag} notes wait");
        hand.node.stop().await.unwrap();
        told.extend(reasons(&moody));
    }
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_store_of_another_log_is_refused() {
    let place = Place::new();
    let mut hand = start(&place).await;
    for _ in 0..10 {
        hand.trade("6000").await;
    }
    let stopped = hand.node.stop().await.unwrap();
    std::fs::rename(place.log(), place.folder.join("moved away")).unwrap();
    let error = Node::start(options(&place, &clock_at(60_000))).await.unwrap_err();
    match &error {
        NodeError::StoreAhead { stream, stored, last } => {
            assert_eq!((stream.as_str(), *last), ("node", 0));
            assert!(*stored > 0 && *stored <= stopped.records, "{error}");
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("restore the log"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_late_trade_is_counted_and_stored_and_changes_no_tick() {
    let place = Place::new();
    let mut hand = start(&place).await;
    hand.trade("6000").await;
    hand.until(16_000).await;
    // Stamped before the tick of 15 s, which was told at 15.4.
    let late = trade(hand.next_id, super::hand::START.plus(14_000_000_000), "6000");
    hand.next_id += 1;
    hand.does(Does::Bring(vec![EventKind::Trade(late)]));
    hand.pass(15_000).await;
    assert_eq!(hand.node.handle().metrics().late_trades, 1);
    hand.node.stop().await.unwrap();
    let (_, stored) = place.stored().await;
    assert_eq!(stored.last(), Some(&late));
    assert_eq!(place.replayed_by(registry()).difference, None);
}
