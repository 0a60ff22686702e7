//! The bodies of answers and of stream messages, from what the ports tell.
//!
//! Invariant: these functions are pure: a body is a function of a view and of rows, so REST, the
//! streams and the dashboard say the same. A figure that is not known is null, never 0.

mod health;
mod names;
mod num;
mod rates;
mod risk;
mod signals;
mod tape;
mod trades;

pub use self::health::{ComponentBody, Components, Health, Status};
pub use self::num::{Num, finite};
pub use self::rates::{Rate, Rates, rates};
pub use self::risk::{Account, RiskStatus, RuleBody, risk_status};
pub use self::signals::{
    Factor, Indicator, NamedIndicator, NamedSignal, Reading, Signal, indicator,
};
pub use self::tape::{NamedTrades, TapeMeta, TapeTrade};
pub use self::trades::{Position, PositionsMessage, TradeItem};

pub(crate) use self::health::health;
pub(crate) use self::names::{
    CarryStatusName, DirectionName, ModeName, RiskStateName, RoleName, ScopeName, TierName,
    TradeStatusName,
};
pub(crate) use self::rates::{annualized, basis_bps};
pub(crate) use self::signals::factors;
pub(crate) use self::trades::{money, net, positions, positions_message, trade_item, unrealized};

/// Decimals of a yearly rate: a millionth of a basis point.
pub(crate) const RATE_DECIMALS: u32 = 10;
/// Decimals of basis points.
pub(crate) const BPS_DECIMALS: u32 = 4;
