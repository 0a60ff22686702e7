//! Own orders: what the venue says reaches the ledger, the trade and the guard, in this order.

use super::Core;
use crate::event::Event;
use crate::instrument::InstrumentId;
use crate::num::Money;
use crate::order::{
    Book, ClientOrderId, Fill, OrderEvent, OrderState, OrderStatus, OrderUpdate, Purpose, Role,
};
use crate::output::{Output, RiskNote};
use crate::risk::Approved;
use crate::trade::{Action, CloseReason};

impl Core {
    /// Sends an approved order and remembers it.
    pub(super) fn submit(
        &mut self,
        approved: Approved,
        strategy: Option<usize>,
        out: &mut Vec<Output>,
    ) {
        let order = *approved.order();
        self.orders.insert(order.id, OrderState::submitted(order));
        self.guard.on_order(strategy, self.now);
        out.push(Output::Submit(Box::new(approved)));
    }

    /// Sends what a trade wants; everything a trade wants only reduces.
    pub(super) fn act(
        &mut self,
        instrument: InstrumentId,
        actions: &mut Vec<Action>,
        out: &mut Vec<Output>,
    ) {
        let strategy = match self.trades.get(instrument.index()) {
            Some(Some(trade)) => trade.plan.strategy,
            _ => None,
        };
        for action in actions.drain(..) {
            match action {
                Action::Submit(order) => self.submit(Approved::reducing(order), strategy, out),
                Action::Cancel(id) => {
                    let rests = |state: &OrderState| state.status != OrderStatus::Done;
                    if self.orders.get(&id).is_some_and(rests) {
                        self.guard.on_cancel(strategy, self.now);
                        out.push(Output::Cancel { id, instrument });
                    }
                }
            }
        }
    }

    pub(super) fn on_order(&mut self, event: &Event, update: &OrderEvent, out: &mut Vec<Output>) {
        let OrderEvent { id, instrument, update } = update;
        if let OrderUpdate::Filled(fill) = update
            && !self.book(*instrument, fill, out)
        {
            return;
        }
        let done = self.orders.get_mut(id).is_some_and(|state| {
            state.apply(update);
            state.status == OrderStatus::Done
        });
        if *update == OrderUpdate::Unknown {
            let tripped = self.guard.on_unknown(&self.config.risk, event.at);
            self.report(tripped, out);
        }
        match id.book {
            Book::Directional => self.update_trade(*id, *instrument, (update, done), out),
            Book::Carry => self.update_pair(*id, *instrument, (update, done), out),
        }
        if done {
            self.orders.remove(id);
        }
        if matches!(update, OrderUpdate::Filled(_)) {
            self.check_account(out);
        }
    }

    /// Books a fill; on arithmetic out of range the instrument is quarantined.
    fn book(&mut self, instrument: InstrumentId, fill: &Fill, out: &mut Vec<Output>) -> bool {
        let Ok(booked) = self.ledger.apply_fill(instrument, fill) else {
            if let Some(market) = self.markets.get_mut(instrument.index()) {
                market.quarantine(out);
            }
            return false;
        };
        let slippage = match fill.role {
            Role::Maker => Money::ZERO,
            Role::Taker => {
                fill.price.notional(fill.qty).to_money().times(self.config.account.slippage)
            }
        };
        self.guard.on_costs(fill.fee + slippage);
        if let Some(Some(trade)) = self.trades.get_mut(instrument.index()) {
            trade.add_pnl(booked.realised);
        }
        true
    }

    fn update_trade(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        (update, done): (&OrderUpdate, bool),
        out: &mut Vec<Output>,
    ) {
        let index = instrument.index();
        let last = self.markets.get(index).and_then(|market| market.last_price());
        let Some(Some(trade)) = self.trades.get_mut(index) else { return };
        if trade.plan.intent != id.intent {
            return;
        }
        let mut actions = Vec::new();
        let before = trade.open_qty();
        trade.on_order(id, update, last, &mut actions);
        if id.purpose == Purpose::Entry && done {
            trade.on_entry_over(&mut actions);
        }
        let changed = trade.open_qty() != before || trade.stop_moved(&actions);
        if changed {
            out.push(Output::Trade(Box::new(trade.note())));
        }
        let over = trade.is_over();
        if over && !trade.has_entered() {
            let (strategy, update) = (trade.plan.strategy_name.clone(), *update);
            out.push(Output::Unfilled { id, instrument, strategy, update });
        }
        self.act(instrument, &mut actions, out);
        if over {
            self.end_trade(instrument, out);
        }
    }

    fn end_trade(&mut self, instrument: InstrumentId, out: &mut Vec<Output>) {
        let Some(Some(trade)) = self.trades.get_mut(instrument.index()).map(Option::take) else {
            return;
        };
        if !trade.has_entered() {
            return;
        }
        let strategy = trade.plan.strategy;
        let paused =
            self.guard.on_trade_closed(&self.config.risk, strategy, trade.net_result(), self.now);
        if paused {
            out.push(Output::Risk(Box::new(RiskNote {
                at: self.now,
                state: self.guard.state(),
                trip: None,
                reason: "losses in a row".to_owned(),
                strategy: Some(trade.plan.strategy_name.clone()),
            })));
        }
    }

    pub(super) fn retry_break_even(&mut self, instrument: InstrumentId, out: &mut Vec<Output>) {
        let index = instrument.index();
        let last = self.markets.get(index).and_then(|market| market.last_price());
        let Some(Some(trade)) = self.trades.get_mut(index) else { return };
        let mut actions = Vec::new();
        trade.try_break_even(last, &mut actions);
        if !actions.is_empty() {
            out.push(Output::Trade(Box::new(trade.note())));
        }
        self.act(instrument, &mut actions, out);
    }

    pub(super) fn close_trade(
        &mut self,
        instrument: InstrumentId,
        reason: CloseReason,
        out: &mut Vec<Output>,
    ) {
        let Some(Some(trade)) = self.trades.get_mut(instrument.index()) else { return };
        let mut actions = Vec::new();
        trade.close(reason, &mut actions);
        self.act(instrument, &mut actions, out);
    }
}
