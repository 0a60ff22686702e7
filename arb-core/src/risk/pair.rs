//! The rules a carry pair must pass: once for its size, and again for every slice.
//!
//! Invariant: both legs are judged before the first order of a slice leaves, so a leg that risk
//! would refuse never leaves the other one alone. R, streaks and daily loss of the directional
//! book do not count here; the carry book has limits of its own.

use rust_decimal::Decimal;

use super::gate::{Verdict, at_least, at_most, collar};
use super::guard::{Equity, Guard};
use super::{Approved, Exposure, Gate, Refusal, RiskConfig, RiskState, Rule};
use crate::carry::quantities::Lots;
use crate::event::Side;
use crate::market::MarketState;
use crate::num::{Money, Price, Qty};
use crate::order::{ClientOrderId, Effect, Order, OrderKind, TimeInForce};
use crate::time::Timestamp;

/// What the carry book holds, quote currency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CarryExposure {
    /// Σ spot notional.
    pub(crate) spot: Money,
    /// Σ |short notional|.
    pub(crate) short: Money,
}

/// Everything the rules of a pair look at.
#[derive(Debug)]
pub(crate) struct PairGate<'a> {
    pub(crate) config: &'a RiskConfig,
    pub(crate) guard: &'a Guard,
    pub(crate) perp: &'a MarketState,
    pub(crate) spot: &'a MarketState,
    pub(crate) account: Equity,
    pub(crate) exposure: CarryExposure,
    pub(crate) strategy: usize,
    pub(crate) now: Timestamp,
}

impl PairGate<'_> {
    /// How many contracts a new pair may have, for `wanted` notional at most.
    ///
    /// # Errors
    /// The first rule that refuses, or the limit that leaves no common lot.
    pub(crate) fn size(&self, wanted: Money, lots: &Lots) -> Result<Qty, Refusal> {
        self.conduct()?;
        let carry = &self.config.carry;
        let held = self.exposure.spot.to_decimal();
        let loss = self.guard.carry_loss_today(self.account).to_decimal();
        if held > Decimal::ZERO {
            at_most(Rule::CarryDailyLoss, held * carry.max_daily_loss_ratio, loss)?;
        }
        let (rule, limit, room) = self.room();
        let notional = wanted.min(room);
        let price = self.perp.bid(self.now).ok_or(Refusal::NoMarket)?;
        let qty = lots.contracts_for(notional, price);
        if qty.is_zero() {
            if room < wanted {
                return Err(Refusal::Limit { rule, limit, actual: room.to_decimal() });
            }
            let limit = lots.common_contracts().to_decimal();
            let actual = notional.to_decimal().checked_div(price.to_decimal()).unwrap_or_default();
            return Err(Refusal::Limit { rule: Rule::Lot, limit, actual });
        }
        let least = lots.min_notional.max(carry.min_pair_notional).to_decimal();
        at_least(Rule::MinNotional, least, price.notional(qty).to_decimal())?;
        Ok(qty)
    }

    /// The smallest room among the limits: its rule, the limit, and the notional left below it.
    fn room(&self) -> (Rule, Decimal, Money) {
        let carry = &self.config.carry;
        let margin = (self.account.margin_balance - self.account.reserved).to_decimal();
        let short = self.exposure.short.to_decimal();
        let free = margin - self.account.maintenance.to_decimal();
        let cap = self.account.equity.to_decimal() * carry.max_notional_ratio;
        // A pair of notional n spends n of the margin balance on coins and adds n to the short.
        let by_leverage =
            (margin * carry.max_leverage - short) / (carry.max_leverage + Decimal::ONE);
        let distance = carry.min_entry_distance;
        let by_distance = (free - short * distance) / (distance + Decimal::ONE);
        let rooms = [
            (Rule::CarryNotional, cap, cap - self.exposure.spot.to_decimal()),
            (Rule::MarginRatio, carry.max_leverage, by_leverage),
            (Rule::LiquidationDistance, distance, by_distance),
        ];
        let least = rooms.into_iter().min_by_key(|(.., room)| *room);
        let (rule, limit, room) = least.unwrap_or((Rule::CarryNotional, cap, Decimal::ZERO));
        (rule, limit, Money::round(room.max(Decimal::ZERO)))
    }

    /// Approves the short of a slice, after its hedge.
    ///
    /// # Errors
    /// The first rule that refuses either leg.
    pub(crate) fn slice(&self, id: ClientOrderId, qty: Qty) -> Result<Approved, Refusal> {
        self.conduct()?;
        self.price(self.spot, Side::Buy)?;
        let price = self.price(self.perp, Side::Sell)?;
        let kind = OrderKind::Limit { price, time_in_force: TimeInForce::Ioc };
        let instrument = self.perp.id();
        let order = Order { id, instrument, side: Side::Sell, qty, kind, effect: Effect::Open };
        Ok(Approved::completing(order))
    }

    fn conduct(&self) -> Verdict {
        match self.guard.state() {
            RiskState::Active => {}
            state => return Err(Refusal::State(state)),
        }
        let (orders, cancels) = self.guard.rates(self.strategy, self.now);
        at_most(Rule::OrderRate, self.config.max_orders_per_minute.into(), (orders + 2).into())?;
        at_most(Rule::CancelRate, self.config.max_cancels_per_minute.into(), cancels.into())?;
        for market in [self.perp, self.spot] {
            if market.is_quarantined() {
                return Err(Refusal::NoMarket);
            }
            let leg = self.leg(market);
            leg.market_quality()?;
            leg.freshness()?;
        }
        self.leg(self.perp).margin()
    }

    fn leg<'a>(&'a self, market: &'a MarketState) -> Gate<'a> {
        Gate {
            config: self.config,
            guard: self.guard,
            market,
            exposure: Exposure::default(),
            account: self.account,
            r_unit: Money::ZERO,
            now: self.now,
        }
    }

    fn price(&self, market: &MarketState, side: Side) -> Result<Price, Refusal> {
        collar(self.config, market, side, self.now)
    }
}
