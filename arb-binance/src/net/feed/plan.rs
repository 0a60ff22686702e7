//! Which connections a feed needs, and what each of them subscribes.
//!
//! | line | path | streams |
//! |---|---|---|
//! | market | `/market` | trades of instruments with order flow, marks of all, liquidations of all |
//! | public | `/public` | quotes of instruments with order flow |
//! | spot | `/stream` | quotes of spot instruments and for the premium, trades where wanted |
//! | coinbase | | tickers of the coins, and of USDT |
//!
//! Invariant: every stream is on exactly one line, no line has more streams than the venue allows a
//! connection, and every perpetuals' line has a stream that is always busy, so that its silence
//! means something.

use std::collections::BTreeSet;
use std::time::Duration;

use arb_core::{InstrumentId, Market};

use super::{FeedConfig, Watched};
use crate::net::line::LineConfig;
use crate::net::poll::PollConfig;

/// Streams of a connection, futures and spot.
const MOST_STREAMS: usize = 1_024;
/// Quotes of a few coins may pause for longer than trades of many.
const QUOTES_SILENCE: Duration = Duration::from_secs(60);
const COINBASE_SILENCE: Duration = Duration::from_secs(30);

/// Where a line's frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Market,
    Public,
    Spot,
    Coinbase,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Public => "public",
            Self::Spot => "spot",
            Self::Coinbase => "coinbase",
        }
    }
}

/// One line of a feed.
#[derive(Clone, Debug)]
pub(super) struct LinePlan {
    pub(super) source: Source,
    pub(super) config: LineConfig,
    /// The instruments whose trades it carries.
    pub(super) trades: Vec<InstrumentId>,
    pub(super) liquidations: Liquidations,
}

/// Whether a line carries the liquidations of all perpetuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liquidations {
    Told,
    Elsewhere,
}

/// A stream, and whose trades it brings if it brings any.
type Stream = (String, Option<InstrumentId>);

fn stream(symbol: &str, name: &str) -> String {
    format!("{}@{name}", symbol.to_lowercase())
}

fn of(config: &FeedConfig, market: Market) -> impl Iterator<Item = &Watched> {
    config.watched.iter().filter(move |each| each.market == market)
}

/// The lines a configuration needs.
pub(super) fn lines(config: &FeedConfig) -> Vec<LinePlan> {
    let addresses = &config.addresses;
    let mut lines = market_lines(config, &format!("{}/market/stream", addresses.futures_ws));
    let with_flow = of(config, Market::Um).filter(|each| each.order_flow);
    let quotes = with_flow.map(|each| (stream(&each.symbol, "bookTicker"), None)).collect();
    let public = format!("{}/public/stream", addresses.futures_ws);
    lines.extend(quiet_lines(Source::Public, &public, quotes));
    let spot = format!("{}/stream", addresses.spot_ws);
    lines.extend(quiet_lines(Source::Spot, &spot, spot_streams(config)));
    lines.extend(coinbase_line(config));
    lines
}

fn market_lines(config: &FeedConfig, address: &str) -> Vec<LinePlan> {
    let mut streams: Vec<Stream> = Vec::new();
    if of(config, Market::Um).next().is_some() {
        streams.extend(["!markPrice@arr@1s", "!forceOrder@arr"].map(|all| (all.to_owned(), None)));
    }
    let with_flow = of(config, Market::Um).filter(|each| each.order_flow);
    streams.extend(with_flow.map(|each| (stream(&each.symbol, "aggTrade"), Some(each.instrument))));
    // One place is left for the busy stream of the lines behind the first.
    let mut plans = cut(Source::Market, address, &streams, MOST_STREAMS - 1);
    for plan in plans.iter_mut().skip(1) {
        let first = plan
            .trades
            .first()
            .and_then(|id| config.watched.iter().find(|each| each.instrument == *id));
        if let Some(first) = first {
            plan.config.add(&[stream(&first.symbol, "markPrice@1s")]);
        }
    }
    if let Some(first) = plans.first_mut() {
        first.liquidations = Liquidations::Told;
    }
    plans
}

fn spot_streams(config: &FeedConfig) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for each in of(config, Market::Spot) {
        streams.push((stream(&each.symbol, "bookTicker"), None));
        if each.order_flow {
            streams.push((stream(&each.symbol, "aggTrade"), Some(each.instrument)));
        }
    }
    let premiums = config.watched.iter().filter_map(|each| each.premium.as_ref());
    streams.extend(premiums.map(|(spot, _)| (stream(spot, "bookTicker"), None)));
    streams.sort_unstable();
    streams.dedup();
    streams
}

/// Lines of streams that may pause, so their silence is given longer.
fn quiet_lines(source: Source, address: &str, streams: Vec<Stream>) -> Vec<LinePlan> {
    let mut plans = cut(source, address, &streams, MOST_STREAMS);
    for plan in &mut plans {
        plan.config.silence = QUOTES_SILENCE;
    }
    plans
}

/// As few lines as hold the streams.
fn cut(source: Source, address: &str, streams: &[Stream], most: usize) -> Vec<LinePlan> {
    let plan = |(number, part): (usize, &[Stream])| {
        let name = match number {
            0 => source.name().to_owned(),
            _ => format!("{} {}", source.name(), number + 1),
        };
        let names: Vec<String> = part.iter().map(|(name, _)| name.clone()).collect();
        LinePlan {
            source,
            config: LineConfig::streams(name, address.to_owned(), &names),
            trades: part.iter().filter_map(|(_, instrument)| *instrument).collect(),
            liquidations: Liquidations::Elsewhere,
        }
    };
    streams.chunks(most).enumerate().map(plan).collect()
}

/// USDT in USD is wanted for the peg, also where no coin has a premium. Each product is asked for
/// by itself: a coin that is not listed there must not cost the others their ticker.
fn coinbase_line(config: &FeedConfig) -> Option<LinePlan> {
    let address = config.addresses.coinbase_ws.clone()?;
    let premiums = config.watched.iter().filter_map(|each| each.premium.as_ref());
    let coins: BTreeSet<&str> = premiums.map(|(_, product)| product.as_str()).collect();
    let subscribe = |product| {
        let message = serde_json::json!({
            "type": "subscribe", "product_ids": [product], "channels": ["ticker"],
        });
        message.to_string()
    };
    let source = Source::Coinbase;
    let mut config = LineConfig::streams(source.name(), address, &[]);
    config.messages = ["USDT-USD"].into_iter().chain(coins).map(subscribe).collect();
    config.silence = COINBASE_SILENCE;
    Some(LinePlan { source, config, trades: Vec::new(), liquidations: Liquidations::Elsewhere })
}

/// What is asked for by requests.
pub(super) fn polls(config: &FeedConfig) -> PollConfig {
    let (scored, others): (Vec<&Watched>, Vec<&Watched>) =
        of(config, Market::Um).partition(|each| each.order_flow);
    let named = |each: &Watched| (each.instrument, each.symbol.clone());
    let settled =
        of(config, Market::Um).filter_map(|each| Some((each.instrument, each.settled_until?)));
    PollConfig {
        scored: scored.into_iter().map(named).collect(),
        others: others.into_iter().map(named).collect(),
        settled: settled.collect(),
        funding_history: config.funding_history,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, watched};
    use super::*;

    /// The streams that a line subscribes, and how many its largest message names.
    fn subscribed(plan: &LinePlan) -> (Vec<String>, usize) {
        let names = |message: &String| {
            let message: serde_json::Value = serde_json::from_str(message).unwrap();
            let names = message["params"].as_array().unwrap().clone();
            names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        let messages: Vec<Vec<String>> = plan.config.messages.iter().map(names).collect();
        let longest = messages.iter().map(Vec::len).max().unwrap();
        (messages.concat(), longest)
    }

    #[test]
    fn streams_are_asked_for_where_they_are_routed() {
        let lines = lines(&config());
        let all: Vec<(Source, &str, String)> = lines
            .iter()
            .map(|line| (line.source, line.config.address.as_str(), line.config.messages.concat()))
            .collect();
        let [market, public, spot, coinbase] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (market.0, market.1),
            (Source::Market, "wss://fstream.binance.com/market/stream")
        );
        for name in ["btcusdt@aggTrade", "!markPrice@arr@1s", "!forceOrder@arr"] {
            assert!(market.2.contains(name), "{}", market.2);
        }
        assert!(!market.2.contains("ethusdt"), "no order flow of instruments that are not scored");
        assert_eq!(public.1, "wss://fstream.binance.com/public/stream");
        assert!(public.2.contains("btcusdt@bookTicker"));
        assert_eq!(spot.1, "wss://data-stream.binance.vision/stream");
        assert!(spot.2.contains("btcusdt@bookTicker") && !spot.2.contains("aggTrade"));
        assert!(coinbase.2.contains("BTC-USD") && coinbase.2.contains("USDT-USD"));
    }

    #[test]
    fn spot_instruments_have_quotes_and_trades_only_where_wanted() {
        let mut config = config();
        for (id, symbol, order_flow) in [(2, "BTCUSDT", true), (3, "ETHUSDT", false)] {
            let spot = watched(InstrumentId(id), symbol, order_flow);
            config.watched.push(Watched { market: Market::Spot, ..spot });
        }
        let lines = lines(&config);
        let spot = lines.iter().find(|line| line.source == Source::Spot).unwrap();
        let (mut names, _) = subscribed(spot);
        names.sort_unstable();
        assert_eq!(names, ["btcusdt@aggTrade", "btcusdt@bookTicker", "ethusdt@bookTicker"]);
        assert_eq!(spot.trades, [InstrumentId(2)]);
    }

    #[test]
    fn the_peg_is_listened_to_without_any_premium() {
        let mut config = config();
        let messages = |config: &FeedConfig| {
            let lines = lines(config);
            let coinbase = lines.iter().find(|line| line.source == Source::Coinbase).unwrap();
            coinbase.config.messages.clone()
        };
        assert_eq!(messages(&config).len(), 2, "each product by itself");
        config.watched[0].premium = None;
        let alone = messages(&config);
        assert!(alone.len() == 1 && alone[0].contains("[\"USDT-USD\"]"), "{alone:?}");
    }

    #[test]
    fn three_thousand_symbols_stay_within_every_documented_limit() {
        let mut config = config();
        config.watched =
            (0..3_000).map(|id| watched(InstrumentId(id), &format!("C{id}USDT"), true)).collect();
        let lines = lines(&config);
        let mut seen = BTreeSet::new();
        let mut trades = BTreeSet::new();
        for plan in lines.iter().filter(|plan| plan.source != Source::Coinbase) {
            let (names, longest) = subscribed(plan);
            assert!(names.len() <= 1_024, "{}: {}", plan.config.name, names.len());
            assert!(longest <= 100, "a message stays short");
            for name in names.into_iter().filter(|name| !name.ends_with("@markPrice@1s")) {
                assert!(seen.insert(name.clone()), "{name} is asked for twice");
            }
            for instrument in &plan.trades {
                assert!(trades.insert(*instrument), "trades come by one line");
            }
        }
        assert_eq!((seen.len(), trades.len()), (6_002, 3_000));
        let market = |plan: &&LinePlan| plan.source == Source::Market;
        let told = lines.iter().filter(|plan| plan.liquidations == Liquidations::Told);
        assert_eq!((lines.iter().filter(market).count(), told.count()), (3, 1));
        for plan in lines.iter().filter(market).skip(1) {
            let (names, _) = subscribed(plan);
            assert!(names.iter().any(|name| name.ends_with("@markPrice@1s")), "always busy");
        }
        let names: BTreeSet<&str> = lines.iter().map(|plan| plan.config.name.as_str()).collect();
        assert_eq!(names.len(), lines.len(), "{names:?}");
    }
}
