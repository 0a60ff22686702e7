//! The carry on recorded rates: what the ledger books is what an independent sum finds.

use std::collections::BTreeMap;

use arb::tape::{PairSource, PairTape, Source, SourceKind, Tape, TapeOptions, read_pair_bars};
use arb::{
    Backtest, Decimal, EngineConfig, Event, EventKind, FundingSettled, Instrument,
    InstrumentConfig, InstrumentId, Money, Observer, OrderUpdate, Output, Recorder, Registry, Side,
    Timestamp,
};

use crate::support::recorded;

const PERP: InstrumentId = InstrumentId(0);
const SPOT: InstrumentId = InstrumentId(1);

/// Follows the fills of the short by itself and sums what each settlement must pay.
#[derive(Default)]
struct Independent {
    short: Decimal,
    /// Short after each fill, by its time.
    history: Vec<(Timestamp, Decimal)>,
    last_price: Option<Decimal>,
    expected: Decimal,
    booked: Money,
    intervals: BTreeMap<i64, u32>,
    last_settlement: Option<Timestamp>,
    at_hour: BTreeMap<Timestamp, Decimal>,
}

impl Independent {
    fn settle(&mut self, settled: &FundingSettled) {
        let held = self.history.iter().rev().find(|(at, _)| *at < settled.funding_time);
        let short = held.map_or(Decimal::ZERO, |(_, short)| *short);
        let mark = settled.mark_price.map(|mark| mark.to_decimal());
        let mark = mark.or_else(|| self.at_hour.get(&settled.funding_time).copied());
        if let Some(mark) = mark {
            self.expected += (short * mark * settled.rate).round_dp(8);
        }
        if let Some(last) = self.last_settlement {
            *self
                .intervals
                .entry(settled.funding_time.since(last) / 3_600_000_000_000)
                .or_default() += 1;
        }
        self.last_settlement = Some(settled.funding_time);
    }
}

impl Observer for Independent {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Order(order) if order.instrument == PERP => {
                if let OrderUpdate::Filled(fill) = &order.update {
                    let qty = fill.qty.to_decimal();
                    self.short += if fill.side == Side::Sell { qty } else { -qty };
                    self.history.push((fill.ts, self.short));
                }
            }
            EventKind::Trade(trade) if trade.instrument == PERP => {
                self.last_price = Some(trade.price.to_decimal());
            }
            EventKind::Tick(at) => {
                self.at_hour.extend(self.last_price.map(|price| (*at, price)));
            }
            EventKind::Funding(settled) => self.settle(settled),
            _ => {}
        }
    }

    fn output(&mut self, output: &Output) {
        if let Output::Funding { paid, .. } = output {
            self.booked += *paid;
        }
    }
}

fn run(source: PairSource, steps: [(&str, &str); 2]) -> (Recorder, Independent, Backtest) {
    let [(perp_tick, perp_lot), (spot_tick, spot_lot)] = steps;
    let perp =
        Instrument::perpetual("XUSDT", perp_tick.parse().unwrap(), perp_lot.parse().unwrap());
    let spot = Instrument::spot("XUSDT", spot_tick.parse().unwrap(), spot_lot.parse().unwrap());
    let instruments =
        [perp, spot].map(|spec| InstrumentConfig { spec, spread_bps: Decimal::ONE }).to_vec();
    let text = Registry::builtin_text("funding_carry").unwrap();
    let mut config = EngineConfig::new(instruments).with_strategy("funding_carry", text).unwrap();
    config.grid_secs = 3_600;
    let mut watch = (Recorder::default(), Independent::default());
    let mut test = Backtest::new(config, Registry::builtin(), &mut watch).unwrap();
    let (mut tape, mut events) = (PairTape::new(vec![source]), Vec::new());
    while tape.next_hour(&mut events) {
        events.drain(..).for_each(|event| test.on_event(event, &mut watch));
    }
    test.finish(&mut watch);
    (watch.0, watch.1, test)
}

fn settlements(name: &str) -> Option<Vec<FundingSettled>> {
    let path = recorded(&format!("funding/{name}-fundingRate.csv.gz"))?;
    let source =
        Source { instrument: PERP, symbol: name.to_owned(), kind: SourceKind::Funding, path };
    let mut tape = Tape::open(&[source], TapeOptions::default()).unwrap();
    let (mut batch, mut all) = (Vec::new(), Vec::new());
    while tape.next_batch(&mut batch).unwrap() > 0 {
        all.extend(batch.drain(..).filter_map(|event| match event.kind {
            EventKind::Funding(settled) => Some(settled),
            _ => None,
        }));
    }
    Some(all)
}

fn check(seen: &Recorder, independent: &Independent, test: &Backtest) {
    assert!(!seen.pairs.is_empty(), "some pair was worth it");
    assert_ne!(independent.expected, Decimal::ZERO);
    let paid = -independent.expected;
    assert_eq!(independent.booked.to_decimal(), paid, "booked settlement by settlement");
    assert_eq!(test.engine().ledger().unwrap().totals().funding.to_decimal(), paid);
    let of_pairs: Money = seen.pairs.values().map(|pair| pair.funding).sum();
    assert_eq!(of_pairs.to_decimal(), paid);
    let earned: Money = seen.pairs.values().map(|pair| pair.pnl).sum();
    let equity = test.engine().equity().unwrap() - "10000".parse().unwrap();
    let dust = (equity - earned).abs();
    assert!(dust < "0.5".parse().unwrap(), "dust moved by {dust}");
}

#[test]
fn books_exactly_the_settlements_of_the_recorded_hours() {
    let Some(path) = recorded("bars/AVAXUSDT_1h_perp_spot_2020-09_2024-12.csv.gz") else { return };
    let bars = read_pair_bars(&path).unwrap();
    assert_eq!(bars.len(), 37_482);
    let settlements = PairSource::settlements_of(&bars, PERP, 8);
    assert!(settlements.iter().filter(|s| s.mark_price.is_none()).count() < 10);
    let source = PairSource { perp: PERP, spot: SPOT, bars, settlements };
    let (seen, independent, test) = run(source, [("0.0001", "1"), ("0.0001", "0.01")]);
    check(&seen, &independent, &test);
    for pair in seen.pairs.values().filter(|pair| pair.closed_at.is_some()) {
        assert!(pair.perp_qty.is_zero());
        assert!(pair.spot_qty < "2".parse().unwrap(), "dust of a pair: {}", pair.spot_qty);
    }
}

#[test]
fn books_exactly_the_settlements_of_changing_intervals() {
    for (name, hours) in [("SOLUSDT", &[2, 4, 8][..]), ("POLUSDT", &[4])] {
        let Some(settlements) = settlements(name) else { return };
        let source = PairSource::without_prices(PERP, SPOT, settlements);
        let (seen, independent, test) = run(source, [("0.00001", "0.01"), ("0.00001", "0.01")]);
        check(&seen, &independent, &test);
        for hour in hours {
            assert!(independent.intervals.contains_key(hour), "{name} has intervals of {hour} h");
        }
    }
}
