//! Projection of the log, and reading it.

use std::collections::BTreeMap;

use arb_core::port::{
    BookStore, CarryRow, Catalog, Cursor, FillRow, FundingRow, IndicatorRow, InstrumentKey, Listed,
    LogEntry, LogSource, Mode, NoteRow, OrderRow, Page, Setting, SignalFilter, SignalRow,
    TradeFilter, TradeResult, TradeRow, TransferRow,
};
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;

use super::tape::keys;
use super::{MemoryStore, next_id};
use crate::inputs::ms_up;
use crate::project::{self, Projection, Row, project, to_ms};

#[derive(Debug, Default)]
pub(super) struct Book {
    streams: BTreeMap<String, Cursor>,
    events: BTreeMap<(String, Cursor, u32), NoteRow>,
    indicators: BTreeMap<(InstrumentKey, Timestamp), IndicatorRow>,
    signals: Vec<SignalRow>,
    signals_made: usize,
    trades: Vec<TradeRow>,
    pairs: Vec<CarryRow>,
    orders: Vec<OrderRow>,
    fills: Vec<FillRow>,
    funding: Vec<FundingRow>,
    transfers: Vec<TransferRow>,
    settings: BTreeMap<String, Setting>,
}

impl Book {
    pub(super) fn forget(&mut self, before: Timestamp) -> u64 {
        let before = before.floor_to(1_000_000);
        let len = |b: &Self| b.signals.len() + b.indicators.len() + b.events.len();
        let had = len(self);
        self.signals.retain(|row| row.time >= before);
        self.indicators.retain(|(_, at), _| *at >= before);
        self.events.retain(|_, row| row.at >= before);
        (had - len(self)) as u64
    }

    fn append(&mut self, stream: &str, projection: Projection) {
        let Projection { rows, cursor } = projection;
        let done = self.streams.get(stream).copied();
        let is_new = |seq: u64| done.is_none_or(|done| Cursor { epoch: cursor.epoch, seq } > done);
        for (_, row) in rows.into_iter().filter(|(seq, _)| is_new(*seq)) {
            self.write(stream, row);
        }
        if is_new(cursor.seq) {
            self.streams.insert(stream.to_owned(), cursor);
        }
    }

    fn write(&mut self, stream: &str, row: Row) {
        match row {
            Row::Order(row) => {
                if !self.orders.iter().any(|old| old.client_id == row.client_id) {
                    let id = next_id(self.orders.len());
                    self.orders.push(OrderRow { id, ..row });
                }
            }
            Row::Update { client_id, at, update } => {
                if let Some(row) = self.orders.iter_mut().find(|row| row.client_id == client_id) {
                    project::apply(row, &update, at);
                }
            }
            Row::Fill(row) => {
                self.fills.push(FillRow { id: next_id(self.fills.len()), ..row });
            }
            Row::Signal(row) => {
                self.signals.push(SignalRow { id: next_id(self.signals_made), ..row });
                self.signals_made += 1;
            }
            Row::Trade(row) => self.trade(*row),
            Row::Carry(row) => self.carry(*row),
            Row::Funding(row) => {
                self.funding.push(FundingRow { id: next_id(self.funding.len()), ..row });
            }
            Row::Transfer(row) => {
                self.transfers.push(TransferRow { id: next_id(self.transfers.len()), ..row });
            }
            Row::Note(row) => {
                self.events.insert((stream.to_owned(), row.cursor, row.ordinal), row);
            }
        }
    }

    fn trade(&mut self, row: TradeRow) {
        let id = next_id(self.trades.len());
        let same = |old: &&mut TradeRow| old.run == row.run && old.trade == row.trade;
        match self.trades.iter_mut().find(same) {
            Some(old) => *old = TradeRow { id: old.id, ..row },
            None => self.trades.push(TradeRow { id, ..row }),
        }
    }

    fn carry(&mut self, row: CarryRow) {
        let id = next_id(self.pairs.len());
        let same = |old: &&mut CarryRow| old.run == row.run && old.pair == row.pair;
        match self.pairs.iter_mut().find(same) {
            Some(old) => *old = CarryRow { id: old.id, ..row },
            None => self.pairs.push(CarryRow { id, ..row }),
        }
    }
}

/// A page of the rows that fit, newest first.
pub(super) fn page<T: Clone>(
    rows: &[T],
    page: Page,
    place: impl Fn(&T) -> (Timestamp, u64),
    fits: impl Fn(&T) -> bool,
) -> Vec<T> {
    let before = |row: &&T| page.before.is_none_or(|before| place(row) < before);
    let mut found: Vec<&T> = rows.iter().filter(|row| fits(row)).filter(before).collect();
    found.sort_by_key(|row| std::cmp::Reverse(place(row)));
    found.into_iter().take(page.limit).cloned().collect()
}

fn has_result(row: &TradeRow, result: TradeResult) -> bool {
    let (open, won) = (row.status.is_open(), row.pnl > row.fee + row.funding);
    match result {
        TradeResult::Open => open,
        TradeResult::Closed => !open,
        TradeResult::Win => !open && won,
        TradeResult::Loss => !open && !won,
    }
}

#[async_trait]
impl BookStore for MemoryStore {
    async fn append_log(
        &self,
        source: &LogSource,
        catalog: &Catalog,
        entries: &[LogEntry<'_>],
    ) -> Result<(), StoreError> {
        let Some(projection) = project(source, catalog, entries)? else { return Ok(()) };
        let mut state = self.state();
        let written = state.book.streams.get(&source.stream).map_or(0, |cursor| cursor.epoch);
        let leased = state.leases.get(&source.stream).map_or(0, |lease| lease.epoch);
        let current = written.max(leased);
        if source.epoch < current {
            let (stream, epoch) = (source.stream.clone(), source.epoch);
            return Err(StoreError::Fenced { stream, epoch, current });
        }
        state.book.append(&source.stream, projection);
        Ok(())
    }

    async fn cursor(&self, stream: &str) -> Result<Option<Cursor>, StoreError> {
        Ok(self.state().book.streams.get(stream).copied())
    }

    async fn live_events(
        &self,
        stream: &str,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError> {
        let state = self.state();
        let events = state.book.events.values().zip(state.book.events.keys());
        let mut events = events.filter(|(row, key)| key.0 == stream && row.cursor > after);
        let mut rows: Vec<NoteRow> =
            events.by_ref().take(limit).map(|(row, _)| row.clone()).collect();
        if let Some(last) = rows.last().map(|row| row.cursor) {
            let rest = events.take_while(|(row, _)| row.cursor == last);
            rows.extend(rest.map(|(row, _)| row.clone()));
        }
        Ok(rows)
    }

    async fn newest_events(
        &self,
        stream: &str,
        before: Option<(Cursor, u32)>,
        limit: usize,
    ) -> Result<Vec<NoteRow>, StoreError> {
        let state = self.state();
        let fits = |(of, cursor, ordinal): &(String, Cursor, u32)| {
            of == stream && before.is_none_or(|before| (*cursor, *ordinal) < before)
        };
        let newest = state.book.events.iter().rev().filter(|(key, _)| fits(key));
        Ok(newest.take(limit).map(|(_, row)| row.clone()).collect())
    }

    async fn append_indicators(
        &self,
        catalog: &Catalog,
        rows: &[IndicatorRow],
    ) -> Result<(), StoreError> {
        let keyed = rows.iter().map(|r| Ok(((catalog.key(r.instrument)?, to_ms(r.time)), *r)));
        let keyed: Vec<_> = keyed.collect::<Result<_, StoreError>>()?;
        let mut state = self.state();
        for (key, row) in keyed {
            let stored = IndicatorRow { time: to_ms(row.time), ..row };
            state.book.indicators.entry(key).or_insert(stored);
        }
        Ok(())
    }

    async fn indicators(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<IndicatorRow>, StoreError> {
        let state = self.state();
        if from >= to {
            return Ok(Vec::new());
        }
        let (from, to) = (Timestamp::from_millis(ms_up(from)), Timestamp::from_millis(ms_up(to)));
        let rows = state.book.indicators.range(keys(of.key, from, to));
        Ok(rows.map(|(_, row)| IndicatorRow { instrument: of.id, ..*row }).collect())
    }

    async fn signals(
        &self,
        filter: &SignalFilter,
        pages: Page,
    ) -> Result<Vec<SignalRow>, StoreError> {
        let fits = |row: &SignalRow| {
            filter.strategy.as_ref().is_none_or(|name| *name == row.strategy)
                && filter.instrument.is_none_or(|key| key == row.instrument)
        };
        Ok(page(&self.state().book.signals, pages, SignalRow::place, fits))
    }

    async fn own_trades(
        &self,
        filter: &TradeFilter,
        pages: Page,
    ) -> Result<Vec<TradeRow>, StoreError> {
        let fits = |row: &TradeRow| {
            row.mode == filter.mode
                && filter.strategy.as_ref().is_none_or(|name| *name == row.strategy)
                && filter.instrument.is_none_or(|key| key == row.instrument)
                && filter.result.is_none_or(|result| has_result(row, result))
        };
        Ok(page(&self.state().book.trades, pages, TradeRow::place, fits))
    }

    async fn carry_pairs(&self, mode: Mode, pages: Page) -> Result<Vec<CarryRow>, StoreError> {
        Ok(page(&self.state().book.pairs, pages, CarryRow::place, |row| row.mode == mode))
    }

    async fn orders(&self, mode: Mode, pages: Page) -> Result<Vec<OrderRow>, StoreError> {
        Ok(page(&self.state().book.orders, pages, OrderRow::place, |row| row.mode == mode))
    }

    async fn fills(&self, mode: Mode, pages: Page) -> Result<Vec<FillRow>, StoreError> {
        Ok(page(&self.state().book.fills, pages, FillRow::place, |row| row.mode == mode))
    }

    async fn funding_ledger(&self, mode: Mode, pages: Page) -> Result<Vec<FundingRow>, StoreError> {
        Ok(page(&self.state().book.funding, pages, FundingRow::place, |row| row.mode == mode))
    }

    async fn transfers(&self, mode: Mode, pages: Page) -> Result<Vec<TransferRow>, StoreError> {
        Ok(page(&self.state().book.transfers, pages, TransferRow::place, |row| row.mode == mode))
    }

    async fn setting(&self, key: &str) -> Result<Option<Setting>, StoreError> {
        Ok(self.state().book.settings.get(key).cloned())
    }

    async fn set_setting(&self, setting: &Setting) -> Result<(), StoreError> {
        let stored = Setting { updated_at: to_ms(setting.updated_at), ..setting.clone() };
        self.state().book.settings.insert(setting.key.clone(), stored);
        Ok(())
    }
}
