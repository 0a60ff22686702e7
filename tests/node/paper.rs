//! Paper trading over deaths: what rested goes on resting, what happened meanwhile happened at its
//! own time, and nobody enters a market of the past.

use arb::port::{Cursor, Mode, Page, TradeFilter};
use arb::{Backfill, Decimal, EventKind, OrderUpdate, Purpose, Timestamp, Trade, TradeStatus};

use super::hand::{Does, Hand, START, clock_at, config, fills, life, registry, trade, updates};
use super::restart::now;
use super::support::{BTC, Place};

const MINUTE: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    START.plus(ms * 1_000_000)
}

async fn start(place: &Place, ms: i64, next_id: u64) -> Hand {
    let clock = clock_at(ms);
    let mut options = place.options(config("eager"), &clock);
    options.registry = registry();
    Hand::start(options, clock, next_id).await
}

/// What happened while nobody was there: past the first target, then through the stop.
fn missed(first_id: u64) -> Vec<Trade> {
    let prices = [(3, "6100"), (5, "6200"), (6, "5990"), (7, "5700"), (9, "6050")];
    let trades = (first_id..).zip(prices);
    trades.map(|(id, (minutes, price))| trade(id, at(minutes * MINUTE), price)).collect()
}

/// When a node dies.
#[derive(Clone, Copy)]
enum With {
    /// Stop and targets rest.
    Position,
    /// The venue has not seen a trade since it was asked.
    Entry,
}

/// What the venue sent to a node that died.
fn die(place: &Place, with: With) -> Vec<Trade> {
    life(async {
        let mut hand = start(place, 0, 1).await;
        match with {
            With::Position => hand.enter().await,
            With::Entry => {
                hand.decide().await;
                let view = hand.view();
                assert!(view.trades.is_empty(), "nothing has filled: {view:?}");
            }
        }
        (hand.given, Some(hand.node))
    })
}

/// A life that begins a quarter of an hour later, with what the venue sent before and meanwhile.
struct Later {
    hand: Hand,
    sent: Vec<Trade>,
    /// The last missing trade that was brought.
    brought: u64,
}

impl Later {
    async fn start(place: &Place, mut sent: Vec<Trade>, missed: Vec<Trade>) -> Self {
        sent.extend(missed);
        let hand = start(place, 15 * MINUTE, sent.len() as u64 + 1).await;
        Self { hand, sent, brought: 0 }
    }

    /// Brings a trade of the present.
    async fn present(&mut self, price: &str) {
        self.hand.trade(price).await;
    }

    /// Brings what the node lacks, as feeds do behind the first trade.
    async fn catch_up(&mut self) {
        self.catch_up_but(0).await;
    }

    /// Brings all but the last few of the trades that the node lacks.
    async fn catch_up_but(&mut self, last: usize) {
        let known = self.hand.known().max(self.brought);
        let brought = self.sent.iter().take(self.sent.len().saturating_sub(last));
        let trades: Vec<Trade> = brought.filter(|trade| trade.id > known).copied().collect();
        self.brought = trades.last().map_or(known, |trade| trade.id);
        let backfill = Backfill { instrument: BTC, trades };
        self.hand.does(Does::Bring(vec![EventKind::Backfill(Box::new(backfill))]));
        self.hand.pass(1).await;
    }
}

#[test]
fn what_rested_when_the_node_died_fills_at_the_time_it_happened() {
    let place = Place::new();
    let sent = die(&place, With::Position);
    let missed = missed(sent.len() as u64 + 1);
    let trades = life(async {
        let mut later = Later::start(&place, sent, missed).await;
        assert_eq!(later.hand.view().trades.len(), 1, "the position is known from the log");
        later.hand.pass(31_000).await;
        later.present("6000").await;
        later.catch_up().await;
        let trades = later.hand.view().trades.clone();
        later.hand.node.stop().await.unwrap();
        (trades, None)
    });
    assert!(trades.is_empty(), "the position was stopped out: {trades:?}");
    let fills = fills(&place.log());
    let exits = fills.iter().filter(|(purpose, _)| *purpose != Purpose::Entry);
    let exits: Vec<_> = exits.map(|(purpose, fill)| (*purpose, fill.ts)).collect();
    let expected = [(Purpose::Target1, at(5 * MINUTE)), (Purpose::Stop, at(7 * MINUTE))];
    assert_eq!(exits, expected, "{fills:?}");
    now(async {
        let all = place.store.own_trades(&TradeFilter::all(Mode::Paper), Page::first(10)).await;
        let [row] = &all.unwrap()[..] else { panic!("one trade is stored") };
        assert_eq!(row.status, TradeStatus::Sl);
        assert_eq!(row.exit_time, Some(at(7 * MINUTE)));
        assert!(row.pnl.to_decimal() < Decimal::ZERO);
    });
    assert_eq!(place.replayed_by(registry()).difference, None);
}

/// Entries that were asked for, by the time of the event that led to them.
fn entries(place: &Place) -> Vec<Timestamp> {
    let accepted = updates(&place.log()).into_iter();
    let entries = accepted.filter(|(_, purpose, _)| *purpose == Purpose::Entry);
    entries.filter(|(.., update)| *update == OrderUpdate::Accepted).map(|(at, ..)| at).collect()
}

#[test]
fn catching_up_opens_nothing_and_the_present_does_when_the_hole_is_filled() {
    let place = Place::new();
    let sent = die(&place, With::Position);
    let missed = missed(sent.len() as u64 + 1);
    life(async {
        let mut later = Later::start(&place, sent, missed).await;
        later.present("5700").await;
        later.hand.pass(15_000).await;
        assert_eq!(later.hand.view().trades.len(), 1, "nobody knows what came before this trade");
        // The stop was hit in the hole, and the strategy wants in again at every tick.
        later.catch_up_but(1).await;
        later.hand.pass(45_000).await;
        assert!(later.hand.view().trades.is_empty());
        assert_eq!(entries(&place).len(), 1, "with a hole nobody enters");
        later.catch_up().await;
        let filled_at = later.hand.clock.now();
        assert_eq!(entries(&place).len(), 1, "what is caught up leads to no entry");
        for _ in 0..40 {
            later.present("6000").await;
            later.hand.pass(1_000).await;
        }
        later.hand.node.stop().await.unwrap();
        let entries = entries(&place);
        assert_eq!(entries.len(), 2, "a filled hole lets the strategy in again: {entries:?}");
        assert!(entries[1] > filled_at, "{entries:?}");
        ((), None)
    });
    let bought = fills(&place.log()).into_iter().filter(|(purpose, _)| *purpose == Purpose::Entry);
    let outage = at(18_000)..at(15 * MINUTE);
    bought.for_each(|(_, fill)| assert!(!outage.contains(&fill.ts), "{fill:?}"));
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[test]
fn an_entry_that_was_on_its_way_when_the_node_died_does_not_open_later() {
    let place = Place::new();
    let sent = die(&place, With::Entry);
    let missed = missed(sent.len() as u64 + 1);
    let trades = life(async {
        let mut later = Later::start(&place, sent, missed).await;
        later.present("6000").await;
        later.catch_up().await;
        later.present("6000").await;
        let trades = later.hand.view().trades.clone();
        later.hand.node.stop().await.unwrap();
        (trades, None)
    });
    assert!(trades.is_empty(), "{trades:?}");
    assert_eq!(fills(&place.log()), [], "nothing was bought");
    let is_end = |(_, purpose, update): &(Timestamp, Purpose, OrderUpdate)| {
        *purpose == Purpose::Entry && *update == OrderUpdate::Expired
    };
    assert!(updates(&place.log()).iter().any(is_end), "{:?}", updates(&place.log()));
    now(async {
        let all = place.store.live_events("node", Cursor::default(), 1_000).await.unwrap();
        let told: Vec<_> = all.iter().filter(|row| row.kind == "unfilled").collect();
        let [row] = told[..] else { panic!("it is told once: {all:?}") };
        let parts =
            [r#""instrument":"um:LTCUSDT""#, r#""strategy":"eager""#, r#""update":"expired""#];
        assert!(parts.iter().all(|part| row.body.contains(part)), "{}", row.body);
    });
    assert_eq!(place.replayed_by(registry()).difference, None);
}

#[test]
fn a_target_that_was_missed_moves_the_stop_when_it_is_caught_up() {
    let place = Place::new();
    let sent = die(&place, With::Position);
    // Past the first target, and not through the stop.
    let missed = missed(sent.len() as u64 + 1).into_iter().take(2).collect();
    life(async {
        let mut later = Later::start(&place, sent, missed).await;
        later.present("6100").await;
        later.catch_up().await;
        later.hand.pass(1_000).await;
        let view = later.hand.view();
        let [trade] = &view.trades[..] else { panic!("half of it is open: {view:?}") };
        assert_eq!(trade.status, TradeStatus::Tp1Hit);
        assert!(trade.stop_price > trade.entry_price, "the stop is at break-even: {trade:?}");
        later.hand.node.stop().await.unwrap();
        ((), None)
    });
    let placed = updates(&place.log()).into_iter().filter(|(_, purpose, update)| {
        *purpose == Purpose::Stop && *update == OrderUpdate::Accepted
    });
    let placed: Vec<Timestamp> = placed.map(|(at, ..)| at).collect();
    assert_eq!(placed.len(), 2, "{placed:?}");
    assert!(placed[1] > at(15 * MINUTE), "{placed:?}");
}

#[test]
fn a_hole_that_was_open_when_the_node_died_is_known_to_the_next_feed() {
    let place = Place::new();
    let given = life(async {
        let mut hand = start(&place, 0, 1).await;
        hand.trade("6000").await;
        let missed = [hand.trade_now("6001"), hand.trade_now("6002")];
        hand.trade("6003").await;
        // Durable, whatever else is.
        let pause = arb::Command::Pause;
        arb::port::Desk::command(&hand.node.handle(), pause).await.unwrap();
        ((missed, hand.next_id), Some(hand.node))
    });
    let (missed, next_id) = given;
    life(async {
        let hand = start(&place, MINUTE, next_id).await;
        hand.pass(1).await;
        let holes = hand.opened.lock().unwrap()[0].holes.clone();
        let ids: Vec<(u64, u64)> = holes.iter().map(|hole| (hole.from_id, hole.to_id)).collect();
        assert_eq!(ids, [(2, 3)]);
        let backfill = Backfill { instrument: BTC, trades: missed.to_vec() };
        hand.does(Does::Bring(vec![EventKind::Backfill(Box::new(backfill))]));
        hand.pass(1).await;
        hand.node.stop().await.unwrap();
        ((), None)
    });
    life(async {
        let hand = start(&place, 2 * MINUTE, next_id).await;
        hand.pass(1).await;
        assert_eq!(hand.opened.lock().unwrap()[0].holes, [], "a filled hole is none");
        hand.node.stop().await.unwrap();
        ((), None)
    });
    let ids: Vec<u64> = now(place.stored()).1.into_iter().map(|trade| trade.id).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
}
