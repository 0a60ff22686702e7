//! All market data of the venue as the engine's events.
//!
//! | line | path | streams |
//! |---|---|---|
//! | market | `/market` | trades of instruments with order flow, marks of all, liquidations of all |
//! | public | `/public` | quotes of instruments with order flow |
//! | spot | `/stream` | trades and quotes of spot instruments, quotes for the premium |
//! | Coinbase | | tickers of the coins, and of USDT |
//!
//! Invariant: every trade id of an instrument with order flow is told once, or told missing
//! ([`TradeTracker`]); nothing is dropped because the engine is slow: the lines wait, and the venue
//! cuts a connection that waits too long, which is a gap like any other.

mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Clock, MarketFeed};
use arb_core::{Event, InstrumentId, Market, Trade, VenueError};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::state::State;
use super::address::Addresses;
use super::line::{Line, LineConfig, LineEvent};
use super::poll::{PollConfig, Polled, Poller};
use super::rest::{FuturesRest, SpotRest, TradeRange};
use crate::contiguity::{BackfillRequest, TrackerConfig};

/// Frames of a line that wait before it does.
const WAITING: usize = 1_024;
/// How often missing trades are looked after.
const UPKEEP: Duration = Duration::from_millis(250);
/// One instrument of the feed.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its index.
    pub instrument: InstrumentId,
    /// The venue's symbol.
    pub symbol: String,
    /// Futures or spot.
    pub market: Market,
    /// Whether its trades and quotes are wanted; perpetuals have marks and funding anyway.
    pub order_flow: bool,
    /// Spot symbol and Coinbase product of its coin, such as `BTCUSDT` and `BTC-USD`.
    pub premium: Option<(String, String)>,
    /// The last trade that is stored, to go on behind it.
    pub last_id: Option<u64>,
}

/// What a feed is told.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Where the venue is.
    pub addresses: Addresses,
    /// The instruments.
    pub watched: Vec<Watched>,
    /// How missing trades are waited and asked for.
    pub tracker: TrackerConfig,
    /// How far back settlements are read at the start.
    pub funding_history: Duration,
}

/// What a feed met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedCounters {
    /// Frames read.
    pub frames: u64,
    /// Connections that ended, by line.
    pub lost_connections: BTreeMap<&'static str, u64>,
    /// Requests that failed for good, by what was asked for.
    pub failed_requests: BTreeMap<&'static str, u64>,
    /// The last failure, for people.
    pub last_failure: Option<String>,
    /// Records that could not be used.
    pub dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
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

/// The trades a request for missing ones brought.
type Answered = (InstrumentId, Result<Vec<Trade>, VenueError>);

/// What comes from outside.
#[derive(Debug)]
struct Incoming {
    lines: Vec<(Source, mpsc::Receiver<LineEvent>, Line)>,
    answers: mpsc::Receiver<Answered>,
    polled: mpsc::Receiver<Polled>,
    _poller: Poller,
}

/// The venue's market data.
#[derive(Debug)]
pub struct Feed {
    clock: Arc<dyn Clock>,
    futures_rest: FuturesRest,
    spot_rest: SpotRest,
    incoming: Incoming,
    to_answers: mpsc::Sender<Answered>,
    state: State,
    upkeep: tokio::time::Interval,
}

impl Feed {
    /// Starts all lines and polls on the present tokio runtime.
    #[must_use]
    pub fn start(
        config: &FeedConfig,
        futures_rest: FuturesRest,
        spot_rest: SpotRest,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (to_answers, answers) = mpsc::channel(64);
        let (to_polled, polled) = mpsc::channel(64);
        let poll = poll_config(config);
        let poller = Poller::start(futures_rest.clone(), Arc::clone(&clock), poll, to_polled);
        let lines = lines(config).into_iter().map(|(source, line)| {
            let (out, events) = mpsc::channel(WAITING);
            (source, events, Line::start(line, out))
        });
        let incoming = Incoming { lines: lines.collect(), answers, polled, _poller: poller };
        let mut upkeep = interval(UPKEEP);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = State::new(config);
        Self { clock, futures_rest, spot_rest, incoming, to_answers, state, upkeep }
    }

    /// What was met so far.
    #[must_use]
    pub const fn counters(&self) -> &FeedCounters {
        &self.state.counters
    }

    /// Looks after missing trades, and asks for those that are due.
    fn look_after(&mut self) {
        let now = self.clock.now();
        for request in self.state.upkeep(now) {
            self.ask(&request);
        }
    }

    fn ask(&self, request: &BackfillRequest) {
        let BackfillRequest { instrument, from_id, limit } = *request;
        let Some(flow) = self.state.flow(instrument) else { return };
        let (symbol, market, out) = (flow.symbol.clone(), flow.market, self.to_answers.clone());
        let (futures, spot) = (self.futures_rest.clone(), self.spot_rest.clone());
        let range = TradeRange::From(from_id);
        tokio::spawn(async move {
            let page = match market {
                Market::Um => futures.agg_trades(&symbol, instrument, range, limit).await,
                Market::Spot | Market::Cb => {
                    spot.agg_trades(&symbol, instrument, range, limit).await
                }
            };
            // The feed may be gone, and nothing is missing then.
            let _ = out.send((instrument, page.map(|page| page.rows))).await;
        });
    }
}

#[async_trait]
impl MarketFeed for Feed {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        while self.state.kinds.is_empty() {
            let Incoming { lines, answers, polled, .. } = &mut self.incoming;
            tokio::select! {
                (source, event) = any_line(lines) => {
                    self.state.line_event(source, event, self.clock.now());
                }
                Some((instrument, answer)) = answers.recv() => {
                    self.state.answered(instrument, answer, self.clock.now());
                }
                Some(polled) = polled.recv() => self.state.polled(polled),
                _ = self.upkeep.tick() => self.look_after(),
            }
        }
        let at = self.clock.now();
        out.extend(self.state.kinds.drain(..).map(|kind| Event { at, kind }));
        Ok(true)
    }
}

/// The next event of any line, the trades' first.
async fn any_line(lines: &mut [(Source, mpsc::Receiver<LineEvent>, Line)]) -> (Source, LineEvent) {
    std::future::poll_fn(|cx| {
        for (source, events, _) in &mut *lines {
            if let std::task::Poll::Ready(Some(event)) = events.poll_recv(cx) {
                return std::task::Poll::Ready((*source, event));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn poll_config(config: &FeedConfig) -> PollConfig {
    let perpetuals = config.watched.iter().filter(|each| each.market == Market::Um);
    let (scored, others): (Vec<&Watched>, Vec<&Watched>) =
        perpetuals.partition(|each| each.order_flow);
    let named = |each: &Watched| (each.instrument, each.symbol.clone());
    PollConfig {
        scored: scored.into_iter().map(named).collect(),
        others: others.into_iter().map(named).collect(),
        funding_history: config.funding_history,
    }
}

/// The lines a configuration needs.
fn lines(config: &FeedConfig) -> Vec<(Source, LineConfig)> {
    let addresses = &config.addresses;
    let of = |market| config.watched.iter().filter(move |each| each.market == market);
    let flow = |market| of(market).filter(|each| each.order_flow);
    let stream = |symbol: &str, name: &str| format!("{}@{name}", symbol.to_lowercase());
    let mut lines = Vec::new();
    let mut add = |source: Source, address: String, streams: Vec<String>| {
        if !streams.is_empty() {
            lines.push((source, LineConfig::streams(source.name(), address, &streams)));
        }
    };
    let mut market: Vec<String> =
        flow(Market::Um).map(|each| stream(&each.symbol, "aggTrade")).collect();
    if of(Market::Um).next().is_some() {
        market.extend(["!markPrice@arr@1s".to_owned(), "!forceOrder@arr".to_owned()]);
    }
    add(Source::Market, format!("{}/market/stream", addresses.futures_ws), market);
    let public = flow(Market::Um).map(|each| stream(&each.symbol, "bookTicker")).collect();
    add(Source::Public, format!("{}/public/stream", addresses.futures_ws), public);
    let premium = |each: &Watched| each.premium.as_ref().map(|(spot, _)| spot.clone());
    let mut spot: Vec<String> = flow(Market::Spot)
        .flat_map(|each| ["aggTrade", "bookTicker"].map(|name| stream(&each.symbol, name)))
        .chain(config.watched.iter().filter_map(premium).map(|spot| stream(&spot, "bookTicker")))
        .collect();
    spot.sort_unstable();
    spot.dedup();
    add(Source::Spot, format!("{}/stream", addresses.spot_ws), spot);
    if let Some(coinbase) = coinbase_line(config) {
        lines.push((Source::Coinbase, coinbase));
    }
    lines
}

fn coinbase_line(config: &FeedConfig) -> Option<LineConfig> {
    let address = config.addresses.coinbase_ws.clone()?;
    let premiums = config.watched.iter().filter_map(|each| each.premium.as_ref());
    let mut products: Vec<&str> = premiums.map(|(_, product)| product.as_str()).collect();
    if products.is_empty() {
        return None;
    }
    products.push("USDT-USD");
    products.sort_unstable();
    products.dedup();
    let subscribe = serde_json::json!({
        "type": "subscribe", "product_ids": products, "channels": ["ticker"],
    });
    let name = Source::Coinbase.name();
    let mut line = LineConfig::streams(name, address, &[]);
    line.messages = vec![subscribe.to_string()];
    line.silence = Duration::from_secs(30);
    Some(line)
}

#[cfg(test)]
mod tests;
