//! What each cause bears on, and how long it acts.
//!
//! Invariant: a field or record that is not known here bears on everything its neighbours bear on,
//! so that a new one is named rather than overlooked.

use arb_core::time::{DAY, MINUTE, SECOND};

use super::{About, CauseKind};

impl CauseKind {
    /// How long after its last difference a cause still acts by itself, nanoseconds.
    pub(super) fn memory(&self) -> i64 {
        match self {
            Self::Trades { .. } => DAY,
            Self::Input { input, .. } => match group(input) {
                "funding_rate" => 30 * DAY,
                "open_interest" => 45 * MINUTE,
                "long_short_ratio" | "top_trader_ratio" => 20 * MINUTE,
                "liquidations" => 5 * MINUTE,
                "mark_price" => i64::MAX,
                _ => 10 * SECOND,
            },
            Self::Grid => 15 * MINUTE,
            // A rule is on once its measurement came, and a silence is then an answer, too.
            Self::Health { .. }
            | Self::Operator { .. }
            | Self::Configuration { .. }
            | Self::Period
            | Self::OrderLatency
            | Self::VenueAnswers
            | Self::EngineVersion => i64::MAX,
        }
    }

    pub(super) fn bears_on(&self, about: About) -> bool {
        use About::{Entry, Exit, Fee, Fill, FillTime, Funding, Risk, Score, Size};
        match self {
            Self::Configuration { field } => class(field).bears_on(about),
            Self::Period => about != Fee,
            Self::Operator { .. } => matches!(about, Entry | Exit | Risk | Size),
            Self::Trades { .. } => about != Fee && about != Funding,
            Self::Input { input, .. } => match input.as_str() {
                "mark_price" => matches!(about, Entry | Exit | Risk | Size | Funding),
                "quote" => matches!(about, Entry | Size | Fill),
                "funding_settled" => matches!(about, Score | Entry | Funding | Exit),
                _ => matches!(about, Score | Entry),
            },
            Self::Grid => matches!(about, Score | Entry | FillTime | Fill),
            Self::Health { .. } => matches!(about, Entry | Risk),
            Self::OrderLatency => matches!(about, Fill | FillTime | Exit | Risk),
            Self::VenueAnswers => matches!(about, Fill | FillTime | Exit),
            Self::EngineVersion => true,
        }
    }
}

/// What a field of the configuration is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Strategy,
    Inputs,
    Fees,
    Costs,
    Account,
    Risk,
    Instrument,
    WorkingType,
    Inert,
}

impl Class {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Strategy | Self::Inputs => "strategy",
            Self::Fees | Self::Costs => "costs",
            Self::Account | Self::Risk => "risk",
            Self::Instrument | Self::WorkingType => "instrument",
            Self::Inert => "",
        }
    }

    pub(super) fn bears_on(self, about: About) -> bool {
        use About::{Entry, Exit, Fee, Fill, Risk, Score, Size};
        match self {
            Self::Strategy => matches!(about, Score | Entry | Size | Exit),
            Self::Inputs => matches!(about, Score | Entry),
            Self::Fees => matches!(about, Entry | Fee | Exit | Risk | Size),
            Self::Costs => matches!(about, Entry | Fill | Exit | Risk | Size),
            Self::Account => matches!(about, Entry | Size | Exit | Risk),
            Self::Risk => matches!(about, Entry | Size | Risk),
            Self::Instrument => matches!(about, Score | Entry | Size | Fill | Exit),
            Self::WorkingType => matches!(about, Exit | Fill),
            Self::Inert => false,
        }
    }
}

pub(super) fn class(field: &str) -> Class {
    match field {
        "account.maker_fee" | "account.taker_fee" => return Class::Fees,
        "account.slippage" => return Class::Costs,
        "run" | "record" | "strategy.name" => return Class::Inert,
        _ if field.ends_with(".spread_bps") => return Class::Costs,
        _ => {}
    }
    match field.split(['.', '[']).next() {
        Some("strategy") => Class::Strategy,
        Some("mask_inputs" | "input_ages") => Class::Inputs,
        Some("account") => Class::Account,
        Some("risk") => Class::Risk,
        Some("working_type") => Class::WorkingType,
        _ => Class::Instrument,
    }
}

/// The input that strategies and masks know, of the records that make it.
pub(super) fn group(input: &str) -> &'static str {
    match input {
        "funding_rate" | "funding_interval_hours" | "next_funding_at" | "funding_settled" => {
            "funding_rate"
        }
        "open_interest" => "open_interest",
        "long_short_ratio" => "long_short_ratio",
        "top_trader_ratio" => "top_trader_ratio",
        "coinbase_premium" => "coinbase_premium",
        "liquidation" | "liquidation_feed" => "liquidations",
        "mark_price" => "mark_price",
        _ => "quote",
    }
}

/// The ages that an input has in the configuration.
pub(super) fn ages(input: &str) -> &'static [&'static str] {
    match input {
        "mark_price" => &["mark_secs"],
        "funding_rate" => &["running_funding_secs", "settled_funding_interval_percent"],
        "open_interest" => &["open_interest_secs"],
        "long_short_ratio" | "top_trader_ratio" => &["ratio_secs"],
        "coinbase_premium" => &["premium_secs"],
        _ => &[],
    }
}
