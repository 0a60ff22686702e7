//! A recorded market that many back-tests read at once.
//!
//! Invariant: every reader of the same span gets the same events in the same order, whether they
//! come from memory or from files: inputs of the 30 days before the span, at their own times,
//! then everything inside it, and nothing about a hole that lies before its first trade.

use std::ops::ControlFlow;

use arb_core::time::DAY;
use arb_core::{Event, EventKind, InstrumentId, Side, Timestamp, Trade, hash_of};

use super::error::ReadError;
use super::plan::Span;

/// How long before a span an input is still of use: the window of settled rates, nanoseconds.
const INPUT_MEMORY: i64 = 30 * DAY;
/// Bytes of events hashed at once.
const HASH_BLOCK: usize = 1 << 20;

/// Neighbouring events of a recording.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Trades, one after the other.
    Trades(&'a [Trade]),
    /// Anything else.
    Other(&'a Event),
}

/// What a recording holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Hash of every event: what the data are known by.
    pub hash: String,
    /// Trades, those without quantity not counted.
    pub trades: u64,
    /// Holes in the trades.
    pub holes: u64,
    /// From the first trade to the last.
    pub period: Span,
}

/// A recorded market.
pub trait Recording: Sync {
    /// Gives the events of `span` in order, until `each` breaks.
    ///
    /// # Errors
    /// Whatever the recording is read from fails.
    fn play(
        &self,
        span: Span,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError>;
}

/// A recording in memory, which all workers read: 40 bytes a trade.
#[derive(Debug)]
pub struct InMemory {
    trades: Vec<Trade>,
    /// Other events, each with the number of trades before it.
    others: Vec<(usize, Event)>,
}

impl InMemory {
    /// Whether an event that is no trade belongs to the trades `from..to` of a span. `told` are
    /// the instruments of which a hole was announced.
    fn is_wanted(
        &self,
        (place, event): &(usize, Event),
        (from, to): (usize, usize),
        told: &mut Vec<InstrumentId>,
    ) -> bool {
        match &event.kind {
            // It follows its own trade, which must be inside, and so must the far side of the hole.
            EventKind::Gap(gap) => {
                let rest = self.trades.get(*place..to).unwrap_or_default();
                let wanted =
                    *place > from && rest.iter().any(|trade| trade.instrument == gap.instrument);
                told.extend(wanted.then_some(gap.instrument));
                wanted
            }
            EventKind::GapAccepted(gap) => told.contains(&gap.instrument),
            EventKind::Backfill(_) => *place > from,
            _ => true,
        }
    }
}

impl Recording for InMemory {
    fn play(
        &self,
        span: Span,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let from = self.trades.partition_point(|trade| trade.ts < span.from);
        let to = self.trades.partition_point(|trade| trade.ts < span.to);
        let first = self.others.partition_point(|(_, e)| e.at < span.from.plus(-INPUT_MEMORY));
        let last = self.others.partition_point(|(_, e)| e.at < span.to);
        let (mut at, mut told) = (from, Vec::new());
        for other in self.others.get(first..last).unwrap_or_default() {
            if !self.is_wanted(other, (from, to), &mut told) {
                continue;
            }
            let (place, event) = other;
            if *place > at {
                let trades = self.trades.get(at..*place).unwrap_or_default();
                at = *place;
                if each(Piece::Trades(trades)).is_break() {
                    return Ok(());
                }
            }
            if each(Piece::Other(event)).is_break() {
                return Ok(());
            }
        }
        if let Some(trades) = self.trades.get(at..to).filter(|trades| !trades.is_empty()) {
            let _ = each(Piece::Trades(trades));
        }
        Ok(())
    }
}

/// Reads a recording once: what it holds, and the whole of it where it fits.
#[derive(Debug)]
pub struct Reading {
    most: usize,
    /// None once there are more than `most` trades.
    kept: Option<Vec<Trade>>,
    others: Vec<(usize, Event)>,
    /// Hash of all full blocks, and the running one.
    hash: String,
    block: Vec<u8>,
    read: usize,
    trades: u64,
    holes: u64,
    ends: Option<(Timestamp, Timestamp)>,
}

impl Reading {
    /// Keeps a recording of at most `most_trades`.
    #[must_use]
    pub fn new(most_trades: usize) -> Self {
        Self {
            most: most_trades,
            kept: Some(Vec::new()),
            others: Vec::new(),
            hash: String::new(),
            block: Vec::with_capacity(HASH_BLOCK + 64),
            read: 0,
            trades: 0,
            holes: 0,
            ends: None,
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// An event that has no byte form.
    pub fn push(&mut self, event: Event) -> Result<(), ReadError> {
        if let EventKind::Trade(trade) = event.kind {
            self.trade(trade);
        } else {
            self.block.extend_from_slice(&postcard::to_stdvec(&event)?);
            self.holes += u64::from(matches!(event.kind, EventKind::Gap(_)));
            self.others.push((self.read, event));
        }
        if self.block.len() >= HASH_BLOCK {
            self.close_block();
        }
        Ok(())
    }

    fn trade(&mut self, trade: Trade) {
        self.read += 1;
        self.trades += u64::from(!trade.qty.is_zero());
        let first = self.ends.map_or(trade.ts, |(first, _)| first);
        self.ends = Some((first, trade.ts));
        let Trade { instrument, taker_side, id, ts, price, qty } = trade;
        let side = u8::from(taker_side == Side::Sell);
        self.block.push(side);
        self.block.extend_from_slice(&instrument.0.to_le_bytes());
        self.block.extend_from_slice(&id.to_le_bytes());
        for number in [ts.as_nanos(), price.units(), qty.units()] {
            self.block.extend_from_slice(&number.to_le_bytes());
        }
        if self.read > self.most {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(trade);
        }
    }

    /// Chains the hashes of blocks, so that no more than one is held.
    fn close_block(&mut self) {
        self.block.extend_from_slice(self.hash.as_bytes());
        self.hash = hash_of(&self.block);
        self.block.clear();
    }

    /// What was read, and the recording itself unless it was too large; none without a trade.
    #[must_use]
    pub fn finish(mut self) -> Option<(Facts, Option<InMemory>)> {
        self.close_block();
        let (from, to) = self.ends?;
        let facts = Facts {
            hash: self.hash,
            trades: self.trades,
            holes: self.holes,
            period: Span { from, to },
        };
        let others = self.others;
        Some((facts, self.kept.map(|trades| InMemory { trades, others })))
    }
}

/// A recording that every reader streams from its files again, when it does not fit into memory.
#[cfg(feature = "tapes")]
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The files.
    pub sources: Vec<arb_store::tape::Source>,
    /// How they were read the first time.
    pub options: arb_store::tape::TapeOptions,
}

#[cfg(feature = "tapes")]
impl Recording for Streamed {
    fn play(
        &self,
        span: Span,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let options = arb_store::tape::TapeOptions {
            from: Some(self.options.from.map_or(span.from, |from| from.max(span.from))),
            to: Some(self.options.to.map_or(span.to, |to| to.min(span.to))),
            gaps: self.options.gaps,
        };
        let mut tape = arb_store::tape::Tape::open(&self.sources, options)?;
        let (mut batch, mut trades) = (Vec::new(), Vec::new());
        while tape.next_batch(&mut batch)? > 0 {
            for event in batch.drain(..) {
                if let EventKind::Trade(trade) = event.kind {
                    trades.push(trade);
                    continue;
                }
                if !trades.is_empty() && each(Piece::Trades(&trades)).is_break() {
                    return Ok(());
                }
                trades.clear();
                if each(Piece::Other(&event)).is_break() {
                    return Ok(());
                }
            }
            if !trades.is_empty() && each(Piece::Trades(&trades)).is_break() {
                return Ok(());
            }
            trades.clear();
        }
        Ok(())
    }
}
