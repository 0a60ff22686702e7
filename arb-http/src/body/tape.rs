//! Recorded trades of the market.

use arb_core::port::TapeExtent;
use arb_core::{Side, Trade};
use serde::Serialize;
use utoipa::ToSchema;

use super::Num;

/// An aggregate trade.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TapeTrade {
    /// The venue's id, counting up by one.
    pub agg_id: u64,
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Price.
    pub price: Num,
    /// Quantity, base units.
    pub qty: Num,
    /// 1 when the taker sold, else 0.
    #[schema(minimum = 0, maximum = 1)]
    pub is_buyer_maker: u8,
}

impl From<&Trade> for TapeTrade {
    fn from(trade: &Trade) -> Self {
        Self {
            agg_id: trade.id,
            time_ms: trade.ts.as_millis(),
            price: trade.price.into(),
            qty: trade.qty.into(),
            is_buyer_maker: u8::from(trade.taker_side == Side::Sell),
        }
    }
}

/// New trades of a perpetual, for streams.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedTrades {
    /// The perpetual.
    pub symbol: String,
    /// Its key in answers by coin.
    pub coin: String,
    /// The trades, ids ascending.
    pub data: Vec<TapeTrade>,
}

/// What is recorded of a perpetual's trades.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TapeMeta {
    /// Smallest id.
    pub first_agg_id: Option<u64>,
    /// Largest id.
    pub last_agg_id: Option<u64>,
    /// Time of the first trade, Unix milliseconds.
    pub first_time_ms: Option<i64>,
    /// Time of the last trade, Unix milliseconds.
    pub last_time_ms: Option<i64>,
    /// Number of trades.
    pub count: u64,
    /// Number of holes between first and last.
    pub gaps: usize,
}

impl TapeMeta {
    /// The extent with its number of holes.
    #[must_use]
    pub fn new(extent: &TapeExtent, gaps: usize) -> Self {
        Self {
            first_agg_id: Some(extent.first_id),
            last_agg_id: Some(extent.last_id),
            first_time_ms: Some(extent.first_time.as_millis()),
            last_time_ms: Some(extent.last_time.as_millis()),
            count: extent.count,
            gaps,
        }
    }
}
