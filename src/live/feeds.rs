//! The node's feeds: the venue's market data, and its time.
//!
//! Invariant: a feed that is opened, at the start or again, goes on behind what the engine has, so
//! nothing is told twice and nothing is left out.

use std::sync::Arc;

use arb_binance::net::{Feed as VenueFeed, FeedConfig, FuturesRest, SpotRest};
use arb_core::port::{Clock, MarketFeed};

use super::clock::{ClockFeed, VenueClock};
use crate::node::{Feed, Resume};

pub(super) fn market_feed(
    config: FeedConfig,
    (futures, spot): (FuturesRest, SpotRest),
    clock: Arc<dyn Clock>,
) -> Feed {
    let with_flow = config.watched.iter().filter(|each| each.order_flow);
    Feed {
        name: "market".to_owned(),
        instruments: with_flow.map(|each| each.instrument).collect(),
        open: Box::new(move |resume: &Resume| {
            let mut config = config.clone();
            for each in &mut config.watched {
                let last = resume.last_trade_ids.get(each.instrument.index());
                each.last_id = last.copied().flatten();
                let own = resume.holes.iter().filter(|hole| hole.instrument == each.instrument);
                each.missing = own.map(|hole| (hole.from_id, hole.to_id)).collect();
                let settled = resume.last_settlements.get(each.instrument.index());
                each.settled_until = settled.copied().flatten();
            }
            let feed = VenueFeed::start(&config, futures.clone(), spot.clone(), Arc::clone(&clock));
            Box::new(feed) as Box<dyn MarketFeed>
        }),
    }
}

pub(super) fn clock_feed(futures: FuturesRest, clock: Arc<VenueClock>) -> Feed {
    Feed {
        name: "clock".to_owned(),
        instruments: Vec::new(),
        open: Box::new(move |_| {
            Box::new(ClockFeed::new(futures.clone(), Arc::clone(&clock))) as Box<dyn MarketFeed>
        }),
    }
}
