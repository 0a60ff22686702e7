//! `layered_score`: order flow gives a direction, layers give points, gates decide.
//!
//! Candidate: LONG while `cvd_30m` is positive, SHORT while it is negative. The score is the sum
//! of the layers ([`score`](self)), at most 100. Gates stand in a fixed order; the first that
//! refuses is the reason. Invariant: a decision always carries its reason and every layer's points
//! with what they came from, so that a person can read why it fired or not.

mod config;
mod score;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

pub use self::config::{
    All, Auxiliary, Crowding, Environment, Funding, Gates, LayeredScoreConfig, LiquidationRule,
    Symbols, Tiers, Weights,
};
use self::score::ScoreInput;
use super::registry::parse_strict;
use super::{
    Bracket, Context, Decision, Entry, Exit, Factors, Intent, Leg, Name, Reason, Strategy, Tier,
};
use crate::error::ConfigError;
use crate::event::{Direction, Event};
use crate::indicator::Indicators;
use crate::market::InputName;
use crate::order::Book;
use crate::trade::levels;

const MAX_SCORE: f64 = 100.0;
/// The bars that `traded_bars` counts among.
const TRADED_BARS: f64 = 14.0;

/// A strategy of this kind.
#[derive(Clone, Debug)]
pub struct LayeredScore {
    config: LayeredScoreConfig,
}

/// A yes-or-no question with what it asks for and what there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Name, such as `threshold`.
    pub name: &'static str,
    /// Whether it lets an entry through.
    pub passed: bool,
    /// What it asks for; none for a yes-or-no fact.
    pub limit: Option<f64>,
    /// What there is; none when absent.
    pub actual: Option<f64>,
}

impl Gate {
    fn fact(name: &'static str, passed: bool) -> Self {
        Self { name, passed, limit: None, actual: None }
    }

    fn at_least(name: &'static str, limit: f64, actual: Option<f64>) -> Self {
        let passed = actual.is_some_and(|actual| actual >= limit);
        Self { name, passed, limit: Some(limit), actual }
    }

    fn at_most(name: &'static str, limit: f64, actual: Option<f64>) -> Self {
        let passed = actual.is_some_and(|actual| actual <= limit);
        Self { name, passed, limit: Some(limit), actual }
    }
}

/// Everything about one decision, for a person to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Candidate direction.
    pub direction: Direction,
    /// Score, at most 100.
    pub score: f64,
    /// Tier by score alone.
    pub tier: Option<Tier>,
    /// Every gate, in the order in which they are asked.
    pub gates: Vec<Gate>,
    /// Every layer.
    pub factors: Factors,
}

/// What scores can come out when some inputs are present.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// Lowest score of a decision whose CVDs agree.
    pub min: f64,
    /// Highest score, at most 100.
    pub max: f64,
    /// Weight of the present market inputs as a share of all market-input weight.
    pub inputs_present: f64,
}

impl LayeredScore {
    /// Reads a strategy file.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, field and what is allowed.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let config: LayeredScoreConfig = parse_strict(file, text)?;
        config.check(file, text)?;
        Ok(Self { config })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &LayeredScoreConfig {
        &self.config
    }

    /// Lowest and highest score with these market inputs present and all others absent.
    #[must_use]
    pub fn score_range(&self, present: &[InputName]) -> ScoreRange {
        let w = &self.config.weights;
        let has = |name| present.contains(&name);
        // (lowest, highest) of each layer; an absent input gives its fixed part either way.
        let pick = |name, weight: f64, absent: f64, lowest: f64| {
            if has(name) { (weight * lowest, weight) } else { (weight * absent, weight * absent) }
        };
        let layers = [
            (w.direction * 2.0 / 3.0, w.direction),
            (0.0, w.acceleration),
            (0.0, w.confirmation),
            pick(InputName::LongShortRatio, w.crowding / 2.0, 0.5, 0.0),
            pick(InputName::TopTraderRatio, w.crowding / 2.0, 0.5, 0.0),
            pick(InputName::FundingRate, w.funding, 0.0, 0.0),
            pick(InputName::OpenInterest, w.environment, 0.5, 1.0 / 3.0),
            pick(InputName::Liquidations, w.liquidation, 0.0, 0.0),
            pick(InputName::CoinbasePremium, w.auxiliary, 0.4, 0.0),
        ];
        let (min, max) = layers.iter().fold((0.0, 0.0), |(a, b), (low, high)| (a + low, b + high));
        let inputs_present = self.inputs_present(has);
        ScoreRange { min: f64::min(min, MAX_SCORE), max: f64::min(max, MAX_SCORE), inputs_present }
    }

    /// Weight of the present market inputs ÷ weight of all market inputs; 1 without such weight.
    fn inputs_present(&self, present: impl Fn(InputName) -> bool) -> f64 {
        let w = &self.config.weights;
        let weights = [
            (InputName::LongShortRatio, w.crowding / 2.0),
            (InputName::TopTraderRatio, w.crowding / 2.0),
            (InputName::FundingRate, w.funding),
            (InputName::OpenInterest, w.environment),
            (InputName::Liquidations, w.liquidation),
            (InputName::CoinbasePremium, w.auxiliary),
        ];
        let (mut all, mut there) = (0.0, 0.0);
        for (name, weight) in weights {
            all += weight;
            if weight > 0.0 && present(name) {
                there += weight;
            }
        }
        if all > 0.0 { there / all } else { 1.0 }
    }

    /// The candidate direction of a row.
    fn candidate(&self, row: &Indicators) -> Option<Direction> {
        let (cvd, volume) = (row.cvd_30m.to_f64_lossy(), row.volume_30m.to_f64_lossy());
        let direction = match row.cvd_30m.signum() {
            0 => return None,
            1 => Direction::Long,
            _ => Direction::Short,
        };
        (cvd.abs() >= self.config.min_cvd_share * volume).then_some(direction)
    }

    fn tier(&self, score: f64) -> Option<Tier> {
        let tiers = &self.config.tiers;
        if score >= tiers.heavy_from {
            Some(Tier::Heavy)
        } else if score >= self.config.threshold {
            Some(Tier::Standard)
        } else if score >= tiers.light_from {
            Some(Tier::Light)
        } else {
            None
        }
    }

    fn input(&self, cx: &Context<'_>, row: &Indicators) -> ScoreInput {
        let (now, inputs) = (cx.now(), cx.inputs());
        let environment = &self.config.environment;
        let rise = environment.by_symbol.get(&cx.spec().symbol).copied();
        let liquidations = inputs.liquidations_5m(now);
        ScoreInput {
            cvd_30m: row.cvd_30m.to_f64_lossy(),
            cvd_4h: row.cvd_4h.to_f64_lossy(),
            large_flow_15m: row.large_flow_15m.map(|flow| flow.to_f64_lossy()),
            cvd_accel: row.cvd_accel,
            last_price: row.last_price.to_f64_lossy(),
            vwap_30m: row.vwap_30m,
            long_short_ratio: inputs.long_short_ratio(now),
            top_trader_ratio: inputs.top_trader_ratio(now),
            funding_rate_8h: inputs.funding_rate_8h(now),
            max_funding_excess: inputs.max_funding_excess(now),
            open_interest_change: inputs.open_interest_change(now),
            open_interest_rise: rise.unwrap_or(environment.rise),
            liquidations: liquidations.map(|l| (l.long.to_f64_lossy(), l.short.to_f64_lossy())),
            quote_volume_24h: cx.market().quote_volume_24h().map(|v| v.to_f64_lossy()),
            coinbase_premium: inputs.coinbase_premium(now),
        }
    }

    /// The gates, in the order in which they are asked.
    fn gates(
        &self,
        cx: &Context<'_>,
        row: &Indicators,
        direction: Direction,
        score: f64,
    ) -> [Gate; 13] {
        let gates = &self.config.gates;
        let now = cx.now();
        let present = self.inputs_present(|name| cx.inputs().is_present(name, now));
        let agrees = row.cvd_4h.to_f64_lossy() * direction.sign() > 0.0;
        let percentile = row.atr_percentile;
        let optional = |name, limit: Option<f64>, gate: fn(_, _, _) -> Gate| match limit {
            Some(limit) => gate(name, limit, percentile),
            None => Gate::fact(name, true),
        };
        let traded = f64::from(row.traded_bars) / TRADED_BARS;
        [
            Gate::fact("complete_30m", row.complete_30m),
            Gate::fact("complete_4h", row.complete_4h),
            Gate::fact("complete_15m", row.complete_15m),
            Gate::at_least("coverage_24h", gates.min_coverage_24h, Some(row.coverage_24h)),
            Gate {
                name: "cvd_4h",
                passed: agrees,
                limit: Some(0.0),
                actual: Some(row.cvd_4h.to_f64_lossy()),
            },
            Gate::at_least("atr", 0.0, row.atr),
            Gate::at_least("inputs_present", gates.min_inputs_present, Some(present)),
            optional("min_atr_percentile", gates.min_atr_percentile, Gate::at_least),
            optional("max_atr_percentile", gates.max_atr_percentile, Gate::at_most),
            Gate::at_least("traded_bars", gates.min_traded_bars_ratio, Some(traded)),
            Gate::at_most("cost_r", self.config.max_cost_r, self.cost_r(cx, row)),
            Gate::at_least("threshold", self.config.threshold, Some(score)),
            Gate::fact("cool_down", cx.cool_down_until().is_none()),
        ]
    }

    /// Cost of entry and exit ÷ stop distance at the present price.
    fn cost_r(&self, cx: &Context<'_>, row: &Indicators) -> Option<f64> {
        let price = row.last_price.to_f64_lossy();
        let costs = cx.costs();
        let bracket = Bracket { atr: row.atr?, rules: self.config.exits };
        let spread = costs.spread.to_f64()?;
        let stop = levels::stop_distance(&bracket, price, cx.spec().tick_size, spread)?;
        Some(costs.round_trip().to_f64()? * price / stop.to_f64_lossy())
    }

    /// Everything about the decision of this moment; none without a candidate direction.
    #[must_use]
    pub fn explain(&self, cx: &Context<'_>) -> Option<Explanation> {
        let row = cx.indicators()?;
        let direction = self.candidate(row)?;
        let factors = score::score(&self.config, direction, &self.input(cx, row));
        let score = factors.total().min(MAX_SCORE);
        let gates = self.gates(cx, row, direction, score).to_vec();
        Some(Explanation { direction, score, tier: self.tier(score), gates, factors })
    }

    fn decide(&self, cx: &Context<'_>, row: &Indicators) -> Intent {
        let mut decision = Decision {
            time: cx.now(),
            instrument: cx.instrument(),
            direction: None,
            score: 0.0,
            tier: None,
            reason: Reason::NoDirection,
            price: Some(row.last_price),
            factors: Factors::default(),
        };
        let Some(direction) = self.candidate(row) else {
            return Intent::Observe(Box::new(decision));
        };
        decision.direction = Some(direction);
        decision.factors = score::score(&self.config, direction, &self.input(cx, row));
        decision.score = decision.factors.total().min(MAX_SCORE);
        let gates = self.gates(cx, row, direction, decision.score);
        // Without agreement of the four hours there is no signal, whatever the score.
        let agrees = gates.iter().any(|gate| gate.name == "cvd_4h" && gate.passed);
        decision.tier = self.tier(decision.score).filter(|_| agrees);
        self.act(cx, row, &gates, decision)
    }

    fn act(
        &self,
        cx: &Context<'_>,
        row: &Indicators,
        gates: &[Gate],
        mut decision: Decision,
    ) -> Intent {
        let refused = |skip: &[&str]| {
            gates.iter().find(|gate| !gate.passed && !skip.contains(&gate.name)).copied()
        };
        let position = cx.position();
        if position.is_some() && position != decision.direction {
            // A flip only closes: the cost of an entry and the cool-down do not matter to it.
            let flip = Gate::at_least("flip", self.config.flip_threshold, Some(decision.score));
            let hindered = refused(&["cost_r", "cool_down"]);
            if let Some(gate) = hindered.or((!flip.passed).then_some(flip)) {
                decision.reason = reason_of(gate);
                return Intent::Observe(Box::new(decision));
            }
            decision.reason = Reason::SignalFlip;
            let instrument = cx.instrument();
            return Intent::Exit(Box::new(Exit { instrument, decision }));
        }
        if let Some(gate) = refused(&["cool_down"]) {
            decision.reason = reason_of(gate);
        } else if position.is_some() {
            decision.reason = Reason::Busy(Name::Borrowed("position"));
        } else if refused(&[]).is_some() {
            decision.reason = Reason::Busy(Name::Borrowed("cool_down"));
        } else if let (Some(direction), Some(atr)) = (decision.direction, row.atr) {
            decision.reason = Reason::Entry;
            return self.entry(cx, direction, atr, decision);
        }
        Intent::Observe(Box::new(decision))
    }

    fn entry(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        atr: f64,
        decision: Decision,
    ) -> Intent {
        let tiers = &self.config.tiers;
        let risk_r: Decimal = match decision.tier {
            Some(Tier::Heavy) => tiers.heavy_multiplier,
            _ => tiers.standard_multiplier,
        };
        Intent::Enter(Box::new(Entry {
            book: Book::Directional,
            legs: vec![Leg { instrument: cx.instrument(), side: direction.entry_side() }],
            bracket: Bracket { atr, rules: self.config.exits },
            risk_r,
            cool_down_ms: u64::from(self.config.cool_down_minutes) * 60_000,
            decision,
        }))
    }
}

fn reason_of(gate: Gate) -> Reason {
    Reason::Gate { name: Name::Borrowed(gate.name), limit: gate.limit, actual: gate.actual }
}

impl Strategy for LayeredScore {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn on_event(&mut self, cx: &Context<'_>, _event: &Event, out: &mut Vec<Intent>) {
        if let Some(row) = cx.indicators()
            && self.config.symbols.contains(&cx.spec().symbol)
        {
            out.push(self.decide(cx, row));
        }
    }
}

/// The JSON Schema of a strategy file of this kind.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(LayeredScoreConfig).to_value()
}

#[cfg(test)]
mod tests;
