//! Logging in and out, and one's own keys.

use arb_core::AuthError;
use arb_core::port::Scope;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, From, Viewer};
use crate::body::{Data, Done, KeyBody, Me, NewKeyBody, RefreshedBody, ScopeName, SessionBody};
use crate::error::ApiError;
use crate::extract::{Input, Int, Path, Text};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(keys, create_key))
        .routes(routes!(revoke_key))
}

/// Who wants to register.
#[derive(Debug, Deserialize, ToSchema)]
struct RegisterInput {
    /// E-mail.
    #[schema(inline)]
    email: Text<1, 254>,
    /// At least 12 characters, none of the common passwords.
    #[schema(inline)]
    password: Text<1, 1024>,
    /// What an admin handed out.
    #[schema(inline)]
    invite_code: Text<1, 200>,
}

/// Registers by invite, and logs in.
#[utoipa::path(
    post,
    path = "/api/register",
    tag = "accounts",
    security(()),
    request_body = RegisterInput,
    responses(
        (status = 200, body = SessionBody, description = "Registered and logged in."),
        (status = 400, body = ErrorBody, description = "The invite is unknown, used up or expired."),
        (status = 409, body = ErrorBody, description = "The e-mail is taken."),
    )
)]
async fn register(
    State(app): State<App>,
    From(from): From,
    input: Input<RegisterInput>,
) -> Result<Json<SessionBody>, ApiError> {
    app.limits.login(from)?;
    let RegisterInput { email, password, invite_code } = input.value;
    let (email, password) = (email.as_str(), password.as_str());
    let session = app.host.accounts.register(from, email, password, invite_code.as_str()).await?;
    Ok(Json(session.into()))
}

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
struct LoginInput {
    /// E-mail.
    #[schema(inline)]
    email: Text<1, 254>,
    /// Password.
    #[schema(inline)]
    password: Text<1, 1024>,
}

/// Logs in.
#[utoipa::path(
    post,
    path = "/api/login",
    tag = "accounts",
    security(()),
    request_body = LoginInput,
    responses(
        (status = 200, body = SessionBody, description = "Logged in."),
        (status = 401, body = ErrorBody, description = "E-mail or password is wrong."),
        (status = 403, body = ErrorBody, description = "The account is banned."),
    )
)]
async fn login(
    State(app): State<App>,
    From(from): From,
    input: Input<LoginInput>,
) -> Result<Json<SessionBody>, ApiError> {
    app.limits.login(from)?;
    let LoginInput { email, password } = input.value;
    let session = app.host.accounts.login(from, email.as_str(), password.as_str()).await?;
    Ok(Json(session.into()))
}

/// A token to be exchanged or revoked.
#[derive(Debug, Deserialize, ToSchema)]
struct RefreshInput {
    /// The newest refresh token.
    #[schema(inline)]
    refresh_token: Text<1, 2000>,
}

/// Exchanges a refresh token.
#[utoipa::path(
    post,
    path = "/api/refresh",
    tag = "accounts",
    security(()),
    request_body = RefreshInput,
    responses(
        (status = 200, body = RefreshedBody, description = "New tokens."),
        (status = 401, body = ErrorBody, description = "The token is unknown, expired or was used."),
    )
)]
async fn refresh(
    State(app): State<App>,
    From(from): From,
    input: Input<RefreshInput>,
) -> Result<Json<RefreshedBody>, ApiError> {
    app.limits.login(from)?;
    let session = app.host.accounts.refresh(from, input.value.refresh_token.as_str()).await;
    let session = session.map_err(|error| match error {
        AuthError::Token => {
            ApiError::Credentials("this refresh token is not valid: log in again".to_owned())
        }
        error => error.into(),
    })?;
    Ok(Json(RefreshedBody {
        access_token: session.access,
        refresh_token: session.refresh,
        token_type: "bearer",
    }))
}

/// Ends the login that a refresh token belongs to.
#[utoipa::path(
    post,
    path = "/api/logout",
    tag = "accounts",
    request_body = RefreshInput,
    responses((status = 200, body = Done, description = "Logged out."))
)]
async fn logout(
    caller: Caller<Viewer>,
    State(app): State<App>,
    input: Input<RefreshInput>,
) -> Result<Json<Done>, ApiError> {
    app.host.accounts.logout(&caller.who, input.value.refresh_token.as_str()).await?;
    Ok(Json(Done::YES))
}

/// Who is calling.
#[utoipa::path(
    get,
    path = "/api/me",
    tag = "accounts",
    responses((status = 200, body = Me, description = "Who is calling."))
)]
async fn me(caller: Caller<Viewer>, State(app): State<App>) -> Result<Json<Me>, ApiError> {
    let user = app.host.accounts.user(&caller.who, caller.who.user).await?;
    let role = caller.who.role;
    Ok(Json(Me { id: user.id, email: user.email, role, created_at: user.created_at.to_string() }))
}

/// One's API keys, without their secrets.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "accounts",
    responses((status = 200, body = Data<KeyBody>, description = "By id."))
)]
async fn keys(
    caller: Caller<Viewer>,
    State(app): State<App>,
) -> Result<Json<Data<KeyBody>>, ApiError> {
    let keys = app.host.accounts.keys(&caller.who).await?;
    Ok(Json(keys.into_iter().map(KeyBody::from).collect()))
}

fn key_name() -> Schema {
    // More than spaces, and no control characters.
    let line = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let text = text.description(Some("What its owner calls it, in one line."));
    text.min_length(Some(1)).max_length(Some(64)).pattern(Some(line)).into()
}

/// An API key that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    /// What its owner calls it, in one line.
    #[schema(schema_with = key_name)]
    name: Text<1, 64>,
    /// What it may do; never more than its owner.
    #[schema(value_type = Vec<ScopeName>, min_items = 1, max_items = 3)]
    scopes: Vec<Scope>,
}

/// Makes an API key; its secret is told this once.
#[utoipa::path(
    post,
    path = "/api/keys",
    tag = "accounts",
    request_body = KeyInput,
    responses((status = 201, body = NewKeyBody, description = "The key with its secret."))
)]
async fn create_key(
    caller: Caller<Viewer>,
    State(app): State<App>,
    input: Input<KeyInput>,
) -> Result<(axum::http::StatusCode, Json<NewKeyBody>), ApiError> {
    let KeyInput { name, scopes } = input.value;
    if !(1..=3).contains(&scopes.len()) {
        return Err(ApiError::flaw("body", "scopes", "1 to 3 of read, trade, admin are allowed"));
    }
    let key = app.host.accounts.create_key(&caller.who, name.as_str(), &scopes).await?;
    Ok((axum::http::StatusCode::CREATED, Json(key.into())))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct IdParam {
    /// Stable id.
    #[param(inline)]
    pub(super) id: Int<1, 9007199254740991>,
}

/// Revokes an API key.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    tag = "accounts",
    params(IdParam),
    responses(
        (status = 200, body = Done, description = "Revoked."),
        (status = 404, body = ErrorBody, description = "One has no such key."),
    )
)]
async fn revoke_key(
    caller: Caller<Viewer>,
    State(app): State<App>,
    Path(path): Path<IdParam>,
) -> Result<Json<Done>, ApiError> {
    app.host.accounts.revoke_key(&caller.who, path.id.0.unsigned_abs()).await?;
    Ok(Json(Done::YES))
}
