//! The paper venue: a second pure machine that sees each market event before the engine.
//!
//! Invariant: an order made on trade k fills from trade k + 1 at the earliest, `latency_ms` later;
//! what happens is a function of the events and orders alone, and its own ledger books the same
//! fills and settlements as the engine's. Whatever is not on the tape (spread, queue, depth) is
//! assumed against the order, because a paper result that flatters is worth nothing.
//!
//! There is no book, so prices come from trades:
//!
//! | order | fills |
//! |---|---|
//! | market, IOC, marketable GTC | at the first trade at or after its time, plus half the spread plus slippage; a limit bounds that price |
//! | stop | at the worse of stop and trigger trade, plus slippage; after a mark trigger at the next trade |
//! | resting limit | at its price as maker, by a trade strictly through it, or in the queue ([`FillModel`]) |
//!
//! Where trades were missed, stops and limits wait until those are known or given up. They meet
//! them, and what came meanwhile, in the venue's order and at each trade's own time; an order to
//! close at once takes the present market. An IOC that opens risk and was still on its way ends
//! unfilled.

#![deny(clippy::float_arithmetic)]

mod accept;
mod catch_up;
mod desk;
mod fee;
mod fill;
mod latency;
mod margin;
mod matching;
mod tape;
mod venue;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use self::venue::PaperVenue;
use crate::num::decimal_text;

/// When a resting limit order fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillModel {
    /// In full, once a trade goes strictly through its price.
    Through,
    /// By the volume traded at its price once the queue ahead is gone; in full when traded through.
    Queue,
}

/// What the paper venue assumes where the tape says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperConfig {
    /// When a resting limit order fills.
    pub fill: FillModel,
    /// From a decision to its effect at the venue, ms.
    pub latency_ms: u32,
    /// From a grid time to the decision taken there, ms: as long as live waits for late trades.
    pub grid_grace_ms: u32,
    /// Most an opening order fills, as a fraction of the volume of the last 5 minutes.
    #[serde(with = "decimal_text")]
    pub max_participation: Decimal,
    /// Queue ahead of an order that comes to rest, as a fraction of the volume of the last
    /// 5 minutes: the depth of one price level is not on a tape.
    #[serde(with = "decimal_text")]
    pub queue_ahead_ratio: Decimal,
    /// Age beyond which a quote no longer gives the spread, ms.
    pub quote_max_age_ms: u32,
    /// The venue's fee on a liquidated notional, a fraction, on top of the taker fee.
    #[serde(with = "decimal_text")]
    pub liquidation_fee: Decimal,
}

impl Default for PaperConfig {
    /// `Through`, 250 ms, grace 400 ms, 10 % participation, 5 % queue, quotes up to 10 s, and
    /// 1.25 %, the `liquidationFee` that Binance publishes for BTCUSDT.
    fn default() -> Self {
        Self {
            fill: FillModel::Through,
            latency_ms: 250,
            grid_grace_ms: 400,
            max_participation: Decimal::new(1, 1),
            queue_ahead_ratio: Decimal::new(5, 2),
            quote_max_age_ms: 10_000,
            liquidation_fee: Decimal::new(125, 4),
        }
    }
}

#[cfg(test)]
mod tests;
