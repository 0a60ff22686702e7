//! At what price an order trades, and what reaches it.
//!
//! Invariant: every assumed cost goes against the order, and so does the rounding to the tick.

use rust_decimal::Decimal;

use crate::event::Side;
use crate::num::{Price, Round};

/// `base` moved against an order of `side` by `distance`, rounded to the tick against it; at the
/// end of the price range the last price there is.
pub(super) fn against(side: Side, base: Price, distance: Decimal, tick: Price) -> Price {
    let (moved, round, last) = match side {
        Side::Buy => (base.to_decimal().saturating_add(distance), Round::Up, base),
        Side::Sell => {
            let lowest = if tick.is_zero() { base } else { tick };
            (base.to_decimal().saturating_sub(distance), Round::Down, lowest)
        }
    };
    Price::from_decimal(moved, round).and_then(|p| p.round_to_tick(tick, round)).unwrap_or(last)
}

/// The worse of two prices for an order of `side`.
pub(super) fn worse(side: Side, a: Price, b: Price) -> Price {
    match side {
        Side::Buy => a.max(b),
        Side::Sell => a.min(b),
    }
}

/// Whether `price` is worse than the limit of an order of `side`.
pub(super) fn is_beyond(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price > limit,
        Side::Sell => price < limit,
    }
}

/// Whether `price` has reached the stop of an order of `side`.
pub(super) fn is_reached(side: Side, stop_price: Price, price: Price) -> bool {
    match side {
        Side::Buy => price >= stop_price,
        Side::Sell => price <= stop_price,
    }
}

/// Whether a trade at `price` went strictly through a resting limit of `side`.
pub(super) fn is_through(side: Side, limit: Price, price: Price) -> bool {
    is_beyond(side.opposite(), limit, price)
}
