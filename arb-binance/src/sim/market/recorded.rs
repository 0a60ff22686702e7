//! Recorded frames: books, best prices and marks served to the letter, trades aggregated.
//!
//! Invariant: inside the recording a client sees the recorded records in their order, with their
//! own ids and times, and a snapshot is the recorded one with every recorded update applied. Single
//! trades become aggregate trades: those of one price and taker side within 100 ms of the first;
//! prints that are no market trades are left out, as the venue does.

use std::collections::BTreeMap;

use arb_core::parse_units;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::book::{Depth, Level, Top};
use super::flow::Print;

/// Updates between two books kept for random access.
const BETWEEN_CHECKPOINTS: usize = 512;
/// How long the single trades of an aggregate trade may be apart, milliseconds.
const MERGE: i64 = 100;

/// What a recorded record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Depth,
    Quote,
    Mark,
}

/// A record as it came, and when it is due.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: i64,
    pub(crate) kind: RecordKind,
    pub(crate) payload: Box<str>,
}

#[derive(Clone, Debug)]
struct Update {
    at: i64,
    sent_at: i64,
    last: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// A book by price.
#[derive(Clone, Debug, Default)]
struct Levels {
    update_id: u64,
    at: i64,
    sent_at: i64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Levels {
    fn apply(&mut self, update: &Update) {
        for (side, levels) in [(&mut self.bids, &update.bids), (&mut self.asks, &update.asks)] {
            for (price, qty) in levels {
                if *qty == 0 {
                    side.remove(price);
                } else {
                    side.insert(*price, *qty);
                }
            }
        }
        self.update_id = update.last;
        self.at = update.at;
        self.sent_at = update.sent_at;
    }
}

/// What was recorded of one market besides its trades.
#[derive(Clone, Debug)]
pub(crate) struct RecordedBook {
    records: Vec<Record>,
    updates: Vec<Update>,
    /// Books before the update of that place.
    checkpoints: Vec<(usize, Levels)>,
    from: i64,
    to: i64,
    marks: bool,
}

/// What a recording holds.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) symbol: String,
    pub(crate) book: RecordedBook,
    pub(crate) prints: Vec<Print>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotWire<'a> {
    last_update_id: u64,
    #[serde(rename = "E")]
    sent_at: Option<i64>,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
struct RecordWire<'a> {
    e: Option<&'a str>,
    s: &'a str,
    #[serde(rename = "E")]
    sent_at: Option<i64>,
    #[serde(rename = "T")]
    ts: Option<i64>,
    u: Option<u64>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
    #[serde(borrow)]
    a: Option<&'a RawValue>,
    t: Option<u64>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
    #[serde(borrow)]
    q: Option<&'a RawValue>,
    #[serde(rename = "X")]
    kind: Option<&'a str>,
    m: Option<bool>,
}

/// Reads recorded lines, one symbol each: a combined frame, or the body of a depth snapshot, with
/// anything before the first brace. Other lines and records are left out.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    symbol: String,
    now: i64,
    records: Vec<Record>,
    updates: Vec<Update>,
    snapshot: Option<Levels>,
    prints: Vec<Print>,
}

impl Reader {
    pub(crate) fn line(&mut self, line: &str) {
        let Some(start) = line.find('{') else { return };
        let text = line.get(start..).unwrap_or_default();
        if let Ok(snapshot) = serde_json::from_str::<SnapshotWire<'_>>(text) {
            self.take_snapshot(&snapshot);
        } else if let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text)
            && let Ok(record) = serde_json::from_str::<RecordWire<'_>>(envelope.data.get())
        {
            self.record(&record, envelope.data.get());
        }
    }

    fn take_snapshot(&mut self, wire: &SnapshotWire<'_>) {
        let side = |levels: &[[&str; 2]]| levels.iter().filter_map(level).collect();
        let at = wire.sent_at.unwrap_or(self.now).max(self.now);
        self.snapshot = Some(Levels {
            update_id: wire.last_update_id,
            at,
            sent_at: at,
            bids: side(&wire.bids),
            asks: side(&wire.asks),
        });
    }

    fn record(&mut self, wire: &RecordWire<'_>, payload: &str) {
        if self.symbol.is_empty() {
            wire.s.clone_into(&mut self.symbol);
        }
        if wire.s != self.symbol {
            return;
        }
        self.now = self.now.max(wire.sent_at.unwrap_or_default());
        let kind = match wire.e {
            Some("depthUpdate") => RecordKind::Depth,
            Some("bookTicker") | None => RecordKind::Quote,
            Some("markPriceUpdate") => RecordKind::Mark,
            Some("trade") => return self.trade(wire),
            Some(_) => return,
        };
        if kind == RecordKind::Depth {
            let levels = |raw: Option<&RawValue>| -> Vec<Level> {
                let rows =
                    raw.and_then(|raw| serde_json::from_str::<Vec<[&str; 2]>>(raw.get()).ok());
                rows.unwrap_or_default().iter().filter_map(level).collect()
            };
            let Some(last) = wire.u else { return };
            let sent_at = wire.sent_at.unwrap_or(self.now);
            let (bids, asks) = (levels(wire.b), levels(wire.a));
            self.updates.push(Update { at: self.now, sent_at, last, bids, asks });
        }
        self.records.push(Record { at: self.now, kind, payload: payload.into() });
    }

    fn trade(&mut self, wire: &RecordWire<'_>) {
        let number = |raw: Option<&RawValue>| {
            let text = raw?.get().trim_matches('"');
            parse_units(text.as_bytes()).ok().filter(|units| *units > 0)
        };
        let (Some(id), Some(at), Some(price), Some(qty)) =
            (wire.t, wire.ts, number(wire.p), number(wire.q))
        else {
            return;
        };
        if wire.kind.is_some_and(|kind| kind != "MARKET") {
            return;
        }
        let taker_sold = wire.m.unwrap_or_default();
        if let Some(last) = self.prints.last_mut()
            && (last.price, last.taker_sold) == (price, taker_sold)
            && at - last.at <= MERGE
        {
            last.qty += qty;
            last.last = id;
            return;
        }
        let next = self.prints.last().map_or(id, |last| last.id + 1);
        self.prints.push(Print { id: next, first: id, last: id, at, price, qty, taker_sold });
    }

    /// None without a record.
    pub(crate) fn finish(self) -> Option<Recording> {
        let (from, to) = (self.records.first()?.at, self.records.last()?.at);
        let mut levels = self.snapshot.unwrap_or_default();
        let mut checkpoints = Vec::new();
        let updates: Vec<Update> =
            self.updates.into_iter().filter(|update| update.last >= levels.update_id).collect();
        for (place, update) in updates.iter().enumerate() {
            if place % BETWEEN_CHECKPOINTS == 0 {
                checkpoints.push((place, levels.clone()));
            }
            levels.apply(update);
        }
        let marks = self.records.iter().any(|record| record.kind == RecordKind::Mark);
        let book = RecordedBook { records: self.records, updates, checkpoints, from, to, marks };
        Some(Recording { symbol: self.symbol, book, prints: self.prints })
    }
}

fn level(row: &[&str; 2]) -> Option<Level> {
    let [price, qty] = row.map(|text| parse_units(text.as_bytes()).ok());
    Some((price?, qty?))
}

impl RecordedBook {
    /// Whether a time lies in the recording.
    pub(crate) const fn covers(&self, at: i64) -> bool {
        self.from <= at && at <= self.to
    }

    /// First and last time of a record.
    pub(crate) const fn span(&self) -> (i64, i64) {
        (self.from, self.to)
    }

    pub(crate) fn has_marks(&self) -> bool {
        self.marks
    }

    /// The place of the first record later than this time.
    pub(crate) fn place_after(&self, at: i64) -> usize {
        self.records.partition_point(|record| record.at <= at)
    }

    pub(crate) fn record(&self, place: usize) -> Option<&Record> {
        self.records.get(place)
    }

    /// The best levels at a time.
    pub(crate) fn depth(&self, at: i64, count: i64) -> Depth {
        let place = self.updates.partition_point(|update| update.at <= at);
        let Some((start, levels)) = self.checkpoints.iter().rev().find(|(at, _)| *at <= place)
        else {
            return Depth::default();
        };
        let mut levels = levels.clone();
        for update in self.updates.get(*start..place).unwrap_or_default() {
            levels.apply(update);
        }
        let count = usize::try_from(count).unwrap_or_default();
        let pair = |(price, qty): (&i64, &i64)| (*price, *qty);
        Depth {
            update_id: levels.update_id,
            at: levels.at,
            sent_at: levels.sent_at,
            bids: levels.bids.iter().rev().take(count).map(pair).collect(),
            asks: levels.asks.iter().take(count).map(pair).collect(),
        }
    }

    /// Best bid and ask at a time, as the last recorded quote or else the book has them.
    pub(crate) fn top(&self, at: i64) -> Option<Top> {
        let depth = self.depth(at, 1);
        Some(Top {
            update_id: depth.update_id,
            bid: *depth.bids.first()?,
            ask: *depth.asks.first()?,
        })
    }
}
