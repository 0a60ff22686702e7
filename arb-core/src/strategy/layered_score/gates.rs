//! Gates: yes-or-no questions in a fixed order, each with what it asks for and what there is.
//!
//! Invariant: the order of [`SIGNAL`], then [`ENTRY`], is the order of reasons: the first gate that
//! refuses is the one that is told. A flip asks only the first group, because closing a position
//! needs a signal to believe in, but not the conditions of a new position.

use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;

use super::config::LayeredScoreConfig;
use super::score::ScoreInput;
use crate::indicator::Indicators;
use crate::strategy::{Bracket, Context, Name, Reason};
use crate::trade::levels;

/// The bars that `traded_bars` counts among.
const TRADED_BARS: f64 = 14.0;

/// A yes-or-no question with what it asks for and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// Name, such as `threshold`.
    pub name: &'static str,
    /// Whether it lets an entry through.
    pub passed: bool,
    /// What it asks for; none for a yes-or-no fact and for a gate that is off.
    pub limit: Option<f64>,
    /// What there is; none when absent.
    pub actual: Option<f64>,
}

impl Gate {
    pub(super) const fn fact(name: &'static str, passed: bool) -> Self {
        Self { name, passed, limit: None, actual: None }
    }

    pub(super) fn at_least(name: &'static str, limit: f64, actual: Option<f64>) -> Self {
        let passed = actual.is_some_and(|actual| actual >= limit);
        Self { name, passed, limit: Some(limit), actual }
    }

    fn at_most(name: &'static str, limit: f64, actual: Option<f64>) -> Self {
        let passed = actual.is_some_and(|actual| actual <= limit);
        Self { name, passed, limit: Some(limit), actual }
    }

    pub(super) const fn reason(self) -> Reason {
        Reason::Gate { name: Name::Borrowed(self.name), limit: self.limit, actual: self.actual }
    }
}

/// What the gates look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) config: &'a LayeredScoreConfig,
    pub(super) cx: &'a Context<'a>,
    pub(super) row: &'a Indicators,
    pub(super) input: &'a ScoreInput,
    pub(super) sign: f64,
    pub(super) score: f64,
}

type Question = fn(&View<'_>) -> Gate;

/// Whether the flow can be believed: contiguous, and one way over both windows.
pub(super) const SIGNAL: [Question; 5] = [
    |v| Gate::fact("complete_30m", v.row.complete_30m),
    |v| Gate::fact("complete_4h", v.row.complete_4h),
    |v| Gate::fact("complete_15m", v.row.complete_15m),
    |v| {
        let limit = v.config.gates.min_coverage_24h;
        Gate::at_least("coverage_24h", limit, Some(v.row.coverage_24h))
    },
    |v| Gate { passed: agrees(v), actual: Some(v.input.cvd_4h), ..Gate::fact("cvd_4h", false) },
];

/// Whether a position should be opened.
pub(super) const ENTRY: [Question; 7] = [
    |v| Gate { actual: v.row.atr, ..Gate::fact("atr", v.row.atr.is_some()) },
    |v| {
        let share = v.input.share_present(v.config);
        Gate::at_least("inputs_present", v.config.gates.min_inputs_present, Some(share))
    },
    |v| match v.config.gates.min_atr_percentile {
        Some(limit) => Gate::at_least("min_atr_percentile", limit, v.row.atr_percentile),
        None => Gate::fact("min_atr_percentile", true),
    },
    |v| match v.config.gates.max_atr_percentile {
        Some(limit) => Gate::at_most("max_atr_percentile", limit, v.row.atr_percentile),
        None => Gate::fact("max_atr_percentile", true),
    },
    |v| {
        let traded = f64::from(v.row.traded_bars) / TRADED_BARS;
        Gate::at_least("traded_bars", v.config.gates.min_traded_bars_ratio, Some(traded))
    },
    |v| Gate::at_most("cost_r", v.config.max_cost_r, cost_r(v)),
    |v| Gate::at_least("threshold", v.config.threshold, Some(v.score)),
];

/// Whether the four hours point where the candidate does.
pub(super) fn agrees(view: &View<'_>) -> bool {
    view.input.cvd_4h * view.sign > 0.0
}

/// The first gate that refuses.
pub(super) fn refusal(questions: &[Question], view: &View<'_>) -> Option<Gate> {
    questions.iter().map(|ask| ask(view)).find(|gate| !gate.passed)
}

/// Cost of entry and exit ÷ stop distance, at the present price.
fn cost_r(view: &View<'_>) -> Option<f64> {
    let (costs, price) = (view.cx.costs(), view.input.last_price);
    let bracket = Bracket { atr: view.row.atr?, rules: view.config.exits };
    let spread = costs.spread.to_f64()?;
    let stop = levels::stop_distance(&bracket, price, view.cx.spec().tick_size, spread)?;
    Some(costs.round_trip().to_f64()? * price / stop.to_f64_lossy())
}
