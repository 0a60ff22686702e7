//! What hosts see of a running engine, and what they may tell it.
//!
//! Invariant: a host never holds the engine up. It reads copies of one moment and sends commands
//! that are confirmed once they are durable.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::store::{Mode, RateSnapshot};
use crate::error::{ConfigError, StoreError};
use crate::event::{Command, Direction};
use crate::indicator::Indicators;
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, decimal_text};
use crate::output::{CarryNote, Signal, TradeNote};
use crate::risk::{RiskState, Rule};
use crate::strategy::Tier;
use crate::time::Timestamp;

/// The engine at one moment, for hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    /// Number of the last log record it includes.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Paper or live.
    pub mode: Mode,
    /// Names (`um:BTCUSDT`) of the instruments in the order of their ids.
    pub instruments: Arc<[String]>,
    /// What the engine may do.
    pub risk_state: RiskState,
    /// The account.
    pub account: AccountView,
    /// Every rule with its limit and what there is.
    pub rules: Arc<[RuleReading]>,
    /// The settings in force.
    pub settings: TradingSettings,
    /// Open directional trades.
    pub trades: Vec<TradeNote>,
    /// Open carry pairs, valued at present prices.
    pub pairs: Vec<CarryNote>,
    /// The newest rates of every perpetual that has some, by id.
    #[serde(skip)]
    pub rates: Arc<[RateSnapshot]>,
    /// The indicators of the last tick.
    pub rows: Arc<[(InstrumentId, Indicators)]>,
}

impl View {
    /// A view of nothing yet: halted, and without a single rate.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            seq: 0,
            at: Timestamp::EPOCH,
            mode: Mode::Paper,
            instruments: Arc::from([]),
            risk_state: RiskState::Halted,
            account: AccountView::default(),
            rules: Arc::from([]),
            settings: TradingSettings::default(),
            trades: Vec::new(),
            pairs: Vec::new(),
            rates: Arc::from([]),
            rows: Arc::from([]),
        }
    }

    /// The symbol of an instrument, such as `BTCUSDT`; empty when it is not listed.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> &str {
        let name = self.instruments.get(id.index()).map_or("", String::as_str);
        name.split_once(':').map_or(name, |(_, symbol)| symbol)
    }

    /// The newest rates of a perpetual.
    #[must_use]
    pub fn rate(&self, id: InstrumentId) -> Option<&RateSnapshot> {
        self.rates.iter().find(|rate| rate.instrument == id)
    }
}

/// The account at one moment, quote currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Wallet plus unrealised PnL plus coins at the bid.
    pub equity: Money,
    /// Cash.
    pub wallet: Money,
    /// Balance at the start.
    pub initial_balance: Money,
    /// Equity without coins: what the venue counts as margin.
    pub margin_balance: Money,
    /// Below this the venue liquidates.
    pub maintenance_margin: Money,
    /// Bound by open positions.
    pub initial_margin: Money,
    /// Risk of one trade with a size of 1.
    pub r_unit: Money,
}

/// A rule of the risk gate or guard with what it looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReading {
    /// The rule.
    pub rule: Rule,
    /// The strategy or instrument it is read for, where there is one for each.
    pub of: Option<String>,
    /// What is allowed, in the rule's own unit.
    #[serde(with = "decimal_text")]
    pub limit: Decimal,
    /// What there is; none while it cannot be measured.
    pub actual: Option<Decimal>,
    /// How much of the limit is used: 0 nothing, 1 at the limit, above 1 broken; none while it
    /// cannot be measured.
    pub used: Option<Decimal>,
    /// What is missing to measure it.
    pub missing: Option<String>,
}

/// A strategy's newest decision about an instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// Grid time.
    pub time: Timestamp,
    /// What was looked at.
    pub instrument: InstrumentId,
    /// Name of the strategy.
    pub strategy: String,
    /// Which way the flow points.
    pub direction: Option<Direction>,
    /// 0 to 100.
    pub score: f64,
    /// How strong.
    pub tier: Option<Tier>,
    /// An entry was approved.
    pub fired: bool,
    /// Why it fires or does not, in words.
    pub reason: String,
    /// Last price.
    pub price: Option<Price>,
    /// JSON object by name of `{score, max, inputs, note}`.
    pub factors: String,
}

impl From<&Signal> for DecisionRow {
    fn from(signal: &Signal) -> Self {
        let decision = &signal.decision;
        Self {
            time: decision.time,
            instrument: decision.instrument,
            strategy: signal.strategy.clone(),
            direction: decision.direction,
            score: decision.score,
            tier: decision.tier,
            fired: signal.fired,
            reason: decision.reason.to_string(),
            price: decision.price,
            factors: serde_json::to_string(&decision.factors).unwrap_or_default(),
        }
    }
}

/// What an operator may change while the engine runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradingSettings {
    /// Whether entries are allowed.
    pub enabled: bool,
    /// Names of the strategies that decide, of those the node was started with.
    pub enabled_strategies: Vec<String>,
    /// The balance that a share of risk refers to, quote currency.
    pub initial_balance: Money,
    /// Share of it that one trade of size 1 risks.
    #[serde(with = "decimal_text")]
    pub risk_per_trade: Decimal,
    /// Open directional positions at most.
    pub max_positions: u32,
    /// Size of an entry by tier.
    pub tier_multiplier: TierMultipliers,
}

/// Sizes of entries by tier, in R. A light signal is never traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierMultipliers {
    /// Always 0.
    #[serde(with = "decimal_text")]
    pub light: Decimal,
    /// Usually 1.
    #[serde(with = "decimal_text")]
    pub standard: Decimal,
    /// Usually 1.5.
    #[serde(with = "decimal_text")]
    pub heavy: Decimal,
}

/// Health of a part of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `feed`, `store`, `executor` or `guard`.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Why, in words.
    pub detail: String,
}

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// It works.
    Ok,
    /// It works not as it should.
    Degraded,
    /// It does not run here, which is intended.
    Off,
}

/// A figure for those who watch the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Name by the Prometheus conventions: base unit as suffix, `_total` for counters.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How it moves.
    pub kind: MeasureKind,
    /// Label and its value, where it has one.
    pub label: Option<(&'static str, String)>,
    /// The figure.
    pub value: MeasureValue,
}

/// How a measure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureKind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

/// A measure's figure.
#[derive(Clone, Debug, PartialEq)]
pub enum MeasureValue {
    /// One number.
    Number(f64),
    /// Counts at or below each bound (not cumulated), those above all of them last.
    Buckets {
        /// Upper bounds, ascending.
        bounds: Vec<f64>,
        /// Counts, one more than bounds.
        counts: Vec<u64>,
        /// Sum of everything counted.
        sum: f64,
    },
}

/// An output of the engine as hosts are told it, the same from a running engine and from a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Number of the log record it belongs to: of the event that the engine answered.
    pub seq: u64,
    /// Counts the outputs of that record from 0.
    pub ordinal: u32,
    /// Time of the event, whole milliseconds.
    pub at: Timestamp,
    /// Variant of the output, such as `signal`.
    pub kind: String,
    /// The output as JSON, instruments by name (`um:BTCUSDT`).
    pub body: String,
}

/// Proof that a command was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Number in the log.
    pub seq: u64,
}

/// A stream of notes.
pub type Notes = Pin<Box<dyn Stream<Item = Note> + Send>>;

/// What hosts see of a running engine.
#[async_trait]
pub trait Desk: Send + Sync {
    /// The newest view.
    fn snapshot(&self) -> Arc<View>;

    /// The newest decision of each strategy about each instrument.
    fn decisions(&self) -> Vec<DecisionRow>;

    /// The notes of the records after `after_seq`, in order, then new ones as they come.
    ///
    /// A record may have several. Who goes on in the middle of one asks from the record before it
    /// and passes over the ordinals it has.
    fn notes(&self, after_seq: u64) -> Notes;

    /// How the parts are.
    fn health(&self) -> Vec<Component>;

    /// Figures for those who watch the process.
    fn measures(&self) -> Vec<Measure>;

    /// Hands a command to the engine.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be made durable.
    async fn command(&self, command: Command) -> Result<Receipt, StoreError>;

    /// Puts other settings in force from the next tick on, and keeps them over restarts.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is refused, or that it cannot be made durable.
    async fn configure(&self, settings: TradingSettings) -> Result<Receipt, ConfigError>;
}
