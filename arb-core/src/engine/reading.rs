//! What hosts see of the engine: the account, every rule with its distance to the limit, the newest
//! decisions.
//!
//! Invariant: it reads what the gate and the guard read and changes nothing.

use rust_decimal::Decimal;

use super::{Core, Engine};
use crate::event::FeedState;
use crate::instrument::InstrumentId;
use crate::market::MarketState;
use crate::num::Money;
use crate::output::Signal;
use crate::port::{AccountView, RuleReading};
use crate::risk::Rule;
use crate::time::{DAY, HOUR, SECOND, Timestamp};

impl Engine {
    /// The account; none before the first configuration.
    #[must_use]
    pub fn account(&self) -> Option<AccountView> {
        let core = self.core.as_ref()?;
        let account = core.account();
        Some(AccountView {
            equity: account.equity,
            wallet: core.ledger.wallet(),
            initial_balance: core.config.account.initial_balance,
            margin_balance: account.margin_balance,
            maintenance_margin: account.maintenance,
            initial_margin: account.initial_margin,
            r_unit: core.r_unit,
        })
    }

    /// Every rule with a limit, what there is, and how much of the limit is used.
    ///
    /// Rules that look at one instrument are read for the worst of those with order flow.
    #[must_use]
    pub fn rule_readings(&self) -> Vec<RuleReading> {
        self.core.as_ref().map(Core::rule_readings).unwrap_or_default()
    }

    /// What one gets for a perpetual over what its coins cost on the spot market, less one: bid of
    /// the perpetual ÷ (spot ask × coins of a contract) − 1. None without quotes of both markets
    /// younger than 10 s.
    #[must_use]
    pub fn tradable_basis(&self, perp: InstrumentId, now: Timestamp) -> Option<Decimal> {
        let of = self.core.as_ref()?.carry.spot_of(perp)?;
        let quote = |id| self.market(id)?.fresh_quote(now);
        let (sold, bought) = (quote(perp)?.best_bid, quote(of.spot)?.best_ask);
        let cost = bought.to_decimal().checked_mul(Decimal::from(of.multiplier))?;
        Some(sold.to_decimal().checked_div(cost)? - Decimal::ONE)
    }

    /// Whether an operator has paused it.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.guard.paused)
    }

    /// The newest decision of each strategy about each instrument.
    pub fn decisions(&self) -> impl Iterator<Item = &Signal> {
        let slots = self.core.iter().flat_map(|core| &core.strategies);
        slots.flat_map(|slot| slot.latest.iter().flatten().map(Box::as_ref))
    }
}

/// Decides how much of a limit is used.
#[derive(Clone, Copy)]
enum Sense {
    /// More is worse: the limit is the most.
    AtMost,
    /// Less is worse: the limit is the least.
    AtLeast,
}

fn reading(rule: Rule, sense: Sense, limit: Decimal, actual: Option<Decimal>) -> RuleReading {
    let used = actual.and_then(|actual| match sense {
        Sense::AtMost if limit.is_zero() && actual.is_zero() => Some(Decimal::ZERO),
        Sense::AtMost if limit.is_zero() => Some(Decimal::TWO),
        Sense::AtMost => actual.max(Decimal::ZERO).checked_div(limit),
        Sense::AtLeast if actual <= Decimal::ZERO => Some(Decimal::TWO),
        Sense::AtLeast => limit.checked_div(actual),
    });
    let used = used.map(|used| used.round_dp(6));
    RuleReading { rule, of: None, limit, actual, used, missing: None }
}

fn at_most(rule: Rule, limit: impl Into<Decimal>, actual: impl Into<Decimal>) -> RuleReading {
    reading(rule, Sense::AtMost, limit.into(), Some(actual.into()))
}

/// A limit that every order is held to by itself.
fn per_order(rule: Rule, limit: impl Into<Decimal>) -> RuleReading {
    let missing = Some("judged at each order".to_owned());
    RuleReading { missing, ..reading(rule, Sense::AtMost, limit.into(), None) }
}

fn absent(reading: RuleReading, missing: &str) -> RuleReading {
    match reading.actual {
        Some(_) => reading,
        None => RuleReading { missing: Some(missing.to_owned()), ..reading },
    }
}

impl Core {
    fn rule_readings(&self) -> Vec<RuleReading> {
        let mut all = Vec::from(self.loss_readings());
        all.extend(self.exposure_readings());
        all.extend(self.market_readings());
        all.extend(self.health_readings());
        all.extend(self.conduct_readings());
        all.extend(self.carry_readings());
        all.sort_by(|a, b| a.rule.cmp(&b.rule).then_with(|| a.of.cmp(&b.of)));
        all
    }

    fn loss_readings(&self) -> [RuleReading; 5] {
        let (risk, account) = (&self.config.risk, self.account());
        let r = self.r_unit.to_decimal();
        let margin = account.margin_balance.to_decimal();
        let bound = (account.initial_margin + account.reserved).to_decimal();
        let ratio = |part: Decimal| part.checked_div(margin).map(|ratio| ratio.round_dp(6));
        let free = ratio(margin - bound);
        let maintenance = ratio(account.maintenance.to_decimal());
        [
            at_most(Rule::DailyLoss, r * risk.daily_loss_r, self.guard.day_loss(account)),
            at_most(Rule::Drawdown, risk.max_drawdown_ratio, self.guard.drawdown_ratio(account)),
            reading(Rule::MarginRatio, Sense::AtMost, risk.margin_ratio_reduce, maintenance),
            reading(Rule::AvailableBalance, Sense::AtLeast, risk.min_available_ratio, free),
            at_most(Rule::Costs, r * risk.max_daily_costs_r, self.guard.costs_today().to_decimal()),
        ]
    }

    fn exposure_readings(&self) -> [RuleReading; 8] {
        let (risk, equity) = (&self.config.risk, self.account().equity);
        let exposure = self.exposure();
        let times = |leverage: Decimal| equity.times(leverage).to_decimal();
        let open_risk = self.r_unit.to_decimal() * risk.max_open_risk_r;
        let (of, largest) = self.largest_position();
        let instrument = times(risk.max_instrument_leverage);
        let net = exposure.net.to_decimal().abs();
        let now = self.now;
        let bare = self.trades.iter().flatten().filter_map(|trade| trade.unprotected_since());
        let bare = bare.map(|since| now.since(since) / SECOND).max().unwrap_or_default();
        [
            at_most(Rule::MaxPositions, risk.max_positions, exposure.positions),
            at_most(Rule::OpenRisk, open_risk, exposure.open_risk.to_decimal()),
            per_order(Rule::OrderNotional, risk.max_order_notional.to_decimal()),
            RuleReading { of, ..at_most(Rule::InstrumentNotional, instrument, largest) },
            at_most(Rule::NetDirectional, times(risk.max_net_leverage), net),
            at_most(
                Rule::GrossNotional,
                times(risk.max_gross_leverage),
                exposure.gross.to_decimal(),
            ),
            per_order(Rule::PriceCollar, risk.collar_ratio),
            at_most(Rule::Unprotected, risk.max_unprotected_secs, bare),
        ]
    }

    fn largest_position(&self) -> (Option<String>, Decimal) {
        let notional = self.ledger.open_positions().filter_map(|(id, position)| {
            let market = self.markets.get(id.index()).filter(|market| !market.spec().is_spot())?;
            let price = market.mark_or_last(self.now)?;
            let notional = price.notional(position.net_qty().abs()).to_money().to_decimal();
            Some((Some(market.spec().symbol.clone()), notional))
        });
        notional.max_by_key(|(_, notional)| *notional).unwrap_or_default()
    }

    /// Perpetuals with order flow: what the rules of market quality are about.
    fn watched(&self) -> impl Iterator<Item = &MarketState> {
        self.markets.iter().filter(|m| !m.spec().is_spot() && m.indicators().is_some())
    }

    fn worst(
        &self,
        blank: RuleReading,
        read: impl Fn(&MarketState) -> Option<RuleReading>,
    ) -> RuleReading {
        let all = self.watched().filter_map(|market| {
            let of = Some(market.spec().symbol.clone());
            Some(RuleReading { of, ..read(market)? })
        });
        all.max_by_key(|reading| reading.used).unwrap_or(blank)
    }

    fn market_readings(&self) -> [RuleReading; 6] {
        let (risk, now) = (self.config.risk, self.now);
        let none = |rule, sense, limit: Decimal, missing: &str| {
            absent(reading(rule, sense, limit, None), missing)
        };
        let volume = risk.min_quote_volume_24h.to_decimal();
        let silence = Decimal::from(risk.max_mark_silence_secs);
        let (days, hours) = (risk.min_listed_days.into(), risk.delivery_close_hours.into());
        [
            self.worst(none(Rule::Spread, Sense::AtMost, risk.max_spread_bps, "quotes"), |m| {
                let bps = m.quoted_spread(now)? * Decimal::from(10_000);
                Some(at_most(Rule::Spread, risk.max_spread_bps, bps.round_dp(4)))
            }),
            self.worst(none(Rule::Volume24h, Sense::AtLeast, volume, "24 hours of trades"), |m| {
                let actual = m.quote_volume_24h()?.to_decimal();
                Some(reading(Rule::Volume24h, Sense::AtLeast, volume, Some(actual)))
            }),
            self.worst(none(Rule::Listing, Sense::AtLeast, days, "listing dates"), |m| {
                let age = now.since(m.spec().listed_at?) / DAY;
                Some(reading(Rule::Listing, Sense::AtLeast, days, Some(age.into())))
            }),
            self.worst(none(Rule::Delivery, Sense::AtLeast, hours, "no delivery announced"), |m| {
                let left = m.spec().delivery_at?.since(now) / HOUR;
                Some(reading(Rule::Delivery, Sense::AtLeast, hours, Some(left.into())))
            }),
            self.worst(none(Rule::StaleMark, Sense::AtMost, silence, "mark prices"), |m| {
                let age = m.inputs().mark_age(now)? / SECOND;
                Some(at_most(Rule::StaleMark, silence, age))
            }),
            self.worst(none(Rule::UnfilledGap, Sense::AtMost, Decimal::ZERO, "order flow"), |m| {
                Some(at_most(Rule::UnfilledGap, 0, i64::from(m.has_unfilled_hole())))
            }),
        ]
    }

    fn health_readings(&self) -> Vec<RuleReading> {
        let risk = &self.config.risk;
        let measured = self.guard.measured;
        let clock = |limit: u32, what: &str, part: fn((u32, u32, u32)) -> u32| {
            let actual = measured.clock.map(|clock| part(clock).into());
            let read = reading(Rule::Clock, Sense::AtMost, limit.into(), actual);
            RuleReading { of: Some(what.to_owned()), ..absent(read, "clock health") }
        };
        let silent = measured.silent_ms.map(Decimal::from);
        let limit = risk.max_connection_silence_ms.into();
        let connection = reading(Rule::StaleConnection, Sense::AtMost, limit, silent);
        let peg = measured.peg.map(|peg| (peg - Decimal::ONE).abs());
        let peg = reading(Rule::Peg, Sense::AtMost, risk.max_peg_deviation, peg);
        let log = measured.log.unwrap_or(FeedState::Up);
        vec![
            absent(connection, "connection health"),
            clock(risk.max_clock_uncertainty_ms, "uncertainty", |clock| clock.0),
            clock(risk.max_clock_step_ms, "step", |clock| clock.1),
            clock(risk.max_clock_offset_ms, "offset", |clock| clock.2),
            at_most(
                Rule::UnknownOutcomes,
                risk.max_unknown_outcomes,
                self.guard.unknown_outcomes(self.now),
            ),
            absent(peg, "USDT/USD price"),
            at_most(Rule::Log, 0, i64::from(log == FeedState::Down)),
        ]
    }

    fn conduct_readings(&self) -> Vec<RuleReading> {
        let (risk, now) = (&self.config.risk, self.now);
        let mut all = Vec::new();
        for (index, slot) in self.strategies.iter().enumerate() {
            let (orders, cancels) = self.guard.rates(index, now);
            let (orders, cancels) = (orders.min(9_999), cancels.min(9_999));
            let losses = match self.guard.paused_until(index, now) {
                Some(_) => risk.losing_streak,
                None => self.guard.losses(index),
            };
            all.extend(
                [
                    at_most(Rule::LosingStreak, risk.losing_streak, losses),
                    at_most(Rule::OrderRate, risk.max_orders_per_minute, orders),
                    at_most(Rule::CancelRate, risk.max_cancels_per_minute, cancels),
                ]
                .map(|reading| RuleReading { of: Some(slot.name.clone()), ..reading }),
            );
        }
        all
    }

    fn carry_readings(&self) -> Vec<RuleReading> {
        let (limits, account) = (&self.config.risk.carry, self.account());
        let exposure = self.carry_exposure();
        let held = exposure.spot.to_decimal();
        let loss = self.guard.carry_loss_today(account).max(Money::ZERO).to_decimal();
        let cap = account.equity.to_decimal() * limits.max_notional_ratio;
        let free = (account.margin_balance - account.maintenance).to_decimal();
        let distance = free.checked_div(exposure.short.to_decimal()).map(|ratio| ratio.round_dp(6));
        let distance =
            reading(Rule::LiquidationDistance, Sense::AtLeast, limits.reduce_distance, distance);
        let daily = held * limits.max_daily_loss_ratio;
        let daily = match held.is_zero() {
            true => absent(
                reading(Rule::CarryDailyLoss, Sense::AtMost, daily, None),
                "no carry pair is open",
            ),
            false => at_most(Rule::CarryDailyLoss, daily, loss),
        };
        vec![
            at_most(Rule::CarryNotional, cap, held),
            daily,
            absent(distance, "no carry pair is open"),
            per_order(Rule::Settlement, limits.settlement_quiet_secs),
        ]
    }
}

#[cfg(test)]
mod tests;
