//! The funding carry on paper, over both markets of the venue.

use std::time::Duration;

use arb::port::{BookStore as _, Desk as _, MarketStore as _, Mode, Page};
use arb::time::SECOND;
use arb::{CarryNote, CarryStatus, Decimal, Market, Money, StrategyText, Timestamp};

use super::support::{Venue, until};

/// 2026-03-10 08:00 UTC, when all symbols settle.
const SETTLEMENT: i64 = 1_773_129_600_000;

/// Opens whatever pays its costs within a quarter of a year.
const EAGER: &str = r#"{
  "kind": "funding_carry", "name": "eager_carry", "symbols": ["1000PEPEUSDT", "BTCUSDT"],
  "notional_ratio": "0.1", "horizon_days": 90, "min_net_apr": 0.0, "exit_apr": -100.0,
  "exit_settlements": 1000, "max_basis_bps": 10000, "min_basis_hours": 0, "cool_down_minutes": 0
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_opens_on_paper_holds_over_a_settlement_and_books_its_funding() {
    let boundary = Timestamp::from_millis(SETTLEMENT);
    let epoch = boundary.plus(-240 * SECOND);
    let venue = Venue::start(epoch, 15, &["BTCUSDT", "1000PEPEUSDT", "ETHUSDT"]).await;
    let folder = tempfile::tempdir().unwrap();
    let eager = StrategyText { file: "eager.json".to_owned(), text: EAGER.to_owned() };
    // BTC has order flow by request, PEPE because the strategy carries it, ETH has neither.
    let options = venue.options(folder.path(), &["BTCUSDT"], vec![eager], Duration::from_secs(60));
    let live = options.start(|_| {}).await.unwrap();
    let named = |market, symbol| live.catalog().find(market, symbol).map(|of| of.id);
    let (btc, pepe) = (named(Market::Um, "BTCUSDT"), named(Market::Um, "1000PEPEUSDT").unwrap());
    assert!(named(Market::Spot, "BTCUSDT").is_some() && named(Market::Spot, "ETHUSDT").is_none());

    let coins = |perp| Decimal::from(if perp == pepe { 1_000 } else { 1 });
    let hedged = |note: &CarryNote| {
        let short = note.perp_qty.to_decimal() * coins(note.perp);
        let held = note.spot_qty.to_decimal().checked_div(short).unwrap_or_default();
        (held - Decimal::ONE).abs() < Decimal::new(5, 3)
    };
    let desk = live.node().handle();
    let opened = until(|| async {
        let view = desk.snapshot();
        let found = view.pairs.iter().find(|note| note.status == CarryStatus::Open && hedged(note));
        found.cloned()
    })
    .await;
    assert!(opened.opened_at < boundary, "{opened:?}");
    let spot = if opened.perp == pepe { "PEPEUSDT" } else { "BTCUSDT" };
    assert_eq!(Some(opened.spot), named(Market::Spot, spot));
    assert!(opened.perp == pepe || Some(opened.perp) == btc);
    // Both markets of the pair are quoted, so hosts see what could be traded, and the store has it.
    until(|| async { desk.snapshot().rate(opened.perp)?.tradable_basis }).await;
    let stored = until(|| async {
        let rates = live.store().latest_rates(live.catalog()).await.unwrap();
        rates.iter().find(|row| row.instrument == opened.perp)?.tradable_basis
    });
    assert!(stored.await.abs() < Decimal::new(1, 2));

    let store = live.store();
    let perp = live.catalog().key(opened.perp).unwrap();
    let booked = until(|| async {
        let booked = store.funding_ledger(Mode::Paper, Page::first(10)).await.unwrap();
        booked.into_iter().find(|row| row.instrument == perp)
    })
    .await;
    assert_eq!(booked.funding_time, boundary);
    assert!(!booked.approx, "at the venue's own mark");
    let paid = booked.paid;
    assert_ne!(paid, Money::ZERO);
    let row = until(|| async {
        let pairs = store.carry_pairs(Mode::Paper, Page::first(10)).await.unwrap();
        pairs.into_iter().find(|row| row.pair == opened.id && row.funding == paid)
    })
    .await;
    assert_eq!(row.status, CarryStatus::Open, "it is still held");
    live.stop().await.unwrap();
}
