//! Requests that make no sense.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::caller::{Caller, request};
use crate::fixture::Fixture;

#[tokio::test]
async fn a_parameter_out_of_bounds_is_told_its_place_and_its_bounds() {
    let caller = Caller::of(&Fixture::new().await);
    for (path, place, words) in [
        ("/api/snapshots?hours=0", "query.hours", "from 1 to 720"),
        ("/api/snapshots?hours=1.5", "query.hours", ""),
        ("/api/snapshots?limit=99999999999999999999", "query.limit", ""),
        ("/api/kline", "query.symbol", "missing"),
        ("/api/kline?symbol=", "query.symbol", "1 to 40"),
        ("/api/kline?symbol=BTC&interval=2m", "query.interval", "1m"),
        ("/api/kline?symbol=BTC&symbol=ETH", "query", "duplicate field `symbol`"),
        ("/api/history?days=-1", "query.days", "from 1 to 366"),
        ("/api/signals/indicators?symbol=BTC&minutes=x", "query.minutes", ""),
        ("/api/trades/latest?symbol=BTC&limit=1001", "query.limit", "from 1 to 1000"),
        ("/api/trades/summary?symbol=BTC&start_ms=-1", "query.start_ms", "from 0"),
        ("/api/paper/trades?result=draw", "query.result", "`win`"),
        ("/api/users/0", "path.id", "from 1"),
        ("/api/users/x", "path.id", ""),
    ] {
        let answer = caller.get(path, "admin").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.text);
        let (loc, msg) = answer.flaw();
        assert_eq!(loc, place, "{path}: {msg}");
        assert!(msg.contains(words) && !msg.is_empty(), "{path}: {msg}");
        assert!(answer.json()["detail"][0]["type"].is_string());
    }
}

#[tokio::test]
async fn a_body_that_is_no_such_thing_is_refused() {
    let caller = Caller::of(&Fixture::new().await);
    for (body, place, kind) in [
        ("", "body", "json_invalid"),
        ("{", "body", "json_invalid"),
        ("[]", "body", "value_error"),
        ("null", "body", "value_error"),
        (r#"["a@b.c","x"]"#, "body", "value_error"),
        ("{} {}", "body.email", "value_error"),
        (r#"{"email":"a@b.c"}"#, "body.password", "value_error"),
        (r#"{"email":7,"password":"x"}"#, "body.email", "value_error"),
        (r#"{"email":"","password":"x"}"#, "body.email", "value_error"),
        (r#"{"email":"a@b.c","password":"x"} trailing"#, "body", "json_invalid"),
    ] {
        let answer = caller.post("/api/login", "", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.flaw().0, place, "{body}: {}", answer.text);
        assert_eq!(answer.json()["detail"][0]["type"], kind, "{body}");
    }
    let deep = format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(caller.post("/api/login", "", &deep).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let long = format!(r#"{{"email":"a@b.c","password":"{}"}}"#, "x".repeat(1_025));
    assert_eq!(caller.post("/api/login", "", &long).await.flaw().0, "body.password");
}

#[tokio::test]
async fn only_json_is_a_body() {
    let caller = Caller::of(&Fixture::new().await);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
        "multipart/form-data; boundary=x",
    ] {
        let mut asked = request(Method::POST, "/api/login", "", Some("{}"));
        asked.headers_mut().insert("content-type", kind.parse().unwrap());
        let answer = caller.send(asked).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
        assert!(answer.detail().contains("application/json"));
    }
    let mut asked = request(Method::POST, "/api/login", "", Some("{}"));
    asked.headers_mut().insert("content-type", "Application/JSON; charset=utf-8".parse().unwrap());
    assert_eq!(caller.send(asked).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut asked = request(Method::POST, "/api/live/pause", "trader", Some("{}"));
    asked.headers_mut().remove("content-type");
    assert_eq!(caller.send(asked).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_announced_or_not() {
    let caller = Caller::of(&Fixture::new().await);
    let body = format!(r#"{{"email":"{}","password":"x"}}"#, "x".repeat(70_000));
    let answer = caller.post("/api/login", "", &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.detail().contains("65536"));
    let chunks =
        futures_util::stream::iter((0..70).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_024])));
    let mut asked = request(Method::POST, "/api/login", "", Some(""));
    *asked.body_mut() = Body::from_stream(chunks);
    assert_eq!(caller.send(asked).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut asked = request(Method::GET, "/api/rates", "", None);
    asked.headers_mut().insert("content-length", "70000".parse().unwrap());
    assert_eq!(caller.send(asked).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed_are_told_in_the_same_form() {
    let caller = Caller::of(&Fixture::new().await);
    for path in
        ["/api", "/api/", "/api/nothing", "/api/rates/", "//api/rates", "/api/live", "/favicon.txt"]
    {
        let answer = caller.get(path, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.detail(), "there is nothing at this address");
    }
    for (method, path, allowed) in [
        (Method::POST, "/api/rates", "GET,HEAD"),
        (Method::GET, "/api/login", "POST"),
        (Method::DELETE, "/api/paper/config", "GET,HEAD,PUT"),
        (Method::TRACE, "/api/me", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/api/keys", "GET,HEAD,POST"),
    ] {
        let answer = caller.send(request(method.clone(), path, "admin", None)).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
        assert!(!answer.detail().is_empty());
    }
}

#[tokio::test]
async fn errors_of_accounts_have_their_status() {
    let caller = Caller::of(&Fixture::new().await);
    let register = |email: &str, password: &str, invite: &str| {
        format!(r#"{{"email":"{email}","password":"{password}","invite_code":"{invite}"}}"#)
    };
    let good = "long enough text";
    for (body, status) in [
        (register("a@b.c", good, "expired"), StatusCode::BAD_REQUEST),
        (register("user@example.com", good, "welcome"), StatusCode::CONFLICT),
        (register("a@b.c", "short", "welcome"), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(caller.post("/api/register", "", &body).await.status, status, "{body}");
    }
    let weak = caller.post("/api/register", "", &register("a@b.c", "short", "welcome")).await;
    assert_eq!(weak.flaw().0, "body.password");
    let login =
        |password: &str| format!(r#"{{"email":"user@example.com","password":"{password}"}}"#);
    let wrong = caller.post("/api/login", "", &login("wrong")).await;
    let unknown = caller.post("/api/login", "", &login("wrong").replace("user@", "nobody@")).await;
    assert_eq!((wrong.status, &wrong.text), (StatusCode::UNAUTHORIZED, &unknown.text));
    let limited = caller.post("/api/login", "", &login("too often")).await;
    assert_eq!(
        (limited.status, limited.headers["retry-after"].to_str().unwrap()),
        (StatusCode::TOO_MANY_REQUESTS, "2")
    );
    let ban = request(Method::PATCH, "/api/users/2", "admin", Some(r#"{"banned":true}"#));
    assert_eq!(caller.send(ban).await.status, StatusCode::OK);
    assert_eq!(
        caller.post("/api/login", "", &login("correct horse")).await.status,
        StatusCode::FORBIDDEN
    );
    let last = request(Method::PATCH, "/api/users/4", "admin", Some(r#"{"role":"user"}"#));
    assert_eq!(caller.send(last).await.status, StatusCode::CONFLICT);
}
