//! Our own directional trades, open and closed.

use arb_core::port::{Mode, TradeRow, View};
use arb_core::{Direction, Money, Price, Tier, TradeNote, TradeStatus};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::names::{DirectionName, ModeName, TierName, TradeStatusName};
use super::num::ratio;
use super::risk::Account;
use super::signals::Factor;
use super::{Num, finite};
use crate::factors::FactorBook;

/// Decimals of R.
const R_DECIMALS: u32 = 6;

/// A directional trade.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Position {
    /// Number of the trade.
    pub id: u64,
    /// The perpetual.
    pub symbol: String,
    /// Name of the strategy.
    pub strategy: String,
    /// Long or short.
    #[schema(value_type = DirectionName)]
    pub direction: Direction,
    /// Score of the signal that opened it.
    pub score: Option<f64>,
    /// How strong that signal was.
    #[schema(value_type = Option<TierName>)]
    pub tier: Option<Tier>,
    /// Average entry price.
    pub entry_price: Num,
    /// First entry fill, Unix milliseconds.
    pub entry_time_ms: i64,
    /// Entered quantity, base units.
    pub qty: Num,
    /// What of it is still open.
    pub open_qty: Num,
    /// Stop in force.
    pub sl_price: Num,
    /// First target.
    pub tp1_price: Num,
    /// Final target.
    pub tp2_price: Num,
    /// Where it is in its life.
    #[schema(value_type = TradeStatusName)]
    pub status: TradeStatus,
    /// What the open part would give at the mark price, before fees; null once closed.
    pub unrealized_pnl: Option<Num>,
    /// What the whole trade would come to in R: the part already closed and the open one at the
    /// mark price, before fees; null once closed.
    pub unrealized_r: Option<Num>,
    /// What the score was made of, where that is on record.
    #[schema(value_type = Option<BTreeMap<String, Factor>>)]
    pub score_factors: Option<Box<RawValue>>,
}

/// A trade with its end.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TradeItem {
    /// The trade.
    #[serde(flatten)]
    pub position: Position,
    /// Average exit price.
    pub exit_price: Option<Num>,
    /// Last exit fill, Unix milliseconds.
    pub exit_time_ms: Option<i64>,
    /// Profit or loss after fees and funding, quote currency.
    pub pnl: Num,
    /// The same in R.
    pub pnl_r: Option<Num>,
    /// Fees paid.
    pub fee: Num,
    /// Funding paid (positive) or received (negative).
    pub funding: Num,
}

/// Open trades with the account they are part of: the message of the topic `positions`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PositionsMessage {
    /// Paper or live.
    #[schema(value_type = ModeName)]
    pub mode: Mode,
    /// The account.
    pub account: Account,
    /// The open trades.
    pub data: Vec<Position>,
}

/// The open directional trades of a view.
#[must_use]
pub(crate) fn positions(view: &View, factors: &FactorBook) -> Vec<Position> {
    view.trades.iter().map(|note| position(view, note, factors)).collect()
}

/// The message of the topic `positions`.
#[must_use]
pub(crate) fn positions_message(view: &View, factors: &FactorBook) -> PositionsMessage {
    PositionsMessage {
        mode: view.mode,
        account: Account::from(&view.account),
        data: positions(view, factors),
    }
}

fn position(view: &View, note: &TradeNote, factors: &FactorBook) -> Position {
    let symbol = view.symbol(note.instrument);
    let last = || view.rows.iter().find(|(id, _)| *id == note.instrument);
    let mark = view.rate(note.instrument).map(|rate| rate.mark_price);
    let mark = mark.or_else(|| last().map(|(_, row)| row.last_price));
    let unrealized = mark.map(|mark| unrealized(note, mark));
    let r = unrealized.and_then(|floating| {
        (note.pnl + floating).to_decimal().checked_div(note.r_trade.to_decimal())
    });
    Position {
        id: note.id,
        symbol: symbol.to_owned(),
        strategy: note.strategy.clone(),
        direction: note.direction,
        score: finite(note.score),
        tier: note.tier,
        entry_price: note.entry_price.into(),
        entry_time_ms: note.entry_time.as_millis(),
        qty: note.qty.into(),
        open_qty: note.open_qty.into(),
        sl_price: note.stop_price.into(),
        tp1_price: note.tp1_price.into(),
        tp2_price: note.tp2_price.into(),
        status: note.status,
        unrealized_pnl: unrealized.map(Num::from),
        unrealized_r: r.map(|r| Num::round(r, R_DECIMALS)),
        score_factors: factors.of(&note.strategy, symbol, note.entry_time),
    }
}

/// What closing the open part at `mark` would give, before fees.
pub(crate) fn unrealized(note: &TradeNote, mark: Price) -> Money {
    let move_ = mark.to_decimal() - note.entry_price.to_decimal();
    let gain = move_.saturating_mul(note.open_qty.to_decimal());
    Money::round(match note.direction {
        Direction::Long => gain,
        Direction::Short => -gain,
    })
}

/// Profit or loss of a stored trade after fees and funding.
pub(crate) fn net(row: &TradeRow) -> Money {
    row.pnl - row.fee - row.funding
}

/// A stored trade.
pub(crate) fn trade_item(row: &TradeRow, symbol: &str, factors: &FactorBook) -> TradeItem {
    let position = Position {
        id: row.trade,
        symbol: symbol.to_owned(),
        strategy: row.strategy.clone(),
        direction: row.direction,
        score: finite(row.score),
        tier: row.tier,
        entry_price: row.entry_price.into(),
        entry_time_ms: row.entry_time.as_millis(),
        qty: row.qty.into(),
        open_qty: row.open_qty.into(),
        sl_price: row.stop_price.into(),
        tp1_price: row.tp1_price.into(),
        tp2_price: row.tp2_price.into(),
        status: row.status,
        unrealized_pnl: None,
        unrealized_r: None,
        score_factors: factors.of(&row.strategy, symbol, row.entry_time),
    };
    TradeItem {
        position,
        exit_price: row.exit_price.map(Num::from),
        exit_time_ms: row.exit_time.map(arb_core::Timestamp::as_millis),
        pnl: net(row).into(),
        pnl_r: row.r_multiple.and_then(ratio),
        fee: row.fee.into(),
        funding: row.funding.into(),
    }
}
