//! What a sweep found, as data: the JSON result, and what screens are made from.
//!
//! Ranked by the train spans of the last fold, which is everything but the last test and the
//! hold-out; so the last test judges every variant on what played no part in its rank. The folds
//! before show what the same way of choosing would have earned earlier.
//!
//! Invariant: no time of day, no number of workers, nothing in the order in which runs finished.

use arb_core::ENGINE_VERSION;
use arb_core::stats::DeflatedSharpe;
use serde::Serialize;
use serde_json::Value;

use super::plan::{Plan, Span, told};
use super::ranking::{order, over, rank_correlation, values};
use super::state::State;
use super::trial::WARM_UP;
use super::{Figures, Metric, Sweep, Variant};

/// Probability from which the best counts as found.
const CONFIDENCE: f64 = 0.95;

/// A sweep's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepReport {
    /// Whether something was found, in words.
    pub verdict: Verdict,
    /// The strategy file.
    pub strategy: String,
    /// The parameters as they were given.
    pub params: Vec<String>,
    /// Paths of the parameters.
    pub paths: Vec<String>,
    /// Symbols, in the order of the instruments.
    pub symbols: Vec<String>,
    /// What the variants are ranked by.
    pub rank_by: Metric,
    /// Variants of this sweep.
    pub variants: usize,
    /// Variants that were ever tried on these data with this state file.
    pub tried: u64,
    /// The best against what luck alone would give, on the train spans of the last fold.
    pub deflated_sharpe: Option<DeflatedSharpe>,
    /// Sharpe ratios per hour of all tries on those spans, ascending.
    pub sharpes: Vec<f64>,
    /// The walk forward, fold by fold.
    pub folds: Vec<FoldResult>,
    /// The test spans of all folds, each with the variant chosen for it: out of sample.
    pub out_of_sample: Shown,
    /// Probability that the true Sharpe ratio of `out_of_sample` is above zero.
    pub out_of_sample_probability: Option<f64>,
    /// The hold-out.
    pub hold_out: HoldOut,
    /// Every variant, the best first.
    pub ranking: Vec<Ranked>,
    /// The spans.
    pub plan: PlanShown,
    /// The recorded market.
    pub data: DataShown,
    /// Version of the engine.
    pub engine_version: &'static str,
    /// Hash of data, settings, spans and base strategy.
    pub config_hash: String,
}

/// Figures with their ratios; undefined ones are absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Closed trades.
    pub trades: u64,
    /// Trades still open where the recording ended.
    pub open: u64,
    /// Share of closed trades with a net gain.
    pub win_rate: Option<f64>,
    /// Σ net gains ÷ |Σ net losses|.
    pub profit_factor: Option<f64>,
    /// Σ R.
    pub total_r: f64,
    /// Mean R of a trade.
    pub mean_r: Option<f64>,
    /// Σ R ÷ days of the spans.
    pub r_per_day: Option<f64>,
    /// Net result, quote currency.
    pub net: arb_core::Money,
    /// Fees, quote currency.
    pub fees: arb_core::Money,
    /// Funding paid (positive) or received, quote currency.
    pub funding: arb_core::Money,
    /// Deepest fall of equity inside a span.
    pub max_drawdown_ratio: f64,
    /// Mean ÷ deviation of the hourly returns, not annualised.
    pub sharpe: Option<f64>,
    /// Times a risk rule halted or paused the account.
    pub halts: u64,
}

/// A variant in the ranked table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// From 1.
    pub rank: usize,
    /// Number of the variant in the space, from 0.
    pub variant: usize,
    /// Hash of its strategy text.
    pub key: String,
    /// Its values, in the order of the paths.
    pub values: Vec<Value>,
    /// The train spans of the last fold: in sample, what the rank is made from.
    pub train: Shown,
    /// The test span of the last fold: out of sample.
    pub test: Shown,
}

/// One fold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldResult {
    /// From 1.
    pub fold: usize,
    /// The spans that chose, epoch ms.
    pub train_spans: Vec<Span>,
    /// The span that judges, epoch ms.
    pub test_span: Span,
    /// The chosen variant, number in the space; absent when none had a value.
    pub variant: Option<usize>,
    /// Its values.
    pub values: Vec<Value>,
    /// Its figures where it was chosen.
    pub train: Shown,
    /// Its figures where it is judged.
    pub test: Shown,
    /// Its place among all variants on the test span, from 1.
    pub test_rank: Option<usize>,
    /// Spearman's correlation of all variants' ranks in train and test: near 0, the rank says
    /// nothing about what comes.
    pub rank_correlation: Option<f64>,
}

/// The part of the data that is touched once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HoldOut {
    /// Where it lies, epoch ms; absent when none is kept.
    pub span: Option<Span>,
    /// How many variants have touched it.
    pub touches: usize,
    /// What the best variant did there, once it was touched with it.
    pub result: Option<Shown>,
}

/// The spans for a reader.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanShown {
    /// Everything, epoch ms.
    pub period: Span,
    /// Blocks, epoch ms.
    pub blocks: Vec<Span>,
    /// Time between train and test.
    pub purge: String,
    /// Time after a test.
    pub embargo: String,
    /// Time read before each span, where the recording has it.
    pub warm_up: String,
}

/// The recorded market for a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataShown {
    /// Hash of every event.
    pub hash: String,
    /// Trades.
    pub trades: u64,
    /// Holes.
    pub holes: u64,
}

/// Whether something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The best survives its number of tries and the walk forward.
    pub found: bool,
    /// In two or three words.
    pub title: String,
    /// What it means.
    pub text: String,
}

pub(super) fn report(sweep: &Sweep<'_>, state: &State) -> SweepReport {
    let plan = sweep.plan;
    let last = plan.blocks.len().saturating_sub(1);
    let ranks = order(&values(sweep, state, 0..last));
    let ranking: Vec<Ranked> =
        ranks.iter().zip(1..).filter_map(|(v, rank)| ranked(sweep, state, *v, rank)).collect();
    let folds: Vec<(FoldResult, Figures)> =
        (1..=last).filter_map(|number| fold(sweep, state, number)).collect();
    let mut stitched = Figures::default();
    folds.iter().for_each(|(_, test)| stitched.merge(test));
    let best = super::ranking::best(sweep, state);
    let sharpes = sharpes(state, last);
    let tried = state.variants().len() as u64;
    let deflated = best
        .and_then(|best| DeflatedSharpe::new(&over(state, best, 0..last).hourly, tried, &sharpes));
    let tests = plan.blocks.get(1..).unwrap_or_default();
    let hold_out = hold_out(plan, state, best);
    SweepReport {
        verdict: verdict(deflated.as_ref(), &stitched, &hold_out),
        strategy: sweep.space.file().to_owned(),
        params: sweep.space.params().iter().map(ToString::to_string).collect(),
        paths: sweep.space.params().iter().map(|param| param.path.to_string()).collect(),
        symbols: sweep.setup.config.instruments.iter().map(|i| i.spec.symbol.clone()).collect(),
        rank_by: sweep.rank_by,
        variants: sweep.variants.len(),
        tried,
        deflated_sharpe: deflated,
        sharpes,
        folds: folds.into_iter().map(|(fold, _)| fold).collect(),
        out_of_sample: shown(&stitched, tests),
        out_of_sample_probability: stitched.hourly.probability_above(0.0),
        hold_out,
        ranking,
        plan: PlanShown {
            period: plan.period,
            blocks: plan.blocks.clone(),
            purge: told(plan.purge),
            embargo: told(plan.embargo),
            warm_up: told(WARM_UP),
        },
        data: DataShown {
            hash: sweep.facts.hash.clone(),
            trades: sweep.facts.trades,
            holes: sweep.facts.holes,
        },
        engine_version: ENGINE_VERSION,
        config_hash: sweep.config_hash(),
    }
}

/// Ratios of all tries over the first blocks, also of earlier sweeps; ascending, so that their
/// order says nothing about how they came.
fn sharpes(state: &State, blocks: usize) -> Vec<f64> {
    let ratio = |results: &std::collections::BTreeMap<usize, Figures>| {
        let mut sum = Figures::default();
        for block in 0..blocks {
            sum.merge(results.get(&block)?);
        }
        sum.hourly.sharpe()
    };
    let mut all: Vec<f64> = state.variants().filter_map(ratio).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn ranked(sweep: &Sweep<'_>, state: &State, index: usize, rank: usize) -> Option<Ranked> {
    let variant = sweep.variants.get(index)?;
    let blocks = &sweep.plan.blocks;
    let last = blocks.len().checked_sub(1)?;
    Some(Ranked {
        rank,
        variant: index,
        key: variant.key.clone(),
        values: variant.values.clone(),
        train: shown(&over(state, variant, 0..last), blocks.get(..last)?),
        test: shown(&over(state, variant, last..last + 1), blocks.get(last..)?),
    })
}

fn fold(sweep: &Sweep<'_>, state: &State, number: usize) -> Option<(FoldResult, Figures)> {
    let fold = sweep.plan.folds().find(|fold| fold.number == number)?;
    let train = values(sweep, state, 0..number);
    let test = values(sweep, state, number..number + 1);
    let first = *order(&train).first()?;
    let variant = train.get(first).copied().flatten().map(|_| first);
    let chosen: Option<&Variant> = variant.and_then(|index| sweep.variants.get(index));
    let figures = |blocks: std::ops::Range<usize>| {
        chosen.map(|chosen| over(state, chosen, blocks)).unwrap_or_default()
    };
    let judged = figures(number..number + 1);
    let place = order(&test).iter().position(|index| Some(*index) == variant);
    let result = FoldResult {
        fold: number,
        train_spans: fold.train.to_vec(),
        test_span: fold.test,
        variant,
        values: chosen.map(|chosen| chosen.values.clone()).unwrap_or_default(),
        train: shown(&figures(0..number), fold.train),
        test: shown(&judged, &[fold.test]),
        test_rank: place.map(|place| place + 1),
        rank_correlation: rank_correlation(&train, &test),
    };
    Some((result, judged))
}

fn hold_out(plan: &Plan, state: &State, best: Option<&Variant>) -> HoldOut {
    let touches = state.touches();
    let own = best.and_then(|best| touches.iter().find(|(key, _)| *key == best.key));
    HoldOut {
        span: plan.hold_out,
        touches: touches.len(),
        result: own.zip(plan.hold_out).map(|((_, figures), span)| shown(figures, &[span])),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of trades and nanoseconds")]
fn shown(figures: &Figures, spans: &[Span]) -> Shown {
    let days = spans.iter().map(Span::nanos).sum::<i64>() as f64 / arb_core::time::DAY as f64;
    let losses = figures.losses.to_f64_lossy();
    Shown {
        trades: figures.trades,
        open: figures.open,
        win_rate: (figures.trades > 0).then(|| figures.wins as f64 / figures.trades as f64),
        profit_factor: (losses > 0.0).then(|| figures.gains.to_f64_lossy() / losses),
        total_r: figures.total_r,
        mean_r: Metric::MeanR.of(figures),
        r_per_day: (days > 0.0).then(|| figures.total_r / days),
        net: figures.net(),
        fees: figures.fees,
        funding: figures.funding,
        max_drawdown_ratio: figures.max_drawdown_ratio,
        sharpe: figures.hourly.sharpe(),
        halts: figures.halts,
    }
}

fn verdict(best: Option<&DeflatedSharpe>, out: &Figures, hold_out: &HoldOut) -> Verdict {
    let say = |found: bool, title: &str, text: String| Verdict {
        found,
        title: title.to_owned(),
        text: text + &hold_out_told(hold_out),
    };
    let Some(best) = best else {
        let text = "No variant has traded enough for a Sharpe ratio, so there is nothing to judge.";
        return say(false, "Nothing found", text.to_owned());
    };
    let tries =
        if best.trials == 1 { "1 try".to_owned() } else { format!("{} tries", best.trials) };
    let measured = format!(
        "The best Sharpe ratio is {:.4} per hour, and {tries} without any edge would give about \
         {:.4} at best. The probability that the true ratio is above that is {:.1} %",
        best.sharpe,
        best.benchmark,
        best.probability * 100.0
    );
    let need = CONFIDENCE * 100.0;
    if best.probability < CONFIDENCE {
        let text = format!(
            "{measured}, less than the {need:.0} % asked for: the rank is luck as far as these \
             data tell, and the best variant should not be traded."
        );
        return say(false, "Nothing found", text);
    }
    if out.net() <= arb_core::Money::ZERO {
        let text = format!(
            "{measured}. But choosing by rank lost {:.2} out of sample: what ranks best does not \
             stay best, and should not be traded.",
            -out.net()
        );
        return say(false, "Not confirmed", text);
    }
    let chance = out.hourly.probability_above(0.0).map_or(0.0, |chance| chance * 100.0);
    let text = format!(
        "{measured}, and choosing by rank earned {:.2} out of sample ({:+.2} R), where a Sharpe \
         ratio above 0 has a probability of {chance:.1} %.",
        out.net(),
        out.total_r
    );
    say(true, "An edge is likely", text)
}

fn hold_out_told(hold_out: &HoldOut) -> String {
    let times = match hold_out.touches {
        0 | 1 => String::new(),
        n => {
            format!(" It was touched with {n} different variants, so it is no clean test any more.")
        }
    };
    match (&hold_out.span, &hold_out.result) {
        (None, _) => " No hold-out was kept.".to_owned(),
        (Some(_), None) if hold_out.touches == 0 => " The hold-out is untouched.".to_owned(),
        (Some(_), None) => {
            format!(
                " The hold-out was touched, but not with the best variant of this sweep.{times}"
            )
        }
        (Some(_), Some(result)) => format!(
            " On the hold-out it made {:+.2} R ({:.2}) in {} trades.{times}",
            result.total_r, result.net, result.trades
        ),
    }
}
