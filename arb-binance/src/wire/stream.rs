//! Frames of a stream connection, cut into records.
//!
//! Invariant: the scanner and the JSON parser make the same messages of the same bytes; the
//! scanner is only faster. After the first frames of a connection nothing is allocated for a trade,
//! a quote, a mark or a depth update as the venue writes them; an array costs one small allocation
//! for the whole of it, and notes of what is wrong their text.

mod levels;
mod records;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::levels::Levels;
pub(super) use self::levels::read as read_levels;
use self::levels::scan_at as read_levels_at;
use self::records::{Records, Unused};
use super::cursor::Cursor;
use super::message::{Answer, Counters, DepthUpdate, Dropped, Message, Refusal};
use super::scan::{self, Scanned};
use super::symbols::SymbolTable;
use super::text::{Flaw, Text};
use super::{futures, spot};

/// Which of the venue's products a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Futures,
    Spot,
}

/// Whether the scanner is asked first; tests compare it with the parser alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    ScanFirst,
    ParseOnly,
}

/// Reads the frames of a connection.
///
/// ```
/// use arb_binance::wire::{Message, SymbolTable, futures};
/// use arb_core::InstrumentId;
///
/// let mut reader = futures::reader(SymbolTable::new([("BTCUSDT", InstrumentId(0))]));
/// let frame = br#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791391082024,
///     "a":3478018549,"s":"BTCUSDT","p":"83434.40","q":"0.016","nq":"0.016","f":8154045700,
///     "l":8154045704,"T":1791391081874,"m":true,"st":1}}"#;
/// let mut ids = Vec::new();
/// reader.read(frame, |message| {
///     if let Message::AggTrade(print) = message {
///         ids.push(print.trade.id);
///     }
/// });
/// assert_eq!(ids, [3_478_018_549]);
/// ```
#[derive(Clone, Debug)]
pub struct Reader {
    product: Product,
    symbols: SymbolTable,
    counters: Counters,
    levels: Levels,
}

type Sink<'s> = &'s mut dyn FnMut(Message<'_>);

impl Reader {
    pub(super) fn new(product: Product, symbols: SymbolTable) -> Self {
        Self { product, symbols, counters: Counters::default(), levels: Levels::default() }
    }

    /// What was met so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Replaces the symbols, after a listing.
    pub fn set_symbols(&mut self, symbols: SymbolTable) {
        self.symbols = symbols;
    }

    /// Gives what a frame says: nothing, one message, or one for each element of an array.
    #[inline]
    pub fn read(&mut self, frame: &[u8], mut sink: impl FnMut(Message<'_>)) {
        self.counters.frames += 1;
        match scan_frame(self.product, frame, &self.symbols) {
            Some(scanned) => sink(scanned.message()),
            None if self.scan_depth(frame, &mut sink).is_some() => {}
            None => self.parse(frame, Path::ScanFirst, &mut sink),
        }
    }

    /// A whole frame with one depth update.
    fn scan_depth(&mut self, frame: &[u8], sink: Sink<'_>) -> Option<()> {
        let mut c = Cursor::new(frame);
        let is_combined = c.literal(b"{\"stream\":\"").is_some();
        if is_combined {
            c.skip_string()?;
            c.literal(b",\"data\":")?;
        }
        c.literal(b"{\"e\":\"depthUpdate\",\"E\":")?;
        let ids = scan::depth_ids(&mut c, &self.symbols)?;
        let Levels { bids, asks } = &mut self.levels;
        bids.clear();
        asks.clear();
        c.literal(b",\"b\":")?;
        read_levels_at(&mut c, bids)?;
        c.literal(b",\"a\":")?;
        read_levels_at(&mut c, asks)?;
        scan::end(&mut c)?;
        (c.rest() == if is_combined { &b"}"[..] } else { b"" }).then_some(())?;
        sink(Message::Depth(DepthUpdate {
            instrument: ids.instrument,
            sent_at: ids.sent_at,
            first_id: ids.first,
            last_id: ids.last,
            previous_id: ids.previous,
            bids,
            asks,
        }));
        Some(())
    }

    /// [`read`](Self::read) without the scanner.
    pub(crate) fn read_without_scanner(&mut self, frame: &[u8], sink: Sink<'_>) {
        self.counters.frames += 1;
        self.parse(frame, Path::ParseOnly, sink);
    }

    #[cold]
    fn parse(&mut self, frame: &[u8], path: Path, sink: Sink<'_>) {
        if is_array(frame) {
            return self.array(frame, path, sink);
        }
        match serde_json::from_slice::<Envelope<'_>>(frame) {
            Err(error) => self.drop("frame", Flaw::from(error), sink),
            Ok(Envelope { data: Some(data), .. }) => {
                let payload = data.get().as_bytes();
                if is_array(payload) {
                    self.array(payload, path, sink);
                } else {
                    self.record(payload, sink);
                }
            }
            Ok(Envelope { e: Some(_), .. }) => self.record(frame, sink),
            Ok(envelope) if envelope.is_answer() => self.answer(&envelope, sink),
            Ok(_) => self.record(frame, sink),
        }
    }

    /// Every element of an array, each on its own: a bad one does not spoil the others.
    fn array(&mut self, array: &[u8], path: Path, sink: Sink<'_>) {
        let mut rest = Cursor::new(array);
        rest.advance(array.len() - array.trim_ascii_start().len() + 1);
        let mut first = true;
        loop {
            skip_space(&mut rest);
            if rest.literal(b"]").is_some() {
                return;
            }
            if !first && rest.literal(b",").is_none() {
                let flaw = Flaw::value("", "an array that is cut off");
                return self.drop("frame", flaw, sink);
            }
            skip_space(&mut rest);
            first = false;
            let mut ahead = rest;
            if path == Path::ScanFirst
                && let Some(scanned) = scan_record(self.product, &mut ahead, &self.symbols)
            {
                sink(scanned.message());
                rest = ahead;
                continue;
            }
            let mut values =
                serde_json::Deserializer::from_slice(rest.rest()).into_iter::<&RawValue>();
            match values.next() {
                Some(Ok(element)) => self.record(element.get().as_bytes(), sink),
                Some(Err(error)) => return self.drop("frame", Flaw::from(error), sink),
                None => {
                    let flaw = Flaw::value("", "an array that is cut off");
                    return self.drop("frame", flaw, sink);
                }
            }
            rest.advance(values.byte_offset());
        }
    }

    fn record(&mut self, payload: &[u8], sink: Sink<'_>) {
        self.counters.parsed += 1;
        let records = Records { symbols: &self.symbols, levels: &mut self.levels };
        match records.read(payload, self.product, sink) {
            Ok(()) => {}
            Err(Unused::Event) => self.counters.unknown_events += 1,
            Err(Unused::Symbol) => self.counters.unknown_symbols += 1,
            Err(Unused::Value) => self.counters.unknown_values += 1,
            Err(Unused::Product) => self.counters.other_products += 1,
            Err(Unused::Dropped(dropped)) => {
                self.counters.dropped += 1;
                sink(Message::Dropped(dropped));
            }
        }
    }

    fn answer(&mut self, envelope: &Envelope<'_>, sink: Sink<'_>) {
        let id = envelope.id.and_then(|id| id.get().parse().ok());
        let error = match envelope.error {
            Some(error) => serde_json::from_str(error.get()),
            None => Ok(ErrorBody { code: envelope.code, msg: envelope.msg }),
        };
        let refusal = match error {
            Ok(ErrorBody { code: None, msg: None }) => None,
            Ok(ErrorBody { code, msg }) => Some(Refusal {
                code: code.and_then(|code| code.get().parse().ok()).unwrap_or_default(),
                message: text_of(msg),
            }),
            Err(error) => return self.drop("answer", Flaw::from(error), sink),
        };
        sink(Message::Answer(Answer { id, refusal }));
    }

    fn drop(&mut self, record: &'static str, flaw: Flaw, sink: Sink<'_>) {
        self.counters.dropped += 1;
        let Flaw { field, fault } = flaw;
        sink(Message::Dropped(Dropped { instrument: None, record, field, fault }));
    }
}

/// A whole frame with one record of a busy kind.
#[inline(always)]
fn scan_frame(product: Product, frame: &[u8], symbols: &SymbolTable) -> Option<Scanned> {
    let mut c = Cursor::new(frame);
    let is_combined = c.literal(b"{\"stream\":\"").is_some();
    if is_combined {
        c.skip_string()?;
        c.literal(b",\"data\":")?;
    }
    let scanned = scan_record(product, &mut c, symbols)?;
    (c.rest() == if is_combined { &b"}"[..] } else { b"" }).then_some(scanned)
}

#[inline(always)]
fn scan_record(product: Product, c: &mut Cursor<'_>, symbols: &SymbolTable) -> Option<Scanned> {
    match product {
        Product::Futures => futures::scan(c, symbols),
        Product::Spot => spot::scan(c, symbols),
    }
}

fn is_array(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'[')
}

fn skip_space(c: &mut Cursor<'_>) {
    c.advance(c.rest().len() - c.rest().trim_ascii_start().len());
}

/// The parts of a frame that tell what it is, unread.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    e: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
}

impl Envelope<'_> {
    const fn is_answer(&self) -> bool {
        self.result.is_some() || self.error.is_some() || self.code.is_some()
    }
}

/// A field that counts as present also when it is `null`.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    d: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
}

fn text_of(raw: Option<&RawValue>) -> Cow<'_, str> {
    let Some(raw) = raw else { return Cow::Borrowed("") };
    serde_json::from_str::<Text<'_>>(raw.get()).map_or(Cow::Borrowed(raw.get()), |text| text.0)
}

#[cfg(test)]
mod tests;
