//! What answers carry beside their bodies: tags, ages, compression.

use std::io::Read as _;
use std::sync::Arc;

use arb_core::port::{Mode, RateSnapshot};
use axum::http::{Method, StatusCode};

use crate::caller::{Caller, request};
use crate::desk::view;
use crate::fixture::{Fixture, at, price};

/// Endpoints with an age, and how long a caller may keep their answers.
const AGED: [(&str, &str); 5] = [
    ("/api/rates", "public, max-age=3"),
    ("/api/stats", "private, max-age=60"),
    ("/api/stats/ytd", "private, max-age=3600"),
    ("/api/history?days=3", "private, max-age=60"),
    ("/api/funding/opportunities", "private, max-age=10"),
];

#[tokio::test]
async fn an_answer_that_may_be_kept_says_how_long_and_is_not_sent_twice() {
    let caller = Caller::of(&Fixture::new().await);
    for (path, age) in AGED {
        let first = caller.get(path, "viewer").await;
        assert_eq!(
            (first.status, first.headers["cache-control"].to_str().unwrap()),
            (StatusCode::OK, age)
        );
        let etag = first.headers["etag"].clone();
        assert!(!etag.to_str().unwrap().starts_with("W/"), "a strong tag");
        let mut again = request(Method::GET, path, "viewer", None);
        again.headers_mut().insert("if-none-match", etag.clone());
        let again = caller.send(again).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
        assert_eq!(again.headers["etag"], etag);
        assert_eq!(again.headers["cache-control"], age);
    }
}

#[tokio::test]
async fn an_answer_about_the_account_is_kept_by_nobody() {
    let caller = Caller::of(&Fixture::new().await);
    for path in ["/api/me", "/api/paper/positions", "/api/live/risk-status", "/api/keys"] {
        let answer = caller.get(path, "user").await;
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn rates_are_written_anew_when_a_rate_has_changed_and_not_before() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    let first = caller.get("/api/rates", "").await;
    let mut next = view(Mode::Paper);
    next.rates = Arc::clone(&fixture.desk.view.lock().unwrap().rates);
    next.seq = 200;
    *fixture.desk.view.lock().unwrap() = Arc::new(next.clone());
    let second = caller.get("/api/rates", "").await;
    assert_eq!(second.headers["etag"], first.headers["etag"]);
    let moved = next.rates.iter().map(|row| RateSnapshot { mark_price: price("1.25"), ..*row });
    next.rates = moved.collect();
    *fixture.desk.view.lock().unwrap() = Arc::new(next);
    let third = caller.get("/api/rates", "").await;
    assert_ne!(third.headers["etag"], first.headers["etag"]);
    assert_eq!(third.json()["BTC"]["mark_price"], 1.25);
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_takes_it() {
    let caller = Caller::of(&Fixture::new().await);
    for path in ["/api/history?days=30", "/api/paper/stats"] {
        let plain = caller.get(path, "user").await;
        assert!(!plain.headers.contains_key("content-encoding"));
        let mut asked = request(Method::GET, path, "user", None);
        asked.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let response = tower::ServiceExt::oneshot(caller.0.clone(), asked).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        let varies = response.headers().get_all("vary").iter();
        let varies: Vec<&str> = varies.map(|value| value.to_str().unwrap()).collect();
        assert!(varies.join(",").contains("accept-encoding"), "{varies:?}");
        let packed = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(packed.len() < plain.text.len() / 2);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text);
    }
}

#[tokio::test]
async fn keys_are_coins_where_configured_and_parameters_take_both() {
    let caller = Caller::of(&Fixture::new().await);
    let rates = caller.get("/api/rates", "").await.json();
    let keys: Vec<&String> = rates.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["BTC", "DOGEUSDT", "ETH"]);
    let by_coin = caller.get("/api/trades/latest?symbol=BTC&limit=1", "viewer").await;
    let by_symbol = caller.get("/api/trades/latest?symbol=BTCUSDT&limit=1", "viewer").await;
    let small = caller.get("/api/trades/latest?symbol=btc&limit=1", "viewer").await;
    assert_eq!((small.status, &small.text), (StatusCode::OK, &by_symbol.text));
    assert_eq!((by_coin.status, by_coin.text), (StatusCode::OK, by_symbol.text));
    let unlisted = caller.get("/api/trades/latest?symbol=DOGE", "viewer").await;
    assert_eq!(unlisted.status, StatusCode::NOT_FOUND, "it is not configured");
    let listed = caller.get("/api/trades/latest?symbol=DOGEUSDT", "viewer").await;
    assert_eq!(
        (listed.status, listed.json()["data"].as_array().unwrap().len()),
        (StatusCode::OK, 0)
    );
}

#[tokio::test]
async fn figures_of_the_process_are_told_to_who_may_see_them() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    caller.get("/api/users/1?secret=in-a-query", "viewer").await;
    assert_eq!(caller.get("/metrics", "").await.status, StatusCode::UNAUTHORIZED);
    let answer = caller.get("/metrics", "viewer").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let line = |line: &str| assert!(answer.text.lines().any(|each| each == line), "{line}");
    line("arb_events_total 1234");
    line("arb_http_requests_total{method=\"GET\",path=\"/api/users/{id}\",status=\"200\"} 1");
    line("arb_http_streams{kind=\"sse\"} 0");
    assert!(!answer.text.contains("in-a-query"));
}

/// Whether a source file under a folder has this text.
fn stands_in(folder: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => stands_in(&path, text),
            false => std::fs::read_to_string(&path).is_ok_and(|source| source.contains(text)),
        }
    })
}

#[test]
fn the_figures_that_the_monitoring_dashboard_draws_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("deploy/grafana/arb.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut names = std::collections::BTreeSet::new();
    for target in targets {
        let expression = target["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.extend(words.filter(|word| word.starts_with("arb_")).map(str::to_owned));
    }
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let literal = format!("\"{}\"", name.trim_end_matches("_bucket"));
        let folders = ["src", "arb-http/src", "arb-binance/src"].map(|folder| root.join(folder));
        assert!(folders.iter().any(|folder| stands_in(folder, &literal)), "{name}");
    }
}

#[tokio::test]
async fn of_a_span_that_is_too_long_the_newest_part_is_told() {
    let caller = Caller::of(&Fixture::new().await);
    let bars = async |query: &str| {
        let path = format!("/api/trades/summary?symbol=BTC&{query}");
        let answer = caller.get(&path, "viewer").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        answer.json()["data"].as_array().unwrap().clone()
    };
    let hour = bars("").await;
    assert_eq!(hour.len(), 10, "the fixture has trades of ten minutes");
    let (now, day) = (at(0).as_millis(), 24 * 3_600_000);
    assert_eq!(bars("start_ms=0").await, hour, "down to now");
    assert_eq!(bars(&format!("end_ms={now}&start_ms={}", now - 3 * day)).await, hour);
    assert_eq!(bars(&format!("end_ms={}&start_ms=0", now + day - 300_000)).await.len(), 6);
    let weeks = bars(&format!("interval=1w&start_ms=0&end_ms={}", now + 6 * day)).await;
    assert_eq!(weeks.len(), 1, "seven days by bars of an hour and more");
    assert_eq!(bars("start_ms=5&end_ms=1").await, hour[..0]);
}

#[tokio::test]
async fn a_strategy_that_nobody_knows_has_no_summary() {
    let caller = Caller::of(&Fixture::new().await);
    let answer = caller.get("/api/paper/summary?strategy=nope", "user").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    let answer = caller.get("/api/paper/summary?strategy=v51_baseline", "user").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}
