//! The rows of each table but the trades, and the columns they are kept in.
//!
//! Invariant: a row comes back bit for bit: decimals with their scale, floats by their bits, an
//! absent value as absent. Times may be any instant; a table is in order of [`Row::at`].

use arb_core::{Decimal, Direction, Price, Qty, Timestamp};
use parts::{join, split};

use super::wire::Flaw;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Trades.
    Trades,
    /// Settled funding rates.
    Funding,
    /// Mark and index price, running funding estimate, next settlement.
    Marks,
    /// Open interest and long/short ratios.
    Metrics,
    /// Liquidations, and whether their stream worked.
    Liquidations,
    /// Closes of the premium index.
    Premium,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 6] = [
        Self::Trades,
        Self::Funding,
        Self::Marks,
        Self::Metrics,
        Self::Liquidations,
        Self::Premium,
    ];

    /// The name in reports and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Funding => "funding",
            Self::Marks => "marks",
            Self::Metrics => "metrics",
            Self::Liquidations => "liquidations",
            Self::Premium => "premium",
        }
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Trades => 1,
            Self::Funding => 2,
            Self::Marks => 3,
            Self::Metrics => 4,
            Self::Liquidations => 5,
            Self::Premium => 6,
        }
    }

    pub(super) fn of_code(code: u8) -> Result<Self, Flaw> {
        let known = Self::ALL.into_iter().find(|table| table.code() == code);
        known.ok_or_else(|| Flaw::of(format!("table {code} is unknown; 1 to 6 are allowed")))
    }
}

/// Most columns a table has.
pub(super) const MAX_COLUMNS: usize = 9;
/// A row as numbers; those behind [`Row::COLUMNS`] are zero.
pub(crate) type Cells = [u64; MAX_COLUMNS];

/// A row of a table.
pub(crate) trait Row: Copy {
    const TABLE: Table;
    const COLUMNS: usize;
    /// The time the table is ordered by.
    fn at(&self) -> Timestamp;
    fn cells(&self) -> Cells;
    fn of(cells: &Cells) -> Result<Self, Flaw>;
}

/// A funding settlement as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingRow {
    /// The boundary, floored to its nominal second.
    pub time: Timestamp,
    /// Settled rate, a fraction: positive means longs pay shorts.
    pub rate: Decimal,
    /// Hours between settlements, where told.
    pub interval_hours: Option<u8>,
    /// Mark price of the settlement, where told.
    pub mark_price: Option<Price>,
}

/// The venue's valuation at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRow {
    /// When it was known.
    pub known_at: Timestamp,
    /// The venue's time.
    pub time: Timestamp,
    /// Mark price.
    pub mark_price: Price,
    /// Index price, where told.
    pub index_price: Option<Price>,
    /// Running estimate of the coming funding rate, a fraction per interval, where told.
    pub funding_rate: Option<Decimal>,
    /// Time of the coming settlement, where told.
    pub next_funding_at: Option<Timestamp>,
}

/// Open interest and ratios at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricsRow {
    /// The time the values describe.
    pub time: Timestamp,
    /// Open interest in base units.
    pub open_interest: Option<Decimal>,
    /// Long/short ratio of all accounts.
    pub long_short_ratio: Option<f64>,
    /// Long/short ratio of the positions of top traders.
    pub top_trader_ratio: Option<f64>,
}

/// One liquidation, or a change of the stream that tells of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationRow {
    /// When it was known.
    pub known_at: Timestamp,
    /// The venue's time.
    pub time: Timestamp,
    /// What happened.
    pub what: Liquidated,
}

/// What a stream of liquidations tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liquidated {
    /// A position of this direction was closed by the venue.
    Position(Direction, Price, Qty),
    /// From here on silence means that nothing was liquidated.
    StreamUp,
    /// From here on nothing is known.
    StreamDown,
}

/// A close of the premium index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PremiumRow {
    /// Start of the kline.
    pub open_time: Timestamp,
    /// End of the kline.
    pub known_at: Timestamp,
    /// Premium index, a fraction.
    pub premium: Decimal,
}

/// Decimals as three numbers.
mod parts {
    use arb_core::Decimal;

    use super::super::wire::Flaw;

    const SCALES: u64 = 29;

    /// Scale and sign, low and high part; all zero for none.
    pub(super) fn split(value: Option<Decimal>) -> [u64; 3] {
        let Some(value) = value else { return [0; 3] };
        let parts = value.unpack();
        let sign = u64::from(parts.negative);
        let low = u64::from(parts.mid) << 32 | u64::from(parts.lo);
        [1 + 2 * u64::from(parts.scale) + sign, low, parts.hi.into()]
    }

    pub(super) fn join([head, low, high]: [u64; 3]) -> Result<Option<Decimal>, Flaw> {
        let Some(head) = head.checked_sub(1) else { return Ok(None) };
        let (scale, negative) = (head / 2, head % 2 == 1);
        let word = |value: u64| u32::try_from(value).ok();
        let parts = (word(low & u64::from(u32::MAX)), word(low >> 32), word(high), word(scale));
        let (Some(lo), Some(mid), Some(hi), Some(scale)) = parts else {
            return Err(Flaw::of("a decimal has more than 96 bits"));
        };
        if u64::from(scale) >= SCALES {
            return Err(Flaw::of(format!("a decimal has {scale} decimals; 28 are allowed")));
        }
        let mut value = Decimal::from_parts(lo, mid, hi, negative, scale);
        value.set_sign_negative(negative);
        Ok(Some(value))
    }
}

const fn of_time(time: Timestamp) -> u64 {
    time.as_nanos().cast_unsigned()
}

const fn to_time(cell: u64) -> Timestamp {
    Timestamp::from_nanos(cell.cast_signed())
}

/// A time near another, as a small number.
const fn of_delay(time: Timestamp, from: Timestamp) -> u64 {
    of_time(time).wrapping_sub(of_time(from))
}

const fn to_delayed(cell: u64, from: Timestamp) -> Timestamp {
    to_time(of_time(from).wrapping_add(cell))
}

fn of_price(price: Option<Price>) -> u64 {
    price.map_or(0, |price| price.units().cast_unsigned())
}

fn to_price(cell: u64) -> Result<Option<Price>, Flaw> {
    let units = cell.cast_signed();
    let price = (units != 0).then(|| Price::from_units(units)).transpose();
    price.map_err(|error| Flaw::of(format!("a price of {units} units: {error}")))
}

fn needed<T>(value: Option<T>, what: &str) -> Result<T, Flaw> {
    value.ok_or_else(|| Flaw::of(format!("a row has no {what}; one is needed")))
}

impl Row for FundingRow {
    const TABLE: Table = Table::Funding;
    const COLUMNS: usize = 6;

    fn at(&self) -> Timestamp {
        self.time
    }

    fn cells(&self) -> Cells {
        let [head, low, high] = split(Some(self.rate));
        let hours = self.interval_hours.map_or(0, |hours| 1 + u64::from(hours));
        [of_time(self.time), head, low, high, hours, of_price(self.mark_price), 0, 0, 0]
    }

    fn of(cells: &Cells) -> Result<Self, Flaw> {
        let [time, head, low, high, hours, mark, ..] = *cells;
        let interval_hours = hours.checked_sub(1).map(u8::try_from).transpose();
        Ok(Self {
            time: to_time(time),
            rate: needed(join([head, low, high])?, "rate")?,
            interval_hours: interval_hours
                .map_err(|_| Flaw::of("an interval has more than 255 hours"))?,
            mark_price: to_price(mark)?,
        })
    }
}

impl Row for MarkRow {
    const TABLE: Table = Table::Marks;
    const COLUMNS: usize = 9;

    fn at(&self) -> Timestamp {
        self.known_at
    }

    fn cells(&self) -> Cells {
        let [head, low, high] = split(self.funding_rate);
        let next = self.next_funding_at;
        [
            of_time(self.known_at),
            of_delay(self.time, self.known_at),
            of_price(Some(self.mark_price)),
            of_price(self.index_price),
            head,
            low,
            high,
            u64::from(next.is_some()),
            next.map_or(0, of_time),
        ]
    }

    fn of(cells: &Cells) -> Result<Self, Flaw> {
        let [known_at, delay, mark, index, head, low, high, has_next, next] = *cells;
        let known_at = to_time(known_at);
        Ok(Self {
            known_at,
            time: to_delayed(delay, known_at),
            mark_price: needed(to_price(mark)?, "mark price")?,
            index_price: to_price(index)?,
            funding_rate: join([head, low, high])?,
            next_funding_at: (has_next != 0).then(|| to_time(next)),
        })
    }
}

impl Row for MetricsRow {
    const TABLE: Table = Table::Metrics;
    const COLUMNS: usize = 7;

    fn at(&self) -> Timestamp {
        self.time
    }

    fn cells(&self) -> Cells {
        let [head, low, high] = split(self.open_interest);
        let (all, top) = (self.long_short_ratio, self.top_trader_ratio);
        let present = u64::from(all.is_some()) | u64::from(top.is_some()) << 1;
        let bits = |ratio: Option<f64>| ratio.map_or(0, f64::to_bits);
        [of_time(self.time), head, low, high, present, bits(all), bits(top), 0, 0]
    }

    fn of(cells: &Cells) -> Result<Self, Flaw> {
        let [time, head, low, high, present, all, top, ..] = *cells;
        let ratio = |bit: u64, bits| (present & bit != 0).then(|| f64::from_bits(bits));
        Ok(Self {
            time: to_time(time),
            open_interest: join([head, low, high])?,
            long_short_ratio: ratio(1, all),
            top_trader_ratio: ratio(2, top),
        })
    }
}

impl Row for LiquidationRow {
    const TABLE: Table = Table::Liquidations;
    const COLUMNS: usize = 5;

    fn at(&self) -> Timestamp {
        self.known_at
    }

    fn cells(&self) -> Cells {
        let (kind, price, qty) = match self.what {
            Liquidated::Position(Direction::Long, price, qty) => (0, Some(price), qty),
            Liquidated::Position(Direction::Short, price, qty) => (1, Some(price), qty),
            Liquidated::StreamUp => (2, None, Qty::ZERO),
            Liquidated::StreamDown => (3, None, Qty::ZERO),
        };
        let delay = of_delay(self.time, self.known_at);
        let qty = qty.units().cast_unsigned();
        [of_time(self.known_at), delay, kind, of_price(price), qty, 0, 0, 0, 0]
    }

    fn of(cells: &Cells) -> Result<Self, Flaw> {
        let [known_at, delay, kind, price, qty, ..] = *cells;
        let position = |direction| {
            let qty = Qty::from_units(qty.cast_signed());
            let qty = qty.map_err(|error| Flaw::of(format!("a quantity: {error}")))?;
            Ok(Liquidated::Position(direction, needed(to_price(price)?, "price")?, qty))
        };
        let what = match kind {
            0 => position(Direction::Long)?,
            1 => position(Direction::Short)?,
            2 => Liquidated::StreamUp,
            3 => Liquidated::StreamDown,
            _ => return Err(Flaw::of(format!("liquidation of kind {kind}; 0 to 3 are allowed"))),
        };
        let known_at = to_time(known_at);
        Ok(Self { known_at, time: to_delayed(delay, known_at), what })
    }
}

impl Row for PremiumRow {
    const TABLE: Table = Table::Premium;
    const COLUMNS: usize = 5;

    fn at(&self) -> Timestamp {
        self.open_time
    }

    fn cells(&self) -> Cells {
        let [head, low, high] = split(Some(self.premium));
        let delay = of_delay(self.known_at, self.open_time);
        [of_time(self.open_time), delay, head, low, high, 0, 0, 0, 0]
    }

    fn of(cells: &Cells) -> Result<Self, Flaw> {
        let [open_time, delay, head, low, high, ..] = *cells;
        let open_time = to_time(open_time);
        Ok(Self {
            open_time,
            known_at: to_delayed(delay, open_time),
            premium: needed(join([head, low, high])?, "premium")?,
        })
    }
}
