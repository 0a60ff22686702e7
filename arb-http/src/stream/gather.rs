//! What a turn looks at, and what of it is news.
//!
//! Invariant: a turn reads copies that the desk has anyway, and asks the store for trades behind
//! the last id it saw; without news it writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{DecisionRow, Listed, RateSnapshot, View};
use arb_core::{InstrumentId, Price, Qty, RiskState, Timestamp, Trade, TradeStatus};
use tokio::time::Instant;

use super::message::{Content, Draft};
use super::payload;
use crate::app::App;
use crate::coins::Coins;
use crate::error::ApiError;

const RATES: Duration = Duration::from_secs(1);
const POSITIONS: Duration = Duration::from_secs(2);
const RISK: Duration = Duration::from_secs(5);
const TRADES: Duration = Duration::from_millis(500);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Trades of a perpetual in one message at most; the newest come, older ones are in the store.
const MOST_TRADES: usize = 500;
/// Trades of a perpetual that the present state shows.
const FIRST_TRADES: usize = 30;

/// What was told before.
#[derive(Debug)]
pub(super) struct Gather {
    rates: Every<Arc<[RateSnapshot]>>,
    last_rates: Option<Content>,
    signals: BTreeMap<(String, InstrumentId), Timestamp>,
    rows: BTreeMap<InstrumentId, Timestamp>,
    positions: Every<Vec<Held>>,
    risk: Every<(RiskState, bool)>,
    trades: Every<()>,
    next_ids: BTreeMap<String, u64>,
    heartbeat: Every<()>,
}

/// What makes positions other ones; prices alone do not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    id: u64,
    status: TradeStatus,
    open_qty: Qty,
    stop_price: Price,
}

/// When something was told, and what it was.
#[derive(Debug)]
struct Every<T> {
    at: Option<(Instant, T)>,
}

impl<T> Every<T> {
    const fn never() -> Self {
        Self { at: None }
    }

    fn is_due(&self, now: Instant, after: Duration) -> bool {
        self.at.as_ref().is_none_or(|(at, _)| now.duration_since(*at) >= after)
    }

    fn last(&self) -> Option<&T> {
        self.at.as_ref().map(|(_, last)| last)
    }

    fn told(&mut self, now: Instant, what: T) {
        self.at = Some((now, what));
    }
}

impl Gather {
    /// Nothing was told, so the first turn tells everything.
    pub(super) fn new() -> Self {
        Self {
            rates: Every::never(),
            last_rates: None,
            signals: BTreeMap::new(),
            rows: BTreeMap::new(),
            positions: Every::never(),
            risk: Every::never(),
            trades: Every::never(),
            next_ids: BTreeMap::new(),
            heartbeat: Every::never(),
        }
    }

    /// The news since the last turn.
    pub(super) async fn turn(&mut self, app: &App) -> Vec<Draft> {
        let now = Instant::now();
        let view = app.host.desk.snapshot();
        let coins = Coins::new(&app.host.symbols);
        let mut news = Vec::new();
        news.extend(self.rates(now, &view, coins));
        self.decisions(&view, coins, &app.host.desk.decisions(), &mut news);
        news.extend(self.risk(now, &view));
        news.extend(self.positions(now, &view, app).await);
        if self.trades.is_due(now, TRADES) {
            self.trades.told(now, ());
            if let Err(error) = self.trades(app, &mut news).await {
                tracing::debug!(?error, "streams cannot read trades at this moment");
            }
        }
        if self.heartbeat.is_due(now, HEARTBEAT) {
            self.heartbeat.told(now, ());
            let ts = app.host.clock.now().as_millis().div_euclid(1_000);
            news.extend(payload::heartbeat(ts));
        }
        news
    }

    fn rates(&mut self, now: Instant, view: &View, coins: Coins<'_>) -> Option<Draft> {
        let same = self.rates.last().is_some_and(|last| Arc::ptr_eq(last, &view.rates));
        if same || !self.rates.is_due(now, RATES) {
            return None;
        }
        self.rates.told(now, Arc::clone(&view.rates));
        let draft = payload::rates(view, coins)?;
        let is_news = self.last_rates.as_ref() != Some(&draft.content);
        self.last_rates = Some(draft.content.clone());
        is_news.then_some(draft)
    }

    fn decisions(
        &mut self,
        view: &View,
        coins: Coins<'_>,
        decisions: &[DecisionRow],
        news: &mut Vec<Draft>,
    ) {
        for row in decisions {
            let key = (row.strategy.clone(), row.instrument);
            if self.signals.get(&key).is_none_or(|told| *told < row.time) {
                self.signals.insert(key, row.time);
                news.extend(payload::signal(view, coins, row));
            }
        }
        for row in view.rows.iter() {
            let (id, indicators) = row;
            if self.rows.get(id).is_none_or(|told| *told < indicators.time) {
                self.rows.insert(*id, indicators.time);
                // The score that an indicator row shows is that of the first active strategy.
                let first = view.settings.enabled_strategies.first();
                let decision = decisions
                    .iter()
                    .find(|each| each.instrument == *id && Some(&each.strategy) == first);
                news.extend(payload::indicators(view, coins, row, decision));
            }
        }
    }

    fn risk(&mut self, now: Instant, view: &View) -> Option<Draft> {
        let state = (view.risk_state, view.settings.enabled);
        if self.risk.last() == Some(&state) && !self.risk.is_due(now, RISK) {
            return None;
        }
        self.risk.told(now, state);
        payload::risk(view)
    }

    async fn positions(&mut self, now: Instant, view: &View, app: &App) -> Option<Draft> {
        let held: Vec<Held> = view.trades.iter().map(Held::from).collect();
        let is_same = self.positions.last() == Some(&held);
        if is_same && (held.is_empty() || !self.positions.is_due(now, POSITIONS)) {
            return None;
        }
        if !is_same && let Err(error) = learn(app, view).await {
            tracing::debug!(?error, "streams cannot read the factors of trades at this moment");
        }
        self.positions.told(now, held);
        payload::positions(view, &app.factors)
    }

    async fn trades(&mut self, app: &App, news: &mut Vec<Draft>) -> Result<(), ApiError> {
        let coins = Coins::new(&app.host.symbols);
        let catalog = app.catalog.of(&*app.host.store).await?;
        for symbol in coins.symbols() {
            let Ok((of, _)) = coins.find(&catalog, symbol) else { continue };
            let new = self.new_trades(app, symbol, of).await?;
            if let Some(last) = new.last() {
                self.next_ids.insert(symbol.to_owned(), last.id + 1);
                news.extend(payload::trades(coins, symbol, &new));
            }
        }
        Ok(())
    }

    async fn new_trades(
        &self,
        app: &App,
        symbol: &str,
        of: Listed,
    ) -> Result<Vec<Trade>, ApiError> {
        let store = &app.host.store;
        let Some(next) = self.next_ids.get(symbol) else {
            return Ok(store.latest_trades(of, FIRST_TRADES).await?);
        };
        let new = store.trades(of, *next, MOST_TRADES).await?;
        if new.len() < MOST_TRADES {
            return Ok(new);
        }
        // More than a message holds has come: a stream shows the present.
        let newest = store.latest_trades(of, MOST_TRADES).await?;
        Ok(newest.into_iter().filter(|trade| trade.id >= *next).collect())
    }
}

impl From<&arb_core::TradeNote> for Held {
    fn from(note: &arb_core::TradeNote) -> Self {
        let (id, status) = (note.id, note.status);
        Self { id, status, open_qty: note.open_qty, stop_price: note.stop_price }
    }
}

async fn learn(app: &App, view: &View) -> Result<(), ApiError> {
    let catalog = app.catalog.of(&*app.host.store).await?;
    app.factors.learn(&*app.host.store, &catalog, view).await
}
