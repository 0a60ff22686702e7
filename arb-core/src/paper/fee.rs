//! What the venue charges: a fraction of notional by the role of the fill; on spot a buy pays it
//! in the base asset.
//!
//! Invariant: a fee is rounded once, to 8 decimals half-even, one in the base asset up.

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use crate::event::Side;
use crate::instrument::Instrument;
use crate::ledger::share_of;
use crate::num::{Money, Price, Qty, Round};
use crate::order::Role;

/// Fee rates of the account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Fees {
    pub(super) maker: Decimal,
    pub(super) taker: Decimal,
    pub(super) spot: Decimal,
    pub(super) liquidation: Decimal,
}

impl Fees {
    /// Fee of an ordinary fill, and the part of it that was kept in the base asset.
    pub(super) fn of(
        &self,
        spec: &Instrument,
        fill: (Side, Role),
        at: (Price, Qty),
    ) -> (Money, Qty) {
        let (price, qty) = at;
        let rate = match fill {
            _ if spec.is_spot() => self.spot,
            (_, Role::Maker) => self.maker,
            (_, Role::Taker) => self.taker,
        };
        if spec.is_spot() && fill.0 == Side::Buy {
            let kept = Qty::from_decimal(qty.to_decimal().saturating_mul(rate), Round::Up);
            let kept = kept.unwrap_or_default();
            return (price.notional(kept).to_money(), kept);
        }
        (share_of(price.notional(qty), rate), Qty::ZERO)
    }

    /// Fee of a liquidation: it takes, and pays the venue's surcharge.
    pub(super) fn of_liquidation(&self, price: Price, qty: Qty) -> Money {
        share_of(price.notional(qty), self.taker.saturating_add(self.liquidation))
    }
}
