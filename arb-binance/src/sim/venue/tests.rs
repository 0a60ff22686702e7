//! Claims about the machine.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::*;
use crate::sim::{MarketConfig, symbol};

const EPOCH: i64 = 1_790_000_000_000;
const ME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FLOW: &str = "streams=btcusdt@aggTrade";

fn venue(faults: &str) -> Venue {
    let specs = ["BTCUSDT", "ETHUSDT"].map(symbol).to_vec();
    let config = MarketConfig::new(7, Timestamp::from_millis(EPOCH), specs);
    let market = Arc::new(SimMarket::new(config).unwrap());
    let faults = FaultPlan::parse(faults).unwrap();
    Venue::new(market, VenueConfig { faults, ..VenueConfig::default() })
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(EPOCH + ms)
}

fn open(venue: &mut Venue, path: &str, query: &str, ms: i64) -> ConnectionId {
    venue.open(&Handshake { path, query, ip: ME }, at(ms)).unwrap()
}

/// What the connections get until a time, looked at every `step` milliseconds.
fn said(venue: &mut Venue, until: i64, step: i64) -> Vec<(ConnectionId, String)> {
    let mut said = Vec::new();
    let mut out = Outbox::default();
    let from = venue.now - EPOCH;
    let mut now = from;
    while now < until {
        now = (now + step).min(until);
        venue.tick(at(now), &mut out);
        let texts = out.texts();
        said.extend(texts.map(|(id, text)| (id, String::from_utf8(text.to_vec()).unwrap())));
        out.clear();
    }
    said
}

fn data(frames: &[(ConnectionId, String)]) -> Vec<Value> {
    let value = |(_, text): &(ConnectionId, String)| {
        serde_json::from_str::<Value>(text).unwrap()["data"].clone()
    };
    frames.iter().map(value).collect()
}

fn get(venue: &mut Venue, path: &str, query: &str, ms: i64) -> Answer {
    venue.request(&Request { method: "GET", path, query, ip: ME }, at(ms))
}

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

fn ids(trades: &[Value]) -> Vec<u64> {
    trades.iter().map(|trade| trade["a"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_said_does_not_depend_on_how_often_the_venue_is_ticked() {
    let all = |step| {
        let mut venue = venue("{}");
        let streams = "streams=btcusdt@aggTrade/ethusdt@depth@100ms/!markPrice@arr@1s\
                       /btcusdt@kline_1m";
        open(&mut venue, "/market/stream", streams, 0);
        open(&mut venue, "/public/stream", "streams=btcusdt@bookTicker/ethusdt@depth@100ms", 0);
        said(&mut venue, 20_000, step)
    };
    let often = all(7);
    assert!(often.len() > 500, "{}", often.len());
    for step in [50, 333, 20_000] {
        assert!(often == all(step), "every {step} ms");
    }
}

#[test]
fn streamed_trades_are_those_of_the_requests() {
    let mut venue = venue("{}");
    open(&mut venue, "/market/stream", FLOW, 0);
    let streamed = data(&said(&mut venue, 60_000, 100));
    let told = ids(&streamed);
    assert!(told.len() > 100 && told.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let query = format!("symbol=BTCUSDT&fromId={}&limit={}", told[0], told.len());
    let asked = body(&get(&mut venue, "/fapi/v1/aggTrades", &query, 61_000));
    for (streamed, asked) in streamed.iter().zip(asked.as_array().unwrap()) {
        for key in ["a", "p", "q", "f", "l", "T", "m"] {
            assert_eq!(streamed[key], asked[key], "{key} of {streamed}");
        }
    }
    let volume = |trades: &[Value]| -> f64 {
        trades.iter().map(|t| t["q"].as_str().unwrap().parse::<f64>().unwrap()).sum()
    };
    let query = format!("symbol=BTCUSDT&interval=1m&startTime={EPOCH}&limit=1");
    let bar = body(&get(&mut venue, "/fapi/v1/klines", &query, 125_000))[0].clone();
    let (open, close) = (bar[0].as_i64().unwrap(), bar[6].as_i64().unwrap());
    let mut query = format!("symbol=BTCUSDT&startTime={open}&limit=1000");
    let mut sum = 0.0;
    loop {
        let page = body(&get(&mut venue, "/fapi/v1/aggTrades", &query, 125_000));
        let page = page.as_array().unwrap();
        let of_bar = page.iter().take_while(|t| t["T"].as_i64().unwrap() <= close);
        let of_bar: Vec<Value> = of_bar.cloned().collect();
        sum += volume(&of_bar);
        if of_bar.len() < page.len() {
            break;
        }
        query = format!("symbol=BTCUSDT&fromId={}&limit=1000", ids(page).last().unwrap() + 1);
    }
    let own = bar[5].as_str().unwrap().parse::<f64>().unwrap();
    assert!((sum - own).abs() < 1e-6, "a bar sums its trades: {own}, {sum}");
}

#[test]
fn depth_updates_join_the_snapshot_and_each_other() {
    let mut venue = venue("{}");
    open(&mut venue, "/public/stream", "streams=btcusdt@depth@100ms", 0);
    let before = data(&said(&mut venue, 1_000, 50));
    let snapshot = body(&get(&mut venue, "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000", 1_050));
    let last = snapshot["lastUpdateId"].as_u64().unwrap();
    let after = data(&said(&mut venue, 5_000, 50));
    let all: Vec<&Value> = before.iter().chain(&after).collect();
    let id = |update: &Value, key: &str| update[key].as_u64().unwrap();
    assert!(all.windows(2).all(|pair| id(pair[1], "pu") == id(pair[0], "u")));
    let first = all.iter().find(|update| id(update, "u") >= last).unwrap();
    assert!(id(first, "U") <= last && last <= id(first, "u"), "the snapshot lies within one");
}

#[test]
fn a_stream_is_silent_on_a_route_that_does_not_carry_it() {
    for (path, stream, speaks) in [
        ("/market/stream", "btcusdt@aggTrade", true),
        ("/public/stream", "btcusdt@aggTrade", false),
        ("/public/stream", "btcusdt@bookTicker", true),
        ("/market/stream", "btcusdt@bookTicker", false),
        ("/stream", "btcusdt@aggTrade", false),
        ("/stream", "btcusdt@bookTicker", true),
        ("/private/stream", "btcusdt@aggTrade", false),
        ("/market/stream", "nopeusdt@aggTrade", false),
    ] {
        let mut venue = venue("{}");
        open(&mut venue, path, &format!("streams={stream}"), 0);
        assert_eq!(!said(&mut venue, 5_000, 100).is_empty(), speaks, "{path} {stream}");
    }
    let refused = venue("{}").open(&Handshake { path: "/nothing", query: "", ip: ME }, at(0));
    assert_eq!(refused.unwrap_err().status, 404);
}

#[test]
fn messages_subscribe_list_and_end_streams() {
    let mut venue = venue("{}");
    let id = open(&mut venue, "/market/stream", "", 0);
    let ask = |venue: &mut Venue, text: &str, ms: i64| {
        let mut out = Outbox::default();
        venue.receive(id, text, at(ms), &mut out);
        let text = out.texts().next().unwrap().1.to_vec();
        serde_json::from_slice::<Value>(&text).unwrap()
    };
    let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":3}"#;
    assert_eq!(ask(&mut venue, text, 10), serde_json::json!({ "result": null, "id": 3 }));
    assert!(!said(&mut venue, 5_000, 100).is_empty());
    let listed = ask(&mut venue, r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#, 5_000);
    assert_eq!(listed["result"], serde_json::json!(["btcusdt@aggTrade"]));
    let text = r#"{"method":"UNSUBSCRIBE","params":["btcusdt@aggTrade"],"id":5}"#;
    ask(&mut venue, text, 5_010);
    assert!(said(&mut venue, 10_000, 100).is_empty());
    for wrong in ["nonsense", r#"{"method":"SING","id":6}"#] {
        assert!(ask(&mut venue, wrong, 10_000)["error"]["code"].is_number(), "{wrong}");
    }
    let mut out = Outbox::default();
    (0..20).for_each(|_| venue.receive(id, text, at(11_000), &mut out));
    assert!(out.items().iter().any(|item| item.action == Action::Close(1_008)), "too many");
}

#[test]
fn a_day_of_history_lies_before_the_start() {
    let mut venue = venue("{}");
    let from = EPOCH - 86_400_000;
    let query = format!("symbol=ETHUSDT&startTime={from}&endTime={}&limit=1000", from + 60_000);
    assert!(
        !body(&get(&mut venue, "/fapi/v1/aggTrades", &query, 0)).as_array().unwrap().is_empty()
    );
    let query = format!("symbol=ETHUSDT&interval=1h&startTime={from}&limit=24");
    assert_eq!(body(&get(&mut venue, "/fapi/v1/klines", &query, 0)).as_array().unwrap().len(), 24);
}

#[test]
fn each_fault_does_what_it_says() {
    let trades = |fault: &str| {
        let mut venue = venue(&format!(r#"{{"seed": 3, "faults": [{fault}]}}"#));
        open(&mut venue, "/market/stream", FLOW, 0);
        (ids(&data(&said(&mut venue, 30_000, 50))), venue)
    };
    let (whole, _) = trades(r#"{"kind":"status","status":503,"path":"/none"}"#);
    let ascends = |ids: &[u64]| ids.windows(2).all(|pair| pair[0] < pair[1]);
    let (dropped, venue) = trades(r#"{"kind":"drop","percent":30,"for_ms":30000}"#);
    assert!(ascends(&dropped) && dropped.len() < whole.len());
    assert_eq!(venue.counters().lost_frames, (whole.len() - dropped.len()) as u64);
    let (twice, _) = trades(r#"{"kind":"duplicate","percent":30,"for_ms":30000}"#);
    assert!(twice.len() > whole.len() && twice.iter().all(|id| whole.contains(id)));
    let (reordered, _) = trades(r#"{"kind":"reorder","percent":30,"for_ms":29000}"#);
    assert!(!ascends(&reordered), "a frame came after its successor");
    let (delayed, _) = trades(r#"{"kind":"delay","ms":2000,"at_ms":5000,"for_ms":5000}"#);
    assert_eq!(delayed.len(), whole.len(), "delayed frames are not lost");
    let (silent, venue) = trades(r#"{"kind":"silent","at_ms":10000,"for_ms":60000}"#);
    assert!(silent.len() < whole.len() && venue.open_connections() == 1);
    let (cut, venue) = trades(r#"{"kind":"cut","at_ms":10000}"#);
    assert!(cut.len() < whole.len() && venue.open_connections() == 0);
    let (away, mut venue) = trades(r#"{"kind":"restart","at_ms":10000,"for_ms":60000}"#);
    assert!(away.len() < whole.len() && venue.open_connections() == 0);
    assert_eq!(get(&mut venue, "/fapi/v1/time", "", 30_000).status, 503);
    let handshake = Handshake { path: "/market/stream", query: FLOW, ip: ME };
    assert_eq!(venue.open(&handshake, at(30_000)).unwrap_err().status, 503);
}

#[test]
fn every_status_is_answered_as_the_venue_does_and_ends_with_its_fault() {
    for (status, says, retry_after) in [
        (403, "", None),
        (418, "banned until", Some(1)),
        (429, "Too many requests", Some(1)),
        (451, "", None),
        (503, "", None),
    ] {
        let fault = format!(
            r#"{{"faults":[{{"kind":"status","status":{status},"path":"/fapi","for_ms":1000}}]}}"#
        );
        let mut away = venue(&fault);
        said(&mut away, 10, 10);
        let answer = get(&mut away, "/fapi/v1/time", "", 10);
        assert_eq!((answer.status, answer.retry_after), (status, retry_after));
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains(says), "{status}: {text}");
        let elsewhere = Handshake { path: "/market/stream", query: FLOW, ip: ME };
        assert!(away.open(&elsewhere, at(10)).is_ok(), "streams go on beside refused requests");
        assert_eq!(get(&mut away, "/api/v3/time", "", 10).status, 200, "another path");
        said(&mut away, 2_000, 10);
        assert_eq!(get(&mut away, "/fapi/v1/time", "", 2_000).status, 200);
    }
}

#[test]
fn handshakes_are_refused_with_every_status_where_a_fault_names_their_path() {
    for status in [403, 418, 429, 451, 503] {
        let fault = format!(
            r#"{{"faults":[{{"kind":"status","status":{status},"path":"/market","for_ms":1000}}]}}"#
        );
        let mut away = venue(&fault);
        said(&mut away, 10, 10);
        let handshake = |path| Handshake { path, query: FLOW, ip: ME };
        assert_eq!(away.open(&handshake("/market/stream"), at(10)).unwrap_err().status, status);
        assert!(away.open(&handshake("/public/stream"), at(10)).is_ok());
        said(&mut away, 2_000, 10);
        assert!(away.open(&handshake("/market/stream"), at(2_000)).is_ok());
    }
}

#[test]
fn a_half_open_connection_stays_and_neither_says_nor_hears_anything() {
    let mut venue = venue(
        r#"{"faults":[{"kind":"half_open","at_ms":5000,"for_ms":60000,"stream":"btcusdt"}]}"#,
    );
    let frozen = open(&mut venue, "/market/stream", FLOW, 0);
    let alive = open(&mut venue, "/market/stream", "streams=ethusdt@aggTrade", 0);
    let before = said(&mut venue, 5_000, 50);
    assert!(before.iter().any(|(id, _)| *id == frozen));
    let after = said(&mut venue, 30_000, 50);
    assert!(after.iter().all(|(id, _)| *id != frozen), "nothing comes any more");
    assert!(after.iter().any(|(id, _)| *id == alive), "others are not concerned");
    assert_eq!(venue.open_connections(), 2);
    let mut out = Outbox::default();
    venue.receive(frozen, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#, at(30_000), &mut out);
    assert_eq!(out.texts().count(), 0);
    venue.receive(alive, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#, at(30_000), &mut out);
    assert_eq!(out.texts().count(), 1);
}

#[test]
fn a_stale_book_comes_from_a_fault_too() {
    let mut stale = venue(r#"{"faults":[{"kind":"stale_depth","ms":5000,"for_ms":9000}]}"#);
    let mut fresh = venue("{}");
    let id = |venue: &mut Venue| {
        said(venue, 8_000, 100);
        let book = body(&get(venue, "/fapi/v1/depth", "symbol=BTCUSDT&limit=5", 8_000));
        book["lastUpdateId"].as_u64().unwrap()
    };
    assert!(id(&mut stale) < id(&mut fresh));
}

#[test]
fn weight_is_told_and_too_much_of_it_is_refused() {
    let mut venue = venue("{}");
    assert_eq!(get(&mut venue, "/fapi/v1/time", "", 0).used_weight, 1);
    let query = "symbol=BTCUSDT&limit=1000";
    assert_eq!(get(&mut venue, "/fapi/v1/aggTrades", query, 1).used_weight, 21);
    let refused = (0..200)
        .map(|_| get(&mut venue, "/fapi/v1/aggTrades", query, 2))
        .find(|answer| answer.status != 200)
        .unwrap();
    assert_eq!(refused.status, 429);
    assert!(refused.retry_after.is_some_and(|seconds| (1..=60).contains(&seconds)));
    assert_eq!(get(&mut venue, "/fapi/v1/time", "", 120_000).status, 200, "in another minute");
}
