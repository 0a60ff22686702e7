//! Where a directional trade ends: stop, targets and break-even, as prices on the tick.
//!
//! Invariant: every level is rounded toward the entry, so rounding never enlarges a loss or
//! promises a gain; the break-even stop is rounded away from loss.

use rust_decimal::Decimal;

use crate::event::Direction;
use crate::num::{MAX, Price, Round};
use crate::strategy::Bracket;

const UNITS: f64 = 1e8;

/// max(`stop_atr` × ATR, `min_stop_bps`, `min_stop_ticks`, `min_stop_spreads`), in price units.
///
/// None when the ATR or the price makes no sense.
#[must_use]
pub(crate) fn stop_distance(
    bracket: &Bracket,
    entry: f64,
    tick: Price,
    spread_ratio: f64,
) -> Option<Price> {
    let rules = &bracket.rules;
    let distance = (bracket.atr * rules.stop_atr)
        .max(entry * rules.min_stop_bps / 10_000.0)
        .max(tick.to_f64_lossy() * f64::from(rules.min_stop_ticks))
        .max(entry * spread_ratio * rules.min_stop_spreads);
    price_of(distance)
}

/// The price nearest below a positive float.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the range is checked before the cast"
)]
pub(crate) fn price_of(value: f64) -> Option<Price> {
    let units = (value * UNITS).floor();
    let legal = (1.0..=MAX as f64).contains(&units);
    if legal { Price::from_units(units as i64).ok() } else { None }
}

/// `entry + sign × distance × multiple`, rounded to the tick toward the entry.
///
/// `favour` is the direction in which the level lies from the entry.
pub(crate) fn level(
    entry: Decimal,
    distance: Decimal,
    favour: Direction,
    tick: Price,
) -> Option<Price> {
    let (exact, round) = match favour {
        Direction::Long => (entry + distance, Round::Down),
        Direction::Short => (entry - distance, Round::Up),
    };
    on_tick(exact, tick, round)
}

/// The stop price at which fees, slippage and funding are earned back.
///
/// LONG: average entry × (1 + costs) + funding per unit; SHORT: × (1 − costs) − funding per unit.
pub(crate) fn break_even(
    direction: Direction,
    entry: Decimal,
    costs: Decimal,
    funding_per_unit: Decimal,
    tick: Price,
) -> Option<Price> {
    let (exact, round) = match direction {
        Direction::Long => (entry * (Decimal::ONE + costs) + funding_per_unit, Round::Up),
        Direction::Short => (entry * (Decimal::ONE - costs) - funding_per_unit, Round::Down),
    };
    on_tick(exact, tick, round)
}

fn on_tick(exact: Decimal, tick: Price, round: Round) -> Option<Price> {
    let price = Price::from_decimal(exact, round).ok()?;
    price.round_to_tick(tick, round).ok()
}
