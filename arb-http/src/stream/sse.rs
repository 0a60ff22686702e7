//! Streams as server-sent events.

use std::convert::Infallible;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client::{Client, End, Listener, Step};
use super::message::event;
use super::wanted::{Wanted, list};
use crate::app::App;
use crate::auth::{Caller, Viewer, bearer};
use crate::coins::Coins;
use crate::error::ApiError;
use crate::extract::Query;
use crate::metrics::StreamKind;
use crate::stall::Streams;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// What to hear.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Choice {
    /// Topics with commas between them: `rates`, `signals`, `indicators`, `positions`, `risk`,
    /// `trades`. Without it all that the caller's role may read; `positions` and `risk` take the
    /// role `user`.
    #[param(
        example = "rates,signals",
        pattern = "^(rates|signals|indicators|positions|risk|trades)(,(rates|signals|indicators|positions|risk|trades))*$"
    )]
    topics: Option<String>,
    /// Coins or symbols with commas between them; without it all with order flow.
    #[param(example = "BTC")]
    symbols: Option<String>,
}

/// What changes, as it changes.
///
/// Each message has an `id`; a client that comes back with the last one in `Last-Event-ID` goes on
/// behind it. Where that is not known any more, or nothing was given, the present state of every
/// topic comes first. `heartbeat` comes every 15 s; `dropped` with a `reason` is the last message
/// of a client that was too slow or may not listen any longer.
#[utoipa::path(
    get,
    path = "/api/stream",
    tag = "streams",
    params(Choice, ("Last-Event-ID" = Option<String>, Header, description = "The last id heard.")),
    responses((status = 200, content_type = "text/event-stream", body = String,
        description = "Events without end."))
)]
async fn stream(
    caller: Caller<Viewer>,
    State(app): State<App>,
    connection: Option<Extension<Streams>>,
    asked: HeaderMap,
    Query(choice): Query<Choice>,
) -> Result<Response, ApiError> {
    let names = (list(choice.topics.as_deref()), list(choice.symbols.as_deref()));
    let coins = Coins::new(&app.host.symbols);
    let wanted = Wanted::new(&caller.who, coins, (&names.0, &names.1))?;
    let last = asked.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let token = bearer(&asked).ok_or(ApiError::Unauthorised)?.to_owned();
    let listener = Listener { token, wanted, last };
    let client = Client::begin(&app, StreamKind::Sse, listener).await?;
    if let Some(Extension(connection)) = connection {
        connection.say();
    }
    let mut response = Response::new(Body::from_stream(events(client)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of this kind would hold messages back until a buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn events(client: Client) -> impl futures_core::Stream<Item = Result<Bytes, Infallible>> {
    // The header goes out at once and a comment with it: the client knows that it is connected.
    let opening = futures_util::stream::iter([Ok(Bytes::from_static(b": connected\n\n"))]);
    let messages = futures_util::stream::unfold(Some(client), async |client| {
        let mut client = client?;
        Some(match client.next().await {
            Step::Messages(messages) => {
                let chunk = joined(messages.iter().map(|each| each.sse(client.wanted())));
                (Ok(chunk), Some(client))
            }
            Step::End(end) => (Ok(goodbye(end)), None),
        })
    });
    futures_util::StreamExt::chain(opening, messages)
}

/// One message stays the bytes that all share.
fn joined(mut messages: impl Iterator<Item = Bytes>) -> Bytes {
    let first = messages.next().unwrap_or_default();
    let Some(second) = messages.next() else { return first };
    let mut all = BytesMut::from(first.as_ref());
    all.extend_from_slice(&second);
    messages.for_each(|each| all.extend_from_slice(&each));
    all.freeze()
}

fn goodbye(end: End) -> Bytes {
    let reason = serde_json::json!({ "reason": end.reason() });
    event(None, "dropped", &reason.to_string())
}
