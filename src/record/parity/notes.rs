//! Matches what else the engine said: changes of the risk state, booked funding, holes, records
//! that were dropped, configurations that were refused.
//!
//! Invariant: a note without a counterpart within a minute is told; none is left out.

use std::collections::{BTreeMap, VecDeque};

use arb_core::Timestamp;

use super::cause::About;
use super::facts::Facts;
use super::judge::{Finding, Judge};
use super::result::DifferenceKind;
use super::signals::apart;
use super::{LATE, Which};
use crate::record::told::Told;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Risk,
    Funding,
    Market,
    Configuration,
}

/// A note in words, whose figures may differ in a risk note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    topic: Topic,
    symbol: Option<u16>,
    words: String,
}

/// A time and the note in full.
type At = (Timestamp, String);

/// Notes that wait for their counterpart.
#[derive(Debug, Default)]
pub(super) struct Notes {
    waiting: BTreeMap<Key, [VecDeque<At>; 2]>,
    /// Pairs told at different times, until their turn.
    apart: Vec<(Key, At, At)>,
}

impl Notes {
    /// Takes a note of one side; signals, trades and orders are no notes.
    pub(super) fn add(&mut self, facts: &mut Facts, which: Which, (at, told): (Timestamp, &Told)) {
        let Some((key, at, text)) = note(facts, which, at, told) else { return };
        let pair = self.waiting.entry(key.clone()).or_default();
        let others = which.pick_mut(pair).1;
        let near = others.iter().position(|(other, _)| at.since(*other).abs() <= LATE);
        let Some(other) = near.and_then(|near| others.remove(near)) else {
            which.pick_mut(pair).0.push_back((at, text));
            return;
        };
        if pair.iter().all(VecDeque::is_empty) {
            self.waiting.remove(&key);
        }
        if facts.apart(at, other.0) {
            let (a, b) = which.in_order((at, text), other);
            self.apart.push((key, a, b));
        }
    }

    /// Tells what both journals have been read beyond.
    pub(super) fn flush(&mut self, judge: &mut Judge<'_>, until: Timestamp) {
        let mut due: Vec<(Timestamp, Key, [Option<At>; 2])> = Vec::new();
        self.waiting.retain(|key, pair| {
            for (which, queue) in Which::BOTH.into_iter().zip(pair.iter_mut()) {
                while let Some(told) = queue.pop_front_if(|(at, _)| *at <= until) {
                    let at = told.0;
                    let (a, b) = which.in_order(Some(told), None);
                    due.push((at, key.clone(), [a, b]));
                }
            }
            pair.iter().any(|queue| !queue.is_empty())
        });
        let (ready, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.apart)
            .into_iter()
            .partition(|(_, a, b)| a.0.max(b.0) <= until);
        self.apart = rest;
        due.extend(ready.into_iter().map(|(key, a, b)| (a.0.min(b.0), key, [Some(a), Some(b)])));
        due.sort();
        for (at, key, [a, b]) in due {
            tell(judge, at, &key, (a, b));
        }
    }
}

fn tell(judge: &mut Judge<'_>, at: Timestamp, key: &Key, (a, b): (Option<At>, Option<At>)) {
    use DifferenceKind::{NoteExtra, NoteMissed, RiskExtra, RiskMissed, RiskTime};
    let kind = match (key.topic, &a, &b) {
        (Topic::Risk, Some(_), Some(_)) => RiskTime,
        (Topic::Risk, Some(_), None) => RiskMissed,
        (Topic::Risk, ..) => RiskExtra,
        (_, Some(_), None) => NoteMissed,
        (_, None, _) => NoteExtra,
        // Funding and holes carry their own times.
        (_, Some(_), Some(_)) => return,
    };
    let by = a.as_ref().zip(b.as_ref()).map(|(a, b)| apart(a.0, b.0));
    let text = |told: Option<At>| told.map(|(at, text)| format!("{text} at {at}"));
    let (a, b) = (text(a), text(b));
    let finding = Finding { kind, at, symbol: key.symbol, strategy: None, a, b, by };
    let about: &[About] = match key.topic {
        Topic::Risk => &[About::Risk],
        Topic::Funding => &[About::Funding],
        Topic::Market => &[About::Score],
        Topic::Configuration => &[],
    };
    let direct = judge.direct(&finding, about, None);
    let verdict = match key.topic {
        // Limits act by themselves; else money was made or lost otherwise before.
        Topic::Risk | Topic::Funding => direct.or_else(|| judge.follows(&finding)),
        Topic::Market | Topic::Configuration => direct,
    };
    let verdict = verdict.unwrap_or_else(|| judge.any(&finding));
    judge.tell(finding, verdict);
}

fn note(
    facts: &mut Facts,
    which: Which,
    at: Timestamp,
    told: &Told,
) -> Option<(Key, Timestamp, String)> {
    let key = |topic, symbol, words: String| Key { topic, symbol, words };
    Some(match told {
        Told::Risk(note) => {
            let rule = note.trip.map_or(note.reason.clone(), |trip| trip.rule.as_str());
            let text = match note.trip {
                Some(trip) => {
                    format!("{:?}: {rule} {} against {}", note.state, trip.actual, trip.limit)
                }
                None => format!("{:?}: {rule}", note.state),
            };
            let words = format!("{:?} {rule} {:?}", note.state, note.strategy);
            (key(Topic::Risk, None, words), at, text.to_lowercase())
        }
        Told::Funding { instrument, funding_time, paid, approx } => {
            let symbol = facts.joint(which, *instrument);
            let about = if *approx { ", from the last price" } else { "" };
            let text = format!("funding of {funding_time}: {paid} paid{about}");
            (key(Topic::Funding, Some(symbol), text.clone()), *funding_time, text)
        }
        Told::Carry(pair) => {
            let symbol = facts.joint(which, pair.perp);
            let (status, short, coins) = (pair.status.as_str(), pair.perp_qty, pair.spot_qty);
            let text = format!("carry pair {status}: {short} short, {coins} coins");
            (key(Topic::Funding, Some(symbol), text.clone()), at, text)
        }
        Told::Hole(hole) => {
            let symbol = facts.joint(which, hole.instrument);
            let text = format!("hole of trades {} to {}", hole.from_id, hole.to_id);
            (key(Topic::Market, Some(symbol), text.clone()), hole.end, text)
        }
        Told::Dropped { instrument, reason } => {
            let symbol = facts.joint(which, *instrument);
            let text = format!("record dropped: {reason:?}");
            (key(Topic::Market, Some(symbol), text.clone()), at, text)
        }
        Told::Quarantined { instrument } => {
            let symbol = facts.joint(which, *instrument);
            let text = "quarantined".to_owned();
            (key(Topic::Market, Some(symbol), text.clone()), at, text)
        }
        Told::ConfigRefused { message } => {
            let text = format!("configuration refused: {message}");
            (key(Topic::Configuration, None, text.clone()), at, text)
        }
        Told::Submit(_)
        | Told::Cancel { .. }
        | Told::Signal(_)
        | Told::Trade(_)
        | Told::Configured { .. } => return None,
    })
}
