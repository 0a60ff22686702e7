//! What a strategy is: it looks at a read-only [`Context`] and says what it wants.
//!
//! Invariant: a strategy never decides a quantity and never reaches the venue. An [`Intent`] says
//! what, why (score with its parts) and where it is wrong (bracket), with its risk in R; the gate
//! decides the rest. Both legs of a pair are approved, or none.

mod context;
pub mod funding_carry;
pub mod layered_score;
pub(crate) mod registry;

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

pub use self::context::{CarryPosition, Context, EntryCosts};
pub use self::registry::{Factory, Registry, fuzz_strategy_json, parse_strict};
use crate::error::ConfigError;
use crate::event::{Direction, Event, Side};
use crate::instrument::InstrumentId;
use crate::num::{Price, decimal_text};
use crate::risk::Refusal;
use crate::time::Timestamp;

/// A name that is usually a constant of the program.
pub type Name = Cow<'static, str>;

/// Which events a strategy is called for; own orders are always included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The decision grid only.
    Grid,
    /// The grid and every trade of the strategy's instruments.
    Trades,
    /// The grid, every trade and every quote.
    Quotes,
}

/// A trading idea, plugged into the engine.
///
/// Called once per instrument for each event of its [`Interest`]; `cx.instrument()` says which.
/// It must be a pure function of what it was shown: no clock, no IO, no randomness.
pub trait Strategy: Send + fmt::Debug {
    /// The name in signals, orders and configuration.
    fn name(&self) -> &str;

    /// Which events it is called for.
    fn interest(&self) -> Interest {
        Interest::Grid
    }

    /// Whether it looks at an instrument of this symbol; hosts warn when it looks at none.
    fn watches(&self, symbol: &str) -> bool {
        let _ = symbol;
        true
    }

    /// Looks at one event and adds what it wants to `out`.
    fn on_event(&mut self, cx: &Context<'_>, event: &Event, out: &mut Vec<Intent>);

    /// What it remembers beyond its configuration, so that a snapshot can hold it.
    ///
    /// A strategy that does not say keeps the engine from being snapshotted: a restart then runs
    /// the whole log again, which is slow and right.
    fn memory(&self) -> Memory {
        Memory::Untold
    }

    /// Takes back what [`memory`](Self::memory) told.
    ///
    /// # Errors
    /// [`ConfigError`] when the bytes are not its own.
    fn recall(&mut self, _memory: &[u8]) -> Result<(), ConfigError> {
        Err(ConfigError::new("snapshot", None, self.name(), "cannot take back a memory"))
    }
}

/// What a strategy remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Memory {
    /// Something, or nothing: it does not say.
    Untold,
    /// Nothing: it is a function of the context alone.
    Nothing,
    /// This.
    Bytes(Vec<u8>),
}

/// What a strategy wants.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Open a position.
    Enter(Box<Entry>),
    /// Close the strategy's own position at market.
    Exit(Box<Exit>),
    /// Open a carry pair in the instrument of the decision.
    OpenPair(Box<OpenPair>),
    /// Close the strategy's own carry pair.
    ClosePair(Box<ClosePair>),
    /// Nothing, but here is why.
    Observe(Box<Decision>),
}

impl Intent {
    /// The reasons behind it.
    #[must_use]
    pub fn into_decision(self) -> Decision {
        match self {
            Self::Observe(decision) => *decision,
            Self::Enter(entry) => entry.decision,
            Self::Exit(exit) => exit.decision,
            Self::OpenPair(open) => open.decision,
            Self::ClosePair(close) => close.decision,
        }
    }
}

/// A wish to open a position.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Buy or sell the instrument of the decision.
    pub side: Side,
    /// Where the idea is wrong, and how the position ends.
    pub bracket: Bracket,
    /// Risk as a multiple of the budget per trade (1 = one R).
    #[serde(with = "decimal_text")]
    pub risk_r: Decimal,
    /// No further entry of this strategy in this instrument for so long, in ms.
    pub cool_down_ms: u64,
    /// Why.
    pub decision: Decision,
}

/// A wish to close the strategy's own position.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exit {
    /// Whose position.
    pub instrument: InstrumentId,
    /// Why.
    pub decision: Decision,
}

/// A wish to hold the coins and be short the perpetual of the decision; both legs are approved,
/// or none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenPair {
    /// Spot notional as a fraction of equity; risk may make it smaller.
    #[serde(with = "decimal_text")]
    pub notional_ratio: Decimal,
    /// No further pair of this strategy in this instrument for so long, in ms.
    pub cool_down_ms: u64,
    /// Why.
    pub decision: Decision,
}

/// A wish to close the strategy's own carry pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClosePair {
    /// Why in a word, such as `low_funding`.
    pub reason: &'static str,
    /// Why in figures; its instrument is the perpetual.
    pub decision: Decision,
}

/// How a directional position ends; distances are measured from the average entry price.
///
/// The stop distance is the largest of `stop_atr × atr`, `min_stop_bps`, `min_stop_ticks` ticks
/// and `min_stop_spreads` spreads; the targets are multiples of that distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// ATR of the decision, in price units.
    pub atr: f64,
    /// The rules, from the strategy's configuration.
    pub rules: ExitRules,
}

/// Configured numbers of a [`Bracket`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExitRules {
    /// Stop distance in ATRs.
    pub stop_atr: f64,
    /// Smallest stop distance in basis points of the entry price.
    pub min_stop_bps: f64,
    /// Smallest stop distance in ticks.
    pub min_stop_ticks: u32,
    /// Smallest stop distance in spreads.
    pub min_stop_spreads: f64,
    /// First target as a multiple of the stop distance.
    pub tp1_stop_multiple: f64,
    /// Final target as a multiple of the stop distance.
    pub tp2_stop_multiple: f64,
    /// Longest life of the position, minutes.
    pub timeout_minutes: u32,
}

impl ExitRules {
    /// The numbers of the strategies that come with the engine: stop at 2 ATR, targets at 0.75
    /// and 1.5 stops, an hour at most.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            stop_atr: 2.0,
            min_stop_bps: 30.0,
            min_stop_ticks: 5,
            min_stop_spreads: 3.0,
            tp1_stop_multiple: 0.75,
            tp2_stop_multiple: 1.5,
            timeout_minutes: 60,
        }
    }
}

/// How strong a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Recorded, never traded.
    Light,
    /// Traded with one R.
    Standard,
    /// Traded with a larger multiple.
    Heavy,
}

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// The venue time of the decision.
    pub time: Timestamp,
    /// What was looked at.
    pub instrument: InstrumentId,
    /// Which way the flow points, if anywhere.
    pub direction: Option<Direction>,
    /// 0 to 100.
    pub score: f64,
    /// How strong, from `light` on.
    pub tier: Option<Tier>,
    /// Why it fires or does not.
    pub reason: Reason,
    /// Last price.
    pub price: Option<Price>,
    /// The parts of the score.
    pub factors: Factors,
}

/// Why a decision fires, or the first thing that stopped it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An entry.
    Entry,
    /// The opposite position is closed, nothing is opened.
    SignalFlip,
    /// The carry pair is closed.
    ClosePair(Name),
    /// There is no candidate direction.
    NoDirection,
    /// A gate of the strategy refused.
    Gate {
        /// Name of the gate, such as `threshold`.
        name: Name,
        /// What the gate asks for; none where a value is absent.
        limit: Option<f64>,
        /// What there is; none where a value is absent.
        actual: Option<f64>,
    },
    /// The strategy has a position in the instrument, or entered a moment ago.
    Busy(Name),
    /// Risk refused.
    Risk(Refusal),
}

impl Reason {
    /// What kind of reason, without its figures: the name of a gate, `busy`, `risk costs`.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Gate { name, .. } => name.to_string(),
            Self::Busy(what) => format!("busy {what}"),
            Self::Risk(refusal) => format!("risk {}", refusal.rule().as_str()),
            Self::Entry | Self::SignalFlip | Self::ClosePair(_) | Self::NoDirection => {
                self.to_string()
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => f.write_str("entry"),
            Self::SignalFlip => f.write_str("signal_flip"),
            Self::ClosePair(why) => write!(f, "close pair: {why}"),
            Self::NoDirection => f.write_str("no_direction"),
            Self::Gate { name, limit: None, .. } => write!(f, "{name}: not met"),
            Self::Gate { name, limit, actual } => {
                let (actual, limit) = figures(*actual, *limit);
                write!(f, "{name}: {actual} against {limit}")
            }
            Self::Busy(what) => write!(f, "busy: {what}"),
            Self::Risk(refusal) => write!(f, "risk: {refusal}"),
        }
    }
}

/// Two numbers to compare, with as many decimals as it takes to see them differ: two, from 1 on,
/// else four; all where that is not enough.
fn figures(actual: Option<f64>, limit: Option<f64>) -> (String, String) {
    let show =
        |value: Option<f64>, round: fn(f64) -> String| value.map_or("absent".to_owned(), round);
    let rounded = (show(actual, figure), show(limit, figure));
    match rounded.0 == rounded.1 {
        true => (show(actual, |value| value.to_string()), show(limit, |value| value.to_string())),
        false => rounded,
    }
}

fn figure(value: f64) -> String {
    let text = if value.abs() < 1.0 { format!("{value:.4}") } else { format!("{value:.2}") };
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Largest number of factors of a decision, and of inputs of a factor.
const FACTORS: usize = 8;
const INPUTS: usize = 3;

/// One part of a score: points, the most it can give, and what it looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor {
    /// Layer, such as `direction`.
    pub name: &'static str,
    /// Points given, 0 to `max`.
    pub score: f64,
    /// Most points it can give: its weight.
    pub max: f64,
    /// What it looked at; none is an absent value.
    pub inputs: [Option<(&'static str, Option<f64>)>; INPUTS],
    /// The reading in words.
    pub note: &'static str,
}

impl Factor {
    /// A factor that looked at up to three values; further ones are not recorded.
    #[must_use]
    pub fn new(
        name: &'static str,
        (score, max): (f64, f64),
        inputs: &[(&'static str, Option<f64>)],
        note: &'static str,
    ) -> Self {
        let mut kept = [None; INPUTS];
        for (slot, (name, value)) in kept.iter_mut().zip(inputs) {
            *slot = Some((*name, *value));
        }
        Self { name, score, max, inputs: kept, note }
    }
}

/// The parts of a score, in order; as JSON a map by name of `{score, max, inputs, note}`.
///
/// Kept in place, because a score is computed at every tick and rarely recorded.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Factors {
    items: [Option<Factor>; FACTORS],
}

impl Factors {
    /// Adds a factor; beyond eight they are not recorded.
    pub fn push(&mut self, factor: Factor) {
        if let Some(slot) = self.items.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(factor);
        }
    }

    /// The factors in order.
    pub fn iter(&self) -> impl Iterator<Item = &Factor> {
        self.items.iter().flatten()
    }

    /// Sum of the points.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.iter().fold(0.0, |sum, factor| sum + factor.score)
    }
}

#[derive(Serialize)]
struct FactorBody<'a> {
    score: f64,
    max: f64,
    inputs: Inputs<'a>,
    note: &'a str,
}

struct Inputs<'a>(&'a [Option<(&'static str, Option<f64>)>]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.iter().flatten().count()))?;
        for (name, value) in self.0.iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Factors {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.iter().count()))?;
        for f in self.iter() {
            let (score, max, note) = (f.score, f.max, f.note);
            map.serialize_entry(
                &f.name,
                &FactorBody { score, max, inputs: Inputs(&f.inputs), note },
            )?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_tell_figures_a_person_can_read() {
        let told = |actual, limit| {
            Reason::Gate { name: "cost_r".into(), limit: Some(limit), actual }.to_string()
        };
        assert_eq!(told(Some(0.208_333_333_333), 0.5), "cost_r: 0.2083 against 0.5");
        assert_eq!(told(Some(67.833_333_333), 75.0), "cost_r: 67.83 against 75");
        assert_eq!(told(Some(74.999_999), 75.0), "cost_r: 74.999999 against 75");
        assert_eq!(told(Some(-0.000_01), 0.15), "cost_r: 0 against 0.15");
        assert_eq!(told(None, 0.15), "cost_r: absent against 0.15");
    }
}
