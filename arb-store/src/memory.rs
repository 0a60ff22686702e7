//! A store that forgets: everything in ordered maps behind one lock.
//!
//! For tests, and for embedding the engine where nothing needs to outlive the process. It keeps the
//! same promises as the others, and passes the same claims, but for outliving the process.
//!
//! Invariant: a method checks first and writes then, so that an error leaves nothing behind.

mod account;
mod book;
mod desk;
mod market;
mod tape;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arb_core::port::{
    Catalog, CheckReport, InstrumentKey, InstrumentStore, KeepDays, Lease, LeaseStore, Upkeep,
    UpkeepReport,
};
use arb_core::time::DAY;
use arb_core::{Instrument, StoreError, Timestamp};
use async_trait::async_trait;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    instruments: Vec<Instrument>,
    tape: tape::Tape,
    market: market::Market,
    book: book::Book,
    desk: desk::Desk,
    accounts: account::Accounts,
    leases: BTreeMap<String, Lease>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state; a panic elsewhere cannot leave it half-written, because checks come first.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts rows from 1.
fn next_id(len: usize) -> u64 {
    len as u64 + 1
}

fn key_at(place: usize) -> Result<InstrumentKey, StoreError> {
    u32::try_from(place + 1).map(InstrumentKey).map_err(|_| StoreError::Invalid {
        table: "instruments",
        key: place.to_string(),
        what: "there are too many".to_owned(),
    })
}

#[async_trait]
impl InstrumentStore for MemoryStore {
    async fn register(&self, instruments: &[Instrument]) -> Result<Catalog, StoreError> {
        let mut state = self.state();
        let mut entries = Vec::with_capacity(instruments.len());
        for instrument in instruments {
            let same =
                |i: &Instrument| i.market == instrument.market && i.symbol == instrument.symbol;
            let place = state.instruments.iter().position(same);
            let place = place.unwrap_or_else(|| {
                state.instruments.push(instrument.clone());
                state.instruments.len() - 1
            });
            if let Some(slot) = state.instruments.get_mut(place) {
                *slot = instrument.clone();
            }
            entries.push((key_at(place)?, instrument.clone()));
        }
        Ok(Catalog::new(entries))
    }

    async fn catalog(&self) -> Result<Catalog, StoreError> {
        let state = self.state();
        let listed = state.instruments.iter().enumerate();
        let entries = listed.map(|(place, i)| Ok((key_at(place)?, i.clone())));
        Ok(Catalog::new(entries.collect::<Result<_, StoreError>>()?))
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn hold(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let (mut state, now) = (self.state(), now());
        let epoch = match state.leases.get(name) {
            None => 1,
            Some(lease) if lease.until <= now => lease.epoch + 1,
            Some(lease) if lease.holder == holder => lease.epoch,
            Some(_) => return Ok(None),
        };
        let until = now.plus(arb_core::time::nanos(ttl));
        let lease = Lease { holder: holder.to_owned(), epoch, until };
        state.leases.insert(name.to_owned(), lease.clone());
        Ok(Some(lease))
    }

    async fn release(&self, name: &str, lease: &Lease) -> Result<bool, StoreError> {
        let (mut state, now) = (self.state(), now());
        let own = state.leases.get_mut(name);
        let own = own.filter(|own| own.holder == lease.holder && own.epoch == lease.epoch);
        let Some(own) = own else { return Ok(false) };
        own.until = own.until.min(now);
        Ok(true)
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        Ok(self.state().leases.get(name).cloned())
    }
}

#[async_trait]
impl Upkeep for MemoryStore {
    async fn upkeep(&self, at: Timestamp, keep: KeepDays) -> Result<UpkeepReport, StoreError> {
        let mut state = self.state();
        let before = |days: Option<u32>| days.map(|d| at.plus(-i64::from(d).saturating_mul(DAY)));
        let mut report = UpkeepReport::default();
        if let Some(before) = before(keep.tape) {
            report.removed_trades = state.tape.forget(before);
        }
        if let Some(before) = before(keep.market) {
            report.removed_rows += state.market.forget(before);
        }
        if let Some(before) = before(keep.signals) {
            report.removed_rows += state.book.forget(before);
        }
        Ok(report)
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        let state = self.state();
        let mut report = CheckReport::default();
        for place in 0..state.instruments.len() {
            let key = key_at(place)?;
            report.trades += state.tape.extent(key).map_or(0, |extent| extent.count);
            report.holes.extend(state.tape.holes(key).into_iter().map(|hole| (key, hole)));
        }
        Ok(report)
    }
}
