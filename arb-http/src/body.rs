//! The bodies of answers and of stream messages, from what the ports tell.
//!
//! Invariant: these functions are pure: a body is a function of a view and of rows, so REST, the
//! streams and the dashboard say the same. A figure that is not known is null, never 0.

mod accounts;
mod candles;
mod funding;
mod health;
mod live;
mod names;
mod num;
mod page;
mod performance;
mod rates;
mod risk;
mod signals;
mod tape;
mod trades;

pub use self::accounts::{
    AuditItem, ConfigBody, Done, InviteBody, KeyBody, Me, NewKeyBody, RefreshedBody, SessionBody,
    SessionUser, TierSizes, UserBody,
};
pub use self::candles::{Bar, Interval, KlineItem, Klines};
pub use self::funding::{
    CoinStats, ComboStats, FundingStatsBody, OpportunityBody, Settlement, YearStats,
};
pub use self::health::{ComponentBody, Components, Health, Status};
pub use self::live::{
    CarryBody, CarryPair, EventItem, ExecutionQuality, FundingItem, Leg, Percentiles,
};
pub use self::num::{Num, finite};
pub use self::page::{Data, PageOf};
pub use self::performance::{EquityPoint, Performance, StatsBody, SummaryBody};
pub use self::rates::{Rate, Rates, rates};
pub use self::risk::{Account, RiskStatus, RuleBody, risk_status};
pub use self::signals::{
    Factor, Indicator, NamedIndicator, NamedSignal, Reading, Signal, indicator,
};
pub use self::tape::{NamedTrades, TapeMeta, TapeTrade};
pub use self::trades::{Position, PositionsMessage, TradeItem};

pub(crate) use self::candles::{
    RateCandle, RateCandles, TradeSums, add_candle, add_rate, add_trade,
};
pub(crate) use self::funding::{coin_stats, combo, opportunity, year_stats};
pub(crate) use self::health::health;
pub(crate) use self::live::{carry_pair, execution_quality, funding_item};
pub(crate) use self::names::{RiskStateName, RoleName, ScopeName};
pub(crate) use self::performance::Closed;
pub(crate) use self::rates::basis_bps;
pub(crate) use self::signals::factors;
pub(crate) use self::trades::positions_message;
pub(crate) use self::trades::{positions, trade_item};

/// Decimals of a yearly rate: a millionth of a basis point.
pub(crate) const RATE_DECIMALS: u32 = 10;
/// Decimals of basis points.
pub(crate) const BPS_DECIMALS: u32 = 4;
