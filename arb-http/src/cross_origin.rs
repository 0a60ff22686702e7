//! Which pages of other origins may call.
//!
//! Invariant: a request of a page is judged by the CORS layer and nothing else. Others, which name
//! no origin, do not pay for it; their answers vary by origin all the same, for caches on the way.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{HeaderValue, Method, Request, Response, header};
use futures_util::future::{Either, MapOk, TryFutureExt as _};
use tower::{Layer, Service};
use tower_http::cors::{Cors, CorsLayer};

/// What answers depend on, as the CORS layer says it.
const VARY: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// The CORS layer, for requests that name an origin.
#[derive(Clone)]
pub(crate) struct CrossOrigin(Arc<CorsLayer>);

impl CrossOrigin {
    pub(crate) fn new(layer: CorsLayer) -> Self {
        Self(Arc::new(layer))
    }
}

impl<S> Layer<S> for CrossOrigin {
    type Service = Judged<S>;

    fn layer(&self, inner: S) -> Judged<S> {
        Judged { cors: Arc::clone(&self.0), inner }
    }
}

/// A service behind the CORS layer.
#[derive(Clone)]
pub(crate) struct Judged<S> {
    cors: Arc<CorsLayer>,
    inner: S,
}

type Varying<F, B> = MapOk<F, fn(Response<B>) -> Response<B>>;

impl<S, I, O> Service<Request<I>> for Judged<S>
where
    S: Service<Request<I>, Response = Response<O>> + Clone,
    O: Default,
{
    type Response = Response<O>;
    type Error = S::Error;
    type Future = Either<<Cors<S> as Service<Request<I>>>::Future, Varying<S::Future, O>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<I>) -> Self::Future {
        let asks = request.method() == Method::OPTIONS;
        if asks || request.headers().contains_key(header::ORIGIN) {
            // The service that is ready goes, its copy stays.
            let copy = self.inner.clone();
            let ready = std::mem::replace(&mut self.inner, copy);
            return Either::Left(self.cors.layer(ready).call(request));
        }
        Either::Right(self.inner.call(request).map_ok(varying))
    }
}

fn varying<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().append(header::VARY, VARY);
    response
}
