//! The machine itself: what it is made of and how an event passes through it.
//!
//! Invariant: requests that are due act before the event is looked at, so an order never sees the
//! event that caused it. Updates of one event come in a fixed order: requests as they were made,
//! then liquidation, stops, takers, resting orders, each by id.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PaperConfig;
use super::catch_up::waits;
use super::desk::{Ages, Desk, Look, Phase, Working};
use super::fee::Fees;
use super::fill;
use super::latency::Requests;
use crate::config::{AccountConfig, EngineConfig};
use crate::event::{
    Backfill, Configure, Event, EventKind, FundingSettled, Gap, GapAccepted, Mark, Trade,
};
use crate::instrument::InstrumentId;
use crate::ledger::Ledger;
use crate::order::{
    ClientOrderId, Effect, Order, OrderEvent, OrderKind, OrderUpdate, TimeInForce, WorkingType,
};
use crate::time::{SECOND, Timestamp};

/// A simulated venue with an account of its own.
///
/// The host shows it every event before the engine, hands it the engine's orders and cancels, and
/// gives its updates to the engine as events right behind the event that caused them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaperVenue {
    pub(super) desks: Vec<Desk>,
    pub(super) requests: Requests,
    pub(super) ledger: Ledger,
    pub(super) paper: PaperConfig,
    pub(super) account: AccountConfig,
    pub(super) fees: Fees,
    ages: Ages,
    /// Every id there has ever been: one order per slot, for good.
    pub(super) seen: BTreeSet<ClientOrderId>,
    /// Orders one trade may reach, kept to save its allocation.
    #[serde(skip)]
    pub(super) plan: Vec<(u8, ClientOrderId)>,
}

impl PaperVenue {
    /// A venue for the instruments and the account of `config`, without orders or positions.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        let paper = config.paper;
        let ages = Ages {
            mark: i64::from(config.input_ages.mark_secs) * SECOND,
            quote: i64::from(paper.quote_max_age_ms) * (SECOND / 1_000),
        };
        let account = config.account;
        Self {
            desks: config.instruments.iter().map(|i| Desk::new(i, ages)).collect(),
            requests: Requests::new(paper.latency_ms),
            ledger: Ledger::new(account.initial_balance, config.instruments.len()),
            paper,
            account,
            ages,
            fees: Fees {
                maker: account.maker_fee,
                taker: account.taker_fee,
                spot: account.spot_fee,
                liquidation: paper.liquidation_fee,
            },
            seen: BTreeSet::new(),
            plan: Vec::new(),
        }
    }

    /// The account as the venue sees it.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// When a decision taken at `event` is taken: live waits at a grid time for late trades.
    #[must_use]
    pub fn decided_at(&self, event: &Event) -> Timestamp {
        match event.kind {
            EventKind::Tick(grid) => grid.plus(i64::from(self.paper.grid_grace_ms) * 1_000_000),
            _ => event.at,
        }
    }

    /// Takes an order that was decided at `decided_at`; it acts one latency later.
    pub fn submit(&mut self, order: &Order, decided_at: Timestamp) {
        self.requests.submit(*order, decided_at);
    }

    /// Takes a cancel that was decided at `decided_at`; it acts one latency later.
    ///
    /// An order that has ended by then answers nothing, because its end has been reported.
    pub fn cancel(&mut self, id: ClientOrderId, instrument: InstrumentId, decided_at: Timestamp) {
        self.requests.cancel(instrument, id, decided_at);
    }

    /// Takes back an order that was never sent after all; false once it has reached the venue.
    pub fn take_back(&mut self, id: ClientOrderId) -> bool {
        self.requests.take_back(id)
    }

    /// When the venue has something to say without a market event: the first request acts.
    #[inline]
    #[must_use]
    pub const fn next_wakeup(&self) -> Timestamp {
        self.requests.next()
    }

    /// Lets the requests act whose time has come.
    pub fn wake(&mut self, at: Timestamp, out: &mut Vec<OrderEvent>) {
        self.serve_requests(at, out);
    }

    /// Takes in an event and adds what it does to our orders to `out`.
    #[inline]
    pub fn on_event(&mut self, event: &Event, out: &mut Vec<OrderEvent>) {
        if event.at >= self.requests.next() {
            self.serve_requests(event.at, out);
        }
        match &event.kind {
            EventKind::Trade(trade) => self.on_trade(event.at, trade, out),
            _ => self.on_other(event, out),
        }
    }

    /// [`PaperVenue::on_event`] of a trade, without the event around it.
    #[inline]
    pub(crate) fn on_trade(&mut self, at: Timestamp, trade: &Trade, out: &mut Vec<OrderEvent>) {
        if at >= self.requests.next() {
            self.serve_requests(at, out);
        }
        // Archives contain trades of nothing, which fill nobody.
        if trade.qty.is_zero() {
            return self.on_empty_trade(at, trade, out);
        }
        let Some(desk) = self.desks.get_mut(trade.instrument.index()) else { return };
        if desk.on_trade(trade) == Look::Closer {
            self.on_watched_trade(at, trade, out);
        }
    }

    #[cold]
    fn on_empty_trade(&mut self, at: Timestamp, trade: &Trade, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(trade.instrument.index()) else { return };
        desk.catch_up.resume(trade.id);
        self.offer_held(at, trade.instrument, out);
    }

    fn on_other(&mut self, event: &Event, out: &mut Vec<OrderEvent>) {
        match &event.kind {
            EventKind::Quote(quote) => {
                if let Some(desk) = self.desks.get_mut(quote.instrument.index()) {
                    desk.quote = Some(*quote);
                }
            }
            EventKind::Mark(mark) => self.on_mark(event.at, mark, out),
            EventKind::Tick(at) => {
                self.desks.iter_mut().for_each(|desk| desk.tape.on_tick(*at));
                self.check_margin(event.at, out);
            }
            EventKind::Funding(settled) => {
                self.on_funding(settled);
                self.check_margin(event.at, out);
            }
            EventKind::Transfer(transfer) => {
                self.ledger.transfer(transfer.amount);
                self.check_margin(event.at, out);
            }
            EventKind::Gap(gap) => self.on_gap(*gap, out),
            EventKind::Backfill(backfill) => self.on_backfill(event.at, backfill, out),
            EventKind::GapAccepted(gap) => self.on_gap_accepted(event.at, *gap, out),
            EventKind::Configure(configure) => self.on_configure(configure),
            _ => {}
        }
    }

    /// Lists the instruments that a new configuration adds; what is listed keeps its rules.
    fn on_configure(&mut self, configure: &Configure) {
        let Ok(config) = EngineConfig::parse(configure) else { return };
        let added = config.instruments.iter().skip(self.desks.len());
        self.desks.extend(added.map(|instrument| Desk::new(instrument, self.ages)));
        self.ledger.resize(self.desks.len());
    }

    fn on_mark(&mut self, at: Timestamp, mark: &Mark, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(mark.instrument.index()) else { return };
        desk.mark = Some(*mark);
        if !desk.margin.contains(mark.mark_price) {
            self.check_margin(at, out);
        }
        let Some(desk) = self.desks.get_mut(mark.instrument.index()) else { return };
        for working in &mut desk.working {
            let Order { id, instrument, side, kind, .. } = working.order;
            let OrderKind::StopMarket { stop_price, working_type: WorkingType::MarkPrice } = kind
            else {
                continue;
            };
            let armed = working.phase == Phase::Armed && working.since <= mark.ts;
            if armed && fill::is_reached(side, stop_price, mark.mark_price) {
                working.phase = Phase::Taking;
                working.since = mark.ts;
                out.push(OrderEvent { id, instrument, update: OrderUpdate::Triggered });
            }
        }
        desk.rewatch();
    }

    fn on_funding(&mut self, settled: &FundingSettled) {
        let Some(desk) = self.desks.get(settled.instrument.index()) else { return };
        let mark = settled.mark_price.or_else(|| desk.tape.price_at(settled.funding_time));
        if let Some(mark) = mark {
            self.ledger.apply_funding(settled, mark);
        }
    }

    /// Orders that wait meet no trade until the missing ones are known. Immediate orders that open
    /// risk end unfilled: the trade that would have filled them is among those that were missed,
    /// and the present is not the market they were made for.
    fn on_gap(&mut self, gap: Gap, out: &mut Vec<OrderEvent>) {
        let Gap { instrument, after_id } = gap;
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        desk.catch_up.lose(after_id);
        let is_missed = |working: &Working| {
            let Order { effect, kind, .. } = working.order;
            let immediate =
                matches!(kind, OrderKind::Limit { time_in_force: TimeInForce::Ioc, .. });
            working.phase == Phase::Taking && effect == Effect::Open && immediate
        };
        let missed = desk.working.iter().filter(|working| is_missed(working));
        let missed: Vec<ClientOrderId> = missed.map(|working| working.order.id).collect();
        for id in missed {
            desk.remove(id);
            out.push(OrderEvent { id, instrument, update: OrderUpdate::Expired });
        }
        desk.rewatch();
    }

    /// Trades found late fill only what was waiting at the venue when they happened.
    fn on_backfill(&mut self, at: Timestamp, backfill: &Backfill, out: &mut Vec<OrderEvent>) {
        for trade in &backfill.trades {
            if !trade.qty.is_zero() {
                self.match_orders(at, trade, waits, out);
            }
            if let Some(desk) = self.desks.get_mut(trade.instrument.index()) {
                desk.catch_up.find(trade.id);
            }
        }
        self.offer_held(at, backfill.instrument, out);
    }

    fn on_gap_accepted(&mut self, at: Timestamp, gap: GapAccepted, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(gap.instrument.index()) else { return };
        desk.catch_up.accept(gap.next_id);
        self.offer_held(at, gap.instrument, out);
    }
}
