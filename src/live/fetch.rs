//! History of single perpetuals by REST, into a store, within the budget of requests.
//!
//! Invariant: what is stored is not asked for again, so whoever is stopped at any moment goes on
//! where they stood; only trades of whole steps are stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arb_binance::Limits;
use arb_binance::net::{Addresses, Broker, FuturesRest, RatioKind, Rest};
use arb_binance::wire::rest::Listing;
use arb_binance::wire::{Interval, Kline, SymbolTable};
use arb_core::port::{Catalog, Clock, InstrumentStore as _, MarketStore as _};
use arb_core::time::MINUTE;
use arb_core::{
    Event, EventKind, FundingSettled, Input, Instrument, InstrumentId, Market, Timestamp,
};
use arb_store::sqlite::SqliteStore;
use arb_store::tape::metrics_known_at;

use super::descent::{Descent, Pages, Stored};
use super::history::{budget_of, wait};
use super::{LiveError, VenueClock, venue};

/// Settlements of one answer.
const FUNDING_PAGE: usize = 1_000;
/// Bars of one answer.
const KLINE_PAGE: usize = 1_500;
/// Statistics of one answer reach so far.
const STATISTICS: i64 = 499 * 5 * MINUTE;
/// A settlement is known so long after its boundary.
const SETTLEMENT_KNOWN: i64 = MINUTE;

/// A period: its first instant, and the first one behind it.
pub type Period = (Timestamp, Timestamp);

/// How far the trades of a symbol are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress {
    /// Trades of the period that are stored.
    pub done: u64,
    /// Trades of the period.
    pub all: u64,
    /// Time that the requests to come take.
    pub wait: Duration,
}

/// Reads history of one perpetual.
#[derive(Debug)]
pub struct Fetcher {
    venue: FuturesRest,
    catalog: Catalog,
    symbol: String,
    clock: Arc<VenueClock>,
    store: Arc<SqliteStore>,
}

impl Fetcher {
    /// Finds the perpetual at the venue and registers it in the store.
    ///
    /// # Errors
    /// [`LiveError::Unlisted`], [`LiveError::Venue`], [`LiveError::Store`].
    pub async fn open(
        addresses: &Addresses,
        clock: Arc<dyn Clock>,
        store: Arc<SqliteStore>,
        symbol: &str,
    ) -> Result<Self, LiveError> {
        addresses.check("addresses")?;
        let clock = Arc::new(VenueClock::new(clock));
        let broker = Arc::new(Broker::new(Limits::FUTURES, Arc::clone(&clock) as Arc<dyn Clock>));
        let named = |what: &str| venue(what.to_owned());
        let rest = Rest::new(&addresses.futures_rest, Market::Um, broker);
        let rest = rest.map_err(named("futures requests"))?;
        let asked = FuturesRest::new(rest.clone(), Arc::new(SymbolTable::new([])));
        clock.measure(&asked).await.map_err(named("the venue's clock"))?;
        let info = asked.exchange_info().await.map_err(named("the futures listing"))?;
        let listing = info.perpetuals().find(|each| each.instrument.symbol == symbol);
        let unlisted = || LiveError::Unlisted { symbol: symbol.to_owned() };
        let Listing { instrument, .. } = listing.ok_or_else(unlisted)?;
        let catalog = store.register(std::slice::from_ref(instrument)).await?;
        let table = Arc::new(SymbolTable::new([(symbol, InstrumentId(0))]));
        let venue = FuturesRest::new(rest, table);
        Ok(Self { venue, catalog, symbol: symbol.to_owned(), clock, store })
    }

    /// The perpetual as the venue lists it.
    #[must_use]
    pub fn instrument(&self) -> Option<&Instrument> {
        self.catalog.iter().next().map(|(_, instrument)| instrument)
    }

    /// Reads the aggregate trades of a period into the store, the newest first; tells how many the
    /// period has.
    ///
    /// # Errors
    /// [`LiveError::Venue`], [`LiveError::Store`], [`LiveError::Incomplete`] when the venue does not
    /// keep the whole period any more; what it keeps is stored.
    pub async fn trades(
        &self,
        (from, to): Period,
        told: &(dyn Fn(&FetchProgress) + Sync),
    ) -> Result<u64, LiveError> {
        let of = self.catalog.listed(InstrumentId(0))?;
        let pages = Pages { venue: &self.venue, symbol: &self.symbol, of };
        let now = self.clock.now();
        let Some(floor) = pages.first_id(from, to.min(now)).await? else { return Ok(0) };
        let top = self.top(&pages, to, now).await?;
        let place = (&*self.store, &self.catalog, Stored::Imported);
        let mut descent = Descent::below(pages, place, (top, floor)).await?;
        let (all, weight) = (top.saturating_sub(floor), budget_of(&self.venue));
        let tell = |left: u64| {
            told(&FetchProgress { done: all - left.min(all), all, wait: wait(left, weight) });
        };
        tell(descent.left());
        descent.down_to(Timestamp::EPOCH, |descent| tell(descent.left())).await?;
        if descent.low() > floor {
            let (symbol, missing) = (self.symbol.clone(), descent.left());
            return Err(LiveError::Incomplete { symbol, missing, before: descent.low_time() });
        }
        Ok(all)
    }

    /// Behind the last trade of a period.
    async fn top(
        &self,
        pages: &Pages<'_>,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<u64, LiveError> {
        if to < now
            && let Some(id) = pages.first_id(to, now).await?
        {
            return Ok(id);
        }
        let newest = pages.newest().await?;
        Ok(newest.iter().rev().find(|trade| trade.ts < to).map_or(0, |trade| trade.id + 1))
    }

    /// Reads the settlements of a period into the store and tells how many.
    ///
    /// # Errors
    /// [`LiveError::Venue`], [`LiveError::Store`].
    pub async fn funding(&self, (from, to): Period) -> Result<u64, LiveError> {
        let (mut next, mut count) = (from, 0);
        loop {
            let page = self.venue.funding_rates(Some(&self.symbol), next).await;
            let page = page.map_err(self.named("settled funding"))?;
            let is_last = page.rows.len() < FUNDING_PAGE;
            let last = page.rows.last().map(|row| row.funding_time);
            let inside = page.rows.into_iter().filter(|row| row.funding_time < to);
            let events: Vec<Event> = inside.map(settled).collect();
            count += events.len() as u64;
            self.store.append_market(&self.catalog, &events).await?;
            match last.filter(|last| !is_last && *last < to) {
                Some(last) => next = last.plus(1_000_000_000),
                None => return Ok(count),
            }
        }
    }

    /// Reads open interest and ratios of a period into the store and tells how many values; the
    /// venue keeps thirty days of them.
    ///
    /// # Errors
    /// [`LiveError::Venue`], [`LiveError::Store`].
    pub async fn metrics(&self, (from, to): Period) -> Result<u64, LiveError> {
        let (mut begin, mut count) = (from, 0);
        let to = to.min(self.clock.now());
        while begin < to {
            let end = begin.plus(STATISTICS).min(to.plus(-1_000_000));
            let inputs = self.statistics((begin, end)).await?;
            let events: Vec<Event> = inputs.into_iter().map(known).collect();
            count += events.len() as u64;
            self.store.append_market(&self.catalog, &events).await?;
            begin = begin.plus(STATISTICS + 5 * MINUTE);
        }
        Ok(count)
    }

    async fn statistics(&self, period: Period) -> Result<Vec<Input>, LiveError> {
        let named = || self.named("open interest and ratios");
        let interest = self.venue.open_interest_between(&self.symbol, period).await;
        let mut inputs = interest.map_err(named())?.rows;
        let accounts = self.venue.ratios_between(RatioKind::Accounts, &self.symbol, period).await;
        inputs.extend(accounts.map_err(named())?.rows.into_iter().map(|row| row.of_accounts()));
        let top = self.venue.ratios_between(RatioKind::TopPositions, &self.symbol, period).await;
        inputs.extend(top.map_err(named())?.rows.into_iter().map(|row| row.of_top_positions()));
        inputs.sort_by_key(|input| input.as_of);
        Ok(inputs)
    }

    /// Reads the finished bars that open from `from` on and before `to`, a page at most; none at
    /// the end.
    ///
    /// # Errors
    /// [`LiveError::Venue`].
    pub async fn klines(
        &self,
        interval: Interval,
        (from, to): Period,
    ) -> Result<Vec<Kline>, LiveError> {
        let page = self.venue.klines(&self.symbol, InstrumentId(0), interval, from).await;
        let mut bars = page.map_err(self.named("klines"))?.rows;
        bars.truncate(KLINE_PAGE);
        bars.retain(|bar| bar.open_at < to);
        Ok(bars)
    }

    fn named(&self, what: &str) -> impl Fn(arb_core::VenueError) -> LiveError + use<> {
        venue(format!("{}: {what}", self.symbol))
    }
}

fn settled(row: FundingSettled) -> Event {
    Event { at: row.funding_time.plus(SETTLEMENT_KNOWN), kind: EventKind::Funding(row) }
}

fn known(input: Input) -> Event {
    Event { at: metrics_known_at(input.as_of), kind: EventKind::Input(input) }
}

/// Open interest and ratios of one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Base units.
    pub open_interest: Option<arb_core::Decimal>,
    /// Long ÷ short, of all accounts.
    pub long_short_ratio: Option<f64>,
    /// Long ÷ short, of the positions of top traders.
    pub top_trader_ratio: Option<f64>,
}

/// What the store has of a period's metrics, by the time they describe.
///
/// # Errors
/// [`LiveError::Store`].
pub async fn stored_metrics(
    store: &SqliteStore,
    symbol: &str,
    (from, to): Period,
) -> Result<BTreeMap<Timestamp, Metrics>, LiveError> {
    use arb_core::InputValue as Value;
    let mut all = BTreeMap::<Timestamp, Metrics>::new();
    let Some(of) = store.catalog().await?.find(Market::Um, symbol) else { return Ok(all) };
    for event in store.inputs(of, from, metrics_known_at(to).plus(MINUTE)).await? {
        let EventKind::Input(Input { as_of, value, .. }) = event.kind else { continue };
        if as_of < from || as_of >= to {
            continue;
        }
        match value {
            Value::OpenInterest(interest) => {
                all.entry(as_of).or_default().open_interest = Some(interest);
            }
            Value::LongShortRatio(ratio) => {
                all.entry(as_of).or_default().long_short_ratio = Some(ratio);
            }
            Value::TopTraderRatio(ratio) => {
                all.entry(as_of).or_default().top_trader_ratio = Some(ratio);
            }
            _ => {}
        }
    }
    Ok(all)
}
