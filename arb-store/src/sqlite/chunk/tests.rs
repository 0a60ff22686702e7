//! Chunks give back what went in, and refuse what is none.

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use proptest::prelude::*;

use super::*;

fn pack(trades: &[Trade]) -> Vec<u8> {
    Encoder::new().unwrap().encode(trades).unwrap()
}

fn unpack(data: &[u8]) -> Result<Vec<Trade>, Damage> {
    let mut trades = Vec::new();
    Decoder::new().unwrap().decode(data, InstrumentId(3), &mut trades)?;
    Ok(trades)
}

fn any_trades() -> impl Strategy<Value = Vec<Trade>> {
    let id_step = prop_oneof![8 => Just(1_u64), 1 => 2..50_u64, 1 => any::<u64>()];
    let unit = prop_oneof![Just(1_i64), Just(1_000), Just(1_000_000), Just(1_000_000_000)];
    let max = 1_000_000_000_000_000_000_i64;
    let one = (id_step, any::<i64>(), 1..=max, 0..=max, any::<bool>());
    (unit, proptest::collection::vec(one, 1..300)).prop_map(move |(unit, rows)| {
        let mut id = 0_u64;
        let trade = |(step, time, price, qty, sold): (u64, i64, i64, i64, bool)| {
            let next = id.checked_add(step)?;
            id = next;
            let whole = |value: i64| value / unit * unit;
            Some(Trade {
                instrument: InstrumentId(3),
                taker_side: if sold { Side::Sell } else { Side::Buy },
                id: next,
                ts: Timestamp::from_nanos(whole(time)),
                price: Price::from_units(whole(price).max(1)).unwrap(),
                qty: Qty::from_units(whole(qty)).unwrap(),
            })
        };
        rows.into_iter().map_while(trade).collect()
    })
}

proptest! {
    #[test]
    fn any_trades_come_back_exactly(trades in any_trades()) {
        prop_assume!(!trades.is_empty());
        prop_assert_eq!(unpack(&pack(&trades)), Ok(trades));
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic(
        raw in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = unpack(&raw);
        let mut versioned = vec![VERSION];
        versioned.extend(raw);
        let _ = unpack(&zstd::bulk::compress(&versioned, LEVEL).unwrap());
    }
}

#[test]
fn a_full_chunk_of_a_market_takes_few_bytes_a_trade() {
    let mut trades: Vec<Trade> =
        TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(CHUNK).collect();
    for trade in &mut trades {
        trade.instrument = InstrumentId(3);
    }
    let data = pack(&trades);
    assert!(data.len() < CHUNK * 6, "{} bytes for {CHUNK} trades", data.len());
    assert_eq!(unpack(&data), Ok(trades));
}

#[test]
fn the_widest_chunk_fits_the_buffer() {
    let max = 1_000_000_000_000_000_000_i64;
    let wild = |at: u64| Trade {
        instrument: InstrumentId(3),
        taker_side: Side::Sell,
        id: at * (1 << 50),
        ts: Timestamp::from_nanos(if at.is_multiple_of(2) { i64::MIN + 1 } else { i64::MAX }),
        price: Price::from_units(if at.is_multiple_of(2) { 1 } else { max }).unwrap(),
        qty: Qty::from_units(max - 1).unwrap(),
    };
    let trades: Vec<Trade> = (0..CHUNK as u64).map(wild).collect();
    assert_eq!(unpack(&pack(&trades)), Ok(trades));
}

#[test]
fn a_chunk_cut_or_with_more_behind_it_is_refused() {
    let trades: Vec<Trade> = TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(100).collect();
    let mut encoder = Encoder::new().unwrap();
    encoder.encode(&trades).unwrap();
    let raw = encoder.raw;
    for cut in 0..raw.len() {
        assert!(
            unpack(&zstd::bulk::compress(&raw[..cut], LEVEL).unwrap()).is_err(),
            "cut at {cut}"
        );
    }
    let longer = [raw.as_slice(), &[0]].concat();
    assert!(unpack(&zstd::bulk::compress(&longer, LEVEL).unwrap()).is_err());
}
