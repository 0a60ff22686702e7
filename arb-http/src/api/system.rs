//! How the system is.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::{self, Health};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How the parts of the system are.
#[utoipa::path(
    get,
    path = "/api/health",
    tag = "system",
    security(()),
    responses((status = 200, body = Health, description = "How the parts are, well or not."))
)]
async fn health(State(app): State<App>) -> Json<Health> {
    let host = &app.host;
    Json(body::health(&host.desk.health(), app.started_at, host.clock.now()))
}
