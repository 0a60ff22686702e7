//! The ordered rules an entry must pass; the first refusal wins.
//!
//! Invariant: limits shrink or refuse, nothing here enlarges. What comes out is an [`Approved`]
//! order: an IOC limit inside the price collar.

use rust_decimal::Decimal;

use super::guard::{Equity, Guard};
use super::{Approved, Refusal, RiskConfig, RiskState, Rule, sizing};
use crate::event::{FeedState, Side};
use crate::instrument::{InstrumentId, TradingStatus};
use crate::market::MarketState;
use crate::num::{Money, Price, Qty, Round};
use crate::order::{ClientOrderId, Effect, Order, OrderKind, TimeInForce};
use crate::time::{DAY, HOUR, SECOND, Timestamp};

/// What is open in the directional book, quote currency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exposure {
    pub(crate) positions: u32,
    /// Loss if every stop fills, with fees, and risk of unfilled entries.
    pub(crate) open_risk: Money,
    /// Σ signed notional.
    pub(crate) net: Money,
    /// Σ |notional|.
    pub(crate) gross: Money,
}

/// An entry on its way through the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    pub(crate) id: ClientOrderId,
    pub(crate) strategy: usize,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) stop_distance: Price,
    /// One R times the size of the signal.
    pub(crate) budget: Money,
    /// Fees of entry and exit as a fraction of notional.
    pub(crate) fees: Decimal,
}

/// Everything the rules look at.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) config: &'a RiskConfig,
    pub(crate) guard: &'a Guard,
    pub(crate) market: &'a MarketState,
    pub(crate) exposure: Exposure,
    pub(crate) account: Equity,
    pub(crate) r_unit: Money,
    pub(crate) now: Timestamp,
}

pub(super) type Verdict = Result<(), Refusal>;

pub(super) fn at_most(rule: Rule, limit: Decimal, actual: Decimal) -> Verdict {
    if actual > limit { Err(Refusal::Limit { rule, limit, actual }) } else { Ok(()) }
}

pub(super) fn at_least(rule: Rule, limit: Decimal, actual: Decimal) -> Verdict {
    if actual < limit { Err(Refusal::Limit { rule, limit, actual }) } else { Ok(()) }
}

impl Gate<'_> {
    /// Approves the entry, smaller where a notional limit asks for it.
    ///
    /// # Errors
    /// The first rule that refuses.
    pub(crate) fn approve(&self, proposal: &Proposal) -> Result<Approved, Refusal> {
        self.conduct(proposal)?;
        self.market_quality()?;
        self.freshness()?;
        self.margin()?;
        let qty = self.size(proposal)?;
        let risk = proposal.stop_distance.notional(qty).to_money()
            + proposal.price.notional(qty).to_money().times(proposal.fees);
        let limit = self.r_unit.to_decimal() * self.config.max_open_risk_r;
        at_most(Rule::OpenRisk, limit, (self.exposure.open_risk + risk).to_decimal())?;
        let price = self.collar(proposal)?;
        Ok(Approved {
            order: Order {
                id: proposal.id,
                instrument: proposal.instrument,
                side: proposal.side,
                qty,
                kind: OrderKind::Limit { price, time_in_force: TimeInForce::Ioc },
                effect: Effect::Open,
            },
        })
    }

    fn conduct(&self, proposal: &Proposal) -> Verdict {
        match self.guard.state() {
            RiskState::Active => {}
            state => return Err(Refusal::State(state)),
        }
        if let Some(until) = self.guard.paused_until(proposal.strategy, self.now) {
            return Err(Refusal::LosingStreak { until });
        }
        let costs = self.r_unit.to_decimal() * self.config.max_daily_costs_r;
        at_most(Rule::Costs, costs, self.guard.costs_today().to_decimal())?;
        let positions = self.exposure.positions + 1;
        at_most(Rule::MaxPositions, self.config.max_positions.into(), positions.into())?;
        let (orders, cancels) = self.guard.rates(proposal.strategy, self.now);
        at_most(Rule::OrderRate, self.config.max_orders_per_minute.into(), (orders + 1).into())?;
        at_most(Rule::CancelRate, self.config.max_cancels_per_minute.into(), cancels.into())
    }

    pub(super) fn market_quality(&self) -> Verdict {
        if let Some(spread) = self.market.quoted_spread(self.now) {
            at_most(Rule::Spread, self.config.max_spread_bps, spread * Decimal::from(10_000))?;
        }
        if let Some(volume) = self.market.quote_volume_24h() {
            let limit = self.config.min_quote_volume_24h.to_decimal();
            at_least(Rule::Volume24h, limit, volume.to_decimal())?;
        }
        let spec = self.market.spec();
        if spec.status != TradingStatus::Trading {
            return at_least(Rule::Status, Decimal::ONE, Decimal::ZERO);
        }
        if let Some(listed) = spec.listed_at {
            let days = self.now.since(listed) / DAY;
            at_least(Rule::Listing, self.config.min_listed_days.into(), days.into())?;
        }
        if let Some(delivery) = spec.delivery_at {
            let hours = delivery.since(self.now) / HOUR;
            at_least(Rule::Delivery, self.config.delivery_close_hours.into(), hours.into())?;
        }
        Ok(())
    }

    pub(super) fn freshness(&self) -> Verdict {
        if self.market.has_unfilled_hole() {
            return at_most(Rule::UnfilledGap, Decimal::ZERO, Decimal::ONE);
        }
        if let Some(age) = self.market.inputs().mark_age(self.now) {
            let limit = self.config.max_mark_silence_secs;
            at_most(Rule::StaleMark, limit.into(), (age / SECOND).into())?;
        }
        let measured = &self.guard.measured;
        if let Some(silent) = measured.silent_ms {
            let limit = self.config.max_connection_silence_ms;
            at_most(Rule::StaleConnection, limit.into(), silent.into())?;
        }
        if let Some((uncertainty, step, offset)) = measured.clock {
            at_most(Rule::Clock, self.config.max_clock_uncertainty_ms.into(), uncertainty.into())?;
            at_most(Rule::Clock, self.config.max_clock_step_ms.into(), step.into())?;
            at_most(Rule::Clock, self.config.max_clock_offset_ms.into(), offset.into())?;
        }
        if measured.log == Some(FeedState::Down) {
            return at_least(Rule::Log, Decimal::ONE, Decimal::ZERO);
        }
        if let Some(peg) = measured.peg {
            let deviation = (peg - Decimal::ONE).abs();
            at_most(Rule::Peg, self.config.max_peg_deviation, deviation)?;
        }
        Ok(())
    }

    pub(super) fn margin(&self) -> Verdict {
        let balance = self.account.margin_balance.to_decimal();
        let bound = self.account.initial_margin + self.account.reserved;
        let free = balance - bound.to_decimal();
        let ratio = free.checked_div(balance).unwrap_or_default();
        at_least(Rule::AvailableBalance, self.config.min_available_ratio, ratio)
    }

    /// The quantity that fits the budget and every notional limit.
    fn size(&self, proposal: &Proposal) -> Result<Qty, Refusal> {
        let equity = self.account.equity;
        let signed = match proposal.side {
            Side::Buy => self.exposure.net,
            Side::Sell => -self.exposure.net,
        };
        let rooms = [
            (Rule::OrderNotional, self.config.max_order_notional, Money::ZERO),
            (
                Rule::InstrumentNotional,
                equity.times(self.config.max_instrument_leverage),
                Money::ZERO,
            ),
            (Rule::NetDirectional, equity.times(self.config.max_net_leverage), signed),
            (
                Rule::GrossNotional,
                equity.times(self.config.max_gross_leverage),
                self.exposure.gross,
            ),
        ];
        let (rule, limit, used) = rooms
            .into_iter()
            .min_by_key(|(_, limit, used)| *limit - *used)
            .unwrap_or((Rule::GrossNotional, Money::ZERO, Money::ZERO));
        let room = limit - used;
        if room <= Money::ZERO {
            let (limit, actual) = (limit.to_decimal(), used.to_decimal());
            return Err(Refusal::Limit { rule, limit, actual });
        }
        // Notional limits count at the worst price the order may get.
        let worst = self.collar(proposal)?.max(proposal.price);
        let (budget, stop) = (proposal.budget, proposal.stop_distance);
        sizing::quantity(self.market.spec(), worst, budget, stop, room)
    }

    /// The worst price the order may get: the collar around mark, rounded to the tick inward.
    fn collar(&self, proposal: &Proposal) -> Result<Price, Refusal> {
        let limit = collar(self.config, self.market, proposal.side, self.now)?;
        let beyond = match proposal.side {
            Side::Buy => proposal.price > limit,
            Side::Sell => proposal.price < limit,
        };
        if beyond {
            let (limit, actual) = (limit.to_decimal(), proposal.price.to_decimal());
            return Err(Refusal::Limit { rule: Rule::PriceCollar, limit, actual });
        }
        Ok(limit)
    }
}

/// The worst price an order may get now: 1 % or three spreads from mark by default.
pub(crate) fn collar(
    config: &RiskConfig,
    market: &MarketState,
    side: Side,
    now: Timestamp,
) -> Result<Price, Refusal> {
    let mark = market.mark_or_last(now).ok_or(Refusal::NoMarket)?;
    let width = config.collar_ratio.max(market.spread(now) * config.collar_spreads);
    let (factor, round) = match side {
        Side::Buy => (Decimal::ONE + width, Round::Down),
        Side::Sell => (Decimal::ONE - width, Round::Up),
    };
    Price::from_decimal(mark.to_decimal() * factor, round)
        .and_then(|price| price.round_to_tick(market.spec().tick_size, round))
        .map_err(|_| Refusal::NoMarket)
}

#[cfg(test)]
mod tests;
