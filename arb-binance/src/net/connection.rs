//! One WebSocket connection: subscribe, read, notice silence.
//!
//! Invariant: it ends with a reason, never silently: a stream that should be busy and says nothing
//! counts as lost, whatever the socket claims. That also catches the retired paths, which accept a
//! subscription and then send nothing.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arb_core::time::nanos;
use arb_core::{Market, VenueError};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::advice::{explained, stay_away};
use super::dialer::Dialer;
use super::frames::Frames;
use super::line::LineEvent;
use crate::wire::rest::{Refused, refusal};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const CONNECT_TIME_OUT: Duration = Duration::from_secs(10);
/// Larger than any frame of the venue: `!markPrice@arr` has some 100 kB.
const LARGEST_FRAME: usize = 4 << 20;
/// Frames handed on together, when so many are there already.
const MOST_FRAMES: usize = 256;
/// Streams named in one message.
const BATCH: usize = 100;
/// Between two messages; futures allow ten a second and spot five, pongs included.
const BETWEEN_MESSAGES: Duration = Duration::from_millis(300);
/// Time before streams that were refused are asked for again.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// What a connection is to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The whole address.
    pub(super) address: String,
    /// Messages that subscribe, sent one after the other.
    pub(super) messages: Vec<String>,
    /// Longest time without a frame.
    pub(super) silence: Duration,
    /// Lets connections be begun.
    pub(super) dialer: Arc<Dialer>,
}

/// Subscriptions to these streams as Binance takes them.
pub(super) fn subscriptions(streams: &[String]) -> Vec<String> {
    let batches = streams.chunks(BATCH).enumerate();
    batches.map(|(number, batch)| subscription(number + 1, batch)).collect()
}

/// One of them.
pub(super) fn subscription(id: usize, streams: &[String]) -> String {
    serde_json::json!({"method": "SUBSCRIBE", "params": streams, "id": id}).to_string()
}

fn lost(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> End {
    VenueError::Disconnected(what.into()).into()
}

/// Why a connection ended.
struct End {
    error: VenueError,
    /// How long the venue wants to be left alone, in its own time.
    stay_away: Option<Duration>,
}

impl From<VenueError> for End {
    fn from(error: VenueError) -> Self {
        Self { error, stay_away: None }
    }
}

async fn connect(address: &str, dialer: &Dialer) -> Result<Socket, End> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    dialer.admit(address).await;
    let connecting = connect_async_with_config(address, Some(config), true);
    match timeout(CONNECT_TIME_OUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(answer))) => Err(refused_handshake(&answer, dialer)),
        Ok(Err(error)) => Err(lost(error)),
        Err(_) => Err(lost(format!("no connection within {CONNECT_TIME_OUT:?}"))),
    }
}

/// What an answer other than the switch to WebSocket means: the same as to a request.
fn refused_handshake(answer: &Response<Option<Vec<u8>>>, dialer: &Dialer) -> End {
    let status = answer.status().as_u16();
    let header = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let body = answer.body().as_deref().unwrap_or_default();
    let now = dialer.clock().now();
    let error = refusal(&Refused { market: Market::Um, status, body, retry_after, now });
    let stay_away = stay_away(status, &error);
    End { error: explained(error, status), stay_away }
}

/// Connects, subscribes and hands on what comes until something ends it, and tells that end.
pub(super) async fn run(plan: Plan, number: u64, out: Told) {
    let mut is_up = false;
    let dialer = Arc::clone(&plan.dialer);
    let End { error, stay_away } = follow(plan, number, &out, &mut is_up).await;
    let reason = error.to_string().into();
    // Venue time may run faster than ours.
    let clock = dialer.clock();
    let stay_away = stay_away.map(|wait| clock.wait(clock.now().plus(nanos(wait))));
    out.tell(LineEvent::Down { connection: number, was_up: is_up, reason, stay_away }).await;
}

/// Where a connection tells what it meets: everything to the line's owner, ups and downs to its
/// supervisor too.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) owner: mpsc::Sender<LineEvent>,
    pub(super) supervisor: mpsc::UnboundedSender<LineEvent>,
}

impl Told {
    async fn tell(&self, event: LineEvent) {
        // Nobody may listen any more, which is an end as well.
        let _ = self.owner.send(event.clone()).await;
        let _ = self.supervisor.send(event);
    }
}

/// `Up` is told before the first frame that is not the answer to a subscription: only then does
/// the venue deliver.
async fn follow(plan: Plan, number: u64, out: &Told, is_up: &mut bool) -> End {
    let mut socket = match connect(&plan.address, &plan.dialer).await {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    let mut messages = plan.messages.into_iter();
    let mut next_message = Instant::now();
    let mut quiet_until = Instant::now() + plan.silence;
    let mut size = (0, 0);
    loop {
        if messages.len() > 0 && Instant::now() >= next_message {
            let message = messages.next().unwrap_or_default();
            if let Err(error) = socket.send(Message::text(message)).await {
                return lost(error);
            }
            next_message = Instant::now() + BETWEEN_MESSAGES;
        }
        let until = if messages.len() > 0 { next_message.min(quiet_until) } else { quiet_until };
        let (frames, end) = match timeout_at(until, batch(&mut socket, size)).await {
            Err(_) if Instant::now() < quiet_until => continue,
            Err(_) => return lost(format!("no frame for {:?}", plan.silence)),
            Ok(batch) => batch,
        };
        if !frames.is_empty() {
            size = frames.size();
            quiet_until = Instant::now() + plan.silence;
            if let Some(refused) = frames.iter().find_map(refused_subscription) {
                return refused;
            }
            if !*is_up && !frames.iter().all(is_answer) {
                *is_up = true;
                out.tell(LineEvent::Up { connection: number }).await;
            }
            if out.owner.send(LineEvent::Frames { connection: number, frames }).await.is_err() {
                return lost("nobody listens any more");
            }
        }
        if let Some(end) = end {
            return end;
        }
    }
}

/// The next frame and those that are there already; and why there will be none, when that is
/// known. Nothing is lost when it is dropped: it waits only while it has nothing.
async fn batch(socket: &mut Socket, size: (usize, usize)) -> (Frames, Option<End>) {
    let mut frames = Frames::like(size);
    let end = poll_fn(|cx| {
        while frames.len() < MOST_FRAMES {
            match socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(end) = take(&frame, &mut frames) {
                        return Poll::Ready(Some(end));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(lost(error))),
                Poll::Ready(None) => {
                    return Poll::Ready(Some(lost("the venue closed the connection")));
                }
                Poll::Pending if frames.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(None)
    })
    .await;
    (frames, end)
}

/// Takes the payload of a frame, or tells that it was the last; pings are answered by the library
/// as it reads on.
fn take(frame: &Message, frames: &mut Frames) -> Option<End> {
    match frame {
        Message::Text(text) => frames.push(text.as_bytes()),
        Message::Binary(bytes) => frames.push(bytes),
        Message::Close(why) => {
            let why = why.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(lost(format!("the venue closed the connection {why}")));
        }
        _ => {}
    }
    None
}

/// Whether a frame answers a subscription: `{"result":…}`, `{"id":…}`, or Coinbase's own.
fn is_answer(bytes: &[u8]) -> bool {
    let starts = |text: &[u8]| bytes.starts_with(text);
    // Nearly all frames are told by their first bytes.
    if starts(br#"{"stream""#) {
        return false;
    }
    starts(br#"{"result""#)
        || starts(br#"{"id""#)
        || starts(br#"{"error""#)
        || starts(br#"{"code""#)
        || starts(br#"{"type":"subscriptions""#)
        || starts(br#"{"type":"error""#)
}

/// What the venue says about a request that it does not carry out: an error, or a code and a text.
#[derive(Deserialize)]
struct Refusal {
    error: Option<serde_json::Value>,
    code: Option<i32>,
    msg: Option<String>,
}

/// A subscription that was refused leaves its streams silent, so it ends the connection. On
/// Coinbase it only means that a coin is not listed there, which is told by its reader.
fn refused_subscription(bytes: &[u8]) -> Option<End> {
    if !is_answer(bytes) {
        return None;
    }
    let Refusal { error, code, msg } = serde_json::from_slice(bytes).ok()?;
    let reason = match (error, code) {
        (Some(error), _) => error.to_string(),
        (None, Some(code)) => format!("{code} {}", msg.unwrap_or_default()),
        (None, None) => return None,
    };
    let reason = format!("streams were refused, they are asked for again later: {reason}");
    let error = VenueError::Rejected { code: code.unwrap_or_default(), reason };
    Some(End { error, stay_away: Some(AFTER_REFUSAL) })
}
