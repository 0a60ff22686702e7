//! The data that the page's script draws, as it stands in the page.
//!
//! Invariant: times are milliseconds since the epoch; amounts are in quote currency.

use arb_core::{CarryNote, Timestamp};
use serde::Serialize;

use super::collect::CarryCollector;
use crate::report::data::{Line, short};

/// Pairs that the page lists and draws.
pub(super) const PAIRS: usize = 5_000;

/// Everything the script needs.
#[derive(Debug, Serialize)]
pub(super) struct Data<'a> {
    first_ms: i64,
    last_ms: i64,
    config_hash: &'a str,
    /// The exact text whose SHA-256 is `config_hash`.
    config: &'a str,
    equity: Line,
    funding: Line,
    fees: Line,
    basis: Line,
    notional: Line,
    markets: Vec<Market<'a>>,
    pairs: Vec<Pair<'a>>,
}

#[derive(Debug, Serialize)]
struct Market<'a> {
    symbol: &'a str,
    priced: bool,
    rate: Line,
    basis: Line,
}

#[derive(Debug, Serialize)]
struct Pair<'a> {
    market: usize,
    opened_ms: i64,
    closed_ms: Option<i64>,
    reason: &'a str,
    perp_entry_price: Option<String>,
    spot_entry_price: Option<String>,
    entry_basis_bps: Option<f64>,
    notional: f64,
    funding: f64,
    fees: f64,
    basis: f64,
    net: f64,
}

impl<'a> Pair<'a> {
    fn new(market: usize, pair: &'a CarryNote) -> Self {
        let amount = |money: arb_core::Money| short(money.to_f64_lossy());
        let bps = pair.entry_basis_bps.and_then(|bps| bps.to_string().parse().ok());
        Self {
            market,
            opened_ms: pair.opened_at.as_millis(),
            closed_ms: pair.closed_at.map(Timestamp::as_millis),
            reason: pair.reason.as_deref().unwrap_or("open"),
            perp_entry_price: pair.perp_entry_price.map(|price| price.to_string()),
            spot_entry_price: pair.spot_entry_price.map(|price| price.to_string()),
            entry_basis_bps: bps,
            notional: amount(pair.notional),
            funding: amount(-pair.funding),
            fees: amount(pair.fees),
            basis: amount(pair.basis_pnl()),
            net: amount(pair.pnl),
        }
    }
}

impl<'a> Data<'a> {
    pub(super) fn new(
        seen: &'a CarryCollector,
        (from, to): (Timestamp, Timestamp),
        unpriced: &[String],
    ) -> Self {
        let configure = seen.config.as_ref().map(|(_, configure)| configure);
        let market_of =
            |pair: &CarryNote| seen.markets.iter().position(|market| market.perp == pair.perp);
        let pair = |pair: &'a CarryNote| Some(Pair::new(market_of(pair)?, pair));
        Self {
            first_ms: from.as_millis(),
            last_ms: to.as_millis(),
            config_hash: configure.map_or("", |configure| configure.hash.as_str()),
            config: configure
                .and_then(|configure| std::str::from_utf8(&configure.bytes).ok())
                .unwrap_or_default(),
            equity: Line::new(&seen.equity),
            funding: Line::new(&seen.funding),
            fees: Line::new(&seen.fees),
            basis: Line::new(&seen.basis),
            notional: Line::new(&seen.notional),
            markets: seen
                .markets
                .iter()
                .map(|market| Market {
                    symbol: &market.symbol,
                    priced: !unpriced.contains(&market.symbol),
                    rate: Line::new(&market.rate),
                    basis: Line::new(&market.basis),
                })
                .collect(),
            pairs: seen.pairs.values().filter_map(pair).take(PAIRS).collect(),
        }
    }
}
