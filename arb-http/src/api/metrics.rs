//! Figures for Prometheus.

use arb_core::port::Origin;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::auth::{From, bearer};
use crate::error::ApiError;
use crate::host::MetricsAccess;
use crate::metrics::Text;

/// The engine's figures and this host's own.
pub(crate) async fn metrics(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    may_read(&app, from, &headers).await?;
    let mut text = Text::default();
    let mut measures = app.host.desk.measures();
    // A family is told in one piece.
    measures.sort_by_key(|measure| measure.name);
    measures.iter().for_each(|measure| text.measure(measure));
    app.requests.write(&mut text);
    app.streams.write(&mut text);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text.finish()).into_response())
}

async fn may_read(app: &App, from: Origin, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_local = from.address.is_some_and(|address| address.is_loopback());
    match app.host.options.metrics {
        MetricsAccess::Anyone => return Ok(()),
        MetricsAccess::LocalOrToken if is_local => return Ok(()),
        MetricsAccess::LocalOrToken | MetricsAccess::Token => {}
    }
    let token = bearer(headers).ok_or(ApiError::Unauthorised)?;
    app.authenticate(token).await.map(|_| ())
}
