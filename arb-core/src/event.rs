//! Everything that can change the engine, and the order in which it does.
//!
//! Invariant: the same events give byte-identical outputs. [`Event::order_key`] is the total order
//! of a tape: time, then [`rank`](EventKind::rank), then instrument, then id. `at` is stamped by
//! the driver and never regresses; market data carries the venue's own time beside it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty, decimal_text};
use crate::order::{Book, OrderEvent};
use crate::time::Timestamp;

/// Buy or sell, of an order or of the taker of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// The sign of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

impl Direction {
    /// The side of the order that opens such a position.
    #[must_use]
    pub const fn entry_side(self) -> Side {
        match self {
            Self::Long => Side::Buy,
            Self::Short => Side::Sell,
        }
    }

    /// The side of the order that closes it.
    #[must_use]
    pub const fn exit_side(self) -> Side {
        self.entry_side().opposite()
    }

    /// `+1` or `−1`.
    #[must_use]
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }

    /// `LONG` or `SHORT`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }
}

/// An aggregate trade.
///
/// A quantity of zero is legal here: archives contain such rows. It marks the id as seen and
/// changes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Side of the taker: Sell when the buyer was the maker.
    pub taker_side: Side,
    /// The venue's id, counting up by one.
    pub id: u64,
    /// The venue's time; windows compare it in whole microseconds.
    pub ts: Timestamp,
    /// Price.
    pub price: Price,
    /// Quantity in base units.
    pub qty: Qty,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// What is quoted.
    pub instrument: InstrumentId,
    /// The venue's time.
    pub ts: Timestamp,
    /// Highest buy price.
    pub best_bid: Price,
    /// Lowest sell price.
    pub best_ask: Price,
}

/// The venue's valuation of a perpetual and its running funding estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What is valued.
    pub instrument: InstrumentId,
    /// The venue's time.
    pub ts: Timestamp,
    /// Mark price.
    pub mark_price: Price,
    /// Index price, where sent.
    pub index_price: Option<Price>,
}

/// A market input that a strategy may look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputValue {
    /// Running estimate of the coming funding rate, a fraction per interval.
    FundingRate(#[serde(with = "decimal_text")] Decimal),
    /// Hours between settlements.
    FundingIntervalHours(u8),
    /// Time of the coming settlement.
    NextFundingAt(Timestamp),
    /// Open interest in base units.
    OpenInterest(#[serde(with = "decimal_text")] Decimal),
    /// Long/short ratio of all accounts.
    LongShortRatio(f64),
    /// Long/short ratio of the positions of top traders.
    TopTraderRatio(f64),
    /// Coinbase over Binance spot price minus one, corrected for USDT/USD.
    CoinbasePremium(f64),
    /// One liquidation: the position's direction and its quote notional.
    Liquidation(Direction, Money),
    /// The liquidation stream works (quiet then means zero) or is down (then absent).
    LiquidationFeed(FeedState),
}

/// Whether a stream delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Connected.
    Up,
    /// Not connected.
    Down,
}

/// A market input with the time it describes; the event's `at` is the time it became known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Whose input.
    pub instrument: InstrumentId,
    /// The time the value describes.
    pub as_of: Timestamp,
    /// The value.
    pub value: InputValue,
}

/// A funding settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundingSettled {
    /// Whose funding.
    pub instrument: InstrumentId,
    /// The boundary, floored to its nominal second.
    pub funding_time: Timestamp,
    /// Settled rate, a fraction: positive means longs pay shorts.
    #[serde(with = "decimal_text")]
    pub rate: Decimal,
    /// Mark price of the settlement; without one the last price at the boundary stands in.
    pub mark_price: Option<Price>,
}

/// The feed lost contact right after the trade `after_id`; what follows may lack trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whose trades.
    pub instrument: InstrumentId,
    /// The last trade seen; 0 before any.
    pub after_id: u64,
}

/// Trades of a hole, found later; ids ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Whose trades.
    pub instrument: InstrumentId,
    /// The missing trades, or some of them.
    pub trades: Vec<Trade>,
}

/// Nobody can fill the hole that ends before `next_id`: it ages out of the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapAccepted {
    /// Whose hole.
    pub instrument: InstrumentId,
    /// The first trade after the hole.
    pub next_id: u64,
}

/// A configuration that replaces the present one at the next tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    /// JSON text of an [`EngineConfig`](crate::EngineConfig).
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`, hexadecimal; part of every signal.
    pub hash: String,
}

/// What an operator may order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// No new entries.
    Pause,
    /// Entries again, after a pause.
    Resume,
    /// Close everything of a book, or of both.
    Flatten(Option<Book>),
    /// Lift a halt, with a reason that is kept; stores new baselines.
    Reset {
        /// Why it is safe to go on.
        reason: String,
    },
    /// Only risk-reducing orders, until a reset.
    Halt {
        /// Why.
        reason: String,
    },
}

/// A deposit (positive) or withdrawal (negative), never a profit or loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Amount in quote currency.
    pub amount: Money,
}

/// Health of what the engine depends on, measured by the driver.
///
/// A rule whose measurement never came is off, and named in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The clock against the venue's.
    Clock {
        /// Half the round trip plus the drift since, ms.
        uncertainty_ms: u32,
        /// Largest step of the wall clock since the last measurement, ms.
        step_ms: u32,
        /// |raw offset|, ms.
        offset_ms: u32,
    },
    /// Silence of the market connection, ms.
    Connection {
        /// Time since its last frame.
        silent_ms: u32,
    },
    /// Price of one USDT in USD.
    Peg(#[serde(with = "decimal_text")] Decimal),
    /// Whether events can be made durable; while they cannot, no risk is added.
    Log(FeedState),
}

/// Whether what strategies want counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// History runs through the engine: strategies see it, and what they want is discarded.
    WarmUp,
    /// The present.
    #[default]
    Live,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// New configuration.
    Configure(Box<Configure>),
    /// An operator's order.
    Command(Box<Command>),
    /// Money moved in or out.
    Transfer(Transfer),
    /// The driver measured something.
    Health(Health),
    /// Funding was settled.
    Funding(FundingSettled),
    /// The mark price changed.
    Mark(Mark),
    /// A market input became known.
    Input(Input),
    /// The best bid or ask changed.
    Quote(Quote),
    /// A trade happened.
    Trade(Trade),
    /// The feed lost contact.
    Gap(Gap),
    /// Missing trades were found.
    Backfill(Box<Backfill>),
    /// Missing trades will not be found.
    GapAccepted(GapAccepted),
    /// An order of ours changed.
    Order(Box<OrderEvent>),
    /// The decision grid reached this venue time.
    Tick(Timestamp),
    /// From here on strategies only watch, or act.
    Phase(Phase),
}

impl EventKind {
    /// Place among events of the same time.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Configure(_) => 0,
            Self::Command(_) | Self::Transfer(_) | Self::Health(_) | Self::Phase(_) => 1,
            Self::Funding(_) => 2,
            Self::Mark(_) => 3,
            Self::Input(_) => 4,
            Self::Quote(_) => 5,
            // A gap follows its own trade, an order event the event that caused it: both take the
            // place right behind it, so they share the trade's rank and keep their position.
            Self::Trade(_)
            | Self::Gap(_)
            | Self::Backfill(_)
            | Self::GapAccepted(_)
            | Self::Order(_) => 6,
            Self::Tick(_) => 7,
        }
    }

    /// The instrument it belongs to, if to one.
    #[must_use]
    pub fn instrument(&self) -> Option<InstrumentId> {
        match self {
            Self::Funding(e) => Some(e.instrument),
            Self::Mark(e) => Some(e.instrument),
            Self::Input(e) => Some(e.instrument),
            Self::Quote(e) => Some(e.instrument),
            Self::Trade(e) => Some(e.instrument),
            Self::Gap(e) => Some(e.instrument),
            Self::Backfill(e) => Some(e.instrument),
            Self::GapAccepted(e) => Some(e.instrument),
            Self::Order(e) => Some(e.instrument),
            Self::Configure(_)
            | Self::Command(_)
            | Self::Transfer(_)
            | Self::Health(_)
            | Self::Tick(_)
            | Self::Phase(_) => None,
        }
    }
}

/// Something that happened, with the time the engine learned of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Stamped by the driver; never earlier than the event before.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// A trade at its own time, as on a tape.
    #[inline]
    #[must_use]
    pub const fn trade(trade: Trade) -> Self {
        Self { at: trade.ts, kind: EventKind::Trade(trade) }
    }

    /// A tick at its own time, as on a tape.
    #[inline]
    #[must_use]
    pub const fn tick(at: Timestamp) -> Self {
        Self { at, kind: EventKind::Tick(at) }
    }

    /// The total order of a tape: time, rank, instrument, id.
    #[must_use]
    pub fn order_key(&self) -> (Timestamp, u8, InstrumentId, u64) {
        let instrument = self.kind.instrument().unwrap_or_default();
        let id = match &self.kind {
            EventKind::Trade(t) => t.id,
            EventKind::Gap(g) => g.after_id,
            EventKind::GapAccepted(g) => g.next_id,
            _ => 0,
        };
        (self.at, self.kind.rank(), instrument, id)
    }
}
