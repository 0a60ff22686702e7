//! The rules one by one; whole trades worked by hand are in `life`, resting orders in `resting`,
//! margin in `margin`, holes in `catch_up`, and what holds for any sequence of events in `any`.

mod any;
mod catch_up;
mod life;
mod margin;
mod resting;

use rust_decimal::Decimal;

use super::*;
use crate::config::{EngineConfig, InstrumentConfig};
use crate::event::{
    Backfill, Event, EventKind, FundingSettled, Mark, Quote, Side, Trade, Transfer,
};
use crate::instrument::{Instrument, InstrumentId};
use crate::num::{Money, Price, Qty};
use crate::order::{
    Book, ClientOrderId, Effect, Fill, Order, OrderEvent, OrderKind, OrderUpdate, Purpose,
    RejectReason, Role, RunId, TimeInForce, WorkingType,
};
use crate::time::Timestamp;
use Effect::{Open, Reduce};
use OrderUpdate::{Accepted, Canceled, Expired, Filled, Rejected, Triggered};
use Purpose::{Close, Entry, Stop, Target1, Target2};
use Side::{Buy, Sell};

const BTC: InstrumentId = InstrumentId(0);
const LTC: InstrumentId = InstrumentId(1);

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn id(purpose: Purpose, ordinal: u16) -> ClientOrderId {
    ClientOrderId {
        run: RunId::BACKTEST,
        book: Book::Directional,
        intent: 1,
        leg: 0,
        purpose,
        ordinal,
    }
}

fn limit(text: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price(text), time_in_force }
}

fn stop(text: &str) -> OrderKind {
    OrderKind::StopMarket { stop_price: price(text), working_type: WorkingType::ContractPrice }
}

fn mark_stop(text: &str) -> OrderKind {
    OrderKind::StopMarket { stop_price: price(text), working_type: WorkingType::MarkPrice }
}

fn order(purpose: Purpose, side: Side, qty: &str, kind: OrderKind) -> Order {
    let effect = if purpose == Entry { Open } else { Reduce };
    Order { id: id(purpose, 0), instrument: BTC, side, qty: qty.parse().unwrap(), kind, effect }
}

/// What happened to an order, without its identity.
type Update = (Purpose, OrderUpdate);

/// A venue with an account of 10,000, tick 0.1, lot 0.001, spread 2 bps, slippage 1 bp, fees 2
/// and 5 bps, latency 250 ms, and 1,000 traded at 1000 in the first second.
struct Floor {
    venue: PaperVenue,
    trades: u64,
    out: Vec<OrderEvent>,
}

impl Floor {
    fn new() -> Self {
        Self::with(|_, _| {})
    }

    fn with(change: impl FnOnce(&mut EngineConfig, &mut PaperConfig)) -> Self {
        let instrument = |symbol| InstrumentConfig {
            spec: Instrument::perpetual(symbol, price("0.1"), "0.001".parse().unwrap()),
            spread_bps: Decimal::TWO,
        };
        let mut config = EngineConfig::new(vec![instrument("BTCUSDT"), instrument("LTCUSDT")]);
        let mut paper = PaperConfig::default();
        change(&mut config, &mut paper);
        config.paper = paper;
        let venue = PaperVenue::new(&config);
        let mut floor = Self { venue, trades: 0, out: Vec::new() };
        floor.trade(0, "1000", "1000");
        floor
    }

    fn see(&mut self, at: Timestamp, kind: EventKind) -> Vec<Update> {
        self.out.clear();
        self.venue.on_event(&Event { at, kind }, &mut self.out);
        self.out.iter().map(|e| (e.id.purpose, e.update)).collect()
    }

    fn trade(&mut self, at: i64, price: &str, qty: &str) -> Vec<Update> {
        self.taker_trade(at, Buy, price, qty)
    }

    fn taker_trade(&mut self, at: i64, taker_side: Side, price: &str, qty: &str) -> Vec<Update> {
        self.trades += 1;
        let (price, qty) = (price.parse().unwrap(), qty.parse().unwrap());
        let trade = Trade { instrument: BTC, taker_side, id: self.trades, ts: ms(at), price, qty };
        self.see(ms(at), EventKind::Trade(trade))
    }

    fn mark(&mut self, at: i64, mark: &str) -> Vec<Update> {
        let mark = Mark { instrument: BTC, ts: ms(at), mark_price: price(mark), index_price: None };
        self.see(ms(at), EventKind::Mark(mark))
    }

    fn quote(&mut self, at: i64, best_bid: &str, best_ask: &str) {
        let (best_bid, best_ask) = (price(best_bid), price(best_ask));
        let quote = Quote { instrument: BTC, ts: ms(at), best_bid, best_ask };
        self.see(ms(at), EventKind::Quote(quote));
    }

    fn tick(&mut self, at: i64) -> Vec<Update> {
        self.see(ms(at), EventKind::Tick(ms(at)))
    }

    fn submit(&mut self, decided_at: i64, order: Order) {
        self.venue.submit(&order, ms(decided_at));
    }

    /// Buys at the trade of 1000 at `at`, which costs 1000.2; returns after the fill.
    fn long(&mut self, at: i64, qty: &str) {
        self.submit(at - 250, order(Entry, Buy, qty, OrderKind::Market));
        let updates = self.trade(at, "1000", "1");
        assert_eq!(fills(&updates), [(Entry, "1000.2".into(), qty.into())]);
    }

    fn net_qty(&self) -> String {
        self.venue.ledger().net_qty(BTC).to_string()
    }
}

fn fills(updates: &[Update]) -> Vec<(Purpose, String, String)> {
    let filled = updates.iter().filter_map(|(purpose, update)| match update {
        Filled(fill) => Some((*purpose, fill.price.to_string(), fill.qty.to_string())),
        _ => None,
    });
    filled.collect()
}

fn filled(purpose: Purpose, price: &str, qty: &str) -> Vec<(Purpose, String, String)> {
    vec![(purpose, price.into(), qty.into())]
}

#[test]
fn an_order_acts_one_latency_after_its_decision() {
    let mut floor = Floor::new();
    let grid = Event::tick(ms(15_000));
    let decided_at = floor.venue.decided_at(&grid);
    assert_eq!(decided_at, ms(15_400), "live waits 400 ms for late trades of the grid time");
    floor.venue.submit(&order(Entry, Buy, "1", OrderKind::Market), decided_at);
    assert_eq!(floor.trade(15_649, "999", "1"), []);
    // 15,400 + 250: the trade pays 1000 + half of 2 bps + 1 bp.
    let updates = floor.trade(15_650, "1000", "1");
    assert_eq!(updates[0], (Entry, Accepted));
    assert_eq!(fills(&updates), filled(Entry, "1000.2", "1"));
    assert_eq!(floor.venue.decided_at(&Event { at: ms(7), ..grid }), ms(15_400));
}

#[test]
fn an_order_of_one_trade_fills_from_the_next_even_without_latency() {
    let mut floor = Floor::with(|_, paper| paper.latency_ms = 0);
    assert_eq!(floor.trade(1_000, "1000", "1"), []);
    floor.submit(1_000, order(Entry, Buy, "1", OrderKind::Market));
    let updates = floor.trade(1_000, "1001", "1");
    assert_eq!(fills(&updates), filled(Entry, "1001.3", "1"), "1001 × 1.0002 rounded up");
}

#[test]
fn acceptance_is_reported_at_the_first_event_after_the_latency() {
    let mut floor = Floor::new();
    floor.submit(1_000, order(Entry, Buy, "1", limit("900", TimeInForce::Gtc)));
    assert_eq!(floor.tick(1_249), []);
    assert_eq!(floor.tick(1_250), [(Entry, Accepted)]);
}

#[test]
fn a_live_quote_gives_the_spread_while_it_is_fresh() {
    let mut floor = Floor::new();
    floor.quote(1_000, "999", "1001");
    floor.submit(1_000, order(Entry, Buy, "1", OrderKind::Market));
    // 1000 + half of 2 + 0.1
    assert_eq!(fills(&floor.trade(2_000, "1000", "1")), filled(Entry, "1001.1", "1"));
    floor.submit(11_000, order(Close, Sell, "1", OrderKind::Market));
    // The quote is 10.5 s old: 1000 − 1 bp − 1 bp.
    assert_eq!(fills(&floor.trade(11_500, "1000", "1")), filled(Close, "999.8", "1"));
}

#[test]
fn an_ioc_limit_worse_than_the_fill_expires() {
    let mut floor = Floor::new();
    floor.submit(1_000, order(Entry, Buy, "1", limit("1000.1", TimeInForce::Ioc)));
    assert_eq!(floor.trade(1_250, "1000", "1"), [(Entry, Accepted), (Entry, Expired)]);
    let second =
        Order { id: id(Entry, 1), ..order(Entry, Buy, "1", limit("1000.2", TimeInForce::Ioc)) };
    floor.submit(1_300, second);
    assert_eq!(fills(&floor.trade(1_600, "1000", "1")), filled(Entry, "1000.2", "1"));
}

#[test]
fn an_entry_takes_at_most_its_share_of_five_minutes_volume() {
    let mut floor = Floor::with(|config, _| config.account.leverage = 50);
    // The 1,000 of the first second have left the window: 50 + 0.019 count, a tenth is 5.0019.
    floor.trade(290_000, "1000", "50");
    floor.submit(300_000, order(Entry, Buy, "8", OrderKind::Market));
    let updates = floor.trade(300_300, "1000", "0.019");
    assert_eq!(fills(&updates), filled(Entry, "1000.2", "5.001"));
    assert_eq!(updates.last(), Some(&(Entry, Expired)));
    // Exits are always filled in full.
    floor.submit(600_000, order(Close, Sell, "5.001", OrderKind::Market));
    assert_eq!(fills(&floor.trade(600_250, "1000", "0.001")), filled(Close, "999.8", "5.001"));
}

#[test]
fn the_last_second_of_the_window_still_counts() {
    let volume = |at| {
        let mut floor = Floor::new();
        floor.submit(at - 250, order(Entry, Buy, "10", OrderKind::Market));
        fills(&floor.trade(at, "1000", "0.001"))
    };
    assert_eq!(volume(299_999), filled(Entry, "1000.2", "10"));
    assert_eq!(volume(300_000), []);
}

#[test]
fn a_stop_whose_price_is_reached_would_trigger() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Stop, Sell, "1", stop("1000")));
    assert_eq!(floor.trade(1_250, "1010", "1"), [(Stop, Rejected(RejectReason::WouldTrigger))]);
}

#[test]
fn a_gap_through_the_stop_fills_at_the_first_trade_beyond() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Stop, Sell, "1", stop("980")));
    assert_eq!(floor.trade(1_300, "990", "1"), [(Stop, Accepted)]);
    // 970 − 0.097, rounded down.
    let updates = floor.trade(1_400, "970", "1");
    assert_eq!(updates[0], (Stop, Triggered));
    assert_eq!(fills(&updates), filled(Stop, "969.9", "1"));
}

#[test]
fn a_mark_stop_ignores_trades_and_fills_at_the_trade_after_its_mark() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.mark(1_100, "1000");
    floor.submit(1_100, order(Stop, Sell, "1", mark_stop("980")));
    floor.tick(1_400);
    assert_eq!(floor.trade(1_500, "970", "1"), []);
    assert_eq!(floor.mark(1_600, "979"), [(Stop, Triggered)]);
    // The trade is better than the stop, so the stop price counts: 980 − 0.098.
    assert_eq!(fills(&floor.trade(1_700, "985", "1")), filled(Stop, "979.9", "1"));
}

#[test]
fn the_last_price_stands_in_for_a_mark_that_is_missing() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Stop, Sell, "1", mark_stop("980")));
    floor.tick(1_400);
    assert_eq!(fills(&floor.trade(1_500, "980", "1")), filled(Stop, "979.9", "1"));
}

#[test]
fn the_stop_comes_before_a_target_that_the_same_trade_reaches() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.mark(1_100, "1000");
    floor.submit(1_100, order(Stop, Sell, "1", mark_stop("980")));
    floor.submit(1_100, order(Target1, Sell, "1", limit("1015", TimeInForce::Gtc)));
    assert_eq!(floor.tick(1_400), [(Stop, Accepted), (Target1, Accepted)]);
    floor.mark(1_500, "980");
    let updates = floor.trade(1_600, "1020", "1");
    assert_eq!(fills(&updates), filled(Stop, "979.9", "1"));
    assert_eq!(updates.last(), Some(&(Target1, Expired)));
    assert_eq!(floor.net_qty(), "0");
}

#[test]
fn reduce_only_needs_a_position_to_reduce() {
    let mut floor = Floor::new();
    let refused = [(Close, Rejected(RejectReason::ReduceOnly))];
    floor.submit(0, order(Close, Sell, "1", OrderKind::Market));
    assert_eq!(floor.tick(500), refused);
    floor.long(1_000, "1");
    let wrong_side = order(Close, Buy, "1", OrderKind::Market);
    floor.submit(1_000, Order { id: id(Close, 1), ..wrong_side });
    assert_eq!(floor.tick(1_500), refused);
}

#[test]
fn reduce_only_orders_end_with_the_position() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Target1, Sell, "0.5", limit("1015", TimeInForce::Gtc)));
    floor.submit(1_000, order(Stop, Sell, "1", stop("980")));
    floor.submit(1_000, order(Close, Sell, "3", OrderKind::Market));
    let updates = floor.trade(1_250, "1000", "1");
    assert_eq!(fills(&updates), filled(Close, "999.8", "1"), "cut to the position");
    assert_eq!(updates[4..], [(Close, Expired), (Stop, Expired), (Target1, Expired)]);
}

#[test]
fn a_stop_closes_what_a_target_has_left() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Target1, Sell, "0.4", limit("1015", TimeInForce::Gtc)));
    floor.submit(1_000, order(Stop, Sell, "1", stop("980")));
    floor.trade(1_300, "1016", "1");
    assert_eq!(floor.net_qty(), "0.6");
    let updates = floor.trade(1_400, "980", "1");
    assert_eq!(fills(&updates), filled(Stop, "979.9", "0.6"));
    assert_eq!(updates.last(), Some(&(Stop, Expired)));
}

#[test]
fn an_id_works_once() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Entry, Buy, "1", OrderKind::Market));
    assert_eq!(floor.tick(1_500), [(Entry, Rejected(RejectReason::DuplicateId))]);
}

#[test]
fn orders_off_the_venues_steps_are_refused() {
    let refusal = |order: Order| {
        let mut floor = Floor::new();
        floor.submit(0, order);
        floor.tick(250).first().map(|(_, update)| *update)
    };
    let code = |code| Some(Rejected(RejectReason::Code(code)));
    let market = |qty| order(Entry, Buy, qty, OrderKind::Market);
    assert_eq!(refusal(market("0")), code(-4003));
    assert_eq!(refusal(market("1.0001")), code(-1111));
    assert_eq!(refusal(market("0.004")), code(-4164), "4 is below the minimum notional of 5");
    assert_eq!(refusal(Order { instrument: InstrumentId(7), ..market("1") }), code(-1121));
    assert_eq!(refusal(Order { instrument: LTC, ..market("1") }), code(-4131));
    assert_eq!(refusal(order(Entry, Buy, "1", limit("1000.05", TimeInForce::Gtc))), code(-4014));
}

#[test]
fn a_cancel_never_overtakes_its_order() {
    let mut floor = Floor::new();
    // Decided at a grid time, so it acts at 15,650; the cancel alone would act at 15,350.
    floor.submit(15_400, order(Entry, Buy, "1", limit("990", TimeInForce::Gtc)));
    floor.venue.cancel(id(Entry, 0), BTC, ms(15_100));
    assert_eq!(floor.tick(15_500), []);
    assert_eq!(floor.tick(15_650), [(Entry, Accepted), (Entry, Canceled)]);
    floor.venue.cancel(id(Entry, 0), BTC, ms(16_000));
    assert_eq!(floor.tick(17_000), [], "an order that has ended answers nothing");
}

#[test]
fn trades_of_nothing_fill_nobody() {
    let mut floor = Floor::new();
    floor.submit(1_000, order(Entry, Buy, "1", OrderKind::Market));
    assert_eq!(floor.trade(1_300, "1000", "0"), [(Entry, Accepted)]);
    assert_eq!(fills(&floor.trade(1_400, "1000", "1")).len(), 1);
}

#[test]
fn trades_found_late_reach_what_was_waiting_and_nothing_newer() {
    let mut floor = Floor::new();
    floor.long(1_000, "1");
    floor.submit(1_000, order(Target1, Sell, "0.5", limit("1015", TimeInForce::Gtc)));
    floor.tick(1_250);
    let found = |ts, price: &str| Trade {
        instrument: BTC,
        taker_side: Buy,
        id: 0,
        ts: ms(ts),
        price: price.parse().unwrap(),
        qty: "1".parse().unwrap(),
    };
    floor.submit(1_300, order(Close, Sell, "0.5", OrderKind::Market));
    let trades = vec![found(1_200, "1020"), found(1_300, "1016"), found(1_600, "1014")];
    let backfill = Box::new(Backfill { instrument: BTC, trades });
    let updates = floor.see(ms(1_700), EventKind::Backfill(backfill));
    assert_eq!(fills(&updates), filled(Target1, "1015", "0.5"));
    assert_eq!(fills(&floor.trade(1_800, "1000", "1")), filled(Close, "999.8", "0.5"));
}

#[test]
fn funding_is_booked_on_the_position_at_the_boundary() {
    let hour = 3_600_000;
    let mut floor = Floor::new();
    floor.trade(hour - 2_000, "1000", "1000");
    floor.long(hour - 1_000, "1");
    // Closed right at the boundary: still held, so it pays; the last price at the tick is 1100.
    floor.submit(hour - 250, order(Close, Sell, "1", OrderKind::Market));
    assert_eq!(fills(&floor.trade(hour, "1100", "1")).len(), 1);
    floor.tick(hour);
    floor.trade(hour + 1_000, "1200", "1");
    let before = floor.venue.ledger().wallet();
    let rate = Decimal::new(1, 4);
    let settled =
        FundingSettled { instrument: BTC, funding_time: ms(hour), rate, mark_price: None };
    floor.see(ms(hour + 60_000), EventKind::Funding(settled));
    assert_eq!(before - floor.venue.ledger().wallet(), money("0.11"));
}
