//! What stands between a strategy and the venue.
//!
//! Invariant: an [`Approved`] can only be made here, so no order leaves the engine unseen. Entries
//! pass the ordered rules of the [`gate`], the first refusal wins; orders that only reduce risk
//! pass in every state. The [`guard`] watches equity and trips the state.
#![deny(clippy::float_arithmetic)]

mod config;
mod gate;
mod guard;
mod pair;
mod rules;
mod sizing;

use serde::Serialize;

pub use self::config::{Budget, CarryLimits, RiskConfig};
pub(crate) use self::gate::{Exposure, Gate, Proposal, collar};
pub(crate) use self::guard::{Equity, Guard, GuardEvent};
pub(crate) use self::pair::{CarryExposure, PairGate};
pub use self::rules::{Refusal, RiskState, Rule, Trip};
use crate::order::{Effect, Order};

/// An order that risk has seen. It cannot be built or read from outside.
///
/// ```compile_fail
/// # fn order() -> arb_core::Order { unimplemented!() }
/// let forged = arb_core::Approved { order: order() };
/// ```
/// ```compile_fail
/// let forged: arb_core::Approved = serde_json::from_str("{}").unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Approved {
    order: Order,
}

impl Approved {
    /// The order to send.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// An order that lowers the net delta of a carry pair; passes in every state.
    pub(crate) const fn completing(order: Order) -> Self {
        Self { order }
    }

    /// An order that can only reduce the position; passes in every state.
    pub(crate) const fn reducing(order: Order) -> Self {
        Self { order: Order { effect: Effect::Reduce, ..order } }
    }
}
