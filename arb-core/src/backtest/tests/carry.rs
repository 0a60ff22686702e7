//! Carry pairs through the whole back-test: hand-worked months, and what must never happen.

use crate::backtest::{Backtest, Observer, Recorder};
use crate::config::{EngineConfig, InstrumentConfig};
use crate::event::{Event, EventKind, FundingSettled, Side, Trade};
use crate::instrument::{Instrument, InstrumentId};
use crate::num::{Money, Price, Qty};
use crate::order::OrderUpdate;
use crate::output::{CarryStatus, Output};
use crate::risk::Rule;
use crate::strategy::Registry;
use crate::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};
use rust_decimal::Decimal;

const PERP: InstrumentId = InstrumentId(0);
const SPOT: InstrumentId = InstrumentId(1);
/// 2023-11-15 00:00:00 UTC.
const START: Timestamp = Timestamp::from_millis(1_700_006_400_000);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// A perpetual and its spot market, with nothing between bid and ask.
fn config() -> EngineConfig {
    let (tick, perp_lot, spot_lot) =
        ("0.01".parse().unwrap(), "0.1".parse().unwrap(), "0.01".parse().unwrap());
    let specs =
        [Instrument::perpetual("XUSDT", tick, perp_lot), Instrument::spot("XUSDT", tick, spot_lot)];
    let instrument = |spec| InstrumentConfig { spec, spread_bps: Decimal::ZERO };
    let mut config = EngineConfig::new(specs.map(instrument).to_vec());
    config.account.slippage = Decimal::ZERO;
    config.grid_secs = 3_600;
    let text = Registry::builtin_text("funding_carry").unwrap().replace("0.5", "0.4");
    config.with_strategy("funding_carry", &text).unwrap()
}

/// A month of hours: prices and rates by hour, settlements every eight.
struct Month {
    perp: Box<dyn Fn(i64) -> &'static str>,
    spot: Box<dyn Fn(i64) -> &'static str>,
    rate: Box<dyn Fn(i64) -> &'static str>,
    hours: i64,
    /// Another configuration at the beginning of an hour.
    reconfigured: Option<(i64, EngineConfig)>,
}

struct Result {
    seen: Recorder,
    funding: Vec<(Timestamp, Money)>,
    test: Backtest,
}

#[derive(Default)]
struct Funding(Vec<(Timestamp, Money)>);

impl Observer for Funding {
    fn output(&mut self, output: &Output) {
        if let Output::Funding { funding_time, paid, .. } = output {
            self.0.push((*funding_time, *paid));
        }
    }
}

impl Month {
    fn flat(rate: impl Fn(i64) -> &'static str + 'static) -> Self {
        let flat = |_| "100";
        let (perp, spot, rate) = (Box::new(flat), Box::new(flat), Box::new(rate));
        Self { perp, spot, rate, hours: 31 * 24, reconfigured: None }
    }

    fn until(self, hours: i64) -> Self {
        Self { hours, ..self }
    }

    fn run(&self, config: EngineConfig) -> Result {
        let mut watch = (Recorder::default(), Funding::default());
        let mut test = Backtest::new(config, Registry::builtin(), &mut watch).unwrap();
        let trade = |instrument, id, at: Timestamp, price: &str| Trade {
            instrument,
            taker_side: Side::Buy,
            id,
            ts: at,
            price: price.parse().unwrap(),
            qty: "1000000".parse::<Qty>().unwrap(),
        };
        let mut last: Option<Price> = None;
        for hour in 0..self.hours {
            let (open, id) = (START.plus(hour * HOUR), u64::try_from(hour).unwrap() + 1);
            let (perp, spot) = ((self.perp)(hour), (self.spot)(hour));
            if let Some((at, config)) = &self.reconfigured
                && *at == hour
            {
                test.on_event(config.to_event(open).unwrap(), &mut watch);
            }
            test.on_trade(&trade(PERP, id, open.plus(SECOND), perp), &mut watch);
            test.on_trade(&trade(SPOT, id, open.plus(2 * SECOND), spot), &mut watch);
            if hour % 8 == 0 {
                let rate = (self.rate)(hour).parse().unwrap();
                let settled =
                    FundingSettled { instrument: PERP, funding_time: open, rate, mark_price: last };
                let kind = EventKind::Funding(settled);
                test.on_event(Event { at: open.plus(MINUTE), kind }, &mut watch);
            }
            last = Some(perp.parse().unwrap());
        }
        test.finish(&mut watch);
        Result { seen: watch.0, funding: watch.1.0, test }
    }
}

/// The worked month. Costs of both round trips are 2 × (0.05 % + 0.1 %) = 0.3 % of notional; 21
/// settlements of 0.03 % are 0.63 %, so (0.63 − 0.3) % ÷ 1.5 × 365 ÷ 7 = 11.5 % a year: an entry.
///
/// 24 hours of basis are on record at 00:00 of the second day, which is a settlement: the entry
/// comes at 01:00. Notional 4,000 at 100: short 40.0 for a fee of 2.00. To have 40.0 coins after
/// 0.1 %, 40.04004… are needed, so 40.05 are bought for 4,005.00; 0.04005 of them are the fee,
/// worth 4.005, and 40.00995 arrive.
///
/// Each settlement pays 40 × 100 × 0.0003 = 1.20, from 08:00 of day 2 to 16:00 of day 20: 56 of
/// them. From day 21 on the rate is zero: the third such settlement is 16:00 of day 21, and 17:00
/// sees it. The short is bought back for 2.00, 40.00 coins are sold for a fee of 4.00, and 0.00995
/// coins are left.
#[test]
fn a_worked_month() {
    let result = Month::flat(|hour| if hour < 20 * 24 { "0.0003" } else { "0" }).run(config());
    let pairs: Vec<_> = result.seen.pairs.values().collect();
    let [pair] = pairs[..] else { panic!("{pairs:#?}") };
    assert_eq!(pair.status, CarryStatus::Closed);
    assert_eq!(pair.reason.as_deref(), Some("low_funding"));
    assert_eq!(pair.opened_at, START.plus(25 * HOUR));
    let closed = START.plus(20 * DAY + 17 * HOUR + 2 * SECOND);
    assert_eq!(pair.closed_at, Some(closed));
    assert_eq!(
        (pair.perp_qty.to_string(), pair.spot_qty.to_string()),
        ("0".into(), "0.00995".into())
    );
    assert_eq!(pair.fees, money("12.005"), "2 + 4.005 + 2 + 4");
    assert_eq!(pair.funding, money("-67.2"), "56 × 1.20");
    assert_eq!(pair.pnl, money("55.195"));
    assert_eq!(pair.basis_pnl(), Money::ZERO, "prices never moved");
    assert_eq!(pair.entry_basis_bps.map(|bps| bps.to_string()), Some("0".into()));
    assert_eq!(result.test.engine().equity(), Some(money("10055.195")));
    assert_eq!(result.test.engine().ledger().unwrap().wallet(), money("10055.195"));
}

#[test]
fn funding_is_the_sum_over_the_settlements_of_what_was_held() {
    let rates = ["0.0004", "0.00041", "0.00055", "0.00045", "0.00062"];
    let rate = move |hour: i64| rates[usize::try_from(hour / 8 % 5).unwrap()];
    let mut month = Month::flat(rate);
    month.perp = Box::new(|hour| if hour % 3 == 0 { "100.07" } else { "99.96" });
    let result = month.run(config());
    let [pair] = result.seen.pairs.values().collect::<Vec<_>>()[..] else { panic!("one pair") };
    assert_eq!(pair.status, CarryStatus::Open);
    let mut sum = Money::ZERO;
    for hour in (0..month.hours).step_by(8).filter(|hour| *hour > 25) {
        // The mark of a settlement is the price of the hour before it.
        let mark: Decimal = if (hour - 1) % 3 == 0 { "100.07" } else { "99.96" }.parse().unwrap();
        let rate: Decimal = rate(hour).parse().unwrap();
        sum += Money::round(-pair.perp_qty.to_decimal() * mark * rate);
    }
    assert_eq!(pair.funding, sum);
    assert_eq!(result.funding.iter().map(|(_, paid)| *paid).sum::<Money>(), sum);
    assert_eq!(result.test.engine().ledger().unwrap().totals().funding, sum);
}

#[test]
fn never_enters_on_negative_or_unpaying_carry() {
    for rate in ["-0.0005", "0", "0.0001", "0.00015"] {
        let result = Month::flat(move |_| rate).run(config());
        assert!(result.seen.pairs.is_empty(), "{rate}");
        assert_eq!(result.test.engine().equity(), Some(money("10000")));
    }
}

/// Four perpetuals pay the same at the same hour; half of equity is the limit of all pairs.
#[test]
fn pairs_that_are_approved_together_share_the_limits() {
    let mut config = config();
    let specs: Vec<_> = (0..4_u8)
        .flat_map(|n| {
            let symbol = format!("{}USDT", char::from(b'A' + n));
            config.instruments.clone().into_iter().map(move |mut instrument| {
                instrument.spec.symbol.clone_from(&symbol);
                instrument
            })
        })
        .collect();
    config.instruments = specs;
    let mut seen = (Recorder::default(), Orders::default());
    let mut test = Backtest::new(config, Registry::builtin(), &mut seen).unwrap();
    for hour in 0..120_i64 {
        let (open, id) = (START.plus(hour * HOUR), u64::try_from(hour).unwrap() + 1);
        for (second, offset) in [(1, 0_u16), (2, 1)] {
            for n in 0..4 {
                let instrument = InstrumentId(2 * n + offset);
                let (price, qty) = ("100".parse().unwrap(), "1000000".parse().unwrap());
                let ts = open.plus(second * SECOND);
                let trade = Trade { instrument, taker_side: Side::Buy, id, ts, price, qty };
                test.on_trade(&trade, &mut seen);
            }
        }
        for n in (0..4).filter(|_| hour % 8 == 0) {
            let rate = "0.0005".parse().unwrap();
            let settled = FundingSettled {
                instrument: InstrumentId(2 * n),
                funding_time: open,
                rate,
                mark_price: None,
            };
            let kind = EventKind::Funding(settled);
            test.on_event(Event { at: open.plus(MINUTE), kind }, &mut seen);
        }
    }
    test.finish(&mut seen);
    let (seen, orders) = seen;
    let held: Money = seen.pairs.values().map(|pair| pair.notional).sum();
    assert!(held <= money("5010") && held > money("4900"), "{held}");
    assert!(seen.pairs.values().all(|pair| pair.spot_qty >= pair.perp_qty), "hedged");
    assert_eq!(orders.rejected, 0, "nothing was approved that the account cannot pay");
}

#[derive(Default)]
struct Orders {
    rejected: u32,
}

impl Observer for Orders {
    fn event(&mut self, event: &Event) {
        if let EventKind::Order(order) = &event.kind {
            self.rejected += u32::from(matches!(order.update, OrderUpdate::Rejected(_)));
        }
    }
}

#[test]
fn a_wide_basis_is_no_entry() {
    let mut month = Month::flat(|_| "0.001");
    month.perp = Box::new(|_| "100.6");
    assert!(month.run(config()).seen.pairs.is_empty(), "60 bps");
    month.perp = Box::new(|_| "100.4");
    assert_eq!(month.run(config()).seen.pairs.len(), 1, "40 bps");
}

#[test]
fn costly_negative_funding_closes_the_pair() {
    let rate = |hour| if hour < 10 * 24 { "0.0004" } else { "-0.0012" };
    let result = Month::flat(rate).run(config());
    let first = result.seen.pairs.values().next().unwrap();
    assert_eq!(first.reason.as_deref(), Some("negative_funding"));
    // One settlement of −0.12 % three times a day costs more than the 0.3 % of leaving and coming
    // back, so the pair does not wait for three of them.
    assert_eq!(first.closed_at, Some(START.plus(10 * DAY + HOUR + 2 * SECOND)));
}

#[test]
fn a_basis_that_runs_away_closes_the_pair() {
    let mut month = Month::flat(|_| "0.0004");
    month.perp = Box::new(|hour| if hour < 15 * 24 + 3 { "100" } else { "101.2" });
    let result = month.run(config());
    let first = result.seen.pairs.values().next().unwrap();
    assert_eq!(first.reason.as_deref(), Some("basis_loss"));
    assert_eq!(first.basis_pnl(), money("-48"), "40 × 1.20");
}

#[test]
fn a_basis_gain_beyond_the_coming_funding_is_taken() {
    let mut month = Month::flat(|_| "0.0004");
    month.perp = Box::new(|hour| if hour < 15 * 24 + 3 { "100" } else { "99.1" });
    let result = month.run(config());
    let first = result.seen.pairs.values().next().unwrap();
    // 90 bps are more than 21 × 4 bps.
    assert_eq!(first.reason.as_deref(), Some("basis_gain"));
    assert_eq!(first.basis_pnl(), money("36"), "40 × 0.90");
}

#[test]
fn prices_that_rise_make_the_pair_smaller_before_they_liquidate_it() {
    let mut month = Month::flat(|_| "0.0009");
    let steps = ["100", "160", "200", "240", "280", "320", "400", "500", "600", "700"];
    let at = move |hour: i64| {
        let step = usize::try_from((hour / 24 - 3).clamp(0, 9)).unwrap();
        steps[step]
    };
    (month.perp, month.spot) = (Box::new(at), Box::new(at));
    let result = month.run(config());
    assert!(result.seen.risk_notes.iter().any(|note| {
        note.trip.is_some_and(|trip| trip.rule == crate::risk::Rule::LiquidationDistance)
    }));
    let ended: Vec<_> = result.seen.pairs.values().map(|pair| pair.reason.clone()).collect();
    assert!(!ended.contains(&Some("liquidated".to_owned())), "{ended:?}");
    // Both legs moved alike: whatever was sold down, prices gave and took the same.
    let equity = result.test.engine().equity().unwrap();
    assert!(equity > money("10000"), "{equity}");
}

/// The pair of the worked month on its third day: 40.0 contracts, 40.00995 coins at 100.
#[test]
fn an_open_pair_is_read_against_the_limits_of_its_book() {
    let month = Month::flat(|_| "0.0003").until(60);
    let read = |month: &Month| {
        let result = month.run(config());
        let pairs: Vec<_> = result.test.engine().open_pairs().collect();
        let [pair] = pairs.as_slice() else { panic!("{pairs:?}") };
        assert_eq!(pair.perp_qty.to_string(), "40");
        let account = result.test.engine().account().unwrap();
        let readings = result.test.engine().rule_readings();
        let of = |rule| readings.iter().find(|r| r.rule == rule).cloned().unwrap();
        let rules = [Rule::CarryNotional, Rule::CarryDailyLoss, Rule::LiquidationDistance];
        (rules.map(of), account)
    };
    let ([held, loss, distance], account) = read(&month);
    let half = account.equity.to_decimal() / Decimal::TWO;
    let coins = held.actual.unwrap();
    assert!((coins - Decimal::from(4_000)).abs() < Decimal::TWO, "{coins}");
    assert_eq!((held.limit, held.used), (half, Some((coins / half).round_dp(6))));
    // 1 % of what is held; nothing was lost today.
    assert_eq!(loss.limit, coins / Decimal::from(100));
    assert_eq!(loss.used, Some(Decimal::ZERO));
    let free = (account.margin_balance - account.maintenance_margin).to_decimal();
    let expected = free / Decimal::from(4_000);
    assert!((distance.actual.unwrap() - expected).abs() < Decimal::new(1, 5), "{distance:?}");
    let used = distance.limit / distance.actual.unwrap();
    assert_eq!(distance.used, Some(used.round_dp(6)));
    assert!(used < Decimal::ONE, "{used}");

    // The last hour widens the basis by a half percent: 20 of 40 allowed are lost, and more.
    let perp = |hour| if hour == 59 { "100.5" } else { "100" };
    let ([_, loss, _], _) =
        read(&Month { perp: Box::new(perp), ..Month::flat(|_| "0.0003") }.until(60));
    let used = loss.used.unwrap();
    assert!(used > Decimal::new(3, 1) && used < Decimal::new(6, 1), "{loss:?}");
    let spot = |hour| if hour == 59 { "98" } else { "100" };
    let ([_, loss, _], _) =
        read(&Month { spot: Box::new(spot), ..Month::flat(|_| "0.0003") }.until(60));
    assert!(loss.used.unwrap() > Decimal::ONE, "{loss:?}");
}

#[test]
fn a_pair_whose_strategy_is_taken_out_is_closed_on_both_legs() {
    let mut month = Month::flat(|_| "0.0003").until(80);
    month.reconfigured = Some((60, EngineConfig { strategies: Vec::new(), ..config() }));
    let result = month.run(config());
    let pairs: Vec<_> = result.seen.pairs.values().collect();
    let [pair] = pairs[..] else { panic!("{pairs:#?}") };
    assert_eq!(pair.status, CarryStatus::Closed);
    assert_eq!(pair.reason.as_deref(), Some("strategy_removed"));
    assert!(pair.perp_qty.is_zero() && pair.opened_at == START.plus(25 * HOUR));
    assert!(pair.closed_at.is_some_and(|at| at < START.plus(63 * HOUR)), "{pair:?}");
}
