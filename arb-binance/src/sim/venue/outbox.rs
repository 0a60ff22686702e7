//! What the venue sends, before it is on any wire.
//!
//! Invariant: the texts of a tick lie in one buffer in the order they were written, each written
//! once however many connections get it; items are in the order of sending.

/// A connection of the venue, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// A part of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It gets this text.
    Text(Span),
    /// It gets a ping with this payload.
    Ping(Span),
    /// It is closed with this code.
    Close(u16),
    /// It ends without a word.
    Cut,
    /// It stays open, and nothing is read or written any more.
    Freeze,
}

/// One thing that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// To whom.
    pub connection: ConnectionId,
    /// What.
    pub action: Action,
}

/// What is sent in one go; used again.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

impl Outbox {
    /// What is sent, in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The text of a span.
    #[must_use]
    pub fn text(&self, span: Span) -> &[u8] {
        let at = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.bytes.get(at(span.start)..at(span.end)).unwrap_or_default()
    }

    /// The texts with the connections that get them.
    pub fn texts(&self) -> impl Iterator<Item = (ConnectionId, &[u8])> {
        self.items.iter().filter_map(|item| match item.action {
            Action::Text(span) => Some((item.connection, self.text(span))),
            _ => None,
        })
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    /// Takes the buffer, so that it can be shared without a copy.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let capacity = self.bytes.len();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity))
    }

    pub(crate) fn position(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// Sends a text of its own to one connection.
    pub(crate) fn send(&mut self, connection: ConnectionId, text: &[u8]) {
        let start = self.position();
        self.bytes.extend_from_slice(text);
        let span = Span { start, end: self.position() };
        self.push(connection, Action::Text(span));
    }

    pub(crate) fn push(&mut self, connection: ConnectionId, action: Action) {
        self.items.push(Item { connection, action });
    }
}
