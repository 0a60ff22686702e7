//! What an operator may do to the running engine, on paper and live.
//!
//! Invariant: an answer of success means that the command is on the disk; who gave it is in the
//! audit log.

use std::time::Duration;

use arb_core::port::Principal;
use arb_core::{Book, Command, RiskState};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Admin, Caller, Trader};
use crate::body::RiskStateName;
use crate::error::ApiError;
use crate::extract::{Input, OptionalInput, Text};
use crate::idempotency::Act;

/// How long an answer waits for the engine to show what a command did.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(emergency_close))
        .routes(routes!(reset_halt))
}

/// The engine after a command.
#[derive(Debug, Serialize, ToSchema)]
struct Acted {
    /// Always true.
    ok: bool,
    /// What the engine may do now.
    #[schema(value_type = RiskStateName)]
    state: RiskState,
}

/// Nothing to be told.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoInput {}

/// No new entries.
#[utoipa::path(
    post,
    path = "/api/live/pause",
    tag = "live",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats under it act once.", min_length = 1, max_length = 255)),
    request_body(content = Option<NoInput>),
    responses(
        (status = 200, body = Acted, description = "It is on the disk."),
    )
)]
async fn pause(
    caller: Caller<Trader>,
    State(app): State<App>,
    headers: HeaderMap,
    input: OptionalInput<NoInput>,
) -> Result<Response, ApiError> {
    let NoInput {} = input.value;
    let act = Act { who: &caller.who, action: "pause", headers: &headers, body: &input.bytes };
    app.idempotency.once(act, run(&app, &caller.who, "pause", Command::Pause)).await
}

/// Entries again, after a pause.
#[utoipa::path(
    post,
    path = "/api/live/resume",
    tag = "live",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats under it act once.", min_length = 1, max_length = 255)),
    request_body(content = Option<NoInput>),
    responses((status = 200, body = Acted, description = "It is on the disk."))
)]
async fn resume(
    caller: Caller<Trader>,
    State(app): State<App>,
    headers: HeaderMap,
    input: OptionalInput<NoInput>,
) -> Result<Response, ApiError> {
    let NoInput {} = input.value;
    let act = Act { who: &caller.who, action: "resume", headers: &headers, body: &input.bytes };
    app.idempotency.once(act, run(&app, &caller.who, "resume", Command::Resume)).await
}

/// What to close.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    /// Directional trades.
    Directional,
    /// Carry pairs.
    Carry,
    /// Both.
    #[default]
    All,
}

/// What to close.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloseInput {
    /// One book, or both where none is named.
    #[serde(default)]
    book: Which,
}

/// Closes everything of a book at market.
#[utoipa::path(
    post,
    path = "/api/live/emergency-close",
    tag = "live",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats under it act once.", min_length = 1, max_length = 255)),
    request_body(content = Option<CloseInput>),
    responses((status = 200, body = Acted, description = "It is on the disk."))
)]
async fn emergency_close(
    caller: Caller<Trader>,
    State(app): State<App>,
    headers: HeaderMap,
    input: OptionalInput<CloseInput>,
) -> Result<Response, ApiError> {
    let action = "emergency_close";
    let act = Act { who: &caller.who, action, headers: &headers, body: &input.bytes };
    let command = Command::Flatten(match input.value.book {
        Which::Directional => Some(Book::Directional),
        Which::Carry => Some(Book::Carry),
        Which::All => None,
    });
    app.idempotency.once(act, run(&app, &caller.who, action, command)).await
}

/// Why it is safe to go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetInput {
    /// In words; kept in the log.
    #[schema(inline)]
    reason: Text<1, 500>,
}

/// Lifts a halt.
#[utoipa::path(
    post,
    path = "/api/live/reset-halt",
    tag = "live",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats under it act once.", min_length = 1, max_length = 255)),
    request_body = ResetInput,
    responses(
        (status = 200, body = Acted, description = "It is on the disk."),
        (status = 409, body = ErrorBody, description = "The engine is not halted."),
    )
)]
async fn reset_halt(
    caller: Caller<Admin>,
    State(app): State<App>,
    headers: HeaderMap,
    input: Input<ResetInput>,
) -> Result<Response, ApiError> {
    let action = "reset_halt";
    let act = Act { who: &caller.who, action, headers: &headers, body: &input.bytes };
    let command = Command::Reset { reason: input.value.reason.into_string() };
    app.idempotency.once(act, run(&app, &caller.who, action, command)).await
}

async fn run(
    app: &App,
    who: &Principal,
    action: &'static str,
    command: Command,
) -> Result<Response, ApiError> {
    let detail = serde_json::to_string(&command).unwrap_or_default();
    let receipt = app.host.desk.command(command).await?;
    app.note(who, action, &detail).await;
    // The command is done for; the view follows within a turn of the engine.
    let shown = async {
        while app.host.desk.snapshot().seq < receipt.seq {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
    let state = app.host.desk.snapshot().risk_state;
    Ok(Json(Acted { ok: true, state }).into_response())
}
