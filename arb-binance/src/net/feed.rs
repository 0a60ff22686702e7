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

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Clock, MarketFeed};
use arb_core::time::SECOND;
use arb_core::{
    Event, EventKind, FeedState, Input, InputValue, InstrumentId, Market, Timestamp, Trade,
    VenueError,
};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::address::Addresses;
use super::line::{Line, LineConfig, LineEvent};
use super::poll::{PollConfig, Polled, Poller};
use super::rest::{FuturesRest, SpotRest, TradeRange};
use crate::contiguity::{BackfillRequest, TrackerConfig, TradeTracker};
use crate::premium::{Leg, Premium};
use crate::wire::{self, Message, Reader, SymbolTable, coinbase};

/// Frames of a line that wait before it does.
const WAITING: usize = 1_024;
/// How often missing trades are looked after.
const UPKEEP: Duration = Duration::from_millis(250);
/// Coinbase's USDT-USD, which is no instrument of the engine.
const TETHER: InstrumentId = InstrumentId(u16::MAX);

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

/// What the frames are turned into events with.
#[derive(Debug)]
struct State {
    futures: Reader,
    spot: Reader,
    coinbase: coinbase::Reader,
    /// By instrument.
    flows: Vec<Option<Flow>>,
    perpetuals: Vec<InstrumentId>,
    premiums: Vec<Premia>,
    sampled_at: Timestamp,
    market_connections: u32,
    counters: FeedCounters,
    kinds: Vec<EventKind>,
}

/// Trades of one instrument.
#[derive(Debug)]
struct Flow {
    symbol: String,
    market: Market,
    tracker: TradeTracker,
}

/// The premium of one perpetual, and by which ids its legs come.
#[derive(Debug)]
struct Premia {
    perpetual: InstrumentId,
    spot: InstrumentId,
    premium: Premium,
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

impl State {
    fn new(config: &FeedConfig) -> Self {
        let of = |market| config.watched.iter().filter(move |each| each.market == market);
        let table = |market| {
            SymbolTable::new(of(market).map(|each| (each.symbol.as_str(), each.instrument)))
        };
        let premiums = config.watched.iter().filter(|each| each.premium.is_some());
        let (spot, premiums) = spot_table(config, premiums);
        let products = config.watched.iter().filter_map(|each| {
            each.premium.as_ref().map(|(_, product)| (product.as_str(), each.instrument))
        });
        let products = SymbolTable::new(products.chain([("USDT-USD", TETHER)]));
        let count = config.watched.iter().map(|each| each.instrument.index() + 1).max();
        let mut flows: Vec<Option<Flow>> = Vec::new();
        flows.resize_with(count.unwrap_or_default(), || None);
        for each in config.watched.iter().filter(|each| each.order_flow) {
            let tracker = match each.last_id {
                Some(id) => TradeTracker::resume(each.instrument, config.tracker, id),
                None => TradeTracker::new(each.instrument, config.tracker),
            };
            let flow = Flow { symbol: each.symbol.clone(), market: each.market, tracker };
            if let Some(place) = flows.get_mut(each.instrument.index()) {
                *place = Some(flow);
            }
        }
        Self {
            futures: wire::futures::reader(table(Market::Um)),
            spot: wire::spot::reader(spot),
            coinbase: coinbase::Reader::new(products),
            flows,
            perpetuals: of(Market::Um).map(|each| each.instrument).collect(),
            premiums,
            sampled_at: Timestamp::EPOCH,
            market_connections: 0,
            counters: FeedCounters::default(),
            kinds: Vec::new(),
        }
    }

    fn flow(&self, instrument: InstrumentId) -> Option<&Flow> {
        self.flows.get(instrument.index())?.as_ref()
    }

    fn flows_of(&mut self, market: Market) -> impl Iterator<Item = &mut Flow> {
        self.flows.iter_mut().flatten().filter(move |flow| flow.market == market)
    }

    fn line_event(&mut self, source: Source, event: LineEvent, now: Timestamp) {
        match event {
            LineEvent::Frames { frames, .. } => {
                for frame in &frames {
                    self.frame(source, frame, now);
                }
            }
            LineEvent::Up { .. } => self.up(source, now),
            LineEvent::Down { was_up, reason, .. } => {
                *self.counters.lost_connections.entry(source.name()).or_default() += 1;
                self.counters.last_failure = Some(format!("{}: {reason}", source.name()));
                if was_up {
                    self.down(source, now);
                }
            }
        }
    }

    fn frame(&mut self, source: Source, frame: &[u8], now: Timestamp) {
        self.counters.frames += 1;
        let Self { futures, spot, coinbase, flows, premiums, kinds, counters, .. } = self;
        let mut take = |message: &Message<'_>| match message {
            Message::AggTrade(print) => {
                let trade = print.trade;
                if let Some(Some(flow)) = flows.get_mut(trade.instrument.index()) {
                    flow.tracker.trade(trade, now, kinds);
                }
            }
            Message::Dropped(_) => counters.dropped += 1,
            other => other.events(now, |kind| kinds.push(kind)),
        };
        match source {
            Source::Market | Source::Public => futures.read(frame, |message| take(&message)),
            Source::Spot => spot.read(frame, |message| {
                if let Message::Quote(ticker) = &message {
                    let quote = ticker.quote(now);
                    for each in premiums.iter_mut().filter(|p| p.spot == quote.instrument) {
                        let (bid, ask) = (quote.best_bid, quote.best_ask);
                        each.premium.update(Leg::BinanceCoin, quote.ts, bid, ask);
                    }
                    if is_reference(quote.instrument) {
                        return;
                    }
                }
                take(&message);
            }),
            Source::Coinbase => coinbase.read(frame, |message| {
                if let coinbase::Message::Ticker(ticker) = message {
                    for each in premiums.iter_mut() {
                        let leg = match ticker.instrument {
                            TETHER => Leg::CoinbaseTether,
                            id if id == each.perpetual => Leg::CoinbaseCoin,
                            _ => continue,
                        };
                        each.premium.update(leg, ticker.ts, ticker.best_bid, ticker.best_ask);
                    }
                }
            }),
        }
    }

    fn up(&mut self, source: Source, now: Timestamp) {
        match source {
            Source::Market => {
                self.flows_of(Market::Um).for_each(|flow| flow.tracker.connected());
                self.market_connections += 1;
                if self.market_connections == 1 {
                    self.liquidation_feed(FeedState::Up, now);
                }
            }
            Source::Spot => self.flows_of(Market::Spot).for_each(|flow| flow.tracker.connected()),
            Source::Public | Source::Coinbase => {}
        }
    }

    fn down(&mut self, source: Source, now: Timestamp) {
        let market = match source {
            Source::Market => Market::Um,
            Source::Spot => Market::Spot,
            Source::Public | Source::Coinbase => return,
        };
        let mut kinds = std::mem::take(&mut self.kinds);
        self.flows_of(market).for_each(|flow| flow.tracker.disconnected(now, &mut kinds));
        self.kinds = kinds;
        if source == Source::Market {
            self.market_connections = self.market_connections.saturating_sub(1);
            if self.market_connections == 0 {
                self.liquidation_feed(FeedState::Down, now);
            }
        }
    }

    fn liquidation_feed(&mut self, state: FeedState, now: Timestamp) {
        let value = InputValue::LiquidationFeed(state);
        let input = |instrument: &InstrumentId| {
            EventKind::Input(Input { instrument: *instrument, as_of: now, value })
        };
        self.kinds.extend(self.perpetuals.iter().map(input));
    }

    fn upkeep(&mut self, now: Timestamp) -> Vec<BackfillRequest> {
        let mut requests = Vec::new();
        for flow in self.flows.iter_mut().flatten() {
            flow.tracker.advance(now, &mut self.kinds);
            requests.extend(flow.tracker.request(now));
        }
        if now.floor_to(SECOND) > self.sampled_at {
            self.sampled_at = now.floor_to(SECOND);
            for each in &mut self.premiums {
                let Some(premium) = each.premium.sample(now) else { continue };
                let value = InputValue::CoinbasePremium(premium);
                let input = Input { instrument: each.perpetual, as_of: now, value };
                self.kinds.push(EventKind::Input(input));
            }
        }
        requests
    }

    fn answered(
        &mut self,
        instrument: InstrumentId,
        answer: Result<Vec<Trade>, VenueError>,
        now: Timestamp,
    ) {
        let Some(Some(flow)) = self.flows.get_mut(instrument.index()) else { return };
        match answer {
            Ok(trades) => flow.tracker.answer(&trades, now, &mut self.kinds),
            Err(error) => {
                flow.tracker.failed(now);
                self.failed("missing trades", &error);
            }
        }
    }

    fn polled(&mut self, polled: Polled) {
        match polled {
            Polled::Events(events) => self.kinds.extend(events),
            Polled::Failed { what, error } => self.failed(what, &error),
        }
    }

    fn failed(&mut self, what: &'static str, error: &VenueError) {
        *self.counters.failed_requests.entry(what).or_default() += 1;
        self.counters.last_failure = Some(format!("{what}: {error}"));
    }
}

/// Ids of spot symbols that only serve the premium, counted down from the highest but one.
const FIRST_REFERENCE: u16 = u16::MAX - 1_024;

const fn is_reference(instrument: InstrumentId) -> bool {
    instrument.0 >= FIRST_REFERENCE
}

/// The spot symbols by id: instruments by their own, others for the premium by a reference id.
fn spot_table<'a>(
    config: &'a FeedConfig,
    premiums: impl Iterator<Item = &'a Watched>,
) -> (SymbolTable, Vec<Premia>) {
    let spot = config.watched.iter().filter(|each| each.market == Market::Spot);
    let mut ids: BTreeMap<&str, InstrumentId> =
        spot.map(|each| (each.symbol.as_str(), each.instrument)).collect();
    let mut next = FIRST_REFERENCE;
    let mut all = Vec::new();
    for each in premiums {
        let Some((symbol, _)) = &each.premium else { continue };
        let spot = *ids.entry(symbol.as_str()).or_insert_with(|| {
            next += 1;
            InstrumentId(next)
        });
        all.push(Premia { perpetual: each.instrument, spot, premium: Premium::default() });
    }
    (SymbolTable::new(ids), all)
}

#[cfg(test)]
mod tests;
