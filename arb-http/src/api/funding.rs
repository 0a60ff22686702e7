//! Funding rates, present and past.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::Rates;
use crate::coins::Coins;
use crate::error::ApiError;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(rates))
}

/// The present rates of every perpetual.
#[utoipa::path(
    get,
    path = "/api/rates",
    tag = "funding",
    security(()),
    responses(
        (status = 200, body = Rates, description = "By coin, or by symbol where none is configured."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn rates(State(app): State<App>, asked: HeaderMap) -> Result<Response, ApiError> {
    let view = app.host.desk.snapshot();
    let finished = app.rates.of(&view, Coins::new(&app.host.symbols))?;
    Ok(finished.respond(&asked, "public, max-age=3"))
}
