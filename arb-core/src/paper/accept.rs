//! What the venue does with a request when it arrives: refuse it, or let it work.
//!
//! Invariant: a request is judged by the market before the event at which it is noticed, because
//! it acts at or before that event. Refusals carry the venue's own codes.

use super::desk::{Desk, Phase, Working};
use super::fill;
use super::latency::Request;
use super::venue::PaperVenue;
use crate::instrument::{Instrument, InstrumentId};
use crate::num::{Price, Qty, Round};
use crate::order::{
    ClientOrderId, Effect, Order, OrderEvent, OrderKind, OrderUpdate, RejectReason, TimeInForce,
    WorkingType,
};
use crate::time::Timestamp;

const INVALID_SYMBOL: RejectReason = RejectReason::Code(-1121);
const TOO_PRECISE: RejectReason = RejectReason::Code(-1111);
const NO_QUANTITY: RejectReason = RejectReason::Code(-4003);
const OFF_TICK: RejectReason = RejectReason::Code(-4014);
const NO_COUNTERPARTY: RejectReason = RejectReason::Code(-4131);
/// Spot knows no reduce-only orders, so its smallest notional counts for sales as well.
const FILTER_FAILURE: RejectReason = RejectReason::Code(-1013);
const BELOW_MIN_NOTIONAL: RejectReason = RejectReason::Code(-4164);

impl PaperVenue {
    /// Lets every request act that is due at `at`.
    #[cold]
    pub(super) fn serve_requests(&mut self, at: Timestamp, out: &mut Vec<OrderEvent>) {
        while let Some((acts_at, request)) = self.requests.due(at) {
            match request {
                Request::Submit(order) => self.receive(&order, acts_at, out),
                Request::Cancel(instrument, id) => self.withdraw(instrument, id, out),
            }
        }
    }

    fn receive(&mut self, order: &Order, at: Timestamp, out: &mut Vec<OrderEvent>) {
        let judged = self.judge(order, at);
        self.seen.insert(order.id);
        let desk = self.desks.get_mut(order.instrument.index());
        let update = match (judged, desk) {
            (Ok(phase), Some(desk)) => {
                desk.insert(Working { order: *order, filled: Qty::ZERO, since: at, phase });
                desk.rewatch();
                OrderUpdate::Accepted
            }
            (Err(reason), _) => OrderUpdate::Rejected(reason),
            (Ok(_), None) => OrderUpdate::Rejected(INVALID_SYMBOL),
        };
        out.push(OrderEvent { id: order.id, instrument: order.instrument, update });
    }

    fn withdraw(&mut self, instrument: InstrumentId, id: ClientOrderId, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        if desk.remove(id).is_some() {
            desk.rewatch();
            out.push(OrderEvent { id, instrument, update: OrderUpdate::Canceled });
        }
    }

    fn judge(&self, order: &Order, at: Timestamp) -> Result<Phase, RejectReason> {
        let desk = self.desks.get(order.instrument.index()).ok_or(INVALID_SYMBOL)?;
        if self.seen.contains(&order.id) {
            return Err(RejectReason::DuplicateId);
        }
        check_steps(order, &desk.spec)?;
        match order.effect {
            Effect::Reduce => {
                let held = self.ledger.net_qty(order.instrument).side();
                if held != Some(order.side.opposite()) {
                    return Err(RejectReason::ReduceOnly);
                }
                if desk.spec.is_spot() {
                    let price = desk.reference_price(order, at).ok_or(NO_COUNTERPARTY)?;
                    if price.notional(order.qty).to_money() < desk.spec.min_notional {
                        return Err(FILTER_FAILURE);
                    }
                }
            }
            Effect::Open => {
                let price = desk.reference_price(order, at).ok_or(NO_COUNTERPARTY)?;
                if price.notional(order.qty).to_money() < desk.spec.min_notional {
                    return Err(BELOW_MIN_NOTIONAL);
                }
                if !self.affords(order, price, at) {
                    return Err(RejectReason::Margin);
                }
            }
        }
        self.first_phase(desk, order, at)
    }

    fn first_phase(
        &self,
        desk: &Desk,
        order: &Order,
        at: Timestamp,
    ) -> Result<Phase, RejectReason> {
        let resting =
            || Phase::Resting { ahead: desk.share_of_volume(self.paper.queue_ahead_ratio, at) };
        match order.kind {
            OrderKind::Market => Ok(Phase::Taking),
            OrderKind::Limit { price, time_in_force } => match time_in_force {
                TimeInForce::Ioc => Ok(Phase::Taking),
                _ if !desk.is_marketable(order.side, price, at) => Ok(resting()),
                TimeInForce::Gtc => Ok(Phase::Taking),
                TimeInForce::Gtx => Err(RejectReason::WouldTake),
            },
            OrderKind::StopMarket { stop_price, working_type } => {
                let now = match working_type {
                    WorkingType::ContractPrice => desk.tape.last_price(),
                    WorkingType::MarkPrice => desk.valuation(at),
                };
                if now.is_some_and(|now| fill::is_reached(order.side, stop_price, now)) {
                    return Err(RejectReason::WouldTrigger);
                }
                Ok(Phase::Armed)
            }
        }
    }
}

impl Desk {
    /// The price at which the venue reckons what an order binds.
    pub(super) fn reference_price(&self, order: &Order, at: Timestamp) -> Option<Price> {
        match order.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::StopMarket { stop_price, .. } => Some(stop_price),
            OrderKind::Market => self.valuation(at),
        }
    }
}

fn check_steps(order: &Order, spec: &Instrument) -> Result<(), RejectReason> {
    let price = match order.kind {
        OrderKind::Market => None,
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::StopMarket { stop_price, .. } => Some(stop_price),
    };
    if order.qty.is_zero() {
        return Err(NO_QUANTITY);
    }
    if order.qty.round_to_lot(spec.lot_size, Round::Down) != Ok(order.qty) {
        return Err(TOO_PRECISE);
    }
    let on_tick = |price: Price| price.round_to_tick(spec.tick_size, Round::Down) == Ok(price);
    if price.is_some_and(|price| !on_tick(price)) {
        return Err(OFF_TICK);
    }
    Ok(())
}
