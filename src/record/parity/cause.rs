//! What differed upstream, and which of it explains a difference downstream.
//!
//! Invariant: a cause is never later than what it explains, and still in force then: an input acts
//! until its age or its window has passed, missing trades for a day, a field until it is equal
//! again. Among the causes that bear on a difference the earliest is named; how sure that is, is
//! part of the answer ([`Evidence`]).

mod bearing;

use std::collections::BTreeMap;
use std::fmt;

use arb_core::Timestamp;
use serde::Serialize;

use self::bearing::{Class, ages, class, group};

/// What differed upstream of signals and trades.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// A field of the configuration.
    Configuration {
        /// Path of the field, such as `risk.max_positions` or `strategy.threshold`.
        field: String,
    },
    /// One journal begins later or ends earlier.
    Period,
    /// An operator's command or a transfer.
    Operator {
        /// Which, such as `pause`.
        what: String,
    },
    /// Trades are missing, extra, different or late, or gaps are told otherwise.
    Trades {
        /// Whose trades.
        symbol: String,
    },
    /// A market input.
    Input {
        /// Whose input.
        symbol: String,
        /// Which, such as `open_interest`.
        input: String,
    },
    /// Ticks are missing, extra or told at another time.
    Grid,
    /// What the driver measured.
    Health {
        /// Which, such as `clock`.
        what: String,
    },
    /// The venue answered sooner or later.
    OrderLatency,
    /// The venue answered equal orders otherwise.
    VenueAnswers,
    /// Another version of the engine wrote the other journal.
    EngineVersion,
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration { field } => write!(f, "configuration {field}"),
            Self::Period => f.write_str("period"),
            Self::Operator { what } => write!(f, "operator {what}"),
            Self::Trades { symbol } => write!(f, "trades of {symbol}"),
            Self::Input { symbol, input } => write!(f, "input {input} of {symbol}"),
            Self::Grid => f.write_str("decision grid"),
            Self::Health { what } => write!(f, "health {what}"),
            Self::OrderLatency => f.write_str("order latency"),
            Self::VenueAnswers => f.write_str("venue answers"),
            Self::EngineVersion => f.write_str("engine version"),
        }
    }
}

/// A place where both journals differ, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Timestamp,
    /// What it is about, such as `trade 1041`.
    pub what: String,
    /// What A has; none where it has nothing.
    pub a: Option<String>,
    /// What B has; none where it has nothing.
    pub b: Option<String>,
}

/// Writes a time as milliseconds.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn millis<S: serde::Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_i64(at.as_millis())
}

/// Something that differed upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What.
    #[serde(flatten)]
    pub kind: CauseKind,
    /// Since when; the epoch is the configuration at the start.
    #[serde(rename = "from_ms", serialize_with = "millis")]
    pub from: Timestamp,
    /// The last time it differed.
    #[serde(rename = "last_ms", serialize_with = "millis")]
    pub last: Timestamp,
    /// Records of A that B lacks.
    pub missing: u64,
    /// Records of B that A lacks.
    pub extra: u64,
    /// Records that both have with other content.
    pub different: u64,
    /// Records that both have at another time.
    pub shifted: u64,
    /// The first few of these.
    pub samples: Vec<Sample>,
    /// It cannot change a result: a name, or how much is recorded.
    pub inert: bool,
    /// Differences downstream that it explains.
    pub effects: u64,
    /// The field is equal again from here on.
    #[serde(skip)]
    until: Option<Timestamp>,
}

/// How records differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Missing,
    Extra,
    Different,
    Shifted,
}

/// How a cause was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It bears on what differs.
    Direct,
    /// It caused an earlier difference of signals or trades, and this follows from that.
    Follows,
    /// It is the earliest that could have had an influence.
    Earliest,
    /// Nothing upstream differs: unexplained.
    None,
}

/// What a difference is about: causes bear on some of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Score, direction, tier.
    Score,
    /// Whether an entry is approved.
    Entry,
    /// Quantity and limit of an order.
    Size,
    /// When and at which price orders are filled.
    Fill,
    /// When an order fills.
    FillTime,
    /// Stops, targets and how a trade ends.
    Exit,
    /// Fees.
    Fee,
    /// Funding.
    Funding,
    /// The state of risk and the account.
    Risk,
}

/// What is asked of the causes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) at: Timestamp,
    pub(super) symbol: Option<&'a str>,
    pub(super) about: &'a [About],
    /// Names of what was seen to differ, such as `open_interest`, `trades`, `strategy`; none where
    /// that is not known.
    pub(super) seen: Option<&'a [&'a str]>,
}

/// All causes, by first finding.
#[derive(Debug, Default)]
pub(super) struct Causes {
    list: Vec<Cause>,
    index: BTreeMap<CauseKind, usize>,
    /// Inputs that neither side lets strategies see.
    pub(super) masked: Vec<&'static str>,
}

/// Samples kept of each cause.
const SAMPLES: usize = 5;

impl Causes {
    /// Counts a finding and gives its cause.
    pub(super) fn add(
        &mut self,
        kind: CauseKind,
        at: Timestamp,
        change: Change,
        sample: impl FnOnce() -> (String, Option<String>, Option<String>),
    ) -> usize {
        let (list, index) = (&mut self.list, &mut self.index);
        let at_index = *index.entry(kind).or_insert_with_key(|kind| {
            list.push(Cause::new(kind.clone(), at));
            list.len() - 1
        });
        if let Some(cause) = list.get_mut(at_index) {
            cause.count(at, change, sample);
        }
        at_index
    }

    /// The cause of a kind, once it was found.
    pub(super) fn find(&self, kind: &CauseKind) -> Option<usize> {
        self.index.get(kind).copied()
    }

    /// A field that is equal from now on.
    pub(super) fn end(&mut self, kind: &CauseKind, at: Timestamp) {
        let index = self.index.get(kind).copied();
        if let Some(cause) = index.and_then(|index| self.list.get_mut(index)) {
            cause.until = Some(at);
        }
    }

    pub(super) fn explains(&mut self, index: usize) {
        if let Some(cause) = self.list.get_mut(index) {
            cause.effects += 1;
        }
    }

    /// The earliest cause that bears on what is asked.
    pub(super) fn direct(&self, question: &Question<'_>) -> Option<usize> {
        self.earliest(question, |cause| {
            cause.kind != CauseKind::EngineVersion
                && question.about.iter().any(|about| cause.kind.bears_on(*about))
                && question.seen.is_none_or(|seen| self.was_seen(cause, seen))
        })
    }

    /// The earliest cause of any kind; another version only where there is no other.
    pub(super) fn any(&self, question: &Question<'_>) -> Option<usize> {
        let version = |cause: &Cause| cause.kind == CauseKind::EngineVersion;
        self.earliest(question, |cause| !version(cause))
            .or_else(|| self.earliest(question, version))
    }

    fn earliest(&self, question: &Question<'_>, wanted: impl Fn(&Cause) -> bool) -> Option<usize> {
        let candidates = self.list.iter().enumerate().filter(|(_, cause)| {
            !cause.inert
                && cause.is_in_force(question.at)
                && cause.concerns(question.symbol)
                && !self.is_masked(cause)
                && wanted(cause)
        });
        candidates.min_by_key(|(_, cause)| (cause.from, &cause.kind)).map(|(index, _)| index)
    }

    /// An input that no strategy sees on either side; marks and settlements act on money, too.
    fn is_masked(&self, cause: &Cause) -> bool {
        match &cause.kind {
            CauseKind::Input { input, .. } => {
                !matches!(input.as_str(), "mark_price" | "funding_settled")
                    && self.masked.contains(&group(input))
            }
            _ => false,
        }
    }

    fn was_seen(&self, cause: &Cause, seen: &[&str]) -> bool {
        match &cause.kind {
            CauseKind::Input { input, .. } => seen.contains(&group(input)),
            CauseKind::Trades { .. } | CauseKind::Period => seen.contains(&"trades"),
            CauseKind::Configuration { field } => match field.split_once('.') {
                Some(("mask_inputs", input)) => seen.contains(&input),
                Some(("input_ages", age)) => seen.iter().any(|seen| ages(seen).contains(&age)),
                _ => seen.contains(&class(field).name()),
            },
            CauseKind::Health { .. } => seen.contains(&"health"),
            _ => true,
        }
    }

    pub(super) fn into_list(self) -> Vec<Cause> {
        self.list
    }
}

impl Cause {
    fn new(kind: CauseKind, at: Timestamp) -> Self {
        let inert = match &kind {
            CauseKind::Configuration { field } => class(field) == Class::Inert,
            _ => false,
        };
        Self {
            kind,
            from: at,
            last: at,
            missing: 0,
            extra: 0,
            different: 0,
            shifted: 0,
            samples: Vec::new(),
            inert,
            effects: 0,
            until: None,
        }
    }

    fn count(
        &mut self,
        at: Timestamp,
        change: Change,
        sample: impl FnOnce() -> (String, Option<String>, Option<String>),
    ) {
        (self.from, self.last) = (self.from.min(at), self.last.max(at));
        self.until = None;
        let count = match change {
            Change::Missing => &mut self.missing,
            Change::Extra => &mut self.extra,
            Change::Different => &mut self.different,
            Change::Shifted => &mut self.shifted,
        };
        *count += 1;
        if self.samples.len() < SAMPLES {
            let (what, a, b) = sample();
            self.samples.push(Sample { at, what, a, b });
        }
    }

    fn is_in_force(&self, at: Timestamp) -> bool {
        self.from <= at
            && self.until.is_none_or(|until| at < until)
            && at.since(self.last) <= self.kind.memory()
    }

    fn concerns(&self, symbol: Option<&str>) -> bool {
        let own = match &self.kind {
            CauseKind::Trades { symbol } | CauseKind::Input { symbol, .. } => Some(symbol.as_str()),
            CauseKind::Configuration { field } => field
                .strip_prefix("instruments[")
                .and_then(|rest| rest.split_once(']'))
                .map(|(symbol, _)| symbol),
            _ => None,
        };
        own.is_none() || symbol.is_none() || own == symbol
    }
}
