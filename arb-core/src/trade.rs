//! The life of a directional trade: entry, protective stop, two targets, and how it ends.
//!
//! `active` → first target closes half, then the stop moves to break-even → `tp1_hit` → `tp`, `sl`,
//! `sl_be`, `timeout`, `signal_flip`, `flatten` or `liquidated`.
//!
//! Invariant: while a position is open a stop for all of it rests, is on its way, or the position
//! is being closed; a stop is replaced by placing the new one, seeing it confirmed, and only then
//! cancelling the old one. Orders made here can only reduce.

pub(crate) mod levels;
mod stop;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use serde::{Deserialize, Serialize};

use crate::event::Direction;
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty, Round};
use crate::order::{
    Book, ClientOrderId, Effect, Fill, Order, OrderKind, OrderUpdate, Purpose, RunId, TimeInForce,
    WorkingType,
};
use crate::output::{TradeNote, TradeStatus};
use crate::strategy::{Bracket, Tier};
use crate::time::{MINUTE, SECOND, Timestamp};

/// What the trade wants from the venue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    Submit(Order),
    Cancel(ClientOrderId),
}

/// What a trade is made of before its first fill.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) run: RunId,
    pub(crate) intent: u64,
    /// Its place among the strategies; none once it was taken out.
    pub(crate) strategy: Option<usize>,
    pub(crate) strategy_name: String,
    pub(crate) instrument: InstrumentId,
    pub(crate) direction: Direction,
    pub(crate) bracket: Bracket,
    /// Stop distance from the last price of the decision, until the entry fills.
    pub(crate) stop_distance: Price,
    /// Spread at the decision, a fraction of price.
    pub(crate) spread: f64,
    pub(crate) tick_size: Price,
    pub(crate) lot_size: Qty,
    /// Taker fee plus slippage: the cost of leaving through a stop.
    pub(crate) exit_costs: Decimal,
    pub(crate) working_type: WorkingType,
    pub(crate) max_unprotected_secs: u32,
    pub(crate) tier: Option<Tier>,
    pub(crate) score: f64,
}

impl Plan {
    pub(crate) fn id(&self, purpose: Purpose, ordinal: u16) -> ClientOrderId {
        let Self { run, intent, .. } = *self;
        ClientOrderId { run, book: Book::Directional, intent, leg: 0, purpose, ordinal }
    }
}

/// A stop at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    id: ClientOrderId,
    price: Price,
    proven: bool,
}

/// Why the position is being closed at market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CloseReason {
    Timeout,
    SignalFlip,
    Flatten,
    /// The stop could not rest because the price was already there.
    Stop,
}

/// One directional trade.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DirectionalTrade {
    pub(crate) plan: Plan,
    status: TradeStatus,
    entry_done: bool,
    entry_time: Timestamp,
    exit_time: Option<Timestamp>,
    entered: Qty,
    exited: Qty,
    entry_cost: Decimal,
    exit_value: Decimal,
    entry_fee: Money,
    pnl: Money,
    fee: Money,
    funding: Money,
    initial_stop: Price,
    tp1_price: Price,
    tp2_price: Price,
    stop: Option<Stop>,
    /// The stop that rests until its successor is proven.
    replaced: Option<Stop>,
    stop_ordinal: u16,
    stop_failures: u8,
    unprotected_since: Option<Timestamp>,
    tp1: Option<ClientOrderId>,
    tp2: Option<ClientOrderId>,
    wants_break_even: bool,
    closing: Option<CloseReason>,
    close_ordinal: u16,
    close_in_flight: bool,
}

impl DirectionalTrade {
    pub(crate) fn new(plan: Plan, price: Price) -> Self {
        Self {
            plan,
            status: TradeStatus::Active,
            entry_done: false,
            entry_time: Timestamp::EPOCH,
            exit_time: None,
            entered: Qty::ZERO,
            exited: Qty::ZERO,
            entry_cost: Decimal::ZERO,
            exit_value: Decimal::ZERO,
            entry_fee: Money::ZERO,
            pnl: Money::ZERO,
            fee: Money::ZERO,
            funding: Money::ZERO,
            initial_stop: price,
            tp1_price: price,
            tp2_price: price,
            stop: None,
            replaced: None,
            stop_ordinal: 0,
            stop_failures: 0,
            unprotected_since: None,
            tp1: None,
            tp2: None,
            wants_break_even: false,
            closing: None,
            close_ordinal: 0,
            close_in_flight: false,
        }
    }

    pub(crate) fn open_qty(&self) -> Qty {
        self.entered.saturating_sub(self.exited)
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.open_qty().is_zero()
    }

    /// Nothing is open and nothing can come any more.
    pub(crate) fn is_over(&self) -> bool {
        self.entry_done && self.is_flat()
    }

    /// Since when it has no proven stop.
    pub(crate) const fn unprotected_since(&self) -> Option<Timestamp> {
        self.unprotected_since
    }

    pub(crate) fn has_entered(&self) -> bool {
        !self.entered.is_zero()
    }

    pub(crate) const fn wants_break_even(&self) -> bool {
        self.wants_break_even
    }

    pub(crate) fn add_funding(&mut self, paid: Money) {
        self.funding += paid;
    }

    pub(crate) fn add_pnl(&mut self, realised: Money) {
        self.pnl += realised;
    }

    pub(crate) fn net_result(&self) -> (Money, Money) {
        (self.pnl - self.fee - self.funding, self.r_trade())
    }

    /// Average entry price; the last price before any fill.
    fn entry_price(&self) -> Decimal {
        self.entry_cost
            .checked_div(self.entered.to_decimal())
            .unwrap_or_else(|| self.initial_stop.to_decimal())
    }

    fn r_trade(&self) -> Money {
        let distance = (self.entry_price() - self.initial_stop.to_decimal()).abs();
        Money::round(distance * self.entered.to_decimal())
    }

    /// Loss if the stop in force fills all that is open, with the cost of leaving; 0 for a gain.
    pub(crate) fn stop_risk(&self, working: Qty, price: Price) -> Money {
        let open = self.open_qty().checked_add(working).unwrap_or(self.open_qty()).to_decimal();
        let entry = if self.has_entered() { self.entry_price() } else { price.to_decimal() };
        let per_unit = match (self.stop, self.plan.direction) {
            (None, _) => self.plan.stop_distance.to_decimal(),
            (Some(stop), Direction::Long) => entry - stop.price.to_decimal(),
            (Some(stop), Direction::Short) => stop.price.to_decimal() - entry,
        };
        let costs = entry * self.plan.exit_costs;
        Money::round(((per_unit + costs) * open).max(Decimal::ZERO))
    }

    fn reduce(&self, id: ClientOrderId, qty: Qty, kind: OrderKind) -> Action {
        let (instrument, side) = (self.plan.instrument, self.plan.direction.exit_side());
        Action::Submit(Order { id, instrument, side, qty, kind, effect: Effect::Reduce })
    }

    /// Takes an update of one of the trade's own orders.
    pub(crate) fn on_order(
        &mut self,
        id: ClientOrderId,
        update: &OrderUpdate,
        last_price: Option<Price>,
        out: &mut Vec<Action>,
    ) {
        match (id.purpose, update) {
            (_, OrderUpdate::Filled(fill)) => self.on_fill(id, fill, out),
            (Purpose::Entry, update) => self.on_entry_update(update, out),
            (Purpose::Stop, update) => self.on_stop_update(id, update, out),
            (Purpose::Close, update) => self.on_close_update(update, out),
            _ => {}
        }
        if self.is_flat() && self.entry_done {
            self.cancel_rest(out);
        } else if self.wants_break_even {
            self.try_break_even(last_price, out);
        }
    }

    fn on_fill(&mut self, id: ClientOrderId, fill: &Fill, out: &mut Vec<Action>) {
        let value = fill.price.notional(fill.qty).to_decimal();
        self.fee += fill.fee;
        if id.purpose == Purpose::Entry {
            self.on_entry_fill(fill, value, out);
            return;
        }
        self.exited = self.exited.checked_add(fill.qty).unwrap_or(self.entered);
        self.exit_value += value;
        if self.is_flat() {
            self.exit_time = Some(fill.ts);
            self.status = self.final_status(id);
        } else if id.purpose == Purpose::Target1 && self.exited >= self.first_half() {
            self.status = TradeStatus::Tp1Hit;
            self.wants_break_even = true;
        }
    }

    fn on_entry_fill(&mut self, fill: &Fill, value: Decimal, out: &mut Vec<Action>) {
        if self.entered.is_zero() {
            self.entry_time = fill.ts;
        }
        self.entered = self.entered.checked_add(fill.qty).unwrap_or(self.entered);
        self.entry_cost += value;
        self.entry_fee += fill.fee;
        self.set_levels();
        self.place_stop(self.initial_stop, fill.ts, out);
    }

    fn set_levels(&mut self) {
        let (entry, tick) = (self.entry_price(), self.plan.tick_size);
        let bracket = &self.plan.bracket;
        let from_entry = entry
            .to_f64()
            .and_then(|price| levels::stop_distance(bracket, price, tick, self.plan.spread));
        let distance = from_entry.unwrap_or(self.plan.stop_distance).to_decimal();
        let rules = &self.plan.bracket.rules;
        let away = self.plan.direction;
        let against = match away {
            Direction::Long => Direction::Short,
            Direction::Short => Direction::Long,
        };
        let times = |multiple: f64| distance * Decimal::try_from(multiple).unwrap_or(Decimal::ONE);
        let keep = self.initial_stop;
        self.initial_stop = levels::level(entry, distance, against, tick).unwrap_or(keep);
        let target = |multiple| levels::level(entry, times(multiple), away, tick).unwrap_or(keep);
        (self.tp1_price, self.tp2_price) =
            (target(rules.tp1_stop_multiple), target(rules.tp2_stop_multiple));
    }

    fn first_half(&self) -> Qty {
        let half = Qty::from_units(self.entered.units() / 2).unwrap_or(Qty::ZERO);
        let half = half.round_to_lot(self.plan.lot_size, Round::Down).unwrap_or(Qty::ZERO);
        if half.is_zero() { self.entered } else { half }
    }

    fn place_targets(&mut self, out: &mut Vec<Action>) {
        let first = self.first_half();
        let rest = self.entered.saturating_sub(first);
        let limit = |price| OrderKind::Limit { price, time_in_force: TimeInForce::Gtc };
        let tp1 = self.plan.id(Purpose::Target1, 0);
        self.tp1 = Some(tp1);
        out.push(self.reduce(tp1, first, limit(self.tp1_price)));
        if !rest.is_zero() {
            let tp2 = self.plan.id(Purpose::Target2, 0);
            self.tp2 = Some(tp2);
            out.push(self.reduce(tp2, rest, limit(self.tp2_price)));
        }
    }

    /// The entry order is over: what was filled gets its targets.
    pub(crate) fn on_entry_over(&mut self, out: &mut Vec<Action>) {
        if !self.entry_done {
            self.entry_done = true;
            if !self.is_flat() {
                self.place_targets(out);
            }
        }
    }

    fn on_entry_update(&mut self, update: &OrderUpdate, out: &mut Vec<Action>) {
        if matches!(
            update,
            OrderUpdate::Rejected(_)
                | OrderUpdate::Canceled
                | OrderUpdate::Expired
                | OrderUpdate::Lost
        ) {
            self.on_entry_over(out);
        }
    }

    fn on_close_update(&mut self, update: &OrderUpdate, out: &mut Vec<Action>) {
        let ended = matches!(
            update,
            OrderUpdate::Rejected(_)
                | OrderUpdate::Canceled
                | OrderUpdate::Expired
                | OrderUpdate::Lost
        );
        if ended {
            self.close_in_flight = false;
            if let Some(reason) = self.closing.filter(|_| !self.is_flat()) {
                self.close(reason, out);
            }
        }
    }

    /// Closes what is open at market; stops and targets stay until the position is zero.
    pub(crate) fn close(&mut self, reason: CloseReason, out: &mut Vec<Action>) {
        self.closing.get_or_insert(reason);
        if self.close_in_flight || self.is_flat() {
            return;
        }
        self.close_in_flight = true;
        let id = self.plan.id(Purpose::Close, self.close_ordinal);
        self.close_ordinal = self.close_ordinal.saturating_add(1);
        out.push(self.reduce(id, self.open_qty(), OrderKind::Market));
    }

    fn final_status(&self, by: ClientOrderId) -> TradeStatus {
        let at_initial = self.stop_is_initial() || self.replaced.is_some_and(|old| old.id == by);
        let stopped = match self.status {
            TradeStatus::Tp1Hit if !at_initial => TradeStatus::SlBe,
            _ => TradeStatus::Sl,
        };
        match (by.purpose, self.closing) {
            (Purpose::Liquidation, _) => TradeStatus::Liquidated,
            (Purpose::Stop, _) | (Purpose::Close, Some(CloseReason::Stop)) => stopped,
            (Purpose::Close, Some(CloseReason::Timeout)) => TradeStatus::Timeout,
            (Purpose::Close, Some(CloseReason::SignalFlip)) => TradeStatus::SignalFlip,
            (Purpose::Close, _) => TradeStatus::Flatten,
            _ => TradeStatus::Tp,
        }
    }

    /// Time's up, or a stop is missing.
    pub(crate) fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        if self.is_flat() {
            return;
        }
        let life = i64::from(self.plan.bracket.rules.timeout_minutes) * MINUTE;
        if now.since(self.entry_time) >= life {
            self.close(CloseReason::Timeout, out);
        }
        if self.stop.is_none() && self.closing.is_none() {
            self.protect_again(now, out);
        }
        let late = i64::from(self.plan.max_unprotected_secs) * SECOND;
        if self.unprotected_since.is_some_and(|since| now.since(since) > late)
            && self.stop.is_some_and(|stop| !stop.proven)
            && self.replaced.is_none()
        {
            self.stop_failures = self.stop_failures.saturating_add(1);
            self.protect_again(now, out);
        }
    }

    fn cancel_rest(&mut self, out: &mut Vec<Action>) {
        let stops = [self.stop.take(), self.replaced.take()].into_iter().flatten().map(|s| s.id);
        let targets = [self.tp1.take(), self.tp2.take()].into_iter().flatten();
        out.extend(stops.chain(targets).map(Action::Cancel));
        self.wants_break_even = false;
    }

    /// The trade as it stands.
    pub(crate) fn note(&self) -> TradeNote {
        let (net, r_trade) = self.net_result();
        let exit = self.exit_value.checked_div(self.exited.to_decimal());
        let rounded =
            |value: Decimal| Price::from_units(nearest_units(value)).unwrap_or(self.initial_stop);
        TradeNote {
            id: self.plan.intent,
            strategy: self.plan.strategy_name.clone(),
            instrument: self.plan.instrument,
            direction: self.plan.direction,
            tier: self.plan.tier,
            score: self.plan.score,
            status: self.status,
            entry_time: self.entry_time,
            exit_time: self.exit_time,
            entry_price: rounded(self.entry_price()),
            exit_price: exit.map(rounded),
            qty: self.entered,
            open_qty: self.open_qty(),
            stop_price: self.stop.map_or(self.initial_stop, |stop| stop.price),
            tp1_price: self.tp1_price,
            tp2_price: self.tp2_price,
            pnl: self.pnl,
            fee: self.fee,
            funding: self.funding,
            r_trade,
            r_multiple: exit.and_then(|_| ratio(net, r_trade)),
        }
    }

    /// Whether `actions` places a new stop after the first one.
    pub(crate) fn stop_moved(&self, actions: &[Action]) -> bool {
        actions.iter().any(|action| {
            matches!(action, Action::Submit(order)
                if order.id.purpose == Purpose::Stop && order.id.ordinal > 0)
        })
    }
}

/// `net ÷ r_trade`; none for a trade without risk.
fn ratio(net: Money, r_trade: Money) -> Option<f64> {
    let quotient = net.to_decimal().checked_div(r_trade.to_decimal())?;
    rust_decimal::prelude::ToPrimitive::to_f64(&quotient)
}

fn nearest_units(value: Decimal) -> i64 {
    let mut rounded = Money::round(value).to_decimal();
    rounded.rescale(8);
    i64::try_from(rounded.mantissa()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
