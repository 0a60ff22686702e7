//! Recorded trades by (instrument, id).

use std::collections::BTreeMap;
use std::ops::Range;

use arb_core::port::{Catalog, IdRange, InstrumentKey, Listed, TapeExtent, TapeStore};
use arb_core::{InstrumentId, StoreError, Timestamp, Trade};
use async_trait::async_trait;

use super::MemoryStore;

/// Who brought a trade, which decides whether retention removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Recorded,
    Imported,
}

#[derive(Debug, Default)]
pub(super) struct Tape {
    trades: BTreeMap<(InstrumentKey, u64), (Trade, Origin)>,
}

impl Tape {
    fn of(&self, key: InstrumentKey, from: u64) -> impl DoubleEndedIterator<Item = &Trade> {
        self.trades.range((key, from)..=(key, u64::MAX)).map(|(_, (trade, _))| trade)
    }

    pub(super) fn extent(&self, key: InstrumentKey) -> Option<TapeExtent> {
        let mut trades = self.of(key, 0);
        let first = trades.next()?;
        let last = self.of(key, 0).next_back()?;
        Some(TapeExtent {
            first_id: first.id,
            last_id: last.id,
            first_time: first.ts,
            last_time: last.ts,
            count: trades.count() as u64 + 1,
        })
    }

    pub(super) fn holes(&self, key: InstrumentKey) -> Vec<IdRange> {
        let ids = || self.of(key, 0).map(|t| t.id);
        let pairs = ids().zip(ids().skip(1));
        let holes = pairs.filter(|(a, b)| *b > a + 1);
        holes.map(|(a, b)| IdRange { first: a + 1, last: b - 1 }).collect()
    }

    pub(super) fn forget(&mut self, before: Timestamp) -> u64 {
        let kept = self.trades.len();
        self.trades.retain(|_, (t, origin)| *origin == Origin::Imported || t.ts >= before);
        (kept - self.trades.len()) as u64
    }

    fn add(
        &mut self,
        catalog: &Catalog,
        trades: &[Trade],
        origin: Origin,
    ) -> Result<(), StoreError> {
        let mut fresh = Vec::with_capacity(trades.len());
        let mut last: BTreeMap<InstrumentId, u64> = BTreeMap::new();
        for trade in trades {
            let key = catalog.key(trade.instrument)?;
            let name = || format!("{} trade {}", catalog.name(trade.instrument), trade.id);
            if let Some(before) = last.insert(trade.instrument, trade.id)
                && trade.id <= before
            {
                let what = format!("comes after trade {before}; ids must ascend");
                return Err(StoreError::Invalid { table: "agg_trades", key: name(), what });
            }
            // Ids of this process mean nothing in another one.
            let stored = Trade { instrument: InstrumentId::default(), ..*trade };
            match self.trades.get(&(key, trade.id)) {
                None => fresh.push(((key, trade.id), (stored, origin))),
                Some((old, _)) if *old == stored => {}
                Some((old, _)) => {
                    let what = format!("stored is {old:?}, given is {trade:?}");
                    return Err(StoreError::Conflict { table: "agg_trades", key: name(), what });
                }
            }
        }
        self.trades.extend(fresh);
        Ok(())
    }
}

fn named(of: Listed) -> impl Fn(&Trade) -> Trade {
    move |trade| Trade { instrument: of.id, ..*trade }
}

#[async_trait]
impl TapeStore for MemoryStore {
    async fn append_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError> {
        self.state().tape.add(catalog, trades, Origin::Recorded)
    }

    async fn import_trades(&self, catalog: &Catalog, trades: &[Trade]) -> Result<(), StoreError> {
        self.state().tape.add(catalog, trades, Origin::Imported)
    }

    async fn trades(
        &self,
        of: Listed,
        from_id: u64,
        limit: usize,
    ) -> Result<Vec<Trade>, StoreError> {
        Ok(self.state().tape.of(of.key, from_id).take(limit).map(named(of)).collect())
    }

    async fn latest_trades(&self, of: Listed, limit: usize) -> Result<Vec<Trade>, StoreError> {
        let state = self.state();
        let newest = state.tape.of(of.key, 0).rev().take(limit).map(named(of));
        let mut trades: Vec<Trade> = newest.collect();
        trades.reverse();
        Ok(trades)
    }

    async fn first_id_at(
        &self,
        of: InstrumentKey,
        at: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        Ok(self.state().tape.of(of, 0).find(|t| t.ts >= at).map(|t| t.id))
    }

    async fn extent(&self, of: InstrumentKey) -> Result<Option<TapeExtent>, StoreError> {
        Ok(self.state().tape.extent(of))
    }

    async fn holes(&self, of: InstrumentKey) -> Result<Vec<IdRange>, StoreError> {
        Ok(self.state().tape.holes(of))
    }
}

/// Keys of an instrument from a first up to and without a last one.
pub(super) const fn keys<T>(key: InstrumentKey, from: T, to: T) -> Range<(InstrumentKey, T)>
where
    T: Copy,
{
    (key, from)..(key, to)
}
