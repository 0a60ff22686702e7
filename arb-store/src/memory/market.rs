//! Funding, market inputs, liquidations and rate snapshots.

use std::collections::BTreeMap;

use arb_core::port::{Catalog, InstrumentKey, Listed, MarketStore, RateSnapshot};
use arb_core::{
    Direction, Event, EventKind, FundingSettled, Input, InputValue, Money, StoreError, Timestamp,
};
use async_trait::async_trait;

use super::MemoryStore;
use super::tape::keys;
use crate::inputs::{self, ms_up};
use crate::project::to_ms;

type Liquidation = (InstrumentKey, Timestamp, Direction, Money);

#[derive(Debug, Default)]
pub(super) struct Market {
    funding: BTreeMap<(InstrumentKey, Timestamp), FundingSettled>,
    /// By instrument, kind and the time they describe; with the time they became known.
    inputs: BTreeMap<(InstrumentKey, &'static str, Timestamp), (Timestamp, InputValue)>,
    liquidations: BTreeMap<Liquidation, Timestamp>,
    rates: BTreeMap<(InstrumentKey, Timestamp), RateSnapshot>,
}

impl Market {
    pub(super) fn forget(&mut self, before: Timestamp) -> u64 {
        let before = before.floor_to(1_000_000);
        let len = |m: &Self| m.inputs.len() + m.liquidations.len() + m.rates.len();
        let had = len(self);
        self.inputs.retain(|(.., as_of), _| *as_of >= before);
        self.liquidations.retain(|(_, as_of, ..), _| *as_of >= before);
        self.rates.retain(|(_, at), _| *at >= before);
        (had - len(self)) as u64
    }

    fn add(&mut self, catalog: &Catalog, events: &[Event]) -> Result<(), StoreError> {
        for event in events {
            if let Some(id) = event.kind.instrument() {
                catalog.key(id)?;
            }
            let EventKind::Funding(given) = &event.kind else { continue };
            let key = (catalog.key(given.instrument)?, given.funding_time);
            if let Some(old) = self.funding.get(&key) {
                inputs::same_settlement(&catalog.name(given.instrument), old.rate, given)?;
            }
        }
        for event in events {
            match &event.kind {
                EventKind::Funding(given) => {
                    let key = (catalog.key(given.instrument)?, given.funding_time);
                    self.funding.entry(key).or_insert(*given);
                }
                EventKind::Input(input) => {
                    self.add_input(catalog.key(input.instrument)?, event.at, input);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_input(&mut self, key: InstrumentKey, at: Timestamp, input: &Input) {
        if let InputValue::Liquidation(direction, notional) = input.value {
            self.liquidations.entry((key, input.as_of, direction, notional)).or_insert(at);
        } else {
            let (kind, _) = inputs::text(&input.value);
            self.inputs.entry((key, kind, input.as_of)).or_insert((at, input.value));
        }
    }
}

fn event(of: Listed, at: Timestamp, as_of: Timestamp, value: InputValue) -> Event {
    Event { at, kind: EventKind::Input(Input { instrument: of.id, as_of, value }) }
}

#[async_trait]
impl MarketStore for MemoryStore {
    async fn append_market(&self, catalog: &Catalog, events: &[Event]) -> Result<(), StoreError> {
        self.state().market.add(catalog, events)
    }

    async fn funding(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FundingSettled>, StoreError> {
        let state = self.state();
        if from >= to {
            return Ok(Vec::new());
        }
        let settled =
            state.market.funding.range(keys(of.key, from, to)).map(|(_, settled)| settled);
        Ok(settled.map(|settled| FundingSettled { instrument: of.id, ..*settled }).collect())
    }

    async fn inputs(
        &self,
        of: Listed,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let inputs = state.market.inputs.iter();
        let inputs = inputs.filter(|((key, ..), _)| *key == of.key);
        let inputs = inputs.map(|((.., as_of), (at, value))| event(of, *at, *as_of, *value));
        let liquidations = state.market.liquidations.iter();
        let liquidations = liquidations.filter(|((key, ..), _)| *key == of.key);
        let liquidations = liquidations.map(|((_, as_of, direction, notional), at)| {
            event(of, *at, *as_of, InputValue::Liquidation(*direction, *notional))
        });
        let all = inputs.chain(liquidations);
        let mut events: Vec<Event> = all.filter(|e| from <= e.at && e.at < to).collect();
        inputs::sort(&mut events);
        Ok(events)
    }

    async fn latest_inputs(&self, of: Listed) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let newest = |kind: &'static str| {
            let all =
                (of.key, kind, Timestamp::from_nanos(i64::MIN))..=(of.key, kind, Timestamp::MAX);
            let ((.., as_of), (at, value)) = state.market.inputs.range(all).next_back()?;
            Some(event(of, *at, *as_of, *value))
        };
        Ok(inputs::KINDS.into_iter().filter_map(newest).collect())
    }

    async fn append_rates(
        &self,
        catalog: &Catalog,
        rates: &[RateSnapshot],
    ) -> Result<(), StoreError> {
        let keyed = rates.iter().map(|r| Ok(((catalog.key(r.instrument)?, to_ms(r.at)), r)));
        let keyed: Vec<_> = keyed.collect::<Result<_, StoreError>>()?;
        let mut state = self.state();
        for (key, rate) in keyed {
            let next_funding_at = rate.next_funding_at.map(to_ms);
            let stored = RateSnapshot { at: to_ms(rate.at), next_funding_at, ..*rate };
            state.market.rates.entry(key).or_insert(stored);
        }
        Ok(())
    }

    async fn latest_rates(&self, catalog: &Catalog) -> Result<Vec<RateSnapshot>, StoreError> {
        let state = self.state();
        let newest = |of: Listed| {
            let all = (of.key, Timestamp::from_nanos(i64::MIN))..=(of.key, Timestamp::MAX);
            let (_, rate) = state.market.rates.range(all).next_back()?;
            Some(RateSnapshot { instrument: of.id, ..*rate })
        };
        Ok(catalog.iter().filter_map(|(of, _)| newest(of)).collect())
    }

    async fn rates(
        &self,
        of: Listed,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<RateSnapshot>, StoreError> {
        let state = self.state();
        if from >= to {
            return Ok(Vec::new());
        }
        let (from, to) = (Timestamp::from_millis(ms_up(from)), Timestamp::from_millis(ms_up(to)));
        let rates = state.market.rates.range(keys(of.key, from, to)).take(limit);
        Ok(rates.map(|(_, rate)| RateSnapshot { instrument: of.id, ..*rate }).collect())
    }
}
