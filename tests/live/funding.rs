//! Settled funding, health and figures of a live node.

use std::collections::BTreeMap;
use std::time::Duration;

use arb::monitor::opportunities;
use arb::port::{Desk as _, MarketStore as _, MeasureValue};
use arb::record::log::{LogCursor, LogRecord};
use arb::stats::start_of_year;
use arb::time::HOUR;
use arb::{Decimal, EventKind, InstrumentId, Market, Rule, Timestamp};

use super::support::{Venue, builtin, until};

/// 2026-02-20 03:00 UTC: everything was listed 40 days earlier, in the year.
const EPOCH: i64 = 1_771_556_400_000;

/// How often the log of a stopped node tells each settlement.
fn told_settlements(
    folder: &std::path::Path,
    records: u64,
) -> BTreeMap<(InstrumentId, Timestamp), usize> {
    let mut cursor = LogCursor::new(folder.join("log"), 0);
    let mut told = BTreeMap::new();
    while let Some(record) = cursor.next(records).unwrap() {
        if let LogRecord::Event(event) = record
            && let EventKind::Funding(settled) = event.kind
        {
            *told.entry((settled.instrument, settled.funding_time)).or_default() += 1;
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn settlements_are_told_once_over_restarts_and_the_year_is_known_when_it_is_whole() {
    let epoch = Timestamp::from_millis(EPOCH);
    let venue = Venue::start(epoch, 1, &["BTCUSDT", "SUIUSDT", "MOVEUSDT"]).await;
    let folder = tempfile::tempdir().unwrap();
    let options = || {
        let strategies = vec![builtin("v51_baseline")];
        venue.options(folder.path(), &["BTCUSDT"], strategies, Duration::from_secs(60))
    };
    let mut records = 0;
    for _ in 0..2 {
        let live = options().start(|_| {}).await.unwrap();
        let (store, catalog) = (live.store().clone(), live.catalog().clone());
        // Of every perpetual: the whole year, and what is paid is known only then.
        until(|| async {
            let rows = opportunities(&*store, &catalog, Decimal::ZERO).await.unwrap();
            let mut whole = 0;
            for row in &rows {
                let of = catalog.find(Market::Um, &row.symbol).unwrap();
                let year = start_of_year(epoch);
                let settled = store.funding(of, year, epoch).await.unwrap();
                let first = settled.first().map(|first| first.funding_time);
                let listed = epoch.plus(-40 * 24 * HOUR);
                let reaches_back = first.is_some_and(|first| first.since(listed) <= 9 * HOUR);
                assert!(row.year_to_date.is_none() || reaches_back, "{row:?}");
                whole += usize::from(row.year_to_date.is_some() && row.seven_days.is_some());
            }
            (whole == 3).then_some(())
        })
        .await;
        records = live.stop().await.unwrap().records;
    }
    let told = told_settlements(folder.path(), records);
    // BTC settles every 8 hours, SUI every 4, MOVE every hour, and thirty days were told.
    assert!(told.len() >= 30 * (3 + 6 + 24) - 3, "{}", told.len());
    assert!(told.values().all(|times| *times == 1), "each of them once");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_figures_of_the_feed_reach_the_node() {
    let venue = Venue::start(Timestamp::from_millis(EPOCH), 1, &["BTCUSDT", "SUIUSDT"]).await;
    let folder = tempfile::tempdir().unwrap();
    let strategies = vec![builtin("v51_baseline")];
    let options = venue.options(folder.path(), &["BTCUSDT"], strategies, Duration::from_secs(60));
    let live = options.start(|_| {}).await.unwrap();
    let handle = live.node().handle();
    until(|| async {
        let view = handle.snapshot();
        let measured = |rule| {
            view.rules.iter().any(|reading| reading.rule == rule && reading.actual.is_some())
        };
        (measured(Rule::StaleConnection) && measured(Rule::Peg)).then_some(())
    })
    .await;
    let figures = || {
        let mut all = BTreeMap::new();
        for measure in handle.measures() {
            let label = measure.label.map(|(_, value)| value).unwrap_or_default();
            if let MeasureValue::Number(value) = measure.value {
                all.insert((measure.name, label), value);
            }
        }
        all
    };
    let figure = |name, label: &str| figures().get(&(name, label.to_owned())).copied();
    for line in ["market", "public", "spot", "coinbase"] {
        until(|| async { figure("arb_feed_frames_total", line).filter(|count| *count > 0.0) })
            .await;
        assert_eq!(figure("arb_feed_connections_total", line), Some(1.0), "{line}");
        assert!(figure("arb_feed_silence_seconds", line).is_some_and(|secs| secs < 60.0));
    }
    assert!(figure("arb_requests_used", "futures_weight").unwrap() > 20.0);
    assert_eq!(figure("arb_requests_limit", "funding"), Some(500.0));
    assert_eq!(figure("arb_feed_undecodable_frames_total", ""), Some(0.0));
    live.stop().await.unwrap();
}
