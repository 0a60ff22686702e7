//! The protective stop: placed, proven, replaced, moved to break-even, placed again.

use super::{Action, CloseReason, DirectionalTrade, Stop, levels};
use crate::event::Direction;
use crate::num::Price;
use crate::order::{ClientOrderId, OrderKind, OrderUpdate, Purpose, RejectReason};
use crate::time::Timestamp;

impl DirectionalTrade {
    pub(super) fn place_stop(&mut self, price: Price, now: Timestamp, out: &mut Vec<Action>) {
        let id = self.plan.id(Purpose::Stop, self.stop_ordinal);
        self.stop_ordinal = self.stop_ordinal.saturating_add(1);
        if let Some(old) = self.stop.take() {
            if let Some(older) = self.replaced.replace(old) {
                out.push(Action::Cancel(older.id));
            }
        } else {
            self.unprotected_since.get_or_insert(now);
        }
        self.stop = Some(Stop { id, price, proven: false });
        let working_type = self.plan.working_type;
        let kind = OrderKind::StopMarket { stop_price: price, working_type };
        out.push(self.reduce(id, self.open_qty(), kind));
    }

    pub(super) fn on_stop_update(
        &mut self,
        id: ClientOrderId,
        update: &OrderUpdate,
        out: &mut Vec<Action>,
    ) {
        if self.replaced.is_some_and(|old| old.id == id) {
            if matches!(update, OrderUpdate::Canceled | OrderUpdate::Expired) {
                self.replaced = None;
            }
            return;
        }
        let Some(stop) = self.stop.as_mut().filter(|stop| stop.id == id) else { return };
        match update {
            OrderUpdate::Accepted => {
                stop.proven = true;
                self.stop_failures = 0;
                self.unprotected_since = None;
                if let Some(old) = self.replaced {
                    out.push(Action::Cancel(old.id));
                }
            }
            OrderUpdate::Rejected(RejectReason::WouldTrigger) if !self.is_flat() => {
                self.stop = None;
                self.close(CloseReason::Stop, out);
            }
            OrderUpdate::Rejected(_) | OrderUpdate::Canceled | OrderUpdate::Expired => {
                self.stop = None;
                self.stop_failures = self.stop_failures.saturating_add(1);
            }
            _ => {}
        }
    }

    /// Whether the stop in force is the one the trade began with.
    pub(super) fn stop_is_initial(&self) -> bool {
        self.stop.is_some_and(|stop| stop.price == self.initial_stop)
    }

    fn break_even_price(&self) -> Option<Price> {
        let entry_fee_rate = self.entry_fee.to_decimal().checked_div(self.entry_cost)?;
        let funding = self.funding.to_decimal().checked_div(self.entered.to_decimal())?;
        let costs = entry_fee_rate + self.plan.exit_costs;
        let (entry, tick) = (self.entry_price(), self.plan.tick_size);
        levels::break_even(self.plan.direction, entry, costs, funding, tick)
    }

    /// Moves the stop to break-even once the last price is two ticks on its safe side.
    pub(crate) fn try_break_even(&mut self, last: Option<Price>, out: &mut Vec<Action>) {
        let (Some(last), Some(price)) = (last, self.break_even_price()) else { return };
        let margin = 2 * self.plan.tick_size.units();
        let safe = match self.plan.direction {
            Direction::Long => price.units() + margin <= last.units(),
            Direction::Short => price.units() - margin >= last.units(),
        };
        if safe && self.closing.is_none() && !self.is_flat() {
            self.wants_break_even = false;
            self.place_stop(price, self.entry_time, out);
        }
    }

    /// Places the stop again; after three failures closes at market.
    pub(super) fn protect_again(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        if self.stop_failures >= 3 {
            self.close(CloseReason::Stop, out);
            return;
        }
        let price = self.stop.map_or(self.initial_stop, |stop| stop.price);
        self.place_stop(price, now, out);
    }
}
