//! Trades of the past by REST, so that windows are complete soon after the first start.
//!
//! Invariant: what is stored has no hole that the venue could have filled: pages follow each other
//! by id, and reading goes on behind what is stored already. An engine takes the history of an
//! instrument before the instrument's first live event and never after, so all of it is read
//! before the node starts.

use std::time::Duration;

use arb_binance::net::{FuturesRest, TradeRange, Watched};
use arb_core::port::{Catalog, Clock, Listed, TapeStore as _};
use arb_core::time::{HOUR, nanos};
use arb_core::{Market, Timestamp, Trade};
use arb_store::sqlite::SqliteStore;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::{LiveError, venue};

/// Trades of one answer.
const PAGE: u16 = 1_000;
/// A search by time must be shorter than an hour.
const SPAN: i64 = HOUR - 1;

/// How far the history of a symbol is.
#[derive(Clone, Debug)]
pub struct HistoryProgress {
    /// The symbol.
    pub symbol: String,
    /// Where reading began.
    pub from: Timestamp,
    /// The last trade read.
    pub to: Timestamp,
    /// The present, where it ends.
    pub until: Timestamp,
    /// Trades read.
    pub trades: u64,
}

/// Where history comes from and goes to.
#[derive(Clone, Copy)]
pub(super) struct History<'a> {
    pub(super) venue: &'a FuturesRest,
    pub(super) store: &'a SqliteStore,
    pub(super) catalog: &'a Catalog,
    pub(super) clock: &'a dyn Clock,
}

impl History<'_> {
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

    /// Reads the history of every instrument with order flow into the store.
    pub(super) async fn read(
        self,
        watched: &[Watched],
        length: Duration,
        progress: &(impl Fn(&HistoryProgress) + Sync),
    ) -> Result<(), LiveError> {
        let with_flow = watched.iter().filter(|each| each.order_flow && each.market == Market::Um);
        let mut readings: FuturesUnordered<_> =
            with_flow.map(|each| Reading { history: self, each }.read(length, progress)).collect();
        while let Some(read) = readings.next().await {
            read?;
        }
        Ok(())
    }
}

/// One instrument being read.
struct Reading<'a> {
    history: History<'a>,
    each: &'a Watched,
}

impl Reading<'_> {
    async fn read(
        self,
        length: Duration,
        progress: &(impl Fn(&HistoryProgress) + Sync),
    ) -> Result<(), LiveError> {
        let from = self.history.clock.now().plus(-nanos(length));
        let Some(mut next) = self.first_id(from).await? else { return Ok(()) };
        let mut told = HistoryProgress {
            symbol: self.each.symbol.clone(),
            from,
            to: from,
            until: self.history.clock.now(),
            trades: 0,
        };
        loop {
            let page = self.page(TradeRange::From(next), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.history.store.append_trades(self.history.catalog, &page).await?;
            next = last.id + 1;
            told.to = last.ts;
            told.until = self.history.clock.now();
            told.trades += u64::try_from(page.len()).unwrap_or_default();
            progress(&told);
            if page.len() < usize::from(PAGE) {
                return Ok(());
            }
        }
    }

    /// The first id to read: behind what is stored where that reaches back far enough.
    async fn first_id(&self, from: Timestamp) -> Result<Option<u64>, LiveError> {
        let of: Listed = self.history.catalog.listed(self.each.instrument)?;
        if let Some(extent) = self.history.store.extent(of.key).await?
            && extent.first_time <= from
            && extent.last_time >= from
        {
            return Ok(Some(extent.last_id + 1));
        }
        let mut begin = from;
        while begin < self.history.clock.now() {
            let range = TradeRange::Between(begin, begin.plus(SPAN));
            if let Some(first) = self.page(range, 1).await?.first() {
                return Ok(Some(first.id));
            }
            begin = begin.plus(SPAN);
        }
        Ok(None)
    }

    async fn page(&self, range: TradeRange, limit: u16) -> Result<Vec<Trade>, LiveError> {
        let Watched { symbol, instrument, .. } = self.each;
        let page = self.history.venue.agg_trades(symbol, *instrument, range, limit).await;
        Ok(page.map_err(venue(format!("{symbol}: history")))?.rows)
    }
}
