//! The running engine: its account, its limits, its log, and what executes its orders.

use arb_core::port::{Mode, NoteRow, Page};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::book::in_use;
use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, User};
use crate::body::{self, Account, CarryBody, EventItem, ExecutionQuality, PageOf, RiskStatus};
use crate::error::ApiError;
use crate::extract::{EventPlace, Int, Query};

/// Booked settlements that are told.
const FUNDING_ROWS: usize = 100;
/// Executions that quality is measured over.
const FILLS: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(account))
        .routes(routes!(risk_status))
        .routes(routes!(events))
        .routes(routes!(carry))
        .routes(routes!(reconciliation))
        .routes(routes!(quality))
}

/// The account at the venue.
#[utoipa::path(
    get,
    path = "/api/live/account",
    tag = "live",
    responses(
        (status = 200, body = Account, description = "At present prices."),
        (status = 409, body = ErrorBody, description = "No live executor runs."),
    )
)]
async fn account(_: Caller<User>, State(app): State<App>) -> Result<Json<Account>, ApiError> {
    Ok(Json(Account::from(&in_use(&app, Mode::Live)?.account)))
}

/// What the engine may do, and how far every rule is from its limit; on paper too.
#[utoipa::path(
    get,
    path = "/api/live/risk-status",
    tag = "live",
    responses((status = 200, body = RiskStatus, description = "State, account and rules."))
)]
async fn risk_status(_: Caller<User>, State(app): State<App>) -> Json<RiskStatus> {
    Json(body::risk_status(&app.host.desk.snapshot()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// Events at most; 100 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 1000>>,
    /// Where the page begins: `next` of the page before.
    #[param(inline)]
    before: Option<EventPlace>,
}

/// What the engine said, newest first; on paper too.
#[utoipa::path(
    get,
    path = "/api/live/events",
    tag = "live",
    params(EventParams),
    responses((status = 200, body = PageOf<EventItem>, description = "Newest first."))
)]
async fn events(
    _: Caller<User>,
    State(app): State<App>,
    Query(params): Query<EventParams>,
) -> Result<Json<PageOf<EventItem>>, ApiError> {
    let limit = params.limit.map_or(100, Int::len);
    let before = params.before.map(|place| (place.0, place.1));
    let stream = &app.host.options.stream;
    let rows = app.host.store.newest_events(stream, before, limit + 1).await?;
    let place = |row: &NoteRow| EventPlace(row.cursor, row.ordinal);
    Ok(Json(PageOf::of(&rows, limit, place, |row| EventItem::from(row))))
}

/// Open carry pairs with both legs, and the newest booked funding; of the mode in use.
#[utoipa::path(
    get,
    path = "/api/live/carry",
    tag = "live",
    responses((status = 200, body = CarryBody, description = "Pairs and funding."))
)]
async fn carry(_: Caller<User>, State(app): State<App>) -> Result<Json<CarryBody>, ApiError> {
    let (view, catalog) = (app.host.desk.snapshot(), app.listed().await?);
    let page = Page::first(FUNDING_ROWS);
    let funding = app.host.store.funding_ledger(view.mode, page).await?;
    Ok(Json(CarryBody {
        data: view.pairs.iter().map(|note| body::carry_pair(&view, note)).collect(),
        funding: funding.iter().map(|row| body::funding_item(&catalog, row)).collect(),
    }))
}

/// A comparison of our books with the venue's.
#[derive(Debug, Serialize, ToSchema)]
struct Reconciliation {
    /// The newest differences, as the log tells them; empty when the books agree.
    differences: Vec<EventItem>,
}

/// How our books and the venue's differ.
#[utoipa::path(
    get,
    path = "/api/live/reconciliation",
    tag = "live",
    responses(
        (status = 200, body = Reconciliation, description = "The newest differences."),
        (status = 409, body = ErrorBody, description = "No live executor runs."),
    )
)]
async fn reconciliation(
    _: Caller<User>,
    State(app): State<App>,
) -> Result<Json<Reconciliation>, ApiError> {
    in_use(&app, Mode::Live)?;
    let stream = &app.host.options.stream;
    let rows = app.host.store.newest_events(stream, None, FILLS).await?;
    let differences = rows.iter().filter(|row| row.kind == "difference");
    Ok(Json(Reconciliation { differences: differences.map(EventItem::from).collect() }))
}

/// How fast and how far from their trigger orders are executed.
#[utoipa::path(
    get,
    path = "/api/live/execution-quality",
    tag = "live",
    responses(
        (status = 200, body = ExecutionQuality, description = "Over the newest executions."),
        (status = 409, body = ErrorBody, description = "No live executor runs."),
    )
)]
async fn quality(
    _: Caller<User>,
    State(app): State<App>,
) -> Result<Json<ExecutionQuality>, ApiError> {
    in_use(&app, Mode::Live)?;
    let page = Page::first(FILLS);
    let fills = app.host.store.fills(Mode::Live, page).await?;
    let orders = app.host.store.orders(Mode::Live, page).await?;
    Ok(Json(body::execution_quality(&fills, &orders)))
}
