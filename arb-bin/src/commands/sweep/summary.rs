//! A sweep's result for a terminal: the best ten, the walk forward, the verdict.

use std::fmt::Write as _;

use arb::sweep::{Ranked, Shown, SweepReport};
use arb::time::DAY;
use serde_json::Value;

/// Variants shown.
const SHOWN: usize = 10;

pub(super) fn text(report: &SweepReport, coloured: bool) -> String {
    let paint = |code: &str, text: &str| {
        if coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let mut out = String::new();
    head(&mut out, report);
    let header = format!(
        "\n{:>4}  {:>8}  {}  {}  values",
        "rank",
        "variant",
        columns("train"),
        columns("test")
    );
    let _ = writeln!(out, "{}", paint("1", &header));
    for ranked in report.ranking.iter().take(SHOWN) {
        row(&mut out, report, ranked);
    }
    if report.ranking.len() > SHOWN {
        let left = report.ranking.len() - SHOWN;
        let _ = writeln!(out, "… and {left} more (--out and --json FILE have them all)");
    }
    folds(&mut out, report, &paint);
    let colour = if report.verdict.found { "32;1" } else { "33;1" };
    let _ = writeln!(out, "\n{}", paint(colour, &report.verdict.title));
    let _ = writeln!(out, "{}", report.verdict.text);
    out
}

fn head(out: &mut String, report: &SweepReport) {
    let days = |nanos: i64| nanos.div_euclid(DAY);
    let _ = writeln!(
        out,
        "{}  {}  {} trades  {} days  configuration {}",
        report.symbols.join(","),
        report.strategy,
        report.data.trades,
        days(report.plan.period.nanos()),
        report.config_hash.get(..12).unwrap_or(&report.config_hash),
    );
    let before = report.tried.saturating_sub(report.variants as u64);
    let earlier =
        if before > 0 { format!(", {before} more before on the same data") } else { String::new() };
    let _ = writeln!(
        out,
        "{} variants tried{earlier}; ranked by {}",
        report.variants,
        report.rank_by.as_str()
    );
}

fn columns(span: &str) -> String {
    format!("{:>8} {:>9} {:>8}", format!("{span} R"), "R a day", "trades")
}

fn figures(shown: &Shown) -> String {
    let per_day = shown.r_per_day.map_or("-".to_owned(), |r| format!("{r:+.3}"));
    format!("{:>8} {per_day:>9} {:>8}", format!("{:+.2}", shown.total_r), shown.trades)
}

fn row(out: &mut String, report: &SweepReport, ranked: &Ranked) {
    let _ = writeln!(
        out,
        "{:>4}  {:>8}  {}  {}  {}",
        ranked.rank,
        ranked.variant,
        figures(&ranked.train),
        figures(&ranked.test),
        values(&report.paths, &ranked.values),
    );
}

fn values(paths: &[String], values: &[Value]) -> String {
    let pairs = paths.iter().zip(values).map(|(path, value)| format!("{path}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

fn folds(out: &mut String, report: &SweepReport, paint: &dyn Fn(&str, &str) -> String) {
    let header = format!(
        "\n{:>4}  {:>8}  {}  {}  {:>9}  {:>11}",
        "fold",
        "chosen",
        columns("train"),
        columns("test"),
        "test rank",
        "correlation"
    );
    let _ = writeln!(out, "{}", paint("1", &header));
    for fold in &report.folds {
        let number = |value: Option<usize>| value.map_or("-".to_owned(), |value| value.to_string());
        let correlation = fold.rank_correlation.map_or("-".to_owned(), |r| format!("{r:+.2}"));
        let _ = writeln!(
            out,
            "{:>4}  {:>8}  {}  {}  {:>9}  {correlation:>11}",
            fold.fold,
            number(fold.variant),
            figures(&fold.train),
            figures(&fold.test),
            number(fold.test_rank),
        );
    }
    let probability = report.out_of_sample_probability;
    let _ = writeln!(
        out,
        "out of sample, all folds: {:+.2} R in {} trades, net {:.2}; probability of a Sharpe ratio \
         above 0: {}",
        report.out_of_sample.total_r,
        report.out_of_sample.trades,
        report.out_of_sample.net,
        probability.map_or("-".to_owned(), |p| format!("{:.1} %", p * 100.0)),
    );
}
