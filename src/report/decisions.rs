//! Recorded decisions: all of them counted by reason, a bounded number kept to be read.
//!
//! Invariant: at most `cap` decisions are kept. Beyond that the commonest reason is thinned, every
//! second of it at a time, so that rare reasons stay whole and the rest spans the whole period.

use std::collections::BTreeMap;

use arb_core::Signal;

/// One reason for firing or not.
#[derive(Clone, Debug)]
struct Kind {
    seen: u64,
    stride: u64,
    /// With the number among all decisions and the number among those of this reason.
    kept: Vec<(u64, u64, Signal)>,
}

/// How often a reason came, and what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count<'a> {
    pub(super) kind: &'a str,
    pub(super) seen: u64,
    /// Every so many-th is kept; 1 keeps all.
    pub(super) stride: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Decisions {
    cap: usize,
    kinds: BTreeMap<String, Kind>,
    kept: usize,
    told: u64,
    fired: u64,
}

impl Decisions {
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, kinds: BTreeMap::new(), kept: 0, told: 0, fired: 0 }
    }

    pub(super) fn add(&mut self, signal: &Signal) {
        let name = signal.decision.reason.kind();
        let kind = self.kinds.entry(name).or_insert(Kind { seen: 0, stride: 1, kept: Vec::new() });
        if kind.seen.is_multiple_of(kind.stride) {
            kind.kept.push((self.told, kind.seen, signal.clone()));
            self.kept += 1;
        }
        kind.seen += 1;
        self.told += 1;
        self.fired += u64::from(signal.fired);
        if self.kept > self.cap {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let Some(kind) = self.kinds.values_mut().max_by_key(|kind| kind.kept.len()) else { return };
        kind.stride *= 2;
        let before = kind.kept.len();
        kind.kept.retain(|(_, number, _)| number.is_multiple_of(kind.stride));
        self.kept -= before - kind.kept.len();
    }

    /// Decisions told.
    pub(super) const fn told(&self) -> u64 {
        self.told
    }

    /// Decisions that became entries.
    pub(super) const fn fired(&self) -> u64 {
        self.fired
    }

    /// Decisions kept.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// The kept decisions in order.
    pub(super) fn in_order(&self) -> Vec<&Signal> {
        let mut all: Vec<_> = self.kinds.values().flat_map(|kind| &kind.kept).collect();
        all.sort_by_key(|(number, ..)| *number);
        all.into_iter().map(|(.., signal)| signal).collect()
    }

    /// Reasons, the commonest first.
    pub(super) fn counts(&self) -> Vec<Count<'_>> {
        let mut counts: Vec<Count<'_>> = self
            .kinds
            .iter()
            .map(|(name, kind)| Count { kind: name, seen: kind.seen, stride: kind.stride })
            .collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.seen));
        counts
    }
}

#[cfg(test)]
mod tests {
    use arb_core::{Decision, Factors, InstrumentId, Reason, Timestamp};

    use super::*;

    fn signal(number: i64, reason: Reason) -> Signal {
        Signal {
            strategy: "s".to_owned(),
            config_hash: String::new(),
            fired: reason == Reason::Entry,
            notify: false,
            decision: Decision {
                time: Timestamp::from_millis(number),
                instrument: InstrumentId(0),
                direction: None,
                score: 0.0,
                tier: None,
                reason,
                price: None,
                factors: Factors::default(),
            },
        }
    }

    #[test]
    fn rare_reasons_stay_whole_and_common_ones_span_the_period() {
        let mut decisions = Decisions::new(100);
        for number in 0..10_000 {
            let reason = if number % 500 == 0 { Reason::Entry } else { Reason::NoDirection };
            decisions.add(&signal(number, reason));
            assert!(decisions.kept() <= 100);
        }
        assert_eq!((decisions.told(), decisions.fired()), (10_000, 20));
        let kept = decisions.in_order();
        assert_eq!(kept.len(), decisions.kept());
        assert_eq!(kept.iter().filter(|signal| signal.fired).count(), 20);
        assert!(kept.windows(2).all(|pair| pair[0].decision.time < pair[1].decision.time));
        assert!(kept.last().unwrap().decision.time > Timestamp::from_millis(9_000));
        let counts = decisions.counts();
        assert_eq!(
            (counts[0].kind, counts[0].seen, counts[0].stride),
            ("no_direction", 9_980, 128)
        );
        assert_eq!((counts[1].kind, counts[1].seen, counts[1].stride), ("entry", 20, 1));
    }
}
