//! The rules by name, and what they say when they refuse or trip.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::num::decimal_text;
use crate::time::Timestamp;

/// What the engine may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskState {
    /// Everything.
    #[default]
    Active,
    /// No new risk.
    ReduceOnly,
    /// Only risk-reducing orders and the upkeep of stops, until an operator resets.
    Halted,
}

/// The rules, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The state itself.
    State,
    /// Loss of the UTC day.
    DailyLoss,
    /// Losses in a row of one strategy.
    LosingStreak,
    /// Equity below its peak.
    Drawdown,
    /// One owner per instrument.
    InstrumentOwned,
    /// Open positions.
    MaxPositions,
    /// Loss if every stop fills.
    OpenRisk,
    /// Notional of one order.
    OrderNotional,
    /// Notional of one instrument.
    InstrumentNotional,
    /// Net notional of the directional book.
    NetDirectional,
    /// Notional of everything.
    GrossNotional,
    /// Distance of the price from mark.
    PriceCollar,
    /// Width of the book.
    Spread,
    /// Quote volume of 24 hours.
    Volume24h,
    /// The venue's trading status.
    Status,
    /// Age of the listing.
    Listing,
    /// Announced end of trading.
    Delivery,
    /// Silence of the connection.
    StaleConnection,
    /// Silence of the mark price.
    StaleMark,
    /// A hole that is not filled.
    UnfilledGap,
    /// Uncertainty of the clock.
    Clock,
    /// Orders whose outcome nobody knows.
    UnknownOutcomes,
    /// A position without a proven stop.
    Unprotected,
    /// Maintenance margin as a share of margin balance.
    MarginRatio,
    /// Free margin as a share of margin balance.
    AvailableBalance,
    /// Fees and slippage of the day.
    Costs,
    /// USDT against USD.
    Peg,
    /// Orders a minute.
    OrderRate,
    /// Cancels a minute.
    CancelRate,
    /// Smallest quantity.
    Lot,
    /// Smallest notional.
    MinNotional,
    /// No spot market to hedge with.
    SpotMarket,
    /// Spot notional of the carry book.
    CarryNotional,
    /// Loss of the carry book in a UTC day.
    CarryDailyLoss,
    /// Distance of the account from liquidation.
    LiquidationDistance,
    /// Seconds to or from a settlement.
    Settlement,
    /// A carry order whose outcome was never learned.
    CarryUnknown,
    /// Events cannot be made durable.
    Log,
}

impl Rule {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> String {
        let debug = format!("{self:?}");
        let mut name = String::with_capacity(debug.len() + 4);
        for (at, c) in debug.char_indices() {
            let starts_word = c.is_ascii_uppercase()
                || (c.is_ascii_digit() && !name.ends_with(|last: char| last.is_ascii_digit()));
            if starts_word && at > 0 {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Only reducing orders are allowed.
    State(RiskState),
    /// The strategy pauses after losses.
    LosingStreak {
        /// End of the pause.
        until: Timestamp,
    },
    /// Another strategy or book owns the instrument.
    InstrumentOwned,
    /// The strategy's cool-down in the instrument.
    CoolDown {
        /// End of the cool-down.
        until: Timestamp,
    },
    /// The instrument is quarantined, unknown, or has no price yet.
    NoMarket,
    /// A rule with a limit.
    Limit {
        /// The rule.
        rule: Rule,
        /// What is allowed.
        #[serde(with = "decimal_text")]
        limit: Decimal,
        /// What there would be.
        #[serde(with = "decimal_text")]
        actual: Decimal,
    },
}

impl Refusal {
    /// The rule that refused.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::State(_) | Self::NoMarket => Rule::State,
            Self::LosingStreak { .. } => Rule::LosingStreak,
            Self::InstrumentOwned | Self::CoolDown { .. } => Rule::InstrumentOwned,
            Self::Limit { rule, .. } => *rule,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "state is {state:?}"),
            Self::LosingStreak { until } => write!(f, "losing streak, paused until {until}"),
            Self::InstrumentOwned => f.write_str("another strategy owns the instrument"),
            Self::CoolDown { until } => write!(f, "cool-down until {until}"),
            Self::NoMarket => f.write_str("no usable price"),
            Self::Limit { rule, limit, actual } => {
                write!(f, "{}: {} against a limit of {limit}", rule.as_str(), actual.normalize())
            }
        }
    }
}

/// A rule that changed the state, with what was allowed and what there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The rule.
    pub rule: Rule,
    /// What is allowed.
    #[serde(with = "decimal_text")]
    pub limit: Decimal,
    /// What there was.
    #[serde(with = "decimal_text")]
    pub actual: Decimal,
}
