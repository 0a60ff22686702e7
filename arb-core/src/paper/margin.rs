//! Margin of the venue's account: what an order needs, and when the venue closes everything.
//!
//! Invariant: while the valuation of every open position lies inside its `margin` band the margin
//! balance covers the maintenance margin, whatever the others do inside theirs: the excess is
//! shared out, and each band ends where its share could be used up. So single trades need no sum
//! over the account; ticks, fills, and prices outside a band do one and draw the bands anew.

use rust_decimal::Decimal;

use super::desk::{Band, Desk};
use super::fill;
use super::venue::PaperVenue;
use crate::event::Side;
use crate::instrument::InstrumentId;
use crate::ledger::margin_of;
use crate::num::{Money, Price, Qty, Round, SignedQty};
use crate::order::{ClientOrderId, Effect, Fill, Order, OrderEvent, OrderUpdate, Purpose, Role};
use crate::time::Timestamp;

impl PaperVenue {
    /// Whether the available balance covers the initial margin that `order` would add at `price`.
    pub(super) fn affords(&self, order: &Order, price: Price, at: Timestamp) -> bool {
        let net_qty = self.ledger.net_qty(order.instrument);
        let Ok(after) = net_qty.checked_add(order.qty.signed(order.side)) else { return false };
        let margin = |qty: Qty| {
            let notional = price.notional(qty).to_money();
            margin_of(notional, self.leverage(order.instrument, notional))
        };
        let needed = margin(after.abs()) - margin(net_qty.abs());
        needed <= Money::ZERO || needed <= self.available(at)
    }

    /// Margin balance minus the initial margins of positions and of opening orders.
    fn available(&self, at: Timestamp) -> Money {
        let price = |id: InstrumentId| self.desks.get(id.index())?.valuation(at);
        let positions = self.ledger.initial_margin(price, |id, n| self.leverage(id, n));
        let orders: Money = self.desks.iter().map(|desk| self.bound_by_orders(desk, at)).sum();
        self.ledger.equity(price) - positions - orders
    }

    fn bound_by_orders(&self, desk: &Desk, at: Timestamp) -> Money {
        let opening = desk.working.iter().filter(|w| w.order.effect == Effect::Open);
        let margin = opening.filter_map(|working| {
            let price = desk.reference_price(&working.order, at)?;
            let notional = price.notional(working.remaining()).to_money();
            Some(margin_of(notional, self.leverage(working.order.instrument, notional)))
        });
        margin.sum()
    }

    /// The account's leverage, or less where the bracket of the notional allows less; spot is paid
    /// in full.
    fn leverage(&self, instrument: InstrumentId, notional: Money) -> u16 {
        let Some(desk) = self.desks.get(instrument.index()) else { return 1 };
        if desk.spec.is_spot() {
            return 1;
        }
        let bracket = desk.spec.bracket(notional);
        bracket.map_or(self.account.leverage, |b| b.max_leverage.min(self.account.leverage))
    }

    /// Liquidates the account when its margin balance is below the maintenance margin, else draws
    /// the bands inside which that cannot happen.
    pub(super) fn check_margin(&mut self, at: Timestamp, out: &mut Vec<OrderEvent>) {
        let is_spot =
            |id: InstrumentId| self.desks.get(id.index()).is_none_or(|desk| desk.spec.is_spot());
        let open = self.ledger.open_positions().filter(|(id, _)| !is_spot(*id)).count();
        if open == 0 {
            return;
        }
        let price = |id: InstrumentId| self.desks.get(id.index())?.valuation(at);
        // Coins are no margin: only what was not spent on them is.
        let coins = self.ledger.holdings(|id| price(id).filter(|_| is_spot(id)));
        let maintenance = self.ledger.open_positions().filter_map(|(id, position)| {
            let notional = price(id)?.notional(position.net_qty().abs()).to_money();
            Some(self.desks.get(id.index())?.spec.maintenance_margin(notional))
        });
        let excess = self.ledger.equity(price) - coins - maintenance.sum();
        if excess.is_negative() {
            self.liquidate(at, out);
            return;
        }
        let share = excess.to_decimal() / Decimal::from(open);
        for (id, position) in self.ledger.open_positions() {
            let Some(desk) = self.desks.get_mut(id.index()) else { continue };
            if desk.spec.is_spot() {
                continue;
            }
            let Some(price) = desk.valuation(at) else { continue };
            desk.margin = safe_band(price, position.net_qty(), share, desk.steepest_margin());
            desk.rewatch();
        }
    }

    /// Ends every futures order of the account, then closes every position at its valuation; the
    /// venue does not touch coins.
    fn liquidate(&mut self, at: Timestamp, out: &mut Vec<OrderEvent>) {
        for desk in self.desks.iter_mut().filter(|desk| !desk.spec.is_spot()) {
            for working in desk.working.drain(..) {
                let Order { id, instrument, .. } = working.order;
                out.push(OrderEvent { id, instrument, update: OrderUpdate::Expired });
            }
            desk.rewatch();
        }
        let open: Vec<_> = self.ledger.open_positions().map(|(id, p)| (id, p.net_qty())).collect();
        for (instrument, net_qty) in open {
            self.liquidate_position(instrument, net_qty, at, out);
        }
    }

    fn liquidate_position(
        &mut self,
        instrument: InstrumentId,
        net_qty: SignedQty,
        at: Timestamp,
        out: &mut Vec<OrderEvent>,
    ) {
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        if desk.spec.is_spot() {
            return;
        }
        let (Some(held), Some(opened_by)) = (net_qty.side(), desk.opened_by.take()) else {
            return;
        };
        let Some(valuation) = desk.valuation(at) else { return };
        let (side, qty) = (held.opposite(), net_qty.abs());
        let slippage = valuation.to_decimal().saturating_mul(self.account.slippage);
        let price = fill::against(side, valuation, slippage, desk.spec.tick_size);
        let fee = self.fees.of_liquidation(price, qty);
        let (role, base_fee) = (Role::Taker, Qty::ZERO);
        let fill = Fill { side, price, qty, role, fee, base_fee, ts: at };
        desk.margin = Band::ALL;
        desk.rewatch();
        // A position within range can always be closed; the wallet alone could leave its range.
        if self.ledger.apply_fill(instrument, &fill).is_ok() {
            let id = ClientOrderId { purpose: Purpose::Liquidation, ordinal: 0, ..opened_by };
            out.push(OrderEvent { id, instrument, update: OrderUpdate::Filled(fill) });
        }
    }
}

/// Prices at which a position of `net_qty`, worth `price` now, has not used up `share`.
///
/// A long loses one per unit and its requirement falls with the price; the requirement of a short
/// grows with its loss, at most by `steepest` of it.
fn safe_band(price: Price, net_qty: SignedQty, share: Decimal, steepest: Decimal) -> Band {
    let per_unit = share.checked_div(net_qty.abs().to_decimal());
    let mut band = Band::ALL;
    match (net_qty.side(), per_unit) {
        (Some(Side::Buy), Some(room)) => {
            let lowest = price.to_decimal().saturating_sub(room);
            band.above = Price::from_decimal(lowest, Round::Up).map_or(band.above, Price::units);
        }
        (Some(Side::Sell), Some(room)) => {
            let room = room / (Decimal::ONE + steepest);
            let highest = price.to_decimal().saturating_add(room);
            band.below = Price::from_decimal(highest, Round::Down).map_or(band.below, Price::units);
        }
        _ => {}
    }
    band
}
