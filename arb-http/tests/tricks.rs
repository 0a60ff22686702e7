//! Parameters that try to be something else.
//!
//! Over SQLite, where a statement built of texts would show.

use std::sync::Arc;

use arb_core::port::{Mode, Store};
use arb_store::sqlite::SqliteOptions;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use serde_json::Value;

use crate::caller::{Caller, request};
use crate::fixture::{Fixture, fill};

const TRICKS: &[&str] = &[
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "\" OR \"\"=\"",
    "BTCUSDT' UNION SELECT * FROM users--",
    "%_%",
    "../../etc/passwd",
    "..\\..\\windows",
    "/etc/passwd",
    "\u{0}",
    "BTC\u{0}USDT",
    "\r\nSet-Cookie: a=b",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "\u{202e}\u{feff}",
    "１２",
    "-0",
    "NaN",
    "1e9",
    "0x10",
    "9223372036854775808",
    "-9223372036854775809",
    "null",
    "[]",
    "true",
    "ＢＴＣ",
    "btcusdt",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Method, path, parameters with their places, whether it takes a body.
type Operation = (Method, String, Vec<(String, String)>, bool);

/// Every operation with the names of its parameters.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&arb_http::openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let empty = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&empty).iter();
            let names = parameters.map(|parameter| {
                let text = |key: &str| parameter[key].as_str().unwrap().to_owned();
                (text("in"), text("name"))
            });
            let has_body = operation.get("requestBody").is_some();
            all.push((method, path.clone(), names.collect(), has_body));
        }
    }
    all
}

async fn counted(store: &dyn Store) -> String {
    let report = store.check().await.unwrap();
    let catalog = store.catalog().await.unwrap();
    let users = store.users(0, 99).await.unwrap();
    format!("{report:?} {} {users:?}", catalog.iter().count())
}

#[tokio::test]
async fn no_parameter_is_anything_but_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap());
    fill(&*store).await;
    let fixture = Fixture::over(Arc::clone(&store) as _, Mode::Paper);
    let caller = Caller::of(&fixture);
    let before = counted(&*store).await;
    for (method, path, parameters, has_body) in operations() {
        for trick in TRICKS {
            for (place, name) in &parameters {
                let value = encoded(trick);
                let uri = match place.as_str() {
                    "path" => path.replace(&format!("{{{name}}}"), &value),
                    "query" if name == "symbol" => format!("{path}?symbol={value}"),
                    // What else is required is there, so that the value itself is looked at.
                    "query" => format!("{path}?symbol=BTC&{name}={value}"),
                    _ => continue,
                };
                let body = has_body.then_some("{}");
                let answer = caller.send(request(method.clone(), &uri, "admin", body)).await;
                let told = format!("{method} {uri}: {} {}", answer.status, answer.text);
                assert!(answer.status.is_success() || answer.status.is_client_error(), "{told}");
                assert!(!answer.headers.contains_key("set-cookie"), "{told}");
                assert!(!answer.text.contains("example.com\"") || path.contains("user"), "{told}");
            }
            if has_body {
                let text = serde_json::to_string(trick).unwrap();
                for body in [text.clone(), format!("{{{text}:{text}}}"), format!("[{text}]")] {
                    let uri = path.replace("{id}", "1");
                    let asked = request(method.clone(), &uri, "admin", Some(&body));
                    let answer = caller.send(asked).await;
                    assert!(
                        answer.status.is_client_error(),
                        "{method} {uri} {body}: {}",
                        answer.text
                    );
                }
            }
        }
    }
    assert_eq!(counted(&*store).await, before, "the store is as it was");
    assert!(fixture.desk.commands.lock().unwrap().is_empty(), "nobody acted");
}

#[tokio::test]
async fn texts_of_bodies_are_values_too() {
    let caller = Caller::of(&Fixture::new().await);
    for trick in TRICKS {
        let text = serde_json::to_string(trick).unwrap();
        let login = format!(r#"{{"email":{text},"password":{text}}}"#);
        assert_eq!(caller.post("/api/login", "", &login).await.status, 401, "{trick:?}");
        let refresh = format!(r#"{{"refresh_token":{text}}}"#);
        assert_eq!(caller.post("/api/refresh", "", &refresh).await.status, 401, "{trick:?}");
    }
}

#[tokio::test]
async fn an_id_of_a_request_is_told_back_only_when_it_is_harmless() {
    let caller = Caller::of(&Fixture::new().await);
    let ask = |id: &'static [u8]| {
        let id = HeaderValue::from_bytes(id).unwrap();
        Request::builder().uri("/api/health").header("x-request-id", id).body(Body::empty())
    };
    let answer = caller.send(ask(b"abc-1.2_3").unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "abc-1.2_3");
    let long: &[u8] = &[b'a'; 65];
    for wrong in [b"a b".as_slice(), b"<script>", b"a\tb", b"\xff\xfe", b"", long] {
        let answer = caller.send(ask(wrong.to_vec().leak()).unwrap()).await;
        let id = answer.headers["x-request-id"].as_bytes();
        assert_ne!(id, wrong);
        assert!(!id.is_empty() && id.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-'));
    }
}
