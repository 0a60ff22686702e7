//! What the scores of our trades were made of, looked up once for each.
//!
//! Invariant: a trade's factors never change, so what was found stays; what was not found is
//! looked for again, because the store follows the engine with a delay.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arb_core::port::{Catalog, Page, SignalFilter, Store, TradeRow, View};
use arb_core::{Direction, Market, Timestamp};
use serde_json::value::RawValue;

use crate::body::factors;
use crate::error::ApiError;

/// Remembered trades; when there are more, all are forgotten and looked up again.
const MOST: usize = 4_096;
/// Signals before an entry that are looked through for the one that fired.
const LOOK_BACK: usize = 50;

type Key = (String, String, i64);

/// Factors by strategy, symbol and entry time.
#[derive(Debug, Default)]
pub(crate) struct FactorBook {
    known: Mutex<BTreeMap<Key, Box<RawValue>>>,
}

/// The entry whose signal is looked for.
struct Entry<'a> {
    strategy: &'a str,
    symbol: &'a str,
    direction: Direction,
    at: Timestamp,
}

impl FactorBook {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Box<RawValue>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a trade; [`learn`](Self::learn) or [`learn_rows`](Self::learn_rows) first.
    pub(crate) fn of(&self, strategy: &str, symbol: &str, at: Timestamp) -> Option<Box<RawValue>> {
        self.known().get(&key(strategy, symbol, at)).cloned()
    }

    /// Looks up what is not known yet of a view's open trades.
    pub(crate) async fn learn(
        &self,
        store: &dyn Store,
        catalog: &Catalog,
        view: &View,
    ) -> Result<(), ApiError> {
        for note in &view.trades {
            let symbol = view.symbol(note.instrument);
            let (direction, at) = (note.direction, note.entry_time);
            let entry = Entry { strategy: &note.strategy, symbol, direction, at };
            self.look_up(store, catalog, &entry).await?;
        }
        Ok(())
    }

    /// Looks up what is not known yet of stored trades.
    pub(crate) async fn learn_rows(
        &self,
        store: &dyn Store,
        catalog: &Catalog,
        rows: &[TradeRow],
    ) -> Result<(), ApiError> {
        for row in rows {
            let Some((_, instrument)) = catalog.by_key(row.instrument) else { continue };
            let (direction, at) = (row.direction, row.entry_time);
            let symbol = instrument.symbol.as_str();
            let entry = Entry { strategy: &row.strategy, symbol, direction, at };
            self.look_up(store, catalog, &entry).await?;
        }
        Ok(())
    }

    async fn look_up(
        &self,
        store: &dyn Store,
        catalog: &Catalog,
        entry: &Entry<'_>,
    ) -> Result<(), ApiError> {
        let key = key(entry.strategy, entry.symbol, entry.at);
        if self.known().contains_key(&key) {
            return Ok(());
        }
        let Some(of) = catalog.find(Market::Um, entry.symbol) else { return Ok(()) };
        let filter =
            SignalFilter { strategy: Some(entry.strategy.to_owned()), instrument: Some(of.key) };
        // Rows keep whole milliseconds, and the signal is never later than the fill it led to.
        let next_ms = Timestamp::from_millis(entry.at.as_millis() + 1);
        let page = Page { before: Some((next_ms, 0)), limit: LOOK_BACK };
        let signals = store.signals(&filter, page).await?;
        let opened = |signal: &&arb_core::port::SignalRow| {
            signal.fired && signal.direction == Some(entry.direction)
        };
        if let Some(signal) = signals.iter().find(opened) {
            let mut known = self.known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, factors(&signal.factors));
        }
        Ok(())
    }
}

fn key(strategy: &str, symbol: &str, at: Timestamp) -> Key {
    (strategy.to_owned(), symbol.to_owned(), at.as_millis())
}
