//! What a trade does to our orders.
//!
//! Invariant: an order never fills more than it asked for, a reduce-only order never more than the
//! position, and an opening order never more than its share of the last 5 minutes' volume. When a
//! fill leaves nothing to reduce, the reduce-only orders of the instrument end at once.

use rust_decimal::Decimal;

use super::FillModel;
use super::catch_up::waits;
use super::desk::{Band, Desk, Phase, Working};
use super::fill;
use super::venue::PaperVenue;
use crate::event::{Side, Trade};
use crate::instrument::InstrumentId;
use crate::num::{Price, Qty, Round};
use crate::order::{
    Effect, Fill, Order, OrderEvent, OrderKind, OrderUpdate, Role, TimeInForce, WorkingType,
};
use crate::time::Timestamp;

/// What becomes of the part of an order that did not fill.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Stays,
    Expires,
}

/// An execution about to be booked; a quantity of zero decides only about the rest.
#[derive(Clone, Copy, Debug)]
struct Execution {
    price: Price,
    qty: Qty,
    role: Role,
    rest: Rest,
}

/// A trade on its way through our orders.
struct Pass<'a> {
    at: Timestamp,
    trade: &'a Trade,
    /// What resting orders of ours have left of the trade's quantity.
    volume: Qty,
    fills: u32,
}

impl PaperVenue {
    /// A trade outside the quiet band of its instrument.
    #[cold]
    pub(super) fn on_watched_trade(
        &mut self,
        at: Timestamp,
        trade: &Trade,
        out: &mut Vec<OrderEvent>,
    ) {
        let desk = self.desks.get(trade.instrument.index());
        if desk.is_some_and(|desk| !desk.margin.contains(trade.price)) {
            self.check_margin(at, out);
        }
        let Some(desk) = self.desks.get_mut(trade.instrument.index()) else { return };
        desk.catch_up.resume(trade.id);
        if !desk.catch_up.is_open() {
            return self.match_orders(at, trade, |_| true, out);
        }
        let whole = desk.working.iter().any(waits) && !desk.catch_up.hold(trade);
        self.match_orders(at, trade, |working| !waits(working), out);
        if whole {
            self.offer_held(at, trade.instrument, out);
        }
    }

    /// Offers what came while trades were missing to what waited, once none is missing any more.
    pub(super) fn offer_held(
        &mut self,
        at: Timestamp,
        instrument: InstrumentId,
        out: &mut Vec<OrderEvent>,
    ) {
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        for trade in desk.catch_up.release() {
            self.match_orders(at, &trade, waits, out);
        }
        if let Some(desk) = self.desks.get_mut(instrument.index()) {
            desk.rewatch();
        }
    }

    /// Offers a trade to the selected orders of its instrument, each in its turn.
    pub(super) fn match_orders(
        &mut self,
        at: Timestamp,
        trade: &Trade,
        selected: impl Fn(&Working) -> bool,
        out: &mut Vec<OrderEvent>,
    ) {
        let Some(desk) = self.desks.get(trade.instrument.index()) else { return };
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        let chosen = desk.working.iter().filter(|w| trade.ts >= w.since && selected(w));
        plan.extend(chosen.map(|working| (working.rank(), working.order.id)));
        plan.sort_unstable();
        let mut pass = Pass { at, trade, volume: trade.qty, fills: 0 };
        for (_, id) in &plan {
            // An order may have been ended by an earlier one of the same trade.
            let desk = self.desks.get(trade.instrument.index());
            let working = desk.and_then(|d| d.working.get(d.find(*id)?)).copied();
            if let Some(working) = working {
                self.offer(&mut pass, &working, out);
            }
        }
        self.plan = plan;
        if pass.fills > 0 {
            self.check_margin(at, out);
        }
        if let Some(desk) = self.desks.get_mut(trade.instrument.index()) {
            desk.rewatch();
        }
    }

    fn offer(&mut self, pass: &mut Pass<'_>, working: &Working, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get(pass.trade.instrument.index()) else { return };
        let execution = match working.phase {
            Phase::Armed => {
                if !triggers(desk, working, pass) {
                    return;
                }
                let Order { id, instrument, .. } = working.order;
                out.push(OrderEvent { id, instrument, update: OrderUpdate::Triggered });
                Some(self.take(desk, pass, working))
            }
            Phase::Taking => Some(self.take(desk, pass, working)),
            Phase::Resting { ahead } => self.provide(pass, working, ahead),
        };
        if let Some(execution) = execution {
            self.execute(working, &execution, pass, out);
        }
    }

    /// A taker at the trade: its price plus every cost, within the limit of a limit order.
    fn take(&self, desk: &Desk, pass: &Pass<'_>, working: &Working) -> Execution {
        let Order { side, kind, .. } = working.order;
        let traded = pass.trade.price;
        let (base, half_spread) = match kind {
            OrderKind::StopMarket { stop_price, .. } => {
                (fill::worse(side, stop_price, traded), Decimal::ZERO)
            }
            _ => (traded, desk.half_spread(traded, pass.at)),
        };
        let slippage = base.to_decimal().saturating_mul(self.account.slippage);
        let distance = half_spread.saturating_add(slippage);
        let price = fill::against(side, base, distance, desk.spec.tick_size);
        let (rest, acceptable) = match kind {
            OrderKind::Limit { price: limit, time_in_force } => {
                let stays = time_in_force == TimeInForce::Gtc;
                let rest = if stays { Rest::Stays } else { Rest::Expires };
                (rest, !fill::is_beyond(side, limit, price))
            }
            _ => (Rest::Expires, true),
        };
        let qty = if acceptable { self.fillable(desk, working, pass.trade.ts) } else { Qty::ZERO };
        Execution { price, qty, role: Role::Taker, rest }
    }

    /// A resting order at its own price, if the trade reaches it.
    fn provide(&mut self, pass: &mut Pass<'_>, working: &Working, ahead: Qty) -> Option<Execution> {
        let (order, trade) = (&working.order, pass.trade);
        let OrderKind::Limit { price, .. } = order.kind else { return None };
        let desk = self.desks.get(order.instrument.index())?;
        let fillable = self.fillable(desk, working, trade.ts);
        if fill::is_through(order.side, price, trade.price) {
            let rest = Rest::Expires;
            return Some(Execution { price, qty: fillable, role: Role::Maker, rest });
        }
        let at_our_side = trade.price == price && trade.taker_side != order.side;
        if self.paper.fill != FillModel::Queue || !at_our_side {
            return None;
        }
        let reached = pass.volume.saturating_sub(ahead);
        let lot = desk.spec.lot_size;
        let qty = reached.min(fillable).round_to_lot(lot, Round::Down).unwrap_or_default();
        let ahead = ahead.saturating_sub(pass.volume);
        pass.volume = pass.volume.saturating_sub(qty);
        if let Some(desk) = self.desks.get_mut(order.instrument.index())
            && let Some(slot) = desk.find(order.id)
            && let Some(kept) = desk.working.get_mut(slot)
        {
            kept.phase = Phase::Resting { ahead };
        }
        (!qty.is_zero()).then_some(Execution { price, qty, role: Role::Maker, rest: Rest::Stays })
    }

    /// The most an order may still fill at `at`.
    fn fillable(&self, desk: &Desk, working: &Working, at: Timestamp) -> Qty {
        let net_qty = self.ledger.net_qty(working.order.instrument);
        let most = match working.order.effect {
            Effect::Reduce if working.reduces_nothing(net_qty.side()) => Qty::ZERO,
            Effect::Reduce => net_qty.abs(),
            Effect::Open => desk
                .share_of_volume(self.paper.max_participation, at)
                .saturating_sub(working.filled),
        };
        working.remaining().min(most)
    }

    /// Books an execution and ends what it ends.
    fn execute(
        &mut self,
        working: &Working,
        execution: &Execution,
        pass: &mut Pass<'_>,
        out: &mut Vec<OrderEvent>,
    ) {
        let Order { id, instrument, side, .. } = working.order;
        let Execution { price, qty, role, rest } = *execution;
        let Some(desk) = self.desks.get(instrument.index()) else { return };
        let (fee, base_fee) = self.fees.of(&desk.spec, (side, role), (price, qty));
        let fill = Fill { side, price, qty, role, fee, base_fee, ts: pass.trade.ts };
        let before = self.ledger.net_qty(instrument).side();
        let booked = qty.is_zero() || self.ledger.apply_fill(instrument, &fill).is_ok();
        let after = self.ledger.net_qty(instrument).side();
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        let update = |update| OrderEvent { id, instrument, update };
        if booked && !qty.is_zero() {
            pass.fills += 1;
            out.push(update(OrderUpdate::Filled(fill)));
        }
        let Some(mut left) = desk.remove(id) else { return };
        left.filled = left.filled.checked_add(qty).unwrap_or(left.order.qty);
        match rest {
            // A fill that the account cannot hold ends the order as well.
            _ if !booked => out.push(update(OrderUpdate::Expired)),
            _ if left.remaining().is_zero() => {}
            Rest::Expires => out.push(update(OrderUpdate::Expired)),
            Rest::Stays => {
                if left.phase == Phase::Taking {
                    let ratio = self.paper.queue_ahead_ratio;
                    left.phase =
                        Phase::Resting { ahead: desk.share_of_volume(ratio, pass.trade.ts) };
                }
                desk.insert(left);
            }
        }
        if before != after {
            desk.opened_by = after.map(|_| id);
            desk.margin = Band::ALL;
            expire_useless(desk, after, out);
        }
    }
}

fn triggers(desk: &Desk, working: &Working, pass: &Pass<'_>) -> bool {
    let OrderKind::StopMarket { stop_price, working_type } = working.order.kind else {
        return false;
    };
    // The last price stands in for a mark where there is none.
    let counts = match working_type {
        WorkingType::ContractPrice => true,
        WorkingType::MarkPrice => desk.fresh_mark(pass.at).is_none(),
    };
    counts && fill::is_reached(working.order.side, stop_price, pass.trade.price)
}

/// Ends the reduce-only orders that have nothing left to reduce, as the venue does.
fn expire_useless(desk: &mut Desk, held: Option<Side>, out: &mut Vec<OrderEvent>) {
    desk.working.retain(|working| {
        let useless = working.reduces_nothing(held);
        if useless {
            let Order { id, instrument, .. } = working.order;
            out.push(OrderEvent { id, instrument, update: OrderUpdate::Expired });
        }
        !useless
    });
}
