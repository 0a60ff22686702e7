//! Frames, answers and polls turned into events.
//!
//! Invariant: a trade of an instrument with order flow goes through its tracker, whatever way it
//! came; marks, quotes and inputs go through as they are. Nothing is allocated for a frame of
//! trades, quotes or marks.

mod ask;
mod setup;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::time::{MINUTE, SECOND};
use arb_core::{
    EventKind, FeedState, Input, InputValue, InstrumentId, Market, Timestamp, VenueError,
};

pub(super) use self::ask::{Answered, Ask};
use super::counters::{FeedCounters, LineCounters, count};
use super::health::FeedHealth;
use super::plan::{Liquidations, Source};
use super::quiet::Quiet;
use super::report::{IsRefused, Report};
use crate::contiguity::TradeTracker;
use crate::net::line::LineEvent;
use crate::net::poll::Polled;
use crate::premium::{Leg, Premium};
use crate::wire::{Dropped, MarkUpdate, Message, Reader, coinbase};

/// Coinbase's USDT-USD, which is no instrument of the engine.
const TETHER: InstrumentId = InstrumentId(u16::MAX);
/// Ids of spot symbols that only serve the premium, counted up to the highest but one.
const FIRST_REFERENCE: u16 = u16::MAX - 1_024;
/// Age from which a trade that no connection brought is overlooked, not on its way.
const ON_ITS_WAY: i64 = 2 * SECOND;
/// Time between two renewals of a line.
const BETWEEN_RENEWALS: i64 = 2 * MINUTE;

/// What the frames are turned into events with.
#[derive(Debug)]
pub(super) struct State {
    futures: Reader,
    spot: Reader,
    coinbase: coinbase::Reader,
    /// By instrument.
    flows: Vec<Option<Flow>>,
    perpetuals: Vec<InstrumentId>,
    premiums: Vec<Premia>,
    lines: Vec<LineState>,
    /// Whether a stream told the mark of an instrument.
    is_marked: Vec<bool>,
    sampled_at: Timestamp,
    health: FeedHealth,
    report: Report,
    counters: Arc<FeedCounters>,
    /// Lines to be renewed.
    pub(super) renewals: Vec<usize>,
    pub(super) kinds: Vec<EventKind>,
}

/// One line, by its place in the plan.
#[derive(Debug)]
struct LineState {
    source: Source,
    name: String,
    /// Whose trades it carries.
    trades: Vec<InstrumentId>,
    liquidations: Liquidations,
    /// Connections that deliver.
    up: u32,
    last_frame: Timestamp,
    renewed_at: Timestamp,
    counters: Arc<LineCounters>,
}

/// Trades of one instrument.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) symbol: String,
    pub(super) market: Market,
    line: usize,
    tracker: TradeTracker,
    quiet: Quiet,
}

/// The premium of one perpetual, and by which ids its legs come.
#[derive(Debug)]
struct Premia {
    perpetual: InstrumentId,
    spot: InstrumentId,
    premium: Premium,
}

impl State {
    pub(super) fn flow(&self, instrument: InstrumentId) -> Option<&Flow> {
        self.flows.get(instrument.index())?.as_ref()
    }

    pub(super) fn line_event(&mut self, line: usize, event: LineEvent, now: Timestamp) {
        match event {
            LineEvent::Frames { frames, .. } => {
                let Some(state) = self.lines.get_mut(line) else { return };
                state.last_frame = now;
                let frames_read = u64::try_from(frames.len()).unwrap_or_default();
                state.counters.frames.fetch_add(frames_read, Ordering::Relaxed);
                state.counters.last_frame_at.store(now.as_nanos(), Ordering::Relaxed);
                let source = state.source;
                for frame in frames.iter() {
                    self.frame(source, frame, now);
                }
            }
            LineEvent::Up { .. } => self.up(line, now),
            LineEvent::Down { was_up, reason, stay_away, .. } => {
                if let Some(state) = self.lines.get(line) {
                    count(&state.counters.lost);
                    let refused = if stay_away.is_some() { IsRefused::Yes } else { IsRefused::No };
                    self.report.lost(&state.name, &reason, refused, now);
                    self.counters.failure(format!("{}: {reason}", state.name));
                }
                if was_up {
                    self.down(line, now);
                }
            }
        }
    }

    fn frame(&mut self, source: Source, frame: &[u8], now: Timestamp) {
        match source {
            Source::Market | Source::Public => {
                let Self { futures, flows, kinds, counters, report, is_marked, .. } = self;
                futures.read(frame, |message| {
                    if let Message::Mark(mark) = &message
                        && let Some(marked) = is_marked.get_mut(mark.instrument.index())
                    {
                        *marked = true;
                    }
                    take(&message, now, (flows, &mut *kinds), (counters, &mut *report));
                });
            }
            Source::Spot => self.spot_frame(frame, now),
            Source::Coinbase => self.coinbase_frame(frame, now),
        }
    }

    fn spot_frame(&mut self, frame: &[u8], now: Timestamp) {
        let Self { spot, flows, premiums, kinds, counters, report, .. } = self;
        spot.read(frame, |message| {
            if let Message::Quote(ticker) = &message {
                let quote = ticker.quote(now);
                for each in premiums.iter_mut().filter(|p| p.spot == quote.instrument) {
                    let (bid, ask) = (quote.best_bid, quote.best_ask);
                    each.premium.update(Leg::BinanceCoin, quote.ts, bid, ask);
                }
                if quote.instrument.0 >= FIRST_REFERENCE {
                    return;
                }
            }
            take(&message, now, (flows, &mut *kinds), (counters, &mut *report));
        });
    }

    fn coinbase_frame(&mut self, frame: &[u8], now: Timestamp) {
        let Self { coinbase, premiums, health, counters, report, .. } = self;
        coinbase.read(frame, |message| {
            let ticker = match message {
                coinbase::Message::Ticker(ticker) => ticker,
                coinbase::Message::Dropped(dropped) => {
                    return unusable(&dropped, now, counters, report);
                }
                coinbase::Message::Error { message } => return report.unlisted(&message, now),
                _ => return,
            };
            if ticker.instrument == TETHER {
                health.tether(ticker.best_bid, ticker.best_ask);
            }
            for each in premiums.iter_mut() {
                let leg = match ticker.instrument {
                    TETHER => Leg::CoinbaseTether,
                    id if id == each.perpetual => Leg::CoinbaseCoin,
                    _ => continue,
                };
                each.premium.update(leg, ticker.ts, ticker.best_bid, ticker.best_ask);
            }
        });
    }

    fn up(&mut self, line: usize, now: Timestamp) {
        let Some(state) = self.lines.get_mut(line) else { return };
        state.up += 1;
        count(&state.counters.connections);
        for instrument in &state.trades {
            if let Some(Some(flow)) = self.flows.get_mut(instrument.index()) {
                flow.tracker.connected();
                flow.quiet.began(now);
            }
        }
        if state.up == 1 && state.liquidations == Liquidations::Told {
            self.liquidation_feed(FeedState::Up, now);
        }
    }

    fn down(&mut self, line: usize, now: Timestamp) {
        let Some(state) = self.lines.get_mut(line) else { return };
        state.up = state.up.saturating_sub(1);
        for instrument in &state.trades {
            if let Some(Some(flow)) = self.flows.get_mut(instrument.index()) {
                flow.tracker.disconnected(now, &mut self.kinds);
            }
        }
        if state.up == 0 && state.liquidations == Liquidations::Told {
            self.liquidation_feed(FeedState::Down, now);
        }
    }

    fn liquidation_feed(&mut self, state: FeedState, now: Timestamp) {
        let value = InputValue::LiquidationFeed(state);
        let input = |instrument: &InstrumentId| {
            EventKind::Input(Input { instrument: *instrument, as_of: now, value })
        };
        self.kinds.extend(self.perpetuals.iter().map(input));
    }

    /// What is to be asked for now.
    pub(super) fn upkeep(&mut self, now: Timestamp) -> Vec<Ask> {
        let Self { flows, lines, kinds, .. } = self;
        let mut asks = Vec::new();
        for (index, flow) in (0..).zip(flows).filter_map(|(i, flow)| Some((i, flow.as_mut()?))) {
            flow.tracker.advance(now, kinds);
            asks.extend(flow.tracker.request(now).map(Ask::Missing));
            let delivers = lines.get(flow.line).is_some_and(|line| line.up > 0);
            if delivers && flow.quiet.is_due(now) {
                asks.push(Ask::silence(InstrumentId(index), flow, now));
            }
        }
        // A clock that was set back begins a new second too.
        if now.floor_to(SECOND) != self.sampled_at {
            self.sampled_at = now.floor_to(SECOND);
            self.each_second(now);
        }
        asks
    }

    fn each_second(&mut self, now: Timestamp) {
        for each in &mut self.premiums {
            let Some(premium) = each.premium.sample(now) else { continue };
            let value = InputValue::CoinbasePremium(premium);
            let input = Input { instrument: each.perpetual, as_of: now, value };
            self.kinds.push(EventKind::Input(input));
        }
        let market = self.lines.iter().filter(|line| line.source == Source::Market);
        let oldest = market.map(|line| line.last_frame).min();
        self.health.tell(oldest, now, &mut self.kinds);
    }

    pub(super) fn answered(&mut self, answered: Answered, now: Timestamp) {
        let Answered { ask, trades } = answered;
        let Some(Some(flow)) = self.flows.get_mut(ask.instrument().index()) else { return };
        match (ask, trades) {
            (Ask::Missing(_), Ok(trades)) => flow.tracker.answer(&trades, now, &mut self.kinds),
            (Ask::Missing(_), Err(error)) => {
                flow.tracker.failed(now);
                self.failed("missing trades", &error, now);
            }
            (Ask::Silence { .. }, Ok(mut trades)) => {
                trades.retain(|trade| now.since(trade.ts) >= ON_ITS_WAY);
                let overlooked = flow.tracker.overlooked(&trades, now, &mut self.kinds);
                flow.quiet.answered(now);
                if overlooked > 0 {
                    self.report.overlooked(&flow.symbol, overlooked, now);
                    let found = u64::try_from(overlooked).unwrap_or_default();
                    self.counters.overlooked.fetch_add(found, Ordering::Relaxed);
                    let line = flow.line;
                    self.renew(line, now);
                }
            }
            (Ask::Silence { .. }, Err(error)) => {
                flow.quiet.answered(now);
                self.failed("trades of a silent stream", &error, now);
            }
        }
    }

    fn renew(&mut self, line: usize, now: Timestamp) {
        let Some(state) = self.lines.get_mut(line) else { return };
        if !(0..BETWEEN_RENEWALS).contains(&now.since(state.renewed_at)) {
            state.renewed_at = now;
            self.renewals.push(line);
        }
    }

    pub(super) fn polled(&mut self, polled: Polled, now: Timestamp) {
        match polled {
            Polled::Events(events) => self.kinds.extend(events),
            Polled::Marks(marks) => self.seed(&marks, now),
            Polled::Failed { what, error } => self.failed(what, &error, now),
        }
    }

    /// Marks that were asked for; a stream's own are newer.
    fn seed(&mut self, marks: &[MarkUpdate], now: Timestamp) {
        let is_marked =
            |mark: &&MarkUpdate| self.is_marked.get(mark.instrument.index()) == Some(&true);
        for mark in marks.iter().filter(|mark| !is_marked(mark)) {
            Message::Mark(*mark).events(now, |kind| self.kinds.push(kind));
        }
    }

    fn failed(&mut self, what: &'static str, error: &VenueError, now: Timestamp) {
        let reason = error.to_string();
        self.report.failed(what, &reason, now);
        self.counters.failed(what, format!("{what}: {reason}"));
    }
}

/// Turns what a stream of Binance says into events.
#[inline]
fn take(
    message: &Message<'_>,
    now: Timestamp,
    (flows, kinds): (&mut [Option<Flow>], &mut Vec<EventKind>),
    (counters, report): (&FeedCounters, &mut Report),
) {
    match message {
        Message::AggTrade(print) => {
            let trade = print.trade;
            if let Some(Some(flow)) = flows.get_mut(trade.instrument.index()) {
                flow.quiet.traded(now);
                flow.tracker.trade(trade, now, kinds);
            }
        }
        Message::Dropped(dropped) => unusable(dropped, now, counters, report),
        other => other.events(now, |kind| kinds.push(kind)),
    }
}

#[cold]
fn unusable(dropped: &Dropped, now: Timestamp, counters: &FeedCounters, report: &mut Report) {
    let counter = match dropped.record {
        "frame" => &counters.undecodable,
        _ => &counters.dropped,
    };
    count(counter);
    report.unusable(&dropped.to_string(), now);
}
