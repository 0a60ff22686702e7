//! One WebSocket connection: subscribe, read, notice silence.
//!
//! Invariant: it ends with a reason, never silently: a stream that should be busy and says nothing
//! counts as lost, whatever the socket claims. That also catches the retired paths, which accept a
//! subscription and then send nothing.

use std::time::Duration;

use arb_core::VenueError;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::line::LineEvent;

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

/// What a connection is to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The whole address.
    pub(super) address: String,
    /// Messages that subscribe, sent one after the other.
    pub(super) messages: Vec<String>,
    /// Longest time without a frame.
    pub(super) silence: Duration,
}

/// Subscriptions to these streams as Binance takes them.
pub(super) fn subscriptions(streams: &[String]) -> Vec<String> {
    let message = |(id, batch): (usize, &[String])| {
        serde_json::json!({"method": "SUBSCRIBE", "params": batch, "id": id + 1}).to_string()
    };
    streams.chunks(BATCH).enumerate().map(message).collect()
}

fn lost(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> VenueError {
    VenueError::Disconnected(what.into())
}

async fn connect(address: &str) -> Result<Socket, VenueError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    let connecting = connect_async_with_config(address, Some(config), true);
    match timeout(CONNECT_TIME_OUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(lost(error)),
        Err(_) => Err(lost(format!("no connection within {CONNECT_TIME_OUT:?}"))),
    }
}

/// Connects, subscribes and hands on what comes until something ends it, and tells that end.
pub(super) async fn run(plan: Plan, number: u64, out: Told) {
    let mut is_up = false;
    let error = follow(plan, number, &out, &mut is_up).await;
    let reason = error.to_string().into();
    out.tell(LineEvent::Down { connection: number, was_up: is_up, reason }).await;
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
async fn follow(plan: Plan, number: u64, out: &Told, is_up: &mut bool) -> VenueError {
    let mut socket = match connect(&plan.address).await {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    let mut messages = plan.messages.into_iter();
    let mut next_message = Instant::now();
    let mut quiet_until = Instant::now() + plan.silence;
    loop {
        if messages.len() > 0 && Instant::now() >= next_message {
            let message = messages.next().unwrap_or_default();
            if let Err(error) = socket.send(Message::text(message)).await {
                return lost(error);
            }
            next_message = Instant::now() + BETWEEN_MESSAGES;
        }
        let until = if messages.len() > 0 { next_message.min(quiet_until) } else { quiet_until };
        let frame = match timeout_at(until, socket.next()).await {
            Err(_) if Instant::now() < quiet_until => continue,
            Err(_) => return lost(format!("no frame for {:?}", plan.silence)),
            Ok(frame) => frame,
        };
        let (frames, end) = batch(frame, &mut socket);
        if !frames.is_empty() {
            quiet_until = Instant::now() + plan.silence;
            if !*is_up && !frames.iter().all(|bytes| is_answer(bytes)) {
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

/// A frame and those that are there already; and why there will be none, when that is known.
fn batch(
    first: Option<Result<Message, tungstenite::Error>>,
    socket: &mut Socket,
) -> (Vec<Bytes>, Option<VenueError>) {
    let mut frames = Vec::new();
    let mut next = Some(first);
    while let Some(frame) = next {
        match frame {
            None => return (frames, Some(lost("the venue closed the connection"))),
            Some(Err(error)) => return (frames, Some(lost(error))),
            Some(Ok(frame)) => frames.extend(payload(frame)),
        }
        next = if frames.len() < MOST_FRAMES { socket.next().now_or_never() } else { None };
    }
    (frames, None)
}

/// The text of a frame; pings are answered by the library as it reads on.
fn payload(frame: Message) -> Option<Bytes> {
    match frame {
        Message::Text(text) => Some(text.into()),
        Message::Binary(bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether a frame answers a subscription: `{"result":…}`, `{"id":…}`, or Coinbase's own.
fn is_answer(bytes: &[u8]) -> bool {
    let starts = |text: &[u8]| bytes.starts_with(text);
    starts(br#"{"result""#)
        || starts(br#"{"id""#)
        || starts(br#"{"error""#)
        || starts(br#"{"code""#)
        || starts(br#"{"type":"subscriptions""#)
}
