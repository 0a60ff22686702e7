//! Trades of one perpetual, read by id from the newest down into the store.
//!
//! Invariant: everything from `low` up to where reading began is stored, at every moment, so that
//! whoever is killed has the newest part without a hole; what is stored already is not asked for
//! again.

use arb_binance::net::{FuturesRest, TradeRange};
use arb_core::port::{Catalog, IdRange, Listed, TapeStore};
use arb_core::time::HOUR;
use arb_core::{Timestamp, Trade, VenueError};

use super::{LiveError, venue};

/// Trades of one answer.
pub(super) const PAGE: u64 = 1_000;
/// A search by time must be shorter than an hour.
const SPAN: i64 = HOUR - 1;

/// The venue's trades of one perpetual.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages<'a> {
    pub(super) venue: &'a FuturesRest,
    pub(super) symbol: &'a str,
    pub(super) of: Listed,
}

impl Pages<'_> {
    /// Trades from an id on, a page at most.
    pub(super) async fn from(&self, id: u64) -> Result<Vec<Trade>, LiveError> {
        self.read(TradeRange::From(id), PAGE).await.map_err(self.named())
    }

    /// The newest page.
    pub(super) async fn newest(&self) -> Result<Vec<Trade>, LiveError> {
        self.read(TradeRange::Latest, PAGE).await.map_err(self.named())
    }

    /// Id of the first trade in `[from, to)`; none where there is none.
    pub(super) async fn first_id(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<u64>, LiveError> {
        let mut begin = from;
        while begin < to {
            let range = TradeRange::Between(begin, begin.plus(SPAN));
            let page = self.read(range, 1).await.map_err(self.named())?;
            if let Some(first) = page.first() {
                return Ok(Some(first.id).filter(|_| first.ts < to));
            }
            begin = begin.plus(SPAN);
        }
        Ok(None)
    }

    async fn read(&self, range: TradeRange, limit: u64) -> Result<Vec<Trade>, VenueError> {
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        Ok(self.venue.agg_trades(self.symbol, self.of.id, range, limit).await?.rows)
    }

    fn named(&self) -> impl Fn(VenueError) -> LiveError {
        venue(format!("{}: history", self.symbol))
    }
}

/// How trades are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// As what was recorded live: retention may remove it.
    Recorded,
    /// As what somebody brought: retention spares it.
    Imported,
}

impl Stored {
    /// Pages that are stored together: whole chunks of an import, each page of a recording.
    const fn pages(self) -> u64 {
        match self {
            Self::Recorded => 1,
            Self::Imported => 16,
        }
    }
}

/// A reading on its way down.
pub(super) struct Descent<'a, S: TapeStore + ?Sized> {
    pages: Pages<'a>,
    store: &'a S,
    catalog: &'a Catalog,
    how: Stored,
    /// What is stored below `low`, ascending.
    runs: Vec<IdRange>,
    /// Everything from here to where reading began is stored.
    low: u64,
    low_time: Timestamp,
    /// The lowest id that is wanted.
    floor: u64,
}

impl<'a, S: TapeStore + ?Sized> Descent<'a, S> {
    /// Begins below an id, which is not read itself; `floor` is the lowest one that is wanted.
    pub(super) async fn below(
        pages: Pages<'a>,
        (store, catalog, how): (&'a S, &'a Catalog, Stored),
        (top, floor): (u64, u64),
    ) -> Result<Self, LiveError> {
        let runs = runs(store, pages.of).await?;
        let low_time = Timestamp::MAX;
        Ok(Self { pages, store, catalog, how, runs, low: top, low_time, floor })
    }

    /// The lowest id from which everything is stored.
    pub(super) const fn low(&self) -> u64 {
        self.low
    }

    /// The time of that trade.
    pub(super) const fn low_time(&self) -> Timestamp {
        self.low_time
    }

    /// Trades that are wanted and neither stored nor read.
    pub(super) fn left(&self) -> u64 {
        let stored = self.runs.iter().map(|run| {
            let (first, last) = (run.first.max(self.floor), run.last.min(self.low));
            (last + 1).saturating_sub(first)
        });
        self.low.saturating_sub(self.floor).saturating_sub(stored.sum())
    }

    /// Reads until a trade before `until` is stored, or nothing is left; `told` is called after
    /// each step.
    pub(super) async fn down_to(
        &mut self,
        until: Timestamp,
        mut told: impl FnMut(&Self),
    ) -> Result<(), LiveError> {
        while self.low > self.floor && self.low_time > until {
            if !self.pass_stored().await? && !self.step().await? {
                break;
            }
            told(self);
        }
        Ok(())
    }

    /// Goes down over what is stored right below; false where nothing is.
    async fn pass_stored(&mut self) -> Result<bool, LiveError> {
        while self.runs.last().is_some_and(|run| run.first >= self.low) {
            self.runs.pop();
        }
        let Some(run) = self.runs.last().copied().filter(|run| run.last + 1 >= self.low) else {
            return Ok(false);
        };
        let first = run.first.max(self.floor);
        let trade = self.store.trades(self.pages.of, first, 1).await?;
        (self.low, self.low_time) = trade.first().map_or((first, self.low_time), of);
        self.runs.pop();
        Ok(true)
    }

    /// Reads the next pages down and stores them; false where the venue has no more.
    async fn step(&mut self) -> Result<bool, LiveError> {
        let above = self.runs.last().map_or(0, |run| run.last + 1).max(self.floor);
        let (mut low, mut batch) = (self.low, Vec::new());
        for _ in 0..self.how.pages() {
            if low <= above {
                break;
            }
            let begin = low.saturating_sub(PAGE).max(above);
            let mut page = match self.pages.from(begin).await {
                Ok(page) => page,
                // The venue keeps some days; what lies behind them is refused.
                Err(LiveError::Venue { source: VenueError::Rejected { code, reason }, .. })
                    if self.low_time < Timestamp::MAX =>
                {
                    let symbol = self.pages.symbol;
                    tracing::warn!(symbol, code, reason, "the venue has no older trades");
                    break;
                }
                Err(error) => return Err(error),
            };
            page.retain(|trade| trade.id < low);
            if page.is_empty() {
                break;
            }
            low = begin;
            page.extend(batch);
            batch = page;
        }
        let Some(first) = batch.first() else { return Ok(false) };
        (_, self.low_time) = of(first);
        store(self.store, self.catalog, self.how, &batch).await?;
        // Ids that the venue does not have are passed over, or they were asked for for ever.
        self.low = low;
        Ok(true)
    }
}

fn of(trade: &Trade) -> (u64, Timestamp) {
    (trade.id, trade.ts)
}

/// Stores trades, ids ascending.
pub(super) async fn store<S: TapeStore + ?Sized>(
    store: &S,
    catalog: &Catalog,
    how: Stored,
    trades: &[Trade],
) -> Result<(), LiveError> {
    match how {
        Stored::Recorded => store.append_trades(catalog, trades).await?,
        Stored::Imported => store.import_trades(catalog, trades).await?,
    }
    Ok(())
}

/// Ids that are stored without a hole between them, ascending.
async fn runs<S: TapeStore + ?Sized>(store: &S, of: Listed) -> Result<Vec<IdRange>, LiveError> {
    let Some(extent) = store.extent(of.key).await? else { return Ok(Vec::new()) };
    let (mut runs, mut first) = (Vec::new(), extent.first_id);
    for hole in store.holes(of.key).await? {
        runs.push(IdRange { first, last: hole.first - 1 });
        first = hole.last + 1;
    }
    runs.push(IdRange { first, last: extent.last_id });
    Ok(runs)
}
