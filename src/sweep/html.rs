//! A sweep's report as one HTML file.
//!
//! Invariant: the page holds everything it needs and asks nobody; its bytes follow from the
//! report alone. Tables and words are there without scripts, charts with them.

use std::cmp::Ordering;

use arb_core::{Money, Timestamp};
use askama::Template;
use serde_json::Value;

use super::plan::{Span, told};
use super::{FoldResult, HoldOut, Ranked, Shown, SweepReport};
use crate::report::page::{Page, script_json};
use crate::report::show;

/// Rows of the ranked table; the charts and the JSON result have all variants.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "sweep.html", escape = "html")]
struct SweepPage<'a> {
    page: Page,
    report: &'a SweepReport,
    symbols: String,
    tone: &'static str,
    cards: Vec<Card>,
    rows: Vec<Row>,
    left_out: usize,
    folds: Vec<FoldRow>,
    out_of_sample: Cells,
    facts: Vec<(&'static str, String)>,
}

/// One figure of the head.
struct Card {
    name: &'static str,
    value: String,
    note: String,
}

/// A variant of the ranked table.
struct Row {
    rank: usize,
    variant: usize,
    values: Vec<String>,
    train: Cells,
    test: Cells,
}

/// A fold of the walk forward.
struct FoldRow {
    fold: usize,
    test_span: String,
    variant: String,
    values: String,
    train: Cells,
    test: Cells,
    place: String,
    correlation: String,
}

/// Figures as text.
struct Cells {
    total_r: String,
    per_day: String,
    trades: u64,
    win_rate: String,
    profit_factor: String,
    sharpe: String,
    drawdown: String,
    net: String,
    /// `gain`, `loss` or nothing.
    tone: &'static str,
}

impl From<&Shown> for Cells {
    fn from(shown: &Shown) -> Self {
        let traded = |value: f64| Some(value).filter(|_| shown.trades > 0);
        Self {
            total_r: text(traded(shown.total_r), |r| format!("{r:+.2}")),
            per_day: text(shown.r_per_day.and_then(traded), |r| format!("{r:+.3}")),
            trades: shown.trades,
            win_rate: text(shown.win_rate, percent),
            profit_factor: text(shown.profit_factor, |factor| format!("{factor:.2}")),
            sharpe: text(shown.sharpe, |sharpe| format!("{sharpe:+.3}")),
            drawdown: percent(shown.max_drawdown_ratio),
            net: text(traded(shown.net.to_f64_lossy()), |net| format!("{net:+.2}")),
            tone: match shown.net.cmp(&Money::ZERO) {
                Ordering::Less => "loss",
                Ordering::Equal => "",
                Ordering::Greater => "gain",
            },
        }
    }
}

fn text(value: Option<f64>, form: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| show::NONE.to_owned(), |value| form(value).replace('-', "−"))
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).map_or(text.clone(), |civil| civil.replace('T', " "))
}

fn period(span: &Span) -> String {
    format!("{} to {}", minute(span.from), minute(span.to))
}

fn row(ranked: &Ranked) -> Row {
    Row {
        rank: ranked.rank,
        variant: ranked.variant,
        values: ranked.values.iter().map(plain).collect(),
        train: Cells::from(&ranked.train),
        test: Cells::from(&ranked.test),
    }
}

fn fold_row(fold: &FoldResult, paths: &[String]) -> FoldRow {
    let number = |value: Option<usize>| value.map_or("–".to_owned(), |value| value.to_string());
    let values = paths.iter().zip(&fold.values);
    let values: Vec<String> =
        values.map(|(path, value)| format!("{path} {}", plain(value))).collect();
    FoldRow {
        fold: fold.fold,
        test_span: period(&fold.test_span),
        variant: number(fold.variant),
        values: values.join(", "),
        train: Cells::from(&fold.train),
        test: Cells::from(&fold.test),
        place: number(fold.test_rank),
        correlation: text(fold.rank_correlation, |r| format!("{r:+.2}")),
    }
}

fn cards(report: &SweepReport) -> Vec<Card> {
    let card = |name, value, note: String| Card { name, value, note };
    let deflated = report.deflated_sharpe.as_ref();
    let of = |form: &dyn Fn(&arb_core::stats::DeflatedSharpe) -> String| {
        deflated.map_or_else(|| "–".to_owned(), form)
    };
    let out = &report.out_of_sample;
    vec![
        card(
            "Variants tried",
            report.tried.to_string(),
            format!("{} in this sweep; every one is a chance for luck", report.variants),
        ),
        card(
            "Best Sharpe ratio",
            of(&|best| format!("{:.3}", best.sharpe)),
            "per hour, on the train spans".to_owned(),
        ),
        card(
            "Luck alone",
            of(&|best| format!("{:.3}", best.benchmark)),
            "expected best of so many tries without an edge".to_owned(),
        ),
        card(
            "Deflated Sharpe ratio",
            of(&|best| percent(best.probability)),
            "probability that the best is more than luck; 95 % is asked for".to_owned(),
        ),
        card(
            "Out of sample",
            text(Some(out.total_r), |r| format!("{r:+.2} R")),
            format!(
                "{} trades of all folds; probability of a Sharpe ratio above 0: {}",
                out.trades,
                text(report.out_of_sample_probability, percent)
            ),
        ),
        hold_out_card(&report.hold_out),
    ]
}

fn hold_out_card(hold_out: &HoldOut) -> Card {
    let (value, note) = match (&hold_out.span, &hold_out.result) {
        (None, _) => ("none".to_owned(), "no part of the period was kept back".to_owned()),
        (Some(_), Some(result)) => (
            text(Some(result.total_r), |r| format!("{r:+.2} R")),
            format!("{} trades", result.trades),
        ),
        (Some(_), None) if hold_out.touches == 0 => {
            ("untouched".to_owned(), "no variant has seen it".to_owned())
        }
        (Some(_), None) => ("used".to_owned(), "not by the best of this sweep".to_owned()),
    };
    let times = match hold_out.touches {
        0 => String::new(),
        1 => "; touched once".to_owned(),
        n => format!("; touched {n} times, no clean test any more"),
    };
    Card { name: "Hold-out", value, note: note + &times }
}

fn facts(report: &SweepReport) -> Vec<(&'static str, String)> {
    let plan = &report.plan;
    let spans = |spans: &[Span]| spans.iter().map(period).collect::<Vec<_>>().join("; ");
    let length = plan.blocks.first().map_or(0, Span::nanos);
    let best = report.deflated_sharpe.as_ref();
    vec![
        ("Strategy", report.strategy.clone()),
        ("Parameters", report.params.join("; ")),
        ("Ranked by", report.rank_by.as_str().to_owned()),
        ("Period", period(&plan.period)),
        ("Blocks", format!("{} of {}: {}", plan.blocks.len(), told(length), spans(&plan.blocks))),
        ("Hold-out", report.hold_out.span.as_ref().map_or("none".to_owned(), period)),
        ("Purge and embargo", format!("{} and {}", plan.purge, plan.embargo)),
        ("Warm-up before each span", format!("{}, where there are trades", plan.warm_up)),
        (
            "Trades read",
            format!("{}, {} holes", show::grouped(report.data.trades), report.data.holes),
        ),
        (
            "Hourly returns of the best",
            best.map_or("–".to_owned(), |best| {
                format!(
                    "{}, skewness {:.2}, kurtosis {:.2}",
                    best.returns, best.skewness, best.kurtosis
                )
            }),
        ),
        (
            "Variance of the tries' Sharpe ratios",
            best.map_or("–".to_owned(), |best| format!("{:.6}", best.variance)),
        ),
        ("Data hash", report.data.hash.clone()),
        ("Configuration hash", report.config_hash.clone()),
        ("Engine", report.engine_version.to_owned()),
    ]
}

/// The report as a page that works offline.
///
/// # Errors
/// The report has no JSON form, which no report of this crate lacks.
pub fn html(report: &SweepReport) -> Result<String, askama::Error> {
    let data = script_json(report).map_err(askama::Error::custom)?;
    let found = report.verdict.found;
    let symbols = report.symbols.join(", ");
    let title = format!("Parameter sweep {symbols}: {}", report.verdict.title);
    let script = include_str!("../../templates/sweep.js");
    SweepPage {
        page: Page { title, data, script },
        report,
        symbols,
        tone: if found { "found" } else { "nothing" },
        cards: cards(report),
        rows: report.ranking.iter().take(ROWS).map(row).collect(),
        left_out: report.ranking.len().saturating_sub(ROWS),
        folds: report.folds.iter().map(|fold| fold_row(fold, &report.paths)).collect(),
        out_of_sample: Cells::from(&report.out_of_sample),
        facts: facts(report),
    }
    .render()
}
