//! Opening connections, and what they subscribe.
//!
//! Invariant: a channel exists exactly while it has a listener, and a connection gets a stream
//! once, however often it asks for it.

use arb_core::{Market, Timestamp};

use super::connection::{Asked, Connection, Form, Life, Subscription};
use super::faults::FaultKind;
use super::feed::Channel;
use super::limits::Excess;
use super::streams::{Kind, Route, Scope, Stream};
use super::{Action, Answer, ConnectionId, Handshake, Outbox, Venue, connection, limited};

/// A stream of all symbols.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) market: Market,
    pub(super) channel: Channel,
}

impl Array {
    pub(super) const fn channel_kind(&self) -> Kind {
        self.channel.kind()
    }
}

/// Where a path leads: its route, its form and the streams it names.
fn destination<'h>(handshake: &Handshake<'h>) -> Option<(Route, Form, Vec<&'h str>)> {
    let (route, rest) = match handshake.path {
        "/coinbase/exchange" => return Some((Route::CoinbaseExchange, Form::Raw, Vec::new())),
        "/coinbase/advanced" => return Some((Route::CoinbaseAdvanced, Form::Raw, Vec::new())),
        path => [
            ("/public/", Route::Public),
            ("/market/", Route::Market),
            ("/private/", Route::Private),
            ("/spot/", Route::Spot),
            ("/", Route::Unrouted),
        ]
        .into_iter()
        .find_map(|(start, route)| Some((route, path.strip_prefix(start)?)))?,
    };
    let named = |text: &'h str| text.split('/').filter(|name| !name.is_empty()).collect();
    if rest == "stream" || rest == "stream/" {
        let pairs = handshake.query.split('&');
        let streams = pairs.filter_map(|pair| pair.strip_prefix("streams=")).next();
        return Some((route, Form::Combined, named(streams.unwrap_or_default())));
    }
    let streams = if rest == "ws" { "" } else { rest.strip_prefix("ws/")? };
    Some((route, Form::Raw, named(streams)))
}

impl Venue {
    /// Accepts a stream connection.
    ///
    /// # Errors
    /// The answer that refuses it: no such path, too many connections, or a venue that is away.
    pub fn open(
        &mut self,
        handshake: &Handshake<'_>,
        now: Timestamp,
    ) -> Result<ConnectionId, Answer> {
        let now = now.as_millis();
        let Some((route, form, streams)) = destination(handshake) else {
            return Err(super::status_answer(404, Some("no such stream path"), 0));
        };
        if self.is_away() {
            return Err(super::status_answer(503, None, 0));
        }
        let fault = self.faults.on_path(FaultKind::Status, handshake.path);
        if let Some(fault) = fault.filter(|fault| fault.path.is_some()) {
            return Err(self.status_of(&fault, handshake.ip, (now, 0)));
        }
        if let Err(excess) = self.meters.connect(handshake.ip, now) {
            let until = match excess {
                Excess::TooMany { until, .. } | Excess::Banned { until } => until,
            };
            let limit = self.config.limits.connections;
            return Err(limited(Excess::TooMany { until, limit }, handshake.ip, now, 0));
        }
        self.wake(now);
        let mut connection = Connection::new(route, form, now);
        connection.next_ping = now + super::ping_times(route).0;
        let free = self.connections.iter().position(Option::is_none);
        let number = free.unwrap_or(self.connections.len());
        let id = ConnectionId(u32::try_from(number).unwrap_or(u32::MAX));
        if number == self.connections.len() {
            self.connections.push(None);
        }
        if let Some(slot) = self.connections.get_mut(number) {
            *slot = Some(connection);
        }
        self.open += 1;
        self.counters.connections += 1;
        let names = streams.iter().map(|name| name.replace("%40", "@").replace("%21", "!"));
        let names: Vec<String> = names.collect();
        self.subscribe(id, &names);
        Ok(id)
    }

    /// Takes a message of a client.
    pub fn receive(&mut self, id: ConnectionId, text: &str, now: Timestamp, out: &mut Outbox) {
        let now = now.as_millis();
        let limits = self.config.limits;
        let Some(connection) = self.connection_mut(id) else { return };
        if connection.life == Life::Frozen {
            return;
        }
        let route = connection.route;
        let allowed = match route {
            Route::Spot => limits.spot_messages,
            Route::CoinbaseExchange | Route::CoinbaseAdvanced => 100,
            _ => limits.futures_messages,
        };
        if connection.count_message(now) > allowed {
            out.push(id, Action::Close(1_008));
            return self.end(id);
        }
        self.wake(now);
        if route.market() == Market::Cb {
            return self.receive_coinbase(id, text, now, out);
        }
        let (asked, request) = connection::read(text);
        let answer = match asked {
            Ok(asked) => self.carry_out(id, asked, &request),
            Err(message) => connection::error(&message, &request),
        };
        out.send(id, &answer);
    }

    /// A pong came, or anything else that shows life.
    pub fn pong(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection_mut(id).filter(|c| c.life == Life::Open) {
            connection.pong_due = None;
        }
    }

    /// The client went away.
    pub fn close(&mut self, id: ConnectionId) {
        self.remove(id);
    }

    /// The venue ends a connection.
    pub(super) fn end(&mut self, id: ConnectionId) {
        self.counters.ended += 1;
        self.remove(id);
    }

    fn remove(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection_mut(id) else { return };
        let names: Vec<String> =
            connection.subscriptions.iter().map(|known| known.name.clone()).collect();
        self.unsubscribe(id, &names);
        if let Ok(number) = usize::try_from(id.0)
            && let Some(slot) = self.connections.get_mut(number)
        {
            *slot = None;
            self.open -= 1;
            self.held.forget(id);
        }
    }

    /// While nobody listened no step was said; the next one is the one after now.
    fn wake(&mut self, now: i64) {
        if self.next_place().is_none() {
            self.rest_until(now);
        }
    }

    fn receive_coinbase(&mut self, id: ConnectionId, text: &str, now: i64, out: &mut Outbox) {
        let market = self.market.clone();
        let Some(connection) = self.connection_mut(id) else { return };
        let route = connection.route;
        let answer = connection.coinbase.request(route, text, &market, now);
        out.send(id, &answer);
    }

    fn carry_out(&mut self, id: ConnectionId, asked: Asked, request: &str) -> Vec<u8> {
        match asked {
            Asked::Subscribe(names) => {
                let most = usize::try_from(self.config.limits.streams).unwrap_or(usize::MAX);
                let has = self.connection(id).map_or(0, |c| c.subscriptions.len());
                if has + names.len() > most {
                    let message = format!("Invalid request: more than {most} streams");
                    return connection::error(&message, request);
                }
                self.subscribe(id, &names);
            }
            Asked::Unsubscribe(names) => self.unsubscribe(id, &names),
            Asked::List => {
                let known = self.connection(id).map(|c| &c.subscriptions);
                let names: Vec<&str> =
                    known.into_iter().flatten().map(|known| known.name.as_str()).collect();
                let list = serde_json::to_string(&names).unwrap_or_default();
                return connection::result(&list, request);
            }
            Asked::SetCombined(form) => {
                if let Some(connection) = self.connection_mut(id) {
                    connection.form = form;
                }
            }
            Asked::GetCombined => {
                let combined = self.connection(id).is_some_and(|c| c.form == Form::Combined);
                return connection::result(if combined { "true" } else { "false" }, request);
            }
        }
        connection::result("null", request)
    }

    fn subscribe(&mut self, id: ConnectionId, names: &[String]) {
        for name in names {
            let market = self.market.clone();
            let Some(connection) = self.connection_mut(id) else { return };
            if connection.subscriptions.iter().any(|known| known.name == *name) {
                continue;
            }
            let stream = connection.route.stream(name, &market);
            connection.subscriptions.push(Subscription { name: name.clone(), stream });
            let of = connection.route.market();
            if let Some(stream) = stream {
                self.listen(id, name, stream, of);
            }
        }
    }

    fn listen(&mut self, id: ConnectionId, name: &str, stream: Stream, of: Market) {
        match stream.scope {
            Scope::Line(place) => {
                let feed = self.feeds.entry(place).or_default();
                join(&mut feed.channels, id, name, stream.kind);
            }
            // Liquidations of all symbols come one by one, from each line.
            Scope::All(_) if stream.kind == Kind::Liquidation => {
                for place in self.lines_of(of) {
                    let feed = self.feeds.entry(place).or_default();
                    join(&mut feed.channels, id, name, stream.kind);
                }
            }
            Scope::All(_) => {
                let known = self
                    .arrays
                    .iter_mut()
                    .find(|array| array.market == of && array.channel.name == name);
                match known {
                    Some(array) => array.channel.listeners.push(id),
                    None => {
                        let mut channel = Channel::new(name, stream.kind);
                        channel.listeners.push(id);
                        self.arrays.push(Array { market: of, channel });
                    }
                }
            }
        }
    }

    fn lines_of(&self, of: Market) -> Vec<usize> {
        let lines = self.market.lines().iter().enumerate();
        lines.filter(|(_, line)| line.market == of).map(|(place, _)| place).collect()
    }

    fn unsubscribe(&mut self, id: ConnectionId, names: &[String]) {
        for name in names {
            let Some(connection) = self.connection_mut(id) else { return };
            let known = connection.subscriptions.iter().position(|known| known.name == *name);
            let Some(subscription) = known.map(|at| connection.subscriptions.remove(at)) else {
                continue;
            };
            let of = connection.route.market();
            if let Some(stream) = subscription.stream {
                self.leave(id, name, stream, of);
            }
        }
    }

    fn leave(&mut self, id: ConnectionId, name: &str, stream: Stream, of: Market) {
        let places = match stream.scope {
            Scope::Line(place) => vec![place],
            Scope::All(_) => self.lines_of(of),
        };
        for place in places {
            let Some(feed) = self.feeds.get_mut(&place) else { continue };
            for channel in feed.channels.iter_mut().filter(|channel| channel.name == name) {
                channel.listeners.retain(|listener| *listener != id);
            }
            feed.channels.retain(|channel| !channel.listeners.is_empty());
            if feed.channels.is_empty() {
                self.feeds.remove(&place);
            }
        }
        for array in self.arrays.iter_mut().filter(|array| array.market == of) {
            if array.channel.name == name {
                array.channel.listeners.retain(|listener| *listener != id);
            }
        }
        self.arrays.retain(|array| !array.channel.listeners.is_empty());
    }
}

fn join(channels: &mut Vec<Channel>, id: ConnectionId, name: &str, kind: Kind) {
    match channels.iter_mut().find(|channel| channel.name == name) {
        Some(channel) => channel.listeners.push(id),
        None => {
            let mut channel = Channel::new(name, kind);
            channel.listeners.push(id);
            channels.push(channel);
        }
    }
}
