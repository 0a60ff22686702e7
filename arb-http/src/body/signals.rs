//! Decisions and the indicators they were taken on.

use std::collections::BTreeMap;

use arb_core::port::{DecisionRow, IndicatorRow, SignalRow};
use arb_core::{Direction, Indicators, Tier, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::names::{DirectionName, TierName};
use super::{Num, finite};

/// A decision of a strategy about a perpetual.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Signal {
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Name of the strategy.
    pub strategy: String,
    /// Which way the flow points.
    #[schema(value_type = Option<DirectionName>)]
    pub direction: Option<Direction>,
    /// 0 to 100.
    pub score: Option<f64>,
    /// How strong.
    #[schema(value_type = Option<TierName>)]
    pub tier: Option<Tier>,
    /// An entry was approved.
    pub fired: bool,
    /// Why it fires or does not, in words.
    pub reason: String,
    /// Last price.
    pub price: Option<Num>,
    /// What the score is made of, by name.
    #[schema(value_type = BTreeMap<String, Factor>)]
    pub factors: Box<RawValue>,
}

/// A part of a score.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Factor {
    /// Points given.
    pub score: Option<f64>,
    /// Points at most.
    pub max: Option<f64>,
    /// What it looked at; null is an absent value.
    pub inputs: BTreeMap<String, Option<f64>>,
    /// The reading in words.
    pub note: String,
}

/// A signal with what it is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedSignal {
    /// The perpetual.
    pub symbol: String,
    /// Its key in answers by coin.
    pub coin: String,
    /// The decision.
    #[serde(flatten)]
    pub signal: Signal,
}

/// The factors as they were stored: an object, empty where the text is none.
pub(crate) fn factors(text: &str) -> Box<RawValue> {
    let stored = text.trim_start().starts_with('{').then(|| RawValue::from_string(text.to_owned()));
    stored.and_then(Result::ok).unwrap_or_else(|| {
        let empty = RawValue::from_string("{}".to_owned());
        empty.unwrap_or_else(|_| RawValue::NULL.to_owned())
    })
}

impl From<&DecisionRow> for Signal {
    fn from(row: &DecisionRow) -> Self {
        Self {
            time_ms: row.time.as_millis(),
            strategy: row.strategy.clone(),
            direction: row.direction,
            score: finite(row.score),
            tier: row.tier,
            fired: row.fired,
            reason: row.reason.clone(),
            price: row.price.map(Num::from),
            factors: factors(&row.factors),
        }
    }
}

impl From<&SignalRow> for Signal {
    fn from(row: &SignalRow) -> Self {
        Self {
            time_ms: row.time.as_millis(),
            strategy: row.strategy.clone(),
            direction: row.direction,
            score: finite(row.score),
            tier: row.tier,
            fired: row.fired,
            reason: row.reason.clone(),
            price: row.price.map(Num::from),
            factors: factors(&row.factors),
        }
    }
}

/// The indicators of a perpetual at a point of the decision grid.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Indicator {
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Last price.
    pub price: Num,
    /// Net taker quantity of 30 minutes, base units.
    pub cvd_fast: Num,
    /// The same of 4 hours.
    pub cvd_mid: Num,
    /// The same since 00:00 UTC.
    pub cvd_day: Num,
    /// Volume-weighted price of 30 minutes.
    pub vwap_30m: Option<f64>,
    /// ATR of 5-minute bars, price units.
    pub atr_5m: Option<f64>,
    /// Its percentile, 0 to 100.
    pub atr_percentile: Option<f64>,
    /// 95 % quantile of trade quantity.
    pub p95_qty: Option<Num>,
    /// 99 % quantile of trade quantity.
    pub p99_qty: Option<Num>,
    /// Score of the first active strategy.
    pub score: Option<f64>,
    /// No trade of the windows is missing.
    pub complete: bool,
}

/// Indicators with what they are of.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedIndicator {
    /// The perpetual.
    pub symbol: String,
    /// Its key in answers by coin.
    pub coin: String,
    /// The indicators.
    #[serde(flatten)]
    pub indicator: Indicator,
}

impl From<&IndicatorRow> for Indicator {
    fn from(row: &IndicatorRow) -> Self {
        Self {
            time_ms: row.time.as_millis(),
            price: row.price.into(),
            cvd_fast: row.cvd_fast.into(),
            cvd_mid: row.cvd_mid.into(),
            cvd_day: row.cvd_day.into(),
            vwap_30m: row.vwap_30m.and_then(finite),
            atr_5m: row.atr_5m.and_then(finite),
            atr_percentile: row.atr_percentile.and_then(finite),
            p95_qty: row.qty_p95.map(Num::from),
            p99_qty: row.qty_p99.map(Num::from),
            score: row.score.and_then(finite),
            complete: row.complete,
        }
    }
}

/// The row of a view, with the score that a decision of the same time had.
#[must_use]
pub fn indicator(row: &Indicators, decision: Option<&DecisionRow>) -> Indicator {
    let decision = decision.filter(|decision| decision.time == row.time);
    Indicator {
        time_ms: row.time.as_millis(),
        price: row.last_price.into(),
        cvd_fast: row.cvd_30m.into(),
        cvd_mid: row.cvd_4h.into(),
        cvd_day: row.cvd_day.into(),
        vwap_30m: row.vwap_30m.and_then(finite),
        atr_5m: row.atr.and_then(finite),
        atr_percentile: row.atr_percentile.and_then(finite),
        p95_qty: row.qty_p95.map(Num::from),
        p99_qty: row.qty_p99.map(Num::from),
        score: decision.and_then(|decision| finite(decision.score)),
        complete: row.complete_15m && row.complete_30m && row.complete_4h,
    }
}

/// A market input with its age.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Reading {
    /// The newest value.
    pub value: Option<Num>,
    /// The time it describes, Unix milliseconds.
    pub time_ms: Option<i64>,
    /// Too old to be used, or absent.
    pub stale: bool,
}

impl Reading {
    /// A value of `as_of` that counts for `max_age` nanoseconds.
    pub(crate) fn new(value: Option<Num>, as_of: Timestamp, now: Timestamp, max_age: i64) -> Self {
        let stale = value.is_none() || now.since(as_of) > max_age;
        Self { value, time_ms: Some(as_of.as_millis()), stale }
    }

    /// Nothing was ever told.
    pub(crate) const fn absent() -> Self {
        Self { value: None, time_ms: None, stale: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_an_object_whatever_was_stored() {
        assert_eq!(factors(r#"{"a":{"score":1.50}}"#).get(), r#"{"a":{"score":1.50}}"#);
        for broken in ["", "[1]", "null", "{\"a\":", "{} {}"] {
            assert_eq!(factors(broken).get(), "{}", "{broken}");
        }
    }
}
