//! Funding-rate arbitrage: coins long, perpetual short, as long as the funding pays for it.
//!
//! Source: strategy rules of the product. With *b* the tradable basis (perpetual bid over spot ask,
//! minus one), everything a fraction of notional:
//!
//! ```text
//! expected  = next settlement at the running estimate,
//!             later ones at min(estimate, mean of 3 days, mean of 7 days)
//! costs     = both round trips: 2 perpetual fees, 2 spot fees, 4 half-spreads, 4 × slippage
//! loss      = max(0, median of b at exit sides over 7 days − b now)
//! capital   = 1 + 1 ÷ leverage
//! net_apr   = (expected over the horizon − costs − loss) ÷ capital × 365 d ÷ horizon
//! ```
//!
//! Invariant: it never asks for a pair whose expected funding does not pay its costs, and never
//! for spot short.

mod basis;
mod config;
mod expect;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::basis::BasisHistory;
pub use self::config::{FundingCarryConfig, Kind};
use self::expect::Outlook;
use super::registry::parse_strict;
use super::{
    CarryPosition, ClosePair, Context, Decision, Factor, Factors, Intent, Memory, Name, OpenPair,
    Reason, Strategy, Tier,
};
use crate::error::ConfigError;
use crate::event::{Direction, Event, EventKind};
use crate::instrument::InstrumentId;
use crate::time::{DAY, Timestamp};

const DAYS_PER_YEAR: f64 = 365.0;

/// A strategy of this kind.
#[derive(Clone, Debug)]
pub struct FundingCarry {
    config: FundingCarryConfig,
    pairs: BTreeMap<InstrumentId, PairMemory>,
}

/// What is remembered of one perpetual.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct PairMemory {
    basis: BasisHistory,
    /// The last settlement that was judged, and how many in a row were too low.
    judged: Option<Timestamp>,
    low: u32,
}

impl FundingCarry {
    /// Reads a strategy file.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, field and what is allowed.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let config: FundingCarryConfig = parse_strict(file, text)?;
        config.check(file, text)?;
        Ok(Self { config, pairs: BTreeMap::new() })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &FundingCarryConfig {
        &self.config
    }

    fn decide(&mut self, cx: &Context<'_>) -> Option<Intent> {
        let now = cx.now();
        let (spot, multiplier) = cx.spot()?;
        let quotes = basis::quotes(cx.market(), spot, multiplier, now)?;
        let memory = self.pairs.entry(cx.instrument()).or_default();
        memory.basis.add(now, quotes.at_exit);
        let outlook = Outlook::new(cx, &self.config);
        let mut decision = Decision {
            time: now,
            instrument: cx.instrument(),
            direction: Some(Direction::Short),
            score: 0.0,
            tier: None,
            reason: Reason::NoDirection,
            price: cx.market().last_price(),
            factors: Factors::default(),
        };
        let Some(outlook) = outlook else {
            decision.reason = refused("funding_rate", None, None);
            return Some(Intent::Observe(Box::new(decision)));
        };
        let median = memory.basis.median(now);
        let loss = median.map_or(0.0, |median| (median - quotes.at_entry).max(0.0));
        let capital = capital(cx);
        let horizon = f64::from(self.config.horizon_days);
        let net = outlook.over_horizon - costs(cx, spot) - loss;
        let net_apr = net / capital * DAYS_PER_YEAR / horizon;
        decision.score = (net_apr * 100.0).clamp(0.0, 100.0);
        decision.factors = factors(&outlook, (costs(cx, spot), loss), (net_apr, quotes.at_entry));
        let gross_apr = outlook.over_horizon / capital * DAYS_PER_YEAR / horizon;
        if let Some(pair) = cx.carry() {
            let reason =
                memory.exit(&self.config, cx, (&outlook, gross_apr), (&pair, quotes.at_exit));
            return Some(close_or_hold(reason, &pair, decision));
        }
        (memory.low, memory.judged) = (0, cx.inputs().last_settlement());
        let known = memory.basis.hours();
        Some(self.enter(cx, decision, net_apr, (quotes.at_entry * 10_000.0, known)))
    }

    fn enter(
        &self,
        cx: &Context<'_>,
        mut decision: Decision,
        net_apr: f64,
        (basis_bps, basis_hours): (f64, u32),
    ) -> Intent {
        let config = &self.config;
        decision.reason = if basis_hours < config.min_basis_hours {
            let (limit, actual) = (config.min_basis_hours.into(), basis_hours.into());
            refused("basis_hours", Some(limit), Some(actual))
        } else if net_apr <= config.min_net_apr {
            refused("net_apr", Some(config.min_net_apr), Some(net_apr))
        } else if basis_bps.abs() > config.max_basis_bps {
            refused("basis_bps", Some(config.max_basis_bps), Some(basis_bps))
        } else if cx.cool_down_until().is_some() {
            Reason::Busy(Name::Borrowed("cool_down"))
        } else {
            Reason::Entry
        };
        if decision.reason != Reason::Entry {
            return Intent::Observe(Box::new(decision));
        }
        decision.tier = Some(Tier::Standard);
        Intent::OpenPair(Box::new(OpenPair {
            notional_ratio: config.notional_ratio,
            cool_down_ms: u64::from(config.cool_down_minutes) * 60_000,
            decision,
        }))
    }
}

fn refused(name: &'static str, limit: Option<f64>, actual: Option<f64>) -> Reason {
    Reason::Gate { name: Name::Borrowed(name), limit, actual }
}

/// Spot notional and the margin set aside for the short, per notional.
fn capital(cx: &Context<'_>) -> f64 {
    let leverage = fraction(cx.carry_limits().max_leverage);
    1.0 + 1.0 / leverage
}

/// Fees, half-spreads and slippage of entry and exit of both legs.
fn costs(cx: &Context<'_>, spot: &crate::market::MarketState) -> f64 {
    let costs = cx.costs();
    let spreads = costs.spread + spot.spread(cx.now());
    let fees = (costs.taker_fee + costs.spot_fee) * rust_decimal::Decimal::TWO;
    fraction(fees + spreads) + 4.0 * fraction(costs.slippage)
}

fn fraction(value: rust_decimal::Decimal) -> f64 {
    use rust_decimal::prelude::ToPrimitive as _;
    value.to_f64().unwrap_or(f64::NAN)
}

fn factors(outlook: &Outlook, (costs, loss): (f64, f64), (net_apr, basis): (f64, f64)) -> Factors {
    let mut factors = Factors::default();
    let mut add = |name, value: f64, inputs: &[(&'static str, Option<f64>)], note| {
        factors.push(Factor::new(name, (value, value), inputs, note));
    };
    let funding = [
        ("next_rate", Some(outlook.next)),
        ("later_rate", Some(outlook.later)),
        ("settlements", Some(outlook.settlements)),
    ];
    add("funding", outlook.over_horizon, &funding, "expected over the horizon");
    add("costs", -costs, &[], "both round trips");
    add("basis_loss", -loss, &[("basis", Some(basis))], "median of 7 days against now");
    add("net_apr", net_apr, &[], "of the capital, per year");
    factors
}

fn close_or_hold(
    reason: Option<&'static str>,
    pair: &CarryPosition,
    mut decision: Decision,
) -> Intent {
    match reason.filter(|_| !pair.is_closing) {
        Some(reason) => {
            decision.tier = Some(Tier::Standard);
            decision.reason = Reason::ClosePair(Name::Borrowed(reason));
            Intent::ClosePair(Box::new(ClosePair { reason, decision }))
        }
        None => {
            decision.reason = Reason::Busy(Name::Borrowed("position"));
            Intent::Observe(Box::new(decision))
        }
    }
}

impl PairMemory {
    /// Why the pair should end, if it should. Entry costs are sunk and exit costs are due either
    /// way, so neither counts.
    fn exit(
        &mut self,
        config: &FundingCarryConfig,
        cx: &Context<'_>,
        (outlook, gross_apr): (&Outlook, f64),
        (pair, basis_at_exit): (&CarryPosition, f64),
    ) -> Option<&'static str> {
        let settled = cx.inputs().last_settlement();
        if settled != self.judged {
            self.judged = settled;
            self.low = if gross_apr < config.exit_apr { self.low + 1 } else { 0 };
        }
        let (spot, _) = cx.spot()?;
        if self.low >= config.exit_settlements {
            return Some("low_funding");
        }
        if outlook.negative_24h < -costs(cx, spot) {
            return Some("negative_funding");
        }
        let entry = fraction(pair.entry_basis_bps?) / 10_000.0;
        let gain = entry - basis_at_exit;
        (gain > 0.0 && gain >= outlook.over_horizon).then_some("basis_gain")
    }
}

impl Strategy for FundingCarry {
    fn memory(&self) -> Memory {
        serde_json::to_vec(&self.pairs).map_or(Memory::Untold, Memory::Bytes)
    }

    fn recall(&mut self, memory: &[u8]) -> Result<(), ConfigError> {
        let broken = |e: serde_json::Error| {
            ConfigError::new("snapshot", Some(e.line()), self.config.name.clone(), e.to_string())
        };
        self.pairs = serde_json::from_slice(memory).map_err(broken)?;
        Ok(())
    }

    fn name(&self) -> &str {
        &self.config.name
    }

    fn watches(&self, symbol: &str) -> bool {
        self.config.symbols.contains(symbol)
    }

    fn on_event(&mut self, cx: &Context<'_>, event: &Event, out: &mut Vec<Intent>) {
        if let EventKind::Tick(_) = event.kind
            && self.watches(&cx.spec().symbol)
        {
            out.extend(self.decide(cx));
        }
    }
}

/// The JSON Schema of a strategy file of this kind.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(FundingCarryConfig).to_value()
}

/// How far back the basis is remembered.
const BASIS_WINDOW: i64 = 7 * DAY;

#[cfg(test)]
mod tests;
