//! Tapes come back exactly, and damage is named.

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::{Decimal, Direction, Price, Qty, Side, Timestamp, Trade};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use super::*;
use crate::tape::bytes::{Consumed, Origin, Packed};
use crate::tape::error::{TapeError, TapePart};

/// Everything a tape can hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Market {
    /// Trades, and which are no market trades.
    trades: Vec<(Trade, bool)>,
    funding: Vec<FundingRow>,
    marks: Vec<MarkRow>,
    metrics: Vec<MetricsRow>,
    liquidations: Vec<LiquidationRow>,
    premium: Vec<PremiumRow>,
}

impl Market {
    fn write(&self) -> Vec<u8> {
        let mut writer = TapeWriter::new("t.arbt", Vec::new(), TapeHeader::new("X")).unwrap();
        for (trade, off_market) in &self.trades {
            if *off_market {
                writer.off_market(trade).unwrap();
            } else {
                writer.trade(trade).unwrap();
            }
        }
        self.funding.iter().for_each(|row| writer.funding(row).unwrap());
        self.marks.iter().for_each(|row| writer.mark(row).unwrap());
        self.metrics.iter().for_each(|row| writer.metrics(row).unwrap());
        self.liquidations.iter().for_each(|row| writer.liquidation(row).unwrap());
        self.premium.iter().for_each(|row| writer.premium(row).unwrap());
        writer.finish().unwrap().0
    }

    fn read(bytes: &[u8]) -> Result<Self, TapeError> {
        let packed = Packed { name: "t.arbt".into(), origin: Origin::Memory(bytes.into()) };
        let consumed = Consumed::default();
        let tape = packed.tape(&consumed)?.expect("begins as a tape");
        let mut rows = ArbtTrades::open(&tape, arb_core::InstrumentId(0), None, &consumed)?;
        let mut trades = Vec::new();
        while let Some(placed) = rows.next()? {
            assert_eq!(placed.row, trades.len() as u64 + 1);
            trades.push((placed.trade, placed.off_market));
        }
        Ok(Self {
            trades,
            funding: tape.rows(&consumed)?,
            marks: tape.rows(&consumed)?,
            metrics: tape.rows(&consumed)?,
            liquidations: tape.rows(&consumed)?,
            premium: tape.rows(&consumed)?,
        })
    }
}

/// The largest price and quantity allowed, in units.
const MOST: i64 = 1_000_000_000_000_000_000;

fn price() -> BoxedStrategy<Price> {
    prop_oneof![1..1_000_i64, (1..500_i64).prop_map(|p| p * 10_000_000), 1..=MOST]
        .prop_map(|units| Price::from_units(units).unwrap())
        .boxed()
}

fn qty() -> BoxedStrategy<Qty> {
    prop_oneof![0..3_i64, (1..500_i64).prop_map(|q| q * 100_000), 1..=MOST]
        .prop_map(|units| Qty::from_units(units).unwrap())
        .boxed()
}

fn decimal() -> BoxedStrategy<Decimal> {
    (any::<i64>(), 0..28_u32).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale)).boxed()
}

/// Steps of time in nanoseconds, as venues make them: none, ns, µs, ms, long.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        0..5_i64,
        (0..5_i64).prop_map(|us| us * 1_000),
        (0..5_000_i64).prop_map(|ms| ms * 1_000_000),
        0..4_000_000_000_000_000_i64,
    ]
}

/// Times that do not go back, from any instant.
fn times(most: usize) -> impl Strategy<Value = Vec<Timestamp>> {
    (any::<i32>(), proptest::collection::vec(step(), 0..most)).prop_map(|(start, steps)| {
        let mut at = i64::from(start) * 1_000_000;
        let later = |step: i64| {
            at += step;
            Timestamp::from_nanos(at)
        };
        steps.into_iter().map(later).collect()
    })
}

fn trades() -> impl Strategy<Value = Vec<(Trade, bool)>> {
    let skip = prop_oneof![4 => Just(0_u64), 1 => 1..4_u64, 1 => 0..1_u64 << 40];
    let row = (price(), qty(), any::<bool>(), skip, 0..20_u8).boxed();
    let first =
        prop_oneof![0..9_u64, any::<u32>().prop_map(u64::from), Just(u64::MAX - (1 << 50))].boxed();
    times(700)
        .prop_flat_map(move |times| {
            let count = times.len();
            (Just(times), first.clone(), proptest::collection::vec(row.clone(), count))
        })
        .prop_map(|(times, first, rows)| {
            let mut id = first;
            let trade =
                |(ts, (price, qty, buys, skip, fate)): (Timestamp, (_, Qty, _, u64, u8))| {
                    id += skip + 1;
                    let off_market = fate == 0;
                    let qty = if off_market { Qty::ZERO } else { qty };
                    let taker_side = if buys { Side::Buy } else { Side::Sell };
                    let instrument = arb_core::InstrumentId(0);
                    (Trade { instrument, id, ts, price, qty, taker_side }, off_market)
                };
            times.into_iter().zip(rows).map(trade).collect()
        })
}

fn funding() -> impl Strategy<Value = Vec<FundingRow>> {
    let row = (decimal(), any::<Option<u8>>(), proptest::option::of(price()));
    rows(row, |time, (rate, interval_hours, mark_price)| FundingRow {
        time,
        rate,
        interval_hours,
        mark_price,
    })
}

fn rows<V: Clone + std::fmt::Debug + 'static, R: std::fmt::Debug + 'static>(
    row: impl Strategy<Value = V> + Clone + 'static,
    make: impl Fn(Timestamp, V) -> R + Clone + 'static,
) -> BoxedStrategy<Vec<R>> {
    times(120)
        .prop_flat_map(move |times| {
            let make = make.clone();
            proptest::collection::vec(row.clone(), times.len()).prop_map(move |rows| {
                let pairs = times.iter().zip(rows);
                pairs.map(|(time, row)| make(*time, row)).collect::<Vec<R>>()
            })
        })
        .boxed()
}

fn marks() -> impl Strategy<Value = Vec<MarkRow>> {
    let (index, rate) = (proptest::option::of(price()), proptest::option::of(decimal()));
    let row = (any::<i32>(), price(), index, rate, any::<Option<i64>>());
    rows(row, |known_at, (delay, mark_price, index_price, funding_rate, next)| MarkRow {
        known_at,
        time: known_at.plus(-i64::from(delay)),
        mark_price,
        index_price,
        funding_rate,
        next_funding_at: next.map(Timestamp::from_nanos),
    })
}

fn metrics() -> impl Strategy<Value = Vec<MetricsRow>> {
    let ratio = || proptest::option::of(0.0..1e6_f64);
    let row = (proptest::option::of(decimal()), ratio(), ratio());
    rows(row, |time, (open_interest, long_short_ratio, top_trader_ratio)| MetricsRow {
        time,
        open_interest,
        long_short_ratio,
        top_trader_ratio,
    })
}

fn liquidations() -> impl Strategy<Value = Vec<LiquidationRow>> {
    let position = (any::<bool>(), price(), qty()).prop_map(|(is_long, price, qty)| {
        let direction = if is_long { Direction::Long } else { Direction::Short };
        Liquidated::Position(direction, price, qty)
    });
    let what = prop_oneof![4 => position, 1 => Just(Liquidated::StreamUp), 1 => Just(Liquidated::StreamDown)]
            .boxed();
    rows((any::<i32>(), what), |known_at, (delay, what)| LiquidationRow {
        known_at,
        time: known_at.plus(-i64::from(delay)),
        what,
    })
}

fn market() -> impl Strategy<Value = Market> {
    let premium = rows((any::<i32>(), decimal()), |open_time, (length, premium)| PremiumRow {
        open_time,
        known_at: open_time.plus(i64::from(length)),
        premium,
    });
    (trades(), funding(), marks(), metrics(), liquidations(), premium).prop_map(
        |(trades, funding, marks, metrics, liquidations, premium)| Market {
            trades,
            funding,
            marks,
            metrics,
            liquidations,
            premium,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_market_comes_back_bit_for_bit(market in market()) {
        let bytes = market.write();
        let back = Market::read(&bytes).unwrap();
        prop_assert_eq!(&back, &market);
        for (row, again) in market.funding.iter().zip(&back.funding) {
            prop_assert_eq!(row.rate.unpack(), again.rate.unpack(), "with its scale");
        }
        prop_assert_eq!(market.write(), bytes, "the same rows write the same bytes");
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz_arbt(&bytes);
        let mut begun = TapeHeader::new("X").encode();
        begun.extend_from_slice(&bytes);
        fuzz_arbt(&begun);
    }
}

fn tape() -> Vec<u8> {
    let generated = TapeGenerator::new(GeneratorConfig::btcusdt(7)).take(200_000);
    let time = Timestamp::from_millis(1_700_000_000_000);
    let rate = "0.0001".parse().unwrap();
    let funding = vec![FundingRow { time, rate, interval_hours: Some(8), mark_price: None }];
    let trades = generated.map(|trade| (trade, false)).collect();
    Market { trades, funding, ..Market::default() }.write()
}

#[test]
fn a_changed_byte_anywhere_is_found_and_its_place_told() {
    let bytes = tape();
    let info = verify_bytes("t", &bytes).unwrap();
    assert_eq!(info.table(Table::Trades).unwrap().blocks, 4);
    let step = bytes.len() / 997;
    for at in (0..bytes.len()).step_by(step).chain(bytes.len() - 40..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        match verify_bytes("t", &changed) {
            Err(TapeError::Tape { offset, part, .. }) => {
                let near =
                    usize::try_from(offset).unwrap() <= at || matches!(part, TapePart::Index);
                assert!(near, "byte {at} is told as {part} at {offset}");
            }
            Err(TapeError::Unsupported { .. }) => assert!(at < 8, "the magic alone: {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_truncated_tape_is_refused_at_any_length() {
    let bytes = tape();
    for len in (0..bytes.len()).step_by(bytes.len() / 499) {
        let error = verify_bytes("t", &bytes[..len]).unwrap_err().to_string();
        assert!(error.starts_with("t: "), "{len}: {error}");
    }
    let error = verify_bytes("t", &bytes[..bytes.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("truncated or was never finished"), "{error}");
}

#[test]
fn another_version_is_refused_with_its_number() {
    let mut bytes = tape();
    bytes[8] = 9;
    let error = verify_bytes("t", &bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "t: head at byte 0: the tape is of version 9 but this build reads version 1; import the \
         archive files again"
    );
}

#[test]
fn a_damaged_block_is_named_by_number_and_offset() {
    let mut bytes = tape();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    let error = verify_bytes("t", &bytes).unwrap_err();
    let TapeError::Tape { part: TapePart::Block { number, table: "trades" }, offset, what, .. } =
        &error
    else {
        panic!("{error}");
    };
    assert!((1..3).contains(number) && *offset > 0, "{error}");
    assert!(what.contains("checksum"), "{error}");
}

#[test]
fn rows_out_of_order_are_refused_in_writing() {
    let mut trades = TapeGenerator::new(GeneratorConfig::btcusdt(7));
    let (first, second) = (trades.next().unwrap(), trades.next().unwrap());
    let mut writer = TapeWriter::new("t", Vec::new(), TapeHeader::new("X")).unwrap();
    writer.trade(&second).unwrap();
    let error = writer.trade(&first).unwrap_err().to_string();
    assert_eq!(error, "t: trades: an id does not go up; rows must come in order");
}
