//! The generator: reproducible, plausible, in range.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "counts of a test")]

use super::*;
use crate::config::hash_of;
use crate::num::{MAX, ONE};
use crate::time::{MINUTE, SECOND};

fn tape(seed: u64, trades: usize) -> Vec<Trade> {
    TapeGenerator::new(GeneratorConfig::btcusdt(seed)).take(trades).collect()
}

fn csv(trades: &[Trade]) -> Vec<u8> {
    let mut text = CSV_HEADER.as_bytes().to_vec();
    for trade in trades {
        csv_line(trade, &mut text);
    }
    text
}

fn signed_qty(trade: &Trade) -> f64 {
    trade.qty.signed(trade.taker_side).to_f64_lossy()
}

/// Per 5 minutes: true range as a fraction of price, return, signed quantity.
fn bars(trades: &[Trade]) -> Vec<(f64, f64, f64)> {
    let chunks = trades.chunk_by(|a, b| a.ts.floor_to(5 * MINUTE) == b.ts.floor_to(5 * MINUTE));
    let mut before = trades[0].price.to_f64_lossy();
    let bar = |chunk: &[Trade]| {
        let prices = chunk.iter().map(|trade| trade.price.to_f64_lossy());
        let range = prices.clone().fold(before, f64::max) - prices.fold(before, f64::min);
        let close = chunk[chunk.len() - 1].price.to_f64_lossy();
        let row = (range / before, close / before - 1.0, chunk.iter().map(signed_qty).sum());
        before = close;
        row
    };
    chunks.map(bar).collect()
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let product = |of: fn(f64, f64) -> f64| -> f64 {
        pairs.iter().map(|p| of(p.0 - x, p.1 - y)).sum::<f64>() / count
    };
    product(|x, y| x * y) / (product(|x, _| x * x) * product(|_, y| y * y)).sqrt()
}

#[test]
fn a_seed_gives_the_same_tape_on_every_platform() {
    let golden = "17fa7ff03f65d5e2cd0a8fcc8d40d54cb1070a1163c3d99c87d100c598ec911a";
    assert_eq!(hash_of(&csv(&tape(20_240_601, 10_000))), golden);
    assert_ne!(hash_of(&csv(&tape(20_240_602, 10_000))), golden);
}

#[test]
fn a_longer_tape_begins_with_the_shorter_one() {
    assert_eq!(tape(3, 5_000)[..1_234], tape(3, 1_234));
}

#[test]
fn trades_come_in_order_on_the_grid_of_tick_lot_and_millisecond() {
    let config = GeneratorConfig::btcusdt(4);
    let trades = tape(4, 100_000);
    assert!(trades[0].ts >= config.start);
    for (trade, id) in trades.iter().zip(config.first_id..) {
        assert_eq!((trade.id, trade.instrument), (id, config.instrument));
        assert_eq!(trade.ts.as_nanos() % 1_000_000, 0);
        assert_eq!(trade.price.units() % config.tick.units(), 0);
        assert!(trade.qty >= config.lot && trade.qty.units() % config.lot.units() == 0);
    }
    assert!(trades.is_sorted_by_key(|trade| trade.ts));
    let in_a_millisecond = trades.chunk_by(|a, b| a.ts == b.ts).map(<[Trade]>::len).max();
    assert_eq!(in_a_millisecond, Some(5));
}

#[test]
fn about_25_trades_a_second_with_quiet_and_busy_hours() {
    let trades = tape(5, 1_000_000);
    let span = trades[trades.len() - 1].ts.since(trades[0].ts);
    let rate = trades.len() as i64 * SECOND / span;
    assert!((15..=35).contains(&rate), "{rate} trades a second");
    let minutes = trades.chunk_by(|a, b| a.ts.floor_to(20 * MINUTE) == b.ts.floor_to(20 * MINUTE));
    let mut counts: Vec<usize> = minutes.map(<[Trade]>::len).collect();
    counts.sort_unstable();
    let (quiet, busy) = (counts[counts.len() / 10], counts[counts.len() * 9 / 10]);
    assert!(busy > 2 * quiet, "{quiet} and {busy} in 20 minutes");
}

#[test]
fn sizes_are_log_normal() {
    let trades = tape(6, 100_000);
    let mut sizes: Vec<f64> = trades.iter().map(|trade| trade.qty.to_f64_lossy()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    for (share, expected) in [(50, 0.013), (95, 0.19), (99, 0.56)] {
        let actual = sizes[sizes.len() * share / 100];
        assert!((actual / expected - 1.0_f64).abs() < 0.1, "p{share} is {actual}");
    }
}

#[test]
fn takers_are_autocorrelated_and_balanced() {
    let trades = tape(7, 200_000);
    let same = trades.windows(2).filter(|pair| pair[0].taker_side == pair[1].taker_side).count();
    assert!((160_000..185_000).contains(&same), "{same} times the same side");
    let buys = trades.iter().filter(|trade| trade.taker_side == Side::Buy).count();
    assert!((80_000..120_000).contains(&buys), "{buys} buys");
}

#[test]
fn bars_move_enough_to_pay_for_a_trade_and_follow_the_flow() {
    let bars = bars(&tape(8, 1_000_000));
    let mean_range = bars.iter().map(|bar| bar.0).sum::<f64>() / bars.len() as f64;
    assert!((0.001..0.0025).contains(&mean_range), "mean true range is {mean_range}");
    let flow_and_return: Vec<_> = bars.iter().map(|bar| (bar.2, bar.1)).collect();
    let with_price = correlation(&flow_and_return);
    assert!((0.25..0.85).contains(&with_price), "flow and return: {with_price}");
    let successive: Vec<_> = bars.windows(2).map(|pair| (pair[0].2, pair[1].2)).collect();
    let persistence = correlation(&successive);
    assert!((0.3..0.9).contains(&persistence), "flow and next flow: {persistence}");
}

#[test]
fn the_price_stays_in_a_sane_band() {
    let prices =
        || TapeGenerator::new(GeneratorConfig::btcusdt(9)).take(1_000_000).map(|t| t.price);
    let band = prices().min().unwrap().to_f64_lossy()..prices().max().unwrap().to_f64_lossy();
    assert!(band.start > 50_000.0 && band.end < 85_000.0, "{band:?}");
}

#[test]
fn lines_have_the_archive_format() {
    let trade = Trade {
        instrument: InstrumentId(3),
        taker_side: Side::Sell,
        id: 42,
        ts: Timestamp::from_millis(1_717_200_000_123),
        price: Price::parse(b"65000.1").unwrap(),
        qty: Qty::parse(b"0.013").unwrap(),
    };
    let expected = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,\
                    is_buyer_maker\n42,65000.1,0.013,42,42,1717200000123,true\n";
    assert_eq!(String::from_utf8(csv(&[trade])).unwrap(), expected);
}

#[test]
fn extreme_configurations_end_or_go_on_but_never_panic() {
    let price = |units| Price::from_units(units).unwrap_or_default();
    for (start_price, tick) in [(0, 0), (1, MAX), (MAX, 1), (MAX, MAX), (ONE, 0)] {
        for first_id in [0, u64::MAX - 1] {
            let config = GeneratorConfig {
                start: Timestamp::MAX,
                first_id,
                start_price: price(start_price),
                tick: price(tick),
                lot: Qty::from_units(if tick == 0 { 0 } else { MAX }).unwrap(),
                ..GeneratorConfig::default()
            };
            assert!(TapeGenerator::new(config).take(1_000).all(|trade| !trade.price.is_zero()));
        }
    }
}
