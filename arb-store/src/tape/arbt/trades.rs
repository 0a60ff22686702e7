//! The trades of a tape, a chunk at a time.
//!
//! Invariant: as [`TradeBlock`]'s, over all blocks: ids strictly increase and times never go back,
//! because each block begins and ends as the index says and the index is in order.

use std::sync::Arc;

use arb_core::{InstrumentId, Timestamp, Trade};

use super::block::{Chunk, TradeBlock};
use super::column::CHUNK;
use super::file::{ArbtFile, Blocks};
use super::index::Entry;
use super::rows::Table;
use super::wire::{Flaw, length};
use crate::tape::bytes::Consumed;
use crate::tape::error::TapeError;

/// Trades of a tape from some block on.
pub(crate) struct ArbtTrades {
    blocks: Blocks,
    instrument: InstrumentId,
    /// Numbers of the blocks to come, the next one at the end.
    to_come: Vec<usize>,
    block: TradeBlock,
    /// The block being given, and what the index says of it.
    current: Option<(usize, Entry)>,
    chunk: Vec<Trade>,
    /// Trades of the chunk that were given.
    given: usize,
    /// Rows of the tape before the chunk.
    before: u64,
    /// Rows of the block before the chunk.
    in_block: usize,
    is_plain: bool,
}

/// A trade with its place in the tape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) trade: Trade,
    /// Its row, counted from 1.
    pub(crate) row: u64,
    pub(crate) off_market: bool,
}

/// Numbers of the blocks that reach `from`, the first one at the end; rows before them.
fn to_come(file: &ArbtFile, from: Option<Timestamp>) -> (Vec<usize>, u64) {
    let is_before = |entry: &Entry| from.is_some_and(|from| entry.last_time < from);
    let mut before = 0;
    let mut numbers = Vec::new();
    for (number, entry) in file.index.of(Table::Trades) {
        if is_before(entry) {
            before += length(entry.rows);
        } else {
            numbers.push(number);
        }
    }
    numbers.reverse();
    (numbers, before)
}

impl ArbtTrades {
    /// The trades from the first block on that reaches `from`.
    pub(crate) fn open(
        file: &Arc<ArbtFile>,
        instrument: InstrumentId,
        from: Option<Timestamp>,
        consumed: &Consumed,
    ) -> Result<Self, TapeError> {
        let (to_come, before) = to_come(file, from);
        Ok(Self {
            blocks: file.blocks(consumed)?,
            instrument,
            to_come,
            block: TradeBlock::default(),
            current: None,
            chunk: Vec::with_capacity(CHUNK),
            given: 0,
            before,
            in_block: 0,
            is_plain: false,
        })
    }

    pub(crate) const fn file(&self) -> &Arc<ArbtFile> {
        self.blocks.file()
    }

    /// The next trade; none at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Placed>, TapeError> {
        if self.given == self.chunk.len() && !self.refill()? {
            return Ok(None);
        }
        let Some(trade) = self.chunk.get(self.given).copied() else { return Ok(None) };
        let row_in_block = self.in_block + self.given;
        self.given += 1;
        let off_market = trade.qty.is_zero() && self.block.is_off_market(row_in_block);
        Ok(Some(Placed { trade, row: self.before + length(self.given), off_market }))
    }

    /// The trades at hand that all have a quantity; maybe none although more come.
    #[inline]
    pub(crate) fn at_hand(&self) -> &[Trade] {
        let rest = self.chunk.get(self.given..).unwrap_or_default();
        if self.is_plain { rest } else { &[] }
    }

    /// Counts `count` trades of [`at_hand`](Self::at_hand) as given; gives the row of the last.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) -> u64 {
        self.given += count;
        self.before + length(self.given)
    }

    /// Puts the next chunk together; false at the end.
    fn refill(&mut self) -> Result<bool, TapeError> {
        loop {
            self.before += length(self.chunk.len());
            self.in_block += self.chunk.len();
            self.given = 0;
            let last = self.chunk.last().map(|trade| (trade.id, trade.ts));
            let begins = self.in_block == 0;
            let chunk = match &self.current {
                Some((number, _)) => self
                    .block
                    .next(self.instrument, &mut self.chunk)
                    .map_err(|flaw| self.blocks.file().error(*number, flaw))?,
                None => Chunk::End,
            };
            if chunk != Chunk::End {
                self.is_plain = chunk == Chunk::Plain;
                self.check_start(begins)?;
                return Ok(true);
            }
            self.check_end(last)?;
            self.chunk.clear();
            self.in_block = 0;
            let Some(number) = self.to_come.pop() else {
                self.current = None;
                return Ok(false);
            };
            let entry = self.blocks.trades(number, &mut self.block)?;
            self.current = Some((number, entry));
        }
    }

    fn check_start(&self, begins: bool) -> Result<(), TapeError> {
        let Some((number, entry)) = self.current.filter(|_| begins) else { return Ok(()) };
        let first = self.chunk.first().map(|trade| (trade.id, trade.ts));
        self.check(number, first == Some((entry.first_id, entry.first_time)))
    }

    fn check_end(&self, last: Option<(u64, Timestamp)>) -> Result<(), TapeError> {
        let Some((number, entry)) = self.current else { return Ok(()) };
        self.check(number, last == Some((entry.last_id, entry.last_time)))
    }

    fn check(&self, number: usize, agrees: bool) -> Result<(), TapeError> {
        let flaw = || Flaw::of("the index tells other ids or times");
        if agrees { Ok(()) } else { Err(self.blocks.file().error(number, flaw())) }
    }
}
