//! What frames, connections and answers become.

use arb_core::Side;

use arb_core::{EventKind, FeedState, Health, Input, InputValue, Timestamp, Trade};

use super::plan::LinePlan;
use super::*;
use crate::contiguity::BackfillRequest;
use crate::net::rest::TradeRange;

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

pub(super) fn watched(instrument: InstrumentId, symbol: &str, order_flow: bool) -> Watched {
    Watched {
        instrument,
        symbol: symbol.to_owned(),
        market: Market::Um,
        order_flow,
        premium: None,
        last_id: None,
        missing: Vec::new(),
        settled_until: None,
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn wait(&self, _: Timestamp) -> Duration {
        Duration::ZERO
    }
}

pub(super) fn config() -> FeedConfig {
    let mut btc = watched(BTC, "BTCUSDT", true);
    btc.premium = Some(("BTCUSDT".to_owned(), "BTC-USD".to_owned()));
    FeedConfig {
        addresses: Addresses::production(),
        watched: vec![btc, watched(ETH, "ETHUSDT", false)],
        tracker: TrackerConfig::default(),
        funding_history: Duration::from_secs(7 * 86_400),
        counters: Arc::default(),
        dialer: Arc::new(Dialer::new(Arc::new(Still))),
        books: None,
    }
}

/// Places of the lines in the plan of [`config`].
const MARKET: usize = 0;
const SPOT: usize = 2;
const COINBASE: usize = 3;

fn state(config: &FeedConfig) -> State {
    let plans: Vec<LinePlan> = plan::lines(config);
    State::new(config, &plans, at(0))
}

/// The events of a second that is not the subject, without the feed's own health.
fn market_kinds(state: &mut State) -> Vec<EventKind> {
    taken(state).into_iter().filter(|kind| !matches!(kind, EventKind::Health(_))).collect()
}

fn missing(asks: &[Ask]) -> Vec<BackfillRequest> {
    let request = |ask: &Ask| if let Ask::Missing(request) = ask { Some(*request) } else { None };
    asks.iter().filter_map(request).collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn frames(text: &[String]) -> LineEvent {
    LineEvent::Frames { connection: 1, frames: text.iter().collect() }
}

fn trade(id: u64) -> String {
    format!(
        r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1700000000100,"a":{id},"s":"BTCUSDT","p":"100.5","q":"2","f":1,"l":1,"T":1700000000099,"m":false}}}}"#
    )
}

fn taken(state: &mut State) -> Vec<EventKind> {
    std::mem::take(&mut state.kinds)
}

#[test]
fn trades_lost_between_connections_are_a_gap_and_come_back() {
    let config = config();
    let mut state = state(&config);
    state.line_event(MARKET, LineEvent::Up { connection: 1 }, at(0));
    let feed = |instrument| {
        let value = InputValue::LiquidationFeed(FeedState::Up);
        EventKind::Input(Input { instrument, as_of: at(0), value })
    };
    assert_eq!(
        taken(&mut state),
        [feed(BTC), feed(ETH)],
        "quiet now means that none was liquidated"
    );
    state.line_event(MARKET, frames(&[trade(7), trade(8)]), at(100));
    let ids: Vec<u64> = taken(&mut state)
        .iter()
        .map(|kind| if let EventKind::Trade(trade) = kind { trade.id } else { 0 })
        .collect();
    assert_eq!(ids, [7, 8]);
    let reason = "cut".into();
    let down = LineEvent::Down { connection: 1, was_up: true, reason, stay_away: None };
    state.line_event(MARKET, down, at(200));
    let kinds = taken(&mut state);
    assert!(matches!(kinds[0], EventKind::Gap(gap) if gap.after_id == 8), "{kinds:?}");
    assert_eq!(kinds.len(), 3, "and the liquidations of both are unknown");
    state.line_event(MARKET, LineEvent::Up { connection: 2 }, at(300));
    state.line_event(MARKET, frames(&[trade(11)]), at(400));
    taken(&mut state);
    let requests = missing(&state.upkeep(at(500)));
    assert_eq!(requests, [BackfillRequest { instrument: BTC, from_id: 9, limit: 2 }]);
    market_kinds(&mut state);
    let trade = |id| Trade {
        instrument: BTC,
        id,
        ts: at(250),
        price: "100".parse().unwrap(),
        qty: "1".parse().unwrap(),
        taker_side: Side::Sell,
    };
    let answered =
        Answered { ask: Ask::Missing(requests[0]), trades: Ok(vec![trade(9), trade(10)]) };
    state.answered(answered, at(600));
    let kinds = taken(&mut state);
    let [EventKind::Backfill(found)] = &kinds[..] else { panic!("{kinds:?}") };
    assert_eq!(found.trades.len(), 2);
    let figures = config.counters.read();
    let market = figures.lines["market"];
    assert_eq!((market.lost, market.connections, market.frames), (1, 2, 3));
    assert_eq!(market.last_frame_at, Some(at(400)));
    assert_eq!(figures.last_failure.unwrap(), "market: cut");
}

#[test]
fn a_request_that_fails_is_counted_and_asked_again() {
    let config = config();
    let mut state = state(&config);
    state.line_event(MARKET, LineEvent::Up { connection: 1 }, at(0));
    state.line_event(MARKET, frames(&[trade(1), trade(5)]), at(1));
    let asks = state.upkeep(at(2));
    assert_eq!(missing(&asks).len(), 1);
    let error = VenueError::Disconnected("gone".into());
    state.answered(Answered { ask: asks[0], trades: Err(error) }, at(3));
    let figures = config.counters.read();
    assert_eq!(figures.failed_requests["missing trades"], 1);
    assert!(figures.last_failure.unwrap().contains("gone"));
    assert_eq!(missing(&state.upkeep(at(4))).len(), 0, "not at once");
    assert_eq!(missing(&state.upkeep(at(60_000))).len(), 1);
}

#[test]
fn the_premium_is_told_once_a_second_from_its_three_legs() {
    let mut state = state(&config());
    let book = r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"100","B":"1","a":"100","A":"1"}}"#;
    let ticker = |product: &str, price: &str| {
        format!(
            r#"{{"type":"ticker","sequence":1,"product_id":"{product}","price":"{price}","best_bid":"{price}","best_ask":"{price}","time":"2023-11-14T22:13:20.000000Z"}}"#
        )
    };
    state.line_event(SPOT, frames(&[book.to_owned()]), at(0));
    let legs = [ticker("BTC-USD", "101"), ticker("USDT-USD", "1")];
    state.line_event(COINBASE, frames(&legs), at(0));
    assert!(taken(&mut state).is_empty(), "a reference price is no quote of an instrument");
    state.upkeep(at(1_000));
    let kinds = market_kinds(&mut state);
    let [EventKind::Input(input)] = &kinds[..] else { panic!("{kinds:?}") };
    let InputValue::CoinbasePremium(premium) = input.value else { panic!("{input:?}") };
    assert!((premium - 0.01).abs() < 1e-12 && input.instrument == BTC);
    state.upkeep(at(1_250));
    assert!(taken(&mut state).is_empty(), "once a second");
}

#[test]
fn a_feed_goes_on_behind_what_is_stored() {
    let mut config = config();
    config.watched[0].last_id = Some(100);
    let mut state = state(&config);
    state.line_event(MARKET, LineEvent::Up { connection: 1 }, at(0));
    taken(&mut state);
    state.line_event(MARKET, frames(&[trade(103)]), at(1));
    let kinds = taken(&mut state);
    assert!(matches!(kinds[0], EventKind::Gap(gap) if gap.after_id == 100), "{kinds:?}");
    assert_eq!(missing(&state.upkeep(at(2)))[0].from_id, 101);
}

#[test]
fn a_feed_asks_for_what_an_earlier_one_did_not_fill() {
    let mut config = config();
    config.watched[0].last_id = Some(100);
    config.watched[0].missing = vec![(40, 42), (60, 60)];
    let mut state = state(&config);
    let [request] = missing(&state.upkeep(at(0)))[..] else { panic!("one at a time") };
    assert_eq!((request.from_id, request.limit), (40, 3));
    let found = |id| Trade {
        instrument: BTC,
        id,
        ts: at(0),
        price: "100".parse().unwrap(),
        qty: "1".parse().unwrap(),
        taker_side: Side::Sell,
    };
    let trades = Ok((40..43).map(found).collect());
    state.answered(Answered { ask: Ask::Missing(request), trades }, at(1));
    let kinds = market_kinds(&mut state);
    assert!(matches!(&kinds[..], [EventKind::Backfill(b)] if b.trades.len() == 3), "{kinds:?}");
    let [request] = missing(&state.upkeep(at(2)))[..] else { panic!("the next one") };
    assert_eq!((request.from_id, request.limit), (60, 1));
}

fn healths(state: &mut State) -> Vec<Health> {
    let health = |kind| if let EventKind::Health(health) = kind { Some(health) } else { None };
    taken(state).into_iter().filter_map(health).collect()
}

#[test]
fn silence_of_the_perpetuals_line_and_the_peg_reach_the_engine() {
    let mut state = state(&config());
    state.upkeep(at(1_000));
    assert_eq!(healths(&mut state), [Health::Connection { silent_ms: 1_000 }]);
    state.line_event(MARKET, frames(&[trade(1)]), at(1_900));
    state.upkeep(at(2_000));
    assert!(healths(&mut state).is_empty(), "the usual pause");
    state.line_event(SPOT, frames(&["{}".to_owned()]), at(7_900));
    state.upkeep(at(8_000));
    assert_eq!(
        healths(&mut state),
        [Health::Connection { silent_ms: 6_100 }],
        "other lines do not make up for it"
    );
    state.line_event(MARKET, frames(&[trade(2)]), at(8_900));
    state.upkeep(at(9_000));
    assert_eq!(healths(&mut state), [Health::Connection { silent_ms: 100 }], "it ended");
    let tether = r#"{"type":"ticker","sequence":1,"product_id":"USDT-USD","price":"0.994","best_bid":"0.9939","best_ask":"0.9941","time":"2023-11-14T22:13:20.000000Z"}"#;
    state.line_event(COINBASE, frames(&[tether.to_owned()]), at(9_100));
    state.line_event(MARKET, frames(&[trade(3)]), at(9_900));
    state.upkeep(at(10_000));
    assert_eq!(healths(&mut state), [Health::Peg("0.994".parse().unwrap())]);
}

#[test]
fn a_stream_that_went_silent_while_the_venue_trades_is_a_gap_and_renewed() {
    let config = config();
    let mut state = state(&config);
    state.line_event(MARKET, LineEvent::Up { connection: 1 }, at(0));
    for id in 1..=100 {
        state.line_event(MARKET, frames(&[trade(id)]), at(i64::try_from(id).unwrap() * 1_000));
    }
    let asks = |state: &mut State, second: i64| state.upkeep(at(second * 1_000));
    assert!(asks(&mut state, 129).is_empty());
    let due = asks(&mut state, 131);
    assert_eq!(due, [Ask::Silence { instrument: BTC, range: TradeRange::From(101) }]);
    assert!(asks(&mut state, 140).is_empty(), "one question at a time");
    state.answered(Answered { ask: due[0], trades: Ok(Vec::new()) }, at(140_000));
    assert!(state.renewals.is_empty() && market_kinds_without_inputs(&mut state).len() == 100);

    let due = asks(&mut state, 175);
    let found = |id: u64, second: i64| Trade {
        instrument: BTC,
        id,
        ts: at(second * 1_000),
        price: "100".parse().unwrap(),
        qty: "1".parse().unwrap(),
        taker_side: Side::Sell,
    };
    let trades = Ok(vec![found(101, 120), found(102, 150), found(103, 175)]);
    state.answered(Answered { ask: due[0], trades }, at(176_000));
    let kinds = market_kinds_without_inputs(&mut state);
    let [EventKind::Gap(gap), EventKind::Trade(one), EventKind::Trade(two), EventKind::Gap(still)] =
        &kinds[..]
    else {
        panic!("the newest may be on its way: {kinds:?}");
    };
    assert_eq!((gap.after_id, one.id, two.id, still.after_id), (100, 101, 102, 102));
    assert_eq!(std::mem::take(&mut state.renewals), [MARKET]);
    assert_eq!(config.counters.read().overlooked, 2);
}

fn market_kinds_without_inputs(state: &mut State) -> Vec<EventKind> {
    let kinds = market_kinds(state).into_iter();
    kinds.filter(|kind| !matches!(kind, EventKind::Input(_))).collect()
}

#[test]
fn marks_asked_for_at_the_start_count_until_a_stream_tells_newer_ones() {
    let mut state = state(&config());
    let streamed = r#"{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1700000000500,"s":"BTCUSDT","p":"200.0","i":"200.0","P":"200.0","r":"0.0001","T":1700006400000}]}"#;
    state.line_event(MARKET, frames(&[streamed.to_owned()]), at(500));
    taken(&mut state);
    let mark = |instrument| crate::wire::MarkUpdate {
        instrument,
        sent_at: at(0),
        mark_price: "100".parse().unwrap(),
        index_price: None,
        funding_rate: Some("0.0002".parse().unwrap()),
        next_funding_at: None,
    };
    state.polled(Polled::Marks(vec![mark(BTC), mark(ETH)]), at(600));
    let kinds = taken(&mut state);
    let [EventKind::Mark(seeded), EventKind::Input(rate)] = &kinds[..] else {
        panic!("{kinds:?}");
    };
    assert_eq!((seeded.instrument, rate.instrument), (ETH, ETH));
}

#[test]
fn what_cannot_be_read_is_counted_by_its_kind() {
    let config = config();
    let mut state = state(&config);
    let broken = trade(1).replace("100.5", "x");
    state.line_event(MARKET, frames(&["{oops".to_owned(), broken]), at(0));
    let figures = config.counters.read();
    assert_eq!((figures.undecodable, figures.dropped), (1, 1));
}
