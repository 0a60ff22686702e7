//! The engine at one moment, put together for hosts.
//!
//! Invariant: what is expensive to gather is gathered once a second or at a tick, so a burst of
//! outputs costs the engine's task little.

use std::sync::Arc;

use arb_core::port::{Mode, RateSnapshot, RuleReading, View};
use arb_core::time::SECOND;
use arb_core::{Event, Indicators, InstrumentId, RiskState, Signal, Timestamp};

use super::cell::Cell;
use super::rates::RateBoard;
use super::settings::{Paused, settings_of};
use crate::record::log::Seq;

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
        let instruments = self.instruments.get_or_insert_with(|| {
            let config = engine.config();
            let specs = config.iter().flat_map(|config| &config.instruments);
            specs.map(|instrument| instrument.spec.qualified_name()).collect()
        });
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
        self.rates = Some(self.board.snapshots(at).collect());
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
