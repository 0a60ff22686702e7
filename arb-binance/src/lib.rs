//! Binance USDⓈ-M futures and spot, and Coinbase's reference price.
//!
//! Everything here is pure: bytes and times in, core events and decisions out. A connection or a
//! poller drives it; it waits for nothing and reads no clock.
//!
//! | looking for | where |
//! |---|---|
//! | frames and answers as core events | [`wire`] |
//! | a local order book with the documented sync | [`OrderBook`] |
//! | aggregate trades without a hole, over reconnects | [`TradeTracker`] |
//! | request weight, never exceeded | [`Budget`] |
//! | the Coinbase premium | [`Premium`] |

mod book;
mod budget;
mod contiguity;
mod fuzz;
mod premium;
#[cfg(test)]
mod recorded;
pub mod wire;

pub use crate::book::{BookSide, DepthRules, OrderBook, SnapshotOutcome, UpdateOutcome};
pub use crate::budget::{Budget, Cost, Limits, Pool, Priority, RateLimited, Verdict};
pub use crate::contiguity::{BackfillRequest, TrackerConfig, TrackerCounters, TradeTracker};
pub use crate::fuzz::fuzz_frame;
pub use crate::premium::{Leg, Premium};
