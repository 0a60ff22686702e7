//! A message, written once for all who get it.
//!
//! Invariant: the bytes of a message are shared by every client; only who chose some of the rates
//! gets bytes of its own.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use tokio::time::Instant;

use super::wanted::{Topic, Wanted};

/// What a turn has to tell, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) topic: Topic,
    /// What it is about within its topic: the newest message of each is the present state.
    pub(super) key: Arc<str>,
    /// The symbol it is about, where it is about one.
    pub(super) symbol: Option<Arc<str>>,
    pub(super) content: Content,
}

/// A body as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The body.
    Whole(String),
    /// An object with a member by symbol: `(symbol, "name":value)`.
    Members(Vec<(Arc<str>, String)>),
}

impl Content {
    fn whole(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Members(members) => object(members.iter().map(|(_, member)| member.as_str())),
        }
    }
}

fn object<'a>(members: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::from("{");
    for (place, member) in members.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(member);
    }
    text.push('}');
    text
}

/// A numbered message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) made_at: Instant,
    pub(super) draft: Draft,
    id: String,
    sse: Bytes,
    ws: OnceLock<Utf8Bytes>,
}

impl Message {
    pub(super) fn new(boot: &str, number: u64, draft: Draft) -> Self {
        let id = format!("{boot}-{number}");
        let sse = event(Some(&id), draft.topic.name(), &draft.content.whole());
        Self { number, made_at: Instant::now(), draft, id, sse, ws: OnceLock::new() }
    }

    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        self.sse.len() * 2 + 128
    }

    /// As a server-sent event, with what was wanted of it.
    pub(super) fn sse(&self, wanted: &Wanted) -> Bytes {
        match self.part(wanted) {
            Some(part) => event(Some(&self.id), self.draft.topic.name(), &part),
            None => self.sse.clone(),
        }
    }

    /// As a message of a socket, with what was wanted of it.
    pub(super) fn ws(&self, wanted: &Wanted) -> Utf8Bytes {
        let written = |data: &str| {
            let topic = self.draft.topic.name();
            Utf8Bytes::from(format!(r#"{{"id":"{}","topic":"{topic}","data":{data}}}"#, self.id))
        };
        match self.part(wanted) {
            Some(part) => written(&part),
            None => self.ws.get_or_init(|| written(&self.draft.content.whole())).clone(),
        }
    }

    /// The part that a client wants that does not want all of it.
    fn part(&self, wanted: &Wanted) -> Option<String> {
        let Content::Members(members) = &self.draft.content else { return None };
        wanted.chooses_symbols().then(|| {
            let chosen = members.iter().filter(|(symbol, _)| wanted.symbol(symbol));
            object(chosen.map(|(_, member)| member.as_str()))
        })
    }
}

/// A server-sent event; `data` must be one line, as JSON is.
pub(super) fn event(id: Option<&str>, topic: &str, data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + topic.len() + 48);
    // Writing to a string cannot fail.
    let _ = match id {
        Some(id) => write!(text, "id: {id}\nevent: {topic}\ndata: {data}\n\n"),
        None => write!(text, "event: {topic}\ndata: {data}\n\n"),
    };
    text.into()
}
