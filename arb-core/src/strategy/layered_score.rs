//! `layered_score`: order flow gives a direction, layers give points, gates decide.
//!
//! Candidate: LONG while `cvd_30m` is positive, SHORT while it is negative. The score is the sum
//! of the layers, at most 100. Gates stand in a fixed order; the first that refuses is the reason.
//! Invariant: a decision always carries its reason and every layer's points with what they came
//! from, so that a person can read why it fired or not.

mod config;
mod gates;
mod range;
mod score;

use rust_decimal::Decimal;
use serde::Serialize;

pub use self::config::{
    All, Auxiliary, Crowding, DirectionRule, Environment, Funding, Gates, Kind, LayeredScoreConfig,
    LiquidationRule, Symbols, Tiers, Weights,
};
pub use self::gates::Gate;
use self::gates::View;
use self::score::{End, MAX_SCORE, ScoreInput};
use super::registry::parse_with_ranges;
use super::{
    Bracket, Context, Decision, Entry, Exit, Factors, Intent, Memory, Name, Reason, Strategy, Tier,
};
use crate::error::ConfigError;
use crate::event::{Direction, Event, EventKind};
use crate::indicator::Indicators;
use crate::market::InputName;

/// A strategy of this kind.
#[derive(Clone, Debug)]
pub struct LayeredScore {
    config: LayeredScoreConfig,
}

/// Everything about one decision, for a person to read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The decision, with its score and every layer.
    pub decision: Decision,
    /// Every gate in the order in which they are asked, whether or not an earlier one refused;
    /// without a candidate direction only that one.
    pub gates: Vec<Gate>,
}

/// What scores can come out when some market inputs are present and all others absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ScoreRange {
    /// Lowest score of a decision whose CVDs agree.
    pub min: f64,
    /// Highest score, at most 100.
    pub max: f64,
    /// Highest tier that can be reached; `light` and none are never traded.
    pub reachable: Option<Tier>,
    /// Weight of the present market inputs as a share (0–1) of all market-input weight.
    pub inputs_present: f64,
}

impl LayeredScore {
    /// Reads a strategy file; `file` is where the text came from.
    ///
    /// ```
    /// use arb_core::strategy::{Registry, Tier, layered_score::LayeredScore};
    ///
    /// let text = Registry::builtin_text("v51_baseline").ok_or("no such strategy")?;
    /// let strategy = LayeredScore::parse("v51_baseline", text)?;
    /// let range = strategy.score_range(&[]);
    /// assert_eq!((range.max, range.reachable), (84.5, Some(Tier::Standard)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, field and what is allowed.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let config: LayeredScoreConfig = parse_with_ranges(file, text, &|path| {
            range::allowed(path).map(|range| range.to_string())
        })?;
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
        let at = |end| ScoreInput::extreme(&self.config, end, present);
        let score = |end| total(&score::factors(&self.config, Direction::Long, &at(end)));
        let max = score(End::Best);
        ScoreRange {
            min: score(End::Worst),
            max,
            reachable: self.tier(max),
            inputs_present: at(End::Best).share_present(&self.config),
        }
    }

    /// The decision of this moment with every gate; none before the first row of indicators.
    #[must_use]
    pub fn explain(&self, cx: &Context<'_>) -> Option<Explanation> {
        let row = cx.indicators()?;
        let decision = self.decide(cx, row).into_decision();
        let least = self.config.direction.min_cvd_share;
        let mut gates = vec![Gate {
            passed: decision.direction.is_some(),
            ..Gate::at_least("direction", least, cvd_share(row))
        }];
        if let Some(direction) = decision.direction {
            let input = ScoreInput::new(&self.config, cx, row);
            let view = self.view(cx, row, &input, (direction, decision.score));
            gates.extend(gates::SIGNAL.iter().chain(&gates::ENTRY).map(|ask| ask(&view)));
            gates.push(Gate::fact("position", cx.position().is_none()));
            gates.push(Gate::fact("cool_down", cx.cool_down_until().is_none()));
        }
        Some(Explanation { decision, gates })
    }

    fn view<'a>(
        &'a self,
        cx: &'a Context<'a>,
        row: &'a Indicators,
        input: &'a ScoreInput,
        (direction, score): (Direction, f64),
    ) -> View<'a> {
        View { config: &self.config, cx, row, input, sign: direction.sign(), score }
    }

    fn candidate(&self, row: &Indicators) -> Option<Direction> {
        let share = cvd_share(row)?;
        let direction = match row.cvd_30m.signum() {
            0 => return None,
            1 => Direction::Long,
            _ => Direction::Short,
        };
        (share >= self.config.direction.min_cvd_share).then_some(direction)
    }

    /// The tier of a score; a value on a bound belongs to the higher.
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
        let input = ScoreInput::new(&self.config, cx, row);
        decision.direction = Some(direction);
        decision.factors = score::factors(&self.config, direction, &input);
        decision.score = total(&decision.factors);
        let view = self.view(cx, row, &input, (direction, decision.score));
        // Without agreement of the four hours there is no signal, whatever the score.
        decision.tier = self.tier(decision.score).filter(|_| gates::agrees(&view));
        self.act(&view, direction, decision)
    }

    fn act(&self, view: &View<'_>, direction: Direction, mut decision: Decision) -> Intent {
        let cx = view.cx;
        let signal = gates::refusal(&gates::SIGNAL, view);
        let opposite = cx.position().is_some_and(|position| position != direction);
        if opposite && signal.is_none() && decision.score >= self.config.flip_threshold {
            decision.reason = Reason::SignalFlip;
            return Intent::Exit(Box::new(Exit { instrument: cx.instrument(), decision }));
        }
        let refused = signal.or_else(|| gates::refusal(&gates::ENTRY, view));
        decision.reason = match refused {
            Some(gate) => gate.reason(),
            None if cx.position().is_some() => Reason::Busy(Name::Borrowed("position")),
            None if cx.cool_down_until().is_some() => Reason::Busy(Name::Borrowed("cool_down")),
            None => Reason::Entry,
        };
        // The gate `atr` refuses an entry without one.
        match view.row.atr.filter(|_| decision.reason == Reason::Entry) {
            Some(atr) => self.entry(direction, atr, decision),
            None => Intent::Observe(Box::new(decision)),
        }
    }

    fn entry(&self, direction: Direction, atr: f64, decision: Decision) -> Intent {
        let tiers = &self.config.tiers;
        let risk_r: Decimal = match decision.tier {
            Some(Tier::Heavy) => tiers.heavy_multiplier,
            _ => tiers.standard_multiplier,
        };
        Intent::Enter(Box::new(Entry {
            side: direction.entry_side(),
            bracket: Bracket { atr, rules: self.config.exits },
            risk_r,
            cool_down_ms: u64::from(self.config.cool_down_minutes) * 60_000,
            decision,
        }))
    }
}

fn total(factors: &Factors) -> f64 {
    factors.total().min(MAX_SCORE)
}

/// |cvd_30m| ÷ volume of the same 30 minutes; none without a trade.
fn cvd_share(row: &Indicators) -> Option<f64> {
    let volume = row.volume_30m.to_f64_lossy();
    (volume > 0.0).then(|| row.cvd_30m.to_f64_lossy().abs() / volume)
}

impl Strategy for LayeredScore {
    fn memory(&self) -> Memory {
        Memory::Nothing
    }

    fn name(&self) -> &str {
        &self.config.name
    }

    fn watches(&self, symbol: &str) -> bool {
        self.config.symbols.contains(symbol)
    }

    fn on_event(&mut self, cx: &Context<'_>, event: &Event, out: &mut Vec<Intent>) {
        if let EventKind::Tick(_) = event.kind
            && let Some(row) = cx.indicators()
            && self.watches(&cx.spec().symbol)
        {
            out.push(self.decide(cx, row));
        }
    }
}

/// The JSON Schema of a strategy file of this kind.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(LayeredScoreConfig).to_value();
    range::into_schema(&mut schema);
    schema
}

#[cfg(test)]
mod tests;
