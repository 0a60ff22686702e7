//! What the venue charges: a fraction of notional by the role of the fill.
//!
//! Invariant: a fee is rounded once, to 8 decimals half-even.

use rust_decimal::Decimal;

use crate::ledger::share_of;
use crate::num::{Money, Price, Qty};
use crate::order::Role;

/// Fee rates of the account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fees {
    pub(super) maker: Decimal,
    pub(super) taker: Decimal,
    pub(super) liquidation: Decimal,
}

impl Fees {
    /// Fee of an ordinary fill.
    pub(super) fn of(&self, role: Role, price: Price, qty: Qty) -> Money {
        let rate = match role {
            Role::Maker => self.maker,
            Role::Taker => self.taker,
        };
        share_of(price.notional(qty), rate)
    }

    /// Fee of a liquidation: it takes, and pays the venue's surcharge.
    pub(super) fn of_liquidation(&self, price: Price, qty: Qty) -> Money {
        share_of(price.notional(qty), self.taker.saturating_add(self.liquidation))
    }
}
