//! Whether the numbers of a configuration make sense.
//!
//! Invariant: an engine starts with no number outside the range told here, however the
//! configuration was made: by flags, by a file, or by a program that fills in the fields.

use rust_decimal::Decimal;

use super::{AccountConfig, EngineConfig};
use crate::instrument::{Instrument, MAX_LEVERAGE, brackets_flaw, symbol_flaw};
use crate::num::{Money, Price, Qty};
use crate::paper::PaperConfig;
use crate::risk::{Budget, CarryLimits, RiskConfig};

/// What is wrong: the field, and what is allowed.
type Flaw = (String, String);
/// A field with its value and the range it must be in.
type Ranged<'a> = (&'a str, Decimal, Decimal, Decimal);

/// The first field that makes no sense.
pub(super) fn flaw(config: &EngineConfig) -> Option<Flaw> {
    instruments(config)
        .or_else(|| account(&config.account))
        .or_else(|| risk(&config.risk))
        .or_else(|| carry(&config.risk.carry))
        .or_else(|| paper(&config.paper))
}

fn told(field: impl Into<String>, message: impl Into<String>) -> Option<Flaw> {
    Some((field.into(), message.into()))
}

fn outside(of: &str, ranged: &[Ranged<'_>]) -> Option<Flaw> {
    let (field, value, low, high) =
        ranged.iter().find(|(_, value, low, high)| value < low || value > high)?;
    told(format!("{of}.{field}"), format!("{value} given, {low} to {high} is allowed"))
}

/// The smallest that counts as more than nothing.
fn tiny() -> Decimal {
    Decimal::new(1, 8)
}

/// More than any account holds.
fn huge() -> Decimal {
    Decimal::from(1_000_000_000_000_i64)
}

fn instruments(config: &EngineConfig) -> Option<Flaw> {
    let count = config.instruments.len();
    if count == 0 || count > usize::from(u16::MAX) {
        return told("instruments", format!("{count} given, 1 to 65535 are allowed"));
    }
    let mut names = std::collections::BTreeSet::new();
    for instrument in &config.instruments {
        let spec = &instrument.spec;
        if !names.insert((spec.market, spec.symbol.as_str())) {
            let message = format!("{} is given twice", spec.qualified_name());
            return told("instruments", message);
        }
        let spread = ("spread_bps", instrument.spread_bps, Decimal::ZERO, Decimal::from(1_000));
        let flaw = instrument_flaw(spec).or_else(|| outside(&spec.symbol, &[spread]));
        if flaw.is_some() {
            return flaw;
        }
    }
    None
}

fn instrument_flaw(spec: &Instrument) -> Option<Flaw> {
    if let Some(flaw) = symbol_flaw(&spec.symbol) {
        return told("symbol", format!("{:?} {flaw}", spec.symbol));
    }
    let of = |field: &str| format!("{}.{field}", spec.symbol);
    if spec.tick_size <= Price::ZERO {
        return told(of("tick_size"), format!("{} given, more than 0 is allowed", spec.tick_size));
    }
    if spec.lot_size <= Qty::ZERO {
        return told(of("lot_size"), format!("{} given, more than 0 is allowed", spec.lot_size));
    }
    if spec.min_notional < Money::ZERO {
        let message = format!("{} given, 0 or more is allowed", spec.min_notional);
        return told(of("min_notional"), message);
    }
    if spec.brackets.is_empty() && !spec.is_spot() {
        return told(of("brackets"), "is empty; a perpetual has at least one tier");
    }
    brackets_flaw(&spec.brackets).and_then(|(field, message)| told(of(&field), message))
}

fn account(account: &AccountConfig) -> Option<Flaw> {
    let rebate = Decimal::new(-1, 2);
    let tenth = Decimal::new(1, 1);
    outside(
        "account",
        &[
            ("initial_balance", account.initial_balance.to_decimal(), tiny(), huge()),
            ("leverage", account.leverage.into(), Decimal::ONE, MAX_LEVERAGE.into()),
            ("maker_fee", account.maker_fee, rebate, tenth),
            ("taker_fee", account.taker_fee, Decimal::ZERO, tenth),
            ("spot_fee", account.spot_fee, Decimal::ZERO, tenth),
            ("slippage", account.slippage, Decimal::ZERO, tenth),
        ],
    )
}

fn risk(risk: &RiskConfig) -> Option<Flaw> {
    let (one, hundred) = (Decimal::ONE, Decimal::ONE_HUNDRED);
    let budget = match risk.budget {
        Budget::ShareOfInitialBalance(share) => {
            ("budget.share_of_initial_balance", share, tiny(), one)
        }
        Budget::Quote(amount) => ("budget.quote", amount.to_decimal(), tiny(), huge()),
    };
    outside(
        "risk",
        &[
            budget,
            ("daily_loss_r", risk.daily_loss_r, tiny(), hundred),
            ("losing_streak_min_r", risk.losing_streak_min_r, Decimal::ZERO, hundred),
            ("max_drawdown_ratio", risk.max_drawdown_ratio, tiny(), one),
            ("max_open_risk_r", risk.max_open_risk_r, tiny(), hundred),
            ("max_order_notional", risk.max_order_notional.to_decimal(), tiny(), huge()),
            ("max_instrument_leverage", risk.max_instrument_leverage, tiny(), hundred),
            ("max_net_leverage", risk.max_net_leverage, tiny(), hundred),
            ("max_gross_leverage", risk.max_gross_leverage, tiny(), hundred),
            ("collar_ratio", risk.collar_ratio, tiny(), one),
            ("collar_spreads", risk.collar_spreads, Decimal::ZERO, Decimal::ONE_THOUSAND),
            ("max_spread_bps", risk.max_spread_bps, tiny(), Decimal::ONE_THOUSAND),
            ("min_quote_volume_24h", risk.min_quote_volume_24h.to_decimal(), Decimal::ZERO, huge()),
            ("margin_ratio_reduce", risk.margin_ratio_reduce, tiny(), one),
            ("margin_ratio_cut", risk.margin_ratio_cut, risk.margin_ratio_reduce, one),
            ("min_available_ratio", risk.min_available_ratio, Decimal::ZERO, one),
            ("max_daily_costs_r", risk.max_daily_costs_r, tiny(), hundred),
            ("max_peg_deviation", risk.max_peg_deviation, tiny(), one),
        ],
    )
}

fn carry(carry: &CarryLimits) -> Option<Flaw> {
    let one = Decimal::ONE;
    let slice = carry.max_slice_notional.to_decimal();
    outside(
        "risk.carry",
        &[
            ("max_notional_ratio", carry.max_notional_ratio, Decimal::ZERO, one),
            ("max_leverage", carry.max_leverage, tiny(), MAX_LEVERAGE.into()),
            ("min_entry_distance", carry.min_entry_distance, tiny(), Decimal::TEN),
            ("reduce_distance", carry.reduce_distance, tiny(), carry.min_entry_distance),
            ("halve_distance", carry.halve_distance, tiny(), carry.reduce_distance),
            ("max_slice_notional", slice, tiny(), huge()),
            ("min_pair_notional", carry.min_pair_notional.to_decimal(), Decimal::ZERO, huge()),
            ("max_daily_loss_ratio", carry.max_daily_loss_ratio, tiny(), one),
            ("max_basis_loss_bps", carry.max_basis_loss_bps, tiny(), Decimal::from(10_000)),
            ("max_delta_ratio", carry.max_delta_ratio, tiny(), one),
        ],
    )
}

fn paper(paper: &PaperConfig) -> Option<Flaw> {
    let one = Decimal::ONE;
    let minute = Decimal::from(60_000);
    outside(
        "paper",
        &[
            ("latency_ms", paper.latency_ms.into(), Decimal::ZERO, minute),
            ("grid_grace_ms", paper.grid_grace_ms.into(), Decimal::ZERO, minute),
            ("max_participation", paper.max_participation, tiny(), one),
            ("queue_ahead_ratio", paper.queue_ahead_ratio, Decimal::ZERO, one),
            ("liquidation_fee", paper.liquidation_fee, Decimal::ZERO, one),
        ],
    )
}

#[cfg(test)]
mod tests;
