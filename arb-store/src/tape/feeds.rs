//! Mark prices and liquidations: files of rows, and streams out of tapes.
//!
//! Invariant: an event's `at` is when the row was known. The rows of a tape stream a block at a
//! time, because a year of marks has as many rows as a month of trades; CSV files are small and
//! read whole. These rows have no identity, so two sources may not tell of the same period.
//!
//! | kind | columns |
//! |---|---|
//! | marks | `time`/`E`, `mark_price`/`p`; optional `index_price`/`i`, `funding_rate`/`r` (running estimate), `next_funding_time`/`T`, `symbol`/`s`; or the 12 columns of mark-price klines, of which the close counts |
//! | liquidations | `time`, `side` (of the liquidation order), `average_price`/`price`, `accumulated_fill_quantity`/`original_quantity`/`quantity`; optional `symbol` |
//!
//! A liquidation file tells of orders, not of the stream; between its first and its last row the
//! stream counts as up, so that silence in between means that nothing was liquidated.

use std::collections::VecDeque;
use std::sync::Arc;

use arb_core::time::{HOUR, SECOND};
use arb_core::{
    Direction, Event, EventKind, FeedState, InputValue, InstrumentId, Mark, Price, Timestamp,
};

use super::arbt::{ArbtFile, Blocks, Liquidated, LiquidationRow, MarkRow, Row, Table};
use super::bytes::{Consumed, Packed};
use super::error::{Fault, TapeError};
use super::fields::{Fields, number_fault, price, qty, time};
use super::inputs::{check_owner, fraction, in_order, input, read_all};
use super::klines;
use super::table::{Columns, Format, optional, required, text};
use super::trades::Owner;
use super::{INPUT_MEMORY, TapeOptions};

/// How long before the period a mark is still of use, generously.
const MARK_MEMORY: i64 = HOUR;

pub(super) static MARKS: Format<6> = Format {
    wanted: [
        required(&["time", "E", "event_time"]),
        required(&["mark_price", "p", "markPrice"]),
        optional(&["index_price", "i", "indexPrice"]),
        optional(&["funding_rate", "r", "lastFundingRate"]),
        optional(&["next_funding_time", "T", "nextFundingTime"]),
        optional(&["symbol", "s"]),
    ],
    layouts: &[],
    fits: |_, _| false,
};

pub(super) static LIQUIDATIONS: Format<5> = Format {
    wanted: [
        required(&["time"]),
        required(&["side"]),
        required(&["average_price", "price"]),
        required(&["accumulated_fill_quantity", "original_quantity", "quantity"]),
        optional(&["symbol"]),
    ],
    layouts: &[],
    fits: |_, _| false,
};

/// Mark prices of CSV files, by time.
pub(super) fn read_marks(
    owner: &Owner,
    files: &[Packed],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<MarkRow>, TapeError> {
    let mut rows = Vec::new();
    for file in files {
        let file = std::slice::from_ref(file);
        let mut of_file = match is_klines(file, consumed)? {
            true => read_all(file, (&klines::FORMAT, "open_time"), consumed, close)?,
            false => read_all(file, (&MARKS, "time"), consumed, |fields, columns| {
                check_owner(fields, columns, 5, owner)?;
                mark(fields, columns)
            })?,
        };
        rows.append(&mut of_file);
    }
    let rows = in_order(rows, duplicates, |last, row| (last != row).then_some("mark price"))?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// Whether the first row has the columns of klines.
fn is_klines(files: &[Packed], consumed: &Consumed) -> Result<bool, TapeError> {
    let mut is_klines = false;
    for part in files.iter().map(Packed::parts).collect::<Result<Vec<_>, _>>()?.iter().flatten() {
        is_klines |= super::kinds::fits(part, &klines::FORMAT, consumed)?;
    }
    Ok(is_klines)
}

fn mark(fields: &Fields<'_>, columns: &Columns<6>) -> Result<(Timestamp, MarkRow), Fault> {
    let given = |at| Some(text(fields, columns, at)).filter(|text| !text.is_empty());
    let positive = |name, text| Price::parse(text).map_err(|e| number_fault(name, text, e));
    let known_at = time("time", text(fields, columns, 0))?;
    let row = MarkRow {
        known_at,
        time: known_at,
        mark_price: positive("mark_price", text(fields, columns, 1))?,
        index_price: given(2).map(|text| positive("index_price", text)).transpose()?,
        funding_rate: given(3).map(|text| fraction("funding_rate", text)).transpose()?,
        next_funding_at: given(4).map(|text| time("next_funding_time", text)).transpose()?,
    };
    Ok((known_at, row))
}

fn close(fields: &Fields<'_>, columns: &Columns<11>) -> Result<(Timestamp, MarkRow), Fault> {
    let kline = klines::parse(fields, columns)?;
    // The close time is written one unit early, and intervals are whole seconds.
    let known_at = kline.close_time.ceil_to(SECOND);
    let mark_price = price(text(fields, columns, 4))?;
    let (index_price, funding_rate, next_funding_at) = (None, None, None);
    let row = MarkRow {
        known_at,
        time: known_at,
        mark_price,
        index_price,
        funding_rate,
        next_funding_at,
    };
    Ok((known_at, row))
}

/// Liquidations of CSV files, by time; the archive repeats rows, so equal ones count once.
pub(super) fn read_liquidations(
    owner: &Owner,
    files: &[Packed],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<LiquidationRow>, TapeError> {
    let rows = read_all(files, (&LIQUIDATIONS, "time"), consumed, |fields, columns| {
        check_owner(fields, columns, 4, owner)?;
        let known_at = time("time", text(fields, columns, 0))?;
        let side = text(fields, columns, 1);
        // The order that closes a long sells.
        let direction = match side {
            b"SELL" | b"sell" => Direction::Long,
            b"BUY" | b"buy" => Direction::Short,
            _ => return Err(Fault::of("side", side, "is no side; BUY and SELL are allowed")),
        };
        let price = price(text(fields, columns, 2))?;
        let what = Liquidated::Position(direction, price, qty(text(fields, columns, 3))?);
        Ok((known_at, LiquidationRow { known_at, time: known_at, what }))
    })?;
    let mut rows: Vec<LiquidationRow> = rows.into_iter().map(|row| row.value).collect();
    rows.sort_by_key(|row| row.known_at);
    let mut kept: Vec<LiquidationRow> = Vec::with_capacity(rows.len() + 2);
    let stream = |at, what| LiquidationRow { known_at: at, time: at, what };
    kept.extend(rows.first().map(|row| stream(row.known_at, Liquidated::StreamUp)));
    for row in &rows {
        let same = kept.iter().rev().take_while(|known| known.known_at == row.known_at);
        if same.into_iter().any(|known| known == row) {
            *duplicates += 1;
        } else {
            kept.push(*row);
        }
    }
    kept.extend(rows.last().map(|row| stream(row.known_at, Liquidated::StreamDown)));
    Ok(kept)
}

/// A row that becomes events.
pub(super) trait Told: Row {
    /// Whether a row before the period is still of use.
    fn is_of_use(&self, from: Timestamp) -> bool;
    fn events(&self, instrument: InstrumentId, out: &mut VecDeque<Event>);
}

impl Told for MarkRow {
    fn is_of_use(&self, from: Timestamp) -> bool {
        self.known_at >= from.plus(-MARK_MEMORY)
    }

    fn events(&self, instrument: InstrumentId, out: &mut VecDeque<Event>) {
        let (at, ts) = (self.known_at, self.time);
        let (mark_price, index_price) = (self.mark_price, self.index_price);
        let mark = Mark { instrument, ts, mark_price, index_price };
        out.push_back(Event { at, kind: EventKind::Mark(mark) });
        let values = [
            self.funding_rate.map(InputValue::FundingRate),
            self.next_funding_at.map(InputValue::NextFundingAt),
        ];
        out.extend(values.into_iter().flatten().map(|value| input(instrument, at, ts, value)));
    }
}

impl Told for LiquidationRow {
    fn is_of_use(&self, from: Timestamp) -> bool {
        // Whether the stream works holds until it changes, however long ago it was told.
        !matches!(self.what, Liquidated::Position(..)) || self.known_at >= from.plus(-INPUT_MEMORY)
    }

    fn events(&self, instrument: InstrumentId, out: &mut VecDeque<Event>) {
        let value = match self.what {
            Liquidated::Position(direction, price, qty) => {
                InputValue::Liquidation(direction, price.notional(qty).to_money())
            }
            Liquidated::StreamUp => InputValue::LiquidationFeed(FeedState::Up),
            Liquidated::StreamDown => InputValue::LiquidationFeed(FeedState::Down),
        };
        out.push_back(input(instrument, self.known_at, self.time, value));
    }
}

/// Where the rows of a feed come from.
enum Rows<R> {
    Whole(std::vec::IntoIter<R>),
    Tape { blocks: Box<Blocks>, to_come: VecDeque<usize>, block: std::vec::IntoIter<R> },
}

impl<R: Told> Rows<R> {
    fn next(&mut self) -> Result<Option<R>, TapeError> {
        match self {
            Self::Whole(rows) => Ok(rows.next()),
            Self::Tape { blocks, to_come, block } => loop {
                if let Some(row) = block.next() {
                    return Ok(Some(row));
                }
                let Some(number) = to_come.pop_front() else { return Ok(None) };
                *block = blocks.rows::<R>(number)?.into_iter();
            },
        }
    }
}

/// Gives the events of a feed, in order.
pub(super) trait Feed: Send {
    fn head(&self) -> Option<&Event>;
    /// Takes the head and brings the next one.
    fn pop(&mut self) -> Result<Option<Event>, TapeError>;
}

struct Stream<R> {
    instrument: InstrumentId,
    options: TapeOptions,
    rows: Rows<R>,
    /// The first row behind those whose events wait.
    next: Option<R>,
    waiting: VecDeque<Event>,
}

impl<R: Told + Send> Stream<R> {
    fn open(
        instrument: InstrumentId,
        options: TapeOptions,
        rows: Rows<R>,
    ) -> Result<Self, TapeError> {
        let mut stream = Self { instrument, options, rows, next: None, waiting: VecDeque::new() };
        stream.next = stream.row()?;
        stream.refill()?;
        Ok(stream)
    }

    /// The next row of use.
    fn row(&mut self) -> Result<Option<R>, TapeError> {
        loop {
            let row = self.rows.next()?;
            let from = self.options.from;
            if row.is_none_or(|row| from.is_none_or(|from| row.is_of_use(from))) {
                return Ok(row.filter(|row| self.options.to.is_none_or(|to| row.at() < to)));
            }
        }
    }

    /// Takes all rows of one time, because their events interleave in the total order.
    fn refill(&mut self) -> Result<(), TapeError> {
        let Some(at) = self.next.map(|row| row.at()) else { return Ok(()) };
        while let Some(row) = self.next.filter(|row| row.at() == at) {
            row.events(self.instrument, &mut self.waiting);
            self.next = self.row()?;
        }
        self.waiting.make_contiguous().sort_by_key(Event::order_key);
        Ok(())
    }
}

impl<R: Told + Send> Feed for Stream<R> {
    fn head(&self) -> Option<&Event> {
        self.waiting.front()
    }

    fn pop(&mut self) -> Result<Option<Event>, TapeError> {
        let event = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.refill()?;
        }
        Ok(event)
    }
}

/// The feeds of one kind of an instrument: one over the files, one over each tape.
pub(super) fn open<R: Told + Send + 'static>(
    instrument: InstrumentId,
    options: TapeOptions,
    files: (Option<&Packed>, Vec<R>),
    tapes: &[Arc<ArbtFile>],
    consumed: &Consumed,
) -> Result<Vec<Box<dyn Feed>>, TapeError> {
    let (first_file, rows) = files;
    let mut spans: Vec<(Timestamp, Timestamp, Arc<str>)> = Vec::new();
    let mut feeds: Vec<Box<dyn Feed>> = Vec::new();
    if let (Some(file), Some(first), Some(last)) = (first_file, rows.first(), rows.last()) {
        spans.push((first.at(), last.at(), Arc::clone(&file.name)));
        let rows = Rows::Whole(rows.into_iter());
        feeds.push(Box::new(Stream::open(instrument, options, rows)?));
    }
    for tape in tapes {
        let Some((start, end)) = tape.span(R::TABLE) else { continue };
        spans.push((start, end, Arc::clone(tape.name())));
        let to_come = tape.numbers(R::TABLE, earliest::<R>(options));
        let blocks = Box::new(tape.blocks(consumed)?);
        let rows = Rows::Tape { blocks, to_come, block: Vec::new().into_iter() };
        feeds.push(Box::new(Stream::<R>::open(instrument, options, rows)?));
    }
    apart(R::TABLE, spans)?;
    Ok(feeds)
}

/// The time before which no row of a table is of use.
fn earliest<R: Row>(options: TapeOptions) -> Option<Timestamp> {
    match R::TABLE {
        Table::Marks => options.from.map(|from| from.plus(-MARK_MEMORY)),
        _ => None,
    }
}

/// Refuses two sources of the same period.
fn apart(table: Table, mut spans: Vec<(Timestamp, Timestamp, Arc<str>)>) -> Result<(), TapeError> {
    spans.sort_by_key(|(start, ..)| *start);
    for ((_, end, other), (start, _, file)) in spans.iter().zip(spans.iter().skip(1)) {
        if start < end {
            return Err(TapeError::Overlap {
                file: Arc::clone(file),
                other: Arc::clone(other),
                table: table.as_str(),
                start: *start,
            });
        }
    }
    Ok(())
}
