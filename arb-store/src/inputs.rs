//! Market inputs as rows, the same for every store.
//!
//! Invariant: a value comes back as it went in, floats to the last bit, because strategies compare
//! with them.

use std::cmp::Ordering;

use arb_core::{
    Decimal, Event, EventKind, FeedState, FundingSettled, InputValue, StoreError, Timestamp,
};

/// A market input.
pub(crate) type Value = InputValue;

#[cfg(feature = "sqlite")]
const TABLE: &str = "market_indicators";

/// The kinds that are kept by (instrument, kind, `as_of`).
pub(crate) const KINDS: [&str; 8] = [
    "funding_rate",
    "funding_interval_hours",
    "next_funding_at",
    "open_interest_hist",
    "long_short_ratio",
    "top_trader_position",
    "coinbase_premium",
    "liquidation_feed",
];

/// Kind and value as text; liquidations have a table of their own.
pub(crate) fn text(value: &Value) -> (&'static str, String) {
    match value {
        Value::FundingRate(rate) => ("funding_rate", rate.normalize().to_string()),
        Value::FundingIntervalHours(hours) => ("funding_interval_hours", hours.to_string()),
        Value::NextFundingAt(at) => ("next_funding_at", at.as_nanos().to_string()),
        Value::OpenInterest(amount) => ("open_interest_hist", amount.normalize().to_string()),
        Value::LongShortRatio(ratio) => ("long_short_ratio", ratio.to_string()),
        Value::TopTraderRatio(ratio) => ("top_trader_position", ratio.to_string()),
        Value::CoinbasePremium(premium) => ("coinbase_premium", premium.to_string()),
        Value::LiquidationFeed(FeedState::Up) => ("liquidation_feed", "up".to_owned()),
        Value::LiquidationFeed(FeedState::Down) => ("liquidation_feed", "down".to_owned()),
        Value::Liquidation(_, notional) => ("liquidation", notional.to_string()),
    }
}

/// The input of a kind and its text.
#[cfg(feature = "sqlite")]
pub(crate) fn parse(kind: &str, value: &str) -> Result<Value, StoreError> {
    let damage = || StoreError::Corrupt {
        table: TABLE,
        key: kind.to_owned(),
        what: format!("{value} is no value of this kind"),
    };
    let decimal = || Decimal::from_str_exact(value).map_err(|_| damage());
    let float = || value.parse::<f64>().map_err(|_| damage());
    match (kind, value) {
        ("funding_rate", _) => decimal().map(Value::FundingRate),
        ("funding_interval_hours", _) => {
            value.parse().map(Value::FundingIntervalHours).map_err(|_| damage())
        }
        ("next_funding_at", _) => {
            let nanos = value.parse().map_err(|_| damage())?;
            Ok(Value::NextFundingAt(Timestamp::from_nanos(nanos)))
        }
        ("open_interest_hist", _) => decimal().map(Value::OpenInterest),
        ("long_short_ratio", _) => float().map(Value::LongShortRatio),
        ("top_trader_position", _) => float().map(Value::TopTraderRatio),
        ("coinbase_premium", _) => float().map(Value::CoinbasePremium),
        ("liquidation_feed", "up") => Ok(Value::LiquidationFeed(FeedState::Up)),
        ("liquidation_feed", "down") => Ok(Value::LiquidationFeed(FeedState::Down)),
        _ => Err(damage()),
    }
}

/// By the time they became known, then the time they describe, then kind and value.
pub(crate) fn sort(events: &mut [Event]) {
    let place = |event: &Event| match &event.kind {
        EventKind::Input(input) => Some((input.as_of, text(&input.value))),
        _ => None,
    };
    events.sort_by(|a, b| match a.at.cmp(&b.at) {
        Ordering::Equal => place(a).cmp(&place(b)),
        other => other,
    });
}

/// Whether a settlement that is stored already says the same.
pub(crate) fn same_settlement(
    name: &str,
    stored: Decimal,
    given: &FundingSettled,
) -> Result<(), StoreError> {
    if stored == given.rate {
        return Ok(());
    }
    Err(StoreError::Conflict {
        table: "funding_rates",
        key: format!("{name} at {}", given.funding_time),
        what: format!("stored rate is {stored}, given is {}", given.rate),
    })
}

/// The first whole millisecond at or after a time, so that ranges mean the same in milliseconds.
pub(crate) const fn ms_up(at: Timestamp) -> i64 {
    at.ceil_to(1_000_000).as_millis()
}
