//! The watch over open trades and the account: time-outs, missing stops, limits, commands.

use super::Core;
use crate::event::Command;
use crate::instrument::{Instrument, InstrumentId};
use crate::market::MarketState;
use crate::order::{Book, Purpose};
use crate::output::{Output, RiskNote, RuleOff};
use crate::risk::{Equity, Exposure, GuardEvent, Rule};
use crate::time::{HOUR, Timestamp};
use crate::trade::CloseReason;

impl Core {
    /// What a tick does before any strategy looks.
    pub(super) fn watch(&mut self, at: Timestamp, out: &mut Vec<Output>) {
        let mut actions = Vec::new();
        for index in 0..self.trades.len() {
            let Some(Some(trade)) = self.trades.get_mut(index) else { continue };
            trade.on_tick(at, &mut actions);
            let instrument = trade.plan.instrument;
            self.act(instrument, &mut actions, out);
            if self.is_near_delivery(instrument, at) {
                self.close_trade(instrument, CloseReason::Flatten, out);
            }
        }
        self.watch_pairs(out);
        self.guard.roll_day(at, self.account());
        self.check_account(out);
    }

    pub(super) fn is_near_delivery(&self, instrument: InstrumentId, at: Timestamp) -> bool {
        let spec = self.markets.get(instrument.index()).map(MarketState::spec);
        let left = i64::from(self.config.risk.delivery_close_hours) * HOUR;
        spec.and_then(|spec| spec.delivery_at).is_some_and(|delivery| delivery.since(at) <= left)
    }

    /// Compares the account with its limits and acts on what trips.
    pub(super) fn check_account(&mut self, out: &mut Vec<Output>) {
        let account = self.account();
        let tripped = self.guard.check(&self.config.risk, self.r_unit, account);
        self.report(tripped, out);
    }

    pub(super) fn report(&mut self, tripped: Option<GuardEvent>, out: &mut Vec<Output>) {
        let Some(GuardEvent { trip, flatten }) = tripped else { return };
        self.risk_note(Some(trip), String::new(), out);
        if flatten {
            self.flatten(out);
        }
    }

    pub(super) fn risk_note(
        &self,
        trip: Option<crate::risk::Trip>,
        reason: String,
        out: &mut Vec<Output>,
    ) {
        let state = self.guard.state();
        let note = RiskNote { at: self.now, state, trip, reason, strategy: None };
        out.push(Output::Risk(Box::new(note)));
    }

    /// Cancels entries and closes every directional trade; stops rest until the venue says zero.
    fn flatten(&mut self, out: &mut Vec<Output>) {
        for index in 0..self.trades.len() {
            let Some(Some(trade)) = self.trades.get(index) else { continue };
            let instrument = trade.plan.instrument;
            let entry = trade.plan.id(Purpose::Entry, 0);
            if self.orders.contains_key(&entry) {
                out.push(Output::Cancel { id: entry, instrument });
            }
            self.close_trade(instrument, CloseReason::Flatten, out);
        }
    }

    pub(super) fn on_command(&mut self, command: &Command, out: &mut Vec<Output>) {
        let reason = match command {
            Command::Pause => {
                self.guard.paused = true;
                "paused by an operator".to_owned()
            }
            Command::Resume => {
                self.guard.paused = false;
                "resumed by an operator".to_owned()
            }
            Command::Reset { reason } => {
                self.guard.reset(self.account());
                self.carry.forgive();
                reason.clone()
            }
            Command::Halt { reason } => {
                self.guard.halt();
                reason.clone()
            }
            Command::Flatten(book) => {
                if *book != Some(Book::Carry) {
                    self.flatten(out);
                }
                if *book != Some(Book::Directional) {
                    self.close_all_pairs("operator", out);
                }
                "flattened by an operator".to_owned()
            }
        };
        self.risk_note(None, reason, out);
    }

    /// Equity and margins, perpetuals at mark or at the last price where there is no mark, coins at
    /// the bid.
    pub(super) fn account(&self) -> Equity {
        let now = self.now;
        let market = |id: InstrumentId| self.markets.get(id.index());
        let spec = |id: InstrumentId| market(id).map(MarketState::spec);
        let is_spot = |id: InstrumentId| spec(id).is_some_and(Instrument::is_spot);
        let coins = |id: InstrumentId| market(id).filter(|_| is_spot(id))?.bid(now);
        let futures = |id: InstrumentId| market(id).filter(|_| !is_spot(id))?.mark_or_last(now);
        let price = |id: InstrumentId| coins(id).or_else(|| futures(id));
        let leverage = |id, notional| {
            let allowed = spec(id).and_then(|spec| spec.bracket(notional)).map(|b| b.max_leverage);
            self.config.account.leverage.min(allowed.unwrap_or(u16::MAX))
        };
        let equity = self.ledger.equity(price);
        let maintenance = self.ledger.open_positions().filter_map(|(id, position)| {
            let notional = futures(id)?.notional(position.net_qty().abs()).to_money();
            Some(spec(id)?.maintenance_margin(notional))
        });
        Equity {
            equity,
            carry_pnl: self.carry_pnl(),
            margin_balance: equity - self.ledger.holdings(coins),
            reserved: self.carry_reserve(),
            maintenance: maintenance.sum(),
            initial_margin: self.ledger.initial_margin(futures, leverage),
        }
    }

    /// What the directional book has open or on its way.
    pub(super) fn exposure(&self) -> Exposure {
        let mut exposure = Exposure::default();
        for trade in self.trades.iter().flatten() {
            let instrument = trade.plan.instrument;
            let market = self.markets.get(instrument.index());
            let Some(price) = market.and_then(|m| m.mark_or_last(self.now)) else { continue };
            let entry = self.orders.get(&trade.plan.id(Purpose::Entry, 0));
            let working = entry.map(|state| state.remaining()).unwrap_or_default();
            let qty = trade.open_qty().checked_add(working).unwrap_or(trade.open_qty());
            let notional = price.notional(qty).to_money();
            exposure.positions += 1;
            exposure.open_risk += trade.stop_risk(working, price);
            exposure.gross += notional;
            exposure.net += match trade.plan.direction {
                crate::event::Direction::Long => notional,
                crate::event::Direction::Short => -notional,
            };
        }
        exposure
    }

    /// The rules that could not be checked with the data seen so far.
    pub(super) fn rules_off(&self) -> Vec<RuleOff> {
        let off = |rule, missing| RuleOff { rule, missing };
        let mut rules: Vec<RuleOff> =
            self.guard.unmeasured().map(|(rule, missing)| off(rule, missing)).collect();
        // A rule that one instrument cannot be held to is off.
        let all = |seen: &dyn Fn(&MarketState) -> bool| self.markets.iter().all(seen);
        let perps = |seen: &dyn Fn(&MarketState) -> bool| {
            self.markets.iter().filter(|market| !market.spec().is_spot()).all(seen)
        };
        if !all(&|market| market.has_quote()) {
            rules.push(off(Rule::Spread, "quotes; the configured spread is used"));
        }
        if !perps(&|market| market.inputs().mark_age(self.now).is_some()) {
            rules.push(off(Rule::StaleMark, "mark prices; the last price stands in"));
        }
        if !all(&|market| market.quote_volume_24h().is_some()) {
            rules.push(off(Rule::Volume24h, "24 hours of trades"));
        }
        if !all(&|market| market.spec().listed_at.is_some()) {
            rules.push(off(Rule::Listing, "the listing date"));
        }
        if !perps(&|market| market.spec().delivery_at.is_some()) {
            rules.push(off(Rule::Delivery, "delivery dates"));
        }
        rules.sort_by_key(|rule| rule.rule);
        rules
    }
}
