//! Schemas of the closed lists of words that the core writes by itself.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident as $told:literal: $($word:literal),+;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $told.into()
            }
        }
    )*};
}

words! {
    /// [`arb_core::Direction`].
    DirectionName as "Direction": "LONG", "SHORT";
    /// [`arb_core::Tier`].
    TierName as "Tier": "light", "standard", "heavy";
    /// [`arb_core::TradeStatus`].
    TradeStatusName as "TradeStatus":
        "active", "tp1_hit", "tp", "sl", "sl_be", "timeout", "signal_flip", "flatten", "liquidated";
    /// [`arb_core::CarryStatus`].
    CarryStatusName as "CarryStatus": "opening", "open", "closing", "closed";
    /// [`arb_core::RiskState`].
    RiskStateName as "RiskState": "active", "reduce_only", "halted";
    /// [`arb_core::port::Mode`].
    ModeName as "Mode": "paper", "live";
    /// [`arb_core::port::UserRole`].
    RoleName as "Role": "viewer", "user", "trader", "admin";
    /// [`arb_core::port::Scope`].
    ScopeName as "Scope": "read", "trade", "admin";
}

#[cfg(test)]
mod tests {
    use arb_core::port::{Mode, Scope, UserRole};
    use arb_core::{CarryStatus, Direction, RiskState, Tier, TradeStatus};
    use serde::Serialize;

    use super::*;

    fn documented<N: PartialSchema>(values: &[impl Serialize]) {
        let schema = serde_json::to_value(N::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::to_value(values).unwrap());
    }

    #[test]
    fn the_words_that_are_written_are_the_words_that_are_documented() {
        documented::<DirectionName>(&[Direction::Long, Direction::Short]);
        documented::<TierName>(&[Tier::Light, Tier::Standard, Tier::Heavy]);
        documented::<TradeStatusName>(&[
            TradeStatus::Active,
            TradeStatus::Tp1Hit,
            TradeStatus::Tp,
            TradeStatus::Sl,
            TradeStatus::SlBe,
            TradeStatus::Timeout,
            TradeStatus::SignalFlip,
            TradeStatus::Flatten,
            TradeStatus::Liquidated,
        ]);
        documented::<CarryStatusName>(&[
            CarryStatus::Opening,
            CarryStatus::Open,
            CarryStatus::Closing,
            CarryStatus::Closed,
        ]);
        documented::<RiskStateName>(&[RiskState::Active, RiskState::ReduceOnly, RiskState::Halted]);
        documented::<ModeName>(&[Mode::Paper, Mode::Live]);
        documented::<RoleName>(&UserRole::ALL);
        documented::<ScopeName>(&[Scope::Read, Scope::Trade, Scope::Admin]);
    }
}
