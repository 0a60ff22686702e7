//! The trades of the last 24 hours: time and signed quantity, 12 bytes each.
//!
//! Invariant: times never decrease along the ring. It grows by chunks of 1,024 trades, so memory
//! follows the trades held and no growth copies what is there; a chunk keeps its first time once
//! and every trade the distance to it in microseconds.

use std::collections::VecDeque;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const CHUNK: usize = 1_024;

#[derive(Clone, Debug)]
struct Chunk {
    base_us: i64,
    len: usize,
    delta_us: Box<[u32; CHUNK]>,
    qty: Box<[i64; CHUNK]>,
}

impl Chunk {
    fn new() -> Self {
        Self { base_us: 0, len: 0, delta_us: Box::new([0; CHUNK]), qty: Box::new([0; CHUNK]) }
    }

    /// The present trades; a slice, so that no index can miss.
    fn held(&self) -> (&[u32], &[i64]) {
        let both = (self.delta_us.get(..self.len), self.qty.get(..self.len));
        (both.0.unwrap_or_default(), both.1.unwrap_or_default())
    }

    #[inline]
    fn push(&mut self, ts_us: i64, qty: i64) -> bool {
        let slots = (self.delta_us.get_mut(self.len), self.qty.get_mut(self.len));
        match (u32::try_from(ts_us - self.base_us), slots) {
            (Ok(delta), (Some(delta_slot), Some(qty_slot))) => {
                (*delta_slot, *qty_slot) = (delta, qty);
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    /// How many trades from `offset` on are earlier than `before_us`.
    fn earlier_than(&self, offset: usize, before_us: i64) -> usize {
        let deltas = self.held().0.get(offset..).unwrap_or_default();
        let limit = before_us.saturating_sub(self.base_us);
        match u32::try_from(limit) {
            Ok(limit) => count_below(deltas, limit),
            Err(_) if limit < 0 => 0,
            Err(_) => deltas.len(),
        }
    }
}

/// Only what it holds is written: the rest of a chunk is memory that waits.
impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (delta_us, qty) = self.held();
        (self.base_us, delta_us, qty).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (base_us, delta_us, qty) = <(i64, Vec<u32>, Vec<i64>)>::deserialize(d)?;
        let mut chunk = Self { base_us, ..Self::new() };
        for (delta, qty) in delta_us.into_iter().zip(qty) {
            if !chunk.push(base_us.saturating_add(i64::from(delta)), qty) {
                return Err(D::Error::custom("a chunk holds more trades than fit"));
            }
        }
        Ok(chunk)
    }
}

/// How many of the ascending `deltas` are below `limit`.
///
/// Looks at the end of each block of 64, then inside one block: the memory of a window's tail is
/// cold, and reading it forward is what the processor fetches ahead, unlike a binary search.
fn count_below(deltas: &[u32], limit: u32) -> usize {
    let whole = |block: &&[u32]| block.last().is_some_and(|last| *last < limit);
    let skipped = deltas.chunks(64).take_while(whole).map(<[u32]>::len).sum::<usize>();
    let rest = deltas.get(skipped..).unwrap_or_default();
    skipped + rest.iter().take_while(|delta| **delta < limit).count()
}

/// A place in the ring, stable while chunks are dropped from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    chunk: u64,
    offset: usize,
}

/// The ring.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ring {
    /// Full chunks, oldest first.
    sealed: VecDeque<Chunk>,
    /// The chunk that grows; none before the first trade.
    tail: Option<Chunk>,
    dropped: u64,
    #[serde(skip)]
    spare: Option<Chunk>,
}

impl Ring {
    #[inline]
    pub(super) fn push(&mut self, ts_us: i64, qty: i64) {
        let fits = self.tail.as_mut().is_some_and(|chunk| chunk.push(ts_us, qty));
        if !fits {
            self.grow(ts_us, qty);
        }
    }

    #[cold]
    fn grow(&mut self, ts_us: i64, qty: i64) {
        let mut chunk = self.spare.take().unwrap_or_else(Chunk::new);
        (chunk.base_us, chunk.len) = (ts_us, 0);
        let _ = chunk.push(ts_us, qty);
        self.sealed.extend(self.tail.replace(chunk));
    }

    fn chunk(&self, index: usize) -> Option<&Chunk> {
        if index == self.sealed.len() { self.tail.as_ref() } else { self.sealed.get(index) }
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.sealed.iter().chain(&self.tail)
    }

    /// Moves `cursor` over the trades earlier than `before_us`, a slice of a chunk at a time.
    pub(super) fn pass(&self, cursor: &mut Cursor, before_us: i64, mut each: impl FnMut(Run<'_>)) {
        loop {
            let index = usize::try_from(cursor.chunk - self.dropped).unwrap_or(usize::MAX);
            let Some(chunk) = self.chunk(index) else { return };
            let count = chunk.earlier_than(cursor.offset, before_us);
            let range = cursor.offset..cursor.offset + count;
            if let (Some(delta_us), Some(qty)) =
                (chunk.delta_us.get(range.clone()), chunk.qty.get(range))
                && count > 0
            {
                each(Run { base_us: chunk.base_us, delta_us, qty });
            }
            cursor.offset += count;
            if cursor.offset < chunk.len || index == self.sealed.len() {
                return;
            }
            *cursor = Cursor { chunk: cursor.chunk + 1, offset: 0 };
        }
    }

    /// Frees the chunks that lie wholly before `cursor`.
    pub(super) fn drop_before(&mut self, cursor: Cursor) {
        while self.dropped < cursor.chunk {
            let Some(chunk) = self.sealed.pop_front() else { return };
            self.spare = Some(chunk);
            self.dropped += 1;
        }
    }

    /// Visits every quantity from `from` up to, not including, `to`.
    pub(super) fn for_each_qty(&self, from: Cursor, to: Cursor, mut each: impl FnMut(i64)) {
        for (number, chunk) in (self.dropped..).zip(self.chunks()) {
            let start = if number == from.chunk { from.offset } else { 0 };
            let end = if number == to.chunk { to.offset } else { chunk.len };
            if number >= from.chunk && number <= to.chunk {
                chunk
                    .held()
                    .1
                    .get(start..end)
                    .unwrap_or_default()
                    .iter()
                    .for_each(|qty| each(*qty));
            }
        }
    }

    /// All trades from `from` on, as (time in µs, signed quantity).
    pub(super) fn collect(&self, from: Cursor) -> Vec<(i64, i64)> {
        let mut trades = Vec::new();
        let mut cursor = from;
        self.pass(&mut cursor, i64::MAX, |run| trades.extend(run.trades()));
        trades
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let chunks = self.chunks().count() + usize::from(self.spare.is_some());
        chunks * CHUNK * (size_of::<u32>() + size_of::<i64>())
    }
}

/// Neighbouring trades of one chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    base_us: i64,
    delta_us: &'a [u32],
    pub(super) qty: &'a [i64],
}

impl Run<'_> {
    /// (time in µs, signed quantity) of each trade.
    pub(super) fn trades(&self) -> impl Iterator<Item = (i64, i64)> {
        let base = self.base_us;
        self.delta_us.iter().zip(self.qty).map(move |(d, q)| (base + i64::from(*d), *q))
    }

    /// Time of the first trade in µs.
    pub(super) fn first_us(&self) -> i64 {
        self.base_us + self.delta_us.first().map_or(0, |delta| i64::from(*delta))
    }

    /// Time of the last trade in µs.
    pub(super) fn last_us(&self) -> i64 {
        self.base_us + self.delta_us.last().map_or(0, |delta| i64::from(*delta))
    }

    /// Σ signed quantity.
    pub(super) fn sum(&self) -> i128 {
        // Eight quantities of at most 10¹⁸ fit an i64 sum, so the wide additions are an eighth.
        self.qty.chunks(8).map(|qty| i128::from(qty.iter().sum::<i64>())).sum()
    }
}
