//! The engine: events in, outputs out, nothing else.
//!
//! Invariant: [`Engine::on_event`] is the only way the engine changes. It does no IO, reads no
//! clock, draws no random number and cannot fail, so the same events give byte-identical outputs.
//! Each event passes market, ledger, strategies and risk in this order.

mod carry;
mod decide;
mod orders;
mod protect;
mod reading;
mod setup;
mod snapshot;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::snapshot::{EngineSnapshot, EngineState};
use crate::config::EngineConfig;
use crate::error::ConfigError;
use crate::event::{Configure, Event, EventKind, FundingSettled, Phase, Trade};
use crate::instrument::InstrumentId;
use crate::ledger::Ledger;
use crate::market::{InputName, MarketState};
use crate::num::Money;
use crate::order::{ClientOrderId, OrderState};
use crate::output::{CarryNote, DropReason, Output, RuleOff, Signal, TradeNote};
use crate::risk::{Guard, RiskState};
use crate::strategy::{Intent, Interest, Registry, Strategy};
use crate::time::Timestamp;
use crate::trade::DirectionalTrade;

/// The engine. Until its first [`Configure`](crate::Configure) event it ignores everything else.
///
/// ```
/// use arb_core::{Engine, EngineConfig, Event, Instrument, InstrumentConfig, Registry, Timestamp};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let btc = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
/// let config = EngineConfig::new(vec![InstrumentConfig { spec: btc, spread_bps: 1.into() }]);
/// let mut engine = Engine::new(Registry::builtin());
/// let mut out = Vec::new();
/// engine.on_event(&config.to_event(Timestamp::EPOCH)?, &mut out);
/// engine.on_event(&Event::tick(Timestamp::from_millis(15_000)), &mut out);
/// assert_eq!(out.len(), 1, "configured, and nothing to decide yet");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Engine {
    registry: Registry,
    core: Option<Core>,
}

/// A configured engine.
#[derive(Debug)]
struct Core {
    config: EngineConfig,
    hash: String,
    /// A configuration that takes effect at the next tick.
    pending: Option<Box<setup::Prepared>>,
    now: Timestamp,
    markets: Vec<MarketState>,
    ledger: Ledger,
    strategies: Vec<Slot>,
    guard: Guard,
    r_unit: Money,
    orders: BTreeMap<ClientOrderId, OrderState>,
    /// The directional trade of each instrument: one owner at a time.
    trades: Vec<Option<Box<DirectionalTrade>>>,
    next_intent: u64,
    carry: carry::CarryBook,
    /// Some strategy looks at every trade.
    trades_wanted: bool,
    intents: Vec<Intent>,
    presence: Presence,
    phase: Phase,
}

/// A strategy with what the engine remembers about it.
#[derive(Debug)]
struct Slot {
    name: String,
    strategy: Box<dyn Strategy>,
    interest: Interest,
    cool_down: Vec<Option<Timestamp>>,
    /// Refused entries are repeated to notifiers only after this.
    quiet_until: Vec<Option<Timestamp>>,
    /// The newest decision about each instrument, for hosts; no part of the state.
    latest: Vec<Option<Box<Signal>>>,
}

/// How often each market input was present at a decision.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Presence {
    decisions: u64,
    present: [u64; InputName::ALL.len()],
}

impl Engine {
    /// An engine that can build the strategy kinds of `registry`.
    #[must_use]
    pub const fn new(registry: Registry) -> Self {
        Self { registry, core: None }
    }

    /// Whether a configuration would be accepted; says in full why not, which the output of a
    /// refusal only tells as text.
    ///
    /// # Errors
    /// [`ConfigError`] with the file, line and field.
    pub fn check(&self, configure: &Configure) -> Result<(), ConfigError> {
        setup::prepare(&self.registry, configure).map(drop)
    }

    /// Takes one event and adds what follows from it to `out`.
    #[inline]
    pub fn on_event(&mut self, event: &Event, out: &mut Vec<Output>) {
        match (&mut self.core, &event.kind) {
            (Some(core), EventKind::Trade(trade)) => core.on_trade(event.at, trade, out),
            (Some(core), EventKind::Tick(at)) => core.on_tick(event, *at, out),
            (core, EventKind::Configure(configure)) => {
                setup::configure(core, &self.registry, configure, out);
            }
            (Some(core), _) => core.on_other(event, out),
            (None, _) => {}
        }
    }

    /// [`Engine::on_event`] of a trade at its own time, without the event around it.
    #[inline]
    pub(crate) fn on_trade(&mut self, trade: &Trade, out: &mut Vec<Output>) {
        if let Some(core) = &mut self.core {
            core.on_trade(trade.ts, trade, out);
        }
    }

    /// What is known about an instrument.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> Option<&MarketState> {
        self.core.as_ref()?.markets.get(instrument.index())
    }

    /// The account.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.core.as_ref().map(|core| &core.ledger)
    }

    /// Wallet plus unrealised PnL at mark, or at the last price where there is no mark; coins count
    /// at the bid.
    #[must_use]
    pub fn equity(&self) -> Option<Money> {
        self.core.as_ref().map(|core| core.account().equity)
    }

    /// What the engine may do.
    #[must_use]
    pub fn risk_state(&self) -> Option<RiskState> {
        self.core.as_ref().map(|core| core.guard.state())
    }

    /// The directional trades that are open now.
    pub fn open_trades(&self) -> impl Iterator<Item = TradeNote> {
        let trades = self.core.iter().flat_map(|core| core.trades.iter().flatten());
        trades.filter(|trade| trade.has_entered()).map(|trade| trade.note())
    }

    /// For each market input the share (0–1) of the decisions at which it was present; empty
    /// before the first decision.
    #[must_use]
    pub fn inputs_present(&self) -> Vec<(InputName, f64)> {
        self.core.as_ref().map(Core::inputs_present).unwrap_or_default()
    }

    /// The carry pairs that are open now, valued at present prices.
    pub fn open_pairs(&self) -> impl Iterator<Item = CarryNote> {
        self.core.iter().flat_map(Core::open_pairs)
    }

    /// The rules that could not be checked with the data seen so far.
    #[must_use]
    pub fn rules_off(&self) -> Vec<RuleOff> {
        self.core.as_ref().map(Core::rules_off).unwrap_or_default()
    }
}

impl Core {
    #[inline]
    fn on_trade(&mut self, at: Timestamp, trade: &Trade, out: &mut Vec<Output>) {
        self.now = at;
        let index = trade.instrument.index();
        let Some(market) = self.markets.get_mut(index) else {
            let (instrument, reason) = (trade.instrument, DropReason::UnknownInstrument);
            out.push(Output::Dropped { instrument, reason });
            return;
        };
        if !market.on_trade(trade, out) {
            return;
        }
        if let Some(Some(open)) = self.trades.get(index)
            && open.wants_break_even()
        {
            self.retry_break_even(trade.instrument, out);
        }
        if self.carry.is_busy() {
            self.advance_pair_of(trade.instrument, out);
        }
        if self.trades_wanted {
            let event = Event { at, kind: EventKind::Trade(*trade) };
            self.call_strategies(&event, trade.instrument, Interest::Trades, out);
        }
    }

    fn on_tick(&mut self, event: &Event, at: Timestamp, out: &mut Vec<Output>) {
        self.now = event.at;
        self.apply_pending(out);
        for market in &mut self.markets {
            market.on_tick(at, out);
        }
        self.watch(at, out);
        self.decide(event, at, out);
    }

    fn on_other(&mut self, event: &Event, out: &mut Vec<Output>) {
        self.now = event.at;
        if let Some(instrument) = event.kind.instrument()
            && instrument.index() >= self.markets.len()
        {
            out.push(Output::Dropped { instrument, reason: DropReason::UnknownInstrument });
            return;
        }
        match &event.kind {
            EventKind::Order(update) => self.on_order(event, update, out),
            EventKind::Funding(funding) => self.on_funding(funding, out),
            EventKind::Command(command) => self.on_command(command, out),
            EventKind::Transfer(transfer) => {
                self.ledger.transfer(transfer.amount);
                self.guard.on_transfer(transfer.amount);
            }
            EventKind::Health(health) => self.guard.on_health(health),
            EventKind::Phase(phase) => self.phase = *phase,
            kind => self.on_market_event(event, kind, out),
        }
    }

    fn on_market_event(&mut self, event: &Event, kind: &EventKind, out: &mut Vec<Output>) {
        let Some(instrument) = kind.instrument() else { return };
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        match kind {
            EventKind::Mark(mark) => market.inputs_mut().on_mark(mark),
            EventKind::Input(input) => market.inputs_mut().on_input(input),
            EventKind::Gap(_) => market.on_gap(),
            EventKind::GapAccepted(gap) => market.on_gap_accepted(gap.next_id),
            EventKind::Backfill(backfill) => {
                market.on_backfill(&backfill.trades);
            }
            EventKind::Quote(quote) => {
                market.on_quote(quote);
                self.call_strategies(event, instrument, Interest::Quotes, out);
            }
            _ => {}
        }
    }

    fn on_funding(&mut self, funding: &FundingSettled, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(funding.instrument.index()) else { return };
        market.inputs_mut().on_funding(funding);
        let mark = funding.mark_price.or_else(|| market.settlement_price(funding.funding_time));
        let Some(mark) = mark else { return };
        let paid = self.ledger.apply_funding(funding, mark);
        if paid == Money::ZERO {
            return;
        }
        if let Some(Some(trade)) = self.trades.get_mut(funding.instrument.index()) {
            trade.add_funding(paid);
        }
        self.carry.add_funding(funding.instrument, paid);
        out.push(Output::Funding {
            instrument: funding.instrument,
            funding_time: funding.funding_time,
            paid,
            approx: funding.mark_price.is_none(),
        });
        self.tell_pair(funding.instrument, out);
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
    fn inputs_present(&self) -> Vec<(InputName, f64)> {
        let all = self.presence.decisions as f64;
        let counts = InputName::ALL.into_iter().zip(self.presence.present);
        counts.filter(|_| all > 0.0).map(|(name, count)| (name, count as f64 / all)).collect()
    }
}

#[cfg(test)]
mod tests;
