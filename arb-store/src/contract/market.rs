//! Claims about funding, inputs and rates.

use arb_core::port::{RateSnapshot, Store};
use arb_core::time::{HOUR, MINUTE, SECOND};
use arb_core::{
    Decimal, Direction, Event, EventKind, FeedState, FundingSettled, Input, InputValue,
    InstrumentId, Money, StoreError, Timestamp,
};

use super::{BTC, ETH, START, catalog, listed};

fn settled(at: Timestamp, rate: &str) -> FundingSettled {
    FundingSettled {
        instrument: BTC,
        funding_time: at,
        rate: rate.parse().unwrap(),
        mark_price: Some("28140.5".parse().unwrap()),
    }
}

fn funding(settled: FundingSettled) -> Event {
    Event { at: settled.funding_time.plus(MINUTE), kind: EventKind::Funding(settled) }
}

fn input(at: Timestamp, as_of: Timestamp, value: InputValue) -> Event {
    Event { at, kind: EventKind::Input(Input { instrument: BTC, as_of, value }) }
}

/// The range is half open; other instruments have none.
pub async fn settled_funding_is_stored_once(store: &impl Store) {
    let catalog = catalog(store).await;
    let times = [0, 8, 16, 24].map(|hours| START.plus(hours * HOUR));
    let given = times.map(|at| settled(at, "-0.00012345"));
    let events = given.map(funding);
    store.append_market(&catalog, &events).await.unwrap();
    store.append_market(&catalog, &events[1..]).await.unwrap();
    let of = listed(&catalog, BTC);
    assert_eq!(store.funding(of, times[1], times[3]).await.unwrap(), given[1..3]);
    assert_eq!(store.funding(of, START, Timestamp::MAX).await.unwrap(), given);
    assert!(store.funding(of, times[3], times[1]).await.unwrap().is_empty());
    let eth = listed(&catalog, ETH);
    assert!(store.funding(eth, START, Timestamp::MAX).await.unwrap().is_empty());
}

/// The venue does not change its mind; a difference is an error of somebody.
pub async fn a_settlement_with_another_rate_is_a_conflict(store: &impl Store) {
    let catalog = catalog(store).await;
    store.append_market(&catalog, &[funding(settled(START, "0.0001"))]).await.unwrap();
    store.append_market(&catalog, &[funding(settled(START, "0.00010"))]).await.unwrap();
    let later = funding(settled(START.plus(HOUR), "0.0003"));
    let other = [later, funding(settled(START, "0.0002"))];
    let error = store.append_market(&catalog, &other).await.unwrap_err();
    let StoreError::Conflict { table, key, .. } = &error else { panic!("{error}") };
    assert_eq!(*table, "funding_rates");
    assert!(key.contains("um:BTCUSDT"), "{key}");
    let of = listed(&catalog, BTC);
    let stored = store.funding(of, START, Timestamp::MAX).await.unwrap();
    assert_eq!(stored, [settled(START, "0.0001")], "nothing of the slice is stored");
}

/// Floats that have no short decimal form, amounts beyond 64 bits, nanoseconds.
pub async fn inputs_come_back_to_the_last_bit_in_the_order_they_became_known(store: &impl Store) {
    let catalog = catalog(store).await;
    let money = |text: &str| Money::round(text.parse().unwrap());
    let at = |nanos| START.plus(nanos);
    let given = [
        input(at(0), at(-SECOND), InputValue::LongShortRatio(0.1 + 0.2)),
        input(at(1), at(0), InputValue::TopTraderRatio(1.0 / 3.0)),
        input(at(1), at(1), InputValue::CoinbasePremium(-1e-300)),
        input(at(2), at(2), InputValue::OpenInterest("1234567890123456789.5".parse().unwrap())),
        input(at(3), at(0), InputValue::FundingRate(Decimal::new(-12_345, 10))),
        input(at(4), at(4), InputValue::FundingIntervalHours(4)),
        input(at(5), at(5), InputValue::NextFundingAt(at(8 * HOUR))),
        input(at(6), at(6), InputValue::LiquidationFeed(FeedState::Down)),
        input(at(7), at(6), InputValue::Liquidation(Direction::Long, money("1234.56789012"))),
        input(at(7), at(6), InputValue::Liquidation(Direction::Short, money("1234.56789012"))),
        input(at(8), at(8), InputValue::LiquidationFeed(FeedState::Up)),
    ];
    let mut shuffled = given.clone();
    shuffled.reverse();
    store.append_market(&catalog, &shuffled).await.unwrap();
    store.append_market(&catalog, &given).await.unwrap();
    let of = listed(&catalog, BTC);
    assert_eq!(store.inputs(of, START, at(SECOND)).await.unwrap(), given);
    assert_eq!(store.inputs(of, at(1), at(3)).await.unwrap(), given[1..4]);
    // Another process may call the instrument by another index.
    let other = arb_core::port::Listed { id: InstrumentId(9), ..of };
    let read = store.inputs(other, START, at(1)).await.unwrap();
    assert_eq!(read[0].kind.instrument(), Some(InstrumentId(9)));
}

/// By the time the value describes, not by the time it was stored.
pub async fn the_newest_input_of_each_kind_is_told(store: &impl Store) {
    let catalog = catalog(store).await;
    let of = listed(&catalog, BTC);
    assert!(store.latest_inputs(of).await.unwrap().is_empty());
    let at = |minutes| START.plus(minutes * MINUTE);
    let newest = input(at(11), at(10), InputValue::LongShortRatio(2.0));
    let older = input(at(12), at(5), InputValue::LongShortRatio(1.0));
    let open_interest = input(at(7), at(5), InputValue::OpenInterest(5.into()));
    let liquidation = InputValue::Liquidation(Direction::Long, Money::round(5.into()));
    let liquidation = input(at(13), at(13), liquidation);
    let events = [newest.clone(), older, open_interest.clone(), liquidation];
    store.append_market(&catalog, &events).await.unwrap();
    assert_eq!(store.latest_inputs(of).await.unwrap(), [open_interest, newest]);
}

/// The first rate of a millisecond stays; what a venue does not send is absent.
pub async fn rates_are_listed_and_the_newest_told(store: &impl Store) {
    let catalog = catalog(store).await;
    let rate = |instrument, seconds: i64, price: &str| RateSnapshot {
        instrument,
        at: START.plus(seconds * SECOND),
        mark_price: price.parse().unwrap(),
        index_price: Some("28139.12345678".parse().unwrap()),
        funding_rate: Some(Decimal::new(-1, 6)),
        funding_interval_hours: Some(8),
        next_funding_at: Some(START.plus(8 * HOUR)),
        tradable_basis: Some(Decimal::new(-12_345, 8)),
    };
    let bare = RateSnapshot {
        index_price: None,
        funding_rate: None,
        funding_interval_hours: None,
        next_funding_at: None,
        tradable_basis: None,
        ..rate(ETH, 2, "1850.1")
    };
    let btc = [rate(BTC, 0, "28140.1"), rate(BTC, 2, "28140.2"), rate(BTC, 4, "28140.3")];
    let mut all = btc.to_vec();
    all.push(bare);
    all.reverse();
    store.append_rates(&catalog, &all).await.unwrap();
    store.append_rates(&catalog, &[rate(BTC, 0, "99999")]).await.unwrap();
    assert_eq!(store.latest_rates(&catalog).await.unwrap(), [btc[2], bare]);
    let of = listed(&catalog, BTC);
    let range = (START, START.plus(4 * SECOND));
    assert_eq!(store.rates(of, range, 10).await.unwrap(), btc[..2]);
    assert_eq!(store.rates(of, (START, Timestamp::MAX), 1).await.unwrap(), btc[..1]);
    assert!(store.rates(of, (range.1, range.0), 1).await.unwrap().is_empty());
}
