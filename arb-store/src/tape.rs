//! Recorded trades and market inputs, read as engine events in their total order.
//!
//! Invariant: a [`Tape`] gives the same events whatever the order, packing or overlap of its
//! files: time, rank, instrument, id, as [`Event::order_key`] has it. A row is used exactly as
//! written or refused with `FILE:LINE: field`; a missing trade is announced, never glossed over.
//! Memory does not grow with the trades: files stream a block at a time.
//!
//! | kind | columns |
//! |---|---|
//! | aggregate trades | `agg_trade_id`/`id`/`a`, `price`/`p`, `quantity`/`qty`/`q`, `transact_time`/`time`/`T`/`timestamp`, `is_buyer_maker`/`m`; others optional |
//! | single trades | the same with `quote_qty`; where a column `kind` or `X` is not `MARKET` the row keeps its id and loses its quantity |
//! | funding | `funding_time`/`calc_time`, `funding_rate`/`last_funding_rate`; optional `symbol`, `funding_interval_hours`, `mark_price` |
//! | metrics | the 8 columns of the archive; fields may be empty, rows missing or unsorted |
//! | klines | the 12 columns of the archive |
//! | marks | `time`/`E`, `mark_price`/`p`; optional index price, running funding rate, next settlement; or the klines of the archive |
//! | liquidations | `time`, `side` of the order, a price and a quantity |
//! | `.arbt` | all of these in one file, see [`TapeWriter`] |
//! | hourly pairs | a header with `open_time_utc` and `open_`, `close_`, `volume_` of `perp` and `spot`; optional `mark_price`, `funding_rate_raw` |
//!
//! Without a header the columns are those of the archive: trades are told apart by the number of
//! columns and by where time and flag stand (5, 7 or 8 columns: aggregate trades without and with
//! first and last id, and with `is_best_match`; 6 or 7: single trades, the seventh being
//! `is_best_match` or `kind`).
//!
//! A time is milliseconds when it has 13 digits and microseconds when it has 16, per value: spot
//! archives changed the unit in 2025. What lies outside 2001-09-09 to 2261-12-31 is refused.
//!
//! Files are plain text, gzip (also several members in a row) or zip (its `.csv` members in the
//! order of their names), told apart by their first bytes. Lines end in `\n` or `\r\n`; a byte
//! order mark and blank lines at the end are skipped.

mod ahead;
mod arbt;
mod bytes;
mod error;
mod feeds;
mod fields;
mod flow;
mod inputs;
mod kinds;
mod klines;
mod lines;
mod pair_bars;
mod premium;
mod steps;
mod table;
mod trades;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::time::DAY;
use arb_core::{Event, Hole, InstrumentId, Timestamp};

pub use self::ahead::ReadAhead;
use self::arbt::ArbtFile;
pub use self::arbt::{
    FundingRow, Imported, Liquidated, LiquidationRow, MarkRow, MetricsRow, PremiumRow, Table,
    TableInfo, TapeHeader, TapeInfo, TapeWriter, fuzz_arbt, import, read_info, symbol_of, verify,
    verify_bytes,
};
use self::bytes::{Consumed, Origin, Packed};
pub use self::error::{Place, TapeError, TapePart};
use self::feeds::Feed;
use self::flow::Flow;
pub use self::inputs::metrics_known_at;
pub use self::kinds::{counts_of, kind_of};
pub use self::klines::{Kline, read_klines};
pub use self::pair_bars::{HourBar, PairBar, PairSource, PairTape, read_pair_bars};
pub use self::steps::infer_steps;
pub use self::trades::Counts;
use self::trades::{Owner, TradeRow};

/// Events a batch holds at most, but for an announcement or two: they stay in the first caches.
const BATCH: usize = 512;
/// How long before the period an input is still of use: the window of settled rates.
const INPUT_MEMORY: i64 = 30 * DAY;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Aggregate or single trades.
    Trades,
    /// Settled funding rates.
    Funding,
    /// Open interest and long/short ratios.
    Metrics,
    /// Klines of the premium index, from which the running funding rate is estimated.
    PremiumKlines,
    /// Mark prices, or klines of them.
    Marks,
    /// Liquidations.
    Liquidations,
}

/// A file of a tape: of a kind, or an `.arbt` tape, whose tables are all used whatever the kind.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose data it is.
    pub instrument: InstrumentId,
    /// The venue's symbol; a symbol column that differs is an error. One per instrument.
    pub symbol: String,
    /// What it holds.
    pub kind: SourceKind,
    /// Where it is; also its name in messages.
    pub path: PathBuf,
}

/// What to do about missing trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Gaps {
    /// The first hole is an error.
    #[default]
    Refuse,
    /// A hole is announced and stays open.
    Announce,
    /// A hole is announced, and accepted after the first trade behind it.
    Accept,
}

/// How a tape is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapeOptions {
    /// What to do about missing trades.
    pub gaps: Gaps,
    /// First instant of the period. Earlier trades are skipped; inputs are kept from 30 days
    /// before, at their own times, because windows of rates reach back so far.
    pub from: Option<Timestamp>,
    /// First instant after the period; nothing at or after it is given.
    pub to: Option<Timestamp>,
}

/// What was read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TapeStats {
    /// Trades given, those without quantity not counted.
    pub trades: u64,
    /// Trades given whose recorded quantity is zero: they mark their id as seen.
    pub zero_qty: u64,
    /// Prints given with quantity zero because they are no market trades.
    pub off_market: u64,
    /// Rows left out because the same row was read before.
    pub duplicates: u64,
    /// Holes announced, in the order of the events.
    pub holes: Vec<Hole>,
    /// Packed bytes read, of [`Tape::total_bytes`].
    pub bytes_read: u64,
}

impl TapeStats {
    #[inline]
    fn count(&mut self, row: &TradeRow) {
        if !row.trade.qty.is_zero() {
            self.trades += 1;
        } else if row.off_market {
            self.off_market += 1;
        } else {
            self.zero_qty += 1;
        }
    }
}

/// A place in the total order of events.
type Key = (Timestamp, u8, InstrumentId, u64);

/// Who gives the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Inputs,
    Feed(usize),
    Flow(usize),
}

/// Recorded events in their total order, a batch at a time.
///
/// ```
/// use arb_core::InstrumentId;
/// use arb_store::tape::{Source, SourceKind, Tape, TapeOptions};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let source = Source {
///     instrument: InstrumentId(0),
///     symbol: "BTCUSDT".to_owned(),
///     kind: SourceKind::Trades,
///     path: "btc.csv".into(),
/// };
/// let csv = b"agg_trade_id,price,quantity,transact_time,is_buyer_maker\n\
///             7,63943.9,0.050,1721347022000,true\n";
/// let mut tape = Tape::from_bytes(&[(source, csv)], TapeOptions::default())?;
/// let mut events = Vec::new();
/// while tape.next_batch(&mut events)? > 0 {}
/// assert_eq!(events.len(), 1);
/// # Ok(()) }
/// ```
pub struct Tape {
    flows: Vec<Flow>,
    /// Every input, in order.
    inputs: std::iter::Peekable<std::vec::IntoIter<Event>>,
    /// Marks and liquidations, which may be as many as trades.
    feeds: Vec<Box<dyn Feed>>,
    turns: BinaryHeap<Reverse<(Key, Turn)>>,
    stats: TapeStats,
    consumed: Consumed,
    total_bytes: u64,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl Tape {
    /// Opens the files, looks at the first row of each and reads the inputs.
    ///
    /// # Errors
    /// [`TapeError`] when a file cannot be read or a row that was looked at cannot be used.
    pub fn open(sources: &[Source], options: TapeOptions) -> Result<Self, TapeError> {
        let file = |source: &Source| Origin::File(source.path.clone());
        Self::build(sources.iter().map(|source| (source, file(source))), options)
    }

    /// The same from contents in memory; the path is only the name in messages.
    ///
    /// # Errors
    /// [`TapeError`] when a row that was looked at cannot be used.
    pub fn from_bytes(
        sources: &[(Source, impl AsRef<[u8]>)],
        options: TapeOptions,
    ) -> Result<Self, TapeError> {
        let origin = |bytes: &[u8]| Origin::Memory(bytes.into());
        let files = sources.iter().map(|(source, bytes)| (source, origin(bytes.as_ref())));
        Self::build(files, options)
    }

    fn build<'a>(
        sources: impl Iterator<Item = (&'a Source, Origin)>,
        options: TapeOptions,
    ) -> Result<Self, TapeError> {
        let consumed = Consumed::default();
        let mut stats = TapeStats::default();
        let mut total_bytes = 0_u64;
        let mut files: BTreeMap<InstrumentId, Files> = BTreeMap::new();
        for (source, origin) in sources {
            let packed = Packed { name: source.path.to_string_lossy().into(), origin };
            total_bytes = total_bytes.saturating_add(packed.size()?);
            let files = files.entry(source.instrument).or_default();
            match packed.tape(&consumed)? {
                Some(tape) => files.add_tape(source, tape)?,
                None => files.add(source, packed),
            }
        }
        let (mut inputs, mut feeds, mut flows) = (Vec::new(), Vec::new(), Vec::new());
        for (instrument, files) in files {
            let owner = Owner { instrument, symbol: Some(Arc::clone(&files.symbol)) };
            files.inputs(&owner, &consumed, &mut stats, &mut inputs)?;
            feeds.append(&mut files.feeds(&owner, options, &consumed, &mut stats)?);
            let trades = (files.trades.as_slice(), files.tapes.as_slice());
            flows.push(Flow::open(owner, trades, options, &consumed, &mut stats)?);
        }
        inputs.retain(|event| {
            options.from.is_none_or(|from| event.at >= from.plus(-INPUT_MEMORY))
                && options.to.is_none_or(|to| event.at < to)
        });
        inputs.sort_by_key(Event::order_key);
        let inputs = inputs.into_iter().peekable();
        let turns = BinaryHeap::new();
        let mut tape = Self { flows, inputs, feeds, turns, stats, consumed, total_bytes };
        let flows = (0..tape.flows.len()).map(Turn::Flow);
        let feeds = (0..tape.feeds.len()).map(Turn::Feed);
        for turn in flows.chain(feeds).chain([Turn::Inputs]) {
            tape.queue(turn);
        }
        tape.stats.bytes_read = tape.consumed.load(Ordering::Relaxed);
        Ok(tape)
    }

    /// Appends the next events, up to a few thousand, and tells how many; zero at the end.
    ///
    /// # Errors
    /// [`TapeError`] when a row cannot be used; events before it were appended, except the last
    /// ones, and nothing comes after it.
    pub fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<usize, TapeError> {
        let before = out.len();
        let full = before + BATCH;
        let result = self.fill(full, out);
        self.stats.bytes_read = self.consumed.load(Ordering::Relaxed);
        if result.is_err() {
            self.turns.clear();
        }
        result.map(|()| out.len() - before)
    }

    /// Lets whoever is behind all others give its events until somebody else is.
    fn fill(&mut self, full: usize, out: &mut Vec<Event>) -> Result<(), TapeError> {
        while out.len() < full
            && let Some(Reverse((_, turn))) = self.turns.pop()
        {
            let others = self.turns.peek().map(|Reverse((key, _))| *key);
            match turn {
                Turn::Inputs => {
                    let is_due = |event: &Event| others.is_none_or(|key| event.order_key() < key);
                    out.extend(self.inputs.next());
                    while out.len() < full
                        && let Some(event) = self.inputs.next_if(is_due)
                    {
                        out.push(event);
                    }
                }
                Turn::Feed(index) => {
                    let Some(feed) = self.feeds.get_mut(index) else { continue };
                    let is_due = |event: &Event| others.is_none_or(|key| event.order_key() < key);
                    // The one that was popped is due, even where another has the same key.
                    out.extend(feed.pop()?);
                    while out.len() < full && feed.head().is_some_and(is_due) {
                        out.extend(feed.pop()?);
                    }
                }
                Turn::Flow(index) => {
                    if let Some(flow) = self.flows.get_mut(index) {
                        flow.run(limit(flow, others), full, out, &mut self.stats)?;
                    }
                }
            }
            self.queue(turn);
        }
        Ok(())
    }

    /// Puts a giver into the queue by its next event, if it has one.
    fn queue(&mut self, turn: Turn) {
        let key = match turn {
            Turn::Inputs => self.inputs.peek().map(Event::order_key),
            Turn::Feed(index) => {
                self.feeds.get(index).and_then(|feed| feed.head()).map(Event::order_key)
            }
            Turn::Flow(index) => {
                self.flows.get(index).and_then(Flow::head).map(|event| event.order_key())
            }
        };
        self.turns.extend(key.map(|key| Reverse((key, turn))));
    }

    /// What was read so far.
    #[must_use]
    pub const fn stats(&self) -> &TapeStats {
        &self.stats
    }

    /// Bytes of all files, as they lie on disk.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

/// The first time at which a trade of `flow` comes after the event of key `others`.
fn limit(flow: &Flow, others: Option<Key>) -> Timestamp {
    let (Some((at, rank, instrument, _)), Some(head)) = (others, flow.head()) else {
        return Timestamp::MAX;
    };
    let (_, own_rank, own_instrument, _) = head.order_key();
    if (own_rank, own_instrument) < (rank, instrument) { at.plus(1) } else { at }
}

/// The files of one instrument.
#[derive(Debug, Default)]
struct Files {
    symbol: Arc<str>,
    tapes: Vec<Arc<ArbtFile>>,
    trades: Vec<Packed>,
    funding: Vec<Packed>,
    metrics: Vec<Packed>,
    premium: Vec<Packed>,
    marks: Vec<Packed>,
    liquidations: Vec<Packed>,
}

impl Files {
    fn add(&mut self, source: &Source, file: Packed) {
        self.symbol = source.symbol.as_str().into();
        match source.kind {
            SourceKind::Trades => self.trades.push(file),
            SourceKind::Funding => self.funding.push(file),
            SourceKind::Metrics => self.metrics.push(file),
            SourceKind::PremiumKlines => self.premium.push(file),
            SourceKind::Marks => self.marks.push(file),
            SourceKind::Liquidations => self.liquidations.push(file),
        }
    }

    fn add_tape(&mut self, source: &Source, tape: Arc<ArbtFile>) -> Result<(), TapeError> {
        if tape.header.symbol != source.symbol {
            return Err(TapeError::Symbol {
                file: Arc::clone(tape.name()),
                found: tape.header.symbol.clone(),
                wanted: source.symbol.clone(),
            });
        }
        self.symbol = source.symbol.as_str().into();
        self.tapes.push(tape);
        Ok(())
    }

    fn inputs(
        &self,
        owner: &Owner,
        consumed: &Consumed,
        stats: &mut TapeStats,
        out: &mut Vec<Event>,
    ) -> Result<(), TapeError> {
        let (tapes, duplicates) = (&self.tapes, &mut stats.duplicates);
        let funding = inputs::read_funding(owner, &self.funding, tapes, consumed, duplicates)?;
        inputs::funding_events(owner.instrument, &funding, out);
        let metrics = inputs::read_metrics(owner, &self.metrics, tapes, consumed, duplicates)?;
        inputs::metrics_events(owner.instrument, &metrics, out);
        let premium = premium::read(&self.premium, tapes, consumed, duplicates)?;
        premium::events(owner.instrument, &premium, &funding, out);
        Ok(())
    }

    fn feeds(
        &self,
        owner: &Owner,
        options: TapeOptions,
        consumed: &Consumed,
        stats: &mut TapeStats,
    ) -> Result<Vec<Box<dyn Feed>>, TapeError> {
        let duplicates = &mut stats.duplicates;
        let marks = feeds::read_marks(owner, &self.marks, consumed, duplicates)?;
        let rows = (self.marks.first(), marks);
        let mut all = feeds::open(owner.instrument, options, rows, &self.tapes, consumed)?;
        let liquidations =
            feeds::read_liquidations(owner, &self.liquidations, consumed, duplicates)?;
        let rows = (self.liquidations.first(), liquidations);
        all.append(&mut feeds::open(owner.instrument, options, rows, &self.tapes, consumed)?);
        Ok(all)
    }
}

/// Reads arbitrary bytes as every kind of file and drops the result: an entry for fuzzers.
///
/// Never panics.
pub fn fuzz_csv(bytes: &[u8]) {
    let kinds = [
        SourceKind::Trades,
        SourceKind::Funding,
        SourceKind::Metrics,
        SourceKind::PremiumKlines,
        SourceKind::Marks,
        SourceKind::Liquidations,
    ];
    for kind in kinds {
        let (instrument, symbol) = (InstrumentId(0), "BTCUSDT".to_owned());
        let source = Source { instrument, symbol, kind, path: "fuzz".into() };
        let options = TapeOptions { gaps: Gaps::Accept, ..TapeOptions::default() };
        let Ok(mut tape) = Tape::from_bytes(&[(source, bytes)], options) else { continue };
        let mut events = Vec::new();
        while tape.next_batch(&mut events).is_ok_and(|count| count > 0) {
            events.clear();
        }
    }
    let packed = Packed { name: "fuzz".into(), origin: Origin::Memory(bytes.into()) };
    let _ = klines::klines(&packed);
    let _ = steps::steps(&packed, 1_000);
}

#[cfg(test)]
mod tests;
