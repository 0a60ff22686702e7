//! What the venue lists, and which of it is watched how.

use std::collections::BTreeSet;

use arb_binance::net::{FuturesRest, SpotRest, Watched};
use arb_binance::wire::rest::{ExchangeInfo, Listing};
use arb_core::port::Catalog;
use arb_core::{Instrument, Market, TradingStatus};

use super::{LiveError, LiveOptions, OrderFlow, Others, venue};

/// The quote of all instruments.
const QUOTE: &str = "USDT";

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Those with order flow first.
    perpetuals: Vec<Listing>,
    /// Symbols of those with order flow.
    order_flow: Vec<String>,
    /// Symbols of the spot pairs that are listed.
    spot: BTreeSet<String>,
}

/// Asks both markets.
pub(super) async fn discover(
    futures: &FuturesRest,
    spot: &SpotRest,
    options: &LiveOptions,
) -> Result<Found, LiveError> {
    let info = futures.exchange_info().await.map_err(venue("the futures listing".to_owned()))?;
    let order_flow = order_flow(&info, &options.symbols);
    let perpetuals = choose(&info, &order_flow, options.others)?;
    // The premium is one input of many: without it everything else goes on.
    let spot = match spot.exchange_info().await {
        Ok(info) => info.listings.into_iter().map(|each| each.instrument.symbol).collect(),
        Err(error) => {
            tracing::warn!(%error, "the spot listing could not be read; there is no premium");
            BTreeSet::new()
        }
    };
    Ok(Found { perpetuals, order_flow, spot })
}

/// The symbols that have order flow: those that were named, or all that may be traded.
fn order_flow(info: &ExchangeInfo, symbols: &OrderFlow) -> Vec<String> {
    let may_trade = |each: &&Listing| {
        each.quote_asset == QUOTE && each.instrument.status == TradingStatus::Trading
    };
    match symbols {
        OrderFlow::Of(symbols) => symbols.clone(),
        OrderFlow::All => {
            let all = info.perpetuals().filter(may_trade);
            all.map(|each| each.instrument.symbol.clone()).collect()
        }
    }
}

fn choose(
    info: &ExchangeInfo,
    order_flow: &[String],
    others: Others,
) -> Result<Vec<Listing>, LiveError> {
    let mut chosen = Vec::new();
    for symbol in order_flow {
        let listing = info.perpetuals().find(|each| each.instrument.symbol == *symbol);
        let unlisted = || LiveError::Unlisted { symbol: symbol.clone() };
        chosen.push(listing.ok_or_else(unlisted)?.clone());
    }
    if others == Others::Watched {
        let others = info.perpetuals().filter(|each| {
            each.quote_asset == QUOTE && !order_flow.contains(&each.instrument.symbol)
        });
        chosen.extend(others.cloned());
    }
    Ok(chosen)
}

impl Found {
    /// The instruments, those with order flow first.
    pub(super) fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.perpetuals.iter().map(|listing| &listing.instrument)
    }

    /// Symbols of those with order flow.
    pub(super) fn order_flow(&self) -> &[String] {
        &self.order_flow
    }

    /// How each is watched.
    pub(super) fn watched(&self, catalog: &Catalog) -> Result<Vec<Watched>, LiveError> {
        let watched = |listing: &Listing| {
            let symbol = &listing.instrument.symbol;
            let of = catalog.find(Market::Um, symbol);
            let unlisted = || LiveError::Unlisted { symbol: symbol.clone() };
            let order_flow = self.order_flow.contains(symbol);
            Ok(Watched {
                instrument: of.ok_or_else(unlisted)?.id,
                symbol: symbol.clone(),
                market: Market::Um,
                order_flow,
                premium: order_flow.then(|| self.premium(listing)).flatten(),
                last_id: None,
            })
        };
        self.perpetuals.iter().map(watched).collect()
    }

    /// Spot pair and Coinbase product of its coin.
    fn premium(&self, listing: &Listing) -> Option<(String, String)> {
        let coin = coin(&listing.base_asset);
        let pair = format!("{coin}{QUOTE}");
        self.spot.contains(&pair).then(|| (pair, format!("{coin}-USD")))
    }
}

/// The coin of a contract on a multiple of it: `PEPE` of `1000PEPE`, `MOG` of `1000000MOG`.
fn coin(base_asset: &str) -> &str {
    let rest = base_asset.trim_start_matches('1').trim_start_matches('0');
    let is_multiple = base_asset.starts_with("1000") && !rest.is_empty();
    let rest = base_asset.strip_prefix("1M").filter(|rest| rest.len() > 2).unwrap_or(rest);
    if is_multiple || base_asset.starts_with("1M") { rest } else { base_asset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_is_of_its_coin() {
        for (base, expected) in [
            ("BTC", "BTC"),
            ("1000PEPE", "PEPE"),
            ("1000000MOG", "MOG"),
            ("1MBABYDOGE", "BABYDOGE"),
            ("1INCH", "1INCH"),
            ("100X", "100X"),
        ] {
            assert_eq!(coin(base), expected);
        }
    }
}
