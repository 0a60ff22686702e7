//! Binance USDⓈ-M futures and spot, and Coinbase's reference price.
//!
//! Everything but `net` is pure: bytes and times in, core events and decisions out; it waits for
//! nothing and reads no clock. Feature `net` has the connections that drive it.
//!
//! | looking for | where |
//! |---|---|
//! | frames and answers as core events | [`wire`] |
//! | a local order book with the documented sync | [`OrderBook`] |
//! | aggregate trades without a hole, over reconnects | [`TradeTracker`] |
//! | request weight, never exceeded | [`Budget`] |
//! | the Coinbase premium | [`Premium`] |
//! | connections: hosts, requests, streams, the whole feed | `net` |

mod book;
mod budget;
mod contiguity;
mod fuzz;
#[cfg(feature = "net")]
pub mod net;
mod premium;
#[cfg(test)]
mod recorded;
#[cfg(feature = "sim")]
pub mod sim;
pub mod wire;

pub use crate::book::{BookSide, DepthRules, OrderBook, SnapshotOutcome, UpdateOutcome};
pub use crate::budget::{Budget, Cost, Limits, Pool, Priority, RateLimited, Verdict};
pub use crate::contiguity::{BackfillRequest, TrackerConfig, TrackerCounters, TradeTracker};
pub use crate::fuzz::fuzz_frame;
pub use crate::premium::{Leg, Premium};
