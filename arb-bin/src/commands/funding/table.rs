//! The figures for a person: a ranking, then each symbol by year.

use std::fmt::Write as _;

use arb::stats::{DatedRate, FundingTotals};
use arb::{Decimal, Timestamp};

use super::Symbol;
use crate::terminal::{Style, grouped, short};

/// Changes of the interval shown at most.
const CHANGES: usize = 8;

pub(super) fn text(symbols: &[Symbol], style: Style) -> String {
    let mut out = String::new();
    if symbols.len() > 1 {
        ranking(&mut out, symbols, style);
    }
    for symbol in symbols {
        by_year(&mut out, symbol, style);
    }
    let _ = writeln!(
        out,
        "\nmean: basis points per settlement. a year: mean per hour × 24 × 365, not compounded. \
         Positive: longs paid shorts."
    );
    out
}

fn ranking(out: &mut String, symbols: &[Symbol], style: Style) {
    let header = format!(
        "{:>4}  {:<14} {:>8} {:>12} {:>12} {:>12} {:>10} {:>9}  {}",
        "rank",
        "symbol",
        "interval",
        "7 d a year",
        "YTD a year",
        "all a year",
        "all mean",
        "negative",
        "as of"
    );
    let _ = writeln!(out, "{}", style.bold(header));
    for (at, symbol) in symbols.iter().enumerate() {
        let total = symbol.stats.total();
        let _ = writeln!(
            out,
            "{:>4}  {:<14} {:>8} {} {} {} {} {:>9}  {}",
            at + 1,
            symbol.name,
            symbol.stats.interval_seconds().map_or("-".to_owned(), hours),
            percent(symbol.seven_days.annualised(), 12, style),
            percent(symbol.year_to_date.annualised(), 12, style),
            percent(total.annualised(), 12, style),
            bps(total.mean(), 10, style),
            share(total),
            day(symbol.as_of),
        );
    }
}

fn by_year(out: &mut String, symbol: &Symbol, style: Style) {
    let gap = if out.is_empty() { "" } else { "\n" };
    let header = format!(
        "{gap}{:<14} {:>11} {:>11} {:>9} {:>9} {:>11} {:<10} {:>11} {:<10} {:>9}",
        symbol.name,
        "settlements",
        "sum",
        "mean",
        "a year",
        "lowest",
        "on",
        "highest",
        "on",
        "negative"
    );
    let _ = writeln!(out, "{}", style.bold(header));
    for (year, totals) in symbol.stats.years() {
        row(out, &year.to_string(), totals, style);
    }
    row(out, "all", symbol.stats.total(), style);
    row(out, "last 7 days", &symbol.seven_days, style);
    row(out, "year to date", &symbol.year_to_date, style);
    intervals(out, symbol);
    let holes = symbol.stats.holes();
    if let Some(first) = holes.first() {
        let line = format!(
            "  {} silences of more than 8 h: settlements are missing, the first after {}",
            grouped(holes.len() as u64),
            short(first.start),
        );
        let _ = writeln!(out, "{}", style.paint("33", line));
    }
}

fn row(out: &mut String, name: &str, totals: &FundingTotals, style: Style) {
    let (low, low_on) = extreme(totals.min);
    let (high, high_on) = extreme(totals.max);
    let _ = writeln!(
        out,
        "{name:<14} {:>11} {} {} {} {low:>11} {low_on:<10} {high:>11} {high_on:<10} {:>9}",
        grouped(totals.settlements),
        percent_of(Some(totals.sum), (11, 4), style),
        bps(totals.mean(), 9, style),
        percent(totals.annualised(), 9, style),
        share(totals),
    );
}

fn intervals(out: &mut String, symbol: &Symbol) {
    let stats = &symbol.stats;
    let seen: Vec<String> = stats
        .intervals()
        .map(|(secs, count)| format!("{} × {}", hours(secs), grouped(count)))
        .collect();
    if seen.is_empty() {
        return;
    }
    let _ = write!(out, "  intervals {}", seen.join(", "));
    let changes = stats.interval_changes().get(1..).unwrap_or_default();
    let shown: Vec<String> = changes
        .iter()
        .take(CHANGES)
        .map(|change| format!("{} from {}", hours(change.seconds), minute(change.since)))
        .collect();
    if !shown.is_empty() {
        let _ = write!(out, "; {}", shown.join(", "));
    }
    if changes.len() > CHANGES {
        let _ = write!(out, ", … and {} more changes", changes.len() - CHANGES);
    }
    out.push('\n');
}

fn extreme(rate: Option<DatedRate>) -> (String, String) {
    match rate {
        Some(DatedRate { time, rate }) => {
            (format!("{} %", fixed(rate * Decimal::ONE_HUNDRED, 4)), day(time))
        }
        None => ("-".to_owned(), String::new()),
    }
}

/// So many digits after the point, rounded half-even: formatting alone would cut.
fn fixed(value: Decimal, digits: u32) -> String {
    let mut rounded = value.round_dp(digits);
    rounded.rescale(digits);
    rounded.to_string()
}

fn hours(seconds: i64) -> String {
    let hours = Decimal::from(seconds) / Decimal::from(3_600);
    format!("{} h", hours.round_dp(2).normalize())
}

fn percent(ratio: Option<Decimal>, width: usize, style: Style) -> String {
    percent_of(ratio, (width, 2), style)
}

fn percent_of(ratio: Option<Decimal>, (width, digits): (usize, u32), style: Style) -> String {
    let scaled = ratio.map(|ratio| ratio.saturating_mul(Decimal::ONE_HUNDRED));
    signed(scaled.map(|value| (value, format!("{} %", fixed(value, digits)))), width, style)
}

fn bps(rate: Option<Decimal>, width: usize, style: Style) -> String {
    let scaled = rate.map(|rate| rate.saturating_mul(Decimal::from(10_000)));
    signed(scaled.map(|value| (value, fixed(value, 3))), width, style)
}

fn signed(value: Option<(Decimal, String)>, width: usize, style: Style) -> String {
    match value {
        Some((value, text)) => {
            let sign = if value < Decimal::ZERO { -1.0 } else { 1.0 };
            style.signed(sign, format!("{text:>width$}"))
        }
        None => format!("{:>width$}", "-"),
    }
}

fn share(totals: &FundingTotals) -> String {
    totals
        .negative_share()
        .map_or("-".to_owned(), |share| format!("{} %", fixed(share * Decimal::ONE_HUNDRED, 1)))
}

fn day(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

fn minute(at: Timestamp) -> String {
    short(at).get(..16).unwrap_or_default().to_owned()
}
