//! A host whose every answer is known: fixed time, a store filled by hand.

use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{
    Catalog, Clock, IndicatorRow, LogEntry, LogSource, Mode, RateSnapshot, Store,
};
use arb_core::time::SECOND;
use arb_core::{
    CarryNote, CarryStatus, Decision, Direction, Event, EventKind, Factor, Factors, FeedState,
    FundingSettled, Indicators, Input, InputValue, Instrument, InstrumentId, Output, Price, Reason,
    RiskNote, RiskState, RunId, Side, Signal, Tier, Timestamp, Trade, TradeNote, TradeStatus,
};
use arb_http::{Host, HttpOptions};
use arb_store::MemoryStore;

use crate::accounts::Known;
use crate::desk::{Played, decimal};

pub(crate) const BTC: InstrumentId = InstrumentId(0);
pub(crate) const ETH: InstrumentId = InstrumentId(1);
const SPOT: InstrumentId = InstrumentId(3);

/// Wednesday, 2024-06-05 12:00:00 UTC, and so many seconds.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(1_717_588_800_000).plus(secs * SECOND)
}

/// A clock that stands.
#[derive(Debug)]
struct Stands;

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn wait(&self, until: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(until.since(at(0))).unwrap_or_default())
    }
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// A host with what it is made of.
pub(crate) struct Fixture {
    pub(crate) desk: Arc<Played>,
    pub(crate) accounts: Arc<Known>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: HttpOptions,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::of(Mode::Paper).await
    }

    pub(crate) async fn of(mode: Mode) -> Self {
        let store = MemoryStore::new();
        fill(&store).await;
        Self::over(Arc::new(store), mode)
    }

    pub(crate) fn over(store: Arc<dyn Store>, mode: Mode) -> Self {
        let (desk, accounts) = (Arc::new(Played::new(mode)), Arc::new(Known::new()));
        Self { desk, accounts, store, options: HttpOptions::default() }
    }

    pub(crate) fn host(&self) -> Arc<Host> {
        Arc::new(Host {
            desk: Arc::clone(&self.desk) as _,
            store: Arc::clone(&self.store),
            accounts: Arc::clone(&self.accounts) as _,
            clock: Arc::new(Stands),
            symbols: ["BTCUSDT", "ETHUSDT"].map(str::to_owned).to_vec(),
            options: self.options.clone(),
        })
    }
}

fn instruments() -> Vec<Instrument> {
    let (tick, lot) = (price("0.1"), "0.001".parse().unwrap());
    let um = |symbol| Instrument {
        listed_at: Some(at(-20 * 86_400)),
        ..Instrument::perpetual(symbol, tick, lot)
    };
    vec![um("BTCUSDT"), um("ETHUSDT"), um("DOGEUSDT"), Instrument::spot("BTCUSDT", tick, lot)]
}

/// Fills a store with a little of everything.
pub(crate) async fn fill(store: &dyn Store) {
    let catalog = store.register(&instruments()).await.unwrap();
    store.append_rates(&catalog, &rates()).await.unwrap();
    store.append_market(&catalog, &market()).await.unwrap();
    store.append_trades(&catalog, &tape()).await.unwrap();
    store.append_indicators(&catalog, &rows()).await.unwrap();
    log(store, &catalog).await;
}

fn rates() -> Vec<RateSnapshot> {
    let of = |instrument: InstrumentId, n: i64| RateSnapshot {
        instrument,
        at: at(-n * 600),
        mark_price: Price::from_units((64_000 - n * n % 97) * 100_000_000).unwrap(),
        index_price: (n % 7 != 0).then(|| price("63990.5")),
        funding_rate: (n % 5 != 0).then(|| arb_core::Decimal::new(100 + n % 13, 6)),
        funding_interval_hours: Some(8),
        next_funding_at: Some(at(4 * 3_600)),
        tradable_basis: (instrument == BTC).then(|| arb_core::Decimal::new(-123_456, 8)),
    };
    (0..180).flat_map(|n| [of(BTC, n), of(ETH, n)]).collect()
}

fn input(instrument: InstrumentId, secs: i64, value: InputValue) -> Event {
    let kind = EventKind::Input(Input { instrument, as_of: at(secs), value });
    Event { at: at(secs), kind }
}

fn market() -> Vec<Event> {
    let mut events: Vec<Event> = (1..=60_i64)
        .rev()
        .map(|n| {
            let funding_time = at(4 * 3_600 - n * 8 * 3_600);
            let rate = arb_core::Decimal::new(100 - n % 7 * 30, 6);
            let mark_price = (n % 2 == 0).then(|| price("63000"));
            let settled = FundingSettled { instrument: BTC, funding_time, rate, mark_price };
            Event { at: funding_time, kind: EventKind::Funding(settled) }
        })
        .collect();
    let money = |text: &str| text.parse().unwrap();
    events.extend([
        input(BTC, -300, InputValue::LongShortRatio(1.25)),
        input(BTC, -3_000, InputValue::TopTraderRatio(0.875)),
        input(BTC, -120, InputValue::OpenInterest(decimal("81234.567"))),
        input(BTC, -5, InputValue::CoinbasePremium(-0.000_125)),
        input(BTC, -3, InputValue::FundingRate(decimal("0.0001"))),
        input(BTC, -400, InputValue::LiquidationFeed(FeedState::Up)),
        input(BTC, -310, InputValue::Liquidation(Direction::Long, money("5000"))),
        input(BTC, -200, InputValue::Liquidation(Direction::Long, money("1000.5"))),
        input(BTC, -100, InputValue::Liquidation(Direction::Short, money("200"))),
    ]);
    events
}

/// A trade a second for ten minutes, with a hole.
fn tape() -> Vec<Trade> {
    let ids = (1..=600_u64).filter(|id| !(300..310).contains(id));
    let trade = |id: u64| Trade {
        instrument: BTC,
        taker_side: if id.is_multiple_of(3) { Side::Sell } else { Side::Buy },
        id,
        ts: at(i64::try_from(id).unwrap() - 600),
        price: Price::from_units(i64::try_from(6_400_000 + id * id % 991).unwrap() * 1_000_000)
            .unwrap(),
        qty: arb_core::Qty::from_units(i64::try_from(id % 11).unwrap() * 1_000_000).unwrap(),
    };
    ids.map(trade).collect()
}

pub(crate) fn indicators() -> Indicators {
    let text = format!(
        r#"{{"time":{},"last_price":"64012.3","cvd_30m":1234500000,"cvd_4h":-50000000,
        "cvd_day":0,"volume_30m":9876500000,"vwap_30m":63999.125,"atr":41.5,"atr_percentile":62.5,
        "qty_p95":"1.5","qty_p99":null,"large_flow_15m":null,"cvd_slope":0.5,"cvd_accel":null,
        "complete_15m":true,"complete_30m":true,"complete_4h":false,"coverage_24h":0.99,
        "traded_bars":14}}"#,
        at(0).as_nanos()
    );
    serde_json::from_str(&text).unwrap()
}

fn rows() -> Vec<IndicatorRow> {
    let row = |n: i64| IndicatorRow {
        instrument: BTC,
        time: at(-15 * n),
        price: price("64012.3"),
        cvd_fast: decimal("12.345"),
        cvd_mid: decimal("-0.5"),
        cvd_day: decimal("0"),
        vwap_30m: Some(63_999.125),
        atr_5m: (n % 2 == 0).then_some(41.5),
        atr_percentile: None,
        qty_p95: Some("1.5".parse().unwrap()),
        qty_p99: None,
        score: (n % 3 == 0).then_some(61.25),
        complete: n < 10,
    };
    (0..20).map(row).collect()
}

fn signal(instrument: InstrumentId, time: Timestamp, score: f64) -> Signal {
    let mut factors = Factors::default();
    let inputs = [("cvd_30m", Some(1.25)), ("atr", None)];
    factors.push(Factor::new("direction", (12.5, 30.0), &inputs, "takers buy"));
    let strategy = if score > 80.0 { "v52_8signals" } else { "v51_baseline" };
    Signal {
        strategy: strategy.to_owned(),
        config_hash: "abc".to_owned(),
        fired: score >= 75.0,
        notify: true,
        decision: Decision {
            time,
            instrument,
            direction: Some(Direction::Short),
            score,
            tier: Some(if score > 80.0 { Tier::Heavy } else { Tier::Light }),
            reason: if score >= 75.0 { Reason::Entry } else { Reason::Busy("cool_down".into()) },
            price: Some(price("64010")),
            factors,
        },
    }
}

/// A short of half a coin, a quarter of it closed at the first target.
pub(crate) fn open_trade() -> TradeNote {
    TradeNote {
        id: 9,
        strategy: "v52_8signals".to_owned(),
        instrument: BTC,
        direction: Direction::Short,
        tier: Some(Tier::Heavy),
        score: 85.5,
        status: TradeStatus::Tp1Hit,
        entry_time: at(-290),
        exit_time: None,
        entry_price: price("64112.3"),
        exit_price: Some(price("64012.3")),
        qty: "0.5".parse().unwrap(),
        open_qty: "0.25".parse().unwrap(),
        stop_price: price("64112.3"),
        tp1_price: price("64012.3"),
        tp2_price: price("63912.3"),
        pnl: "25".parse().unwrap(),
        fee: "16.02".parse().unwrap(),
        funding: "0".parse().unwrap(),
        r_trade: "50".parse().unwrap(),
        r_multiple: Some(0.1796),
    }
}

fn closed_trade(id: u64, pnl: &str) -> TradeNote {
    let n = i64::try_from(id).unwrap();
    let net: f64 = pnl.parse().unwrap();
    TradeNote {
        id,
        strategy: if id.is_multiple_of(2) { "v51_baseline" } else { "v52_8signals" }.to_owned(),
        instrument: if id == 3 { ETH } else { BTC },
        direction: if id.is_multiple_of(3) { Direction::Long } else { Direction::Short },
        tier: Some(if id > 4 { Tier::Heavy } else { Tier::Standard }),
        status: if net > 0.0 { TradeStatus::Tp } else { TradeStatus::Sl },
        // Two of them enter in the same millisecond.
        entry_time: at(-86_400 + n / 2 * 3_600),
        exit_time: Some(at(-84_000 + n * 3_600)),
        open_qty: "0".parse().unwrap(),
        pnl: pnl.parse().unwrap(),
        fee: "1.5".parse().unwrap(),
        funding: "-0.25".parse().unwrap(),
        r_trade: "50".parse().unwrap(),
        r_multiple: Some((net - 1.25) / 50.0),
        ..open_trade()
    }
}

pub(crate) fn carry() -> CarryNote {
    CarryNote {
        id: 4,
        strategy: "funding_carry".to_owned(),
        perp: BTC,
        spot: SPOT,
        status: CarryStatus::Open,
        reason: None,
        opened_at: at(-7_200),
        closed_at: None,
        perp_qty: "0.1".parse().unwrap(),
        spot_qty: "0.1".parse().unwrap(),
        perp_entry_price: Some(price("64020")),
        spot_entry_price: Some(price("64000")),
        entry_basis_bps: Some(decimal("3.125")),
        notional: "6400".parse().unwrap(),
        fees: "9.6".parse().unwrap(),
        funding: "-0.64".parse().unwrap(),
        pnl: "-7.96".parse().unwrap(),
    }
}

async fn log(store: &dyn Store, catalog: &Catalog) {
    let mut records: Vec<(i64, Vec<Output>)> = Vec::new();
    for (n, pnl) in (1..).zip(["75", "-50", "30.5", "-20", "100", "-50", "0"]) {
        let note = closed_trade(n, pnl);
        records.push((-80_000 + i64::try_from(n).unwrap(), vec![Output::Trade(Box::new(note))]));
    }
    let signals = (0..25).map(|n| {
        let of = if n % 4 == 0 { ETH } else { BTC };
        // Several decisions share a time.
        let time = at(-3_600 + n / 3 * 15);
        let score = if n % 2 == 0 { 62.5 } else { 78.25 };
        (-3_600 + n, vec![Output::Signal(Box::new(signal(of, time, score)))])
    });
    records.extend(signals);
    records.push((
        -300,
        vec![
            Output::Signal(Box::new(signal(BTC, at(-300), 85.5))),
            Output::Trade(Box::new(open_trade())),
        ],
    ));
    records.push((
        -200,
        vec![
            Output::Funding {
                instrument: BTC,
                funding_time: at(-4 * 3_600),
                paid: "-0.64".parse().unwrap(),
                approx: false,
            },
            Output::Risk(Box::new(RiskNote {
                at: at(-200),
                state: RiskState::Active,
                trip: None,
                reason: "checked".to_owned(),
                strategy: None,
            })),
        ],
    ));
    let events: Vec<Event> = records.iter().map(|(secs, _)| Event::tick(at(*secs))).collect();
    let entries: Vec<LogEntry<'_>> = (1..)
        .zip(events.iter().zip(&records))
        .map(|(seq, (event, (_, outputs)))| LogEntry { seq, event, outputs })
        .collect();
    let (stream, run) = ("node".to_owned(), RunId::BACKTEST);
    let source = LogSource { stream, epoch: 1, run, mode: Mode::Paper };
    store.append_log(&source, catalog, &entries).await.unwrap();
}
