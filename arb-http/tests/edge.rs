//! What every answer has, whatever happened.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arb_core::port::Mode;
use axum::http::{Method, StatusCode};
use tracing_subscriber::fmt::MakeWriter;

use crate::caller::{Caller, request};
use crate::failing::Failing;
use crate::fixture::Fixture;

#[tokio::test]
async fn every_answer_is_guarded() {
    let caller = Caller::of(&Fixture::new().await);
    for path in ["/api/health", "/api/me", "/api/nothing", "/docs/", "/metrics"] {
        let answer = caller.get(path, "").await;
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!header("x-request-id").is_empty(), "{path}");
        assert!(answer.headers.contains_key("cache-control"), "{path}");
        assert!(!answer.headers.contains_key("server"), "{path}");
    }
}

#[tokio::test]
async fn pages_of_configured_origins_may_call_and_no_others() {
    let caller = Caller::of(&Fixture::new().await);
    let preflight = |origin: &str| {
        let mut asked = request(Method::OPTIONS, "/api/paper/config", "", None);
        let headers = asked.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("access-control-request-method", "PUT".parse().unwrap());
        let wanted = "authorization,content-type,idempotency-key";
        headers.insert("access-control-request-headers", wanted.parse().unwrap());
        asked
    };
    for origin in ["http://localhost:3000", "http://localhost:3001"] {
        let answer = caller.send(preflight(origin)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["access-control-allow-origin"], origin);
        let allowed = answer.headers["access-control-allow-methods"].to_str().unwrap();
        assert!(allowed.contains("PUT"), "{allowed}");
        let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"));
    }
    for origin in ["http://localhost:3002", "https://localhost:3000", "http://evil.example", "null"]
    {
        let answer = caller.send(preflight(origin)).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    let mut asked = request(Method::GET, "/api/rates", "", None);
    asked.headers_mut().insert("origin", "http://localhost:3000".parse().unwrap());
    let answer = caller.send(asked).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "http://localhost:3000");
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("etag") && exposed.contains("x-request-id"), "{exposed}");
    let mut refused = request(Method::GET, "/api/me", "", None);
    refused.headers_mut().insert("origin", "http://localhost:3000".parse().unwrap());
    let refused = caller.send(refused).await;
    assert_eq!(
        refused.headers["access-control-allow-origin"], "http://localhost:3000",
        "so that the page can read why"
    );
}

#[tokio::test]
async fn a_tag_is_that_of_the_bytes_sent_and_caches_are_told_what_answers_depend_on() {
    let caller = Caller::of(&Fixture::new().await);
    let plain = caller.get("/api/rates", "").await;
    let mut asked = request(Method::GET, "/api/rates", "", None);
    asked.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let packed = caller.send(asked).await;
    let is_packed = packed.headers.contains_key("content-encoding");
    assert_eq!(plain.headers["etag"] == packed.headers["etag"], !is_packed);
    for answer in [plain, packed] {
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        let vary =
            vary.iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
        assert!(vary.contains("accept-encoding") && vary.contains("origin"), "{vary}");
    }
}

const READS: &[&str] = &[
    "/api/stats",
    "/api/stats/ytd",
    "/api/history",
    "/api/funding/opportunities",
    "/api/snapshots",
    "/api/kline?symbol=BTC",
    "/api/signals/history",
    "/api/signals/indicators?symbol=BTC",
    "/api/signals/market-indicators?symbol=BTC",
    "/api/trades/meta",
    "/api/trades/latest?symbol=BTC",
    "/api/trades/summary?symbol=BTC",
    "/api/trades.arrow?symbol=BTC",
    "/api/paper/summary",
    "/api/paper/positions",
    "/api/paper/trades",
    "/api/live/events",
    "/api/live/carry",
];

#[tokio::test]
async fn a_store_that_fails_is_our_fault_and_nobody_learns_its_secrets() {
    for (kind, status) in [("corrupt", 500), ("unavailable", 503)] {
        let fixture = Fixture::over(Arc::new(Failing::new(kind)), Mode::Paper);
        let caller = Caller::of(&fixture);
        for path in READS {
            let answer = caller.get(path, "admin").await;
            assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
            let detail = answer.detail();
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert!(detail.contains(id), "{path}: {detail}");
            for secret in ["/var/lib", "arb.db", "hunter2", "agg_trades", "corrupt"] {
                assert!(!answer.text.contains(secret), "{path}: {}", answer.text);
            }
            let retry = answer.headers.contains_key("retry-after");
            assert_eq!(retry, status == 503, "{path}");
        }
    }
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let caller = Caller::of(&Fixture::new().await);
    let answer = caller.get("/api/me", "panics").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text.contains("as the test wants it"), "{}", answer.text);
    assert!(answer.detail().contains(answer.headers["x-request-id"].to_str().unwrap()));
    assert_eq!(caller.get("/api/me", "viewer").await.status, StatusCode::OK, "the host lives on");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_in_time_is_given_up() {
    let caller = Caller::of(&Fixture::new().await);
    let answer = caller.get("/api/me", "waits").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_what_happened_and_no_secret() {
    let lines = Lines::default();
    let writer = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false);
    let subscriber = writer.with_max_level(tracing::Level::TRACE).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fixture = Fixture::over(Arc::new(Failing::new("corrupt")), Mode::Paper);
    let caller = Caller::of(&fixture);
    let body = r#"{"email":"user@example.com","password":"hunter-two-secret"}"#;
    caller.post("/api/login?hidden=query-secret", "", body).await;
    caller.get("/api/me?hidden=query-secret", "forged-secret").await;
    let failed = caller.get("/api/trades/meta", "admin").await;
    let id = failed.headers["x-request-id"].to_str().unwrap();
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/api/login") && log.contains("status=401"), "{log}");
    let line = log.lines().find(|line| line.contains("ERROR")).unwrap();
    assert!(line.contains(id) && line.contains("/var/lib/arb.db"), "the cause is here: {line}");
    for secret in
        ["hunter-two-secret", "query-secret", "forged-secret", "Bearer", "user@example.com"]
    {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn expensive_reads_wait_for_their_turn_and_are_then_given_up() {
    let mut fixture = Fixture::over(Arc::new(Failing::new("hangs")), Mode::Paper);
    fixture.options.max_heavy_reads = 1;
    fixture.options.request_timeout = Duration::from_secs(600);
    let caller = Caller::of(&fixture);
    let (first, second) =
        (caller.get("/api/paper/stats", "user"), caller.get("/api/paper/stats", "user"));
    tokio::select! {
        // The first one is asked first, and has the only turn.
        biased;
        answer = first => panic!("{answer:?}"),
        answer = second => {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers["retry-after"], "5");
        }
    }
}
