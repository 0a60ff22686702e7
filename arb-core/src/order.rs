//! Orders: identity, what is asked for, and what the venue says about it.
//!
//! Invariant: a [`ClientOrderId`] is an injective function of its six parts, so that a restart
//! derives the same ids and the venue itself refuses a second order of the same slot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::event::Side;
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty};
use crate::time::Timestamp;

/// Name of a run: 1 to 8 lower-case letters or digits, fixed when the data folder is created.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 8]);

impl RunId {
    /// The run of a back-test.
    pub const BACKTEST: Self = Self(*b"backtest");

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        self.0.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }
}

impl FromStr for RunId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let mut name = [0; 8];
        let slot = name.get_mut(..text.len()).filter(|s| !s.is_empty()).ok_or(ParseIdError)?;
        slot.copy_from_slice(text.as_bytes());
        if slot.iter().all(|b| legal(*b)) { Ok(Self(name)) } else { Err(ParseIdError) }
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({})", self.as_str())
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// Which set of limits an order belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Book {
    /// Short-term trades with a protective stop.
    Directional,
    /// Spot long and perpetual short, valued together.
    Carry,
}

/// What an order is for inside its intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Opens the position.
    Entry,
    /// Protective stop.
    Stop,
    /// First target: half of the position.
    Target1,
    /// Final target.
    Target2,
    /// Closes at market.
    Close,
    /// The venue's own closing order when margin ran out.
    Liquidation,
}

const PURPOSES: [(Purpose, u8); 6] = [
    (Purpose::Entry, b'e'),
    (Purpose::Stop, b's'),
    (Purpose::Target1, b't'),
    (Purpose::Target2, b'u'),
    (Purpose::Close, b'c'),
    (Purpose::Liquidation, b'l'),
];
const BOOKS: [(Book, u8); 2] = [(Book::Directional, b'd'), (Book::Carry, b'y')];

/// Identity of an order, known before it is sent.
///
/// As text: `run-` book purpose `-intent-leg-ordinal`, numbers in base 36, at most 36 characters.
///
/// ```
/// # use arb_core::{Book, ClientOrderId, Purpose, RunId};
/// let id = ClientOrderId {
///     run: RunId::BACKTEST, book: Book::Directional, intent: 36, leg: 0,
///     purpose: Purpose::Stop, ordinal: 2,
/// };
/// assert_eq!(id.to_string(), "backtest-ds-10-0-2");
/// assert_eq!("backtest-ds-10-0-2".parse(), Ok(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    /// The run.
    pub run: RunId,
    /// The book.
    pub book: Book,
    /// Number of the intent inside the run.
    pub intent: u64,
    /// Leg of the intent.
    pub leg: u8,
    /// What the order is for.
    pub purpose: Purpose,
    /// Counts replacements; a new one exists only after the previous one is known dead, or, for
    /// a stop, to replace one that still rests.
    pub ordinal: u16,
}

/// Text that is no id of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no client order id of this engine")]
pub struct ParseIdError;

struct Base36(u64);

impl fmt::Display for Base36 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = [0_u8; 13];
        let mut start = text.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            let digit = usize::try_from(rest % 36).unwrap_or(0);
            if let (Some(slot), Some(d)) = (text.get_mut(start), DIGITS.get(digit)) {
                *slot = *d;
            }
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(text.get(start..).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or(""))
    }
}

fn base36(text: &str) -> Result<u64, ParseIdError> {
    let canonical = text == "0" || !text.starts_with('0');
    let legal = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if !canonical || !legal {
        return Err(ParseIdError);
    }
    u64::from_str_radix(text, 36).map_err(|_| ParseIdError)
}

fn code<T: Copy + PartialEq>(table: &[(T, u8)], value: T) -> char {
    table.iter().find(|(v, _)| *v == value).map_or('?', |(_, c)| char::from(*c))
}

fn decode<T: Copy>(table: &[(T, u8)], byte: u8) -> Result<T, ParseIdError> {
    table.iter().find(|(_, c)| *c == byte).map(|(v, _)| *v).ok_or(ParseIdError)
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (book, purpose) = (code(&BOOKS, self.book), code(&PURPOSES, self.purpose));
        let (intent, leg) = (Base36(self.intent), Base36(self.leg.into()));
        write!(f, "{}-{book}{purpose}-{intent}-{leg}-", self.run.as_str())?;
        Base36(self.ordinal.into()).fmt(f)
    }
}

impl FromStr for ClientOrderId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(ParseIdError);
        let run = next()?.parse()?;
        let &[book, purpose] = next()?.as_bytes() else { return Err(ParseIdError) };
        let id = Self {
            run,
            book: decode(&BOOKS, book)?,
            intent: base36(next()?)?,
            leg: base36(next()?)?.try_into().map_err(|_| ParseIdError)?,
            purpose: decode(&PURPOSES, purpose)?,
            ordinal: base36(next()?)?.try_into().map_err(|_| ParseIdError)?,
        };
        if parts.next().is_some() { Err(ParseIdError) } else { Ok(id) }
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// How long a limit order rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// What cannot fill at once is cancelled.
    Ioc,
    /// Rests or is refused: never takes.
    Gtx,
}

/// Which price triggers a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkingType {
    /// The last trade.
    ContractPrice,
    /// The mark price.
    MarkPrice,
}

/// How an order executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// At the best price there is.
    Market,
    /// At `price` or better.
    Limit {
        /// Worst acceptable price.
        price: Price,
        /// How long it rests.
        time_in_force: TimeInForce,
    },
    /// Becomes a market order when the price reaches `stop_price` from the safe side.
    StopMarket {
        /// Trigger price.
        stop_price: Price,
        /// Which price triggers.
        working_type: WorkingType,
    },
}

/// What an order may do to the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// May open or enlarge.
    Open,
    /// Only reduces (`reduceOnly`); what exceeds the position is cut.
    Reduce,
}

/// An order as it goes to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Identity.
    pub id: ClientOrderId,
    /// What is traded.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Quantity in base units, a multiple of the lot.
    pub qty: Qty,
    /// How it executes.
    pub kind: OrderKind,
    /// Whether it may open risk.
    pub effect: Effect,
}

/// Whether a fill provided or took liquidity; decides the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rested in the book.
    Maker,
    /// Took from the book.
    Taker,
}

/// A partial or full execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Buy or sell.
    pub side: Side,
    /// Execution price.
    pub price: Price,
    /// Executed quantity, base units, above zero.
    pub qty: Qty,
    /// Maker or taker.
    pub role: Role,
    /// Fee paid, worth in quote currency; negative is a rebate.
    pub fee: Money,
    /// The part of `qty` that the venue kept as this fee: spot buys pay in the base asset. Zero
    /// where the fee was taken in quote currency.
    pub base_fee: Qty,
    /// The venue's time of execution.
    pub ts: Timestamp,
}

/// Why a venue refused an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// A stop that would trigger at once (−2021).
    WouldTrigger,
    /// Reduce-only without a position to reduce (−2022).
    ReduceOnly,
    /// Not enough margin (−2019).
    Margin,
    /// A post-only order that would take (−5022).
    WouldTake,
    /// The id is already in use (−4116).
    DuplicateId,
    /// Any other code of the venue.
    Code(i32),
    /// It never left: its record could not be made durable.
    NotDurable,
}

/// What the venue says about an order of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderUpdate {
    /// It rests or works.
    Accepted,
    /// It was refused and never existed.
    Rejected(RejectReason),
    /// Part or all of it was executed.
    Filled(Fill),
    /// The stop price was reached.
    Triggered,
    /// Cancelled at our request.
    Canceled,
    /// Ended by the venue: IOC remainder, reduce-only without position.
    Expired,
    /// The outcome is unknown; exposure counts as filled until settled.
    Unknown,
    /// Proven never to have existed.
    Lost,
}

/// An update of one of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// The order.
    pub id: ClientOrderId,
    /// Its instrument.
    pub instrument: InstrumentId,
    /// What happened.
    pub update: OrderUpdate,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Sent, not yet answered.
    Submitted,
    /// Known to rest or work at the venue.
    Working,
    /// Nobody knows: counts as filled, is never sent again, ends only by proof.
    Unknown,
    /// Over: filled, cancelled, expired, rejected or lost.
    Done,
}

/// An order we sent, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// What was sent.
    pub order: Order,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// Executed so far.
    pub filled: Qty,
}

impl OrderState {
    /// A freshly sent order.
    #[must_use]
    pub const fn submitted(order: Order) -> Self {
        Self { order, status: OrderStatus::Submitted, filled: Qty::ZERO }
    }

    /// Quantity not yet executed; zero once the order is done.
    #[must_use]
    pub fn remaining(&self) -> Qty {
        match self.status {
            OrderStatus::Done => Qty::ZERO,
            _ => self.order.qty.saturating_sub(self.filled),
        }
    }

    /// Moves along the life cycle.
    ///
    /// Idempotent and order-tolerant: a late `Accepted` never revives a finished order, and a
    /// fill that arrives after a cancel still counts.
    pub fn apply(&mut self, update: &OrderUpdate) {
        use OrderStatus::{Done, Submitted, Unknown, Working};
        self.status = match (self.status, update) {
            (status, OrderUpdate::Filled(fill)) => {
                self.filled = self.filled.checked_add(fill.qty).unwrap_or(self.filled);
                let complete = self.filled >= self.order.qty;
                if complete || status == Done { Done } else { Working }
            }
            (Done, _) => Done,
            (Submitted | Working | Unknown, OrderUpdate::Accepted | OrderUpdate::Triggered) => {
                Working
            }
            (_, OrderUpdate::Unknown) => Unknown,
            (
                _,
                OrderUpdate::Rejected(_)
                | OrderUpdate::Canceled
                | OrderUpdate::Expired
                | OrderUpdate::Lost,
            ) => Done,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn any_id() -> impl Strategy<Value = ClientOrderId> {
        let run = "[a-z0-9]{1,8}";
        (run, 0..2_usize, any::<u64>(), any::<u8>(), 0..6_usize, any::<u16>()).prop_map(
            |(run, book, intent, leg, purpose, ordinal)| ClientOrderId {
                run: run.parse().unwrap(),
                book: BOOKS[book].0,
                intent,
                leg,
                purpose: PURPOSES[purpose].0,
                ordinal,
            },
        )
    }

    proptest! {
        #[test]
        fn ids_are_injective_short_and_read_back(ids in proptest::collection::vec(any_id(), 1..50)) {
            let mut seen = BTreeMap::new();
            for id in ids {
                let text = id.to_string();
                prop_assert!(text.len() <= 36, "{text}");
                prop_assert_eq!(text.parse::<ClientOrderId>(), Ok(id));
                prop_assert_eq!(*seen.entry(text).or_insert(id), id);
            }
        }

        #[test]
        fn any_text_never_panics(text in ".{0,40}") {
            if let Ok(id) = text.parse::<ClientOrderId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
