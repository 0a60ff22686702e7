//! Rows of the engine's tables, as hosts read them.
//!
//! Invariant: times are whole milliseconds but those of fills, which are kept as they came; `id`
//! orders rows of equal time and is given by the store.

use super::{Cursor, InstrumentKey, Mode};
use crate::event::{Direction, Side};
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty};
use crate::order::{Effect, OrderKind, OrderStatus, Role};
use crate::output::{CarryStatus, TradeNote, TradeStatus};
use crate::strategy::Tier;
use crate::time::Timestamp;
use rust_decimal::Decimal;

macro_rules! placed {
    ($($row:ident by $time:ident),* $(,)?) => {
        $(impl $row {
            /// Its place in the list, for the page after it.
            #[must_use]
            pub const fn place(&self) -> (Timestamp, u64) {
                (self.$time, self.id)
            }
        })*
    };
}

placed!(
    SignalRow by time,
    TradeRow by entry_time,
    CarryRow by opened_at,
    OrderRow by submitted_at,
    FillRow by ts,
    FundingRow by funding_time,
    TransferRow by at,
);

/// An output of the engine, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// The log record it belongs to.
    pub cursor: Cursor,
    /// Counts the outputs of that record from 0.
    pub ordinal: u32,
    /// Time of the event.
    pub at: Timestamp,
    /// Variant of the output, such as `signal`.
    pub kind: String,
    /// The output as JSON, instruments by name (`um:BTCUSDT`).
    pub body: String,
}

/// A recorded decision.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalRow {
    /// Row.
    pub id: u64,
    /// Grid time.
    pub time: Timestamp,
    /// What was looked at.
    pub instrument: InstrumentKey,
    /// Name of the strategy.
    pub strategy: String,
    /// Hash of the configuration in force.
    pub config_hash: String,
    /// Which way the flow points.
    pub direction: Option<Direction>,
    /// 0 to 100.
    pub score: f64,
    /// How strong.
    pub tier: Option<Tier>,
    /// An entry was approved.
    pub fired: bool,
    /// Why it fires or does not, in words.
    pub reason: String,
    /// Last price.
    pub price: Option<Price>,
    /// JSON object by name of `{score, max, inputs, note}`.
    pub factors: String,
}

/// A directional trade in its last state.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeRow {
    /// Row.
    pub id: u64,
    /// The run.
    pub run: String,
    /// Paper or live.
    pub mode: Mode,
    /// The trade's number inside the run.
    pub trade: u64,
    /// What is traded.
    pub instrument: InstrumentKey,
    /// Name of the strategy.
    pub strategy: String,
    /// Long or short.
    pub direction: Direction,
    /// Strength of the signal that opened it.
    pub tier: Option<Tier>,
    /// Score of that signal.
    pub score: f64,
    /// State.
    pub status: TradeStatus,
    /// First entry fill.
    pub entry_time: Timestamp,
    /// Last exit fill, once closed.
    pub exit_time: Option<Timestamp>,
    /// Average entry price.
    pub entry_price: Price,
    /// Average exit price of what is closed so far.
    pub exit_price: Option<Price>,
    /// Filled entry quantity.
    pub qty: Qty,
    /// Quantity still open.
    pub open_qty: Qty,
    /// Stop in force.
    pub stop_price: Price,
    /// First target.
    pub tp1_price: Price,
    /// Final target.
    pub tp2_price: Price,
    /// Realised profit or loss before fees and funding.
    pub pnl: Money,
    /// Fees paid.
    pub fee: Money,
    /// Funding paid (positive) or received (negative).
    pub funding: Money,
    /// One R of this trade, quote currency.
    pub r_trade: Money,
    /// Result in R; none before any exit.
    pub r_multiple: Option<f64>,
}

impl TradeRow {
    /// The trade as the engine told it; who has no engine may give it any instrument id.
    #[must_use]
    pub fn note(&self, instrument: InstrumentId) -> TradeNote {
        TradeNote {
            id: self.trade,
            strategy: self.strategy.clone(),
            instrument,
            direction: self.direction,
            tier: self.tier,
            score: self.score,
            status: self.status,
            entry_time: self.entry_time,
            exit_time: self.exit_time,
            entry_price: self.entry_price,
            exit_price: self.exit_price,
            qty: self.qty,
            open_qty: self.open_qty,
            stop_price: self.stop_price,
            tp1_price: self.tp1_price,
            tp2_price: self.tp2_price,
            pnl: self.pnl,
            fee: self.fee,
            funding: self.funding,
            r_trade: self.r_trade,
            r_multiple: self.r_multiple,
        }
    }
}

/// A carry pair in its last state.
#[derive(Clone, Debug, PartialEq)]
pub struct CarryRow {
    /// Row.
    pub id: u64,
    /// The run.
    pub run: String,
    /// Paper or live.
    pub mode: Mode,
    /// The pair's number inside the run.
    pub pair: u64,
    /// Name of the strategy.
    pub strategy: String,
    /// The perpetual that is short.
    pub perp: InstrumentKey,
    /// The spot market whose coins are held.
    pub spot: InstrumentKey,
    /// State.
    pub status: CarryStatus,
    /// Why it is being closed.
    pub reason: Option<String>,
    /// When it was approved.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// Contracts short.
    pub perp_qty: Qty,
    /// Coins held.
    pub spot_qty: Qty,
    /// Average price of the short.
    pub perp_entry_price: Option<Price>,
    /// Average price of the coins.
    pub spot_entry_price: Option<Price>,
    /// Entry basis, basis points to 4 decimals.
    pub entry_basis_bps: Option<Decimal>,
    /// Largest spot notional held.
    pub notional: Money,
    /// Fees paid.
    pub fees: Money,
    /// Funding paid (positive) or received (negative).
    pub funding: Money,
    /// Profit after fees and funding.
    pub pnl: Money,
}

/// An order as far as the log knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Row.
    pub id: u64,
    /// Paper or live.
    pub mode: Mode,
    /// Client order id.
    pub client_id: String,
    /// What is traded.
    pub instrument: InstrumentKey,
    /// Buy or sell.
    pub side: Side,
    /// Ordered quantity.
    pub qty: Qty,
    /// How it executes.
    pub kind: OrderKind,
    /// Whether it may open risk.
    pub effect: Effect,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// What the venue last said, such as `canceled`; none before any answer.
    pub last_update: Option<String>,
    /// Executed so far.
    pub filled: Qty,
    /// When the engine sent it.
    pub submitted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillRow {
    /// Row.
    pub id: u64,
    /// Paper or live.
    pub mode: Mode,
    /// Client order id.
    pub client_id: String,
    /// What was traded.
    pub instrument: InstrumentKey,
    /// Buy or sell.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Maker or taker.
    pub role: Role,
    /// Fee, worth in quote currency.
    pub fee: Money,
    /// The part of the quantity that was kept as fee.
    pub base_fee: Qty,
    /// The venue's time.
    pub ts: Timestamp,
}

/// A funding payment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingRow {
    /// Row.
    pub id: u64,
    /// Paper or live.
    pub mode: Mode,
    /// Whose funding.
    pub instrument: InstrumentKey,
    /// The boundary.
    pub funding_time: Timestamp,
    /// Positive left the account, negative came in.
    pub paid: Money,
    /// The last price stood in for the mark price.
    pub approx: bool,
}

/// A deposit or withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// Row.
    pub id: u64,
    /// Paper or live.
    pub mode: Mode,
    /// When.
    pub at: Timestamp,
    /// Positive came in.
    pub amount: Money,
}

/// Indicators of an instrument at a grid point, with the score it had there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndicatorRow {
    /// Whose indicators.
    pub instrument: InstrumentId,
    /// Grid time.
    pub time: Timestamp,
    /// Last price.
    pub price: Price,
    /// Net taker quantity of 30 minutes, base units.
    pub cvd_fast: Decimal,
    /// The same of 4 hours.
    pub cvd_mid: Decimal,
    /// The same since 00:00 UTC.
    pub cvd_day: Decimal,
    /// Volume-weighted price of 30 minutes.
    pub vwap_30m: Option<f64>,
    /// ATR of 5-minute bars, price units.
    pub atr_5m: Option<f64>,
    /// Its percentile, 0 to 100.
    pub atr_percentile: Option<f64>,
    /// 95 % quantile of trade quantity.
    pub qty_p95: Option<Qty>,
    /// 99 % quantile of trade quantity.
    pub qty_p99: Option<Qty>,
    /// Score of the first active strategy.
    pub score: Option<f64>,
    /// No trade of the windows is missing.
    pub complete: bool,
}

/// A setting of `live_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name.
    pub key: String,
    /// Value, usually JSON.
    pub value: String,
    /// When it was set.
    pub updated_at: Timestamp,
    /// Who set it.
    pub updated_by: String,
}
