//! The back-test loop: market events in order, ticks between them, paper fills behind them.
//!
//! Invariant: this loop only orders events. The paper venue sees each market event before the
//! engine, an order made on one trade fills from the next one at the earliest, and a tick comes
//! after every trade with `ts <= t`; so a prefix of a tape gives a prefix of the outputs.

use std::collections::{BTreeMap, VecDeque};

use crate::config::EngineConfig;
use crate::engine::Engine;
use crate::error::ConfigError;
use crate::event::{Event, EventKind, Trade};
use crate::num::Money;
use crate::order::OrderEvent;
use crate::output::{CarryNote, Hole, Output, RiskNote, Signal, TradeNote};
use crate::paper::PaperVenue;
use crate::stats::EquityCurve;
use crate::strategy::Registry;
use crate::time::{SECOND, Timestamp};

/// Sees every event the engine is given and every output, in order.
pub trait Observer {
    /// An event, before the engine sees it.
    #[inline]
    fn event(&mut self, _event: &Event) {}

    /// An output of the event before.
    #[inline]
    fn output(&mut self, _output: &Output) {}

    /// The engine after a tick.
    #[inline]
    fn tick(&mut self, _engine: &Engine, _at: Timestamp) {}
}

/// Looks at nothing.
impl Observer for () {}

/// Two observers, one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn event(&mut self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }

    fn output(&mut self, output: &Output) {
        self.0.output(output);
        self.1.output(output);
    }

    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        self.0.tick(engine, at);
        self.1.tick(engine, at);
    }
}

/// An engine and a paper venue, folded over a tape.
///
/// ```
/// use arb_core::generator::{GeneratorConfig, TapeGenerator};
/// use arb_core::{
///     Backtest, EngineConfig, Event, Instrument, InstrumentConfig, Recorder, Registry,
/// };
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
/// let text = Registry::builtin_text("v52_8signals").unwrap();
/// let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
///     .with_strategy("v52_8signals", text)?;
/// let mut recorder = Recorder::default();
/// let mut test = Backtest::new(config, Registry::builtin(), &mut recorder)?;
/// for trade in TapeGenerator::new(GeneratorConfig::btcusdt(7)).take(10_000) {
///     test.on_event(Event::trade(trade), &mut recorder);
/// }
/// test.finish(&mut recorder);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    venue: PaperVenue,
    grid: i64,
    next_tick: Option<Timestamp>,
    last_trade_at: Timestamp,
    /// Inputs that came after the last trade: they count only if another trade follows, or if
    /// they are known by the last tick.
    held: VecDeque<Event>,
    out: Vec<Output>,
    fills: Vec<OrderEvent>,
    trades_read: u64,
}

impl Backtest {
    /// A back-test before its first event.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration or one of its strategies is refused.
    pub fn new(
        config: EngineConfig,
        registry: Registry,
        observer: &mut impl Observer,
    ) -> Result<Self, ConfigError> {
        let venue = PaperVenue::new(&config);
        Self::with_venue(config, venue, registry, observer)
    }

    /// A back-test against a venue that behaves otherwise than the configuration assumes: what
    /// would have happened with another latency, other fills, other fees.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration or one of its strategies is refused.
    pub fn with_venue(
        config: EngineConfig,
        venue: PaperVenue,
        registry: Registry,
        observer: &mut impl Observer,
    ) -> Result<Self, ConfigError> {
        let mut test = Self {
            venue,
            engine: Engine::new(registry),
            grid: i64::from(config.grid_secs) * SECOND,
            next_tick: None,
            last_trade_at: Timestamp::EPOCH,
            held: VecDeque::new(),
            out: Vec::new(),
            fills: Vec::new(),
            trades_read: 0,
        };
        let event = config.to_event(Timestamp::EPOCH)?;
        if let EventKind::Configure(configure) = &event.kind {
            test.engine.check(configure)?;
        }
        observer.event(&event);
        test.engine.on_event(&event, &mut test.out);
        test.out.drain(..).for_each(|output| observer.output(&output));
        Ok(test)
    }

    /// Takes the next event of the tape.
    #[inline]
    pub fn on_event(&mut self, event: Event, observer: &mut impl Observer) {
        match event.kind {
            EventKind::Trade(trade) => self.on_trade(&trade, observer),
            _ => self.held.push_back(event),
        }
    }

    /// Takes the next trade of the tape, at its own time.
    #[inline]
    pub fn on_trade(&mut self, trade: &Trade, observer: &mut impl Observer) {
        if !self.held.is_empty() {
            self.release(Timestamp::MAX, observer);
        }
        let next_tick = *self.next_tick.get_or_insert(trade.ts.ceil_to(self.grid));
        if trade.ts > next_tick {
            self.tick_until(trade.ts, observer);
        }
        self.trades_read += u64::from(!trade.qty.is_zero());
        self.last_trade_at = trade.ts;
        if self.venue.next_wakeup() < trade.ts {
            self.wake_until(trade.ts, observer);
        }
        // As `feed` does, but without an event around each trade: this loop feels it.
        self.venue.on_trade(trade.ts, trade, &mut self.fills);
        // A trade owns nothing, so there is nothing to drop.
        observer.event(&std::mem::ManuallyDrop::new(Event::trade(*trade)));
        self.engine.on_trade(trade, &mut self.out);
        if !(self.out.is_empty() && self.fills.is_empty()) {
            self.settle(trade.ts, trade.ts, observer);
        }
    }

    /// Plays the ticks before `at`.
    #[cold]
    fn tick_until(&mut self, at: Timestamp, observer: &mut impl Observer) {
        while let Some(tick) = self.next_tick.filter(|tick| *tick < at) {
            self.feed(&Event::tick(tick), observer);
            observer.tick(&self.engine, tick);
            self.next_tick = Some(tick.plus(self.grid));
        }
    }

    #[cold]
    fn release(&mut self, until: Timestamp, observer: &mut impl Observer) {
        while self.held.front().is_some_and(|event| event.at <= until) {
            let Some(event) = self.held.pop_front() else { return };
            self.tick_until(event.at, observer);
            self.feed(&event, observer);
        }
    }

    fn feed(&mut self, event: &Event, observer: &mut impl Observer) {
        if self.venue.next_wakeup() < event.at {
            self.wake_until(event.at, observer);
        }
        self.venue.on_event(event, &mut self.fills);
        observer.event(event);
        self.engine.on_event(event, &mut self.out);
        if !(self.out.is_empty() && self.fills.is_empty()) {
            let decided_at = self.venue.decided_at(event);
            self.settle(event.at, decided_at, observer);
        }
    }

    /// Lets orders reach the venue at their own time, however long the market is silent.
    #[cold]
    fn wake_until(&mut self, until: Timestamp, observer: &mut impl Observer) {
        while let at = self.venue.next_wakeup()
            && at < until
        {
            self.venue.wake(at, &mut self.fills);
            self.settle(at, at, observer);
        }
    }

    /// Carries orders to the venue and the venue's answers back, until nobody has more to say.
    #[cold]
    fn settle(&mut self, at: Timestamp, decided_at: Timestamp, observer: &mut impl Observer) {
        let mut answers = std::mem::take(&mut self.fills).into_iter();
        loop {
            for output in self.out.drain(..) {
                observer.output(&output);
                match &output {
                    Output::Submit(approved) => self.venue.submit(approved.order(), decided_at),
                    Output::Cancel { id, instrument } => {
                        self.venue.cancel(*id, *instrument, decided_at);
                    }
                    _ => {}
                }
            }
            let Some(answer) = answers.next() else { return };
            let event = Event { at, kind: EventKind::Order(Box::new(answer)) };
            observer.event(&event);
            self.engine.on_event(&event, &mut self.out);
        }
    }

    /// Ends the tape: plays the ticks up to the first grid time at or after the last trade.
    pub fn finish(&mut self, observer: &mut impl Observer) {
        if self.next_tick.is_none() {
            return;
        }
        let end = self.last_trade_at.ceil_to(self.grid);
        self.release(end, observer);
        self.held.clear();
        self.tick_until(end.plus(1), observer);
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Trades read so far, those without quantity not counted.
    #[must_use]
    pub const fn trades_read(&self) -> u64 {
        self.trades_read
    }
}

/// Keeps what a report needs: signals, trades, holes, risk notes and the equity curve.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// Recorded decisions, in order.
    pub signals: Vec<Signal>,
    /// Carry pairs by number, each in its last state.
    pub pairs: BTreeMap<u64, CarryNote>,
    /// Trades by number, each in its last state.
    pub trades: BTreeMap<u64, TradeNote>,
    /// Holes, in order.
    pub holes: Vec<Hole>,
    /// Changes of the risk state.
    pub risk_notes: Vec<RiskNote>,
    /// Funding paid (positive) or received, in total.
    pub funding: Money,
    /// Equity at every tick, condensed.
    pub equity: EquityCurve,
    /// Records dropped by the engine.
    pub dropped: u64,
}

impl Observer for Recorder {
    fn output(&mut self, output: &Output) {
        match output {
            Output::Signal(signal) => self.signals.push((**signal).clone()),
            Output::Trade(note) => {
                self.trades.insert(note.id, (**note).clone());
            }
            Output::Carry(note) => {
                self.pairs.insert(note.id, (**note).clone());
            }
            Output::Hole(hole) => self.holes.push(*hole),
            Output::Risk(note) => self.risk_notes.push((**note).clone()),
            Output::Funding { paid, .. } => self.funding += *paid,
            Output::Dropped { .. } => self.dropped += 1,
            _ => {}
        }
    }

    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        self.equity.observe(engine, at);
    }
}

#[cfg(test)]
mod tests;
