//! From a payload to the connections that listen, past the faults of the moment.
//!
//! Invariant: without faults a frame is written once and handed to each listener in order. A fault
//! acts on a frame of one connection, never on what the venue says to others.

use std::collections::BTreeMap;

use super::super::text::Text;
use super::VenueCounters;
use super::connection::{Connection, Form, Life};
use super::faults::{FaultKind, Faults};
use super::feed::{Channel, Emit};
use super::outbox::{Action, ConnectionId, Outbox, Span};

/// Delayed frames by when they are due.
#[derive(Debug, Default)]
pub(super) struct Held {
    frames: BTreeMap<(i64, u64), (ConnectionId, Vec<u8>)>,
    count: u64,
}

impl Held {
    fn push(&mut self, due: i64, connection: ConnectionId, text: Vec<u8>) {
        self.count += 1;
        self.frames.insert((due, self.count), (connection, text));
    }

    /// The next frame that is due.
    pub(super) fn pop(&mut self, now: i64) -> Option<(ConnectionId, Vec<u8>)> {
        let entry = self.frames.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Forgets the frames of a connection that ended.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.frames.retain(|_, (to, _)| *to != connection);
    }
}

/// Hands out frames at one moment.
pub(super) struct Sender<'v> {
    pub(super) out: &'v mut Outbox,
    pub(super) connections: &'v mut [Option<Connection>],
    pub(super) faults: &'v mut Faults,
    pub(super) held: &'v mut Held,
    pub(super) counters: &'v mut VenueCounters,
    pub(super) now: i64,
}

impl Emit for Sender<'_> {
    fn emit(&mut self, channel: &Channel, write: &mut dyn FnMut(&mut Text<'_>)) {
        self.emit_to(channel, write);
    }
}

/// A frame in the buffer, whole and without the wrapper that names its stream.
#[derive(Clone, Copy, Debug)]
struct Written {
    combined: Span,
    raw: Span,
}

impl Written {
    const fn span(self, form: Form) -> Span {
        match form {
            Form::Combined => self.combined,
            Form::Raw => self.raw,
        }
    }
}

impl Sender<'_> {
    pub(super) fn emit_to(&mut self, channel: &Channel, write: &mut dyn FnMut(&mut Text<'_>)) {
        let start = self.out.position();
        let mut text = Text(&mut self.out.bytes);
        text.raw("{\"stream\":\"").raw(&channel.name).raw("\",\"data\":");
        let inner = self.out.position();
        write(&mut Text(&mut self.out.bytes));
        let end = self.out.position();
        self.out.bytes.push(b'}');
        let frame = Written {
            combined: Span { start, end: self.out.position() },
            raw: Span { start: inner, end },
        };
        let calm = self.faults.active().is_empty();
        for id in &channel.listeners {
            let Some(connection) = slot(self.connections, *id) else { continue };
            if connection.life == Life::Frozen {
                self.counters.lost_frames += 1;
                continue;
            }
            let span = frame.span(connection.form);
            if calm && connection.held_back.is_none() {
                self.counters.frames += 1;
                self.out.push(*id, Action::Text(span));
            } else {
                self.send_past_faults(*id, &channel.name, span);
            }
        }
    }

    /// Sends a text of its own to one connection.
    pub(super) fn send_text(&mut self, id: ConnectionId, stream: &str, text: &[u8]) {
        if slot(self.connections, id).is_none_or(|connection| connection.life == Life::Frozen) {
            return;
        }
        let start = self.out.position();
        self.out.bytes.extend_from_slice(text);
        let span = Span { start, end: self.out.position() };
        self.send_past_faults(id, stream, span);
    }

    fn send_past_faults(&mut self, id: ConnectionId, stream: &str, span: Span) {
        let mut copies = 1;
        let mut reorder = false;
        for fault in self.faults.active().to_vec() {
            let on_frames = fault.path.is_none() && fault.hits_stream(stream);
            if !on_frames || !self.is_struck(fault.kind, fault.percent) {
                continue;
            }
            match fault.kind {
                FaultKind::Drop | FaultKind::Silent => {
                    self.counters.lost_frames += 1;
                    return;
                }
                FaultKind::Delay => {
                    let due = self.now + fault.ms.unwrap_or(1_000);
                    let text = self.out.text(span).to_vec();
                    return self.held.push(due, id, text);
                }
                FaultKind::Duplicate => copies = 2,
                FaultKind::Reorder => reorder = true,
                _ => {}
            }
        }
        let Some(connection) = slot(self.connections, id) else { return };
        if reorder && connection.held_back.is_none() {
            connection.held_back = Some(self.out.text(span).to_vec());
            return;
        }
        let overtaken = connection.held_back.take();
        for _ in 0..copies {
            self.counters.frames += 1;
            self.out.push(id, Action::Text(span));
        }
        if let Some(text) = overtaken {
            self.counters.frames += 1;
            self.out.send(id, &text);
        }
    }

    /// Whether a fault that acts on frames strikes this one.
    fn is_struck(&mut self, kind: FaultKind, percent: Option<u8>) -> bool {
        match kind {
            // A silent stream says nothing at all.
            FaultKind::Silent => true,
            FaultKind::Drop | FaultKind::Delay | FaultKind::Duplicate | FaultKind::Reorder => {
                self.faults.strikes(percent)
            }
            _ => false,
        }
    }
}

fn slot(connections: &mut [Option<Connection>], id: ConnectionId) -> Option<&mut Connection> {
    connections.get_mut(usize::try_from(id.0).ok()?)?.as_mut()
}
