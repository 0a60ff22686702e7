//! The settlements of this year, read in the background: what a perpetual paid since New Year.
//!
//! The engine needs thirty days of them and takes them as events; the rest is for statistics and
//! goes into the store alone.
//!
//! Invariant: it takes no more than half of what the venue allows for settled funding, so that the
//! newest settlements never wait for old ones; scored perpetuals come first.

use std::sync::Arc;
use std::time::Duration;

use arb_binance::Pool;
use arb_binance::net::{FuturesRest, Watched};
use arb_core::port::{Catalog, Clock, MarketStore as _};
use arb_core::stats::{covers_year, start_of_year};
use arb_core::time::SECOND;
use arb_core::{Event, EventKind, FundingSettled, Market, StoreError, Timestamp, VenueError};
use arb_store::sqlite::SqliteStore;

/// Time before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Tries of one perpetual.
const TRIES: u32 = 3;
/// Rows of one answer.
const PAGE: usize = 1_000;
/// A settlement becomes known so long after its boundary.
const KNOWN_AFTER: i64 = 60 * SECOND;

/// Reads what lacks of this year.
pub(super) struct YearReader {
    pub(super) venue: FuturesRest,
    pub(super) store: Arc<SqliteStore>,
    pub(super) catalog: Catalog,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watched: Vec<Watched>,
}

/// Why a perpetual could not be read.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Venue(#[from] VenueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl YearReader {
    /// Reads one perpetual after the other, those with order flow first.
    pub(super) async fn run(self) {
        let perpetuals = self.watched.iter().filter(|each| each.market == Market::Um);
        let (scored, others): (Vec<&Watched>, Vec<&Watched>) =
            perpetuals.partition(|each| each.order_flow);
        for each in scored.into_iter().chain(others) {
            for attempt in 1..=TRIES {
                let Err(error) = self.read(each).await else { break };
                tracing::warn!(symbol = each.symbol, %error, attempt, "this year's funding lacks");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    async fn read(&self, each: &Watched) -> Result<(), Failed> {
        let Ok(of) = self.catalog.listed(each.instrument) else { return Ok(()) };
        let now = self.clock.now();
        let since = start_of_year(now);
        let listed_at = self.catalog.by_key(of.key).and_then(|(_, listed)| listed.listed_at);
        let stored = self.store.funding(of, since, now).await?;
        let times: Vec<Timestamp> = stored.iter().map(|row| row.funding_time).collect();
        if covers_year(&times, listed_at, now) {
            return Ok(());
        }
        let mut from = since;
        loop {
            self.until_there_is_room().await;
            let page = self.venue.funding_rates(Some(&each.symbol), from).await?;
            let count = page.rows.len() + page.dropped.len();
            let last = page.rows.iter().map(|row| row.funding_time).max();
            let known = |row: &FundingSettled| times.binary_search(&row.funding_time).is_ok();
            let rows = page.rows.into_iter().filter(|row| !known(row));
            let event = |row: FundingSettled| Event {
                at: row.funding_time.plus(KNOWN_AFTER),
                kind: EventKind::Funding(row),
            };
            let events: Vec<Event> = rows.map(event).collect();
            self.store.append_market(&self.catalog, &events).await?;
            match last {
                Some(last) if count >= PAGE && last > from => from = last,
                _ => return Ok(()),
            }
        }
    }

    /// Waits while half of the requests for funding are used.
    async fn until_there_is_room(&self) {
        loop {
            let (used, limit) = self.venue.rest().broker().used(Pool::Funding);
            if used * 2 < limit {
                return;
            }
            let now = self.clock.now();
            tokio::time::sleep(self.clock.wait(now.plus(SECOND)).max(Duration::from_millis(50)))
                .await;
        }
    }
}
