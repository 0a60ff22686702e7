//! The venue as a pure machine: a request or a tick in, an answer or frames out.
//!
//! Invariant: no IO and no clock; what it says is a function of the market, the fault plan and
//! what it was told, with virtual time as an argument. Frames are said at steps, line after line,
//! each line at its own place within a step as symbols are spread at the venue; a tick says what is
//! due until then, so the frames do not depend on how often it is ticked.

mod coinbase;
mod connection;
mod faults;
mod feed;
mod frames;
mod limits;
mod outbox;
mod rest;
mod send;
mod streams;
mod subscribe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arb_core::Timestamp;

use self::connection::{Connection, Life};
use self::faults::Faults;
use self::feed::{Feed, Step};
use self::limits::{Excess, Meters};
use self::send::{Held, Sender};
use self::streams::{Kind, Route};
use super::market::SimMarket;
use super::text::Text;

pub use self::faults::{Fault, FaultKind, FaultPlan, Storm};
pub use self::limits::VenueLimits;
pub use self::outbox::{Action, ConnectionId, Item, Outbox, Span};
pub use self::rest::{Answer, Call, Host, Request};

/// What a venue is made from.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// What it allows.
    pub limits: VenueLimits,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// How much faster than the wall virtual time runs. Pongs are awaited in wall time, because
    /// they come at its pace.
    pub speed: u32,
}

impl Default for VenueConfig {
    /// The documented limits, no faults, the pace of the wall.
    fn default() -> Self {
        Self { limits: VenueLimits::DOCUMENTED, faults: FaultPlan::none(), speed: 1 }
    }
}

/// What the venue counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VenueCounters {
    /// Frames handed out, each listener counted.
    pub frames: u64,
    /// Frames that a fault kept back.
    pub lost_frames: u64,
    /// Requests read.
    pub requests: u64,
    /// Requests refused with 418 or 429.
    pub limited: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections that the venue ended.
    pub ended: u64,
}

/// Which connection is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Such as `/market/stream`.
    pub path: &'a str,
    /// Such as `streams=btcusdt@aggTrade`.
    pub query: &'a str,
    /// Who asks.
    pub ip: IpAddr,
}

/// The simulated venue.
#[derive(Debug)]
pub struct Venue {
    market: Arc<SimMarket>,
    config: VenueConfig,
    now: i64,
    meters: Meters,
    faults: Faults,
    connections: Vec<Option<Connection>>,
    open: u32,
    feeds: BTreeMap<usize, Feed>,
    /// Streams of all symbols: name, what, and the feeds they draw from.
    arrays: Vec<subscribe::Array>,
    array_feeds: BTreeMap<usize, Feed>,
    /// Delayed frames by when they are due.
    held: Held,
    /// The step that is being said, and the last place said of it.
    step: i64,
    said: Option<usize>,
    checked: i64,
    counters: VenueCounters,
}

impl Venue {
    /// A venue at the epoch of its market.
    #[must_use]
    pub fn new(market: Arc<SimMarket>, config: VenueConfig) -> Self {
        let epoch = market.epoch().as_millis();
        Self {
            meters: Meters::new(config.limits),
            faults: Faults::new(config.faults.clone(), epoch),
            now: epoch,
            connections: Vec::new(),
            open: 0,
            feeds: BTreeMap::new(),
            arrays: Vec::new(),
            array_feeds: BTreeMap::new(),
            held: Held::default(),
            step: epoch.div_euclid(market.step()),
            said: Some(usize::MAX),
            checked: epoch,
            counters: VenueCounters::default(),
            market,
            config,
        }
    }

    /// What it shows.
    #[must_use]
    pub const fn market(&self) -> &Arc<SimMarket> {
        &self.market
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> VenueCounters {
        self.counters
    }

    /// Open connections.
    #[must_use]
    pub const fn open_connections(&self) -> u32 {
        self.open
    }

    /// The faults that are planned.
    #[must_use]
    pub const fn faults(&self) -> &FaultPlan {
        self.faults.plan()
    }

    /// Adds a fault, which begins now unless it says when.
    ///
    /// # Errors
    /// Where it means nothing.
    pub fn add_fault(&mut self, fault: Fault, now: Timestamp) -> Result<(), serde_json::Error> {
        fault.check()?;
        self.faults.add(fault, now.as_millis());
        Ok(())
    }

    /// Adds the faults of a plan; its storm takes the place of the present one and begins now.
    ///
    /// # Errors
    /// Where it means nothing; then nothing is added.
    pub fn add_faults(&mut self, plan: FaultPlan, now: Timestamp) -> Result<(), serde_json::Error> {
        plan.check()?;
        self.faults.add_plan(plan, now.as_millis());
        Ok(())
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Whether a restart fault has the venue away: connections are not even accepted.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.faults.is_away()
    }

    /// Reads and counts a request: the call to answer, or the refusal.
    ///
    /// # Errors
    /// The answer that refuses it.
    pub fn admit(&mut self, request: &Request<'_>, now: Timestamp) -> Result<Call, Answer> {
        let now = now.as_millis();
        self.counters.requests += 1;
        let host = Host::of(request.path);
        let plain = |refusal: rest::Refusal, used_weight| Answer {
            status: refusal.status,
            used_weight,
            retry_after: None,
            delay_ms: 0,
            body: refusal.body(),
        };
        let mut call = Call::read(request, self.config.limits, now)
            .map_err(|refusal| plain(refusal, self.meters.weight((host, request.ip), now)))?;
        let (used, verdict) = self.meters.count((host, request.ip), call.cost(), now);
        call.used_weight = used;
        if let Err(excess) = verdict {
            self.counters.limited += 1;
            return Err(limited(excess, request.ip, now, used));
        }
        if let Some(answer) = self.faulty_answer(request, now, used) {
            return Err(answer);
        }
        if let Some(fault) = self.faults.on_path(FaultKind::StaleDepth, request.path) {
            call.age_book(fault.ms.unwrap_or(5_000));
        }
        let delay = self.faults.active().iter().find(|fault| {
            fault.kind == FaultKind::Delay && fault.path.is_some() && fault.hits_path(request.path)
        });
        call.delay_ms = delay.and_then(|fault| fault.ms).unwrap_or_default();
        Ok(call)
    }

    /// Answers a request.
    pub fn request(&mut self, request: &Request<'_>, now: Timestamp) -> Answer {
        match self.admit(request, now) {
            Ok(call) => call.answer(&self.market),
            Err(answer) => answer,
        }
    }

    /// The answer of a fault, where one strikes.
    fn faulty_answer(&mut self, request: &Request<'_>, now: i64, used: u32) -> Option<Answer> {
        if self.faults.is_away() {
            return Some(status_answer(503, None, used));
        }
        let fault = self.faults.on_path(FaultKind::Status, request.path)?;
        Some(self.status_of(&fault, request.ip, (now, used)))
    }

    /// The answer that a status fault gives an address.
    fn status_of(&self, fault: &Fault, ip: IpAddr, (now, used): (i64, u32)) -> Answer {
        let status = fault.status.unwrap_or(503);
        let until = now + fault.for_ms.max(1_000);
        if fault.message.is_none() && matches!(status, 418 | 429) {
            let excess = match status {
                418 => Excess::Banned { until },
                _ => Excess::TooMany { until, limit: self.config.limits.futures_weight },
            };
            return limited(excess, ip, now, used);
        }
        status_answer(status, fault.message.as_deref(), used)
    }

    /// Says what is due until now.
    pub fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        let until = now.as_millis();
        let length = self.market.step();
        loop {
            let Some((place, at)) = self.next_place() else {
                self.advance_faults(until.max(self.now), out);
                self.rest_until(until);
                break;
            };
            let due = at + self.phase(place.unwrap_or_default());
            if due > until {
                self.advance_faults(until.max(self.now), out);
                break;
            }
            self.now = self.now.max(due);
            self.advance_faults(due, out);
            self.release_held(due, out);
            self.step = at.div_euclid(length);
            match place {
                Some(place) => {
                    self.said = Some(place);
                    self.say_line(Step { place, at, now: due }, out);
                }
                None => {
                    // What concerns all comes first; the lines of the step follow.
                    self.said = None;
                    self.say_of_all(at, due, out);
                }
            }
        }
        self.now = self.now.max(until);
        self.release_held(until, out);
        self.keep_alive(until, out);
    }

    /// When something is due next; none while nobody listens.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let (place, at) = self.next_place()?;
        Some(Timestamp::from_millis(at + self.phase(place.unwrap_or_default())))
    }

    /// Where within a step a line speaks.
    fn phase(&self, place: usize) -> i64 {
        let lines = i64::try_from(self.market.lines().len()).unwrap_or(1).max(1);
        i64::try_from(place).unwrap_or_default() * self.market.step() / lines
    }

    /// What is said next and of which step: a line, or what concerns all.
    fn next_place(&self) -> Option<(Option<usize>, i64)> {
        let speaks_of_all = !self.arrays.is_empty() || self.has_coinbase();
        if self.feeds.is_empty() && !speaks_of_all {
            return None;
        }
        let length = self.market.step();
        let after = self.said.map_or(Some(0), |said| said.checked_add(1));
        if let Some(from) = after
            && let Some((place, _)) = self.feeds.range(from..).next()
        {
            return Some((Some(*place), self.step * length));
        }
        let next = (self.step + 1) * length;
        match self.feeds.first_key_value() {
            Some((place, _)) if !speaks_of_all => Some((Some(*place), next)),
            _ => Some((None, next)),
        }
    }

    /// Skips the steps of which nobody wants to hear.
    fn rest_until(&mut self, until: i64) {
        self.step = self.step.max(until.div_euclid(self.market.step()));
        self.said = Some(usize::MAX);
    }

    fn say_line(&mut self, step: Step, out: &mut Outbox) {
        let Some(mut feed) = self.feeds.remove(&step.place) else { return };
        let market = self.market.clone();
        feed.step(&market, step, &mut self.sender(step.now, out));
        self.feeds.insert(step.place, feed);
    }

    fn sender<'v>(&'v mut self, now: i64, out: &'v mut Outbox) -> Sender<'v> {
        Sender {
            out,
            connections: &mut self.connections,
            faults: &mut self.faults,
            held: &mut self.held,
            counters: &mut self.counters,
            now,
        }
    }

    /// Streams of all symbols, and Coinbase.
    fn say_of_all(&mut self, at: i64, now: i64, out: &mut Outbox) {
        let arrays = std::mem::take(&mut self.arrays);
        for array in &arrays {
            let every = match array.channel_kind() {
                Kind::Mark { every } => every,
                Kind::Quote => 5_000,
                _ => 1_000,
            };
            if at % every == 0 {
                self.say_array(array, (at, now), out);
            }
        }
        self.arrays = arrays;
        if at % 500 == 0 {
            self.say_coinbase(now, out);
        }
    }

    /// One frame with all symbols; best prices come one by one.
    fn say_array(&mut self, array: &subscribe::Array, (at, now): (i64, i64), out: &mut Outbox) {
        let market = self.market.clone();
        let kind = array.channel_kind();
        let mut feeds = std::mem::take(&mut self.array_feeds);
        let places = market.lines().iter().enumerate();
        let places = places.filter(|(_, line)| line.market == array.market).map(|(at, _)| at);
        let mut sender = self.sender(now, out);
        if kind == Kind::Quote {
            for place in places {
                let feed = feeds.entry(place).or_default();
                let step = Step { place, at, now };
                sender.emit_to(&array.channel, &mut |text| {
                    feed.say_in_array(&market, step, kind, text);
                });
            }
        } else {
            sender.emit_to(&array.channel, &mut |text| {
                text.raw("[");
                for (number, place) in places.clone().enumerate() {
                    if number > 0 {
                        text.raw(",");
                    }
                    let feed = feeds.entry(place).or_default();
                    feed.say_in_array(&market, Step { place, at, now }, kind, text);
                }
                text.raw("]");
            });
        }
        self.array_feeds = feeds;
    }

    fn has_coinbase(&self) -> bool {
        let mut connections = self.connections.iter().flatten();
        connections.any(|connection| connection.route.market() == arb_core::Market::Cb)
    }

    fn say_coinbase(&mut self, now: i64, out: &mut Outbox) {
        let market = self.market.clone();
        let mut body = Vec::new();
        for number in 0..self.connections.len() {
            let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) else {
                continue;
            };
            let route = connection.route;
            if route.market() != arb_core::Market::Cb {
                continue;
            }
            let mut listener = std::mem::take(&mut connection.coinbase);
            let mut sender = self.sender(now, out);
            let id = ConnectionId(u32::try_from(number).unwrap_or(u32::MAX));
            for place in &listener.products.clone() {
                let Some(product) = market.products().get(*place) else { continue };
                body.clear();
                listener.ticker(route, (product, &market), now, &mut Text(&mut body));
                sender.send_text(id, &product.name, &body);
            }
            if now % 1_000 < 500
                && let Some(beat) = listener.heartbeat(route, now)
            {
                sender.send_text(id, "heartbeats", &beat);
            }
            if let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) {
                connection.coinbase = listener;
            }
        }
    }

    /// Pings, pongs overdue, the end of a connection's life; once a second.
    fn keep_alive(&mut self, now: i64, out: &mut Outbox) {
        if now - self.checked < 1_000 {
            return;
        }
        self.checked = now;
        let speed = i64::from(self.config.speed.max(1));
        let life = i64::from(self.config.limits.connection_life_ms);
        for number in 0..self.connections.len() {
            let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) else {
                continue;
            };
            let id = ConnectionId(u32::try_from(number).unwrap_or(u32::MAX));
            if now - connection.opened_at >= life {
                out.push(id, Action::Close(1_001));
                self.end(id);
            } else if connection.pong_due.is_some_and(|due| due <= now) {
                out.push(id, Action::Cut);
                self.end(id);
            } else if connection.life == Life::Open && connection.next_ping <= now {
                let (every, patience) = ping_times(connection.route);
                connection.next_ping = now + every;
                connection.pong_due.get_or_insert(now + patience * speed);
                let start = out.position();
                Text(&mut out.bytes).int(now);
                out.push(id, Action::Ping(Span { start, end: out.position() }));
            }
        }
    }

    fn release_held(&mut self, now: i64, out: &mut Outbox) {
        while let Some((connection, text)) = self.held.pop(now) {
            if self.connection(connection).is_some_and(|c| c.life == Life::Open) {
                self.counters.frames += 1;
                out.send(connection, &text);
            }
        }
    }

    /// Goes on with the fault plan: cuts and restarts happen, half-open connections freeze.
    fn advance_faults(&mut self, now: i64, out: &mut Outbox) {
        for fault in self.faults.advance(now) {
            let ends = match fault.kind {
                FaultKind::Cut | FaultKind::Restart => Action::Cut,
                FaultKind::HalfOpen => Action::Freeze,
                _ => continue,
            };
            for number in 0..self.connections.len() {
                let id = ConnectionId(u32::try_from(number).unwrap_or(u32::MAX));
                let Some(connection) = self.connection(id) else { continue };
                let hit = fault.kind == FaultKind::Restart
                    || fault.stream.is_none()
                    || connection.listens(|name| fault.hits_stream(name));
                if !hit || (ends == Action::Cut && !self.faults.strikes(fault.percent)) {
                    continue;
                }
                out.push(id, ends);
                if ends == Action::Cut {
                    self.end(id);
                } else if let Some(connection) = self.connection_mut(id) {
                    connection.life = Life::Frozen;
                    connection.pong_due = Some(now + fault.for_ms.max(1_000));
                }
            }
        }
    }

    fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(usize::try_from(id.0).ok()?)?.as_mut()
    }
}

/// Milliseconds between pings, and how long a pong may take.
const fn ping_times(route: Route) -> (i64, i64) {
    match route {
        Route::Spot => (20_000, 60_000),
        _ => (180_000, 600_000),
    }
}

fn status_answer(status: u16, message: Option<&str>, used_weight: u32) -> Answer {
    let body = match (status, message) {
        (_, Some(message)) => rest::Refusal::new(-1_000, message).body(),
        (403, None) => b"<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center></body></html>".to_vec(),
        (451, None) => rest::Refusal::new(0, "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.").body(),
        (_, None) => b"Service Unavailable.".to_vec(),
    };
    Answer { status, used_weight, retry_after: None, delay_ms: 0, body }
}

fn limited(excess: Excess, ip: IpAddr, now: i64, used_weight: u32) -> Answer {
    let (status, until, message) = match excess {
        Excess::TooMany { until, limit } => (
            429,
            until,
            format!(
                "Too many requests; current limit of IP({ip}) is {limit} requests per minute. \
                 Please use the websocket for live updates to avoid polling the API."
            ),
        ),
        Excess::Banned { until } => (
            418,
            until,
            format!(
                "Way too many requests; IP({ip}) banned until {until}. \
                 Please use the websocket for live updates to avoid bans."
            ),
        ),
    };
    let retry_after = Some(((until - now).max(0) + 999) / 1_000);
    let body = rest::Refusal::new(-1_003, message).body();
    Answer { status, used_weight, retry_after, delay_ms: 0, body }
}
