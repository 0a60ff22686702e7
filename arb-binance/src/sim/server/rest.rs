//! HTTP requests: to the control endpoint, to a stream, or to the venue's REST.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;

use super::super::venue::{self, Answer, Call, Handshake};
use super::{Shared, control, socket};

pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    if request.uri().path().starts_with("/control/") {
        return control::handle(&shared, request).await;
    }
    if request.headers().contains_key(header::UPGRADE) {
        return upgrade(shared, peer, request).await;
    }
    let admitted = {
        let uri = request.uri();
        let asked = venue::Request {
            method: request.method().as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            ip: peer.ip(),
        };
        shared.core().venue.admit(&asked, shared.clock.now())
    };
    match admitted {
        Ok(call) => respond(&shared, compute(&shared, call).await).await,
        Err(answer) => respond(&shared, answer).await,
    }
}

/// Bars of a month take a while; they must not keep frames waiting.
async fn compute(shared: &Arc<Shared>, call: Call) -> Answer {
    let market = shared.market.clone();
    let computed = tokio::task::spawn_blocking(move || call.answer(&market)).await;
    computed.unwrap_or_else(|_| Answer {
        status: 503,
        used_weight: 0,
        retry_after: None,
        delay_ms: 0,
        body:
            b"{\"code\":-1000,\"msg\":\"An unknown error occurred while processing the request.\"}"
                .to_vec(),
    })
}

async fn respond(shared: &Shared, answer: Answer) -> Response<Body> {
    if answer.delay_ms > 0 {
        let ms = answer.delay_ms.unsigned_abs() / u64::from(shared.clock.info.speed);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let mut headers = HeaderMap::new();
    let json = answer.body.first().is_some_and(|byte| b"{[".contains(byte));
    let kind = if json { "application/json;charset=UTF-8" } else { "text/html" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for name in ["x-mbx-used-weight", "x-mbx-used-weight-1m"] {
        headers.insert(HeaderName::from_static(name), answer.used_weight.into());
    }
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    (status, headers, answer.body).into_response()
}

async fn upgrade(shared: Arc<Shared>, peer: SocketAddr, request: Request) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let opened = {
        let handshake = Handshake {
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            ip: peer.ip(),
        };
        let mut core = shared.core();
        let now = shared.clock.now();
        core.venue.open(&handshake, now).map(|id| core.sockets.add(id))
    };
    match opened {
        Ok(mailbox) => socket::upgrade(upgrade, shared, mailbox),
        Err(answer) => respond(&shared, answer).await,
    }
}
