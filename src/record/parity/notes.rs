//! Matches what else the engine said: changes of the risk state, booked funding, holes, records
//! that were dropped, configurations that were refused.
//!
//! Invariant: a note without a counterpart within a minute is told; none is left out.

use std::collections::{BTreeMap, VecDeque};

use arb_core::{Decimal, Money, RiskNote, Timestamp};

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

/// A note in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Note {
    at: Timestamp,
    text: String,
    amount: Option<Money>,
}

/// Notes that wait for their counterpart.
#[derive(Debug, Default)]
pub(super) struct Notes {
    waiting: BTreeMap<Key, [VecDeque<Note>; 2]>,
    /// Pairs that differ, until their turn.
    differing: Vec<(Key, Note, Note)>,
}

impl Notes {
    /// Takes a note of one side; signals, trades and orders are no notes.
    pub(super) fn add(&mut self, facts: &mut Facts, which: Which, (at, told): (Timestamp, &Told)) {
        let Some((key, note)) = note(facts, which, at, told) else { return };
        let pair = self.waiting.entry(key.clone()).or_default();
        let others = which.pick_mut(pair).1;
        let near = others.iter().position(|other| note.at.since(other.at).abs() <= LATE);
        let Some(other) = near.and_then(|near| others.remove(near)) else {
            which.pick_mut(pair).0.push_back(note);
            return;
        };
        if pair.iter().all(VecDeque::is_empty) {
            self.waiting.remove(&key);
        }
        let (a, b) = which.in_order(note, other);
        if differs(facts, &a, &b) {
            self.differing.push((key, a, b));
        }
    }

    /// Tells what both journals have been read beyond.
    pub(super) fn flush(&mut self, judge: &mut Judge<'_>, until: Timestamp) {
        let mut due: Vec<(Timestamp, Key, [Option<Note>; 2])> = Vec::new();
        self.waiting.retain(|key, pair| {
            for (which, queue) in Which::BOTH.into_iter().zip(pair.iter_mut()) {
                while let Some(note) = queue.pop_front_if(|note| note.at <= until) {
                    let at = note.at;
                    let (a, b) = which.in_order(Some(note), None);
                    due.push((at, key.clone(), [a, b]));
                }
            }
            pair.iter().any(|queue| !queue.is_empty())
        });
        let all = std::mem::take(&mut self.differing).into_iter();
        let (ready, rest): (Vec<_>, Vec<_>) = all.partition(|(_, a, b)| a.at.max(b.at) <= until);
        self.differing = rest;
        due.extend(ready.into_iter().map(|(key, a, b)| (a.at.min(b.at), key, [Some(a), Some(b)])));
        due.sort();
        for (at, key, pair) in due {
            tell(judge, at, &key, pair);
        }
    }
}

/// Whether times, amounts or figures are further apart than is tolerated.
fn differs(facts: &Facts, a: &Note, b: &Note) -> bool {
    let bps = facts.tolerance.price_bps;
    let figures = match a.amount.zip(b.amount) {
        Some((a, b)) => (b - a).abs() > a.abs().times(bps / Decimal::from(10_000)),
        None => facts.tolerance.is_exact() && a.text != b.text,
    };
    facts.apart(a.at, b.at) || figures
}

fn tell(judge: &mut Judge<'_>, at: Timestamp, key: &Key, [a, b]: [Option<Note>; 2]) {
    use DifferenceKind::{NoteDiffers, NoteExtra, NoteMissed, RiskDiffers, RiskExtra, RiskMissed};
    let [differs, missed, extra] = match key.topic {
        Topic::Risk => [RiskDiffers, RiskMissed, RiskExtra],
        _ => [NoteDiffers, NoteMissed, NoteExtra],
    };
    let (kind, by) = match (&a, &b) {
        (Some(a), Some(b)) => (differs, Some(apart(a.at, b.at)).filter(|_| a.at != b.at)),
        (Some(_), None) => (missed, None),
        (None, _) => (extra, None),
    };
    let text = |note: Option<Note>| note.map(|note| format!("{} at {}", note.text, note.at));
    let (a, b) = (text(a), text(b));
    let finding = Finding { kind, at, until: at, symbol: key.symbol, strategy: None, a, b, by };
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

fn note(facts: &mut Facts, which: Which, at: Timestamp, told: &Told) -> Option<(Key, Note)> {
    let plain = |topic, symbol, at, text: String| {
        (Key { topic, symbol, words: text.clone() }, Note { at, text, amount: None })
    };
    Some(match told {
        Told::Risk(note) => risk(facts, at, note),
        Told::Funding { instrument, funding_time, paid, approx } => {
            let symbol = Some(facts.joint(which, *instrument));
            let words = format!("funding of {funding_time}");
            let about = if *approx { ", from the last price" } else { "" };
            let text = format!("{words}: {paid} paid{about}");
            let note = Note { at: *funding_time, text, amount: Some(*paid) };
            (Key { topic: Topic::Funding, symbol, words }, note)
        }
        Told::Carry(pair) => {
            let symbol = Some(facts.joint(which, pair.perp));
            let (status, short, coins) = (pair.status.as_str(), pair.perp_qty, pair.spot_qty);
            let text = format!("carry pair {status}: {short} short, {coins} coins");
            plain(Topic::Funding, symbol, at, text)
        }
        Told::Hole(hole) => {
            let symbol = Some(facts.joint(which, hole.instrument));
            let text = format!("hole of trades {} to {}", hole.from_id, hole.to_id);
            plain(Topic::Market, symbol, hole.end, text)
        }
        Told::Dropped { instrument, reason } => {
            let symbol = Some(facts.joint(which, *instrument));
            plain(Topic::Market, symbol, at, format!("record dropped: {reason:?}"))
        }
        Told::Quarantined { instrument } => {
            let symbol = Some(facts.joint(which, *instrument));
            plain(Topic::Market, symbol, at, "quarantined".to_owned())
        }
        Told::ConfigRefused { message } => {
            plain(Topic::Configuration, None, at, format!("configuration refused: {message}"))
        }
        // Trades tell what was opened and what was not.
        Told::Unfilled { .. }
        | Told::Submit(_)
        | Told::Cancel { .. }
        | Told::Signal(_)
        | Told::Trade(_)
        | Told::Configured { .. } => return None,
    })
}

/// A change of the risk state is the same by state, rule and strategy, whatever its figures.
fn risk(facts: &Facts, at: Timestamp, note: &RiskNote) -> (Key, Note) {
    let rule = note.trip.map_or(note.reason.clone(), |trip| trip.rule.as_str());
    let figures = note.trip.map_or(String::new(), |trip| {
        format!(" {} against {}", trip.actual.normalize(), trip.limit.normalize())
    });
    let state = format!("{:?}", note.state).to_lowercase();
    // A lone strategy is the same on both sides, whatever its name.
    let strategy = note.strategy.as_ref().filter(|_| !facts.one_strategy());
    let words = format!("{state}: {rule} {strategy:?}");
    let note = Note { at, text: format!("{state}: {rule}{figures}"), amount: None };
    (Key { topic: Topic::Risk, symbol: None, words }, note)
}
