//! A tape that is open for reading: its head and its index, and its blocks on demand.
//!
//! Invariant: whatever the bytes, an answer or an error that names file, block and offset; memory
//! is bounded by the size of the file and [`MAX_ROWS`](super::block::MAX_ROWS), not by a number in
//! it.

use std::collections::VecDeque;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::{InstrumentId, Timestamp};

use super::block::{self, TradeBlock};
use super::column::Unpacker;
use super::index::{
    END_MAGIC, Entry, Index, MAGIC, MAX_HEADER, PREFIX, SUFFIX, TapeHeader, TapeInfo, VERSION,
    header_checksum,
};
use super::rows::{Row, Table};
use super::wire::{Bytes, Flaw, length};
use crate::tape::bytes::{Bytes as Source, Consumed, Packed};
use crate::tape::error::{TapeError, TapePart};

/// A tape whose head and index were read.
#[derive(Debug)]
pub(crate) struct ArbtFile {
    packed: Packed,
    pub(crate) header: TapeHeader,
    pub(super) index: Index,
    size: u64,
}

impl ArbtFile {
    /// Opens a file that begins as a tape does; none for any other file.
    pub(crate) fn open(packed: &Packed, consumed: &Consumed) -> Result<Option<Self>, TapeError> {
        let mut source = packed.origin.open().map_err(|e| packed.io(e))?;
        let mut prefix = Vec::new();
        source.by_ref().take(length(PREFIX)).read_to_end(&mut prefix).map_err(|e| packed.io(e))?;
        if !prefix.starts_with(&MAGIC) {
            return Ok(None);
        }
        let size = packed.size()?;
        let flaw = |part, offset| move |flaw| arbt_error(packed, part, offset, flaw);
        let fields = header_fields(&prefix, size).map_err(flaw(TapePart::Head, 0))?;
        let (fields_len, crc) = fields;
        let bytes = read_at(&mut *source, packed, length(PREFIX), fields_len)?;
        if header_checksum(VERSION, &bytes) != crc {
            let damaged = Flaw::of("the checksum differs: the file is damaged");
            return Err(flaw(TapePart::Head, 0)(damaged));
        }
        let header = TapeHeader::decode(&bytes).map_err(flaw(TapePart::Head, length(PREFIX)))?;
        let start = length(PREFIX + fields_len);
        let suffix_at = size.saturating_sub(length(SUFFIX)).max(start);
        let suffix = read_at(&mut *source, packed, suffix_at, SUFFIX.min(usize_of(size - start)))?;
        let (len, crc) =
            index_place(&suffix, suffix_at - start).map_err(flaw(TapePart::Index, suffix_at))?;
        let index_at = suffix_at - length(len);
        let bytes = read_at(&mut *source, packed, index_at, len)?;
        if crc32fast::hash(&bytes) != crc {
            let damaged = Flaw::of("the checksum differs: the file is damaged");
            return Err(flaw(TapePart::Index, index_at)(damaged));
        }
        let index =
            Index::decode(&bytes, start, index_at).map_err(flaw(TapePart::Index, index_at))?;
        consumed.fetch_add(start + size - index_at, Ordering::Relaxed);
        Ok(Some(Self { packed: packed.clone(), header, index, size }))
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.packed.name
    }

    pub(crate) fn info(&self) -> TapeInfo {
        TapeInfo::new(Arc::clone(self.name()), self.header.clone(), &self.index, self.size)
    }

    /// Whether it has rows of a table.
    pub(crate) fn has(&self, table: Table) -> bool {
        self.index.of(table).next().is_some()
    }

    /// Whether it has rows of a table from an instant on.
    pub(crate) fn reaches(&self, table: Table, from: Option<Timestamp>) -> bool {
        !self.numbers(table, from).is_empty()
    }

    /// First and last time of a table.
    pub(crate) fn span(&self, table: Table) -> Option<(Timestamp, Timestamp)> {
        let mut entries = self.index.of(table).map(|(_, entry)| entry);
        let first = entries.next()?;
        Some((first.first_time, entries.last().unwrap_or(first).last_time))
    }

    /// The blocks of a table that reach `from`.
    pub(crate) fn numbers(&self, table: Table, from: Option<Timestamp>) -> VecDeque<usize> {
        let reaches = |entry: &Entry| from.is_none_or(|from| entry.last_time >= from);
        let entries = self.index.of(table);
        entries.filter(|(_, entry)| reaches(entry)).map(|(number, _)| number).collect()
    }

    /// Reads its blocks.
    pub(crate) fn blocks(self: &Arc<Self>, consumed: &Consumed) -> Result<Blocks, TapeError> {
        let source = self.packed.origin.open().map_err(|e| self.packed.io(e))?;
        let unpacker = Unpacker::new().map_err(|e| self.packed.io(e))?;
        let (file, consumed) = (Arc::clone(self), Arc::clone(consumed));
        Ok(Blocks { file, source, unpacker, consumed, block: Vec::new() })
    }

    /// All rows of a table of inputs.
    pub(crate) fn rows<R: Row>(self: &Arc<Self>, consumed: &Consumed) -> Result<Vec<R>, TapeError> {
        let mut all = Vec::new();
        if self.has(R::TABLE) {
            let mut blocks = self.blocks(consumed)?;
            for (number, _) in self.index.of(R::TABLE) {
                all.append(&mut blocks.rows::<R>(number)?);
            }
        }
        Ok(all)
    }

    /// An error of a block.
    pub(super) fn error(&self, number: usize, flaw: Flaw) -> TapeError {
        let entry = self.index.entries.get(number);
        let table = entry.map_or("unknown", |entry| entry.table.as_str());
        let offset = entry.map_or(0, |entry| entry.offset);
        arbt_error(&self.packed, TapePart::Block { number, table }, offset, flaw)
    }
}

fn arbt_error(packed: &Packed, part: TapePart, offset: u64, Flaw(what): Flaw) -> TapeError {
    TapeError::Tape { file: Arc::clone(&packed.name), part, offset, what }
}

fn usize_of(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Length and checksum of the head's fields.
fn header_fields(prefix: &[u8], size: u64) -> Result<(usize, u32), Flaw> {
    let mut bytes = Bytes::new(prefix);
    bytes.take(MAGIC.len())?;
    let version = bytes.u16()?;
    if version != VERSION {
        return Err(Flaw::of(format!(
            "the tape is of version {version} but this build reads version {VERSION}; import the \
             archive files again"
        )));
    }
    let (len, crc) = (usize_of(bytes.u32()?.into()), bytes.u32()?);
    let left = size.saturating_sub(length(PREFIX));
    if len > MAX_HEADER || length(len) > left {
        return Err(Flaw::of(format!("the head announces {len} bytes but {left} are left")));
    }
    Ok((len, crc))
}

/// Length and checksum of the index.
fn index_place(suffix: &[u8], before: u64) -> Result<(usize, u32), Flaw> {
    let mut bytes = Bytes::new(suffix);
    let truncated = || Flaw::of("the end is missing: the file is truncated or was never finished");
    let (len, crc) = (bytes.u32().map_err(|_| truncated())?, bytes.u32().map_err(|_| truncated())?);
    if bytes.take(END_MAGIC.len()).ok() != Some(&END_MAGIC) {
        return Err(truncated());
    }
    if u64::from(len) > before {
        return Err(Flaw::of(format!("the index announces {len} bytes but {before} are there")));
    }
    Ok((usize_of(len.into()), crc))
}

fn read_at(
    source: &mut dyn Source,
    packed: &Packed,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, TapeError> {
    let mut bytes = vec![0; len];
    source.seek(SeekFrom::Start(offset)).map_err(|e| packed.io(e))?;
    source.read_exact(&mut bytes).map_err(|e| packed.io(e))?;
    Ok(bytes)
}

/// Reads blocks of a tape, in any order.
pub(crate) struct Blocks {
    file: Arc<ArbtFile>,
    source: Box<dyn Source>,
    unpacker: Unpacker,
    consumed: Consumed,
    block: Vec<u8>,
}

impl Blocks {
    pub(crate) const fn file(&self) -> &Arc<ArbtFile> {
        &self.file
    }

    /// Reads the bytes of a block and says what the index knows of it.
    fn fetch(&mut self, number: usize) -> Result<Entry, TapeError> {
        let flaw = |what: &str| self.file.error(number, Flaw::of(what));
        let entry = *self.file.index.entries.get(number).ok_or_else(|| flaw("is not there"))?;
        self.block.resize(entry.len, 0);
        self.source.seek(SeekFrom::Start(entry.offset)).map_err(|e| self.file.packed.io(e))?;
        self.source.read_exact(&mut self.block).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => flaw("ends too early: the file is truncated"),
            _ => self.file.packed.io(e),
        })?;
        self.consumed.fetch_add(length(entry.len), Ordering::Relaxed);
        Ok(entry)
    }

    /// Reads a block of inputs.
    pub(crate) fn rows<R: Row>(&mut self, number: usize) -> Result<Vec<R>, TapeError> {
        let entry = self.fetch(number)?;
        let rows = block::unframe(&self.block, R::TABLE, entry.rows)
            .and_then(|body| block::unpack_rows::<R>(body, entry.rows, &mut self.unpacker))
            .and_then(|rows| {
                let ends = rows.first().zip(rows.last());
                match ends.map(|(first, last)| (first.at(), last.at())) {
                    Some(ends) if ends == (entry.first_time, entry.last_time) => Ok(rows),
                    _ => Err(Flaw::of("the index tells other times")),
                }
            });
        rows.map_err(|flaw| self.file.error(number, flaw))
    }

    /// Reads a block of trades.
    pub(super) fn trades(
        &mut self,
        number: usize,
        block: &mut TradeBlock,
    ) -> Result<Entry, TapeError> {
        let entry = self.fetch(number)?;
        block::unframe(&self.block, Table::Trades, entry.rows)
            .and_then(|body| block.load(body, entry.rows, &mut self.unpacker))
            .map(|()| entry)
            .map_err(|flaw| self.file.error(number, flaw))
    }
}

/// Reads block bodies from arbitrary bytes, past the checksums that would stop a fuzzer.
pub(super) fn fuzz_bodies(bytes: &[u8]) {
    use super::rows::{FundingRow, LiquidationRow, MarkRow, MetricsRow, PremiumRow};
    let Ok(mut unpacker) = Unpacker::new() else { return };
    let Some(([rows, more], body)) = bytes.split_first_chunk() else { return };
    let rows = usize::from(*rows) + usize::from(*more) * 256;
    let _ = block::unpack_rows::<FundingRow>(body, rows, &mut unpacker);
    let _ = block::unpack_rows::<MarkRow>(body, rows, &mut unpacker);
    let _ = block::unpack_rows::<MetricsRow>(body, rows, &mut unpacker);
    let _ = block::unpack_rows::<LiquidationRow>(body, rows, &mut unpacker);
    let _ = block::unpack_rows::<PremiumRow>(body, rows, &mut unpacker);
    let _ = TapeHeader::decode(body);
    let _ = Index::decode(body, 0, length(body.len()));
    let mut block = TradeBlock::default();
    if block.load(body, rows, &mut unpacker).is_ok() {
        let mut trades = Vec::new();
        while block.next(InstrumentId(0), &mut trades).is_ok_and(|c| c != block::Chunk::End) {}
    }
}
