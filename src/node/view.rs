//! The engine at one moment, put together for hosts.
//!
//! Invariant: what is expensive to gather is gathered once a second or at a tick, so a burst of
//! outputs costs the engine's task little.

use std::sync::Arc;

use arb_core::port::{Mode, RateSnapshot, RuleReading, View};
use arb_core::time::SECOND;
use arb_core::{Engine, Event, Indicators, InstrumentId, RiskState, Signal, Timestamp};

use super::cell::Cell;
use super::rates::RateBoard;
use super::settings::{Paused, settings_of};
use crate::record::log::Seq;

/// Names (`um:BTCUSDT`) of the engine's instruments by id.
pub(super) fn names(engine: &Engine) -> Arc<[String]> {
    let specs = engine.config().into_iter().flat_map(|config| &config.instruments);
    specs.map(|instrument| instrument.spec.qualified_name()).collect()
}

/// When the windows of each instrument that has trades will be whole.
pub(super) type WholeAt = Arc<[(InstrumentId, Timestamp)]>;

/// Gathers views.
#[derive(Debug, Default)]
pub(super) struct Viewer {
    board: RateBoard,
    instruments: Option<Arc<[String]>>,
    rates: Option<Arc<[RateSnapshot]>>,
    rules: Arc<[RuleReading]>,
    rows: Arc<[(InstrumentId, Indicators)]>,
    signals: Arc<[Signal]>,
    whole_at: WholeAt,
    gathered_at: Option<Timestamp>,
}

impl Viewer {
    #[inline]
    pub(super) fn watch(&mut self, event: &Event) {
        self.board.watch(event);
    }

    /// The instruments have changed.
    pub(super) fn reconfigured(&mut self) {
        self.instruments = None;
        self.gathered_at = None;
    }

    /// The next view gathers everything anew.
    pub(super) const fn renew(&mut self) {
        self.gathered_at = None;
    }

    /// Whether what hosts see of rates is a second old.
    #[inline]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.gathered_at.is_none_or(|at| now.since(at) >= SECOND)
    }

    /// The newest decisions, as of the last view.
    pub(super) fn signals(&self) -> Arc<[Signal]> {
        Arc::clone(&self.signals)
    }

    /// When windows will be whole, as of the last view.
    pub(super) fn whole_at(&self) -> WholeAt {
        Arc::clone(&self.whole_at)
    }

    pub(super) fn view(&mut self, cell: &Cell, seq: Seq, at: Timestamp) -> View {
        if self.is_due(at) {
            self.gather(cell, at);
        }
        let engine = &cell.engine;
        let instruments = self.instruments.get_or_insert_with(|| names(engine));
        let paused = if engine.is_paused() { Paused::Yes } else { Paused::No };
        View {
            seq,
            at,
            mode: Mode::Paper,
            instruments: Arc::clone(instruments),
            risk_state: engine.risk_state().unwrap_or(RiskState::Halted),
            account: engine.account().unwrap_or_default(),
            rules: Arc::clone(&self.rules),
            settings: engine.config().map(|c| settings_of(c, paused)).unwrap_or_default(),
            trades: engine.open_trades().collect(),
            pairs: engine.open_pairs().collect(),
            rates: self.rates.clone().unwrap_or_default(),
            rows: Arc::clone(&self.rows),
        }
    }

    fn gather(&mut self, cell: &Cell, at: Timestamp) {
        let engine = &cell.engine;
        self.gathered_at = Some(at);
        let basis = |perp| engine.tradable_basis(perp, at);
        self.rates = Some(self.board.snapshots(at, basis).collect());
        self.rules = engine.rule_readings().into();
        self.signals = engine.decisions().cloned().collect();
        let count = engine.config().map_or(0, |config| config.instruments.len());
        let ids = (0..u16::try_from(count).unwrap_or(u16::MAX)).map(InstrumentId);
        let whole_at = |id| Some((id, engine.market(id)?.whole_at()?));
        self.whole_at = ids.clone().filter_map(whole_at).collect();
        self.rows =
            ids.filter_map(|id| engine.market(id)?.indicators().map(|row| (id, *row))).collect();
    }
}

#[cfg(test)]
mod tests {
    use arb_core::{
        Command, EngineConfig, EventKind, Instrument, InstrumentConfig, Mark, PaperVenue, Quote,
        Registry, Rule, Trade,
    };

    use super::*;

    const BTC: InstrumentId = InstrumentId(0);
    const START: Timestamp = Timestamp::from_millis(1_700_000_100_000);

    fn config(symbols: &[&str]) -> EngineConfig {
        let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
        let of = |symbol: &&str| {
            let spec = Instrument::perpetual(symbol, tick, lot);
            InstrumentConfig { spec, spread_bps: 1.into() }
        };
        let text = Registry::builtin_text("v51_baseline").unwrap();
        EngineConfig::new(symbols.iter().map(of).collect())
            .with_strategy("v51_baseline", text)
            .unwrap()
    }

    /// A cell with what gathers its views.
    struct Scene {
        cell: Cell,
        viewer: Viewer,
    }

    impl Scene {
        fn new() -> Self {
            Self::of(&config(&["BTCUSDT", "ETHUSDT"]))
        }

        fn of(config: &EngineConfig) -> Self {
            let cell = Cell::new(Engine::new(Registry::builtin()), PaperVenue::new(config));
            let mut own = Self { cell, viewer: Viewer::default() };
            own.send(&config.to_event(START).unwrap());
            own
        }

        fn send(&mut self, event: &Event) {
            self.viewer.watch(event);
            self.cell.observe(event);
        }

        fn command(&mut self, at: Timestamp, command: Command) {
            self.send(&Event { at, kind: EventKind::Command(Box::new(command)) });
        }

        fn mark(&mut self, at: Timestamp, price: &str) {
            let mark_price = price.parse().unwrap();
            let mark = Mark { instrument: BTC, ts: at, mark_price, index_price: None };
            self.send(&Event { at, kind: EventKind::Mark(mark) });
        }

        fn quote(&mut self, (instrument, ts): (InstrumentId, Timestamp), [bid, ask]: [&str; 2]) {
            let (best_bid, best_ask) = (bid.parse().unwrap(), ask.parse().unwrap());
            let quote = Quote { instrument, ts, best_bid, best_ask };
            self.send(&Event { at: ts, kind: EventKind::Quote(quote) });
        }

        fn view(&mut self, at: Timestamp) -> View {
            self.viewer.view(&self.cell, 7, at)
        }

        /// The mark price that hosts see.
        fn seen(&mut self, at: Timestamp) -> Option<String> {
            self.view(at).rate(BTC).map(|rate| rate.mark_price.to_string())
        }
    }

    fn after(millis: i64) -> Timestamp {
        START.plus(millis * 1_000_000)
    }

    #[test]
    fn a_view_is_of_its_record_and_names_every_instrument() {
        let mut scene = Scene::new();
        let view = scene.view(after(5));
        assert_eq!((view.seq, view.at, view.mode), (7, after(5), Mode::Paper));
        assert_eq!(*view.instruments, ["um:BTCUSDT", "um:ETHUSDT"]);
        assert_eq!((view.symbol(InstrumentId(1)), view.symbol(InstrumentId(2))), ("ETHUSDT", ""));
        assert_eq!(view.account.equity, "10000".parse().unwrap());
        assert!(view.rules.iter().any(|reading| reading.rule == Rule::Drawdown));
        assert!(view.rates.is_empty() && view.rows.is_empty(), "nothing has come yet");
    }

    #[test]
    fn a_basis_that_can_be_traded_takes_fresh_quotes_of_both_markets() {
        let mut config = config(&["1000PEPEUSDT"]);
        let (tick, lot) = ("0.00000001".parse().unwrap(), "1".parse().unwrap());
        let spec = Instrument::spot("PEPEUSDT", tick, lot);
        config.instruments.push(InstrumentConfig { spec, spread_bps: 1.into() });
        let mut scene = Scene::of(&config);
        let basis = |scene: &mut Scene, at| {
            scene.viewer.renew();
            scene.view(at).rate(BTC).unwrap().tradable_basis.map(|basis| basis.to_string())
        };
        scene.mark(after(0), "0.01");
        scene.quote((BTC, after(0)), ["0.01002", "0.01003"]);
        assert_eq!(basis(&mut scene, after(0)), None, "no quote of the spot market");
        scene.quote((InstrumentId(1), after(5_000)), ["0.00000999", "0.00001"]);
        assert_eq!(basis(&mut scene, after(5_000)).as_deref(), Some("0.002"));
        assert_eq!(basis(&mut scene, after(10_000)).as_deref(), Some("0.002"));
        assert_eq!(basis(&mut scene, after(10_001)), None, "the perpetual's quote is old");
    }

    #[test]
    fn what_is_dear_to_gather_is_gathered_once_a_second_or_when_it_is_asked_for() {
        let mut scene = Scene::new();
        scene.mark(after(0), "60000");
        assert!(scene.viewer.is_due(after(0)));
        assert_eq!(scene.seen(after(0)).as_deref(), Some("60000"));
        scene.mark(after(400), "60001");
        assert!(!scene.viewer.is_due(after(999)));
        assert_eq!(scene.seen(after(999)).as_deref(), Some("60000"));
        assert!(scene.viewer.is_due(after(1_000)));
        assert_eq!(scene.seen(after(1_000)).as_deref(), Some("60001"));
        scene.mark(after(1_100), "60002");
        scene.viewer.renew();
        assert_eq!(scene.seen(after(1_100)).as_deref(), Some("60002"));
    }

    #[test]
    fn state_and_account_are_never_older_than_the_view() {
        let mut scene = Scene::new();
        assert_eq!(scene.view(after(0)).risk_state, RiskState::Active);
        assert!(scene.view(after(0)).settings.enabled);
        scene.command(after(1), Command::Pause);
        let view = scene.view(after(1));
        assert_eq!(view.risk_state, RiskState::ReduceOnly);
        assert!(!view.settings.enabled && view.settings.enabled_strategies == ["v51_baseline"]);
    }

    #[test]
    fn rows_and_decisions_are_those_of_instruments_with_order_flow() {
        let mut scene = Scene::new();
        let trade = Trade {
            instrument: BTC,
            taker_side: arb_core::Side::Buy,
            id: 1,
            ts: after(1),
            price: "60000".parse().unwrap(),
            qty: "1".parse().unwrap(),
        };
        scene.send(&Event::trade(trade));
        scene.send(&Event::tick(after(15_000)));
        let view = scene.view(after(15_000));
        let rows: Vec<_> = view.rows.iter().map(|(id, row)| (*id, row.time)).collect();
        assert_eq!(rows, [(BTC, after(15_000))]);
        let signals = scene.viewer.signals();
        let [signal] = &*signals else { panic!("{signals:?}") };
        assert_eq!((signal.decision.instrument, signal.decision.time), (BTC, after(15_000)));
    }

    #[test]
    fn a_new_instrument_is_named_once_it_is_configured() {
        let mut scene = Scene::new();
        assert_eq!(scene.view(after(0)).instruments.len(), 2);
        let more = config(&["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
        scene.send(&more.to_event(after(1)).unwrap());
        scene.send(&Event::tick(after(15_000)));
        scene.viewer.reconfigured();
        assert!(scene.viewer.is_due(after(15_000)));
        assert_eq!(scene.view(after(15_000)).symbol(InstrumentId(2)), "SOLUSDT");
        assert_eq!(names(&scene.cell.engine).len(), 3);
    }

    #[test]
    fn before_a_configuration_a_view_is_halted_and_empty() {
        let venue = PaperVenue::new(&config(&["BTCUSDT"]));
        let cell = Cell::new(Engine::new(Registry::builtin()), venue);
        let view = Viewer::default().view(&cell, 0, START);
        assert_eq!(view.risk_state, RiskState::Halted);
        assert!(view.instruments.is_empty() && view.rules.is_empty());
    }
}
