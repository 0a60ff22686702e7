//! What a carry report needs, gathered while the back-test runs.
//!
//! Invariant: memory does not grow with the length of the period, but with the pairs held.

use std::collections::BTreeMap;

use arb_core::stats::EquityCurve;
use arb_core::time::HOUR;
use arb_core::{
    CarryNote, Configure, Engine, EngineConfig, Event, EventKind, FundingSettled, Instrument,
    InstrumentId, Money, Observer, Output, Reason, Timestamp,
};

use super::CarryReport;
use crate::report::buckets::{Buckets, Extremes};

/// Buckets of each series of the account, and of one pair of markets.
const BUCKETS: usize = 16_000;
const MARKET_BUCKETS: usize = 8_000;
/// The longest interval of settlements, which stands in for the first one.
const LONGEST_INTERVAL: i64 = 8 * HOUR;

/// Looks on while a carry back-test runs; [`report`](Self::report) makes the page.
#[derive(Debug)]
pub struct CarryCollector {
    pub(super) config: Option<(EngineConfig, Configure)>,
    pub(super) markets: Vec<Market>,
    pub(super) pairs: BTreeMap<u64, CarryNote>,
    pub(super) curve: EquityCurve,
    pub(super) equity: Buckets<Extremes>,
    pub(super) funding: Buckets<Extremes>,
    pub(super) fees: Buckets<Extremes>,
    pub(super) basis: Buckets<Extremes>,
    pub(super) notional: Buckets<Extremes>,
    closed: Sums,
    /// What kept pairs from being opened, by kind.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) settlements: u64,
    pub(super) dropped: u64,
}

/// A perpetual with its spot market.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) symbol: String,
    pub(super) perp: InstrumentId,
    spot: InstrumentId,
    /// Coins in a unit of the perpetual: 1000 for 1000PEPEUSDT.
    multiplier: f64,
    last_settled: Option<Timestamp>,
    /// Settled rate a year, a fraction.
    pub(super) rate: Buckets<Extremes>,
    /// Perpetual over spot minus one, basis points.
    pub(super) basis: Buckets<Extremes>,
}

/// What pairs have earned, and hold.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    funding: f64,
    fees: f64,
    basis: f64,
    notional: f64,
}

impl Sums {
    fn add(&mut self, pair: &CarryNote) {
        self.funding -= pair.funding.to_f64_lossy();
        self.fees -= pair.fees.to_f64_lossy();
        self.basis += pair.basis_pnl().to_f64_lossy();
    }
}

impl Market {
    fn settle(&mut self, settled: &FundingSettled, at: Timestamp) {
        let since = self.last_settled.map(|last| settled.funding_time.since(last));
        let interval = since.filter(|length| (1..=LONGEST_INTERVAL).contains(length));
        self.last_settled = Some(settled.funding_time);
        let hours = interval.unwrap_or(LONGEST_INTERVAL) / HOUR;
        let rate: f64 = settled.rate.to_string().parse().unwrap_or_default();
        let per_year = f64::from(i32::try_from(8_760 / hours.max(1)).unwrap_or(1_095));
        self.rate.add(at, Extremes::of(rate * per_year));
    }

    fn watch(&mut self, engine: &Engine, at: Timestamp) {
        let price = |id| engine.market(id)?.mark_or_last(at).map(arb_core::Price::to_f64_lossy);
        if let (Some(perp), Some(spot)) = (price(self.perp), price(self.spot)) {
            let basis = (perp / (spot * self.multiplier) - 1.0) * 10_000.0;
            self.basis.add(at, Extremes::of(basis));
        }
    }
}

/// The perpetuals of a configuration, each with its spot market.
fn markets(config: &EngineConfig) -> Vec<Market> {
    let specs = || (0..).map(InstrumentId).zip(config.instruments.iter().map(|each| &each.spec));
    let hedge = |perp: &Instrument| {
        specs().filter(|(_, spec)| spec.is_spot()).find_map(|(id, spot)| {
            let digits = perp.symbol.strip_suffix(spot.symbol.as_str())?;
            let multiplier = if digits.is_empty() { 1.0 } else { digits.parse().ok()? };
            Some((id, multiplier))
        })
    };
    let market = |(perp, spec): (InstrumentId, &Instrument)| {
        let (spot, multiplier) = hedge(spec)?;
        Some(Market {
            symbol: spec.symbol.clone(),
            perp,
            spot,
            multiplier,
            last_settled: None,
            rate: Buckets::new(MARKET_BUCKETS),
            basis: Buckets::new(MARKET_BUCKETS),
        })
    };
    specs().filter(|(_, spec)| !spec.is_spot()).filter_map(market).collect()
}

impl Default for CarryCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl CarryCollector {
    /// A collector for one run; it learns the configuration from the run's first event.
    #[must_use]
    pub fn new() -> Self {
        let series = || Buckets::new(BUCKETS);
        Self {
            config: None,
            markets: Vec::new(),
            pairs: BTreeMap::new(),
            curve: EquityCurve::default(),
            equity: series(),
            funding: series(),
            fees: series(),
            basis: series(),
            notional: series(),
            closed: Sums::default(),
            refused: BTreeMap::new(),
            settlements: 0,
            dropped: 0,
        }
    }

    /// The report of the run that ended; `engine` is the one that was looked at, and `unpriced`
    /// are the symbols that ran without prices.
    #[must_use]
    pub fn report(
        mut self,
        engine: &Engine,
        period: (Timestamp, Timestamp),
        unpriced: Vec<String>,
    ) -> CarryReport {
        self.pairs.extend(engine.open_pairs().map(|pair| (pair.id, pair)));
        CarryReport::new(self, engine, period, unpriced)
    }

    fn configure(&mut self, configure: &Configure) {
        let Ok(config) = serde_json::from_slice::<EngineConfig>(&configure.bytes) else { return };
        self.markets = markets(&config);
        self.config = Some((config, configure.clone()));
    }

    fn earn(&mut self, engine: &Engine, at: Timestamp) {
        let mut sums = self.closed;
        for pair in engine.open_pairs() {
            sums.add(&pair);
            sums.notional += pair.notional.to_f64_lossy();
        }
        self.funding.add(at, Extremes::of(sums.funding));
        self.fees.add(at, Extremes::of(sums.fees));
        self.basis.add(at, Extremes::of(sums.basis));
        self.notional.add(at, Extremes::of(sums.notional));
    }
}

impl Observer for CarryCollector {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Configure(configure) if self.config.is_none() => self.configure(configure),
            EventKind::Funding(settled) => {
                self.settlements += 1;
                let mut markets = self.markets.iter_mut();
                if let Some(market) = markets.find(|market| market.perp == settled.instrument) {
                    market.settle(settled, event.at);
                }
            }
            _ => {}
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Carry(pair) => {
                if pair.closed_at.is_some() {
                    self.closed.add(pair);
                }
                self.pairs.insert(pair.id, (**pair).clone());
            }
            Output::Signal(signal)
                if !signal.fired && !matches!(signal.decision.reason, Reason::ClosePair(_)) =>
            {
                *self.refused.entry(signal.decision.reason.kind()).or_default() += 1;
            }
            Output::Dropped { .. } => self.dropped += 1,
            _ => {}
        }
    }

    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        let Some(equity) = engine.equity() else { return };
        self.curve.add(at, equity);
        self.equity.add(at, Extremes::of(Money::to_f64_lossy(equity)));
        self.earn(engine, at);
        self.markets.iter_mut().for_each(|market| market.watch(engine, at));
    }
}
