//! What a back-test's report needs, gathered while the back-test runs.
//!
//! Invariant: memory does not grow with the tape. Series are held in a bounded number of time
//! buckets that keep their extremes, decisions are counted and a bounded number of them kept; only
//! positions and holes are all kept, since every table counts them.

use std::collections::BTreeMap;

use arb_core::stats::EquityCurve;
use arb_core::{
    Configure, Engine, EngineConfig, Event, EventKind, Hole, InstrumentId, Observer, Output, Price,
    RiskNote, Signal, Timestamp, Trade, TradeNote,
};

use super::BacktestReport;
use super::buckets::{Bar, Buckets, Condense as _, Extremes, FINEST};
use super::decisions::Decisions;

/// Buckets of all instruments' series together, and the most and the least of one instrument.
const BUCKETS: usize = 48_000;
const MOST_BUCKETS: usize = 16_000;
const LEAST_BUCKETS: usize = 2_000;
/// Decisions that are kept.
const DECISIONS: usize = 10_000;

/// Looks on while a back-test runs; [`report`](Self::report) makes the page.
///
/// It holds at most 16,000 buckets of each series and 10,000 decisions, and every position.
#[derive(Debug)]
pub struct BacktestCollector {
    pub(super) config: Option<(EngineConfig, Configure)>,
    pub(super) markets: Vec<MarketSeries>,
    pub(super) equity: Buckets<Extremes>,
    /// Equity ÷ peak − 1.
    pub(super) drawdown: Buckets<Extremes>,
    peak: f64,
    pub(super) curve: EquityCurve,
    pub(super) decisions: Decisions,
    pub(super) trades: BTreeMap<u64, TradeNote>,
    pub(super) holes: Vec<Hole>,
    pub(super) risk_notes: Vec<RiskNote>,
    pub(super) funding: arb_core::Money,
    pub(super) dropped: u64,
    pub(super) trades_read: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Timestamp,
}

/// The series of one instrument.
#[derive(Debug)]
pub(super) struct MarketSeries {
    pub(super) price: Buckets<Bar>,
    /// The running bar of the finest step, and where it ends.
    bar: Option<Bar>,
    bar_end: Timestamp,
    pub(super) cvd_30m: Buckets<Extremes>,
    pub(super) cvd_4h: Buckets<Extremes>,
    pub(super) cvd_day: Buckets<Extremes>,
}

impl MarketSeries {
    const fn new(cap: usize) -> Self {
        Self {
            price: Buckets::new(cap),
            bar: None,
            bar_end: Timestamp::EPOCH,
            cvd_30m: Buckets::new(cap),
            cvd_4h: Buckets::new(cap),
            cvd_day: Buckets::new(cap),
        }
    }

    #[inline]
    fn on_trade(&mut self, trade: &Trade) {
        match &mut self.bar {
            Some(bar) if trade.ts < self.bar_end => bar.add(Bar::of(trade.price)),
            _ => self.next_bar(trade.ts, trade.price),
        }
    }

    #[cold]
    fn next_bar(&mut self, at: Timestamp, price: Price) {
        self.end_bar();
        self.bar = Some(Bar::of(price));
        self.bar_end = at.floor_to(FINEST).plus(FINEST);
    }

    fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            self.price.add(self.bar_end.plus(-FINEST), bar);
        }
    }

    /// Takes the row of a tick; a window over missing trades has no value.
    fn on_tick(&mut self, row: &arb_core::Indicators) {
        if row.complete_30m {
            self.cvd_30m.add(row.time, Extremes::of(row.cvd_30m.to_f64_lossy()));
        }
        if row.complete_4h {
            self.cvd_4h.add(row.time, Extremes::of(row.cvd_4h.to_f64_lossy()));
        }
        self.cvd_day.add(row.time, Extremes::of(row.cvd_day.to_f64_lossy()));
    }
}

impl Default for BacktestCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl BacktestCollector {
    /// A collector for one run; it learns the configuration from the run's first event.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: None,
            markets: Vec::new(),
            equity: Buckets::new(MOST_BUCKETS),
            drawdown: Buckets::new(MOST_BUCKETS),
            peak: 0.0,
            curve: EquityCurve::default(),
            decisions: Decisions::new(DECISIONS),
            trades: BTreeMap::new(),
            holes: Vec::new(),
            risk_notes: Vec::new(),
            funding: arb_core::Money::ZERO,
            dropped: 0,
            trades_read: 0,
            first: None,
            last: Timestamp::EPOCH,
        }
    }

    /// The report of the run that ended; `engine` is the one that was looked at.
    #[must_use]
    pub fn report(mut self, engine: &Engine) -> BacktestReport {
        self.markets.iter_mut().for_each(MarketSeries::end_bar);
        BacktestReport::new(self, engine)
    }

    fn configure(&mut self, configure: &Configure) {
        let Ok(config) = serde_json::from_slice::<EngineConfig>(&configure.bytes) else { return };
        let count = config.instruments.len();
        let cap = (BUCKETS / count.max(1)).clamp(LEAST_BUCKETS, MOST_BUCKETS);
        self.markets.resize_with(count, || MarketSeries::new(cap));
        self.config = Some((config, configure.clone()));
    }

    #[inline]
    fn on_trade(&mut self, trade: &Trade) {
        self.first.get_or_insert(trade.ts);
        self.last = trade.ts;
        if trade.qty.is_zero() {
            return;
        }
        self.trades_read += 1;
        if let Some(market) = self.markets.get_mut(trade.instrument.index()) {
            market.on_trade(trade);
        }
    }
}

impl Observer for BacktestCollector {
    #[inline]
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Trade(trade) => self.on_trade(trade),
            EventKind::Configure(configure) if self.config.is_none() => self.configure(configure),
            _ => {}
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Signal(signal) => self.decisions.add(signal as &Signal),
            Output::Trade(note) => {
                self.trades.insert(note.id, (**note).clone());
            }
            Output::Hole(hole) => self.holes.push(*hole),
            Output::Risk(note) => self.risk_notes.push((**note).clone()),
            Output::Funding { paid, .. } => self.funding += *paid,
            Output::Dropped { .. } => self.dropped += 1,
            _ => {}
        }
    }

    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        for (id, market) in (0..).zip(&mut self.markets) {
            let state = engine.market(InstrumentId(id));
            if let Some(row) = state.and_then(|state| state.indicators()).filter(|r| r.time == at) {
                market.on_tick(row);
            }
        }
        let Some(equity) = engine.equity() else { return };
        self.curve.add(at, equity);
        let equity = equity.to_f64_lossy();
        self.peak = self.peak.max(equity);
        self.equity.add(at, Extremes::of(equity));
        if self.peak > 0.0 {
            self.drawdown.add(at, Extremes::of(equity / self.peak - 1.0));
        }
    }
}
