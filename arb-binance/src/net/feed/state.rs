//! Frames, answers and polls turned into events.
//!
//! Invariant: a trade of an instrument with order flow goes through its tracker, whatever way it
//! came; marks, quotes and inputs go through as they are.

use std::collections::BTreeMap;

use arb_core::time::SECOND;
use arb_core::{
    EventKind, FeedState, Input, InputValue, InstrumentId, Market, Timestamp, Trade, VenueError,
};

use super::{FeedConfig, FeedCounters, Source, Watched};
use crate::contiguity::{BackfillRequest, TradeTracker};
use crate::net::line::LineEvent;
use crate::net::poll::Polled;
use crate::premium::{Leg, Premium};
use crate::wire::{self, Message, Reader, SymbolTable, coinbase};

/// Coinbase's USDT-USD, which is no instrument of the engine.
const TETHER: InstrumentId = InstrumentId(u16::MAX);

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
    sampled_at: Timestamp,
    market_connections: u32,
    pub(super) counters: FeedCounters,
    pub(super) kinds: Vec<EventKind>,
}

/// Trades of one instrument.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) symbol: String,
    pub(super) market: Market,
    tracker: TradeTracker,
}

/// The premium of one perpetual, and by which ids its legs come.
#[derive(Debug)]
struct Premia {
    perpetual: InstrumentId,
    spot: InstrumentId,
    premium: Premium,
}

impl State {
    pub(super) fn new(config: &FeedConfig) -> Self {
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

    pub(super) fn flow(&self, instrument: InstrumentId) -> Option<&Flow> {
        self.flows.get(instrument.index())?.as_ref()
    }

    fn flows_of(&mut self, market: Market) -> impl Iterator<Item = &mut Flow> {
        self.flows.iter_mut().flatten().filter(move |flow| flow.market == market)
    }

    pub(super) fn line_event(&mut self, source: Source, event: LineEvent, now: Timestamp) {
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

    pub(super) fn upkeep(&mut self, now: Timestamp) -> Vec<BackfillRequest> {
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

    pub(super) fn answered(
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

    pub(super) fn polled(&mut self, polled: Polled) {
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
