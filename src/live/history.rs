//! Trades of the past by REST, so that windows are complete soon after the first start.
//!
//! All symbols are read in rounds: first half an hour of each, then four hours, then what was asked
//! for; each round from the newest trade down. So whoever is stopped has the useful part, and goes
//! on below it the next time.
//!
//! Invariant: what is stored of a symbol is without a hole from its lowest trade read to the
//! newest. An engine takes the history of an instrument before the instrument's first live event
//! and never after, so the node starts when all of it is read; what lies further back fills the
//! store while it runs, for the next engine that begins anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arb_binance::Pool;
use arb_binance::net::{FuturesRest, Watched};
use arb_core::port::{Catalog, Clock, TapeStore as _};
use arb_core::time::{HOUR, MINUTE, nanos};
use arb_core::{Market, Timestamp};
use arb_store::sqlite::SqliteStore;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::LiveError;
use super::descent::{Descent, PAGE, Pages, Stored, store};

/// How far the first rounds reach back.
const ROUNDS: [i64; 2] = [30 * MINUTE, 4 * HOUR];
/// A wait that a person should know of.
const LONG_MINUTES: u64 = 10;
/// Request weight of one page.
const PAGE_WEIGHT: u64 = 20;

/// How far the history of a symbol is.
#[derive(Clone, Debug)]
pub struct HistoryProgress {
    /// The symbol.
    pub symbol: String,
    /// Where its history ends, at the past end.
    pub from: Timestamp,
    /// Down to where it was read.
    pub to: Timestamp,
    /// The present, where reading began.
    pub until: Timestamp,
    /// Trades read.
    pub trades: u64,
    /// Trades to come.
    pub left: u64,
    /// Time until this symbol may trade, as far as requests decide it: all symbols share one
    /// budget, and none begins before the last one is read.
    pub wait: Duration,
}

/// Where history comes from and goes to.
#[derive(Clone, Copy)]
pub(super) struct History<'a> {
    pub(super) venue: &'a FuturesRest,
    pub(super) store: &'a SqliteStore,
    pub(super) catalog: &'a Catalog,
    pub(super) clock: &'a dyn Clock,
}

impl<'a> History<'a> {
    /// Those of which nothing is stored yet, because they were added to a folder that lives: the
    /// engine takes their history when it starts, before anything is decided about them.
    pub(super) async fn without_trades(
        self,
        watched: &[Watched],
    ) -> Result<Vec<Watched>, LiveError> {
        let mut without = Vec::new();
        for each in watched.iter().filter(|each| each.order_flow) {
            let of = self.catalog.listed(each.instrument)?;
            if self.store.extent(of.key).await?.is_none() {
                without.push(each.clone());
            }
        }
        Ok(without)
    }

    /// Reads the history of every instrument with order flow into the store, up to the present.
    pub(super) async fn read(
        self,
        watched: &'a [Watched],
        length: Duration,
        progress: &(impl Fn(&HistoryProgress) + Sync),
    ) -> Result<(), LiveError> {
        let all = self.down(watched, length, (&tell_all, progress)).await?;
        self.catch_up(&all).await
    }

    /// Fills the store beside a node that records the present itself.
    pub(super) async fn fill(
        self,
        watched: &'a [Watched],
        length: Duration,
        progress: &(impl Fn(&HistoryProgress) + Sync),
    ) -> Result<(), LiveError> {
        self.down(watched, length, (&|_, _| {}, progress)).await.map(drop)
    }

    /// Reads from the newest trades down, in rounds; `told` hears what is to come.
    async fn down(
        self,
        watched: &'a [Watched],
        length: Duration,
        (told, progress): (
            &(impl Fn(&[Reading<'_>], u32) + Sync),
            &(impl Fn(&HistoryProgress) + Sync),
        ),
    ) -> Result<Vec<Reading<'a>>, LiveError> {
        let until = self.clock.now();
        let from = until.plus(-nanos(length));
        if from >= until {
            return Ok(Vec::new());
        }
        let with_flow = watched.iter().filter(|each| each.order_flow && each.market == Market::Um);
        let mut all = Vec::new();
        let mut begun: FuturesUnordered<_> =
            with_flow.map(|each| self.begin(each, (from, until))).collect();
        while let Some(reading) = begun.next().await {
            all.extend(reading?);
        }
        told(&all, budget_of(self.venue));
        for reach in ROUNDS.into_iter().chain([nanos(length)]) {
            let reach = until.plus(-reach).max(from);
            self.round(&mut all, reach, progress).await?;
        }
        Ok(all)
    }

    /// Finds the ends of a symbol's history; none where nothing was traded.
    async fn begin(
        self,
        each: &'a Watched,
        span: (Timestamp, Timestamp),
    ) -> Result<Option<Reading<'a>>, LiveError> {
        let of = self.catalog.listed(each.instrument)?;
        let pages = Pages { venue: self.venue, symbol: &each.symbol, of };
        let newest = pages.newest().await?;
        let Some(last) = newest.last() else { return Ok(None) };
        let floor = pages.first_id(span.0, span.1).await?.unwrap_or(last.id);
        store(self.store, self.catalog, Stored::Recorded, &newest).await?;
        let top = last.id + 1;
        let place = (self.store, self.catalog, Stored::Recorded);
        let descent = Descent::below(pages, place, (top, floor)).await?;
        Ok(Some(Reading { pages, descent, span, top }))
    }

    /// Reads all symbols back to a time, side by side.
    async fn round(
        self,
        all: &mut [Reading<'a>],
        reach: Timestamp,
        progress: &(impl Fn(&HistoryProgress) + Sync),
    ) -> Result<(), LiveError> {
        let left: Vec<AtomicU64> =
            all.iter().map(|each| AtomicU64::new(each.descent.left())).collect();
        let (left, weight) = (&left, budget_of(self.venue));
        let mut reading: FuturesUnordered<_> = all
            .iter_mut()
            .zip(left)
            .map(|(each, own)| {
                let (pages, span, top) = (each.pages, each.span, each.top);
                let told = move |descent: &Descent<'_, SqliteStore>| {
                    own.store(descent.left(), Ordering::Relaxed);
                    let all = left.iter().map(|left| left.load(Ordering::Relaxed)).sum();
                    progress(&HistoryProgress {
                        symbol: pages.symbol.to_owned(),
                        from: span.0,
                        to: descent.low_time().min(span.1),
                        until: span.1,
                        trades: top - descent.low(),
                        left: descent.left(),
                        wait: wait(all, weight),
                    });
                };
                each.descent.down_to(reach, told)
            })
            .collect();
        while let Some(read) = reading.next().await {
            read?;
        }
        Ok(())
    }

    /// Reads what was traded meanwhile.
    async fn catch_up(self, all: &[Reading<'a>]) -> Result<(), LiveError> {
        let up = |each: &Reading<'a>| self.up(each.pages, each.top);
        let mut reading: FuturesUnordered<_> = all.iter().map(up).collect();
        while let Some(read) = reading.next().await {
            read?;
        }
        Ok(())
    }

    async fn up(self, pages: Pages<'a>, mut next: u64) -> Result<(), LiveError> {
        loop {
            let page = pages.from(next).await?;
            store(self.store, self.catalog, Stored::Recorded, &page).await?;
            match page.last() {
                Some(last) if page.len() as u64 >= PAGE => next = last.id + 1,
                _ => return Ok(()),
            }
        }
    }
}

/// Says how long all symbols together take, loudly where that is long.
fn tell_all(all: &[Reading<'_>], weight: u32) {
    let (symbols, trades) = (all.len(), all.iter().map(|each| each.descent.left()).sum());
    let minutes = wait(trades, weight).as_secs().div_ceil(60);
    let what = "history: trades of all symbols to come; fewer hours of it begin earlier, and \
                entries then wait for whole windows";
    if minutes > LONG_MINUTES {
        tracing::warn!(symbols, trades, minutes, "{what}");
    } else {
        tracing::info!(symbols, trades, minutes, "history: trades of all symbols to come");
    }
}

/// The time that requests for so many trades take, with a weight a minute.
pub(super) fn wait(trades: u64, weight: u32) -> Duration {
    let needed = trades.div_ceil(PAGE).saturating_mul(PAGE_WEIGHT);
    Duration::from_millis(needed.saturating_mul(60_000) / u64::from(weight.max(1)))
}

/// Weight a minute that market data may use.
pub(super) fn budget_of(venue: &FuturesRest) -> u32 {
    let (_, limit) = venue.rest().broker().used(Pool::Weight);
    limit - limit / 4
}

/// One instrument being read.
struct Reading<'a> {
    pages: Pages<'a>,
    descent: Descent<'a, SqliteStore>,
    /// The past end, and the present when reading began.
    span: (Timestamp, Timestamp),
    /// Behind the newest trade when reading began.
    top: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_that_of_the_budget() {
        // 4.5 h of a busy market: 500 pages of weight 20 at 1,800 a minute.
        assert_eq!(wait(500_000, 1_800), Duration::from_millis(333_333));
        assert_eq!(wait(1, 1_200), Duration::from_secs(1));
        assert_eq!(wait(0, 1_800), Duration::ZERO);
        assert_eq!(wait(1_000, 0), Duration::from_secs(1_200), "no division by nothing");
    }
}
