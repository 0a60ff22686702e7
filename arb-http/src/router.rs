//! The whole host as one router.
//!
//! Invariant: every route passes the same layers, in one order: edge (ids, time-outs, form of
//! errors), CORS, compression. The OpenAPI document is made of the routes that are served.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::http::{HeaderName, HeaderValue, Method, Response, header};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::cors::CorsLayer;

use crate::app::App;
use crate::cross_origin::CrossOrigin;
use crate::edge::{Edge, REQUEST_ID};
use crate::host::{Host, HttpOptions};
use crate::{api, dashboard, openapi};

/// Everything that a host serves.
pub fn router(host: Arc<Host>) -> Router {
    routed(App::new(host))
}

pub(crate) fn routed(app: App) -> Router {
    let (routes, document) = openapi::documented();
    let all = routes
        .route("/metrics", axum::routing::get(api::metrics))
        .merge(openapi::pages(&document))
        .merge(dashboard::routes());
    let layers = ServiceBuilder::new()
        .layer(Edge::new(app.clone()))
        .layer(CrossOrigin::new(cors(&app.host.options)))
        .layer(CompressionLayer::new().gzip(true).compress_when(Unfinished));
    all.layer(layers).with_state(app)
}

/// Answers that are not compressed yet: those with a tag were finished once for all callers.
#[derive(Clone, Copy)]
struct Unfinished;

impl Predicate for Unfinished {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let is_finished = response.headers().contains_key(header::ETAG);
        !is_finished && DefaultPredicate::new().should_compress(response)
    }
}

pub(crate) fn cors(options: &HttpOptions) -> CorsLayer {
    let origins = options.cors_origins.iter().filter_map(|origin| {
        let value = HeaderValue::from_str(origin);
        // An origin that is no header value cannot be sent by any browser.
        value.inspect_err(|error| tracing::warn!(origin, %error, "not a CORS origin")).ok()
    });
    let tells = [header::ETAG, header::RETRY_AFTER, REQUEST_ID];
    let takes = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_NONE_MATCH,
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("last-event-id"),
        REQUEST_ID,
    ];
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(takes)
        .expose_headers(tells)
        .max_age(Duration::from_secs(600))
}
