//! What a frame says.
//!
//! Invariant: a message is complete and in range; what was not became a [`Dropped`].

use std::borrow::Cow;
use std::fmt;

use arb_core::{
    Decimal, Direction, EventKind, Input, InputValue, InstrumentId, Mark, Money, NumError, Price,
    Qty, Quote, Timestamp, Trade,
};

/// One thing a stream tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// An aggregate trade.
    AggTrade(TradePrint),
    /// A single trade; its ids are another count than those of aggregate trades.
    SingleTrade(TradePrint),
    /// Mark price and running funding rate.
    Mark(MarkUpdate),
    /// A liquidation.
    Liquidation(Liquidation),
    /// Best bid and ask.
    Quote(BookTicker),
    /// Changed levels of the order book.
    Depth(DepthUpdate<'a>),
    /// A bar, finished or not.
    Kline(&'a Kline),
    /// The venue's answer to a request on this connection.
    Answer(Answer<'a>),
    /// A record that could not be used.
    Dropped(Dropped),
}

impl Message<'_> {
    /// Gives the engine's events of the message, none for most kinds.
    ///
    /// `received_at` stands in where the venue sends no time of its own. Single trades give none:
    /// whoever wants them as trades aggregates them first. Depth goes through an
    /// [`OrderBook`](crate::OrderBook).
    #[inline]
    pub fn events(&self, received_at: Timestamp, mut sink: impl FnMut(EventKind)) {
        match self {
            Self::AggTrade(print) => sink(EventKind::Trade(print.trade)),
            Self::Quote(ticker) => sink(EventKind::Quote(ticker.quote(received_at))),
            Self::Mark(mark) => mark.events(sink),
            Self::Liquidation(liquidation) => sink(EventKind::Input(liquidation.input())),
            _ => {}
        }
    }
}

/// A trade as a stream tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// The trade; its quantity is zero where it is no market trade, so that only its id counts.
    pub trade: Trade,
    /// When the venue sent it; for latency only.
    pub sent_at: Timestamp,
    /// Quantity without retail price improvement, where sent.
    pub qty_without_rpi: Option<Qty>,
    /// Whether it is no market trade, such as a print of the insurance fund far off the market.
    pub off_market: bool,
}

/// Mark price and running funding rate of a perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkUpdate {
    /// Whose.
    pub instrument: InstrumentId,
    /// The venue's time.
    pub sent_at: Timestamp,
    /// Mark price.
    pub mark_price: Price,
    /// Index price, where there is one.
    pub index_price: Option<Price>,
    /// Estimate of the rate of the coming settlement, a fraction; none for delivery contracts.
    pub funding_rate: Option<Decimal>,
    /// When that settlement is.
    pub next_funding_at: Option<Timestamp>,
}

impl MarkUpdate {
    #[inline]
    fn events(&self, mut sink: impl FnMut(EventKind)) {
        let Self { instrument, sent_at, mark_price, index_price, .. } = *self;
        sink(EventKind::Mark(Mark { instrument, ts: sent_at, mark_price, index_price }));
        let mut input = |value| sink(EventKind::Input(Input { instrument, as_of: sent_at, value }));
        if let Some(rate) = self.funding_rate {
            input(InputValue::FundingRate(rate));
        }
        if let Some(at) = self.next_funding_at {
            input(InputValue::NextFundingAt(at));
        }
    }
}

/// A liquidation; the stream shows one per symbol and second, so sums are lower bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// Whose.
    pub instrument: InstrumentId,
    /// When the venue sent it, about a second after `ts`.
    pub sent_at: Timestamp,
    /// Trade time.
    pub ts: Timestamp,
    /// The liquidated position; the order that closed it has the other side.
    pub direction: Direction,
    /// Average fill price, once anything was filled.
    pub average_price: Option<Price>,
    /// Filled so far.
    pub filled_qty: Qty,
}

impl Liquidation {
    /// Average price × filled quantity, quote currency.
    #[must_use]
    pub fn notional(&self) -> Money {
        self.average_price.map_or(Money::ZERO, |price| price.notional(self.filled_qty).to_money())
    }

    fn input(&self) -> Input {
        let value = InputValue::Liquidation(self.direction, self.notional());
        Input { instrument: self.instrument, as_of: self.ts, value }
    }
}

/// Best bid and ask with their quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTicker {
    /// Whose.
    pub instrument: InstrumentId,
    /// Id of the book, comparable with [`DepthUpdate::last_id`].
    pub update_id: u64,
    /// Time of the change; spot sends none.
    pub ts: Option<Timestamp>,
    /// When the venue sent it; spot sends none.
    pub sent_at: Option<Timestamp>,
    /// Highest buy price.
    pub best_bid: Price,
    /// Its quantity; none where it is larger than the core counts.
    pub bid_qty: Option<Qty>,
    /// Lowest sell price.
    pub best_ask: Price,
    /// Its quantity; none where it is larger than the core counts.
    pub ask_qty: Option<Qty>,
}

impl BookTicker {
    /// The quote; `received_at` stands in for a time the venue did not send.
    #[inline]
    #[must_use]
    pub fn quote(&self, received_at: Timestamp) -> Quote {
        Quote {
            instrument: self.instrument,
            ts: self.ts.unwrap_or(received_at),
            best_bid: self.best_bid,
            best_ask: self.best_ask,
        }
    }
}

/// A price level of the book: the quantity at it, absolute; zero removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
}

/// Changed levels of the order book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthUpdate<'a> {
    /// Whose.
    pub instrument: InstrumentId,
    /// When the venue sent it.
    pub sent_at: Timestamp,
    /// First update id inside (`U`).
    pub first_id: u64,
    /// Last update id inside (`u`).
    pub last_id: u64,
    /// Last update id of the event before (`pu`); futures only.
    pub previous_id: Option<u64>,
    /// Changed buy levels.
    pub bids: &'a [Level],
    /// Changed sell levels.
    pub asks: &'a [Level],
}

macro_rules! intervals {
    ($($name:ident $text:literal,)*) => {
        /// Length of a bar.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Interval { $(#[doc = concat!("`", $text, "`")] $name,)* }

        impl Interval {
            /// The venue's name of it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The interval with this name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

intervals! {
    S1 "1s", M1 "1m", M3 "3m", M5 "5m", M15 "15m", M30 "30m", H1 "1h", H2 "2h", H4 "4h", H6 "6h",
    H8 "8h", H12 "12h", D1 "1d", D3 "3d", W1 "1w", Mo1 "1M",
}

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline {
    /// Whose.
    pub instrument: InstrumentId,
    /// Its length.
    pub interval: Interval,
    /// First instant.
    pub open_at: Timestamp,
    /// Last millisecond.
    pub close_at: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Traded quantity, base units.
    pub volume: Decimal,
    /// Traded money, quote units.
    pub quote_volume: Decimal,
    /// Number of single trades.
    pub trades: u64,
    /// Quantity that takers bought, base units.
    pub taker_buy_volume: Decimal,
    /// Money for which takers bought, quote units.
    pub taker_buy_quote_volume: Decimal,
    /// Whether the bar is finished; only then it says anything.
    pub closed: bool,
}

/// The venue's answer to a request such as `SUBSCRIBE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The request's id, where the answer names it.
    pub id: Option<u64>,
    /// The refusal; none when the request was accepted.
    pub refusal: Option<Refusal<'a>>,
}

/// Why the venue refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The venue's code.
    pub code: i64,
    /// The venue's text.
    pub message: Cow<'a, str>,
}

/// A record that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Whose record, where that could be read.
    pub instrument: Option<InstrumentId>,
    /// The kind of record, such as `aggTrade`.
    pub record: &'static str,
    /// The venue's name of the field; empty where the whole record is at fault.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.record)?;
        if let Some(instrument) = self.instrument {
            write!(f, " of instrument {}", instrument.0)?;
        }
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {}; the record is dropped", self.fault)
    }
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A number.
    #[error(transparent)]
    Number(NumError),
    /// A time outside what the engine can hold.
    #[error("{0} is no time in milliseconds or microseconds up to the year 2261")]
    Time(u64),
    /// Text that is no date and time.
    #[error("is no date and time such as 2026-08-09T21:05:48.167634Z")]
    Date,
    /// A value that none of the documented ones is.
    #[error("{0:?} is none of the documented values")]
    Value(Box<str>),
    /// Not JSON, or JSON of another shape.
    #[error("{0}")]
    Json(Box<str>),
}

/// What a reader met besides usable records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames read.
    pub frames: u64,
    /// Records that the scanner could not take and the JSON parser read.
    pub parsed: u64,
    /// Events of an unknown kind.
    pub unknown_events: u64,
    /// Records of a symbol that is not in the table.
    pub unknown_symbols: u64,
    /// Records with an enum value that is not known.
    pub unknown_values: u64,
    /// Records of COIN-M instruments.
    pub other_products: u64,
    /// Records dropped.
    pub dropped: u64,
}
