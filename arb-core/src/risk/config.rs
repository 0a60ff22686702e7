//! Limits, every one of them configurable.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::num::{Money, decimal_text};

/// What one R costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// A share of the initial balance, as on paper.
    ShareOfInitialBalance(#[serde(with = "decimal_text")] Decimal),
    /// A fixed amount of quote currency, as live.
    Quote(Money),
}

/// Limits of the carry book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryLimits {
    /// Σ spot notional of all pairs, a fraction of equity.
    #[serde(with = "decimal_text")]
    pub max_notional_ratio: Decimal,
    /// Σ short notional ÷ margin balance.
    #[serde(with = "decimal_text")]
    pub max_leverage: Decimal,
    /// Rise of the prices, a fraction, that an entry must survive.
    #[serde(with = "decimal_text")]
    pub min_entry_distance: Decimal,
    /// Distance to liquidation below which slices of both legs are sold.
    #[serde(with = "decimal_text")]
    pub reduce_distance: Decimal,
    /// Distance to liquidation at which half of every pair is closed, once a minute.
    #[serde(with = "decimal_text")]
    pub halve_distance: Decimal,
    /// Notional of one slice.
    pub max_slice_notional: Money,
    /// Smallest notional of a pair: what is left of a limit is no pair.
    pub min_pair_notional: Money,
    /// Loss of the book in a UTC day that ends new carry, a fraction of what its pairs hold.
    #[serde(with = "decimal_text")]
    pub max_daily_loss_ratio: Decimal,
    /// Loss by the basis at which a pair is closed, basis points of its entry.
    #[serde(with = "decimal_text")]
    pub max_basis_loss_bps: Decimal,
    /// How far the legs of a held pair may drift apart, a fraction.
    #[serde(with = "decimal_text")]
    pub max_delta_ratio: Decimal,
    /// Longest time with legs apart before the excess one is closed, ms.
    pub max_unhedged_ms: u32,
    /// Longest wait for an order whose outcome is unknown, ms.
    pub max_unknown_ms: u32,
    /// No voluntary order so near to a settlement, seconds.
    pub settlement_quiet_secs: u32,
}

impl Default for CarryLimits {
    /// Half of equity, leverage 2, liquidation 40 % away at entry, reduced below 30 %, halved at
    /// 15 %, slices of 5,000, pairs from 100, 1 % a day, 100 bps of basis, 0.5 % of drift, 2 s and 15 s, quiet
    /// for 30 s around settlements.
    fn default() -> Self {
        let share = |mantissa, scale| Decimal::new(mantissa, scale);
        Self {
            max_notional_ratio: share(5, 1),
            max_leverage: share(2, 0),
            min_entry_distance: share(4, 1),
            reduce_distance: share(3, 1),
            halve_distance: share(15, 2),
            max_slice_notional: Money::round(Decimal::from(5_000)),
            min_pair_notional: Money::round(Decimal::from(100)),
            max_daily_loss_ratio: share(1, 2),
            max_basis_loss_bps: share(100, 0),
            max_delta_ratio: share(5, 3),
            max_unhedged_ms: 2_000,
            max_unknown_ms: 15_000,
            settlement_quiet_secs: 30,
        }
    }
}

/// Limits of the directional book and of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskConfig {
    /// Risk of one trade with a size of 1.
    pub budget: Budget,
    /// Open directional positions at most.
    pub max_positions: u32,
    /// Loss of a UTC day that halts, in R.
    #[serde(with = "decimal_text")]
    pub daily_loss_r: Decimal,
    /// Losses in a row that pause a strategy.
    pub losing_streak: u32,
    /// A trade below −this × its R is a loss.
    #[serde(with = "decimal_text")]
    pub losing_streak_min_r: Decimal,
    /// Length of that pause, minutes.
    pub losing_streak_pause_minutes: u32,
    /// Fall of equity below its peak that halts, a fraction.
    #[serde(with = "decimal_text")]
    pub max_drawdown_ratio: Decimal,
    /// Loss if every stop fills, in R.
    #[serde(with = "decimal_text")]
    pub max_open_risk_r: Decimal,
    /// Notional of one order, quote.
    pub max_order_notional: Money,
    /// Notional of one instrument, multiples of equity.
    #[serde(with = "decimal_text")]
    pub max_instrument_leverage: Decimal,
    /// |Σ signed notional| of the directional book, multiples of equity.
    #[serde(with = "decimal_text")]
    pub max_net_leverage: Decimal,
    /// Σ |notional|, multiples of equity.
    #[serde(with = "decimal_text")]
    pub max_gross_leverage: Decimal,
    /// Distance of an order's limit from mark, a fraction of mark.
    #[serde(with = "decimal_text")]
    pub collar_ratio: Decimal,
    /// The collar is at least so many spreads wide.
    #[serde(with = "decimal_text")]
    pub collar_spreads: Decimal,
    /// Widest quoted spread, basis points.
    #[serde(with = "decimal_text")]
    pub max_spread_bps: Decimal,
    /// Smallest quote volume of 24 hours.
    pub min_quote_volume_24h: Money,
    /// Youngest listing, days.
    pub min_listed_days: u32,
    /// So many hours before an announced delivery entries end and positions are closed.
    pub delivery_close_hours: u32,
    /// Longest silence of the connection, ms.
    pub max_connection_silence_ms: u32,
    /// Longest silence of the mark price, seconds.
    pub max_mark_silence_secs: u32,
    /// Largest uncertainty of the clock, ms.
    pub max_clock_uncertainty_ms: u32,
    /// Largest step of the wall clock, ms.
    pub max_clock_step_ms: u32,
    /// Largest raw offset of the clock, ms.
    pub max_clock_offset_ms: u32,
    /// Unknown outcomes within 5 minutes that allow reducing only.
    pub max_unknown_outcomes: u32,
    /// Time without a proven stop before another is placed, seconds.
    pub max_unprotected_secs: u32,
    /// Maintenance margin ÷ margin balance above which only reducing is allowed.
    #[serde(with = "decimal_text")]
    pub margin_ratio_reduce: Decimal,
    /// The same, above which the directional book is closed.
    #[serde(with = "decimal_text")]
    pub margin_ratio_cut: Decimal,
    /// Smallest free margin ÷ margin balance for an entry.
    #[serde(with = "decimal_text")]
    pub min_available_ratio: Decimal,
    /// Fees and slippage of a UTC day that pause entries, in R.
    #[serde(with = "decimal_text")]
    pub max_daily_costs_r: Decimal,
    /// Distance of USDT/USD from 1 that refuses entries.
    #[serde(with = "decimal_text")]
    pub max_peg_deviation: Decimal,
    /// Orders of one strategy per minute.
    pub max_orders_per_minute: u32,
    /// Cancels of one strategy per minute; above it entries wait.
    pub max_cancels_per_minute: u32,
    /// Limits of the carry book.
    pub carry: CarryLimits,
}

impl Default for RiskConfig {
    /// The product's defaults: 2 % of the initial balance per trade, halt at −3 R a day or 10 %
    /// below the peak.
    fn default() -> Self {
        let share = |mantissa, scale| Decimal::new(mantissa, scale);
        let quote = |amount: i64| Money::round(Decimal::from(amount));
        Self {
            budget: Budget::ShareOfInitialBalance(share(2, 2)),
            max_positions: 4,
            daily_loss_r: share(3, 0),
            losing_streak: 5,
            losing_streak_min_r: share(1, 1),
            losing_streak_pause_minutes: 60,
            max_drawdown_ratio: share(1, 1),
            max_open_risk_r: share(4, 0),
            max_order_notional: quote(100_000),
            max_instrument_leverage: share(5, 0),
            max_net_leverage: share(3, 0),
            max_gross_leverage: share(10, 0),
            collar_ratio: share(1, 2),
            collar_spreads: share(3, 0),
            max_spread_bps: share(10, 0),
            min_quote_volume_24h: quote(20_000_000),
            min_listed_days: 7,
            delivery_close_hours: 24,
            max_connection_silence_ms: 5_000,
            max_mark_silence_secs: 10,
            max_clock_uncertainty_ms: 250,
            max_clock_step_ms: 500,
            max_clock_offset_ms: 5_000,
            max_unknown_outcomes: 3,
            max_unprotected_secs: 5,
            margin_ratio_reduce: share(5, 1),
            margin_ratio_cut: share(8, 1),
            min_available_ratio: share(2, 1),
            max_daily_costs_r: share(2, 0),
            max_peg_deviation: share(5, 3),
            max_orders_per_minute: 30,
            max_cancels_per_minute: 60,
            carry: CarryLimits::default(),
        }
    }
}

impl RiskConfig {
    /// The risk of one trade with a size of 1, quote currency.
    #[must_use]
    pub fn r_unit(&self, initial_balance: Money) -> Money {
        match self.budget {
            Budget::ShareOfInitialBalance(share) => initial_balance.times(share),
            Budget::Quote(amount) => amount,
        }
    }
}
