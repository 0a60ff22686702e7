//! Commands to the engine, and requests that come twice.

use arb_core::port::TradingSettings;
use arb_core::{Book, Command};
use axum::http::{Method, StatusCode};

use crate::caller::{Answer, Caller, request};
use crate::fixture::Fixture;

async fn keyed(caller: &Caller, path: &str, (token, key): (&str, &str), body: &str) -> Answer {
    let mut asked = request(Method::POST, path, token, Some(body));
    asked.headers_mut().insert("idempotency-key", key.parse().unwrap());
    caller.send(asked).await
}

#[tokio::test]
async fn a_trader_pauses_resumes_and_closes() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    for (path, body) in [
        ("pause", ""),
        ("resume", "{}"),
        ("emergency-close", ""),
        ("emergency-close", r#"{"book":"directional"}"#),
        ("emergency-close", r#"{"book":"carry"}"#),
        ("emergency-close", r#"{"book":"all"}"#),
    ] {
        let answer = caller.post(&format!("/api/live/{path}"), "trader", body).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::OK, r#"{"ok":true,"state":"active"}"#)
        );
    }
    assert_eq!(
        *fixture.desk.commands.lock().unwrap(),
        [
            Command::Pause,
            Command::Resume,
            Command::Flatten(None),
            Command::Flatten(Some(Book::Directional)),
            Command::Flatten(Some(Book::Carry)),
            Command::Flatten(None),
        ]
    );
}

#[tokio::test]
async fn whoever_acts_is_in_the_audit_log() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    let body = r#"{"reason":"looked at it"}"#;
    assert_eq!(caller.post("/api/live/reset-halt", "admin", body).await.status, StatusCode::OK);
    let audit = caller.get("/api/audit?limit=1", "admin").await.json();
    let entry = &audit["items"][0];
    assert_eq!((entry["user"].as_u64(), entry["action"].as_str()), (Some(4), Some("reset_halt")));
    assert!(entry["detail"].as_str().unwrap().contains("looked at it"));
    assert_eq!(entry["created_at"], "2024-06-05T12:00:00.000Z");
}

#[tokio::test]
async fn a_request_that_comes_twice_acts_once() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    let path = "/api/live/emergency-close";
    let first = keyed(&caller, path, ("trader", "a-1"), r#"{"book":"all"}"#).await;
    let second = keyed(&caller, path, ("trader", "a-1"), r#"{"book":"all"}"#).await;
    assert_eq!((first.status, first.text), (second.status, second.text));
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(fixture.desk.commands.lock().unwrap().len(), 1);
    let other = keyed(&caller, path, ("trader", "a-1"), r#"{"book":"carry"}"#).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.flaw().0, "header.idempotency-key");
    keyed(&caller, path, ("admin", "a-1"), r#"{"book":"carry"}"#).await;
    keyed(&caller, path, ("trader", "a-2"), r#"{"book":"carry"}"#).await;
    assert_eq!(fixture.desk.commands.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_comes_back_the_same() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    let body = r#"{"uses":2}"#;
    let first = keyed(&caller, "/api/invites", ("admin", "k"), body).await;
    let second = keyed(&caller, "/api/invites", ("admin", "k"), body).await;
    assert_eq!((first.status, first.text), (StatusCode::CREATED, second.text));
    let invites = caller.get("/api/invites", "admin").await.json();
    assert_eq!(invites["data"].as_array().unwrap().len(), 1);
    let refused = keyed(&caller, "/api/invites", ("trader", "k"), body).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let caller = Caller::of(&Fixture::new().await);
    for key in ["", &"x".repeat(256), "t\u{e4}st"] {
        let answer = keyed(&caller, "/api/live/pause", ("trader", key), "").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{key:?}");
    }
}

const SETTINGS: &str = r#"{"enabled":false,"enabled_strategies":["v52_8signals"],
    "initial_balance":12000.5,"risk_per_trade":0.012345678901234567,"max_positions":2,
    "tier_multiplier":{"light":0,"standard":1.0,"heavy":2e0}}"#;

async fn put(caller: &Caller, body: &str) -> Answer {
    caller.send(request(Method::PUT, "/api/paper/config", "trader", Some(body))).await
}

#[tokio::test]
async fn settings_reach_the_engine_to_the_digit() {
    let fixture = Fixture::new().await;
    let caller = Caller::of(&fixture);
    let answer = put(&caller, SETTINGS).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("\"risk_per_trade\":0.012345678901234567"));
    let taken: Vec<TradingSettings> = fixture.desk.settings.lock().unwrap().clone();
    assert_eq!(taken[0].risk_per_trade.to_string(), "0.012345678901234567");
    assert_eq!(taken[0].tier_multiplier.heavy, "2".parse().unwrap());
    let read = caller.get("/api/paper/config", "user").await;
    assert_eq!(read.text, answer.text);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_their_field() {
    let caller = Caller::of(&Fixture::new().await);
    for (from, to, place) in [
        ("\"enabled\":false,", "", "body.enabled"),
        (",\"heavy\":2e0", "", "body.tier_multiplier.heavy"),
        ("\"enabled\":false", "\"enabled\":\"no\"", "body.enabled"),
        ("12000.5", "\"12000.5\"", "body.initial_balance"),
        ("12000.5", "0", "body.initial_balance"),
        ("12000.5", "0.000000001", "body.initial_balance"),
        ("12000.5", "1e400", "body.initial_balance"),
        ("v52_8signals", "v99", "body.enabled_strategies"),
        ("\"heavy\":2e0", "\"heavy\":null", "body.tier_multiplier.heavy"),
        (r#"{"light":0,"standard":1.0,"heavy":2e0}"#, "[0,1,2]", "body.tier_multiplier"),
        ("\"heavy\":2e0", "\"heavy\":2,\"huge\":9", "body.tier_multiplier.huge"),
        ("\"max_positions\":2", "\"max_positions\":-2", "body.max_positions"),
    ] {
        let answer = put(&caller, &SETTINGS.replace(from, to)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{to}");
        assert_eq!(answer.flaw().0, place, "{to}: {}", answer.text);
    }
    let full = put(&caller, &SETTINGS.replace("v52_8signals", "disk")).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!full.text.contains("/var/lib") && !full.text.contains("device"), "{}", full.text);
}

#[tokio::test]
async fn what_needs_a_live_executor_says_why_it_does_not_answer() {
    let caller = Caller::of(&Fixture::new().await);
    for path in [
        "summary",
        "positions",
        "trades",
        "equity-curve",
        "stats",
        "stats-by-strategy",
        "config",
        "account",
        "reconciliation",
        "execution-quality",
    ] {
        let answer = caller.get(&format!("/api/live/{path}"), "user").await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
        let told = "no live executor runs: this node trades on paper, see /api/paper/…";
        assert_eq!(answer.detail(), told, "{path}");
    }
    let answer =
        caller.send(request(Method::PUT, "/api/live/config", "trader", Some(SETTINGS))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}
