//! Which pages of other origins may call.
//!
//! Invariant: a request of a page is judged by the CORS layer and nothing else. Others, which name
//! no origin, do not pay for it.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Method, Request, Response, header};
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{Cors, CorsLayer};

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

impl<S, I, O> Service<Request<I>> for Judged<S>
where
    S: Service<Request<I>, Response = Response<O>> + Clone,
    O: Default,
{
    type Response = Response<O>;
    type Error = S::Error;
    type Future = Either<<Cors<S> as Service<Request<I>>>::Future, S::Future>;

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
        Either::Right(self.inner.call(request))
    }
}
