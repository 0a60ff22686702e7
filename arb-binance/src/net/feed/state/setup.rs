//! A feed's state before its first frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use arb_core::{InstrumentId, Market, Timestamp};

use super::{FIRST_REFERENCE, Flow, LineState, Premia, State, TETHER};
use crate::contiguity::TradeTracker;
use crate::net::feed::health::FeedHealth;
use crate::net::feed::plan::LinePlan;
use crate::net::feed::quiet::Quiet;
use crate::net::feed::report::Report;
use crate::net::feed::{FeedConfig, Watched};
use crate::premium::Premium;
use crate::wire::{self, SymbolTable, coinbase};

impl State {
    pub(in crate::net::feed) fn new(
        config: &FeedConfig,
        plans: &[LinePlan],
        now: Timestamp,
    ) -> Self {
        let of = |market| config.watched.iter().filter(move |each| each.market == market);
        let futures = of(Market::Um).map(|each| (each.symbol.as_str(), each.instrument));
        let (spot, premiums) = spot_table(config);
        let products = config.watched.iter().filter_map(|each| {
            each.premium.as_ref().map(|(_, product)| (product.as_str(), each.instrument))
        });
        let products = SymbolTable::new(products.chain([("USDT-USD", TETHER)]));
        let count = config.watched.iter().map(|each| each.instrument.index() + 1).max();
        Self {
            futures: wire::futures::reader(SymbolTable::new(futures)),
            spot: wire::spot::reader(spot),
            coinbase: coinbase::Reader::new(products),
            flows: flows(config, plans, count.unwrap_or_default()),
            perpetuals: of(Market::Um).map(|each| each.instrument).collect(),
            premiums,
            lines: plans.iter().map(|plan| line(config, plan, now)).collect(),
            is_marked: vec![false; count.unwrap_or_default()],
            sampled_at: Timestamp::EPOCH,
            health: FeedHealth::default(),
            report: Report::default(),
            counters: Arc::clone(&config.counters),
            renewals: Vec::new(),
            kinds: Vec::new(),
        }
    }
}

fn line(config: &FeedConfig, plan: &LinePlan, now: Timestamp) -> LineState {
    LineState {
        source: plan.source,
        name: plan.config.name.clone(),
        trades: plan.trades.clone(),
        liquidations: plan.liquidations,
        up: 0,
        last_frame: now,
        renewed_at: Timestamp::EPOCH,
        counters: config.counters.line(&plan.config.name),
    }
}

/// The flows by instrument.
fn flows(config: &FeedConfig, plans: &[LinePlan], count: usize) -> Vec<Option<Flow>> {
    let mut flows: Vec<Option<Flow>> = Vec::new();
    flows.resize_with(count, || None);
    for each in config.watched.iter().filter(|each| each.order_flow) {
        let Some(line) = plans.iter().position(|plan| plan.trades.contains(&each.instrument))
        else {
            continue;
        };
        let mut tracker = match each.last_id {
            Some(id) => TradeTracker::resume(each.instrument, config.tracker, id),
            None => TradeTracker::new(each.instrument, config.tracker),
        };
        each.missing.iter().for_each(|(first, last)| tracker.missing(*first, *last));
        let (symbol, market, quiet) = (each.symbol.clone(), each.market, Quiet::default());
        if let Some(place) = flows.get_mut(each.instrument.index()) {
            *place = Some(Flow { symbol, market, line, tracker, quiet });
        }
    }
    flows
}

/// The spot symbols by id: instruments by their own, others for the premium by a reference id.
fn spot_table(config: &FeedConfig) -> (SymbolTable, Vec<Premia>) {
    let spot = config.watched.iter().filter(|each| each.market == Market::Spot);
    let mut ids: BTreeMap<&str, InstrumentId> =
        spot.map(|each: &Watched| (each.symbol.as_str(), each.instrument)).collect();
    let mut next = FIRST_REFERENCE;
    let mut all = Vec::new();
    for each in &config.watched {
        let Some((symbol, _)) = &each.premium else { continue };
        let spot = *ids.entry(symbol.as_str()).or_insert_with(|| {
            next += 1;
            InstrumentId(next)
        });
        all.push(Premia { perpetual: each.instrument, spot, premium: Premium::default() });
    }
    (SymbolTable::new(ids), all)
}
