//! Claims about the engine's tables.

use arb_core::port::{
    IndicatorRow, LogEntry, LogSource, Mode, Page, Setting, SignalFilter, SignalRow, Store,
    TradeFilter, TradeResult,
};
use arb_core::time::{HOUR, SECOND};
use arb_core::{
    CarryNote, CarryStatus, Event, EventKind, Output, Timestamp, TradeStatus, Transfer,
};

use super::run::{money, signal, source, trade};
use super::{BTC, BTC_SPOT, ETH, START, catalog, listed};

const ALL: Page = Page::first(1_000);

/// Writes outputs as one log record.
async fn tell(
    store: &impl Store,
    source: &LogSource,
    seq: u64,
    (at, outputs): (Timestamp, &[Output]),
) {
    let catalog = store.register(&super::instruments()).await.unwrap();
    let event = Event::tick(at);
    let entries = [LogEntry { seq, event: &event, outputs }];
    store.append_log(source, &catalog, &entries).await.unwrap();
}

/// New rows arrive between two pages; the old ones are neither skipped nor shown again.
pub async fn pages_of_equal_times_neither_skip_nor_repeat(store: &impl Store) {
    catalog(store).await;
    let at = |n: u64| START.plus(i64::try_from(n / 7).unwrap() * SECOND);
    let told = |n| Output::Signal(Box::new(signal(BTC, at(n))));
    for n in 1..=50 {
        tell(store, &source(1), n, (at(n), &[told(n)])).await;
    }
    let all = store.signals(&SignalFilter::default(), ALL).await.unwrap();
    assert_eq!(all.len(), 50);
    assert!(all.windows(2).all(|pair| pair[0].place() > pair[1].place()));
    let (mut seen, mut page, mut n) = (Vec::new(), Page::first(6), 51);
    loop {
        let rows = store.signals(&SignalFilter::default(), page).await.unwrap();
        let Some(last) = rows.last() else { break };
        page = page.after(last.place());
        seen.extend(rows);
        tell(store, &source(1), n, (at(n), &[told(n)])).await;
        n += 1;
    }
    assert_eq!(seen, all);
}

/// By strategy, by instrument, by both; every column as it was told.
pub async fn signals_are_filtered(store: &impl Store) {
    let catalog = catalog(store).await;
    let mut bare = signal(ETH, START.plus(SECOND));
    bare.strategy = "v51_baseline".to_owned();
    bare.fired = false;
    (bare.decision.direction, bare.decision.tier, bare.decision.price) = (None, None, None);
    bare.decision.reason = arb_core::Reason::NoDirection;
    let outputs = [
        Output::Signal(Box::new(signal(BTC, START))),
        Output::Signal(Box::new(bare)),
        Output::Signal(Box::new(signal(ETH, START))),
    ];
    tell(store, &source(1), 1, (START, &outputs)).await;
    let read = async |strategy: Option<&str>, instrument| {
        let strategy = strategy.map(str::to_owned);
        store.signals(&SignalFilter { strategy, instrument }, ALL).await.unwrap()
    };
    let (btc, eth) = (listed(&catalog, BTC).key, listed(&catalog, ETH).key);
    assert_eq!(read(None, None).await.len(), 3);
    assert_eq!(read(Some("v52_8signals"), None).await.len(), 2);
    assert_eq!(read(None, Some(eth)).await.len(), 2);
    assert_eq!(read(Some("none"), None).await, []);
    let rows = read(Some("v52_8signals"), Some(btc)).await;
    let told = signal(BTC, START);
    let expected = SignalRow {
        id: rows[0].id,
        time: START,
        instrument: btc,
        strategy: told.strategy,
        config_hash: told.config_hash,
        direction: told.decision.direction,
        score: told.decision.score,
        tier: told.decision.tier,
        fired: true,
        reason: "entry".to_owned(),
        price: told.decision.price,
        factors: rows[0].factors.clone(),
    };
    assert_eq!(rows, [expected]);
    let factors: serde_json::Value = serde_json::from_str(&rows[0].factors).unwrap();
    assert_eq!(factors["direction"]["score"], 12.5);
    let rows = read(Some("v51_baseline"), None).await;
    assert_eq!((rows[0].direction, rows[0].tier, rows[0].price), (None, None, None));
}

/// Paper and live apart; wins after fees and funding.
pub async fn trades_keep_their_last_state_and_are_filtered_by_result(store: &impl Store) {
    let catalog = catalog(store).await;
    let (fee, time) = (money("1"), START);
    let closed = |id, pnl: &str| {
        let mut note = trade(id, ETH, time.plus(i64::try_from(id).unwrap()));
        (note.status, note.exit_time) = (TradeStatus::Sl, Some(START.plus(HOUR)));
        (note.pnl, note.fee, note.funding) = (money(pnl), fee, money("0"));
        (note.exit_price, note.r_multiple) = (Some(note.stop_price), Some(-1.0 / 3.0));
        (note.open_qty, note.tier) = ("0".parse().unwrap(), Some(arb_core::Tier::Standard));
        Output::Trade(Box::new(note))
    };
    let open = |id| Output::Trade(Box::new(trade(id, ETH, time)));
    let opened = [open(1), open(2), open(3), open(4)];
    tell(store, &source(1), 1, (START, &opened)).await;
    let closing = [closed(1, "1.00000001"), closed(2, "1"), closed(3, "-5")];
    tell(store, &source(1), 2, (START, &closing)).await;
    let live = LogSource {
        stream: "live".to_owned(),
        mode: Mode::Live,
        run: "x".parse().unwrap(),
        ..source(1)
    };
    tell(store, &live, 1, (START, &[open(1)])).await;
    let read = async |filter: TradeFilter| {
        let rows = store.own_trades(&filter, ALL).await.unwrap();
        let mut ids: Vec<u64> = rows.iter().map(|row| row.trade).collect();
        ids.sort_unstable();
        ids
    };
    let all = TradeFilter::all(Mode::Paper);
    let with = |result| TradeFilter { result: Some(result), ..all.clone() };
    assert_eq!(read(all.clone()).await, [1, 2, 3, 4]);
    assert_eq!(read(with(TradeResult::Open)).await, [4]);
    assert_eq!(read(with(TradeResult::Closed)).await, [1, 2, 3]);
    assert_eq!(read(with(TradeResult::Win)).await, [1]);
    assert_eq!(read(with(TradeResult::Loss)).await, [2, 3]);
    assert_eq!(read(TradeFilter::all(Mode::Live)).await, [1]);
    let strategy = Some("none".to_owned());
    assert_eq!(read(TradeFilter { strategy, ..all.clone() }).await, [0_u64; 0]);
    let instrument = Some(listed(&catalog, ETH).key);
    assert_eq!(read(TradeFilter { instrument, ..all.clone() }).await, [1, 2, 3, 4]);
    let rows = store.own_trades(&with(TradeResult::Loss), Page::first(1)).await.unwrap();
    let Output::Trade(told) = closed(3, "-5") else { panic!() };
    let row = &rows[0];
    assert_eq!((row.trade, row.run.as_str(), row.mode), (3, "backtest", Mode::Paper));
    assert_eq!((row.pnl, row.fee, row.r_multiple), (told.pnl, told.fee, told.r_multiple));
    assert_eq!((row.exit_price, row.exit_time), (told.exit_price, told.exit_time));
    assert_eq!((row.direction, row.score, row.qty), (told.direction, told.score, told.qty));
    assert_eq!((row.stop_price, row.tp1_price), (told.stop_price, told.tp1_price));
}

/// Both legs by their stored numbers; a negative basis; amounts to the last digit.
pub async fn carry_pairs_keep_their_last_state(store: &impl Store) {
    let catalog = catalog(store).await;
    let mut note = CarryNote {
        id: 9,
        strategy: "carry".to_owned(),
        perp: BTC,
        spot: BTC_SPOT,
        status: CarryStatus::Opening,
        reason: None,
        opened_at: START,
        closed_at: None,
        perp_qty: "0".parse().unwrap(),
        spot_qty: "0".parse().unwrap(),
        perp_entry_price: None,
        spot_entry_price: None,
        entry_basis_bps: None,
        notional: money("0"),
        fees: money("0"),
        funding: money("0"),
        pnl: money("0"),
    };
    tell(store, &source(1), 1, (START, &[Output::Carry(Box::new(note.clone()))])).await;
    note.status = CarryStatus::Closed;
    (note.reason, note.closed_at) = (Some("low_funding".to_owned()), Some(START.plus(HOUR)));
    note.spot_qty = "0.00000001".parse().unwrap();
    note.perp_entry_price = Some("28140.12345678".parse().unwrap());
    note.entry_basis_bps = Some("-1.2345".parse().unwrap());
    (note.notional, note.pnl) = (money("10000000000.12345678"), money("-0.00000001"));
    tell(store, &source(1), 2, (START, &[Output::Carry(Box::new(note.clone()))])).await;
    let rows = store.carry_pairs(Mode::Paper, ALL).await.unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.pair, row.run.as_str()), (9, "backtest"));
    assert_eq!(row.perp, listed(&catalog, BTC).key);
    assert_eq!(row.spot, listed(&catalog, BTC_SPOT).key);
    assert_eq!((row.status, &row.reason), (note.status, &note.reason));
    assert_eq!((row.opened_at, row.closed_at), (note.opened_at, note.closed_at));
    assert_eq!((row.spot_qty, row.perp_entry_price), (note.spot_qty, note.perp_entry_price));
    assert_eq!((row.spot_entry_price, row.entry_basis_bps), (None, note.entry_basis_bps));
    assert_eq!((row.notional, row.pnl), (note.notional, note.pnl));
    assert!(store.carry_pairs(Mode::Live, ALL).await.unwrap().is_empty());
}

/// Signs as told: funding paid is positive, a withdrawal negative.
pub async fn ledgers_list_funding_and_transfers(store: &impl Store) {
    let catalog = catalog(store).await;
    let funding = |at: i64, paid: &str| Output::Funding {
        instrument: BTC,
        funding_time: START.plus(at * HOUR),
        paid: money(paid),
        approx: at == 8,
    };
    let outputs = [funding(0, "1.5"), funding(8, "-0.00000001")];
    tell(store, &source(1), 1, (START, &outputs)).await;
    let rows = store.funding_ledger(Mode::Paper, ALL).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.paid, row.approx)).collect();
    assert_eq!(seen, [(money("-0.00000001"), true), (money("1.5"), false)]);
    assert_eq!(rows[0].instrument, listed(&catalog, BTC).key);
    assert_eq!(rows[0].funding_time, START.plus(8 * HOUR));
    let page = Page::first(1).after(rows[0].place());
    assert_eq!(store.funding_ledger(Mode::Paper, page).await.unwrap(), rows[1..]);
    for (seq, amount) in [(2, "100"), (3, "-40.5")] {
        let kind = EventKind::Transfer(Transfer { amount: money(amount) });
        let event = Event { at: START.plus(i64::try_from(seq).unwrap() * SECOND), kind };
        let entries = [LogEntry { seq, event: &event, outputs: &[] }];
        store.append_log(&source(1), &catalog, &entries).await.unwrap();
    }
    let rows = store.transfers(Mode::Paper, ALL).await.unwrap();
    let amounts: Vec<_> = rows.iter().map(|row| row.amount).collect();
    assert_eq!(amounts, [money("-40.5"), money("100")]);
}

/// Sums beyond 64 bits, floats without a short form, absent values; the first row of a time stays.
pub async fn indicators_come_back_to_the_last_bit(store: &impl Store) {
    let catalog = catalog(store).await;
    let row = IndicatorRow {
        instrument: BTC,
        time: START,
        price: "28140.5".parse().unwrap(),
        cvd_fast: "-123456789012345678.12345678".parse().unwrap(),
        cvd_mid: "0".parse().unwrap(),
        cvd_day: "0.00000001".parse().unwrap(),
        vwap_30m: Some(0.1 + 0.2),
        atr_5m: None,
        atr_percentile: Some(100.0),
        qty_p95: Some("1.5".parse().unwrap()),
        qty_p99: None,
        score: Some(1.0 / 3.0),
        complete: true,
    };
    let next = IndicatorRow { time: START.plus(15 * SECOND), complete: false, ..row };
    let other = IndicatorRow { score: None, ..row };
    store.append_indicators(&catalog, &[row, next]).await.unwrap();
    store.append_indicators(&catalog, &[other]).await.unwrap();
    let of = listed(&catalog, BTC);
    let read = async |to| store.indicators(of, START, to).await.unwrap();
    assert_eq!(read(START.plus(HOUR)).await, [row, next]);
    assert_eq!(read(next.time).await, [row]);
    assert_eq!(read(START).await, []);
}

/// Last writer wins, and is named.
pub async fn settings_are_replaced(store: &impl Store) {
    assert_eq!(store.setting("paused").await.unwrap(), None);
    let setting = |value: &str, by: &str| Setting {
        key: "paused".to_owned(),
        value: value.to_owned(),
        updated_at: START,
        updated_by: by.to_owned(),
    };
    store.set_setting(&setting("true", "guard")).await.unwrap();
    store.set_setting(&setting("false", "a@x")).await.unwrap();
    assert_eq!(store.setting("paused").await.unwrap(), Some(setting("false", "a@x")));
}
