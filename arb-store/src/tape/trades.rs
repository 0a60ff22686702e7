//! Files of trades: aggregate trades and single trades.
//!
//! Invariant: a row is a trade with a positive price, a quantity of at least zero and a time, or
//! an error that names its line. A print that is no market trade (`kind` other than `MARKET`, such
//! as the insurance fund's) keeps its id but loses its quantity, so that it marks the id as seen
//! and changes nothing else: were it left out, it would look like a hole.

use std::sync::Arc;

use arb_core::{InstrumentId, Qty, Timestamp, Trade};

use super::arbt::{ArbtFile, ArbtTrades, Placed};
use super::bytes::{Consumed, Part};
use super::error::{Fault, Place, TapeError};
use super::fields::{Fields, instant, price, qty, taker_side, time, whole};
use super::lines::Extent;
use super::table::{Columns, Format, Rows, optional, required, text};

const ID: usize = 0;
const PRICE: usize = 1;
const QTY: usize = 2;
const TIME: usize = 3;
const MAKER: usize = 4;
const KIND: usize = 5;
const SYMBOL: usize = 6;
const BEST_MATCH: usize = 7;
const FIRST_ID: usize = 8;
const QUOTE_QTY: usize = 9;

/// Aggregate and single trades. Without a header they are told apart by the number of columns and
/// by where the time and the maker flag stand.
pub(super) static FORMAT: Format<10> = Format {
    wanted: [
        required(&["agg_trade_id", "id", "a", "trade_id"]),
        required(&["price", "p"]),
        required(&["quantity", "qty", "q"]),
        required(&["transact_time", "time", "T", "timestamp"]),
        required(&["is_buyer_maker", "m"]),
        optional(&["kind", "X"]),
        optional(&["symbol", "s"]),
        optional(&["is_best_match", "M"]),
        optional(&["first_trade_id", "f"]),
        optional(&["quote_qty"]),
    ],
    layouts: &[
        "agg_trade_id,price,quantity,transact_time,is_buyer_maker",
        "id,price,qty,quote_qty,time,is_buyer_maker",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
        "id,price,qty,quote_qty,time,is_buyer_maker,kind",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,\
         is_best_match",
    ],
    fits: |row, columns| {
        let best_match = text(row, columns, BEST_MATCH);
        instant(text(row, columns, TIME)).is_some()
            && taker_side(text(row, columns, MAKER)).is_some()
            && (best_match.is_empty() || taker_side(best_match).is_some())
    },
};

/// Whose ids a file counts; the two never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Aggregate trades: those of one taker order at one price are one.
    AggregateTrades,
    /// Single trades.
    SingleTrades,
}

impl Counts {
    /// The words in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AggregateTrades => "aggregate trades",
            Self::SingleTrades => "single trades",
        }
    }

    fn of(columns: &Columns<10>) -> Self {
        let has = |wanted: usize| columns.get(wanted).copied().flatten().is_some();
        match has(QUOTE_QTY) && !has(FIRST_ID) {
            true => Self::SingleTrades,
            false => Self::AggregateTrades,
        }
    }
}

/// A trade and the row it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct TradeRow {
    pub(super) trade: Trade,
    /// Index of the file among those of the instrument.
    pub(super) file: u32,
    pub(super) line: u64,
    /// Whether it is no market trade; its quantity is then zero.
    pub(super) off_market: bool,
}

/// Whose trades a file must hold.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) instrument: InstrumentId,
    /// The only symbol a symbol column may hold; none where any will do.
    pub(super) symbol: Option<Arc<str>>,
}

impl Owner {
    /// Refuses a row of another symbol.
    pub(super) fn check_symbol(&self, text: &[u8]) -> Result<(), Fault> {
        match &self.symbol {
            Some(symbol) if text != symbol.as_bytes() => {
                let what = format_args!("is another symbol; {symbol} is allowed");
                Err(Fault::of("symbol", text, what))
            }
            _ => Ok(()),
        }
    }
}

/// One source of trades, with its next row already read.
pub(super) struct TradeFile {
    rows: TradeRows,
    file: u32,
    /// The next row.
    pub(super) head: TradeRow,
}

/// Where rows come from.
enum TradeRows {
    Csv(Box<(Rows<10>, RowReader)>),
    Arbt(Box<ArbtTrades>),
}

/// What turns fields into a trade.
struct RowReader {
    owner: Owner,
    id: usize,
    price: usize,
    qty: usize,
    time: usize,
    maker: usize,
    kind: Option<usize>,
    symbol: Option<usize>,
}

impl TradeFile {
    /// Opens a part and reads its first row.
    pub(super) fn open(
        part: &Part,
        extent: Extent,
        owner: &Owner,
        file: u32,
        consumed: &Consumed,
    ) -> Result<Self, TapeError> {
        let rows = Rows::open(part, extent, &FORMAT, consumed)?;
        let at = |wanted: usize| rows.columns().get(wanted).copied().flatten();
        let reader = RowReader {
            owner: owner.clone(),
            id: at(ID).unwrap_or_default(),
            price: at(PRICE).unwrap_or_default(),
            qty: at(QTY).unwrap_or_default(),
            time: at(TIME).unwrap_or_default(),
            maker: at(MAKER).unwrap_or_default(),
            kind: at(KIND),
            symbol: at(SYMBOL),
        };
        let rows = TradeRows::Csv(Box::new((rows, reader)));
        Self::begin(rows, file, || TapeError::Empty { file: Arc::clone(part.name()) })
    }

    /// Opens a tape at the first block that reaches `from`.
    pub(super) fn open_tape(
        tape: &Arc<ArbtFile>,
        from: Option<Timestamp>,
        owner: &Owner,
        file: u32,
        consumed: &Consumed,
    ) -> Result<Self, TapeError> {
        let rows = ArbtTrades::open(tape, owner.instrument, from, consumed)?;
        let rows = TradeRows::Arbt(Box::new(rows));
        Self::begin(rows, file, || TapeError::Empty { file: Arc::clone(tape.name()) })
    }

    fn begin(
        mut rows: TradeRows,
        file: u32,
        empty: impl Fn() -> TapeError,
    ) -> Result<Self, TapeError> {
        let head = rows.next(file)?.ok_or_else(empty)?;
        Ok(Self { rows, file, head })
    }

    /// What the ids count; none where the source does not say.
    pub(super) fn counts(&self) -> Option<Counts> {
        match &self.rows {
            TradeRows::Csv(csv) => Some(Counts::of(csv.0.columns())),
            TradeRows::Arbt(tape) => tape.file().header.counts,
        }
    }

    /// What the file calls a column.
    pub(super) fn name(&self, field: &str) -> Arc<str> {
        self.rows.name(field)
    }

    /// The place of the row read last, which is the head.
    pub(super) fn place(&self) -> Place {
        match &self.rows {
            TradeRows::Csv(csv) => csv.0.place(),
            TradeRows::Arbt(tape) => {
                Place { file: Arc::clone(tape.file().name()), line: self.head.line }
            }
        }
    }

    /// Reads the row after the head, which becomes the head; false when there is none.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, TapeError> {
        match self.rows.next(self.file)? {
            Some(row) => {
                self.head = row;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Trades behind the head that are at hand, all with a quantity, in strict order.
    #[inline]
    pub(super) fn at_hand(&self) -> &[Trade] {
        match &self.rows {
            TradeRows::Csv(_) => &[],
            TradeRows::Arbt(tape) => tape.at_hand(),
        }
    }

    /// Passes over `count` trades of [`at_hand`](Self::at_hand), the last of which is `head`.
    #[inline]
    pub(super) fn pass(&mut self, count: usize, head: Trade) {
        if let TradeRows::Arbt(tape) = &mut self.rows {
            let line = tape.skip(count);
            self.head = TradeRow { trade: head, file: self.file, line, off_market: false };
        }
    }
}

impl TradeRows {
    fn name(&self, field: &str) -> Arc<str> {
        match self {
            Self::Csv(csv) => csv.0.name(field),
            Self::Arbt(_) => field.into(),
        }
    }

    #[inline]
    fn next(&mut self, file: u32) -> Result<Option<TradeRow>, TapeError> {
        match self {
            Self::Csv(csv) => {
                let (rows, reader) = &mut **csv;
                let row = rows.next(|fields| reader.parse(fields))?;
                let line = rows.line();
                Ok(row.map(|(trade, off_market)| TradeRow { trade, file, line, off_market }))
            }
            Self::Arbt(tape) => {
                let row = tape.next()?;
                Ok(row.map(|Placed { trade, row, off_market }| TradeRow {
                    trade,
                    file,
                    line: row,
                    off_market,
                }))
            }
        }
    }
}

impl RowReader {
    #[inline]
    fn parse(&self, fields: &Fields<'_>) -> Result<(Trade, bool), Fault> {
        let maker = fields.get(self.maker);
        let mut trade = Trade {
            instrument: self.owner.instrument,
            id: whole("id", fields.get(self.id))?,
            price: price(fields.get(self.price))?,
            qty: qty(fields.get(self.qty))?,
            ts: time("time", fields.get(self.time))?,
            taker_side: taker_side(maker).ok_or_else(|| no_flag(maker))?,
        };
        if let Some(column) = self.symbol {
            self.owner.check_symbol(fields.get(column))?;
        }
        let off_market = self.kind.is_some_and(|column| fields.get(column) != b"MARKET");
        if off_market {
            trade.qty = Qty::ZERO;
        }
        Ok((trade, off_market))
    }
}

#[cold]
fn no_flag(text: &[u8]) -> Fault {
    Fault::of("is_buyer_maker", text, "is no flag; true, false, True, False, 1, 0 are allowed")
}
