//! A stream connection and what it may say.
//!
//! Invariant: requests are answered in the venue's words; what no stream has is accepted and stays
//! silent; more messages a second than allowed end the connection.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::text::Text;
use super::streams::{Route, Stream};

/// Whether frames name their stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    Combined,
}

/// Whether anything passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    /// Half open: nothing is read or written.
    Frozen,
}

/// A stream by its name as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) name: String,
    /// None for one that stays silent.
    pub(super) stream: Option<Stream>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) route: Route,
    pub(super) form: Form,
    pub(super) life: Life,
    pub(super) opened_at: i64,
    pub(super) next_ping: i64,
    /// When a pong must have come.
    pub(super) pong_due: Option<i64>,
    pub(super) subscriptions: Vec<Subscription>,
    /// A frame that waits for the next one to overtake it.
    pub(super) held_back: Option<Vec<u8>>,
    second: i64,
    messages: u32,
    pub(super) coinbase: super::coinbase::Listener,
}

impl Connection {
    pub(super) fn new(route: Route, form: Form, now: i64) -> Self {
        Self {
            route,
            form,
            life: Life::Open,
            opened_at: now,
            next_ping: now,
            pong_due: None,
            subscriptions: Vec::new(),
            held_back: None,
            second: i64::MIN,
            messages: 0,
            coinbase: super::coinbase::Listener::default(),
        }
    }

    /// Counts a message and tells how many came in this second.
    pub(super) const fn count_message(&mut self, now: i64) -> u32 {
        let second = now.div_euclid(1_000);
        if second != self.second {
            self.second = second;
            self.messages = 0;
        }
        self.messages += 1;
        self.messages
    }

    /// Whether it has a stream whose name contains this.
    pub(super) fn listens(&self, hits: impl Fn(&str) -> bool) -> bool {
        self.subscriptions.iter().any(|subscription| hits(&subscription.name))
    }
}

/// A request on a connection.
#[derive(Debug, Deserialize)]
struct Wire<'a> {
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    List,
    SetCombined(Form),
    GetCombined,
}

/// A request that was understood, or the error it is answered with; with its id as written.
pub(super) fn read(text: &str) -> (Result<Asked, String>, String) {
    let wire: Wire<'_> = match serde_json::from_str(text) {
        Ok(wire) => wire,
        Err(error) if error.is_data() => {
            return (Err(format!("Invalid request: {error}")), "null".to_owned());
        }
        Err(error) => return (Err(format!("Invalid JSON: {error}")), "null".to_owned()),
    };
    let id = wire.id.map_or("null", RawValue::get).to_owned();
    let names = || {
        let params =
            wire.params.ok_or("Invalid request: request ID must be an unsigned integer")?;
        serde_json::from_str::<Vec<String>>(params.get())
            .map_err(|_| "Invalid request: params must be a list of strings")
    };
    let asked = match wire.method {
        "SUBSCRIBE" => names().map(Asked::Subscribe),
        "UNSUBSCRIBE" => names().map(Asked::Unsubscribe),
        "LIST_SUBSCRIPTIONS" => Ok(Asked::List),
        "GET_PROPERTY" => Ok(Asked::GetCombined),
        "SET_PROPERTY" => wire
            .params
            .and_then(|params| serde_json::from_str::<(String, bool)>(params.get()).ok())
            .filter(|(name, _)| name == "combined")
            .map(|(_, on)| Asked::SetCombined(if on { Form::Combined } else { Form::Raw }))
            .ok_or("Invalid request: params must be [\"combined\", true or false]"),
        _ => Err("Invalid request: unknown variant of method"),
    };
    (asked.map_err(str::to_owned), id)
}

/// `{"result":…,"id":…}`.
pub(super) fn result(result: &str, id: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Text(&mut body).raw("{\"result\":").raw(result).raw(",\"id\":").raw(id).raw("}");
    body
}

/// `{"error":{"code":2,"msg":…},"id":…}`.
pub(super) fn error(message: &str, id: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Text(&mut body).raw("{\"error\":{\"code\":2,\"msg\":").quoted_text(message).raw("},\"id\":");
    Text(&mut body).raw(id).raw("}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_any_id() {
        let names = vec!["btcusdt@aggTrade".to_owned()];
        for (text, asked, id) in [
            (
                r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}"#,
                Asked::Subscribe(names.clone()),
                "1",
            ),
            (
                r#"{"id":"a1","method":"UNSUBSCRIBE","params":["btcusdt@aggTrade"]}"#,
                Asked::Unsubscribe(names),
                "\"a1\"",
            ),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":null}"#, Asked::List, "null"),
            (
                r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#,
                Asked::SetCombined(Form::Combined),
                "5",
            ),
        ] {
            assert_eq!(read(text), (Ok(asked), id.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_request_is_an_error_with_code_two() {
        for text in ["{", "{}", r#"{"method":"FLY","id":3}"#, r#"{"method":"SUBSCRIBE","id":3}"#] {
            let (asked, id) = read(text);
            let body = String::from_utf8(error(&asked.unwrap_err(), &id)).unwrap();
            assert!(body.starts_with("{\"error\":{\"code\":2,\"msg\":\"Invalid"), "{body}");
        }
    }
}
