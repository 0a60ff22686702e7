//! Users, invites and the audit log, for admins.

use arb_core::port::{AuditEntry, InviteWish, Page, UserInfo, UserPatch, UserRole};
use arb_core::time::DAY;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::IdParam;
use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Admin, Caller, Viewer};
use crate::body::{AuditItem, Data, InviteBody, PageOf, RoleName, UserBody};
use crate::error::ApiError;
use crate::extract::{Input, Int, Path, Place, Query};
use crate::idempotency::Act;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(invites, create_invite))
        .routes(routes!(users))
        .routes(routes!(user, change_user))
        .routes(routes!(audit))
}

/// All invites, newest first.
#[utoipa::path(
    get,
    path = "/api/invites",
    tag = "admin",
    responses((status = 200, body = Data<InviteBody>, description = "Newest first."))
)]
async fn invites(
    caller: Caller<Admin>,
    State(app): State<App>,
) -> Result<Json<Data<InviteBody>>, ApiError> {
    let invites = app.host.accounts.invites(&caller.who).await?;
    Ok(Json(invites.into_iter().map(InviteBody::from).collect()))
}

/// An invite that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InviteInput {
    /// Rights of who registers by it; `user` where none are named.
    #[schema(value_type = Option<RoleName>)]
    role: Option<UserRole>,
    /// How often it can be used; once where nothing is said.
    #[schema(inline)]
    uses: Option<Int<1, 1000>>,
    /// Days until it expires; never where nothing is said.
    #[schema(inline)]
    expires_in_days: Option<Int<1, 3650>>,
}

/// Makes an invite.
#[utoipa::path(
    post,
    path = "/api/invites",
    tag = "admin",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats under it act once.", min_length = 1, max_length = 255)),
    request_body = InviteInput,
    responses((status = 201, body = InviteBody, description = "The invite."))
)]
async fn create_invite(
    caller: Caller<Admin>,
    State(app): State<App>,
    headers: HeaderMap,
    input: Input<InviteInput>,
) -> Result<Response, ApiError> {
    let InviteInput { role, uses, expires_in_days } = input.value;
    let act = Act { who: &caller.who, action: "invite", headers: &headers, body: &input.bytes };
    let run = async {
        let days = expires_in_days.map(|days| app.host.clock.now().plus(days.0 * DAY));
        let wish = InviteWish {
            role: role.unwrap_or(UserRole::User),
            uses: uses.map_or(1, |uses| u32::try_from(uses.0).unwrap_or(1)),
            expires_at: days,
        };
        let invite = app.host.accounts.create_invite(&caller.who, wish).await?;
        let body = Json(InviteBody::from(invite));
        Ok((axum::http::StatusCode::CREATED, body).into_response())
    };
    app.idempotency.once(act, run).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UserParams {
    /// Users at most; 100 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 500>>,
    /// Where the page begins: `next` of the page before.
    #[param(inline)]
    after: Option<Int<0, 9007199254740991>>,
}

/// All users by id.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "admin",
    params(UserParams),
    responses((status = 200, body = PageOf<UserBody>, description = "By id, ascending."))
)]
async fn users(
    caller: Caller<Admin>,
    State(app): State<App>,
    Query(params): Query<UserParams>,
) -> Result<Json<PageOf<UserBody>>, ApiError> {
    let limit = params.limit.map_or(100, Int::len);
    let after = params.after.map_or(0, |after| after.0.unsigned_abs());
    let rows = app.host.accounts.users(&caller.who, after, limit + 1).await?;
    let item = |row: &UserInfo| UserBody::from(row.clone());
    Ok(Json(PageOf::of(&rows, limit, |row| row.id, item)))
}

/// A user: oneself, or anybody for an admin.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "admin",
    params(IdParam),
    responses(
        (status = 200, body = UserBody, description = "The user."),
        (status = 404, body = ErrorBody, description = "No such user."),
    )
)]
async fn user(
    caller: Caller<Viewer>,
    State(app): State<App>,
    Path(path): Path<IdParam>,
) -> Result<Json<UserBody>, ApiError> {
    let user = app.host.accounts.user(&caller.who, path.id.0.unsigned_abs()).await?;
    Ok(Json(user.into()))
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserInput {
    /// Other rights.
    #[schema(value_type = Option<RoleName>)]
    role: Option<UserRole>,
    /// Banned, or no more. A ban ends all logins.
    banned: Option<bool>,
}

/// Changes a user's rights.
#[utoipa::path(
    patch,
    path = "/api/users/{id}",
    tag = "admin",
    params(IdParam),
    request_body = UserInput,
    responses(
        (status = 200, body = UserBody, description = "The user as it is now."),
        (status = 404, body = ErrorBody, description = "No such user."),
        (status = 409, body = ErrorBody, description = "The last admin keeps its rights."),
    )
)]
async fn change_user(
    caller: Caller<Admin>,
    State(app): State<App>,
    Path(path): Path<IdParam>,
    input: Input<UserInput>,
) -> Result<Json<UserBody>, ApiError> {
    let UserInput { role, banned } = input.value;
    let (id, patch) = (path.id.0.unsigned_abs(), UserPatch { role, banned });
    let user = app.host.accounts.change_user(&caller.who, id, patch).await?;
    Ok(Json(user.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditParams {
    /// Entries at most; 100 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 1000>>,
    /// Where the page begins: `next` of the page before.
    #[param(inline)]
    before: Option<Place>,
}

/// Who did what, newest first.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "admin",
    params(AuditParams),
    responses((status = 200, body = PageOf<AuditItem>, description = "Newest first."))
)]
async fn audit(
    caller: Caller<Admin>,
    State(app): State<App>,
    Query(params): Query<AuditParams>,
) -> Result<Json<PageOf<AuditItem>>, ApiError> {
    let limit = params.limit.map_or(100, Int::len);
    let page = Page { before: params.before.map(|place| place.0), limit: limit + 1 };
    let rows = app.host.accounts.audit(&caller.who, page).await?;
    let item = |row: &AuditEntry| AuditItem::from(row.clone());
    Ok(Json(PageOf::of(&rows, limit, |row| Place((row.at, row.id)), item)))
}
