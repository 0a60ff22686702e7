//! Coinbase tickers, from the Exchange feed or the Advanced Trade feed.
//!
//! Invariant: a ticker has both sides of the book and the venue's time. Only the `ticker` channel
//! is read; trades and levels are ignored. On the Advanced feed one number counts over all
//! channels of a connection, so a jump means that something was lost: [`Message::Lost`].

use std::borrow::Cow;

use arb_core::{InstrumentId, Price, Timestamp};
use serde::Deserialize;

use super::message::{Dropped, Fault};
use super::symbols::SymbolTable;
use super::text::{Flaw, Text, price};

/// One thing a Coinbase feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Best bid and ask of a product.
    Ticker(Ticker),
    /// The subscriptions of the connection changed.
    Subscribed,
    /// The feed refused something.
    Error {
        /// The feed's text.
        message: Cow<'a, str>,
    },
    /// Messages between these numbers of the connection did not arrive: subscribe anew.
    Lost {
        /// The number that was next.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// A ticker that could not be used.
    Dropped(Dropped),
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticker {
    /// Of which product.
    pub instrument: InstrumentId,
    /// The venue's time.
    pub ts: Timestamp,
    /// Highest buy price.
    pub best_bid: Price,
    /// Lowest sell price.
    pub best_ask: Price,
}

/// Reads the frames of one connection.
#[derive(Clone, Debug)]
pub struct Reader {
    products: SymbolTable,
    next_sequence: Option<u64>,
}

const RECORD: &str = "ticker";

impl Reader {
    /// A reader of these products, named as `BTC-USD`.
    #[must_use]
    pub const fn new(products: SymbolTable) -> Self {
        Self { products, next_sequence: None }
    }

    /// Gives what a frame says.
    pub fn read(&mut self, frame: &[u8], mut sink: impl FnMut(Message<'_>)) {
        let frame: Frame<'_> = match serde_json::from_slice(frame) {
            Ok(frame) => frame,
            Err(error) => return sink(dropped(None, Flaw::from(error))),
        };
        if let Some(got) = frame.sequence_num {
            let expected = self.next_sequence.replace(got.saturating_add(1)).unwrap_or(got);
            if expected != got {
                sink(Message::Lost { expected, got });
            }
        }
        let named = frame.channel.as_ref().or(frame.kind.as_ref());
        match named.map(|name| &*name.0) {
            Some("ticker") if frame.channel.is_none() => {
                self.ticker(&frame.ticker, None, &mut sink)
            }
            Some("ticker" | "ticker_batch") => {
                for ticker in frame.events.iter().flatten().flat_map(|event| &event.tickers) {
                    self.ticker(ticker, frame.timestamp.as_ref(), &mut sink);
                }
            }
            Some("subscriptions") => sink(Message::Subscribed),
            Some("error") => {
                let message = frame.message.map_or(Cow::Borrowed(""), |text| text.0);
                sink(Message::Error { message });
            }
            _ => {}
        }
    }

    fn ticker(
        &self,
        wire: &TickerWire<'_>,
        sent_at: Option<&Text<'_>>,
        sink: &mut impl FnMut(Message<'_>),
    ) {
        let product = wire.product_id.as_ref().map_or("", |text| &*text.0);
        let Some(instrument) = self.products.get(product.as_bytes()) else { return };
        let read = || {
            let time = wire.time.as_ref().or(sent_at).map_or("", |text| &*text.0);
            Ok(Ticker {
                instrument,
                ts: civil(time).ok_or(Flaw::new("time", Fault::Date))?,
                best_bid: side("best_bid", wire.best_bid.as_ref())?,
                best_ask: side("best_ask", wire.best_ask.as_ref())?,
            })
        };
        match read() {
            Ok(ticker) => sink(Message::Ticker(ticker)),
            Err(flaw) => sink(dropped(Some(instrument), flaw)),
        }
    }
}

fn side(field: &'static str, text: Option<&Text<'_>>) -> Result<Price, Flaw> {
    price(field, text.unwrap_or(&Text(Cow::Borrowed(""))))
}

fn dropped(instrument: Option<InstrumentId>, flaw: Flaw) -> Message<'static> {
    let Flaw { field, fault } = flaw;
    Message::Dropped(Dropped { instrument, record: RECORD, field, fault })
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    sequence_num: Option<u64>,
    #[serde(borrow)]
    events: Option<Vec<AdvancedEvent<'a>>>,
    #[serde(borrow, flatten)]
    ticker: TickerWire<'a>,
}

#[derive(Deserialize)]
struct AdvancedEvent<'a> {
    #[serde(borrow, default)]
    tickers: Vec<TickerWire<'a>>,
}

#[derive(Deserialize)]
struct TickerWire<'a> {
    #[serde(borrow)]
    product_id: Option<Text<'a>>,
    #[serde(borrow)]
    best_bid: Option<Text<'a>>,
    #[serde(borrow)]
    best_ask: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
}

/// UTC written as RFC 3339, with any number of decimals of a second.
fn civil(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, decimals) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let valid = (1970..=2261).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid || decimals.is_empty() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{decimals:0<9.9}").parse().ok()?;
    // Days from the civil date: years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp::from_nanos(seconds * 1_000_000_000 + nanos))
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let digits = !part.is_empty() && part.len() <= 4;
        part.parse().ok().filter(|_| digits && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        let products = [("BTC-USD", InstrumentId(0)), ("USDT-USD", InstrumentId(1))];
        Reader::new(SymbolTable::new(products))
    }

    fn say(reader: &mut Reader, frame: &str) -> Vec<String> {
        let mut said = Vec::new();
        reader.read(frame.as_bytes(), |message| {
            said.push(match message {
                Message::Ticker(t) => {
                    format!("{} {} {} {}", t.instrument.0, t.ts, t.best_bid, t.best_ask)
                }
                other => format!("{other:?}"),
            });
        });
        said
    }

    #[test]
    fn both_feeds_give_tickers() {
        let exchange = r#"{"type":"ticker","sequence":333938798,"product_id":"USDT-USD","price":"1.0001","best_bid":"1.0000","best_ask":"1.0002","side":"buy","time":"2021-04-17T16:43:30.244075Z","trade_id":881613,"last_size":"0.04"}"#;
        let advanced = r#"{"channel":"ticker","timestamp":"2026-08-09T21:05:48.298032046Z","sequence_num":10,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"ETH-USD","price":"1919.41","best_bid":"1919.44","best_ask":"1919.49"},{"type":"ticker","product_id":"BTC-USD","price":"65083.67","best_bid":"65083.66","best_ask":"65083.67"}]}]}"#;
        assert_eq!(say(&mut reader(), exchange), ["1 2021-04-17T16:43:30.244Z 1 1.0002"]);
        assert_eq!(say(&mut reader(), advanced), ["0 2026-08-09T21:05:48.298Z 65083.66 65083.67"]);
    }

    #[test]
    fn a_lost_number_of_the_connection_is_announced_once() {
        let mut reader = reader();
        let frame = |number| format!(r#"{{"channel":"heartbeats","sequence_num":{number}}}"#);
        assert!(say(&mut reader, &frame(4)).is_empty());
        assert!(say(&mut reader, &frame(5)).is_empty());
        assert_eq!(say(&mut reader, &frame(8)), ["Lost { expected: 6, got: 8 }"]);
        assert!(say(&mut reader, &frame(9)).is_empty());
    }

    #[test]
    fn errors_are_told_and_other_messages_ignored() {
        let error = r#"{"type":"error","message":"Failed to subscribe","reason":"x"}"#;
        assert!(say(&mut reader(), error)[0].contains("Failed to subscribe"));
        assert_eq!(say(&mut reader(), r#"{"type":"subscriptions","channels":[]}"#), ["Subscribed"]);
        let trade = r#"{"type":"match","trade_id":280232,"side":"sell","product_id":"BTC-USD"}"#;
        assert!(say(&mut reader(), trade).is_empty());
        let broken = r#"{"type":"ticker","product_id":"BTC-USD","best_bid":"1","time":"2021-04-17T16:43:30Z"}"#;
        assert!(say(&mut reader(), broken)[0].contains("best_ask"));
        assert!(say(&mut reader(), "{")[0].starts_with("Dropped"));
    }

    #[test]
    fn a_civil_time_is_read_to_the_nanosecond_or_refused() {
        let nanos = |text| civil(text).map(Timestamp::as_nanos);
        assert_eq!(nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(nanos("2024-02-29T12:34:56.789Z"), Some(1_709_210_096_789_000_000));
        assert_eq!(nanos("2026-08-09T21:05:48.2283468291Z"), Some(1_786_309_548_228_346_829));
        assert_eq!(nanos("2026-08-09 21:05:48.5+00:00"), Some(1_786_309_548_500_000_000));
        for text in [
            "",
            "2026-08-09",
            "2026-13-09T21:05:48Z",
            "2026-08-09T25:05:48Z",
            "x-1-1T1:1:1Z",
            "2026-08-09T21:05:48.Z",
            "2026-08-09T21:05:48+02:00",
            "2026-08-09T21:05:48.1e2Z",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }
}
