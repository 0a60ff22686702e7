//! The carry book: pairs find their markets, risk approves their slices, and the account's distance
//! from liquidation is watched.
//!
//! Invariant: an instrument has one owner. Nothing here sends one leg alone, except to make the
//! legs equal again.

mod watch;

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use super::Core;
use crate::carry::quantities::{Lots, SpotOf, spot_markets};
use crate::carry::{CarryPair, LegOf, Mood, PairPlan, PairPrices, Wish};
use crate::config::EngineConfig;
use crate::event::Side;
use crate::instrument::InstrumentId;
use crate::num::{Money, Qty};
use crate::order::{ClientOrderId, Effect, Order, OrderKind, OrderUpdate, Purpose, TimeInForce};
use crate::output::{CarryNote, Output};
use crate::risk::{Approved, CarryExposure, PairGate, Refusal, Rule, collar};
use crate::strategy::CarryPosition;
use crate::time::{SECOND, Timestamp};

/// The pairs and what they have earned.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CarryBook {
    /// The spot market of each perpetual.
    spots: Vec<Option<SpotOf>>,
    /// The pair of each perpetual.
    pairs: Vec<Option<Box<CarryPair>>>,
    /// The perpetual whose pair holds each spot market.
    holders: Vec<Option<InstrumentId>>,
    closed_pnl: Money,
    busy: bool,
    halved_at: Option<Timestamp>,
    /// An order's outcome was never learned: no new carry until an operator resets.
    unknown: bool,
}

impl CarryBook {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let mut book = Self {
            spots: Vec::new(),
            pairs: Vec::new(),
            holders: Vec::new(),
            closed_pnl: Money::ZERO,
            busy: false,
            halved_at: None,
            unknown: false,
        };
        book.reconfigure(config);
        book
    }

    /// Makes room for instruments that a configuration adds.
    pub(super) fn reconfigure(&mut self, config: &EngineConfig) {
        let specs: Vec<_> = config.instruments.iter().map(|i| &i.spec).collect();
        self.spots = spot_markets(&specs);
        self.pairs.resize_with(specs.len(), || None);
        self.holders.resize(specs.len(), None);
    }

    /// Whether some pair waits for an order or stands on one leg.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }

    pub(super) fn spot_of(&self, perp: InstrumentId) -> Option<SpotOf> {
        self.spots.get(perp.index()).copied().flatten()
    }

    fn pair(&self, perp: InstrumentId) -> Option<&CarryPair> {
        self.pairs.get(perp.index())?.as_deref()
    }

    fn pair_mut(&mut self, perp: InstrumentId) -> Option<&mut CarryPair> {
        self.pairs.get_mut(perp.index())?.as_deref_mut()
    }

    fn open(&self) -> impl Iterator<Item = &CarryPair> {
        self.pairs.iter().filter_map(Option::as_deref)
    }

    /// Whether a pair trades the instrument, as either leg.
    pub(super) fn owns(&self, instrument: InstrumentId) -> bool {
        let holds = self.holders.get(instrument.index()).copied().flatten();
        self.pair(instrument).is_some() || holds.is_some()
    }

    pub(super) fn position_of(&self, strategy: usize, perp: InstrumentId) -> Option<CarryPosition> {
        let pair = self.pair(perp).filter(|pair| pair.plan.strategy == Some(strategy))?;
        Some(CarryPosition {
            opened_at: pair.opened_at,
            perp_qty: pair.contracts(),
            spot_qty: pair.coins(),
            entry_basis_bps: pair.entry_basis_bps(),
            is_closing: pair.is_closing(),
        })
    }

    /// Gives pairs to the strategies at the places of their names; tells those that nobody takes.
    pub(super) fn give_to(&mut self, place: impl Fn(&str) -> Option<usize>) -> Vec<InstrumentId> {
        let mut left = Vec::new();
        for pair in self.pairs.iter_mut().flatten() {
            pair.plan.strategy = place(&pair.plan.strategy_name);
            if pair.plan.strategy.is_none() {
                left.push(pair.plan.perp);
            }
        }
        left
    }

    pub(super) fn add_funding(&mut self, perp: InstrumentId, paid: Money) {
        if let Some(pair) = self.pair_mut(perp) {
            pair.add_funding(paid);
        }
    }

    /// An operator has looked at what was unknown.
    pub(super) const fn forgive(&mut self) {
        self.unknown = false;
    }
}

impl Core {
    /// Approves a pair and sends its first slice.
    pub(super) fn open_pair(
        &mut self,
        strategy: usize,
        perp: InstrumentId,
        notional_ratio: Decimal,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let missing =
            Refusal::Limit { rule: Rule::SpotMarket, limit: Decimal::ONE, actual: Decimal::ZERO };
        let SpotOf { spot, multiplier } = self.carry.spot_of(perp).ok_or(missing)?;
        let directional = self.trades.get(perp.index()).is_none_or(Option::is_some);
        if directional || self.carry.owns(perp) || self.carry.owns(spot) {
            return Err(Refusal::InstrumentOwned);
        }
        if self.carry.unknown {
            let (limit, actual) = (Decimal::ZERO, Decimal::ONE);
            return Err(Refusal::Limit { rule: Rule::CarryUnknown, limit, actual });
        }
        if self.mood(perp) == Mood::Quiet {
            let limit = self.config.risk.carry.settlement_quiet_secs.into();
            let actual = (self.time_around_settlement(perp) / SECOND).into();
            return Err(Refusal::Limit { rule: Rule::Settlement, limit, actual });
        }
        let market = |id: InstrumentId| self.markets.get(id.index()).ok_or(Refusal::NoMarket);
        let (perp_spec, spot_spec) = (market(perp)?.spec(), market(spot)?.spec());
        let lots = Lots::new(perp_spec, spot_spec, multiplier, self.config.account.spot_fee)
            .ok_or(Refusal::NoMarket)?;
        let gate = self.pair_gate(perp, spot, strategy)?;
        let target = gate.size(self.account().equity.times(notional_ratio), &lots)?;
        let name = self.strategies.get(strategy).map(|slot| slot.name.clone());
        let plan = PairPlan {
            run: self.config.run,
            intent: self.next_intent,
            strategy: Some(strategy),
            strategy_name: name.unwrap_or_default(),
            perp,
            spot,
            lots,
            limits: self.config.risk.carry,
        };
        let pair = CarryPair::new(plan, target, self.now);
        self.next_intent += 1;
        if let Some(slot) = self.carry.pairs.get_mut(perp.index()) {
            *slot = Some(Box::new(pair));
        }
        if let Some(holder) = self.carry.holders.get_mut(spot.index()) {
            *holder = Some(perp);
        }
        self.advance_pair(perp, out);
        Ok(())
    }

    fn pair_gate(
        &self,
        perp: InstrumentId,
        spot: InstrumentId,
        strategy: usize,
    ) -> Result<PairGate<'_>, Refusal> {
        let market = |id: InstrumentId| self.markets.get(id.index()).ok_or(Refusal::NoMarket);
        Ok(PairGate {
            config: &self.config.risk,
            guard: &self.guard,
            perp: market(perp)?,
            spot: market(spot)?,
            account: self.account(),
            exposure: self.carry_exposure(),
            strategy,
            now: self.now,
        })
    }

    pub(super) fn carry_exposure(&self) -> CarryExposure {
        let mut exposure = CarryExposure::default();
        for pair in self.carry.open() {
            let Some(prices) = self.pair_prices(&pair.plan) else { continue };
            exposure.spot += prices.spot_bid.notional(pair.wanted_coins()).to_money();
            exposure.short += prices.perp_ask.notional(pair.wanted_contracts()).to_money();
        }
        exposure
    }

    /// What the pairs have still to pay for coins.
    pub(super) fn carry_reserve(&self) -> Money {
        let missing = self.carry.open().filter_map(|pair| {
            let ask = self.markets.get(pair.plan.spot.index())?.ask(self.now)?;
            let coins = pair.wanted_coins().saturating_sub(pair.coins());
            Some(ask.notional(coins).to_money())
        });
        missing.sum()
    }

    fn pair_prices(&self, plan: &PairPlan) -> Option<PairPrices> {
        let perp = self.markets.get(plan.perp.index())?;
        let spot = self.markets.get(plan.spot.index())?;
        Some(PairPrices {
            perp_bid: perp.bid(self.now)?,
            perp_ask: perp.ask(self.now)?,
            spot_bid: spot.bid(self.now)?,
            spot_ask: spot.ask(self.now)?,
        })
    }

    /// Looks again at the pair that trades the instrument, as either leg.
    pub(super) fn advance_pair_of(&mut self, instrument: InstrumentId, out: &mut Vec<Output>) {
        let holder = self.carry.holders.get(instrument.index()).copied().flatten();
        let perp = holder.unwrap_or(instrument);
        if self.carry.pair(perp).is_some_and(CarryPair::is_busy) {
            self.advance_pair(perp, out);
        }
    }

    /// Does what the pair wants next.
    fn advance_pair(&mut self, perp: InstrumentId, out: &mut Vec<Output>) {
        let Some(pair) = self.carry.pair(perp) else { return };
        let Some(prices) = self.pair_prices(&pair.plan) else { return };
        let (now, mood) = (self.now, self.mood(perp));
        let Some(pair) = self.carry.pair_mut(perp) else { return };
        let was_unknown = pair.waits_for_unknown();
        let wish = pair.next(now, prices, mood);
        let (gave_up, spot) = (was_unknown && !pair.waits_for_unknown(), pair.plan.spot);
        self.carry.unknown |= gave_up;
        match wish {
            Some(Wish::Slice(qty)) => self.send_slice(perp, spot, qty, out),
            Some(Wish::Reduce(leg, side, qty)) => self.send_reduction(perp, (leg, side), qty, out),
            Some(Wish::Cancel(id, leg)) => {
                let instrument = if leg == LegOf::Perp { perp } else { spot };
                out.push(Output::Cancel { id, instrument });
            }
            None => {}
        }
        self.end_pair(perp, out);
        let busy = self.carry.open().any(CarryPair::is_busy);
        self.carry.busy = busy;
    }

    /// No voluntary order within half a minute of a settlement.
    fn mood(&self, perp: InstrumentId) -> Mood {
        let quiet = i64::from(self.config.risk.carry.settlement_quiet_secs) * SECOND;
        if self.time_around_settlement(perp) <= quiet { Mood::Quiet } else { Mood::Free }
    }

    /// Time to or from the nearest settlement, nanoseconds.
    fn time_around_settlement(&self, perp: InstrumentId) -> i64 {
        let Some(market) = self.markets.get(perp.index()) else { return 0 };
        let interval = market.inputs().funding_interval();
        let since = self.now.since(self.now.floor_to(interval));
        since.min(interval - since)
    }

    fn send_slice(
        &mut self,
        perp: InstrumentId,
        spot: InstrumentId,
        qty: Qty,
        out: &mut Vec<Output>,
    ) {
        let Some(pair) = self.carry.pair_mut(perp) else { return };
        // A pair without its strategy is being closed and gets no further slice.
        let Some(strategy) = pair.plan.strategy else { return };
        let is_first = pair.contracts().is_zero();
        let mut id = pair.next_id(LegOf::Perp, Purpose::Entry);
        let approved = self.pair_gate(perp, spot, strategy).and_then(|gate| gate.slice(id, qty));
        let Some(pair) = self.carry.pair_mut(perp) else { return };
        match approved {
            Ok(approved) => {
                id = approved.order().id;
                pair.sent(id, LegOf::Perp);
                self.submit(approved, Some(strategy), out);
            }
            // Later slices wait for better conditions; without a first one there is no pair.
            Err(_) if is_first => pair.settle_for_less(),
            Err(_) => {}
        }
    }

    /// Sends an order that lowers the net delta or takes the pair down; it passes in every state.
    fn send_reduction(
        &mut self,
        perp: InstrumentId,
        (leg, side): (LegOf, Side),
        qty: Qty,
        out: &mut Vec<Output>,
    ) {
        let Some(pair) = self.carry.pair(perp) else { return };
        let (strategy, spot) = (pair.plan.strategy, pair.plan.spot);
        let instrument = if leg == LegOf::Perp { perp } else { spot };
        let Some(market) = self.markets.get(instrument.index()) else { return };
        let Ok(price) = collar(&self.config.risk, market, side, self.now) else { return };
        let opens = leg == LegOf::Spot && side == Side::Buy;
        let purpose = if opens { Purpose::Entry } else { Purpose::Close };
        let kind = OrderKind::Limit { price, time_in_force: TimeInForce::Ioc };
        let Some(pair) = self.carry.pair_mut(perp) else { return };
        let id = pair.next_id(leg, purpose);
        let effect = if opens { Effect::Open } else { Effect::Reduce };
        let order = Order { id, instrument, side, qty, kind, effect };
        pair.sent(id, leg);
        self.submit(Approved::completing(order), strategy, out);
    }

    /// What the venue says about an order of a pair.
    pub(super) fn update_pair(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        (update, done): (&OrderUpdate, bool),
        out: &mut Vec<Output>,
    ) {
        let holder = self.carry.holders.get(instrument.index()).copied().flatten();
        let perp = holder.unwrap_or(instrument);
        let now = self.now;
        let Some(pair) = self.carry.pair_mut(perp) else { return };
        if pair.plan.intent != id.intent {
            return;
        }
        pair.on_order(id, update, done, now);
        self.carry.busy = true;
        if matches!(update, OrderUpdate::Filled(_)) {
            self.tell_pair(perp, out);
        }
        self.advance_pair(perp, out);
    }

    /// Tells how the pair of a perpetual stands, where there is one.
    pub(super) fn tell_pair(&self, perp: InstrumentId, out: &mut Vec<Output>) {
        let Some(pair) = self.carry.pair(perp) else { return };
        if let Some(note) = self.note_of(pair) {
            out.push(Output::Carry(Box::new(note)));
        }
    }

    fn note_of(&self, pair: &CarryPair) -> Option<CarryNote> {
        let mark = self.markets.get(pair.plan.perp.index())?.mark_or_last(self.now)?;
        let bid = self.markets.get(pair.plan.spot.index())?.bid(self.now)?;
        Some(pair.note(mark, bid))
    }

    pub(super) fn open_pairs(&self) -> impl Iterator<Item = CarryNote> {
        self.carry.open().filter_map(|pair| self.note_of(pair))
    }

    fn end_pair(&mut self, perp: InstrumentId, out: &mut Vec<Output>) {
        let Some(pair) = self.carry.pair(perp) else { return };
        let (spot, now) = (pair.plan.spot, self.now);
        let bid = self.markets.get(spot.index()).and_then(|market| market.bid(now));
        if !pair.is_over(bid) {
            return;
        }
        let traded = pair.has_traded();
        if let Some(pair) = self.carry.pair_mut(perp) {
            pair.end(now);
        }
        if let Some(note) = self.carry.pair(perp).and_then(|pair| self.note_of(pair)) {
            self.carry.closed_pnl += note.pnl;
            if traded {
                out.push(Output::Carry(Box::new(note)));
            }
        }
        if let Some(slot) = self.carry.pairs.get_mut(perp.index()) {
            *slot = None;
        }
        if let Some(holder) = self.carry.holders.get_mut(spot.index()) {
            *holder = None;
        }
    }

    /// Closes the pair of a perpetual, slice by slice.
    pub(super) fn close_pair(
        &mut self,
        perp: InstrumentId,
        reason: &'static str,
        out: &mut Vec<Output>,
    ) {
        let Some(pair) = self.carry.pair_mut(perp).filter(|pair| !pair.is_closing()) else {
            return;
        };
        pair.close(reason);
        self.tell_pair(perp, out);
        self.advance_pair(perp, out);
    }

    pub(super) fn close_all_pairs(&mut self, reason: &'static str, out: &mut Vec<Output>) {
        for index in 0..self.carry.pairs.len() {
            self.close_pair(InstrumentId(u16::try_from(index).unwrap_or(u16::MAX)), reason, out);
        }
    }

    /// What the carry book has earned, open or closed.
    pub(super) fn carry_pnl(&self) -> Money {
        let open = self.carry.open().filter_map(|pair| {
            let mark = self.markets.get(pair.plan.perp.index())?.mark_or_last(self.now)?;
            let bid = self.markets.get(pair.plan.spot.index())?.bid(self.now)?;
            Some(pair.pnl(mark, bid))
        });
        self.carry.closed_pnl + open.sum()
    }
}
