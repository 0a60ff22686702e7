//! What every request passes, and every answer.
//!
//! Invariant: whatever happens inside, a caller gets an answer in the contract's form with the
//! request's id: a panic and a time-out are answers too. The log has the pattern of the path, the
//! status and the time, never a query, a header or a body.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::app::App;
use crate::error::{ApiError, Cause, ErrorBody};

/// The header of a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// An answer of data shows nothing, runs nothing and is framed by nobody.
const CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// What any answer may depend on, for caches on the way.
const VARY: HeaderValue = HeaderValue::from_static(
    "accept-encoding, origin, access-control-request-method, access-control-request-headers",
);
const LONGEST_ID: usize = 64;
const NO_ROUTE: &str = "none";

/// The outermost layer, written out so that what lies inside of it is not copied for each request.
#[derive(Clone)]
pub(crate) struct Edge(App);

impl Edge {
    pub(crate) const fn new(app: App) -> Self {
        Self(app)
    }
}

impl<S> Layer<S> for Edge {
    type Service = Edged<S>;

    fn layer(&self, inner: S) -> Edged<S> {
        Edged { app: self.0.clone(), inner }
    }
}

/// A service behind the edge.
#[derive(Clone)]
pub(crate) struct Edged<S> {
    app: App,
    inner: S,
}

impl<S> Service<Request> for Edged<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let passing = Passing::new(&self.app, &request);
        let limit = self.app.host.options.max_body_bytes;
        let inside = match announced(request.headers()) {
            Some(length) if length > limit as u64 => Err(ApiError::TooLarge { limit }),
            _ => Ok(self.inner.call(request)),
        };
        let app = self.app.clone();
        Box::pin(async move { Ok(passing.answer(&app, inside).await) })
    }
}

/// Length of the body, where the caller announced it.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A request on its way, as the log and the figures name it.
struct Passing {
    started: Instant,
    id: HeaderValue,
    method: Method,
    path: Option<MatchedPath>,
}

impl Passing {
    fn new(app: &App, request: &Request) -> Self {
        Self {
            started: Instant::now(),
            id: request_id(app, request.headers()),
            method: request.method().clone(),
            path: request.extensions().get().cloned(),
        }
    }

    async fn answer<R: IntoResponse>(
        self,
        app: &App,
        inside: Result<impl Future<Output = Result<R, Infallible>>, ApiError>,
    ) -> Response {
        let Self { started, id, method, path } = self;
        let path = path.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        let span = tracing::debug_span!("request", id = ?id, %method, path);
        let mut response = match inside {
            Ok(inside) => {
                within(app.host.options.request_timeout, inside).instrument(span.clone()).await
            }
            Err(error) => error.into_response(),
        };
        let status = response.status();
        span.in_scope(|| {
            if status.is_server_error() {
                let cause = response.extensions().get::<Cause>().map(|cause| chain(&cause.0));
                tracing::error!(id = ?id, %method, path, status = status.as_u16(), cause);
            } else {
                let status = status.as_u16();
                tracing::debug!(status, micros = started.elapsed().as_micros(), "answered");
            }
        });
        response = in_form(response, &id);
        finish(response.headers_mut(), id);
        app.requests.count((&method, path), status, started.elapsed());
        response
    }
}

/// The answer, also of a handler that panics or takes too long.
async fn within<R: IntoResponse>(
    limit: Duration,
    inside: impl Future<Output = Result<R, Infallible>>,
) -> Response {
    match tokio::time::timeout(limit, AssertUnwindSafe(inside).catch_unwind()).await {
        Ok(Ok(Ok(response))) => response.into_response(),
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => ApiError::internal(Panicked(words(&*panic))).into_response(),
        Err(_) => ApiError::Busy.into_response(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// An error with everything it came from.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}

/// The id that the caller gave, when nobody can be harmed by it, else a new one.
fn request_id(app: &App, headers: &HeaderMap) -> HeaderValue {
    let is_sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        !bytes.is_empty() && bytes.len() <= LONGEST_ID && bytes.iter().all(fits)
    };
    let given = headers.get(REQUEST_ID).filter(is_sane).cloned();
    given.unwrap_or_else(|| {
        HeaderValue::try_from(app.request_id()).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// Puts errors that were made elsewhere, such as a 405 of the router, into the contract's form, and
/// the request's id into what the caller may have to report.
fn in_form(response: Response, id: &HeaderValue) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let json = HeaderValue::from_static("application/json");
    let is_json = response.headers().get(header::CONTENT_TYPE) == Some(&json);
    if is_json && status.is_client_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let id = id.to_str().unwrap_or_default();
    let detail = match status {
        StatusCode::NOT_FOUND => "there is nothing at this address".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "this method is not allowed here, see Allow".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("the system does not answer at this moment, try again; request {id}")
        }
        _ if status.is_server_error() => format!("something failed inside; request {id}"),
        _ => status.canonical_reason().unwrap_or("the request is not valid").to_lowercase(),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.insert(header::CONTENT_TYPE, json);
    let body = Json(ErrorBody { detail }).into_response().into_body();
    Response::from_parts(parts, body)
}

/// Headers of every answer; those that a handler set stay.
fn finish(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(header::VARY, VARY);
    headers.insert(REQUEST_ID, id);
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::CACHE_CONTROL, "no-store");
    default(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::X_FRAME_OPTIONS, "DENY");
}
