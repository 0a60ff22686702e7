//! Writes a tape row by row.
//!
//! Invariant: memory is one block a table, whatever the length of the tape; every row is in order
//! or refused. A tape without its index is not readable, so one that was not finished is never
//! taken for a whole one.

use std::io::{self, Write};
use std::sync::Arc;

use arb_core::{Qty, Timestamp, Trade};

use super::block::{self, MAX_ROWS, TradeRows};
use super::column::Packer;
use super::index::{Entry, Index, TapeHeader, TapeInfo};
use super::rows::{FundingRow, LiquidationRow, MarkRow, MetricsRow, PremiumRow, Row, Table};
use super::wire::length;
use crate::tape::error::TapeError;

/// Rows of a table that wait for their block.
#[derive(Debug)]
struct Waiting<R> {
    rows: Vec<R>,
    last: Option<Timestamp>,
}

impl<R> Default for Waiting<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), last: None }
    }
}

/// Writes a tape to `W`; nothing is whole before [`finish`](Self::finish).
///
/// ```
/// use arb_core::generator::{GeneratorConfig, TapeGenerator};
/// use arb_store::tape::{TapeHeader, TapeWriter};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut writer = TapeWriter::new("btc.arbt", Vec::new(), TapeHeader::new("BTCUSDT"))?;
/// for trade in TapeGenerator::new(GeneratorConfig::btcusdt(7)).take(10_000) {
///     writer.trade(&trade)?;
/// }
/// let (bytes, info) = writer.finish()?;
/// assert_eq!(info.bytes, bytes.len() as u64);
/// # Ok(()) }
/// ```
pub struct TapeWriter<W> {
    name: Arc<str>,
    out: W,
    header: TapeHeader,
    written: u64,
    packer: Packer,
    index: Index,
    trades: TradeRows,
    last: Option<Trade>,
    funding: Waiting<FundingRow>,
    marks: Waiting<MarkRow>,
    metrics: Waiting<MetricsRow>,
    liquidations: Waiting<LiquidationRow>,
    premium: Waiting<PremiumRow>,
}

impl<W> std::fmt::Debug for TapeWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapeWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<W: Write> TapeWriter<W> {
    /// Begins a tape; `name` is for messages.
    ///
    /// # Errors
    /// [`TapeError::Io`] when it cannot be written.
    pub fn new(name: &str, out: W, header: TapeHeader) -> Result<Self, TapeError> {
        let name: Arc<str> = name.into();
        let packer = Packer::new().map_err(|e| failed(&name, e))?;
        let mut writer = Self {
            name,
            out,
            header,
            written: 0,
            packer,
            index: Index::default(),
            trades: TradeRows::default(),
            last: None,
            funding: Waiting::default(),
            marks: Waiting::default(),
            metrics: Waiting::default(),
            liquidations: Waiting::default(),
            premium: Waiting::default(),
        };
        let head = writer.header.encode();
        writer.put(&head)?;
        Ok(writer)
    }

    /// Appends a trade.
    ///
    /// # Errors
    /// [`TapeError::Order`] when its id does not go up or its time goes back.
    #[inline]
    pub fn trade(&mut self, trade: &Trade) -> Result<(), TapeError> {
        self.order_trade(trade)?;
        self.trades.trades.push(*trade);
        if self.trades.trades.len() == MAX_ROWS { self.flush_trades() } else { Ok(()) }
    }

    /// Appends a print that was no market trade: it marks its id as seen and loses its quantity.
    ///
    /// # Errors
    /// As [`trade`](Self::trade).
    pub fn off_market(&mut self, trade: &Trade) -> Result<(), TapeError> {
        self.trades.off_market.push(self.trades.trades.len());
        self.trade(&Trade { qty: Qty::ZERO, ..*trade })
    }

    /// Appends a settlement.
    ///
    /// # Errors
    /// [`TapeError::Order`] when its time goes back.
    pub fn funding(&mut self, row: &FundingRow) -> Result<(), TapeError> {
        self.push(row, |writer| &mut writer.funding)
    }

    /// Appends a mark price.
    ///
    /// # Errors
    /// As [`funding`](Self::funding).
    pub fn mark(&mut self, row: &MarkRow) -> Result<(), TapeError> {
        self.push(row, |writer| &mut writer.marks)
    }

    /// Appends open interest and ratios.
    ///
    /// # Errors
    /// As [`funding`](Self::funding).
    pub fn metrics(&mut self, row: &MetricsRow) -> Result<(), TapeError> {
        self.push(row, |writer| &mut writer.metrics)
    }

    /// Appends a liquidation.
    ///
    /// # Errors
    /// As [`funding`](Self::funding).
    pub fn liquidation(&mut self, row: &LiquidationRow) -> Result<(), TapeError> {
        self.push(row, |writer| &mut writer.liquidations)
    }

    /// Appends a close of the premium index.
    ///
    /// # Errors
    /// As [`funding`](Self::funding).
    pub fn premium(&mut self, row: &PremiumRow) -> Result<(), TapeError> {
        self.push(row, |writer| &mut writer.premium)
    }

    /// Writes what waits and the index.
    ///
    /// # Errors
    /// [`TapeError::Io`] when it cannot be written.
    pub fn finish(mut self) -> Result<(W, TapeInfo), TapeError> {
        self.flush_trades()?;
        self.flush(|writer| &mut writer.funding)?;
        self.flush(|writer| &mut writer.marks)?;
        self.flush(|writer| &mut writer.metrics)?;
        self.flush(|writer| &mut writer.liquidations)?;
        self.flush(|writer| &mut writer.premium)?;
        let index = self.index.encode();
        self.put(&index)?;
        self.out.flush().map_err(|e| failed(&self.name, e))?;
        let info = TapeInfo::new(self.name, self.header, &self.index, self.written);
        Ok((self.out, info))
    }

    #[inline]
    fn order_trade(&mut self, trade: &Trade) -> Result<(), TapeError> {
        if trade.id == u64::MAX {
            return Err(self.disorder(Table::Trades, "an id has no successor"));
        }
        if let Some(last) = self.last {
            if trade.id <= last.id {
                return Err(self.disorder(Table::Trades, "an id does not go up"));
            }
            if trade.ts < last.ts {
                return Err(self.disorder(Table::Trades, "a time goes back"));
            }
            self.index.holes += u64::from(trade.id - last.id != 1);
        }
        self.last = Some(*trade);
        Ok(())
    }

    fn push<R: Row>(
        &mut self,
        row: &R,
        of: impl Fn(&mut Self) -> &mut Waiting<R>,
    ) -> Result<(), TapeError> {
        let waiting = of(self);
        if waiting.last.is_some_and(|last| row.at() < last) {
            return Err(self.disorder(R::TABLE, "a time goes back"));
        }
        waiting.last = Some(row.at());
        waiting.rows.push(*row);
        if waiting.rows.len() == MAX_ROWS { self.flush(of) } else { Ok(()) }
    }

    #[cold]
    fn disorder(&self, table: Table, what: &'static str) -> TapeError {
        TapeError::Order { file: Arc::clone(&self.name), table: table.as_str(), what }
    }

    fn flush<R: Row>(
        &mut self,
        of: impl Fn(&mut Self) -> &mut Waiting<R>,
    ) -> Result<(), TapeError> {
        let rows = std::mem::take(&mut of(self).rows);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let body = block::pack_rows(&rows, &mut self.packer);
        let body = body.map_err(|e| failed(&self.name, e))?;
        let (first_time, last_time) = (first.at(), last.at());
        let entry = Entry { first_time, last_time, ..blank(R::TABLE, rows.len()) };
        self.put_block(entry, &body)
    }

    fn flush_trades(&mut self) -> Result<(), TapeError> {
        let trades = &self.trades.trades;
        let (Some(first), Some(last)) = (trades.first(), trades.last()) else { return Ok(()) };
        let entry = Entry {
            first_time: first.ts,
            last_time: last.ts,
            first_id: first.id,
            last_id: last.id,
            ..blank(Table::Trades, trades.len())
        };
        let body = block::pack_trades(&self.trades, &mut self.packer);
        let body = body.map_err(|e| failed(&self.name, e))?;
        self.trades.trades.clear();
        self.trades.off_market.clear();
        self.put_block(entry, &body)
    }

    fn put_block(&mut self, entry: Entry, body: &[u8]) -> Result<(), TapeError> {
        let block = block::frame(entry.table, entry.rows, body);
        let block = block.map_err(|e| failed(&self.name, e))?;
        self.index.entries.push(Entry { offset: self.written, len: block.len(), ..entry });
        self.put(&block)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TapeError> {
        self.written += length(bytes.len());
        self.out.write_all(bytes).map_err(|e| failed(&self.name, e))
    }
}

const fn blank(table: Table, rows: usize) -> Entry {
    let time = Timestamp::EPOCH;
    Entry {
        table,
        offset: 0,
        len: 0,
        rows,
        first_time: time,
        last_time: time,
        first_id: 0,
        last_id: 0,
    }
}

#[cold]
fn failed(name: &Arc<str>, source: io::Error) -> TapeError {
    TapeError::Write { file: Arc::clone(name), source }
}
