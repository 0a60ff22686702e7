//! Simulated hours of four symbols with something going wrong every few seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arb::port::{BookStore as _, IndicatorRow, Page, SignalFilter, SignalRow, TapeStore as _};
use arb::record::log::LogView;
use arb::record::replay;
use arb::sim::FaultPlan;
use arb::sqlite::SqliteStore;
use arb::{InstrumentId, Registry, Timestamp, Trade};

use super::ledger::{Compared, compare};
use super::place::{Place, SYMBOLS, resident_mb};

/// How much of a day.
struct Part {
    minutes: u64,
    history: Duration,
    activity_percent: u16,
    /// Between two looks at the memory.
    look_every: Duration,
}

/// Virtual time between two faults.
const FAULT_EVERY_MS: i64 = 5_000;

/// What a run of a part of a day gave.
struct Found {
    compared: Compared,
    trades: u64,
    gaps: u64,
    records: u64,
    fired: usize,
    /// Resident memory at each look, megabytes.
    memory_mb: Vec<u64>,
    took: Duration,
}

type Stored = (InstrumentId, Vec<Trade>, BTreeMap<Timestamp, IndicatorRow>);

async fn stored(store: &SqliteStore, catalog: &arb::port::Catalog, symbol: &str) -> Stored {
    let of = catalog.find(arb::Market::Um, symbol).unwrap();
    let trades = store.trades(of, 0, usize::MAX >> 1).await.unwrap();
    let rows = store.indicators(of, Timestamp::EPOCH, Timestamp::MAX).await.unwrap();
    (of.id, trades, rows.into_iter().map(|row| (row.time, row)).collect())
}

/// What may still be on its way when a node is stopped: the venue goes on.
const ON_ITS_WAY_MS: i64 = 10_000;

/// Every id once, each with the content the venue gave it, and none missing up to the present.
fn is_what_the_venue_said(place: &Place, symbol: &str, (id, trades, _): &Stored) {
    let said = place.trades(symbol, trades[0].id, *id);
    let ends = trades.len().min(said.len());
    assert!(trades[..ends] == said[..ends], "{symbol}: the store has what the venue said");
    if let Some((first, last)) = said.get(ends).zip(said.last()) {
        let lacks = last.ts.as_millis() - first.ts.as_millis();
        assert!(lacks < ON_ITS_WAY_MS, "{symbol}: the last {lacks} ms of the venue are not stored");
    }
}

fn no_signal_while_incomplete(signals: &[SignalRow], instruments: &[Stored]) -> usize {
    let fired: Vec<&SignalRow> = signals.iter().filter(|signal| signal.fired).collect();
    for signal in &fired {
        let index = usize::try_from(signal.instrument.0 - 1).unwrap();
        let row = &instruments[index].2[&signal.time];
        assert!(row.complete, "{signal:?}");
    }
    fired.len()
}

async fn run(seed: u64, part: &Part) -> Found {
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(seed, part.activity_percent).await;
    let live = place.start(folder.path(), part.history).await;
    place.storm(&FaultPlan::storm(seed, FAULT_EVERY_MS, Vec::new())).await;
    tokio::time::pause();
    let handle = live.node().handle();
    let mut memory_mb = Vec::new();
    let ends = tokio::time::Instant::now() + Duration::from_secs(60 * part.minutes);
    while tokio::time::Instant::now() < ends {
        tokio::time::sleep(part.look_every).await;
        memory_mb.push(resident_mb());
        // A day takes an hour and more: whoever waits sees that it goes on.
        println!(
            "{} looks, {} MB, {:.0} s",
            memory_mb.len(),
            resident_mb(),
            started.elapsed().as_secs_f64()
        );
    }
    // What is still missing is fetched in calm weather.
    place.calm().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    // The store works in real time, and is behind.
    tokio::time::resume();
    let store = std::sync::Arc::clone(live.store());
    let catalog = live.catalog().clone();
    while handle.metrics().store_lag > 2_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let metrics = handle.metrics();
    let stopped = live.stop().await.unwrap();
    assert_eq!(stopped.store_lag, 0);
    let mut instruments = Vec::new();
    for symbol in SYMBOLS {
        let all = stored(&store, &catalog, symbol).await;
        is_what_the_venue_said(&place, symbol, &all);
        instruments.push(all);
    }
    let compared = compare(&folder.path().join("log"), &instruments);
    let page = Page::first(1 << 24);
    let signals = store.signals(&SignalFilter::default(), page).await.unwrap();
    let fired = no_signal_while_incomplete(&signals, &instruments);
    let view = LogView::open(&folder.path().join("log")).unwrap();
    assert_eq!(replay(view, Registry::builtin()).unwrap().difference, None);
    let trades = instruments.iter().map(|(_, trades, _)| trades.len() as u64).sum();
    let (gaps, records, took) = (metrics.gaps, stopped.records, started.elapsed());
    Found { compared, trades, gaps, records, fired, memory_mb, took }
}

fn tell(part: &Part, found: &Found) {
    let Found { compared, trades, gaps, records, fired, memory_mb, took } = found;
    println!(
        "{} virtual minutes in {:.0} s: {trades} trades stored, {gaps} holes and lost contacts, \
         {records} records; rows complete {}, of them behind a late trade {}, incomplete {}; \
         {fired} signals fired; memory MB {memory_mb:?}",
        part.minutes,
        took.as_secs_f64(),
        compared.complete,
        compared.late,
        compared.incomplete,
    );
}

/// What every part of a day must show.
fn check(found: &Found) {
    assert!(found.gaps > 20, "{} holes: the weather was too good", found.gaps);
    assert!(found.compared.complete > 20, "{:?}", found.compared);
    assert!(found.compared.incomplete > 0, "{:?}", found.compared);
}

#[tokio::test]
async fn half_an_hour_of_faults_loses_no_trade_and_every_sum_is_right() {
    let part = Part {
        minutes: 30,
        history: Duration::from_secs(4 * 3_600 + 1_800),
        activity_percent: 10,
        look_every: Duration::from_secs(300),
    };
    let found = run(41, &part).await;
    tell(&part, &found);
    check(&found);
}

#[tokio::test]
#[ignore = "slow: scripts/soak"]
async fn a_day_of_faults_loses_no_trade_and_memory_stays_flat() {
    let part = Part {
        minutes: 24 * 60,
        // The day's windows are full from the beginning, so memory has no reason to grow.
        history: Duration::from_secs(24 * 3_600 + 900),
        activity_percent: 100,
        look_every: Duration::from_secs(3_600),
    };
    let found = run(42, &part).await;
    tell(&part, &found);
    check(&found);
    let (first, last) = found.memory_mb.split_at(found.memory_mb.len() / 2);
    let most = |part: &[u64]| part.iter().copied().max().unwrap();
    assert!(most(last) * 100 <= most(first) * 115, "memory grows: {:?}", found.memory_mb);
}
