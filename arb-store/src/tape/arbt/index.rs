//! The head of a tape, which says whose it is, and the index at its end, which says where what is.
//!
//! Head: magic (8 bytes), version (2), bytes of the fields (4), their CRC-32 with the version (4),
//! the fields. Index: the entries in the order of the blocks, their number of holes; then at the
//! very end its bytes (4), its CRC-32 (4) and its own magic (8).
//!
//! Invariant: blocks follow each other without space from the head to the index, so an entry needs
//! no offset, and no byte of a file is outside every checksum. A table's blocks are in order.

use std::sync::Arc;

use arb_core::{Market, Price, Qty, Timestamp};

use super::block::{HEAD, MAX_ROWS};
use super::rows::Table;
use super::wire::{Bytes, Flaw, length, put_text, put_varint};
use crate::tape::trades::Counts;

/// First bytes of a tape; the first and the last ones break when a transfer changes line ends.
pub(super) const MAGIC: [u8; 8] = *b"\x89ARBT\r\n\x1a";
/// Last bytes of a tape that was finished.
pub(super) const END_MAGIC: [u8; 8] = *b"\x89ARBTEND";
/// The version this build reads and writes.
pub(super) const VERSION: u16 = 1;
/// Bytes before the fields of the head.
pub(super) const PREFIX: usize = 18;
/// Bytes after the index.
pub(super) const SUFFIX: usize = 16;
/// Longest head allowed; the names of ten thousand files have less.
pub(super) const MAX_HEADER: usize = 1 << 22;

/// Whose market a tape holds and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeHeader {
    /// The venue's symbol.
    pub symbol: String,
    /// The venue's market.
    pub market: Market,
    /// What the ids of the trades count; none where there are no trades.
    pub counts: Option<Counts>,
    /// Smallest price step, where known.
    pub tick_size: Option<Price>,
    /// Smallest quantity step, where known.
    pub lot_size: Option<Qty>,
    /// Names of the files it was made of.
    pub sources: Vec<String>,
}

impl TapeHeader {
    /// A head with nothing but the symbol of a USDⓈ-M perpetual.
    #[must_use]
    pub fn new(symbol: &str) -> Self {
        Self {
            symbol: symbol.to_owned(),
            market: Market::Um,
            counts: None,
            tick_size: None,
            lot_size: None,
            sources: Vec::new(),
        }
    }

    /// The whole head.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        put_text(&self.symbol, &mut fields);
        fields.push(match self.market {
            Market::Um => 0,
            Market::Spot => 1,
            Market::Cb => 2,
        });
        fields.push(match self.counts {
            None => 0,
            Some(Counts::AggregateTrades) => 1,
            Some(Counts::SingleTrades) => 2,
        });
        put_varint(self.tick_size.map_or(0, |tick| tick.units().unsigned_abs()), &mut fields);
        put_varint(self.lot_size.map_or(0, |lot| lot.units().unsigned_abs()), &mut fields);
        put_varint(length(self.sources.len()), &mut fields);
        self.sources.iter().for_each(|source| put_text(source, &mut fields));
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&VERSION.to_le_bytes());
        let len = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        head.extend_from_slice(&len.to_le_bytes());
        head.extend_from_slice(&header_checksum(VERSION, &fields).to_le_bytes());
        head.extend_from_slice(&fields);
        head
    }

    /// Reads the fields.
    pub(super) fn decode(fields: &[u8]) -> Result<Self, Flaw> {
        let mut bytes = Bytes::new(fields);
        let symbol = bytes.text()?;
        let market = match bytes.u8()? {
            0 => Market::Um,
            1 => Market::Spot,
            2 => Market::Cb,
            other => return Err(Flaw::of(format!("market {other}; 0 to 2 are allowed"))),
        };
        let counts = match bytes.u8()? {
            0 => None,
            1 => Some(Counts::AggregateTrades),
            2 => Some(Counts::SingleTrades),
            other => return Err(Flaw::of(format!("trades of kind {other}; 0 to 2 are allowed"))),
        };
        let out_of_range = |error| Flaw::of(format!("a step is out of range: {error}"));
        let steps = [bytes.varint()?.cast_signed(), bytes.varint()?.cast_signed()];
        let [tick, lot] = steps.map(|units| (units != 0).then_some(units));
        let tick_size = tick.map(Price::from_units).transpose().map_err(out_of_range)?;
        let lot_size = lot.map(Qty::from_units).transpose().map_err(out_of_range)?;
        let mut sources = Vec::new();
        for _ in 0..bytes.varint()? {
            sources.push(bytes.text()?);
        }
        bytes.end()?;
        Ok(Self { symbol, market, counts, tick_size, lot_size, sources })
    }
}

pub(super) fn header_checksum(version: u16, fields: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&version.to_le_bytes());
    crc.update(&u32::try_from(fields.len()).unwrap_or(u32::MAX).to_le_bytes());
    crc.update(fields);
    crc.finalize()
}

/// A block and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) table: Table,
    pub(super) offset: u64,
    /// Bytes with the head.
    pub(super) len: usize,
    pub(super) rows: usize,
    pub(super) first_time: Timestamp,
    pub(super) last_time: Timestamp,
    /// Zero where rows have no ids.
    pub(super) first_id: u64,
    pub(super) last_id: u64,
}

/// Where what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
    /// Holes in the ids of the trades.
    pub(super) holes: u64,
}

impl Index {
    /// The whole index with what comes after it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_varint(self.holes, &mut body);
        put_varint(length(self.entries.len()), &mut body);
        for entry in &self.entries {
            body.push(entry.table.code());
            put_varint(length(entry.rows), &mut body);
            put_varint(length(entry.len), &mut body);
            for time in [entry.first_time, entry.last_time] {
                body.extend_from_slice(&time.as_nanos().to_le_bytes());
            }
            put_varint(entry.first_id, &mut body);
            put_varint(entry.last_id, &mut body);
        }
        let crc = crc32fast::hash(&body);
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&len.to_le_bytes());
        body.extend_from_slice(&crc.to_le_bytes());
        body.extend_from_slice(&END_MAGIC);
        body
    }

    /// Reads the body of an index of blocks that lie between two offsets.
    pub(super) fn decode(body: &[u8], start: u64, end: u64) -> Result<Self, Flaw> {
        let mut bytes = Bytes::new(body);
        let mut index = Self { holes: bytes.varint()?, entries: Vec::new() };
        let mut offset = start;
        for number in 0..bytes.varint()? {
            let entry = Entry {
                table: Table::of_code(bytes.u8()?)?,
                offset,
                rows: bytes.count()?,
                len: bytes.count()?,
                first_time: Timestamp::from_nanos(bytes.i64()?),
                last_time: Timestamp::from_nanos(bytes.i64()?),
                first_id: bytes.varint()?,
                last_id: bytes.varint()?,
            };
            if !(1..=MAX_ROWS).contains(&entry.rows) {
                let rows = entry.rows;
                return Err(Flaw::of(format!("block {number} has {rows} rows; 1 to {MAX_ROWS}")));
            }
            offset = offset.saturating_add(length(entry.len));
            if entry.len < HEAD || offset > end {
                return Err(Flaw::of(format!(
                    "block {number} does not fit between its neighbours"
                )));
            }
            index.follow(&entry)?;
            index.entries.push(entry);
        }
        if offset != end {
            return Err(Flaw::of(format!("{} bytes belong to no block", end - offset)));
        }
        bytes.end().map(|()| index)
    }

    /// Refuses a block that does not come after the others of its table.
    fn follow(&self, entry: &Entry) -> Result<(), Flaw> {
        let before = self.entries.iter().rev().find(|before| before.table == entry.table);
        let in_order = entry.first_time <= entry.last_time
            && entry.first_id <= entry.last_id
            && before.is_none_or(|before| {
                before.last_time <= entry.first_time
                    && (entry.table != Table::Trades || before.last_id < entry.first_id)
            });
        if in_order {
            return Ok(());
        }
        let table = entry.table.as_str();
        Err(Flaw::of(format!("a block of {table} is not in order of time and id")))
    }

    /// The blocks of a table.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.table == table)
    }
}

/// What a tape holds, without reading its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeInfo {
    /// The file.
    pub file: Arc<str>,
    /// Whose market it is.
    pub header: TapeHeader,
    /// Bytes on disk.
    pub bytes: u64,
    /// The tables that have rows.
    pub tables: Vec<TableInfo>,
    /// Holes in the ids of the trades.
    pub holes: u64,
    /// Ids missing in these holes.
    pub missing: u64,
}

/// What a tape holds of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The table.
    pub table: Table,
    /// Its rows.
    pub rows: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Time of the first row.
    pub first: Timestamp,
    /// Time of the last row.
    pub last: Timestamp,
    /// First id; zero where rows have none.
    pub first_id: u64,
    /// Last id.
    pub last_id: u64,
}

impl TapeInfo {
    pub(super) fn new(file: Arc<str>, header: TapeHeader, index: &Index, bytes: u64) -> Self {
        let tables: Vec<TableInfo> = Table::ALL.into_iter().filter_map(|t| sum(index, t)).collect();
        let trades = tables.iter().find(|table| table.table == Table::Trades);
        let missing = trades.map_or(0, |t| (t.last_id - t.first_id).saturating_sub(t.rows - 1));
        Self { file, header, bytes, tables, holes: index.holes, missing }
    }

    /// What it holds of a table, if anything.
    #[must_use]
    pub fn table(&self, table: Table) -> Option<&TableInfo> {
        self.tables.iter().find(|info| info.table == table)
    }
}

fn sum(index: &Index, table: Table) -> Option<TableInfo> {
    let mut entries = index.of(table).map(|(_, entry)| entry);
    let first = entries.next()?;
    let of = |entry: &Entry| TableInfo {
        table,
        rows: length(entry.rows),
        blocks: 1,
        bytes: length(entry.len),
        first: entry.first_time,
        last: entry.last_time,
        first_id: entry.first_id,
        last_id: entry.last_id,
    };
    Some(entries.map(of).fold(of(first), |all, one| TableInfo {
        rows: all.rows + one.rows,
        blocks: all.blocks + one.blocks,
        bytes: all.bytes + one.bytes,
        last: one.last,
        last_id: one.last_id,
        ..all
    }))
}
