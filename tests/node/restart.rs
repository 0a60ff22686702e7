//! A node that is killed at any moment stands where it stood, and misses nothing that can be
//! fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use arb::node::{Node, Started};
use arb::port::{IndicatorRow, Mode, Page, SignalFilter, Store, TradeFilter};
use arb::record::log::LogView;
use arb::record::{Tolerance, parity};
use arb::{Decimal, Timestamp};

use super::support::{BTC, Place, Script, clock, config};

/// What a run of many lives leaves behind.
pub struct Left {
    pub started: Vec<Started>,
}

/// Lives of a node from the script's beginning to its end: each is killed at the given time, and
/// the next one begins some seconds later.
pub fn lives(place: &Place, script: &Script, kills: &[(Timestamp, i64)]) -> Left {
    let mut begins = script.begins();
    let mut started = Vec::new();
    for (at, pause_ms) in kills {
        started.push(life(place, script, begins, Some(*at)));
        begins = at.plus(pause_ms * 1_000_000);
    }
    started.push(life(place, script, begins, None));
    Left { started }
}

fn life(place: &Place, script: &Script, begins: Timestamp, killed: Option<Timestamp>) -> Started {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let node = runtime.block_on(async {
        let clock = clock(begins);
        let mut options = place.options(config(), &clock);
        options.feeds = vec![script.feed(&clock)];
        let mut node = Node::start(options).await.unwrap();
        let started = node.started().clone();
        match killed {
            Some(at) => {
                tokio::time::sleep(clock.wait(at)).await;
                Err((started, node))
            }
            None => {
                node.feeds_ended().await;
                node.stop().await.unwrap();
                Ok(started)
            }
        }
    });
    match node {
        Ok(started) => started,
        Err((started, node)) => {
            // Nothing runs to its end: what was in memory is gone with the runtime. Only a write
            // that the kernel already has is finished, as after a real death.
            std::mem::forget(node);
            runtime.shutdown_timeout(Duration::from_secs(10));
            started
        }
    }
}

async fn rows(place: &Place) -> BTreeMap<Timestamp, IndicatorRow> {
    let (catalog, _) = place.stored().await;
    let listed = catalog.listed(BTC).unwrap();
    let rows = place.store.indicators(listed, Timestamp::EPOCH, Timestamp::MAX).await.unwrap();
    rows.into_iter().map(|row| (row.time, row)).collect()
}

/// The sums of a row: what never depends on how long a process has run.
fn sums(row: &IndicatorRow) -> (Decimal, Decimal, Decimal, Option<f64>, Option<f64>) {
    (row.cvd_fast, row.cvd_mid, row.cvd_day, row.vwap_30m, row.atr_5m)
}

pub fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Every claim about a run of many lives, whose rows a run without deaths must have, too.
pub async fn check(place: &Place, script: &Script, never: &BTreeMap<Timestamp, IndicatorRow>) {
    let (_, stored) = place.stored().await;
    let given = script.trades();
    assert_eq!(stored.len(), given.len(), "every trade once");
    assert_eq!(stored, given);
    let replayed = place.replayed();
    assert_eq!(replayed.difference, None);
    let killed = rows(place).await;
    let mut compared = 0;
    for (time, row) in killed.iter().filter(|(_, row)| row.complete) {
        let Some(other) = never.get(time) else { continue };
        assert_eq!(sums(row), sums(other), "at {time}");
        compared += 1;
    }
    assert!(compared > 100, "{compared} of {} rows", killed.len());
    tables_are_those_of_the_log(place).await;
}

/// The rows of a run that nobody kills.
pub fn rows_of_one_life(script: &Script) -> BTreeMap<Timestamp, IndicatorRow> {
    let place = Place::new();
    lives(&place, script, &[]);
    now(rows(&place))
}

/// Signals, trades, orders in the store are what the log's replay says.
async fn tables_are_those_of_the_log(place: &Place) {
    let open = || LogView::open(&place.log()).unwrap();
    let found = parity(open(), open(), Tolerance::default(), &mut |_| {}).unwrap();
    assert!(found.identical);
    let [contents, _] = &found.contents;
    let store: &dyn Store = &*place.store;
    let all = Page::first(1 << 20);
    let signals = store.signals(&SignalFilter::default(), all).await.unwrap();
    // The view leaves out the last event of a log that is not sealed.
    assert!(signals.len() as u64 - contents.signals <= 1);
    let trades = store.own_trades(&TradeFilter::all(Mode::Paper), all).await.unwrap();
    let mut ids: Vec<u64> = trades.iter().map(|trade| trade.trade).collect();
    ids.dedup();
    assert_eq!(ids.len(), trades.len(), "each trade has one row");
}

/// Numbers that look random and are the same every time.
pub fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[test]
fn a_run_of_many_deaths_stores_every_trade_once_and_sums_as_if_it_had_never_died() {
    let (place, script) = (Place::new(), Script::new(21, 12_000, 40));
    let mut next = random(7);
    let span = script.ends().since(script.begins()) / 1_000_000;
    let mut at: Vec<i64> = (0..25).map(|_| next(span as u64) as i64).collect();
    at.sort_unstable();
    let kills: Vec<(Timestamp, i64)> = at
        .into_iter()
        .map(|ms| {
            (script.begins().plus(ms * 1_000_000), [0, 300, 20_000, 180_000][next(4) as usize])
        })
        .collect();
    let left = lives(&place, &script, &kills);
    assert!(left.started.iter().any(|started| started.snapshot > 0), "snapshots were used");
    now(check(&place, &script, &rows_of_one_life(&script)));
}

#[test]
fn a_stop_and_a_start_at_once_lose_no_tick() {
    let (place, script) = (Place::new(), Script::new(22, 4_000, 40));
    let middle = script.begins().plus(script.ends().since(script.begins()) / 2);
    lives(&place, &script, &[(middle, 0)]);
    now(check(&place, &script, &rows_of_one_life(&script)));
}
