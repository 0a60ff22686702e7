//! Streams over a WebSocket.
//!
//! Invariant: a socket is worth nothing before it has shown a token, and that in bounded time. It
//! is written to in bounded time, and reads nothing but what it must.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::{Extensions, HeaderMap};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio_tungstenite::tungstenite;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client::{Client, End, Listener, Step};
use super::wanted::Wanted;
use crate::app::App;
use crate::auth::{bearer, origin};
use crate::coins::Coins;
use crate::error::ApiError;
use crate::metrics::StreamKind;
use crate::stall::Streams;

/// Time for the first message.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// Time for a message to be taken by the connection.
const WRITE: Duration = Duration::from_secs(20);
/// Bytes of a message of a client at most.
const LARGEST: usize = 16 * 1024;
/// Bytes that wait to be written at most; one message may be larger than what is sent at once.
const WAITING: usize = 1024 * 1024;

/// Close codes: what HTTP would answer, above 4000.
const INVALID: u16 = 4422;
const UNAUTHORISED: u16 = 4401;
const FORBIDDEN: u16 = 4403;
const SLOW: u16 = 4008;
const BUSY: u16 = 4503;
const GOING_AWAY: u16 = 1001;
const TOO_BIG: u16 = 1009;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(socket))
}

/// What a client says first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    token: Option<String>,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    symbols: Vec<String>,
    after: Option<String>,
}

/// The topics of `/api/stream` over a WebSocket.
///
/// The first message of the client, within 10 s, says what it wants:
/// `{"token","topics":[…],"symbols":[…],"after":"the last id heard"}`, all optional; the token may
/// come as `Authorization` instead. Then `{"id","topic","data"}` comes. Close codes: 4401 no valid
/// token, 4403 the role does not suffice, 4422 the first message makes no sense, 4008 too slow,
/// 4503 no place is free.
#[utoipa::path(
    get,
    path = "/api/ws",
    tag = "streams",
    security(()),
    responses(
        (status = 101, description = "The connection is a WebSocket from here on."),
        (status = 400, body = crate::error::ErrorBody, description = "No request for a WebSocket."),
        (status = 426, body = crate::error::ErrorBody, description = "The connection cannot become one."),
    )
)]
async fn socket(
    State(app): State<App>,
    asked: HeaderMap,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let token = bearer(&asked).map(str::to_owned);
    let from = origin(&asked, &extensions, &app);
    if let Some(connection) = extensions.get::<Streams>() {
        connection.say();
    }
    // A client costs little: what it says is short, what it is told is written at once.
    let upgrade = upgrade
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WAITING)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST);
    upgrade.on_upgrade(move |mut socket| async move {
        let mut stopping = std::pin::pin!(app.stopped());
        let begun = tokio::select! {
            begun = begin(&app, &mut socket, token) => begun,
            () = &mut stopping => Err(closing(GOING_AWAY, End::Stopping.reason())),
        };
        let farewell = match begun {
            Ok(client) => tell(&mut socket, client).await,
            Err(farewell) => {
                if farewell.code == UNAUTHORISED {
                    // Counted against the address; the socket ends in any case.
                    let _ = app.limits.refused_token(from);
                }
                Some(farewell)
            }
        };
        // A slow peer needs time to come to the farewell; one that is gone needs none.
        let is_slow = farewell.as_ref().is_some_and(|farewell| farewell.code == SLOW);
        let time = if is_slow { WRITE } else { Duration::from_secs(1) };
        let goodbye = socket.send(Frame::Close(farewell));
        let _ = tokio::time::timeout(time, goodbye).await;
    })
}

async fn begin(
    app: &App,
    socket: &mut WebSocket,
    token: Option<String>,
) -> Result<Client, CloseFrame> {
    let hello = tokio::time::timeout(FIRST_MESSAGE, hello(socket)).await;
    let hello = match hello {
        Ok(hello) => hello?,
        Err(_) if token.is_some() => Hello::default(),
        Err(_) => return Err(closing(UNAUTHORISED, "no message with a token came within 10 s")),
    };
    let token = token.or(hello.token).ok_or(ApiError::Unauthorised).map_err(refusal)?;
    let who = app.authenticate(&token).await.map_err(refusal)?;
    let topics: Vec<_> = hello.topics.iter().map(String::as_str).collect();
    let symbols: Vec<_> = hello.symbols.iter().map(String::as_str).collect();
    let coins = Coins::new(&app.host.symbols);
    let wanted = Wanted::new(&who, coins, (&topics, &symbols)).map_err(refusal)?;
    let listener = Listener { token, wanted, last: hello.after };
    Client::begin(app, StreamKind::WebSocket, listener).await.map_err(refusal)
}

async fn hello(socket: &mut WebSocket) -> Result<Hello, CloseFrame> {
    loop {
        let text = match socket.recv().await {
            Some(Ok(Frame::Text(text))) => text,
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => continue,
            Some(Ok(_)) => return Err(closing(INVALID, "the first message must be text")),
            Some(Err(error)) => return Err(lost(error)),
            None => return Err(closing(GOING_AWAY, "the connection was lost")),
        };
        return serde_json::from_str(&text).map_err(|error| {
            closing(INVALID, &format!("the first message makes no sense: {error}"))
        });
    }
}

fn lost(error: axum::Error) -> CloseFrame {
    match error.into_inner().downcast::<tungstenite::Error>().as_deref() {
        Ok(tungstenite::Error::Capacity(_)) => closing(TOO_BIG, "the first message is too large"),
        _ => closing(GOING_AWAY, "the connection was lost"),
    }
}

/// Tells messages until one side ends; with what the socket is closed.
async fn tell(socket: &mut WebSocket, mut client: Client) -> Option<CloseFrame> {
    loop {
        let step = tokio::select! {
            step = client.next() => step,
            said = socket.recv() => match said {
                // Answered by the library; what else a client says is no matter.
                Some(Ok(Frame::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => continue,
            },
        };
        let messages = match step {
            Step::Messages(messages) => messages,
            Step::End(end) => return Some(farewell(end)),
        };
        for message in messages {
            let frame = Frame::Text(message.ws(client.wanted()));
            match tokio::time::timeout(WRITE, socket.send(frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(farewell(client.too_slow())),
            }
        }
    }
}

fn farewell(end: End) -> CloseFrame {
    let code = match end {
        End::Slow => SLOW,
        End::NotAllowed => UNAUTHORISED,
        End::Stopping => GOING_AWAY,
    };
    closing(code, end.reason())
}

fn refusal(error: ApiError) -> CloseFrame {
    let code = match &error {
        ApiError::Unauthorised => UNAUTHORISED,
        ApiError::Forbidden(_) => FORBIDDEN,
        ApiError::Invalid(_) => INVALID,
        _ => BUSY,
    };
    let flaws = match &error {
        ApiError::Invalid(flaws) => flaws.iter().map(|flaw| flaw.msg.as_str()).collect(),
        _ => Vec::new(),
    };
    match flaws.as_slice() {
        [] => closing(code, &error.detail()),
        flaws => closing(code, &flaws.join("; ")),
    }
}

/// A reason has room for 123 bytes.
fn closing(code: u16, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame { code, reason: reason.get(..end).unwrap_or_default().into() }
}
