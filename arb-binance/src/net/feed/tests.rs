//! What frames, connections and answers become.

use arb_core::Side;

use arb_core::{EventKind, FeedState, Input, InputValue, Timestamp};

use super::*;

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

fn watched(instrument: InstrumentId, symbol: &str, order_flow: bool) -> Watched {
    let (symbol, market) = (symbol.to_owned(), Market::Um);
    Watched { instrument, symbol, market, order_flow, premium: None, last_id: None }
}

fn config() -> FeedConfig {
    let mut btc = watched(BTC, "BTCUSDT", true);
    btc.premium = Some(("BTCUSDT".to_owned(), "BTC-USD".to_owned()));
    FeedConfig {
        addresses: Addresses::production(),
        watched: vec![btc, watched(ETH, "ETHUSDT", false)],
        tracker: TrackerConfig::default(),
        funding_history: Duration::from_secs(7 * 86_400),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn frames(text: &[String]) -> LineEvent {
    let frames = text.iter().map(|text| text.clone().into_bytes().into()).collect();
    LineEvent::Frames { connection: 1, frames }
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
fn streams_are_asked_for_where_they_are_routed() {
    let lines = lines(&config());
    let all: Vec<(Source, &str, String)> = lines
        .iter()
        .map(|(source, line)| (*source, line.address.as_str(), line.messages.concat()))
        .collect();
    let [market, public, spot, coinbase] = &all[..] else { panic!("{all:?}") };
    assert_eq!((market.0, market.1), (Source::Market, "wss://fstream.binance.com/market/stream"));
    for name in ["btcusdt@aggTrade", "!markPrice@arr@1s", "!forceOrder@arr"] {
        assert!(market.2.contains(name), "{}", market.2);
    }
    assert!(!market.2.contains("ethusdt"), "no order flow of instruments that are not scored");
    assert_eq!(public.1, "wss://fstream.binance.com/public/stream");
    assert!(public.2.contains("btcusdt@bookTicker"));
    assert_eq!(spot.1, "wss://data-stream.binance.vision/stream");
    assert!(spot.2.contains("btcusdt@bookTicker") && !spot.2.contains("aggTrade"));
    assert!(coinbase.2.contains("BTC-USD") && coinbase.2.contains("USDT-USD"));
}

#[test]
fn trades_lost_between_connections_are_a_gap_and_come_back() {
    let mut state = State::new(&config());
    state.line_event(Source::Market, LineEvent::Up { connection: 1 }, at(0));
    let feed = |instrument| {
        let value = InputValue::LiquidationFeed(FeedState::Up);
        EventKind::Input(Input { instrument, as_of: at(0), value })
    };
    assert_eq!(
        taken(&mut state),
        [feed(BTC), feed(ETH)],
        "quiet now means that none was liquidated"
    );
    state.line_event(Source::Market, frames(&[trade(7), trade(8)]), at(100));
    let ids: Vec<u64> = taken(&mut state)
        .iter()
        .map(|kind| if let EventKind::Trade(trade) = kind { trade.id } else { 0 })
        .collect();
    assert_eq!(ids, [7, 8]);
    let reason = "cut".into();
    let down = LineEvent::Down { connection: 1, was_up: true, reason };
    state.line_event(Source::Market, down, at(200));
    let kinds = taken(&mut state);
    assert!(matches!(kinds[0], EventKind::Gap(gap) if gap.after_id == 8), "{kinds:?}");
    assert_eq!(kinds.len(), 3, "and the liquidations of both are unknown");
    state.line_event(Source::Market, LineEvent::Up { connection: 2 }, at(300));
    state.line_event(Source::Market, frames(&[trade(11)]), at(400));
    taken(&mut state);
    let requests = state.upkeep(at(500));
    assert_eq!(requests, [BackfillRequest { instrument: BTC, from_id: 9, limit: 2 }]);
    let missing = |id| Trade {
        instrument: BTC,
        id,
        ts: at(250),
        price: "100".parse().unwrap(),
        qty: "1".parse().unwrap(),
        taker_side: Side::Sell,
    };
    state.answered(BTC, Ok(vec![missing(9), missing(10)]), at(600));
    let kinds = taken(&mut state);
    let [EventKind::Backfill(found)] = &kinds[..] else { panic!("{kinds:?}") };
    assert_eq!(found.trades.len(), 2);
    assert_eq!(state.counters.lost_connections["market"], 1);
}

#[test]
fn a_request_that_fails_is_counted_and_asked_again() {
    let mut state = State::new(&config());
    state.line_event(Source::Market, LineEvent::Up { connection: 1 }, at(0));
    state.line_event(Source::Market, frames(&[trade(1), trade(5)]), at(1));
    assert_eq!(state.upkeep(at(2)).len(), 1);
    let error = VenueError::Disconnected("gone".into());
    state.answered(BTC, Err(error), at(3));
    assert_eq!(state.counters.failed_requests["missing trades"], 1);
    assert!(state.counters.last_failure.as_ref().unwrap().contains("gone"));
    assert_eq!(state.upkeep(at(4)).len(), 0, "not at once");
    assert_eq!(state.upkeep(at(60_000)).len(), 1);
}

#[test]
fn the_premium_is_told_once_a_second_from_its_three_legs() {
    let mut state = State::new(&config());
    let book = r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"100","B":"1","a":"100","A":"1"}}"#;
    let ticker = |product: &str, price: &str| {
        format!(
            r#"{{"type":"ticker","sequence":1,"product_id":"{product}","price":"{price}","best_bid":"{price}","best_ask":"{price}","time":"2023-11-14T22:13:20.000000Z"}}"#
        )
    };
    state.line_event(Source::Spot, frames(&[book.to_owned()]), at(0));
    let legs = [ticker("BTC-USD", "101"), ticker("USDT-USD", "1")];
    state.line_event(Source::Coinbase, frames(&legs), at(0));
    assert!(taken(&mut state).is_empty(), "a reference price is no quote of an instrument");
    state.upkeep(at(1_000));
    let kinds = taken(&mut state);
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
    let mut state = State::new(&config);
    state.line_event(Source::Market, LineEvent::Up { connection: 1 }, at(0));
    taken(&mut state);
    state.line_event(Source::Market, frames(&[trade(103)]), at(1));
    let kinds = taken(&mut state);
    assert!(matches!(kinds[0], EventKind::Gap(gap) if gap.after_id == 100), "{kinds:?}");
    assert_eq!(state.upkeep(at(2))[0].from_id, 101);
}
