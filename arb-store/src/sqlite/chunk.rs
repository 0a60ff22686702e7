//! A block of trades as a compressed column chunk.
//!
//! Layout before zstd: version, count, first id, three decimal exponents, then columns: jumps of
//! ids, deltas of time, deltas of price, quantities, sides as bits. Numbers are LEB128 varints,
//! signed ones zigzag; each column is divided by the largest power of ten that divides all of it
//! (tick, lot, millisecond), which is what makes deltas one byte.
//!
//! Invariant: decoding gives back every trade exactly, to the nanosecond; bytes that are not a
//! chunk give an error, never a wrong trade that the checksum beside the chunk would have missed.

use arb_core::{InstrumentId, Price, Qty, Side, Timestamp, Trade};

/// Trades of a full chunk.
pub(crate) const CHUNK: usize = 4096;

const VERSION: u8 = 1;
const LEVEL: i32 = 1;
/// No chunk unpacks to more: a trade needs at most 4 varints of 10 bytes and a bit.
const MAX_RAW: usize = 64 + CHUNK * 41;
const UNITS: [i64; 10] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// Why bytes are no chunk.
pub(crate) type Damage = &'static str;

/// Packs chunks, keeping its buffers.
pub(crate) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
    column: Vec<i64>,
}

impl Encoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let zstd = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Self { zstd, raw: Vec::with_capacity(MAX_RAW), column: Vec::with_capacity(CHUNK) })
    }

    /// Packs at most [`CHUNK`] trades of one instrument with ascending ids.
    pub(crate) fn encode(&mut self, trades: &[Trade]) -> std::io::Result<Vec<u8>> {
        let raw = &mut self.raw;
        raw.clear();
        raw.push(VERSION);
        put(raw, trades.len() as u64);
        put_ids(raw, trades);
        put_deltas(raw, fill(&mut self.column, trades, |t| t.ts.as_nanos()));
        put_deltas(raw, fill(&mut self.column, trades, |t| t.price.units()));
        put_values(raw, fill(&mut self.column, trades, |t| t.qty.units()));
        for eight in trades.chunks(8) {
            let bit = |(at, t): (u8, &Trade)| u8::from(t.taker_side == Side::Sell) << at;
            raw.push((0..).zip(eight).map(bit).fold(0, |byte, bit| byte | bit));
        }
        self.zstd.compress(raw)
    }
}

fn fill<'a>(column: &'a mut Vec<i64>, trades: &[Trade], of: impl Fn(&Trade) -> i64) -> &'a [i64] {
    column.clear();
    column.extend(trades.iter().map(of));
    column
}

/// LEB128: seven bits a byte, lowest first.
#[inline]
fn put(raw: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        let [low, ..] = value.to_le_bytes();
        raw.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    raw.push(low);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// The first id, then where ids jump: how many trades later, and over how many ids.
fn put_ids(raw: &mut Vec<u8>, trades: &[Trade]) {
    put(raw, trades.first().map_or(0, |t| t.id));
    let jumps = |pair: &[Trade]| match pair {
        [a, b] if b.id != a.id.wrapping_add(1) => Some(b.id.wrapping_sub(a.id).wrapping_sub(1)),
        _ => None,
    };
    put(raw, trades.windows(2).filter_map(jumps).count() as u64);
    let mut since = 0;
    for jump in trades.windows(2).map(jumps) {
        since += 1;
        if let Some(over) = jump {
            put(raw, since);
            put(raw, over);
            since = 0;
        }
    }
}

/// The place in [`UNITS`] of the largest unit that divides every value.
fn unit_of(column: &[i64]) -> (u8, i64) {
    let divides = |unit: i64| column.iter().all(|value| value % unit == 0);
    let found = (0_u8..).zip(UNITS).find(|(_, unit)| divides(*unit));
    found.unwrap_or((9, 1))
}

fn put_deltas(raw: &mut Vec<u8>, column: &[i64]) {
    let (place, unit) = unit_of(column);
    raw.push(place);
    let mut before = 0_i64;
    for value in column {
        let scaled = value / unit;
        put(raw, zigzag(scaled.wrapping_sub(before)));
        before = scaled;
    }
}

fn put_values(raw: &mut Vec<u8>, column: &[i64]) {
    let (place, unit) = unit_of(column);
    raw.push(place);
    for value in column {
        put(raw, (value / unit).unsigned_abs());
    }
}

/// Unpacks chunks, keeping its buffers.
pub(crate) struct Decoder {
    zstd: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
    times: Vec<i64>,
    prices: Vec<i64>,
    quantities: Vec<i64>,
}

impl Decoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let zstd = zstd::bulk::Decompressor::new()?;
        let raw = Vec::with_capacity(MAX_RAW);
        Ok(Self { zstd, raw, times: Vec::new(), prices: Vec::new(), quantities: Vec::new() })
    }

    /// Appends the trades of a chunk.
    pub(crate) fn decode(
        &mut self,
        data: &[u8],
        instrument: InstrumentId,
        out: &mut Vec<Trade>,
    ) -> Result<(), Damage> {
        self.raw.clear();
        self.zstd.decompress_to_buffer(data, &mut self.raw).map_err(|_| "zstd refuses it")?;
        let mut raw = Raw(&self.raw);
        if raw.byte()? != VERSION {
            return Err("its version is unknown");
        }
        let count = usize::try_from(raw.varint()?).unwrap_or(usize::MAX);
        if count > CHUNK {
            return Err("it claims too many trades");
        }
        let (first_id, jumps) = raw.ids()?;
        raw.deltas(count, &mut self.times)?;
        raw.deltas(count, &mut self.prices)?;
        raw.values(count, &mut self.quantities)?;
        let sides = raw.0;
        if sides.len() != count.div_ceil(8) {
            return Err("its length does not fit its count");
        }
        let mut ids = Ids { next: first_id, jumps: jumps.into_iter().peekable(), since: 0 };
        out.reserve(count);
        let columns = self.times.iter().zip(&self.prices).zip(&self.quantities);
        for (at, ((time, price), qty)) in columns.enumerate() {
            let sold = sides.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
            out.push(Trade {
                instrument,
                taker_side: if sold { Side::Sell } else { Side::Buy },
                id: ids.advance(),
                ts: Timestamp::from_nanos(*time),
                price: Price::from_units(*price).map_err(|_| "a price is out of range")?,
                qty: Qty::from_units(*qty).map_err(|_| "a quantity is out of range")?,
            });
        }
        Ok(())
    }
}

/// Counts ids up by one, over the recorded jumps.
struct Ids<J: Iterator<Item = (u64, u64)>> {
    next: u64,
    jumps: std::iter::Peekable<J>,
    since: u64,
}

impl<J: Iterator<Item = (u64, u64)>> Ids<J> {
    #[inline]
    fn advance(&mut self) -> u64 {
        if let Some((_, over)) = self.jumps.next_if(|(after, _)| *after == self.since) {
            self.next = self.next.wrapping_add(over);
            self.since = 0;
        }
        self.since += 1;
        let id = self.next;
        self.next = id.wrapping_add(1);
        id
    }
}

struct Raw<'a>(&'a [u8]);

impl Raw<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Damage> {
        let (first, rest) = self.0.split_first().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Damage> {
        if let [first @ 0..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            value |= bits.checked_shl(shift).ok_or("a number is too long")?;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    fn ids(&mut self) -> Result<(u64, Vec<(u64, u64)>), Damage> {
        let first = self.varint()?;
        let count = self.varint()?;
        if count > CHUNK as u64 {
            return Err("it claims too many jumps");
        }
        let jumps: Result<_, Damage> =
            (0..count).map(|_| Ok((self.varint()?, self.varint()?))).collect();
        Ok((first, jumps?))
    }

    fn unit(&mut self) -> Result<i64, Damage> {
        UNITS.get(usize::from(self.byte()?)).copied().ok_or("a unit is unknown")
    }

    fn deltas(&mut self, count: usize, out: &mut Vec<i64>) -> Result<(), Damage> {
        let unit = self.unit()?;
        out.clear();
        out.reserve(count);
        let mut value = 0_i64;
        for _ in 0..count {
            value = value.wrapping_add(unzigzag(self.varint()?));
            out.push(value.checked_mul(unit).ok_or("a number is out of range")?);
        }
        Ok(())
    }

    fn values(&mut self, count: usize, out: &mut Vec<i64>) -> Result<(), Damage> {
        let unit = self.unit()?;
        out.clear();
        out.reserve(count);
        for _ in 0..count {
            let value = i64::try_from(self.varint()?).map_err(|_| "a number is out of range")?;
            out.push(value.checked_mul(unit).ok_or("a number is out of range")?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
