//! The life of a carry pair: spot long and perpetual short, built and taken down in slices.
//!
//! The perpetual goes first, the spot order follows its fills, and one order works at a time, so
//! that every next step starts from proven quantities.
//!
//! Invariant: legs that differ by more than one common lot are brought together before anything
//! else happens. Until `max_unhedged_ms` the missing leg is completed, past it the excess leg is
//! closed; an order whose outcome is unknown is neither re-sent nor unwound until it is settled or
//! `max_unknown_ms` has passed.

#![deny(clippy::float_arithmetic)]

pub(crate) mod quantities;

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use self::quantities::Lots;
use crate::event::Side;
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty, Round};
use crate::order::{Book, ClientOrderId, Fill, OrderUpdate, Purpose, RunId};
use crate::output::{CarryNote, CarryStatus};
use crate::risk::CarryLimits;
use crate::strategy::Name;
use crate::time::{SECOND, Timestamp};

/// Wait after the first order that ended without a fill; doubled by each further one, six times.
const FIRST_RETRY: i64 = SECOND / 20;

/// What a pair is made of before its first fill.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PairPlan {
    pub(crate) run: RunId,
    pub(crate) intent: u64,
    /// Its place among the strategies; none once it was taken out.
    pub(crate) strategy: Option<usize>,
    pub(crate) strategy_name: String,
    pub(crate) perp: InstrumentId,
    pub(crate) spot: InstrumentId,
    pub(crate) lots: Lots,
    pub(crate) limits: CarryLimits,
}

/// One of the two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LegOf {
    Perp,
    Spot,
}

/// What a pair wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Another slice of the short; risk must approve it, and its hedge with it.
    Slice(Qty),
    /// An order that brings the legs together or takes the pair down; it passes in every state.
    Reduce(LegOf, Side, Qty),
    /// The working order takes too long.
    Cancel(ClientOrderId, LegOf),
}

/// Prices at which the pair could trade now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairPrices {
    pub(crate) perp_bid: Price,
    pub(crate) perp_ask: Price,
    pub(crate) spot_bid: Price,
    pub(crate) spot_ask: Price,
}

/// When voluntary orders may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Now.
    Free,
    /// Not so near to a settlement; protective ones pass.
    Quiet,
}

/// The order that works for the pair.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Working {
    id: ClientOrderId,
    leg: LegOf,
    canceled: bool,
    filled: bool,
    unknown_since: Option<Timestamp>,
}

/// One carry pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CarryPair {
    pub(crate) plan: PairPlan,
    /// Contracts wanted short.
    target: Qty,
    /// Contracts short now.
    perp: Qty,
    /// Coins held by this pair now.
    spot: Qty,
    closing: Option<Name>,
    working: Option<Working>,
    ordinals: [u16; 2],
    unhedged_since: Option<Timestamp>,
    /// Orders in a row that ended without a fill, and when the next may be sent.
    failures: u32,
    retry_at: Timestamp,
    pub(crate) opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    /// Cash received minus cash paid for both legs, after fees in quote currency and funding.
    cash: Decimal,
    /// Σ price × contracts of the entry fills of the short, and the contracts.
    perp_entry: (Decimal, Qty),
    /// Σ price × quantity of the spot buys, and what arrived.
    spot_entry: (Decimal, Qty),
    fees: Money,
    funding: Money,
    /// Largest spot notional held: what the pair needed.
    peak_notional: Money,
    last_prices: Option<(Price, Price)>,
}

impl CarryPair {
    /// A pair that wants `target` contracts short.
    pub(crate) fn new(plan: PairPlan, target: Qty, now: Timestamp) -> Self {
        Self {
            plan,
            target,
            perp: Qty::ZERO,
            spot: Qty::ZERO,
            closing: None,
            working: None,
            ordinals: [0; 2],
            unhedged_since: None,
            failures: 0,
            retry_at: now,
            opened_at: now,
            closed_at: None,
            cash: Decimal::ZERO,
            perp_entry: (Decimal::ZERO, Qty::ZERO),
            spot_entry: (Decimal::ZERO, Qty::ZERO),
            fees: Money::ZERO,
            funding: Money::ZERO,
            peak_notional: Money::ZERO,
            last_prices: None,
        }
    }

    pub(crate) const fn contracts(&self) -> Qty {
        self.perp
    }

    /// Contracts short or still to be.
    pub(crate) fn wanted_contracts(&self) -> Qty {
        self.perp.max(self.target)
    }

    /// Coins held or still to be bought.
    pub(crate) fn wanted_coins(&self) -> Qty {
        let wanted = Qty::from_units(self.plan.lots.base(self.wanted_contracts()));
        self.spot.max(wanted.unwrap_or_default())
    }

    pub(crate) const fn coins(&self) -> Qty {
        self.spot
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether it needs another look before the next tick.
    pub(crate) const fn is_busy(&self) -> bool {
        self.working.is_some() || self.unhedged_since.is_some()
    }

    /// Nothing is held but dust, nothing works, and nothing more is wanted.
    pub(crate) fn is_over(&self, spot_bid: Option<Price>) -> bool {
        let wanted = self.closing.is_none() && !self.target.is_zero();
        let sellable = spot_bid.is_some_and(|bid| self.plan.lots.can_sell(self.spot, bid));
        !wanted && self.working.is_none() && self.perp.is_zero() && !sellable
    }

    /// Average perpetual entry over average spot entry per contract, minus one, in basis points.
    pub(crate) fn entry_basis_bps(&self) -> Option<Decimal> {
        let average = |(value, qty): (Decimal, Qty)| value.checked_div(qty.to_decimal());
        let (perp, spot) = (average(self.perp_entry)?, average(self.spot_entry)?);
        let per_contract = spot * Decimal::from(self.plan.lots.multiplier);
        let ratio = perp.checked_div(per_contract)?;
        Some((ratio - Decimal::ONE) * Decimal::from(10_000))
    }

    /// Whether the outcome of its order is unknown.
    pub(crate) fn waits_for_unknown(&self) -> bool {
        self.working.is_some_and(|working| working.unknown_since.is_some())
    }

    /// Whether anything was ever filled.
    pub(crate) fn has_traded(&self) -> bool {
        !self.perp_entry.1.is_zero()
    }

    /// Closes the pair; the first reason stays.
    pub(crate) fn close(&mut self, reason: &'static str) {
        self.closing.get_or_insert(Name::Borrowed(reason));
        self.target = Qty::ZERO;
    }

    /// Lowers the target by a share of what is held, for margin.
    pub(crate) fn shrink(&mut self, to: Qty) {
        self.target = self.target.min(to);
    }

    /// Wants nothing beyond what is held.
    pub(crate) fn settle_for_less(&mut self) {
        self.target = self.perp;
    }

    pub(crate) fn add_funding(&mut self, paid: Money) {
        self.funding += paid;
        self.cash -= paid.to_decimal();
    }

    /// The id of the next order of a leg.
    pub(crate) fn next_id(&mut self, leg: LegOf, purpose: Purpose) -> ClientOrderId {
        let index = match leg {
            LegOf::Perp => 0,
            LegOf::Spot => 1,
        };
        let PairPlan { run, intent, .. } = self.plan;
        let mut id = ClientOrderId { run, book: Book::Carry, intent, leg: 0, purpose, ordinal: 0 };
        if let Some(ordinal) = self.ordinals.get_mut(index) {
            id.ordinal = *ordinal;
            *ordinal = ordinal.saturating_add(1);
        }
        id.leg = u8::from(leg == LegOf::Spot);
        id
    }

    /// Remembers the order that works from now on.
    pub(crate) fn sent(&mut self, id: ClientOrderId, leg: LegOf) {
        self.working =
            Some(Working { id, leg, canceled: false, filled: false, unknown_since: None });
    }

    /// Takes what the venue says about an order of the pair; `done` when the order has ended.
    pub(crate) fn on_order(
        &mut self,
        id: ClientOrderId,
        update: &OrderUpdate,
        done: bool,
        now: Timestamp,
    ) {
        self.count_failures(id, update, now);
        match update {
            OrderUpdate::Filled(fill) if id.purpose == Purpose::Liquidation => {
                self.on_fill(LegOf::Perp, fill);
                self.close("liquidated");
            }
            OrderUpdate::Filled(fill) => {
                let leg = if id.leg == 0 { LegOf::Perp } else { LegOf::Spot };
                self.on_fill(leg, fill);
            }
            OrderUpdate::Unknown => {
                if let Some(working) = self.working.as_mut().filter(|w| w.id == id) {
                    working.unknown_since.get_or_insert(now);
                }
            }
            _ => {}
        }
        let mine = self.working.is_some_and(|working| working.id == id);
        if mine && done {
            self.working = None;
            // A slice that did not fill at all: the pair lives with what it has.
            if self.perp.is_zero() && self.spot.is_zero() && id.leg == 0 {
                self.target = Qty::ZERO;
            }
        }
        self.watch_legs(now);
    }

    /// Orders that end without any fill make the next one wait.
    fn count_failures(&mut self, id: ClientOrderId, update: &OrderUpdate, now: Timestamp) {
        let Some(working) = self.working.as_mut().filter(|working| working.id == id) else {
            return;
        };
        match update {
            OrderUpdate::Filled(_) => {
                working.filled = true;
                (self.failures, self.retry_at) = (0, now);
            }
            OrderUpdate::Rejected(_) | OrderUpdate::Expired if !working.filled => {
                self.failures = self.failures.saturating_add(1);
                self.retry_at = now.plus(FIRST_RETRY << self.failures.min(6));
            }
            _ => {}
        }
    }

    fn on_fill(&mut self, leg: LegOf, fill: &Fill) {
        let value = fill.price.notional(fill.qty).to_decimal();
        let quote_fee = if fill.base_fee.is_zero() { fill.fee.to_decimal() } else { Decimal::ZERO };
        self.cash -= quote_fee;
        self.fees += fill.fee;
        match (leg, fill.side) {
            (LegOf::Perp, Side::Sell) => {
                self.perp = self.perp.checked_add(fill.qty).unwrap_or(self.perp);
                add(&mut self.perp_entry, value, fill.qty);
            }
            (LegOf::Perp, Side::Buy) => self.perp = self.perp.saturating_sub(fill.qty),
            (LegOf::Spot, Side::Buy) => {
                let arrived = fill.qty.saturating_sub(fill.base_fee);
                self.spot = self.spot.checked_add(arrived).unwrap_or(self.spot);
                add(&mut self.spot_entry, value, fill.qty);
            }
            (LegOf::Spot, Side::Sell) => self.spot = self.spot.saturating_sub(fill.qty),
        }
        self.cash += match fill.side {
            Side::Buy => -value,
            Side::Sell => value,
        };
        if leg == LegOf::Spot {
            let held = fill.price.notional(self.spot).to_money();
            self.peak_notional = self.peak_notional.max(held);
        }
    }

    /// Starts or stops the clock of unhedged time.
    fn watch_legs(&mut self, now: Timestamp) {
        let lots = &self.plan.lots;
        let apart = lots.delta(self.spot, self.perp).unsigned_abs() > lots.tolerance();
        if apart && !self.is_mere_dust() {
            self.unhedged_since.get_or_insert(now);
        } else {
            self.unhedged_since = None;
        }
    }

    /// Coins that no order may sell: less than a step, without a short beside them.
    fn is_mere_dust(&self) -> bool {
        self.perp.is_zero()
            && self.last_prices.is_some_and(|(_, bid)| !self.plan.lots.can_sell(self.spot, bid))
    }

    /// What is to be done now, if anything.
    pub(crate) fn next(&mut self, now: Timestamp, prices: PairPrices, mood: Mood) -> Option<Wish> {
        self.last_prices = Some((prices.perp_ask, prices.spot_bid));
        self.watch_legs(now);
        if let Some(working) = self.working {
            return self.wait_for(working, now);
        }
        if now < self.retry_at {
            return None;
        }
        let lots = self.plan.lots.clone();
        let delta = lots.delta(self.spot, self.perp);
        let tolerance = lots.tolerance().max(self.drift_allowed());
        if delta.unsigned_abs() > tolerance {
            return self.rejoin(now, delta, prices);
        }
        if mood == Mood::Quiet {
            return None;
        }
        if self.perp < self.target {
            let left = self.target.saturating_sub(self.perp);
            return lots
                .slice(left, prices.perp_bid, self.plan.limits.max_slice_notional)
                .map(Wish::Slice);
        }
        if self.perp > self.target {
            let excess = self.perp.saturating_sub(self.target);
            let slice = lots.slice(excess, prices.perp_ask, self.plan.limits.max_slice_notional);
            let qty = slice.unwrap_or(excess);
            return Some(Wish::Reduce(LegOf::Perp, Side::Buy, qty));
        }
        // The last coins of a pair whose short is gone.
        let rest = self.perp.is_zero() && lots.can_sell(self.spot, prices.spot_bid);
        rest.then(|| Wish::Reduce(LegOf::Spot, Side::Sell, lots.sellable(self.spot)))
    }

    /// How far the legs may drift apart while the pair is held, base units.
    fn drift_allowed(&self) -> u64 {
        if self.perp != self.target {
            return 0;
        }
        let held = Decimal::from(self.plan.lots.base(self.perp).unsigned_abs());
        let drift = held.saturating_mul(self.plan.limits.max_delta_ratio);
        u64::try_from(drift.trunc().mantissa()).unwrap_or(0)
    }

    fn wait_for(&mut self, working: Working, now: Timestamp) -> Option<Wish> {
        let millis = |ms: u32| i64::from(ms) * 1_000_000;
        let limits = &self.plan.limits;
        if let Some(since) = working.unknown_since {
            if now.since(since) > millis(limits.max_unknown_ms) {
                // What is proven is traded; the venue's later word is booked when it comes.
                self.working = None;
                self.settle_for_less();
            }
            return None;
        }
        let late = millis(limits.max_unhedged_ms);
        let apart = self.unhedged_since.is_some_and(|since| now.since(since) > late);
        // An order that closes the excess leg is what is wanted, however long it takes.
        let completes = working.leg == LegOf::Spot && working.id.purpose == Purpose::Entry;
        if apart && completes && !working.canceled {
            self.working = Some(Working { canceled: true, ..working });
            return Some(Wish::Cancel(working.id, working.leg));
        }
        None
    }

    /// Brings the legs together: completes the missing one in time, closes the excess one after.
    fn rejoin(&self, now: Timestamp, delta: i64, prices: PairPrices) -> Option<Wish> {
        let lots = &self.plan.lots;
        let bound = i64::from(self.plan.limits.max_unhedged_ms) * 1_000_000;
        let in_time = self.unhedged_since.is_none_or(|since| now.since(since) <= bound);
        let size = Qty::from_units(delta.saturating_abs()).unwrap_or_default();
        if delta > 0 {
            let qty = lots.sellable(size);
            let legal = lots.can_sell(qty, prices.spot_bid);
            return legal.then_some(Wish::Reduce(LegOf::Spot, Side::Sell, qty));
        }
        let growing = self.closing.is_none() && in_time;
        if growing
            && let Some(qty) = lots.spot_to_buy(size)
            && prices.spot_ask.notional(qty).to_money() >= lots.min_notional
        {
            return Some(Wish::Reduce(LegOf::Spot, Side::Buy, qty));
        }
        let excess = lots.contracts(size, Round::Up).min(self.perp);
        (!excess.is_zero()).then_some(Wish::Reduce(LegOf::Perp, Side::Buy, excess))
    }

    /// Profit of the pair, both legs at the given prices, after fees and funding.
    pub(crate) fn pnl(&self, perp: Price, spot_bid: Price) -> Money {
        let short = perp.notional(self.perp).to_decimal();
        let coins = spot_bid.notional(self.spot).to_decimal();
        Money::round(self.cash + coins - short)
    }

    /// The pair as told to the outside, valued at `perp` and `spot_bid`.
    pub(crate) fn note(&self, perp: Price, spot_bid: Price) -> CarryNote {
        let average = |(value, qty): (Decimal, Qty)| {
            let quotient = value.checked_div(qty.to_decimal())?;
            Price::from_decimal(quotient.round_dp(8), Round::Down).ok()
        };
        let status = match (self.closed_at, &self.closing, self.perp < self.target) {
            (Some(_), ..) => CarryStatus::Closed,
            (None, Some(_), _) => CarryStatus::Closing,
            (None, None, true) => CarryStatus::Opening,
            (None, None, false) => CarryStatus::Open,
        };
        CarryNote {
            id: self.plan.intent,
            strategy: self.plan.strategy_name.clone(),
            perp: self.plan.perp,
            spot: self.plan.spot,
            status,
            reason: self.closing.as_deref().map(str::to_owned),
            opened_at: self.opened_at,
            closed_at: self.closed_at,
            perp_qty: self.perp,
            spot_qty: self.spot,
            perp_entry_price: average(self.perp_entry),
            spot_entry_price: average(self.spot_entry),
            entry_basis_bps: self.entry_basis_bps().map(|bps| bps.round_dp(4)),
            notional: self.peak_notional,
            fees: self.fees,
            funding: self.funding,
            pnl: self.pnl(perp, spot_bid),
        }
    }

    pub(crate) const fn end(&mut self, now: Timestamp) {
        self.closed_at = Some(now);
    }
}

fn add(sum: &mut (Decimal, Qty), value: Decimal, qty: Qty) {
    sum.0 += value;
    sum.1 = sum.1.checked_add(qty).unwrap_or(sum.1);
}

#[cfg(test)]
mod tests;
