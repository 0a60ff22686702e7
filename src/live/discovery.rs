//! What the venue lists, and which of it is watched how.
//!
//! Invariant: a perpetual that a carry strategy trades has order flow, and so has its spot pair:
//! a pair whose legs fill from trades needs the trades of both. Other perpetuals with order flow
//! have the quotes of their spot pair, for the basis.

use std::collections::BTreeSet;

use arb_binance::net::{FuturesRest, SpotRest, Watched};
use arb_binance::wire::rest::{ExchangeInfo, Listing, multiplier};
use arb_core::port::Catalog;
use arb_core::{Instrument, Market, StrategyText, TradingStatus, VenueError};

use super::{LiveError, LiveOptions, OrderFlow, Others, venue};

/// The quote of all instruments.
const QUOTE: &str = "USDT";
/// The kind of strategies that trade a perpetual against its spot pair.
const CARRY: &str = "funding_carry";

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Those with order flow first.
    perpetuals: Vec<Listing>,
    /// Spot pairs of those with order flow, in their order.
    pairs: Vec<Pair>,
    /// Symbols that are scored.
    order_flow: Vec<String>,
    /// Those and what carry strategies trade beside them: symbols with order flow.
    with_flow: Vec<String>,
}

/// A perpetual's spot pair.
#[derive(Debug)]
struct Pair {
    perpetual: String,
    spot: Listing,
    /// A carry strategy trades it.
    is_carried: bool,
}

/// Asks both markets.
pub(super) async fn discover(
    futures: &FuturesRest,
    spot: &SpotRest,
    options: &LiveOptions,
) -> Result<Found, LiveError> {
    let info = futures.exchange_info().await.map_err(venue("the futures listing".to_owned()))?;
    found(&info, spot.exchange_info().await, options)
}

fn found(
    info: &ExchangeInfo,
    spot: Result<ExchangeInfo, VenueError>,
    options: &LiveOptions,
) -> Result<Found, LiveError> {
    let order_flow = order_flow(info, &options.symbols);
    let carried = carried(&options.strategies, &order_flow);
    let mut with_flow = order_flow.clone();
    with_flow.extend(carried.iter().filter(|symbol| !order_flow.contains(symbol)).cloned());
    let perpetuals = choose(info, &with_flow, options.others)?;
    let spot = match spot {
        Ok(spot) => spot,
        Err(error) if carried.is_empty() => {
            // Basis and premium are inputs of many: without them everything else goes on.
            tracing::warn!(%error, "the spot listing could not be read: no basis, no premium");
            return Ok(Found { perpetuals, pairs: Vec::new(), order_flow, with_flow });
        }
        Err(error) => return Err(venue("the spot listing, which carry needs".to_owned())(error)),
    };
    let mut pairs = Vec::new();
    for listing in perpetuals.iter().take(with_flow.len()) {
        let symbol = &listing.instrument.symbol;
        let is_carried = carried.contains(symbol);
        match listing.hedge(&spot) {
            Some(hedge) => {
                pairs.push(Pair { perpetual: symbol.clone(), spot: hedge.spot.clone(), is_carried })
            }
            None if is_carried => tracing::warn!(symbol, "no spot pair is listed: no carry of it"),
            None => {}
        }
    }
    Ok(Found { perpetuals, pairs, order_flow, with_flow })
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

/// The symbols that carry strategies trade; all means those with order flow.
fn carried(strategies: &[StrategyText], symbols: &[String]) -> BTreeSet<String> {
    let mut carried = BTreeSet::new();
    for strategy in strategies {
        // What is no JSON is refused later, with its line.
        let text: serde_json::Value = serde_json::from_str(&strategy.text).unwrap_or_default();
        if text.get("kind").and_then(serde_json::Value::as_str) != Some(CARRY) {
            continue;
        }
        match text.get("symbols") {
            Some(serde_json::Value::Array(own)) => {
                carried.extend(own.iter().filter_map(|symbol| symbol.as_str().map(str::to_owned)));
            }
            _ => carried.extend(symbols.iter().cloned()),
        }
    }
    carried
}

/// The listings of `with_flow` in that order, then the others where they are watched.
fn choose(
    info: &ExchangeInfo,
    with_flow: &[String],
    others: Others,
) -> Result<Vec<Listing>, LiveError> {
    let mut chosen = Vec::new();
    for symbol in with_flow {
        let listing = info.perpetuals().find(|each| each.instrument.symbol == *symbol);
        let unlisted = || LiveError::Unlisted { symbol: symbol.clone() };
        chosen.push(listing.ok_or_else(unlisted)?.clone());
    }
    if others == Others::Watched {
        let others = info.perpetuals().filter(|each| {
            each.quote_asset == QUOTE && !with_flow.contains(&each.instrument.symbol)
        });
        chosen.extend(others.cloned());
    }
    Ok(chosen)
}

impl Found {
    /// The instruments: perpetuals, those with order flow first, then their spot pairs.
    pub(super) fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        let spot = self.pairs.iter().map(|pair| &pair.spot);
        self.perpetuals.iter().chain(spot).map(|listing| &listing.instrument)
    }

    /// Symbols of those with order flow.
    pub(super) fn order_flow(&self) -> &[String] {
        &self.order_flow
    }

    /// How each is watched.
    pub(super) fn watched(&self, catalog: &Catalog) -> Result<Vec<Watched>, LiveError> {
        let watched = |market, symbol: &String, order_flow| -> Result<Watched, LiveError> {
            let of = catalog.find(market, symbol);
            let of = of.ok_or_else(|| LiveError::Unlisted { symbol: symbol.clone() })?;
            Ok(Watched {
                instrument: of.id,
                symbol: symbol.clone(),
                market,
                order_flow,
                premium: None,
                last_id: None,
                missing: Vec::new(),
                settled_until: None,
            })
        };
        let mut all: Vec<Watched> = Vec::new();
        for listing in &self.perpetuals {
            let symbol = &listing.instrument.symbol;
            let with_flow = self.with_flow.contains(symbol);
            let premium = with_flow.then(|| self.premium(listing)).flatten();
            all.push(Watched { premium, ..watched(Market::Um, symbol, with_flow)? });
        }
        for Pair { spot, is_carried, .. } in &self.pairs {
            all.push(watched(Market::Spot, &spot.instrument.symbol, *is_carried)?);
        }
        Ok(all)
    }

    /// Spot pair and Coinbase product of its coin, where the pair is of the coin itself.
    fn premium(&self, listing: &Listing) -> Option<(String, String)> {
        let (_, coin) = multiplier(&listing.base_asset);
        let of = |pair: &&Pair| {
            pair.perpetual == listing.instrument.symbol && pair.spot.base_asset == coin
        };
        let pair = self.pairs.iter().find(of)?;
        Some((pair.spot.instrument.symbol.clone(), format!("{coin}-USD")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategy(text: &str) -> StrategyText {
        StrategyText { file: "own.json".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn carry_trades_what_it_names_and_all_means_those_with_order_flow() {
        let symbols = ["BTCUSDT".to_owned(), "ETHUSDT".to_owned()];
        let of = |text: &str| Vec::from_iter(carried(&[strategy(text)], &symbols));
        let all = r#"{"kind": "funding_carry", "symbols": "all"}"#;
        assert_eq!(of(all), ["BTCUSDT", "ETHUSDT"]);
        let own = r#"{"kind": "funding_carry", "symbols": ["SOLUSDT"]}"#;
        assert_eq!(of(own), ["SOLUSDT"]);
        assert!(of(r#"{"kind": "layered_score", "symbols": "all"}"#).is_empty());
        assert!(of("{").is_empty());
    }
}
