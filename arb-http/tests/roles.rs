//! Every route for every caller.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::caller::{Caller, request};
use crate::fixture::Fixture;

const PUBLIC: u8 = 0;
const VIEWER: u8 = 1;
const USER: u8 = 2;
const TRADER: u8 = 3;
const ADMIN: u8 = 4;

/// The lowest role that each operation serves.
const TABLE: &[(&str, &str, u8)] = &[
    ("get", "/api/health", PUBLIC),
    ("get", "/api/rates", PUBLIC),
    ("post", "/api/register", PUBLIC),
    ("post", "/api/login", PUBLIC),
    ("post", "/api/refresh", PUBLIC),
    ("post", "/api/logout", VIEWER),
    ("get", "/api/me", VIEWER),
    ("get", "/api/keys", VIEWER),
    ("post", "/api/keys", VIEWER),
    ("delete", "/api/keys/{id}", VIEWER),
    ("get", "/api/invites", ADMIN),
    ("post", "/api/invites", ADMIN),
    ("get", "/api/users", ADMIN),
    ("get", "/api/users/{id}", ADMIN),
    ("patch", "/api/users/{id}", ADMIN),
    ("get", "/api/audit", ADMIN),
    ("get", "/api/snapshots", VIEWER),
    ("get", "/api/kline", VIEWER),
    ("get", "/api/stats", VIEWER),
    ("get", "/api/stats/ytd", VIEWER),
    ("get", "/api/history", VIEWER),
    ("get", "/api/funding/opportunities", VIEWER),
    ("get", "/api/signals/latest", VIEWER),
    ("get", "/api/signals/latest-v52", VIEWER),
    ("get", "/api/signals/history", VIEWER),
    ("get", "/api/signals/indicators", VIEWER),
    ("get", "/api/signals/market-indicators", VIEWER),
    ("get", "/api/trades/meta", VIEWER),
    ("get", "/api/trades/summary", VIEWER),
    ("get", "/api/trades/latest", VIEWER),
    ("get", "/api/trades.arrow", VIEWER),
    ("get", "/api/paper/summary", USER),
    ("get", "/api/paper/positions", USER),
    ("get", "/api/paper/trades", USER),
    ("get", "/api/paper/equity-curve", USER),
    ("get", "/api/paper/stats", USER),
    ("get", "/api/paper/stats-by-strategy", USER),
    ("get", "/api/paper/config", USER),
    ("put", "/api/paper/config", TRADER),
    ("get", "/api/live/summary", USER),
    ("get", "/api/live/positions", USER),
    ("get", "/api/live/trades", USER),
    ("get", "/api/live/equity-curve", USER),
    ("get", "/api/live/stats", USER),
    ("get", "/api/live/stats-by-strategy", USER),
    ("get", "/api/live/config", USER),
    ("put", "/api/live/config", TRADER),
    ("get", "/api/live/account", USER),
    ("get", "/api/live/risk-status", USER),
    ("get", "/api/live/events", USER),
    ("get", "/api/live/carry", USER),
    ("get", "/api/live/reconciliation", USER),
    ("get", "/api/live/execution-quality", USER),
    ("post", "/api/live/pause", TRADER),
    ("post", "/api/live/resume", TRADER),
    ("post", "/api/live/emergency-close", TRADER),
    ("post", "/api/live/reset-halt", ADMIN),
    ("get", "/api/stream", VIEWER),
    // Its token may come in the first message, which the streams' own tests look at.
    ("get", "/api/ws", PUBLIC),
];

/// Tokens and the rights they give; an API key has those of its scopes.
const CALLERS: &[(&str, u8)] = &[
    ("", PUBLIC),
    ("forged", PUBLIC),
    ("viewer", VIEWER),
    ("user", USER),
    ("trader", TRADER),
    ("admin", ADMIN),
    ("key-read", USER),
    ("key-trade", TRADER),
    ("key-admin", ADMIN),
];

fn documented() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&arb_http::openapi_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(move |method| (method.clone(), path.clone()))
    });
    operations.collect()
}

#[test]
fn every_route_has_a_line_in_the_table() {
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(table.len(), TABLE.len(), "no line twice");
    assert_eq!(table, documented());
}

#[tokio::test]
async fn every_route_serves_whom_it_should_and_nobody_else() {
    for (method, path, needed) in TABLE {
        for (token, has) in CALLERS {
            // A fresh host each time: some of these calls change something.
            let caller = Caller::of(&Fixture::new().await);
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let body = (method != Method::GET && method != Method::DELETE).then_some("{}");
            // Nobody has this number, so nobody asks for himself.
            let path = path.replace("{id}", "5");
            let answer = caller.send(request(method.clone(), &path, token, body)).await;
            let told = format!("{method} {path} as {token:?}: {} {}", answer.status, answer.text);
            if has >= needed {
                let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
                assert!(!refused.contains(&answer.status), "{told}");
                assert!(!answer.status.is_server_error(), "{told}");
            } else if *has == PUBLIC {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{told}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer", "{told}");
                assert!(!answer.detail().is_empty());
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{told}");
                assert!(!answer.detail().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_let_in_learns_nothing_of_the_request() {
    let caller = Caller::of(&Fixture::new().await);
    for path in ["/api/kline", "/api/kline?symbol=NONE", "/api/users/x", "/api/users/99"] {
        let answer = caller.get(path, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let answer = caller.post("/api/live/pause", "viewer", "not json").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_token_counts_in_its_header_alone() {
    let caller = Caller::of(&Fixture::new().await);
    for path in [
        "/api/me?token=admin",
        "/api/me?access_token=admin",
        "/api/me?authorization=Bearer%20admin",
    ] {
        assert_eq!(caller.get(path, "").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for scheme in ["Basic admin", "Beareradmin", "Bearer", "Bearer ", "admin"] {
        let mut asked = request(Method::GET, "/api/me", "", None);
        asked.headers_mut().insert("authorization", scheme.parse().unwrap());
        assert_eq!(caller.send(asked).await.status, StatusCode::UNAUTHORIZED, "{scheme:?}");
    }
    let mut asked = request(Method::GET, "/api/me", "", None);
    asked.headers_mut().insert("authorization", "bearer admin".parse().unwrap());
    assert_eq!(caller.send(asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_reads_oneself_and_an_admin_anybody() {
    let caller = Caller::of(&Fixture::new().await);
    assert_eq!(caller.get("/api/users/1", "viewer").await.status, StatusCode::OK);
    assert_eq!(caller.get("/api/users/2", "viewer").await.status, StatusCode::FORBIDDEN);
    assert_eq!(caller.get("/api/users/2", "admin").await.status, StatusCode::OK);
    assert_eq!(caller.get("/api/users/99", "admin").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn topics_about_the_account_take_the_role_that_its_endpoints_take() {
    let caller = Caller::of(&Fixture::new().await);
    for (topics, token, status) in [
        ("positions", "viewer", 403),
        ("rates,risk", "viewer", 403),
        ("rates,signals,indicators,trades", "viewer", 200),
        ("positions,risk", "user", 200),
        ("positions,risk", "key-read", 200),
    ] {
        let answer = caller.get(&format!("/api/stream?topics={topics}"), token).await;
        assert_eq!(answer.status.as_u16(), status, "{topics} as {token}");
    }
}
