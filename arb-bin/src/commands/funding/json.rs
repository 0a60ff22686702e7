//! The figures as JSON: decimals as strings, rates and shares as fractions, undefined ones null.

use arb::stats::{DatedRate, FundingTotals};
use arb::{Decimal, Timestamp};
use serde_json::{Value, json};

use super::Symbol;

/// Digits of a quotient; sums are exact and not rounded.
const DIGITS: u32 = 12;

pub(super) fn result(symbols: &[Symbol]) -> Value {
    json!({ "symbols": symbols.iter().map(symbol).collect::<Vec<_>>() })
}

fn symbol(symbol: &Symbol) -> Value {
    let stats = &symbol.stats;
    let years: Vec<Value> =
        stats.years().map(|(year, t)| with(totals(t), "year", json!(year))).collect();
    let intervals: Vec<Value> = stats
        .intervals()
        .map(|(seconds, count)| json!({ "interval_secs": seconds, "settlements": count }))
        .collect();
    let changes: Vec<Value> = stats
        .interval_changes()
        .iter()
        .map(|c| json!({ "since_ms": c.since.as_millis(), "interval_secs": c.seconds }))
        .collect();
    let holes: Vec<Value> = stats
        .holes()
        .iter()
        .map(|h| json!({ "start_ms": h.start.as_millis(), "end_ms": h.end.as_millis() }))
        .collect();
    json!({
        "symbol": symbol.name,
        "as_of_ms": symbol.as_of.as_millis(),
        "last": stats.last().map(dated),
        "interval_secs": stats.interval_seconds(),
        "seven_days": totals(&symbol.seven_days),
        "year_to_date": totals(&symbol.year_to_date),
        "total": totals(stats.total()),
        "years": years,
        "intervals": intervals,
        "interval_changes": changes,
        "holes": holes,
    })
}

fn with(mut value: Value, key: &str, entry: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.insert(key.to_owned(), entry);
    }
    value
}

fn totals(totals: &FundingTotals) -> Value {
    let rounded = |value: Option<Decimal>| value.map(|v| text(v.round_dp(DIGITS)));
    json!({
        "settlements": totals.settlements,
        "sum": text(totals.sum),
        "hours": text(Decimal::from(totals.seconds) / Decimal::from(3_600)),
        "mean": rounded(totals.mean()),
        "annualised": rounded(totals.annualised()),
        "min": totals.min.map(dated),
        "max": totals.max.map(dated),
        "negative_share": rounded(totals.negative_share()),
    })
}

fn dated(rate: DatedRate) -> Value {
    json!({ "rate": text(rate.rate), "time_ms": Timestamp::as_millis(rate.time) })
}

fn text(value: Decimal) -> String {
    value.normalize().to_string()
}
