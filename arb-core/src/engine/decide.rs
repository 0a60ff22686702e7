//! Strategies look, the gate judges, and every decision is told with its reason.

use rust_decimal::Decimal;

use super::{Core, Presence};
use crate::event::{Direction, Event, EventKind, Phase, Side};
use crate::instrument::InstrumentId;
use crate::market::InputName;
use crate::num::Money;
use crate::order::Purpose;
use crate::output::{Output, Signal};
use crate::risk::{Gate, Proposal, Refusal};
use crate::strategy::{
    Context, Decision, Entry, EntryCosts, Exit, Intent, Interest, OpenPair, Reason,
};
use crate::time::Timestamp;
use crate::trade::{CloseReason, DirectionalTrade, Plan, levels};

impl Core {
    /// Asks every strategy about every instrument that has a row at this tick.
    pub(super) fn decide(&mut self, event: &Event, at: Timestamp, out: &mut Vec<Output>) {
        if self.strategies.is_empty() {
            return;
        }
        for index in 0..self.markets.len() {
            let Some(market) = self.markets.get(index) else { continue };
            // Strategies decide about perpetuals and see their spot markets beside them.
            if market.spec().is_spot() {
                continue;
            }
            if market.indicators().is_none_or(|row| row.time != at) {
                continue;
            }
            if self.phase == Phase::Live {
                self.presence.count(|name| market.inputs().is_present(name, at));
            }
            let instrument = InstrumentId(u16::try_from(index).unwrap_or(u16::MAX));
            self.call_strategies(event, instrument, Interest::Grid, out);
        }
    }

    /// Calls the strategies that want such an event, and acts on what they want.
    pub(super) fn call_strategies(
        &mut self,
        event: &Event,
        instrument: InstrumentId,
        needed: Interest,
        out: &mut Vec<Output>,
    ) {
        let wanted = |interest: Interest| match needed {
            Interest::Grid => true,
            Interest::Trades => interest != Interest::Grid,
            Interest::Quotes => interest == Interest::Quotes,
        };
        let now = match event.kind {
            EventKind::Tick(at) => at,
            _ => event.at,
        };
        if needed == Interest::Trades
            && let Some(market) = self.markets.get_mut(instrument.index())
        {
            market.advance(now);
        }
        let mut intents = std::mem::take(&mut self.intents);
        for index in 0..self.strategies.len() {
            if self.strategies.get(index).is_some_and(|slot| wanted(slot.interest)) {
                self.call(index, event, (instrument, now), &mut intents);
                if self.phase == Phase::WarmUp {
                    intents.clear();
                }
                for intent in intents.drain(..) {
                    self.on_intent(index, intent, out);
                }
            }
        }
        self.intents = intents;
    }

    pub(super) fn call(
        &mut self,
        index: usize,
        event: &Event,
        (instrument, now): (InstrumentId, Timestamp),
        intents: &mut Vec<Intent>,
    ) {
        let costs = self.entry_costs(instrument, now);
        let position = self.own_direction(index, instrument);
        let carry = self.carry.position_of(index, instrument);
        let (Some(slot), Some(market)) =
            (self.strategies.get_mut(index), self.markets.get(instrument.index()))
        else {
            return;
        };
        let cx = Context {
            now,
            instrument,
            markets: &self.markets,
            market,
            position,
            cool_down_until: slot.cool_down.get(instrument.index()).copied().flatten(),
            costs,
            spot: self.carry.spot_of(instrument),
            carry,
            limits: self.config.risk.carry,
        };
        slot.strategy.on_event(&cx, event, intents);
    }

    fn own_direction(&self, strategy: usize, instrument: InstrumentId) -> Option<Direction> {
        let trade = self.trades.get(instrument.index())?.as_ref()?;
        (trade.plan.strategy == Some(strategy)).then_some(trade.plan.direction)
    }

    fn entry_costs(&self, instrument: InstrumentId, now: Timestamp) -> EntryCosts {
        let account = &self.config.account;
        let market = self.markets.get(instrument.index());
        EntryCosts {
            taker_fee: account.taker_fee,
            slippage: account.slippage,
            spread: market.map_or(Decimal::ZERO, |market| market.spread(now)),
            spot_fee: account.spot_fee,
        }
    }

    fn on_intent(&mut self, strategy: usize, intent: Intent, out: &mut Vec<Output>) {
        match intent {
            Intent::Observe(decision) => self.signal(strategy, *decision, out),
            Intent::Exit(exit) => self.on_exit(strategy, *exit, out),
            Intent::Enter(entry) => {
                let Entry { mut decision, side, bracket, risk_r, cool_down_ms } = *entry;
                let wish = Wish { side, bracket, risk_r };
                match self.enter(strategy, &decision, wish, out) {
                    Ok(()) => self.cool_down(strategy, decision.instrument, cool_down_ms),
                    Err(refusal) => {
                        decision.reason = Reason::Risk(refusal);
                    }
                }
                self.signal_quietly(strategy, decision, cool_down_ms, out);
            }
            Intent::OpenPair(open) => {
                let OpenPair { notional_ratio, cool_down_ms, mut decision } = *open;
                match self.open_pair(strategy, decision.instrument, notional_ratio, out) {
                    Ok(()) => self.cool_down(strategy, decision.instrument, cool_down_ms),
                    Err(refusal) => decision.reason = Reason::Risk(refusal),
                }
                self.signal_quietly(strategy, decision, cool_down_ms, out);
            }
            Intent::ClosePair(close) => {
                let instrument = close.decision.instrument;
                if self.carry.position_of(strategy, instrument).is_some() {
                    self.close_pair(instrument, close.reason, out);
                }
                self.signal(strategy, close.decision, out);
            }
        }
    }

    fn on_exit(&mut self, strategy: usize, exit: Exit, out: &mut Vec<Output>) {
        if self.own_direction(strategy, exit.instrument).is_some() {
            self.close_trade(exit.instrument, CloseReason::SignalFlip, out);
        }
        self.signal(strategy, exit.decision, out);
    }

    fn cool_down(&mut self, strategy: usize, instrument: InstrumentId, millis: u64) {
        let until = self.now.plus(nanos(millis));
        let slot = self.strategies.get_mut(strategy);
        if let Some(end) = slot.and_then(|slot| slot.cool_down.get_mut(instrument.index())) {
            *end = Some(until);
        }
    }

    fn enter(
        &mut self,
        strategy: usize,
        decision: &Decision,
        wish: Wish,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let index = decision.instrument.index();
        let owned = self.carry.owns(decision.instrument);
        if owned || self.trades.get(index).is_none_or(Option::is_some) {
            return Err(Refusal::InstrumentOwned);
        }
        let (plan, proposal) = self.plan(strategy, decision, &wish)?;
        let market = self.markets.get(index).ok_or(Refusal::NoMarket)?;
        let gate = Gate {
            config: &self.config.risk,
            guard: &self.guard,
            market,
            exposure: self.exposure(),
            account: self.account(),
            r_unit: self.r_unit,
            now: self.now,
        };
        let approved = gate.approve(&proposal)?;
        self.next_intent += 1;
        if let Some(slot) = self.trades.get_mut(index) {
            *slot = Some(Box::new(DirectionalTrade::new(plan, proposal.price)));
        }
        self.submit(approved, Some(strategy), out);
        Ok(())
    }

    fn plan(
        &self,
        strategy: usize,
        decision: &Decision,
        wish: &Wish,
    ) -> Result<(Plan, Proposal), Refusal> {
        let (instrument, side) = (decision.instrument, wish.side);
        let market = self.markets.get(instrument.index()).ok_or(Refusal::NoMarket)?;
        let name = self.strategies.get(strategy).map(|slot| slot.name.clone());
        let costs = self.entry_costs(instrument, self.now);
        let usable = !market.is_quarantined();
        let price = market.last_price().filter(|_| usable).ok_or(Refusal::NoMarket)?;
        let (spec, spread) = (market.spec(), f64_of(costs.spread));
        let stop_distance =
            levels::stop_distance(&wish.bracket, price.to_f64_lossy(), spec.tick_size, spread)
                .ok_or(Refusal::NoMarket)?;
        let plan = Plan {
            run: self.config.run,
            intent: self.next_intent,
            strategy: Some(strategy),
            strategy_name: name.unwrap_or_default(),
            instrument,
            direction: if side == Side::Buy { Direction::Long } else { Direction::Short },
            bracket: wish.bracket,
            stop_distance,
            spread,
            tick_size: spec.tick_size,
            lot_size: spec.lot_size,
            exit_costs: costs.taker_fee + costs.slippage,
            working_type: self.config.working_type,
            max_unprotected_secs: self.config.risk.max_unprotected_secs,
            tier: decision.tier,
            score: decision.score,
        };
        let proposal = Proposal {
            id: plan.id(Purpose::Entry, 0),
            strategy,
            instrument,
            side,
            price,
            stop_distance,
            budget: self.r_unit.times(wish.risk_r),
            fees: costs.taker_fee * Decimal::TWO,
        };
        Ok((plan, proposal))
    }

    /// A signal for an entry; a refused one is told to notifiers once within its cool-down.
    fn signal_quietly(
        &mut self,
        strategy: usize,
        decision: Decision,
        cool_down_ms: u64,
        out: &mut Vec<Output>,
    ) {
        let refused = matches!(decision.reason, Reason::Risk(_));
        let (now, until) = (self.now, self.now.plus(nanos(cool_down_ms)));
        let slot = self.strategies.get_mut(strategy);
        let quiet = slot.and_then(|s| s.quiet_until.get_mut(decision.instrument.index()));
        let repeated = quiet.as_ref().is_some_and(|end| end.is_some_and(|end| now < end));
        if let Some(end) = quiet.filter(|_| refused && !repeated) {
            *end = Some(until);
        }
        self.push_signal(strategy, decision, !(refused && repeated), out);
    }

    fn signal(&mut self, strategy: usize, decision: Decision, out: &mut Vec<Output>) {
        let notify = matches!(decision.reason, Reason::SignalFlip | Reason::ClosePair(_));
        self.push_signal(strategy, decision, notify, out);
    }

    fn push_signal(
        &mut self,
        strategy: usize,
        decision: Decision,
        notify: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(slot) = self.strategies.get_mut(strategy) else { return };
        let index = decision.instrument.index();
        let told = decision.tier.is_some() || self.config.record == crate::config::Record::All;
        let signal = Box::new(Signal {
            strategy: slot.name.clone(),
            config_hash: self.hash.clone(),
            fired: decision.reason == Reason::Entry,
            notify,
            decision,
        });
        if let Some(latest) = slot.latest.get_mut(index) {
            *latest = Some(signal.clone());
        }
        if told {
            out.push(Output::Signal(signal));
        }
    }
}

/// The parts of an entry that are not its reason.
#[derive(Clone, Copy, Debug)]
struct Wish {
    side: Side,
    bracket: crate::strategy::Bracket,
    risk_r: Decimal,
}

impl Presence {
    fn count(&mut self, present: impl Fn(InputName) -> bool) {
        self.decisions += 1;
        for (name, count) in InputName::ALL.into_iter().zip(&mut self.present) {
            *count += u64::from(present(name));
        }
    }
}

fn nanos(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

fn f64_of(value: Decimal) -> f64 {
    Money::round(value).to_f64_lossy()
}
