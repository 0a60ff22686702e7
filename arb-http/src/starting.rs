//! What a host answers while there is nothing to serve yet: that it starts, and how far it is.
//!
//! Invariant: every answer ends its connection, so that callers come back to the host itself.

use std::future::Future;
use std::sync::Arc;

use arb_core::Timestamp;
use arb_core::port::{Clock, Component, ComponentState};
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::body::{self, Health};
use crate::error::ErrorBody;
use crate::host::HttpOptions;
use crate::router::cors;
use crate::serve::ACCEPT_PAUSE;

/// Seconds after which a caller may ask again.
const AGAIN: &str = "5";

#[derive(Clone)]
struct Start {
    clock: Arc<dyn Clock>,
    began: Timestamp,
    news: watch::Receiver<String>,
}

/// Answers until `ready`: `/api/health` says `degraded` with the newest of `news`, everything else
/// is 503.
pub async fn serve_starting(
    listener: TcpListener,
    (options, clock): (HttpOptions, Arc<dyn Clock>),
    news: watch::Receiver<String>,
    ready: impl Future<Output = ()> + Send,
) {
    let start = Start { began: clock.now(), clock, news };
    let router = Router::new()
        .route("/api/health", get(health))
        .route("/", get(page))
        .fallback(later)
        .layer(cors(&options))
        .with_state(start);
    let mut connections = JoinSet::new();
    let mut ready = std::pin::pin!(ready);
    loop {
        let may_accept = connections.len() < options.max_connections;
        tokio::select! {
            () = &mut ready => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if may_accept => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(answer(stream, router.clone(), options.header_timeout));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
    // Whoever was accepted gets its answer.
    connections.detach_all();
}

async fn answer(stream: TcpStream, router: Router, limit: std::time::Duration) {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Nobody misses what a peer gave up.
    let _ = tokio::time::timeout(limit * 2, connection).await;
}

async fn health(State(start): State<Start>) -> Json<Health> {
    let (state, detail) = (ComponentState::Degraded, start.news.borrow().clone());
    let parts = ["feed", "store", "executor"].map(|name| Component {
        name: name.to_owned(),
        state,
        detail: detail.clone(),
    });
    Json(body::health(&parts, start.began, start.clock.now()))
}

async fn page(State(start): State<Start>) -> Response {
    let news = html(&start.news.borrow());
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2>\
         <meta name=viewport content=\"width=device-width\"><title>The node starts</title>\
         <h1>The node starts</h1><p>{news}</p>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (header::RETRY_AFTER, AGAIN),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Html(page)).into_response()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

async fn later(State(start): State<Start>) -> Response {
    let detail = format!("the node starts: {}", *start.news.borrow());
    let again = [(header::RETRY_AFTER, AGAIN)];
    (StatusCode::SERVICE_UNAVAILABLE, again, Json(ErrorBody { detail })).into_response()
}
