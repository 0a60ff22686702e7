//! Matches the events of both journals: configuration, trades, inputs, ticks, operator, health.
//!
//! Invariant: every event but those of own orders has a counterpart or becomes part of a cause;
//! what has none is judged once both journals have been read beyond it, so memory holds a minute
//! of what differs and nothing of what is equal.

mod kinds;

use std::collections::{BTreeMap, VecDeque};

use arb_core::{Event, EventKind, InputName, Timestamp, Trade};

use self::kinds::{Arrival, Datum, SeenTrade, datum, trade_text, words};
use super::cause::{CauseKind, Causes, Change};
use super::config::{self, Config};
use super::facts::Facts;
use super::{HORIZON, Which};

/// The events that wait for their counterpart.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    trades: BTreeMap<(u16, u64), Waiting<SeenTrade>>,
    data: BTreeMap<DatumKey, Pair<Data>>,
    ticks: BTreeMap<Timestamp, Waiting<Newest>>,
    words: BTreeMap<(CauseKind, String), Pair<VecDeque<Timestamp>>>,
    /// Fields that differ now.
    fields: Vec<config::Field>,
    /// When configurations are compared although one side has had more of them.
    config_due: Option<Timestamp>,
}

/// Symbol, name, and the instant that is described.
type DatumKey = (u16, &'static str, Timestamp);

type Data = VecDeque<Waiting<Datum>>;

/// The newest trade of each symbol.
type Newest = BTreeMap<u16, u64>;

/// Something of each side.
type Pair<T> = [T; 2];

#[derive(Clone, Debug)]
struct Waiting<T> {
    which: Which,
    at: Timestamp,
    value: T,
}

impl Upstream {
    /// Whether nothing waits: then equal events need no look.
    pub(super) fn is_idle(&self) -> bool {
        self.trades.is_empty()
            && self.ticks.is_empty()
            && self.data.is_empty()
            && self.words.is_empty()
            && self.config_due.is_none()
    }

    /// Takes an event of one side.
    pub(super) fn on_event(
        &mut self,
        facts: &mut Facts,
        causes: &mut Causes,
        (which, event): (Which, &Event),
    ) {
        let at = event.at;
        match &event.kind {
            EventKind::Configure(configure) => {
                facts.configure(which, Config::parse(&configure.bytes));
                self.on_configure(facts, causes, at);
            }
            EventKind::Trade(trade) => {
                let late = facts.side(which).ticks.last().is_some_and(|tick| trade.ts <= tick);
                let arrival = if late { Arrival::Late } else { Arrival::InTime };
                self.on_trade(facts, causes, (which, at), SeenTrade { trade: *trade, arrival });
            }
            EventKind::Backfill(backfill) => {
                for trade in &backfill.trades {
                    let seen = SeenTrade { trade: *trade, arrival: Arrival::BackFilled };
                    self.on_trade(facts, causes, (which, at), seen);
                }
            }
            EventKind::Tick(tick) => {
                let value = facts.side(which).newest.clone();
                self.on_tick(facts, causes, *tick, Waiting { which, at, value });
                facts.side_mut(which).on_tick(*tick);
            }
            EventKind::Order(_) => {}
            kind => match datum(kind) {
                Some((name, as_of, value)) => {
                    let symbol = kind.instrument().unwrap_or_default();
                    let key = (facts.joint(which, symbol), name, as_of);
                    self.on_datum(facts, causes, key, Waiting { which, at, value });
                }
                None => self.on_words(facts, causes, (which, at), kind),
            },
        }
    }

    /// Notes an event that both sides have, byte for byte.
    pub(super) fn on_equal(&mut self, facts: &mut Facts, causes: &mut Causes, event: &Event) {
        match &event.kind {
            EventKind::Configure(_) => {
                self.on_event(facts, causes, (Which::A, event));
                self.on_event(facts, causes, (Which::B, event));
            }
            EventKind::Trade(trade) => {
                for which in Which::BOTH {
                    let symbol = facts.joint(which, trade.instrument);
                    facts.side_mut(which).on_trade(symbol, trade);
                }
            }
            EventKind::Tick(tick) => {
                Which::BOTH.into_iter().for_each(|which| facts.side_mut(which).on_tick(*tick));
            }
            _ => {}
        }
    }

    fn on_configure(&mut self, facts: &Facts, causes: &mut Causes, at: Timestamp) {
        let [a, b] = &facts.sides;
        if a.configured == b.configured {
            self.config_due = None;
            // The first configuration is in force before anything else.
            let at = if a.configured == 1 { Timestamp::EPOCH } else { at };
            self.compare_configs(facts, causes, at);
        } else if a.configured.min(b.configured) > 0 {
            self.config_due = Some(at.plus(HORIZON));
        }
    }

    fn compare_configs(&mut self, facts: &Facts, causes: &mut Causes, at: Timestamp) {
        let [a, b] = &facts.sides;
        let both = |name: &InputName| a.config.masks(*name) && b.config.masks(*name);
        causes.masked = InputName::ALL.into_iter().filter(both).map(InputName::as_str).collect();
        let found = config::difference(&a.config, &b.config);
        let kind = |field: &config::Field| CauseKind::Configuration { field: field.path.clone() };
        for old in self.fields.iter().filter(|old| !found.iter().any(|f| f.path == old.path)) {
            causes.end(&kind(old), at);
        }
        for field in found.iter().filter(|field| !self.fields.contains(field)) {
            let change = match (&field.a, &field.b) {
                (Some(_), None) => Change::Missing,
                (None, Some(_)) => Change::Extra,
                _ => Change::Different,
            };
            let sample = || (field.path.clone(), field.a.clone(), field.b.clone());
            causes.add(kind(field), at, change, sample);
        }
        self.fields = found;
    }

    fn on_trade(
        &mut self,
        facts: &mut Facts,
        causes: &mut Causes,
        (which, at): (Which, Timestamp),
        seen: SeenTrade,
    ) {
        let symbol = facts.joint(which, seen.trade.instrument);
        facts.side_mut(which).on_trade(symbol, &seen.trade);
        let key = (symbol, seen.trade.id);
        let Some(other) = self.trades.remove(&key).filter(|other| other.which != which) else {
            self.trades.insert(key, Waiting { which, at, value: seen });
            return;
        };
        let (a, b) = which.in_order(seen, other.value);
        // The instrument's number is the journal's own.
        let same = Trade { instrument: a.trade.instrument, ..b.trade } == a.trade;
        let change = match (same, a.arrival == b.arrival) {
            (true, true) => return,
            (true, false) => Change::Shifted,
            (false, _) => Change::Different,
        };
        let kind = CauseKind::Trades { symbol: facts.symbol(symbol).to_owned() };
        let sample = || {
            let what = format!("trade {}", a.trade.id);
            (what, Some(trade_text(&a)), Some(trade_text(&b)))
        };
        causes.add(kind, a.trade.ts.min(b.trade.ts), change, sample);
    }

    fn on_tick(
        &mut self,
        facts: &Facts,
        causes: &mut Causes,
        tick: Timestamp,
        told: Waiting<Newest>,
    ) {
        let Some(other) = self.ticks.remove(&tick).filter(|other| other.which != told.which) else {
            self.ticks.insert(tick, told);
            return;
        };
        let (a, b) = told.which.in_order(&told, &other);
        for (symbol, id) in &a.value {
            // Trades behind the grid time that came before the tick move the last price.
            if let Some(other) = b.value.get(symbol).filter(|other| *other != id) {
                let text = |id: &u64| Some(format!("trade {id} was the last before it"));
                let sample = || (format!("tick {tick}"), text(id), text(other));
                causes.add(CauseKind::Grid, tick, Change::Different, sample);
            }
        }
        let (a, b) = (a.at, b.at);
        if facts.apart(a, b) {
            let sample =
                || (format!("tick {tick}"), Some(format!("at {a}")), Some(format!("at {b}")));
            causes.add(CauseKind::Grid, tick, Change::Shifted, sample);
        }
    }

    fn on_datum(&mut self, facts: &Facts, causes: &mut Causes, key: DatumKey, new: Waiting<Datum>) {
        let pair = self.data.entry(key).or_default();
        let (_, others) = new.which.pick_mut(pair);
        let Some(other) = others.pop_front() else {
            new.which.pick_mut(pair).0.push_back(new);
            return;
        };
        if pair.iter().all(VecDeque::is_empty) {
            self.data.remove(&key);
        }
        let (at, known) = (new.at.min(other.at), new.which.in_order(new.at, other.at));
        let (a, b) = new.which.in_order(new.value, other.value);
        let change = match (a == b, facts.apart(known.0, known.1)) {
            (true, false) => return,
            (true, true) => Change::Shifted,
            (false, _) => Change::Different,
        };
        causes.add(input_cause(facts, key), at, change, || {
            let text = |value: &Datum, known: Timestamp| match change {
                Change::Shifted => Some(format!("known at {known}")),
                _ => Some(value.text()),
            };
            (format!("{} of {}", key.1, key.2), text(&a, known.0), text(&b, known.1))
        });
    }

    /// Events that are only there or not: commands, transfers, health, gaps.
    fn on_words(
        &mut self,
        facts: &mut Facts,
        causes: &mut Causes,
        (which, at): (Which, Timestamp),
        kind: &EventKind,
    ) {
        let Some(key) = words(facts, which, kind) else { return };
        let pair = self.words.entry(key.clone()).or_default();
        let Some(other) = which.pick_mut(pair).1.pop_front() else {
            which.pick_mut(pair).0.push_back(at);
            return;
        };
        if pair.iter().all(VecDeque::is_empty) {
            self.words.remove(&key);
        }
        // Measurements come when they come; what an operator does has a time.
        if facts.apart(at, other) && matches!(key.0, CauseKind::Operator { .. }) {
            let (a, b) = which.in_order(at, other);
            let sample = || (key.1.clone(), Some(format!("at {a}")), Some(format!("at {b}")));
            causes.add(key.0.clone(), at.min(other), Change::Shifted, sample);
        }
    }

    /// Judges what both journals have been read beyond.
    pub(super) fn flush(&mut self, facts: &Facts, causes: &mut Causes, until: Timestamp) {
        if self.config_due.is_some_and(|due| due.plus(-HORIZON) <= until) {
            let at = self.config_due.take().map_or(until, |due| due.plus(-HORIZON));
            self.compare_configs(facts, causes, at);
        }
        self.trades.retain(|(symbol, _), waiting| {
            let keep = waiting.at > until;
            if !keep {
                lone_trade(facts, causes, *symbol, waiting);
            }
            keep
        });
        self.ticks.retain(|tick, told| {
            let keep = told.at > until;
            if !keep {
                lone_tick(facts, causes, *tick, told.which);
            }
            keep
        });
        self.data.retain(|key, pair| {
            for waiting in pair.iter_mut().flat_map(|queue| due(queue, |w| w.at <= until)) {
                lone_datum(facts, causes, *key, &waiting);
            }
            pair.iter().any(|queue| !queue.is_empty())
        });
        self.words.retain(|(kind, text), pair| {
            for (which, queue) in Which::BOTH.into_iter().zip(pair.iter_mut()) {
                for at in due(queue, |at| *at <= until) {
                    lone(facts, causes, (kind.clone(), at, which), || {
                        (text.clone(), Some("told".to_owned()))
                    });
                }
            }
            pair.iter().any(|queue| !queue.is_empty())
        });
    }
}

/// Takes the first elements that are due.
fn due<T>(queue: &mut VecDeque<T>, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let count = queue.iter().take_while(|item| is_due(item)).count();
    queue.drain(..count).collect()
}

/// Counts a record without counterpart; behind the end of the other journal it is the period.
fn lone(
    facts: &Facts,
    causes: &mut Causes,
    (kind, at, which): (CauseKind, Timestamp, Which),
    sample: impl FnOnce() -> (String, Option<String>),
) {
    let kind = if facts.side(which.other()).ended_before(at) { CauseKind::Period } else { kind };
    let change = match which {
        Which::A => Change::Missing,
        Which::B => Change::Extra,
    };
    causes.add(kind, at, change, || {
        let (what, text) = sample();
        let (a, b) = which.in_order(text, None);
        (what, a, b)
    });
}

fn lone_trade(facts: &Facts, causes: &mut Causes, symbol: u16, waiting: &Waiting<SeenTrade>) {
    let (which, seen) = (waiting.which, waiting.value);
    let other = facts.side(which.other());
    if !other.has_symbol(symbol) {
        // The configuration says so already.
        return;
    }
    let kind = if other.lacks_trades(symbol, seen.trade.ts) {
        CauseKind::Period
    } else {
        CauseKind::Trades { symbol: facts.symbol(symbol).to_owned() }
    };
    lone(facts, causes, (kind, seen.trade.ts, which), || {
        (format!("trade {}", seen.trade.id), Some(trade_text(&seen)))
    });
}

fn lone_tick(facts: &Facts, causes: &mut Causes, tick: Timestamp, which: Which) {
    let outside = facts.side(which.other()).lacks_tick(tick);
    let kind = if outside { CauseKind::Period } else { CauseKind::Grid };
    lone(facts, causes, (kind, tick, which), || (format!("tick {tick}"), Some("told".to_owned())));
}

fn lone_datum(facts: &Facts, causes: &mut Causes, key: DatumKey, waiting: &Waiting<Datum>) {
    if facts.side(waiting.which.other()).has_symbol(key.0) {
        let what = format!("{} of {}", key.1, key.2);
        lone(facts, causes, (input_cause(facts, key), waiting.at, waiting.which), || {
            (what, Some(waiting.value.text()))
        });
    }
}

fn input_cause(facts: &Facts, (symbol, name, _): DatumKey) -> CauseKind {
    CauseKind::Input { symbol: facts.symbol(symbol).to_owned(), input: name.to_owned() }
}
