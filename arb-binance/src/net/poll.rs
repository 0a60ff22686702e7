//! What is asked for in turns: settlements, open interest, ratios, funding intervals.
//!
//! Settlements come by one request for all symbols after each full hour, because intervals differ
//! and change. Open interest weighs 1 and is asked for every minute, of scored instruments only.
//! Ratios have a budget of their own: scored instruments are asked for in every period of five
//! minutes, the rest in rotation within what is left of four fifths of it.
//!
//! Invariant: a value is told with the time the venue names; what was told before is not told
//! again, so a slow venue repeats nothing.

mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::Clock;
use arb_core::time::{DAY, HOUR, MINUTE};
use arb_core::{EventKind, FundingSettled, Input, InputValue, InstrumentId, Timestamp, VenueError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::schedule::{Rotation, SETTLED_AFTER, next_ratios, next_settlements};
use super::rest::{FuturesRest, RatioKind};
use crate::wire::MarkUpdate;

/// Perpetuals without a known settlement up to which each is asked for by itself.
const FEW: usize = 50;
/// Rows of `fundingRate` in one answer.
const FUNDING_PAGE: usize = 1_000;
/// The interval of symbols that `fundingInfo` leaves out.
const USUAL_INTERVAL_HOURS: u8 = 8;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct PollConfig {
    /// Perpetuals that are scored: open interest and ratios first.
    pub scored: Vec<(InstrumentId, String)>,
    /// All other perpetuals: ratios in rotation.
    pub others: Vec<(InstrumentId, String)>,
    /// The last settlement that is known of each perpetual of which one is.
    pub settled: BTreeMap<InstrumentId, Timestamp>,
    /// How far back settlements are read where none is known.
    pub funding_history: Duration,
}

/// A poller; dropping it ends its tasks.
#[derive(Debug)]
pub(super) struct Poller {
    _tasks: JoinSet<()>,
}

/// What a poll brought, or why it failed.
#[derive(Debug)]
pub(super) enum Polled {
    Events(Vec<EventKind>),
    /// Marks and rates of all perpetuals, until the streams tell them.
    Marks(Vec<MarkUpdate>),
    Failed {
        what: &'static str,
        error: VenueError,
    },
}

struct Shared {
    rest: FuturesRest,
    clock: Arc<dyn Clock>,
    config: PollConfig,
    out: mpsc::Sender<Polled>,
}

impl Poller {
    pub(super) fn start(
        rest: FuturesRest,
        clock: Arc<dyn Clock>,
        config: PollConfig,
        out: mpsc::Sender<Polled>,
    ) -> Self {
        let shared = Arc::new(Shared { rest, clock, config, out });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&shared).marks());
        tasks.spawn(Arc::clone(&shared).settlements());
        tasks.spawn(Arc::clone(&shared).intervals());
        tasks.spawn(Arc::clone(&shared).open_interest());
        tasks.spawn(shared.ratios());
        Self { _tasks: tasks }
    }
}

impl Shared {
    async fn tell(&self, events: Vec<EventKind>) {
        if !events.is_empty() {
            // The feed has ended when nobody takes it, and this task with it.
            let _ = self.out.send(Polled::Events(events)).await;
        }
    }

    async fn fail(&self, what: &'static str, error: VenueError) {
        let _ = self.out.send(Polled::Failed { what, error }).await;
    }

    async fn until(&self, at: Timestamp) {
        let wait = self.clock.wait(at).max(Duration::from_millis(10));
        tokio::time::sleep(wait).await;
    }

    fn perpetuals(&self) -> impl Iterator<Item = &(InstrumentId, String)> {
        self.config.scored.iter().chain(&self.config.others)
    }

    /// Once at the start: the array stream tells only what changes, and begins later.
    async fn marks(self: Arc<Self>) {
        if self.perpetuals().next().is_none() {
            return;
        }
        match self.rest.premium_index().await {
            Ok(page) => {
                let _ = self.out.send(Polled::Marks(page.rows)).await;
            }
            Err(error) => self.fail("marks of all perpetuals", error).await,
        }
    }

    async fn settlements(self: Arc<Self>) {
        let oldest = self.clock.now().plus(-arb_core::time::nanos(self.config.funding_history));
        let mut told = BTreeSet::new();
        let mut from = self.first_settlements(oldest, &mut told).await;
        loop {
            match self.settled_since(&mut from, &mut told).await {
                Ok(events) => self.tell(events).await,
                Err(error) => self.fail("settled funding", error).await,
            }
            self.until(next_settlements(self.clock.now())).await;
        }
    }

    /// From when on the settlements of all perpetuals are asked for: behind the oldest that is the
    /// last known of its perpetual. Where few know none or only older ones, each of them is asked
    /// for by itself.
    async fn first_settlements(
        &self,
        oldest: Timestamp,
        told: &mut BTreeSet<(Timestamp, InstrumentId)>,
    ) -> Timestamp {
        let settled = &self.config.settled;
        let Some(newest) = settled.values().max() else { return oldest };
        let recent = newest.plus(-DAY);
        let is_behind =
            |each: &&(InstrumentId, String)| settled.get(&each.0).is_none_or(|last| *last < recent);
        let behind: Vec<&(InstrumentId, String)> = self.perpetuals().filter(is_behind).collect();
        if behind.len() > FEW {
            return oldest;
        }
        for (instrument, symbol) in behind {
            let from = settled.get(instrument).copied().unwrap_or(oldest).max(oldest);
            match self.rest.funding_rates(Some(symbol), from).await {
                Ok(page) => {
                    let fresh = |row: &FundingSettled| {
                        self.is_unknown(row) && told.insert((row.funding_time, row.instrument))
                    };
                    let rows = page.rows.into_iter().filter(fresh);
                    self.tell(rows.map(EventKind::Funding).collect()).await;
                }
                Err(error) => self.fail("settled funding", error).await,
            }
        }
        let known = settled.values().filter(|last| **last >= recent).min();
        known.map_or(oldest, |known| (*known).max(oldest))
    }

    /// Whether a settlement is later than what was known of its perpetual at the start.
    fn is_unknown(&self, row: &FundingSettled) -> bool {
        self.config.settled.get(&row.instrument).is_none_or(|last| row.funding_time > *last)
    }

    /// All settlements that were not told, page by page; `from` moves on to the last one.
    async fn settled_since(
        &self,
        from: &mut Timestamp,
        told: &mut BTreeSet<(Timestamp, InstrumentId)>,
    ) -> Result<Vec<EventKind>, VenueError> {
        let mut events = Vec::new();
        loop {
            let page = self.rest.funding_rates(None, *from).await?;
            let count = page.rows.len() + page.dropped.len();
            let last = page.rows.iter().map(|row| row.funding_time).max();
            let fresh = |row: &FundingSettled| {
                self.is_unknown(row) && told.insert((row.funding_time, row.instrument))
            };
            events.extend(page.rows.into_iter().filter(fresh).map(EventKind::Funding));
            match last {
                // The last time again, because a page may end inside it.
                Some(last) if last > *from => *from = last,
                _ => break,
            }
            if count < FUNDING_PAGE {
                break;
            }
        }
        told.retain(|(at, _)| *at >= *from);
        Ok(events)
    }

    async fn intervals(self: Arc<Self>) {
        let mut told: BTreeMap<InstrumentId, u8> = BTreeMap::new();
        loop {
            match self.rest.funding_info().await {
                Ok(page) => {
                    let terms = page.rows.iter().map(|row| (row.instrument, row.interval_hours));
                    let terms: BTreeMap<InstrumentId, u8> = terms.collect();
                    let now = self.clock.now();
                    let changed = self.perpetuals().filter_map(|(instrument, _)| {
                        let hours = *terms.get(instrument).unwrap_or(&USUAL_INTERVAL_HOURS);
                        let before = told.insert(*instrument, hours);
                        let value = InputValue::FundingIntervalHours(hours);
                        let input = Input { instrument: *instrument, as_of: now, value };
                        (before != Some(hours)).then_some(EventKind::Input(input))
                    });
                    let changed = changed.collect();
                    self.tell(changed).await;
                }
                Err(error) => self.fail("funding intervals", error).await,
            }
            let now = self.clock.now();
            self.until(now.floor_to(HOUR).plus(HOUR + 2 * SETTLED_AFTER)).await;
        }
    }

    async fn open_interest(self: Arc<Self>) {
        let mut told: BTreeMap<InstrumentId, Timestamp> = BTreeMap::new();
        for (_, symbol) in &self.config.scored {
            match self.rest.open_interest_history(symbol, 12).await {
                Ok(page) => self.tell(fresh(page.rows, &mut told)).await,
                Err(error) => self.fail("open interest", error).await,
            }
        }
        while !self.config.scored.is_empty() {
            for (_, symbol) in &self.config.scored {
                match self.rest.open_interest(symbol).await {
                    Ok(page) => self.tell(fresh(page.rows, &mut told)).await,
                    Err(error) => self.fail("open interest", error).await,
                }
            }
            let now = self.clock.now();
            self.until(now.floor_to(MINUTE).plus(MINUTE)).await;
        }
    }

    async fn ratios(self: Arc<Self>) {
        let mut told = [BTreeMap::new(), BTreeMap::new()];
        let mut rotation = Rotation::new(self.config.scored.len(), self.config.others.len());
        while self.perpetuals().next().is_some() {
            let turn = rotation.turn();
            let others = turn.filter_map(|place| self.config.others.get(place));
            for (_, symbol) in self.config.scored.iter().chain(others) {
                self.ratios_of(symbol, &mut told).await;
            }
            self.until(next_ratios(self.clock.now())).await;
        }
    }

    async fn ratios_of(&self, symbol: &str, told: &mut [BTreeMap<InstrumentId, Timestamp>; 2]) {
        for (kind, told) in [RatioKind::Accounts, RatioKind::TopPositions].into_iter().zip(told) {
            match self.rest.ratios(kind, symbol, 3).await {
                Ok(page) => {
                    let inputs = page.rows.into_iter().map(|ratio| match kind {
                        RatioKind::Accounts => ratio.of_accounts(),
                        RatioKind::TopPositions => ratio.of_top_positions(),
                    });
                    self.tell(fresh(inputs, told)).await;
                }
                Err(error) => self.fail("long/short ratio", error).await,
            }
        }
    }
}

/// The inputs that are newer than the last one told of their instrument.
fn fresh(
    inputs: impl IntoIterator<Item = Input>,
    told: &mut BTreeMap<InstrumentId, Timestamp>,
) -> Vec<EventKind> {
    let is_new = |input: &Input| {
        let last = told.entry(input.instrument).or_insert(Timestamp::EPOCH);
        let is_new = input.as_of > *last;
        *last = input.as_of.max(*last);
        is_new
    };
    inputs.into_iter().filter(is_new).map(EventKind::Input).collect()
}
