//! A block: up to 65,536 rows of one table, packed, under a checksum.
//!
//! Layout: table (1 byte), rows (4), bytes of the body (4), CRC-32 of all but itself (4), body.
//! The body of a table of inputs is its columns as differences. That of trades is the first id,
//! time and price, the steps of time, price and quantity in this block, the columns (ids skipped,
//! time passed, price moved, quantity with the side in its lowest bit), and which rows were no
//! market trades.
//!
//! Invariant: rows come back exactly, whatever the steps; ids strictly increase and times never go
//! back, in writing and in reading, so a reader need not look again.

use std::io;

use arb_core::{InstrumentId, Price, Qty, Side, Timestamp, Trade};

use super::column::{CHUNK, Column, Packer, Unpacker, gcd};
use super::rows::{Cells, MAX_COLUMNS, Row, Table};
use super::wire::{Bytes, Flaw, length, put_varint, unzigzag, zigzag};

/// Most rows of a block.
pub(super) const MAX_ROWS: usize = 65_536;
/// Bytes before the body.
pub(super) const HEAD: usize = 13;

/// Puts the head before a body.
pub(super) fn frame(table: Table, rows: usize, body: &[u8]) -> io::Result<Vec<u8>> {
    let word = |len: usize| {
        u32::try_from(len).map_err(|_| io::Error::other("a block has more than 4 GiB"))
    };
    let mut block = Vec::with_capacity(HEAD + body.len());
    block.push(table.code());
    block.extend_from_slice(&word(rows)?.to_le_bytes());
    block.extend_from_slice(&word(body.len())?.to_le_bytes());
    let crc = checksum(&block, body);
    block.extend_from_slice(&crc.to_le_bytes());
    block.extend_from_slice(body);
    Ok(block)
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(body);
    crc.finalize()
}

/// Checks a block against its checksum and what the index says of it; gives its body.
pub(super) fn unframe(block: &[u8], table: Table, rows: usize) -> Result<&[u8], Flaw> {
    let mut bytes = Bytes::new(block);
    let head = bytes.take(HEAD - 4)?;
    let crc = bytes.u32()?;
    let body = bytes.take(block.len().saturating_sub(HEAD))?;
    let actual = checksum(head, body);
    if actual != crc {
        return Err(Flaw::of(format!(
            "the checksum is {actual:08x} but {crc:08x} is recorded: the file is damaged"
        )));
    }
    let mut head = Bytes::new(head);
    let found = (head.u8()?, head.u32()?, head.u32()?);
    let due = (table.code(), u32::try_from(rows).ok(), u32::try_from(body.len()).ok());
    if (found.0, Some(found.1), Some(found.2)) != due {
        return Err(Flaw::of("the index tells another table, length or number of rows"));
    }
    Ok(body)
}

/// The body of a block of inputs.
pub(super) fn pack_rows<R: Row>(rows: &[R], packer: &mut Packer) -> io::Result<Vec<u8>> {
    let cells: Vec<Cells> = rows.iter().map(Row::cells).collect();
    let mut body = Vec::new();
    for column in 0..R::COLUMNS {
        let values: Vec<u64> =
            cells.iter().map(|row| row.get(column).copied().unwrap_or_default()).collect();
        packer.pack_deltas(&values, &mut body)?;
    }
    Ok(body)
}

/// The rows of a block of inputs.
pub(super) fn unpack_rows<R: Row>(
    body: &[u8],
    rows: usize,
    unpacker: &mut Unpacker,
) -> Result<Vec<R>, Flaw> {
    let mut bytes = Bytes::new(body);
    let mut cells = vec![[0; MAX_COLUMNS]; rows];
    for column in 0..R::COLUMNS {
        let values = unpacker.unpack_deltas(&mut bytes, rows)?;
        for (row, value) in cells.iter_mut().zip(values) {
            row.get_mut(column).into_iter().for_each(|cell| *cell = value);
        }
    }
    bytes.end()?;
    let all = cells.iter().map(R::of).collect::<Result<Vec<R>, Flaw>>()?;
    match all.is_sorted_by_key(Row::at) {
        true => Ok(all),
        false => Err(Flaw::of("times go back")),
    }
}

/// Trades of a block that is being filled.
#[derive(Debug, Default)]
pub(super) struct TradeRows {
    pub(super) trades: Vec<Trade>,
    /// Rows that were no market trades.
    pub(super) off_market: Vec<usize>,
}

/// The body of a block of trades, whose order the writer has checked.
pub(super) fn pack_trades(rows: &TradeRows, packer: &mut Packer) -> io::Result<Vec<u8>> {
    let trades = &rows.trades;
    let Some(first) = trades.first() else { return Ok(Vec::new()) };
    let lot = trades.iter().fold(0, |lot, t| gcd(lot, t.qty.units().unsigned_abs())).max(1);
    let step = trades.iter().fold(0, |step, t| gcd(step, t.price.units().unsigned_abs())).max(1);
    let mut columns = [const { Vec::new() }; 4];
    let mut last = *first;
    let mut next_id = first.id;
    for trade in trades {
        let [ids, times, prices, quantities] = &mut columns;
        ids.push(trade.id.wrapping_sub(next_id));
        times.push(of(trade.ts).wrapping_sub(of(last.ts)));
        let moved = (trade.price.units() - last.price.units()) / step.cast_signed();
        prices.push(zigzag(moved));
        let lots = trade.qty.units().unsigned_abs() / lot;
        quantities.push(lots << 1 | u64::from(trade.taker_side == Side::Sell));
        next_id = trade.id.wrapping_add(1);
        last = *trade;
    }
    let [_, times, ..] = &mut columns;
    let unit = times.iter().fold(0, |unit, passed| gcd(unit, *passed)).max(1);
    times.iter_mut().for_each(|passed| *passed /= unit);
    let mut body = Vec::new();
    put_varint(first.id, &mut body);
    body.extend_from_slice(&first.ts.as_nanos().to_le_bytes());
    for value in [first.price.units().unsigned_abs(), unit, step, lot] {
        put_varint(value, &mut body);
    }
    for column in &columns {
        packer.pack(column, &mut body)?;
    }
    put_varint(length(rows.off_market.len()), &mut body);
    let mut behind = 0;
    for row in &rows.off_market {
        put_varint(length(row - behind), &mut body);
        behind = *row;
    }
    Ok(body)
}

const fn of(time: Timestamp) -> u64 {
    time.as_nanos().cast_unsigned()
}

/// An unpacked block of trades, whose rows are put together a chunk at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct TradeBlock {
    columns: [Column; 4],
    steps: Steps,
    rows: usize,
    /// Rows put together so far.
    at: usize,
    next_id: u64,
    ts: i64,
    price: i64,
    /// Rows that were no market trades, ascending.
    off_market: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    time: u64,
    price: i64,
    lot: u64,
}

/// Whether a chunk has trades without quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Every trade has a quantity.
    Plain,
    /// Some lack it.
    Mixed,
    /// The block has no more rows.
    End,
}

impl TradeBlock {
    /// Reads a body into this block; its memory is used again.
    pub(super) fn load(
        &mut self,
        body: &[u8],
        rows: usize,
        unpacker: &mut Unpacker,
    ) -> Result<(), Flaw> {
        let mut bytes = Bytes::new(body);
        self.next_id = bytes.varint()?;
        self.ts = bytes.i64()?;
        self.price = bytes.varint()?.cast_signed();
        self.steps = Steps {
            time: bytes.varint()?,
            price: bytes.varint()?.cast_signed(),
            lot: bytes.varint()?,
        };
        (self.rows, self.at) = (rows, 0);
        for column in &mut self.columns {
            unpacker.unpack(&mut bytes, rows, column)?;
        }
        self.off_market.clear();
        let mut row = 0;
        for _ in 0..bytes.varint()? {
            row = bytes.count()?.saturating_add(row);
            if row >= rows {
                return Err(Flaw::of(format!("row {row} is marked, but there are {rows}")));
            }
            self.off_market.push(row);
        }
        bytes.end()
    }

    /// Whether a row was no market trade.
    pub(super) fn is_off_market(&self, row: usize) -> bool {
        self.off_market.binary_search(&row).is_ok()
    }

    /// Replaces `out` by the next trades.
    pub(super) fn next(
        &mut self,
        instrument: InstrumentId,
        out: &mut Vec<Trade>,
    ) -> Result<Chunk, Flaw> {
        out.clear();
        let count = CHUNK.min(self.rows - self.at);
        if count == 0 {
            return Ok(Chunk::End);
        }
        let mut cells = [[0; CHUNK]; 4];
        for (column, cells) in self.columns.iter().zip(&mut cells) {
            column.read(self.at, cells.get_mut(..count).unwrap_or_default());
        }
        self.at += count;
        let [ids, times, prices, quantities] = &cells;
        let Steps { time: unit, price: step, lot } = self.steps;
        let (mut next_id, mut ts, mut price) = (self.next_id, self.ts, self.price);
        let (mut bad, mut empty) = (false, false);
        let rows = ids.iter().zip(times).zip(prices.iter().zip(quantities)).take(count);
        out.extend(rows.map(|((skipped, passed), (moved, lots))| {
            let id = next_id.wrapping_add(*skipped);
            let then = ts;
            ts = ts.wrapping_add(passed.wrapping_mul(unit).cast_signed());
            price = price.wrapping_add(unzigzag(*moved).wrapping_mul(step));
            let qty = (lots >> 1).wrapping_mul(lot).cast_signed();
            bad |= id < next_id || id == u64::MAX || ts < then;
            next_id = id.wrapping_add(1);
            let (valid_price, valid_qty) = (Price::from_units(price), Qty::from_units(qty));
            bad |= valid_price.is_err() || valid_qty.is_err();
            empty |= qty == 0;
            Trade {
                instrument,
                taker_side: if lots & 1 == 0 { Side::Buy } else { Side::Sell },
                id,
                ts: Timestamp::from_nanos(ts),
                price: valid_price.unwrap_or_default(),
                qty: valid_qty.unwrap_or_default(),
            }
        }));
        (self.next_id, self.ts, self.price) = (next_id, ts, price);
        if bad {
            return Err(Flaw::of("an id, time, price or quantity is out of range or order"));
        }
        Ok(if empty { Chunk::Mixed } else { Chunk::Plain })
    }
}
