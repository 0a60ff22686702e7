//! Requests without a socket.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

use crate::fixture::Fixture;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("{}", self.text)).to_owned()
    }

    /// Where the first flaw is, and what it is.
    pub(crate) fn flaw(&self) -> (String, String) {
        let first = &self.json()["detail"][0];
        let loc = first["loc"].as_array().unwrap_or_else(|| panic!("{}", self.text));
        let loc: Vec<&str> = loc.iter().map(|part| part.as_str().unwrap()).collect();
        (loc.join("."), first["msg"].as_str().unwrap().to_owned())
    }
}

/// A caller of one router.
pub(crate) struct Caller(pub(crate) Router);

impl Caller {
    pub(crate) fn of(fixture: &Fixture) -> Self {
        Self(arb_http::router(fixture.host()))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let is_stream = parts.headers.get("content-type").is_some_and(|v| v == "text/event-stream");
        // A stream has no end.
        let body = if is_stream { Body::empty() } else { body };
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Nobody known, when the token is empty.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(request(Method::GET, path, token, None)).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        self.send(request(Method::POST, path, token, Some(body))).await
    }
}

/// A request with a token, unless it is empty, and with a JSON body where there is one.
pub(crate) fn request(
    method: Method,
    path: &str,
    token: &str,
    body: Option<&str>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap()
}
