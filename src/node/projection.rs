//! Records of the log as what a store keeps of them.
//!
//! Invariant: a chunk is a function of the records in it and of those before, so projecting again
//! gives the same rows. A trade that the engine dropped is not stored: the tape is what the engine
//! has seen.

use std::time::Duration;

use arb_core::port::{
    Catalog, IndicatorRow, LogEntry, MarketStore, RateSnapshot, Store, TapeStore,
};
use arb_core::time::nanos;
use arb_core::{
    Decimal, Event, EventKind, Indicators, Instrument, InstrumentId, Output, QtySum, StoreError,
    Timestamp, Trade,
};

use super::cell::Cell;
use super::metrics::{Counters, add};
use super::rates::RateBoard;
use crate::record::log::Seq;

/// An event that becomes rows of the book.
#[derive(Debug)]
struct Entry {
    seq: Seq,
    event: Event,
    outputs: Vec<Output>,
}

/// Records on their way to the store.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Events in it.
    count: usize,
    entries: Vec<Entry>,
    trades: Vec<Trade>,
    market: Vec<Event>,
    snapshots: Vec<RateSnapshot>,
    indicators: Vec<IndicatorRow>,
    /// Instruments of the configuration in force, when there are more than before.
    specs: Vec<Instrument>,
    rates: RateBoard,
    rates_every: i64,
    rates_at: Option<Timestamp>,
}

impl Chunk {
    pub(super) fn new(rates_every: Duration) -> Self {
        Self {
            count: 0,
            entries: Vec::new(),
            trades: Vec::new(),
            market: Vec::new(),
            snapshots: Vec::new(),
            indicators: Vec::new(),
            specs: Vec::new(),
            rates: RateBoard::default(),
            rates_every: nanos(rates_every).max(1),
            rates_at: None,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Empties the chunk; what it knows of rates stays.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.entries.clear();
        self.trades.clear();
        self.market.clear();
        self.snapshots.clear();
        self.indicators.clear();
    }

    /// Remembers what an event says about rates.
    pub(super) fn watch(&mut self, event: &Event) {
        self.rates.watch(event);
    }

    /// Takes an event with what the engine said to it.
    pub(super) fn take(&mut self, seq: Seq, event: Event, cell: &Cell) {
        self.watch(&event);
        self.count += 1;
        let dropped = cell.out.iter().any(|output| matches!(output, Output::Dropped { .. }));
        match &event.kind {
            EventKind::Trade(trade) if !dropped => self.trades.push(*trade),
            EventKind::Backfill(backfill) if !dropped => {
                self.trades.extend_from_slice(&backfill.trades);
            }
            EventKind::Funding(_) | EventKind::Input(_) if !dropped => {
                self.market.push(event.clone());
            }
            EventKind::Tick(at) => self.on_tick(*at, cell),
            _ => {}
        }
        let is_last_quiet = |entry: &Entry| entry.outputs.is_empty() && !is_booked(&entry.event);
        // The last entry carries the cursor, whatever it is.
        if self.entries.last().is_some_and(is_last_quiet) {
            self.entries.pop();
        }
        self.entries.push(Entry { seq, event, outputs: cell.out.clone() });
        if let Some(config) = cell.engine.config()
            && config.instruments.len() > self.specs.len()
        {
            self.specs = config.instruments.iter().map(|i| i.spec.clone()).collect();
        }
    }

    fn on_tick(&mut self, at: Timestamp, cell: &Cell) {
        let count = cell.engine.config().map_or(0, |config| config.instruments.len());
        for index in 0..u16::try_from(count).unwrap_or(u16::MAX) {
            let market = cell.engine.market(InstrumentId(index));
            let Some(market) = market else { continue };
            let row = market.indicators().filter(|row| row.time == at);
            let id = InstrumentId(index);
            let of = |signal: &&arb_core::Signal| {
                signal.decision.instrument == id && signal.decision.time == at
            };
            let score = cell.engine.decisions().find(of).map(|signal| signal.decision.score);
            self.indicators.extend(row.map(|row| indicator_row(id, row, score)));
        }
        let is_due = self.rates_at.is_none_or(|last| at.since(last) >= self.rates_every);
        let before = self.snapshots.len();
        if is_due {
            let basis = |perp| cell.engine.tradable_basis(perp, at);
            self.snapshots.extend(self.rates.snapshots(at, basis));
        }
        if self.snapshots.len() > before {
            self.rates_at = Some(at);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = LogEntry<'_>> {
        self.entries.iter().map(|entry| LogEntry {
            seq: entry.seq,
            event: &entry.event,
            outputs: &entry.outputs,
        })
    }

    /// The instruments to register, when the catalog lacks some.
    pub(super) fn new_instruments(&self, catalog: &Catalog) -> Option<Vec<Instrument>> {
        (catalog.iter().count() < self.specs.len()).then(|| self.specs.clone())
    }

    /// Stores trades, inputs, rates and indicators.
    pub(super) async fn store_market(
        &self,
        store: &dyn Store,
        catalog: &Catalog,
        counters: &Counters,
    ) -> Result<(), StoreError> {
        let mut trades = self.trades.clone();
        trades.sort_by_key(|trade| (trade.instrument, trade.id));
        trades.dedup_by_key(|trade| (trade.instrument, trade.id));
        match TapeStore::append_trades(store, catalog, &trades).await {
            Err(StoreError::Conflict { .. } | StoreError::Invalid { .. }) => {
                one_by_one(store, catalog, &trades, counters).await?;
            }
            stored => stored?,
        }
        match MarketStore::append_market(store, catalog, &self.market).await {
            Err(StoreError::Conflict { .. } | StoreError::Invalid { .. }) => {
                for event in &self.market {
                    let stored = store.append_market(catalog, std::slice::from_ref(event)).await;
                    left_out(stored, counters)?;
                }
            }
            stored => stored?,
        }
        if !self.snapshots.is_empty() {
            store.append_rates(catalog, &self.snapshots).await?;
        }
        if !self.indicators.is_empty() {
            store.append_indicators(catalog, &self.indicators).await?;
        }
        Ok(())
    }
}

/// Stores what can be stored of trades of which some contradict the store.
async fn one_by_one(
    store: &dyn Store,
    catalog: &Catalog,
    trades: &[Trade],
    counters: &Counters,
) -> Result<(), StoreError> {
    for trade in trades {
        let stored = store.append_trades(catalog, std::slice::from_ref(trade)).await;
        left_out(stored, counters)?;
    }
    Ok(())
}

/// A record that the store knows otherwise is told and left out: waiting would not change it.
fn left_out(stored: Result<(), StoreError>, counters: &Counters) -> Result<(), StoreError> {
    match stored {
        Err(error @ (StoreError::Conflict { .. } | StoreError::Invalid { .. })) => {
            add(&counters.store_conflicts, 1);
            tracing::error!(%error, "a market record is left out of the store");
            Ok(())
        }
        stored => stored,
    }
}

const fn is_booked(event: &Event) -> bool {
    matches!(event.kind, EventKind::Order(_) | EventKind::Transfer(_))
}

fn indicator_row(instrument: InstrumentId, row: &Indicators, score: Option<f64>) -> IndicatorRow {
    IndicatorRow {
        instrument,
        time: row.time,
        price: row.last_price,
        cvd_fast: decimal(row.cvd_30m),
        cvd_mid: decimal(row.cvd_4h),
        cvd_day: decimal(row.cvd_day),
        vwap_30m: row.vwap_30m,
        atr_5m: row.atr,
        atr_percentile: row.atr_percentile,
        qty_p95: row.qty_p95,
        qty_p99: row.qty_p99,
        score,
        complete: row.complete_15m && row.complete_30m && row.complete_4h,
    }
}

/// A sum in base units; beyond 28 digits the nearest that fits.
fn decimal(sum: QtySum) -> Decimal {
    Decimal::try_from_i128_with_scale(sum.units(), 8).unwrap_or(if sum.signum() < 0 {
        Decimal::MIN
    } else {
        Decimal::MAX
    })
}
