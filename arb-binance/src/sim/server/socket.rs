//! Stream connections on the wire.
//!
//! Invariant: a listener gets exactly what the venue said to it, in order; one that reads too
//! slowly is cut, as the venue does, instead of filling memory. A mailbox belongs to one life of
//! one connection, so a late word of an ended one cannot reach its successor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::Response;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::venue::{Action, ConnectionId, Outbox, Span, Venue};
use super::{Core, Shared};

/// Bytes that may wait for a listener.
const BACKLOG: usize = 64 << 20;
/// Largest message of a client.
const MESSAGE: usize = 1 << 18;

/// What one tick says to one connection.
#[derive(Debug)]
struct Batch {
    bytes: Bytes,
    actions: Vec<Action>,
}

impl Batch {
    fn weight(&self) -> usize {
        let length = |action: &Action| match action {
            Action::Text(span) | Action::Ping(span) => place(span.end) - place(span.start),
            _ => 0,
        };
        self.actions.iter().map(length).sum()
    }

    fn slice(&self, span: Span) -> Bytes {
        self.bytes.slice(place(span.start)..place(span.end))
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[derive(Debug)]
struct Listener {
    life: u64,
    sender: UnboundedSender<Batch>,
    waiting: Arc<AtomicUsize>,
    /// What the tick that is being handed out says to it.
    actions: Vec<Action>,
}

/// Everybody who is connected.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    listeners: Vec<Option<Listener>>,
    lives: u64,
    slow: u64,
}

/// Where one connection gets what the venue says to it.
#[derive(Debug)]
pub(super) struct Mailbox {
    id: ConnectionId,
    life: u64,
    receiver: UnboundedReceiver<Batch>,
    waiting: Arc<AtomicUsize>,
}

impl Sockets {
    pub(super) fn add(&mut self, id: ConnectionId) -> Mailbox {
        let (sender, receiver) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        self.lives += 1;
        let at = place(id.0);
        if self.listeners.len() <= at {
            self.listeners.resize_with(at + 1, || None);
        }
        if let Some(slot) = self.listeners.get_mut(at) {
            let listener = Listener {
                life: self.lives,
                sender,
                waiting: waiting.clone(),
                actions: Vec::new(),
            };
            *slot = Some(listener);
        }
        Mailbox { id, life: self.lives, receiver, waiting }
    }

    /// Listeners cut because they read too slowly.
    pub(super) const fn slow(&self) -> u64 {
        self.slow
    }

    pub(super) fn clear(&mut self) {
        self.listeners.clear();
    }

    fn is_alive(&self, id: ConnectionId, life: u64) -> bool {
        let listener = self.listeners.get(place(id.0)).and_then(Option::as_ref);
        listener.is_some_and(|listener| listener.life == life)
    }

    fn remove(&mut self, id: ConnectionId) {
        if let Some(slot) = self.listeners.get_mut(place(id.0)) {
            *slot = None;
        }
    }

    /// Hands out what the venue said and empties the outbox.
    pub(super) fn deliver(&mut self, venue: &mut Venue, outbox: &mut Outbox) {
        if outbox.items().is_empty() {
            return;
        }
        let mut addressed: Vec<ConnectionId> = Vec::new();
        for item in outbox.items() {
            let slot = self.listeners.get_mut(place(item.connection.0));
            let Some(listener) = slot.and_then(Option::as_mut) else { continue };
            if listener.actions.is_empty() {
                addressed.push(item.connection);
            }
            listener.actions.push(item.action);
        }
        let bytes = Bytes::from(outbox.take_bytes());
        outbox.clear();
        for id in addressed {
            self.hand_over(venue, id, bytes.clone());
        }
    }

    fn hand_over(&mut self, venue: &mut Venue, id: ConnectionId, bytes: Bytes) {
        let Some(listener) = self.listeners.get_mut(place(id.0)).and_then(Option::as_mut) else {
            return;
        };
        let capacity = listener.actions.len();
        let actions = std::mem::replace(&mut listener.actions, Vec::with_capacity(capacity));
        let ends = matches!(actions.last(), Some(Action::Cut | Action::Close(_)));
        let batch = Batch { bytes, actions };
        let weight = batch.weight();
        let waiting = listener.waiting.fetch_add(weight, Ordering::Relaxed) + weight;
        // A closed channel means that the task saw the end by itself.
        let _ = listener.sender.send(batch);
        if ends {
            self.remove(id);
        } else if waiting > BACKLOG {
            self.slow += 1;
            venue.close(id);
            self.remove(id);
        }
    }
}

pub(super) fn upgrade(
    upgrade: WebSocketUpgrade,
    shared: Arc<Shared>,
    mailbox: Mailbox,
) -> Response<Body> {
    let (id, life, failed) = (mailbox.id, mailbox.life, shared.clone());
    upgrade
        .max_message_size(MESSAGE)
        .on_failed_upgrade(move |_| leave(&failed, id, life))
        .on_upgrade(move |socket| run(socket, shared, mailbox))
        .into_response()
}

/// How a connection goes on after a batch or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Freeze,
    End,
}

async fn run(mut socket: WebSocket, shared: Arc<Shared>, mut mailbox: Mailbox) {
    loop {
        let next = tokio::select! {
            batch = mailbox.receiver.recv() => match batch {
                Some(batch) => write(&mut socket, &mut mailbox, batch).await,
                None => Next::End,
            },
            message = socket.recv() => read(message, &shared, &mailbox),
        };
        match next {
            Next::Go => {}
            Next::Freeze => wait_for_the_end(&mut mailbox).await,
            Next::End => break,
        }
        if next == Next::Freeze {
            break;
        }
    }
    leave(&shared, mailbox.id, mailbox.life);
}

/// Half open: the socket is neither read nor written until the venue ends it.
async fn wait_for_the_end(mailbox: &mut Mailbox) {
    while let Some(batch) = mailbox.receiver.recv().await {
        if batch.actions.contains(&Action::Cut) {
            return;
        }
    }
}

/// Writes a batch and whatever else waits, then lets it go out.
async fn write(socket: &mut WebSocket, mailbox: &mut Mailbox, batch: Batch) -> Next {
    let mut batch = batch;
    loop {
        for action in &batch.actions {
            let next = act(socket, &batch, *action).await;
            if next != Next::Go {
                return next;
            }
        }
        mailbox.waiting.fetch_sub(batch.weight(), Ordering::Relaxed);
        match mailbox.receiver.try_recv() {
            Ok(more) => batch = more,
            Err(_) => break,
        }
    }
    if socket.flush().await.is_ok() { Next::Go } else { Next::End }
}

async fn act(socket: &mut WebSocket, batch: &Batch, action: Action) -> Next {
    let message = match action {
        Action::Text(span) => match Utf8Bytes::try_from(batch.slice(span)) {
            Ok(text) => Message::Text(text),
            Err(_) => return Next::Go,
        },
        Action::Ping(span) => Message::Ping(batch.slice(span)),
        Action::Close(code) => {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
            // The peer may be gone already.
            let _ = socket.send(Message::Close(Some(frame))).await;
            return Next::End;
        }
        Action::Cut => return Next::End,
        Action::Freeze => {
            let flushed = socket.flush().await;
            return if flushed.is_ok() { Next::Freeze } else { Next::End };
        }
    };
    if socket.feed(message).await.is_ok() { Next::Go } else { Next::End }
}

fn read(message: Option<Result<Message, axum::Error>>, shared: &Shared, mailbox: &Mailbox) -> Next {
    let Some(Ok(message)) = message else { return Next::End };
    let mut core = shared.core();
    if !core.sockets.is_alive(mailbox.id, mailbox.life) {
        return Next::Go;
    }
    let Core { venue, outbox, sockets } = &mut *core;
    match message {
        Message::Text(text) => {
            venue.receive(mailbox.id, &text, shared.clock.now(), outbox);
            sockets.deliver(venue, outbox);
        }
        Message::Pong(_) => venue.pong(mailbox.id),
        Message::Close(_) => return Next::End,
        Message::Ping(_) | Message::Binary(_) => {}
    }
    Next::Go
}

fn leave(shared: &Shared, id: ConnectionId, life: u64) {
    let mut core = shared.core();
    if core.sockets.is_alive(id, life) {
        core.venue.close(id);
        core.sockets.remove(id);
    }
}
