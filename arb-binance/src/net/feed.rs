//! All market data of the venue as the engine's events.
//!
//! | looking for | where |
//! |---|---|
//! | which connections, and what they subscribe | `plan` |
//! | what frames, answers and polls become | `state` |
//! | whether an instrument is quiet, or its stream is | `quiet` |
//! | silence and peg as the engine is told | `health` |
//! | what is counted and logged | `counters`, `report` |
//!
//! Invariant: every trade id of an instrument with order flow is told once, or told missing
//! ([`TradeTracker`](crate::TradeTracker)); nothing is dropped because the engine is slow: the
//! lines wait, and the venue cuts a connection that waits too long, which is a gap like any other.

mod counters;
mod health;
mod plan;
mod quiet;
mod report;
mod state;

use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Clock, MarketFeed};
use arb_core::{Event, InstrumentId, Market, Timestamp, VenueError};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

pub use self::counters::{FeedCounters, FeedFigures, LineFigures};
use self::state::{Answered, Ask, State};
use super::address::Addresses;
use super::depth::{Depth, Shelf};
use super::dialer::Dialer;
use super::line::{Line, LineEvent};
use super::poll::{Polled, Poller};
use super::rest::{FuturesRest, SpotRest};
use crate::contiguity::TrackerConfig;

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
    /// Whether its trades are wanted, and of a perpetual its quotes. Perpetuals have marks and
    /// funding anyway, spot instruments quotes.
    pub order_flow: bool,
    /// Spot symbol and Coinbase product of its coin, such as `BTCUSDT` and `BTC-USD`.
    pub premium: Option<(String, String)>,
    /// The last trade that is stored, to go on behind it.
    pub last_id: Option<u64>,
    /// First and last ids of holes before it, to be filled.
    pub missing: Vec<(u64, u64)>,
    /// The last settlement that is known, to go on behind it; perpetuals only.
    pub settled_until: Option<Timestamp>,
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
    /// How far back settlements are read of a perpetual of which none is known.
    pub funding_history: Duration,
    /// What is met is counted here.
    pub counters: Arc<FeedCounters>,
    /// Lets connections be begun; one for everything behind an address.
    pub dialer: Arc<Dialer>,
    /// Where order books of instruments with order flow are shown, if they are wanted: quotes come
    /// without them.
    pub books: Option<Arc<Shelf>>,
}

/// What comes from outside.
#[derive(Debug)]
struct Incoming {
    /// In the order of the plan.
    lines: Vec<(mpsc::Receiver<LineEvent>, Line)>,
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
    _depth: Option<Depth>,
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
        let polls = plan::polls(config);
        let poller = Poller::start(futures_rest.clone(), Arc::clone(&clock), polls, to_polled);
        let plans = plan::lines(config);
        let state = State::new(config, &plans, clock.now());
        let lines = plans.into_iter().map(|plan| {
            let (out, events) = mpsc::channel(WAITING);
            (events, Line::start(plan.config, Arc::clone(&config.dialer), out))
        });
        let incoming = Incoming { lines: lines.collect(), answers, polled, _poller: poller };
        let mut upkeep = interval(UPKEEP);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let _depth = config.books.as_ref().map(|shelf| {
            let address = &config.addresses.futures_ws;
            let scored = plan::polls(config).scored;
            Depth::start(address, &scored, &futures_rest, &config.dialer, shelf)
        });
        Self { clock, futures_rest, spot_rest, incoming, to_answers, state, upkeep, _depth }
    }

    /// Looks after missing trades and silent streams, and asks for what is due.
    fn look_after(&mut self) {
        for ask in self.state.upkeep(self.clock.now()) {
            self.ask(ask);
        }
    }

    fn ask(&self, ask: Ask) {
        let Some(flow) = self.state.flow(ask.instrument()) else { return };
        let (symbol, market, out) = (flow.symbol.clone(), flow.market, self.to_answers.clone());
        let (futures, spot) = (self.futures_rest.clone(), self.spot_rest.clone());
        let instrument = ask.instrument();
        let (range, limit) = ask.range();
        tokio::spawn(async move {
            let page = match market {
                Market::Um => futures.agg_trades(&symbol, instrument, range, limit).await,
                Market::Spot | Market::Cb => {
                    spot.agg_trades(&symbol, instrument, range, limit).await
                }
            };
            let answered = Answered { ask, trades: page.map(|page| page.rows) };
            // The feed may be gone, and nothing is missing then.
            let _ = out.send(answered).await;
        });
    }

    /// Renews the lines of which a stream went silent.
    fn renew(&mut self) {
        for line in self.state.renewals.drain(..) {
            if let Some((_, line)) = self.incoming.lines.get(line) {
                line.renew();
            }
        }
    }
}

#[async_trait]
impl MarketFeed for Feed {
    async fn next(&mut self, out: &mut Vec<Event>) -> Result<bool, VenueError> {
        while self.state.kinds.is_empty() {
            let Incoming { lines, answers, polled, .. } = &mut self.incoming;
            tokio::select! {
                (line, event) = any_line(lines) => {
                    self.state.line_event(line, event, self.clock.now());
                }
                Some(answered) = answers.recv() => {
                    self.state.answered(answered, self.clock.now());
                    self.renew();
                }
                Some(polled) = polled.recv() => self.state.polled(polled, self.clock.now()),
                _ = self.upkeep.tick() => self.look_after(),
            }
        }
        let at = self.clock.now();
        out.extend(self.state.kinds.drain(..).map(|kind| Event { at, kind }));
        Ok(true)
    }
}

/// The next event of any line, those of trades first.
async fn any_line(lines: &mut [(mpsc::Receiver<LineEvent>, Line)]) -> (usize, LineEvent) {
    std::future::poll_fn(|cx| {
        for (number, (events, _)) in lines.iter_mut().enumerate() {
            if let std::task::Poll::Ready(Some(event)) = events.poll_recv(cx) {
                return std::task::Poll::Ready((number, event));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
