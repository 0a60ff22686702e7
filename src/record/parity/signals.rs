//! Matches recorded decisions and says how and why they differ.
//!
//! Invariant: a decision is that of one strategy, instrument and instant. A recorded decision of
//! one side only is missed or extra; a fired one whose counterpart fired within a minute is late or
//! early instead.

use std::collections::BTreeMap;

use arb_core::{Direction, Rule, Timestamp};

use super::cause::About;
use super::facts::Facts;
use super::judge::{Finding, Judge};
use super::result::DifferenceKind;
use super::{LATE, Which};
use crate::record::told::{Factor, Signal, Why};

/// A decision with the time at which it was told.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) signal: Signal,
    pub(super) told_at: Timestamp,
}

/// Time, instrument, strategy, and which of several at that instant.
type Key = (Timestamp, u16, String, u32);

/// Decisions that wait to be judged.
#[derive(Debug, Default)]
pub(super) struct Signals {
    waiting: BTreeMap<Key, [Option<Seen>; 2]>,
    pub(super) matched: u64,
    pub(super) equal: u64,
}

impl Signals {
    pub(super) fn add(&mut self, facts: &mut Facts, which: Which, seen: Seen) {
        let symbol = facts.joint(which, seen.signal.decision.instrument);
        // A lone strategy is the same on both sides, whatever its name.
        let alone = facts.one_strategy();
        let strategy = if alone { String::new() } else { seen.signal.strategy.clone() };
        let mut key = (seen.signal.decision.time, symbol, strategy, 0);
        loop {
            let pair = self.waiting.entry(key.clone()).or_default();
            let slot = which.pick_mut(pair).0;
            if slot.is_none() {
                *slot = Some(seen);
                return;
            }
            key.3 += 1;
        }
    }

    /// The instant of the first decision that waits.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|(key, _)| key.0)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Judges the decisions of the first instant.
    pub(super) fn judge_next(&mut self, judge: &mut Judge<'_>) {
        let Some((key, pair)) = self.waiting.pop_first() else { return };
        match pair {
            [Some(a), Some(b)] => self.compare(judge, key.1, (&a, &b)),
            [Some(a), None] => self.lone(judge, &key, (Which::A, &a)),
            [None, Some(b)] => self.lone(judge, &key, (Which::B, &b)),
            [None, None] => {}
        }
    }

    fn lone(&mut self, judge: &mut Judge<'_>, key: &Key, (which, seen): (Which, &Seen)) {
        let untold = judge.facts.side(which.other()).config.records_tiers_only();
        if seen.signal.decision.tier.is_none() && !seen.signal.fired && untold {
            // The other journal records no such decisions.
            return;
        }
        let mut finding = finding(DifferenceKind::SignalMissed, key.1, seen);
        let own = Some(text(&seen.signal));
        if let Some(other) = self.counterpart(key, (which, seen)) {
            self.matched += 1;
            let theirs = Some(text(&other.signal));
            let (a, b) = which.in_order(seen.signal.decision.time, other.signal.decision.time);
            finding.kind =
                if b > a { DifferenceKind::SignalLate } else { DifferenceKind::SignalEarly };
            (finding.a, finding.b) = which.in_order(own, theirs);
            finding.by = Some(apart(a, b));
        } else {
            if which == Which::B {
                finding.kind = DifferenceKind::SignalExtra;
            }
            (finding.a, finding.b) = which.in_order(own, None);
        }
        judge.signal(finding, &Suspects::of_lone());
    }

    /// The fired decision of the other side within a minute, which is taken out.
    fn counterpart(&mut self, key: &Key, (which, seen): (Which, &Seen)) -> Option<Seen> {
        if !seen.signal.fired {
            return None;
        }
        let direction = seen.signal.decision.direction;
        let until = key.0.plus(LATE);
        let found = self.waiting.iter_mut().take_while(|(other, _)| other.0 <= until).find_map(
            |(other, pair)| {
                let (own, theirs) = which.pick_mut(pair);
                let fits = own.is_none()
                    && (other.1, &other.2) == (key.1, &key.2)
                    && theirs.as_ref().is_some_and(|seen| {
                        seen.signal.fired && seen.signal.decision.direction == direction
                    });
                fits.then(|| (other.clone(), theirs.take()))
            },
        )?;
        self.waiting.remove(&found.0);
        found.1
    }

    fn compare(&mut self, judge: &mut Judge<'_>, symbol: u16, (a, b): (&Seen, &Seen)) {
        self.matched += 1;
        let aspects = aspects(&judge.facts, a, b);
        if aspects.is_empty() {
            self.equal += 1;
            return;
        }
        let suspected = Suspected::of(&a.signal, &b.signal);
        for aspect in aspects {
            let mut finding = finding(aspect.kind, symbol, a);
            (finding.a, finding.b, finding.by) = (Some(aspect.a), Some(aspect.b), aspect.by);
            judge.signal(finding, suspected.bearing_on(aspect.kind));
        }
    }
}

fn finding(kind: DifferenceKind, symbol: u16, seen: &Seen) -> Finding {
    Finding {
        kind,
        at: seen.signal.decision.time,
        until: seen.signal.decision.time,
        symbol: Some(symbol),
        strategy: Some(seen.signal.strategy.clone()),
        a: None,
        b: None,
        by: None,
    }
}

fn text(signal: &Signal) -> String {
    let decision = &signal.decision;
    let tier = decision.tier.map_or(String::new(), |tier| format!(" {tier:?}").to_lowercase());
    let reason = decision.reason.to_reason();
    format!("{} {:.2}{tier}: {reason}", direction(decision.direction), decision.score)
}

fn direction(direction: Option<Direction>) -> &'static str {
    direction.map_or("none", Direction::as_str)
}

/// Time of B against A.
pub(super) fn apart(a: Timestamp, b: Timestamp) -> String {
    format!("{:+} ms", b.since(a) / 1_000_000)
}

/// One way in which a pair differs.
struct Aspect {
    kind: DifferenceKind,
    a: String,
    b: String,
    by: Option<String>,
}

fn aspects(facts: &Facts, a: &Seen, b: &Seen) -> Vec<Aspect> {
    use DifferenceKind::{
        SignalDirection, SignalEarly, SignalFired, SignalInputs, SignalLate, SignalNotify,
        SignalReason, SignalScore, SignalTier,
    };
    let (x, y) = (&a.signal.decision, &b.signal.decision);
    let mut found = Vec::new();
    let mut add = |kind, a: String, b: String, by| found.push(Aspect { kind, a, b, by });
    if facts.apart(a.told_at, b.told_at) {
        let kind = if b.told_at > a.told_at { SignalLate } else { SignalEarly };
        let by = apart(a.told_at, b.told_at);
        add(kind, a.told_at.to_string(), b.told_at.to_string(), Some(by));
    }
    if x.direction != y.direction {
        add(SignalDirection, direction(x.direction).into(), direction(y.direction).into(), None);
    }
    if x.score.to_bits() == y.score.to_bits() {
        if x.factors != y.factors || x.price != y.price {
            let (a, b) = inputs_text(x, y);
            add(SignalInputs, a, b, None);
        }
    } else {
        let by = format!("{:+.4}", y.score - x.score);
        add(SignalScore, x.score.to_string(), y.score.to_string(), Some(by));
    }
    if x.tier != y.tier {
        let name = |tier: Option<arb_core::Tier>| {
            tier.map_or("none".to_owned(), |tier| format!("{tier:?}").to_lowercase())
        };
        add(SignalTier, name(x.tier), name(y.tier), None);
    }
    // Figures of a reason follow from the score; alone they are worth a line.
    let exact = facts.tolerance.is_exact();
    let alike = exact && x.score.to_bits() == y.score.to_bits() && x.factors == y.factors;
    let (why, other) = (x.reason.to_reason(), y.reason.to_reason());
    if a.signal.fired != b.signal.fired {
        add(SignalFired, why.to_string(), other.to_string(), None);
    } else if why.kind() != other.kind() || (why != other && alike) {
        add(SignalReason, why.to_string(), other.to_string(), None);
    }
    if a.signal.notify != b.signal.notify {
        add(SignalNotify, a.signal.notify.to_string(), b.signal.notify.to_string(), None);
    }
    found
}

/// The first factor that differs, in words.
fn inputs_text(
    a: &crate::record::told::Decision,
    b: &crate::record::told::Decision,
) -> (String, String) {
    let differs = |name: &str, factor: &Factor| b.factors.find(name) != Some(factor);
    let first = a.factors.0.iter().find(|(name, factor)| differs(name, factor));
    let Some((name, factor)) = first else {
        let price = |price: Option<arb_core::Price>| {
            price.map_or("no price".to_owned(), |price| format!("price {price}"))
        };
        return (price(a.price), price(b.price));
    };
    let show = |factor: Option<&Factor>| {
        let inputs: Vec<String> = factor
            .iter()
            .flat_map(|factor| &factor.inputs.0)
            .map(|(name, v)| format!("{name} {}", v.map_or("absent".to_owned(), |v| v.to_string())))
            .collect();
        format!("{name}: {}", inputs.join(", "))
    };
    (show(Some(factor)), show(b.factors.find(name)))
}

/// What is seen to differ between two decisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects {
    /// Names of inputs, `trades`, `strategy`, `costs`, `risk`; empty where nobody knows.
    pub(super) seen: Vec<&'static str>,
    pub(super) about: Vec<About>,
    /// A position, a cool-down or the state of risk stood in the way: an earlier difference.
    pub(super) follows: bool,
}

/// What bears on the points, and what on the reason.
struct Suspected {
    score: Suspects,
    reason: Suspects,
}

impl Suspected {
    fn of(a: &Signal, b: &Signal) -> Self {
        let (x, y) = (&a.decision, &b.decision);
        let mut score = Suspects { about: vec![About::Score], ..Suspects::default() };
        if x.direction != y.direction || x.price != y.price {
            score.seen.push("trades");
        }
        for (name, factor) in &x.factors.0 {
            match y.factors.find(name) {
                Some(other) => score.factor(factor, other),
                None => score.seen.push("trades"),
            }
        }
        let mut reason = Suspects { about: vec![About::Score, About::Entry], ..score.clone() };
        // The one that was stopped first tells what the difference is about.
        let first = stage(&x.reason).min(stage(&y.reason));
        if first > Stage::Gate {
            reason.seen.clear();
        }
        for why in [&x.reason, &y.reason] {
            if stage(why) == first {
                reason.why(why);
            }
        }
        Self { score, reason }
    }

    const fn bearing_on(&self, kind: DifferenceKind) -> &Suspects {
        match kind {
            DifferenceKind::SignalFired
            | DifferenceKind::SignalReason
            | DifferenceKind::SignalNotify => &self.reason,
            _ => &self.score,
        }
    }
}

/// How far a decision came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Gate,
    Position,
    Risk,
    Entry,
}

const fn stage(why: &Why) -> Stage {
    match why {
        Why::NoDirection | Why::Gate { .. } => Stage::Gate,
        Why::Busy(_) | Why::SignalFlip | Why::ClosePair(_) => Stage::Position,
        Why::Risk(_) => Stage::Risk,
        Why::Entry => Stage::Entry,
    }
}

impl Suspects {
    /// Without a counterpart nobody knows what differed.
    fn of_lone() -> Self {
        Self { about: vec![About::Score], ..Self::default() }
    }

    fn factor(&mut self, a: &Factor, b: &Factor) {
        let mut differs = false;
        for (name, value) in &a.inputs.0 {
            if b.inputs.find(name) != Some(value) {
                differs = true;
                self.seen.push(source(name));
            }
        }
        if !differs && a != b {
            self.seen.push("strategy");
        }
    }

    fn why(&mut self, why: &Why) {
        match why {
            Why::Entry | Why::NoDirection => {}
            Why::Busy(_) | Why::SignalFlip | Why::ClosePair(_) => {
                self.follows = true;
                self.seen.push("strategy");
            }
            Why::Gate { name, .. } => match name.as_str() {
                "threshold" => self.seen.push("strategy"),
                "cost_r" => self.seen.extend(["costs", "strategy", "trades"]),
                "inputs_present" => {
                    self.seen.extend(arb_core::InputName::ALL.map(arb_core::InputName::as_str));
                    self.seen.push("strategy");
                }
                _ => self.seen.extend(["trades", "strategy"]),
            },
            Why::Risk(refusal) => {
                self.about.push(About::Risk);
                self.refusal(refusal.rule());
            }
        }
    }

    fn refusal(&mut self, rule: Rule) {
        match rule {
            Rule::StaleMark => self.seen.extend(["mark_price", "risk"]),
            Rule::Clock | Rule::StaleConnection | Rule::Peg => {
                self.seen.extend(["health", "risk"]);
            }
            Rule::Spread => self.seen.extend(["quote", "risk", "costs"]),
            Rule::UnfilledGap | Rule::Volume24h => self.seen.extend(["trades", "risk"]),
            Rule::Status | Rule::Listing | Rule::Delivery => {
                self.seen.extend(["instrument", "risk"]);
            }
            _ => {
                self.follows = true;
                self.seen.extend(["risk", "costs", "strategy", "instrument"]);
            }
        }
    }
}

/// Where a value that a factor looked at comes from.
fn source(name: &str) -> &'static str {
    match name {
        "long_short_ratio" => "long_short_ratio",
        "top_trader_ratio" => "top_trader_ratio",
        "funding_rate_8h" | "max_excess_30d" => "funding_rate",
        "open_interest_change_15m" => "open_interest",
        "longs_5m" | "shorts_5m" => "liquidations",
        "coinbase_premium" => "coinbase_premium",
        "rise" => "strategy",
        _ => "trades",
    }
}
