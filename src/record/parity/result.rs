//! What a comparison found.
//!
//! Invariant: every difference is counted in exactly one row of [`Parity::rows`], by its kind and
//! its cause; what nothing upstream explains has no cause and is counted as such.

use std::collections::BTreeMap;

use arb_core::{Money, Timestamp};
use serde::Serialize;

use super::cause::{Cause, Evidence, millis};

/// How two results differ. Missed is what A has and B lacks, extra the reverse; late is B after A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// A recorded decision of A only.
    SignalMissed,
    /// A recorded decision of B only.
    SignalExtra,
    /// B decides, or tells its decision, later.
    SignalLate,
    /// B decides, or tells its decision, earlier.
    SignalEarly,
    /// Long against short, or none.
    SignalDirection,
    /// The points differ.
    SignalScore,
    /// The tier differs.
    SignalTier,
    /// One was approved as an entry, the other was not.
    SignalFired,
    /// What stopped the entry differs.
    SignalReason,
    /// The points agree, but what was looked at differs.
    SignalInputs,
    /// One was worth a message.
    SignalNotify,
    /// An entry order of A only.
    EntryMissed,
    /// An entry order of B only.
    EntryExtra,
    /// B enters later.
    EntryLate,
    /// B enters earlier.
    EntryEarly,
    /// Long against short.
    EntryDirection,
    /// Quantity of the entry order.
    OrderQty,
    /// Limit price of the entry order.
    OrderLimit,
    /// Quantity that was filled.
    FilledQty,
    /// Time of the first entry fill.
    EntryTime,
    /// Average entry price.
    EntryPrice,
    /// Initial stop or targets.
    Levels,
    /// Stops, targets and closes that were sent.
    Orders,
    /// Acceptances, rejections and expiries.
    Answers,
    /// Average exit price.
    ExitPrice,
    /// Time of the last exit fill.
    ExitTime,
    /// How the trade ended.
    ExitStatus,
    /// Fees.
    Fee,
    /// Funding.
    Funding,
    /// Profit or loss before fees and funding.
    Pnl,
    /// A change of the risk state of A only.
    RiskMissed,
    /// A change of the risk state of B only.
    RiskExtra,
    /// A change of the risk state at another time or with other figures.
    RiskDiffers,
    /// Another note of A only: a hole, a dropped record, a refused configuration.
    NoteMissed,
    /// Another note of B only.
    NoteExtra,
    /// Funding was booked with another amount.
    NoteDiffers,
}

impl DifferenceKind {
    /// The name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignalMissed => "signals missed",
            Self::SignalExtra => "signals extra",
            Self::SignalLate => "signals late",
            Self::SignalEarly => "signals early",
            Self::SignalDirection => "signal direction",
            Self::SignalScore => "signal score",
            Self::SignalTier => "signal tier",
            Self::SignalFired => "signal fired",
            Self::SignalReason => "signal reason",
            Self::SignalInputs => "signal inputs",
            Self::SignalNotify => "signal notify",
            Self::EntryMissed => "entries missed",
            Self::EntryExtra => "entries extra",
            Self::EntryLate => "entries late",
            Self::EntryEarly => "entries early",
            Self::EntryDirection => "entry direction",
            Self::OrderQty => "order quantity",
            Self::OrderLimit => "order limit",
            Self::FilledQty => "filled quantity",
            Self::EntryTime => "entry time",
            Self::EntryPrice => "entry price",
            Self::Levels => "stop and targets",
            Self::Orders => "exit orders",
            Self::Answers => "venue answers",
            Self::ExitPrice => "exit price",
            Self::ExitTime => "exit time",
            Self::ExitStatus => "exit status",
            Self::Fee => "fees",
            Self::Funding => "funding",
            Self::Pnl => "profit and loss",
            Self::RiskMissed => "risk notes missed",
            Self::RiskExtra => "risk notes extra",
            Self::RiskDiffers => "risk notes differ",
            Self::NoteMissed => "other notes missed",
            Self::NoteExtra => "other notes extra",
            Self::NoteDiffers => "other notes differ",
        }
    }
}

/// A result that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How.
    pub kind: DifferenceKind,
    /// When it was decided, or when it happened.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Timestamp,
    /// Whose.
    pub symbol: Option<String>,
    /// Of which strategy.
    pub strategy: Option<String>,
    /// What A has; none where it has nothing.
    pub a: Option<String>,
    /// What B has; none where it has nothing.
    pub b: Option<String>,
    /// Size of the difference where it has one, such as `+1.25 bps` or `+750 ms`, B against A.
    pub by: Option<String>,
    /// The earliest cause, as an index into [`Parity::causes`]; none: unexplained.
    pub cause: Option<usize>,
    /// How the cause was found.
    pub evidence: Evidence,
}

/// Differences of one kind and cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// How they differ.
    pub kind: DifferenceKind,
    /// Why, as an index into [`Parity::causes`]; none: unexplained.
    pub cause: Option<usize>,
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Difference>,
}

/// What one journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Version of the engine that wrote it.
    pub engine_version: String,
    /// Events.
    pub events: u64,
    /// Outputs.
    pub outputs: u64,
    /// Trades of the market.
    pub market_trades: u64,
    /// First tick.
    #[serde(rename = "from_ms", serialize_with = "option_millis")]
    pub from: Option<Timestamp>,
    /// Last tick.
    #[serde(rename = "to_ms", serialize_with = "option_millis")]
    pub to: Option<Timestamp>,
    /// Recorded decisions.
    pub signals: u64,
    /// Of these approved as entries.
    pub fired: u64,
    /// Entry orders.
    pub entries: u64,
    /// Trades that ended.
    pub closed: u64,
    /// Σ (profit or loss − fees − funding) of the trades that ended.
    pub net: Money,
    /// Σ fees of these.
    pub fees: Money,
    /// Σ funding paid by these.
    pub funding: Money,
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn option_millis<S: serde::Serializer>(at: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::as_millis).serialize(s)
}

/// Two journals compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parity {
    /// The records are the same, byte for byte.
    pub identical: bool,
    /// The journals, A and B.
    pub contents: [Contents; 2],
    /// Decisions that both have.
    pub signals_matched: u64,
    /// Of these the ones that agree in everything.
    pub signals_equal: u64,
    /// Entries that both have.
    pub entries_matched: u64,
    /// Of these the ones that agree in everything, up to their end.
    pub entries_equal: u64,
    /// What differs upstream, as it was found, also what explains nothing.
    pub causes: Vec<Cause>,
    /// The differences, by kind and cause.
    pub rows: Vec<Row>,
}

impl Parity {
    /// Whether signals, entries, trades and risk states are equal within the tolerance.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.rows.is_empty()
    }

    /// Differences of a kind, whatever their cause.
    #[must_use]
    pub fn count(&self, kind: DifferenceKind) -> u64 {
        self.rows.iter().filter(|row| row.kind == kind).map(|row| row.count).sum()
    }

    /// Differences that nothing upstream explains.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        self.rows.iter().filter(|row| row.cause.is_none()).map(|row| row.count).sum()
    }
}

/// Counts differences as they are found and hands each on.
pub(super) struct Tally<'a> {
    rows: BTreeMap<(DifferenceKind, Option<usize>), Row>,
    each: &'a mut dyn FnMut(&Difference),
}

/// Examples kept of each row.
const EXAMPLES: usize = 5;

impl<'a> Tally<'a> {
    pub(super) fn new(each: &'a mut dyn FnMut(&Difference)) -> Self {
        Self { rows: BTreeMap::new(), each }
    }

    pub(super) fn add(&mut self, difference: Difference) {
        (self.each)(&difference);
        let (kind, cause) = (difference.kind, difference.cause);
        let empty = || Row { kind, cause, count: 0, examples: Vec::new() };
        let row = self.rows.entry((kind, cause)).or_insert_with(empty);
        row.count += 1;
        if row.examples.len() < EXAMPLES {
            row.examples.push(difference);
        }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows.into_values().collect()
    }
}
