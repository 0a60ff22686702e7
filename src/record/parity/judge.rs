//! Gives each difference its cause.
//!
//! Invariant: a difference gets exactly one verdict: the earliest cause that bears on what is seen
//! to differ, else the cause of an earlier difference that it follows from, else the earliest cause
//! in force, else none. Differences are judged in the order of their times.

use std::collections::BTreeMap;

use arb_core::Timestamp;

use super::Which;
use super::cause::{About, CauseKind, Causes, Change, Evidence, Question};
use super::facts::Facts;
use super::result::{Difference, DifferenceKind, Tally};
use super::signals::Suspects;

/// A difference before its cause is known.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) kind: DifferenceKind,
    pub(super) at: Timestamp,
    /// Causes up to here count: a trade ends long after its decision.
    pub(super) until: Timestamp,
    pub(super) symbol: Option<u16>,
    pub(super) strategy: Option<String>,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
    pub(super) by: Option<String>,
}

/// A cause and how it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) cause: Option<usize>,
    pub(super) evidence: Evidence,
}

/// What was found so far that later differences may follow from.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last difference of a decision, by symbol.
    signals: BTreeMap<u16, (Timestamp, Verdict)>,
    /// The last difference of a position, by symbol.
    positions: BTreeMap<u16, (Timestamp, Verdict)>,
    /// The last difference of any position: equity is shared.
    account: Option<(Timestamp, Verdict)>,
}

/// Everything a judgement needs.
pub(super) struct Judge<'a> {
    pub(super) facts: Facts,
    pub(super) causes: Causes,
    pub(super) tally: Tally<'a>,
    memory: Memory,
}

impl<'a> Judge<'a> {
    pub(super) fn new(facts: Facts, tally: Tally<'a>) -> Self {
        Self { facts, causes: Causes::default(), tally, memory: Memory::default() }
    }

    /// Judges a difference of decisions.
    pub(super) fn signal(&mut self, finding: Finding, suspects: &Suspects) {
        let outside = self.outside(&finding);
        use DifferenceKind::{SignalEarly, SignalLate};
        let told = matches!(finding.kind, SignalLate | SignalEarly);
        let seen = if told { &["grid"][..] } else { &suspects.seen[..] };
        let seen = Some(seen).filter(|seen| !seen.is_empty());
        let (at, about) = (finding.at, &suspects.about[..]);
        let direct = self.direct(&finding, about, seen);
        let verdict = if suspects.follows {
            self.follows(&finding).or(direct)
        } else {
            // A strategy of the user's may look at anything.
            direct.or_else(|| self.direct(&finding, about, None)).or_else(|| self.follows(&finding))
        };
        let verdict = outside.or(verdict).unwrap_or_else(|| self.any(&finding));
        if let Some(symbol) = finding.symbol {
            let known = self.memory.signals.get(&symbol).is_some_and(|(known, _)| *known == at);
            if !known {
                self.memory.signals.insert(symbol, (at, verdict));
            }
        }
        self.tell(finding, verdict);
    }

    /// The verdict on the decision of an instant, if it differed.
    pub(super) fn of_signal(&self, symbol: u16, at: Timestamp) -> Option<Verdict> {
        let (known, verdict) = self.memory.signals.get(&symbol)?;
        (*known == at).then_some(Verdict { evidence: Evidence::Follows, ..*verdict })
    }

    /// The period, where the side that has nothing does not reach.
    pub(super) fn outside(&self, finding: &Finding) -> Option<Verdict> {
        let lacking = match (&finding.a, &finding.b) {
            (Some(_), None) => Which::B,
            (None, Some(_)) => Which::A,
            _ => return None,
        };
        let lacks = self.facts.side(lacking).lacks_tick(finding.at);
        let cause = Some(self.causes.find(&CauseKind::Period)?).filter(|_| lacks);
        cause.map(|cause| Verdict { cause: Some(cause), evidence: Evidence::Direct })
    }

    /// The earliest cause that bears on one of `about`.
    pub(super) fn direct(
        &self,
        finding: &Finding,
        about: &[About],
        seen: Option<&[&str]>,
    ) -> Option<Verdict> {
        let question = self.question(finding, about, seen);
        let cause = self.causes.direct(&question)?;
        Some(Verdict { cause: Some(cause), evidence: Evidence::Direct })
    }

    /// The cause of the earlier difference of a position that this follows from.
    pub(super) fn follows(&self, finding: &Finding) -> Option<Verdict> {
        let own = finding.symbol.and_then(|symbol| self.memory.positions.get(&symbol));
        let before = |known: &&(Timestamp, Verdict)| known.0 <= finding.until;
        let found = own.filter(before).or(self.memory.account.as_ref().filter(before))?;
        Some(Verdict { evidence: Evidence::Follows, ..found.1 })
    }

    /// The earliest cause in force, or that of an earlier difference, or none.
    pub(super) fn any(&self, finding: &Finding) -> Verdict {
        let cause = self.causes.any(&self.question(finding, &[], None));
        match cause {
            Some(_) => Verdict { cause, evidence: Evidence::Earliest },
            None => {
                self.follows(finding).unwrap_or(Verdict { cause: None, evidence: Evidence::None })
            }
        }
    }

    /// Counts that the venue answered equal orders otherwise, and gives the verdict.
    pub(super) fn venue_answered(&mut self, finding: &Finding) -> Verdict {
        let what = finding.kind.as_str().to_owned();
        let sample = || (what, finding.a.clone(), finding.b.clone());
        let change = Change::Different;
        let cause = self.causes.add(CauseKind::VenueAnswers, finding.at, change, sample);
        Verdict { cause: Some(cause), evidence: Evidence::Direct }
    }

    /// Tells a difference of a position, from which later ones may follow.
    pub(super) fn position(&mut self, finding: Finding, since: Timestamp, verdict: Verdict) {
        if let Some(symbol) = finding.symbol {
            self.memory.positions.insert(symbol, (since, verdict));
        }
        self.memory.account = Some((since, verdict));
        self.tell(finding, verdict);
    }

    /// Tells a difference with its verdict.
    pub(super) fn tell(&mut self, finding: Finding, verdict: Verdict) {
        let Finding { kind, at, until: _, symbol, strategy, a, b, by } = finding;
        if let Some(cause) = verdict.cause {
            self.causes.explains(cause);
        }
        let Verdict { cause, evidence } = verdict;
        let evidence = if cause.is_none() { Evidence::None } else { evidence };
        let symbol = symbol.map(|symbol| self.facts.symbol(symbol).to_owned());
        self.tally.add(Difference { kind, at, symbol, strategy, a, b, by, cause, evidence });
    }

    fn question<'q>(
        &'q self,
        finding: &Finding,
        about: &'q [About],
        seen: Option<&'q [&'q str]>,
    ) -> Question<'q> {
        let symbol = finding.symbol.map(|symbol| self.facts.symbol(symbol));
        Question { at: finding.until, symbol, about, seen }
    }
}
