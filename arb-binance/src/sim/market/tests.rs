//! Claims about the generated market.

use arb_core::{Market, Timestamp};

use super::*;

const EPOCH: i64 = 1_790_000_000_000;

fn market(seed: u64, names: &[&str]) -> SimMarket {
    let specs = names.iter().map(|name| symbol(name)).collect();
    SimMarket::new(MarketConfig::new(seed, Timestamp::from_millis(EPOCH), specs)).unwrap()
}

fn prints(line: &Line, from: i64, count: usize) -> Vec<Print> {
    let mut flow = line.flow_at(from);
    (0..count).map(|_| line.next_print(&mut flow)).collect()
}

#[test]
fn ids_are_contiguous_and_a_trade_is_the_same_by_id_and_by_time() {
    let market = market(7, &["BTCUSDT", "SIM9USDT"]);
    for line in market.lines() {
        // Over the end of a day.
        let from = EPOCH - EPOCH % 86_400_000 - 300_000;
        let trades = prints(line, from, 12_000);
        for pair in trades.windows(2) {
            assert_eq!(pair[0].id + 1, pair[1].id);
            assert_eq!(pair[0].last + 1, pair[1].first);
            assert!(pair[0].at <= pair[1].at);
        }
        for trade in trades.iter().step_by(371) {
            assert_eq!(line.next_print(&mut line.flow_from(trade.id)), *trade);
            let again = line.next_print(&mut line.flow_at(trade.at));
            assert!(again.at == trade.at && again.id <= trade.id);
            let fills: i64 = trade.fills().map(|(_, qty)| qty).sum();
            assert!(fills == trade.qty && trade.fills().all(|(_, qty)| qty > 0));
        }
    }
}

#[test]
fn trades_happen_at_the_best_prices_of_their_time() {
    let market = market(3, &["ETHUSDT"]);
    for line in market.lines() {
        let mut cursor = AssetCursor::default();
        let mut sells = 0;
        for trade in prints(line, EPOCH, 5_000) {
            let (bid, ask) = line.best(&mut cursor, trade.at);
            assert_eq!(trade.price, if trade.taker_sold { bid } else { ask });
            assert!(trade.price % line.tick == 0 && trade.qty % line.lot == 0);
            sells += i32::from(trade.taker_sold);
        }
        assert!((1_000..4_000).contains(&sells), "{sells} of 5000 takers sold");
    }
}

#[test]
fn changes_turn_one_book_into_the_next() {
    let market = market(5, &["BTCUSDT", "1000PEPEUSDT", "DOGEUSDT"]);
    for line in market.lines() {
        let mut cursor = AssetCursor::default();
        let mut changes = Depth::default();
        let book = line.depth(EPOCH, LEVELS_ALL);
        let mut bids: BTreeMap<i64, i64> = book.bids.iter().copied().collect();
        let mut asks: BTreeMap<i64, i64> = book.asks.iter().copied().collect();
        let mut from = line.edge(&mut cursor, EPOCH);
        for step in 1..=200 {
            let to = line.edge(&mut cursor, EPOCH + step * 100);
            line.changes(from, to, &mut changes);
            for (side, levels) in [(&mut bids, &changes.bids), (&mut asks, &changes.asks)] {
                for (price, qty) in levels {
                    match qty {
                        0 => assert!(side.remove(price).is_some(), "{}", line.symbol),
                        _ => _ = side.insert(*price, *qty),
                    }
                }
            }
            from = to;
        }
        let book = line.depth(EPOCH + 20_000, LEVELS_ALL);
        assert_eq!(bids.into_iter().rev().collect::<Vec<_>>(), book.bids, "{}", line.symbol);
        assert_eq!(asks.into_iter().collect::<Vec<_>>(), book.asks, "{}", line.symbol);
        assert_eq!(changes.update_id, book.update_id);
    }
}

const LEVELS_ALL: i64 = 1_000;

#[test]
fn a_bar_is_the_sum_of_its_trades_however_it_is_asked() {
    let market = market(5, &["SOLUSDT"]);
    let from = EPOCH - EPOCH % 3_600_000 - 7_200_000 + 1_800_000;
    let whole = market.bar(0, from, from + 3 * 3_600_000).unwrap();
    let mut parts = market.bar(0, from, from + 60_000).unwrap();
    for minute in 1..180 {
        let at = from + minute * 60_000;
        parts.add(market.bar(0, at, at + 60_000).unwrap());
    }
    assert_eq!(whole, parts);
    let line = market.line(0).unwrap();
    let counted = line.before(line.id_at(from + 3 * 3_600_000)).last - whole.first + 1;
    assert_eq!(whole.count(), counted);
}

#[test]
fn prices_of_a_coin_stay_close_to_each_other() {
    let market = market(11, &["BTCUSDT", "1000PEPEUSDT"]);
    for coin in market.coins() {
        let perpetual = market.line(coin.perpetual).unwrap();
        let spot = market.line(coin.spot.unwrap()).unwrap();
        let multiplier = perpetual.price / spot.price;
        for hour in 0..72 {
            let at = EPOCH - hour * 3_600_000;
            let (index, mark) = perpetual.index_and_mark(at);
            let perp = perpetual.best(&mut AssetCursor::default(), at).0;
            let pair = spot.best(&mut AssetCursor::default(), at).0 * multiplier;
            for price in [mark, perp, pair] {
                let apart = (price - index).abs() * 10_000 / index;
                assert!(apart < 60, "{}: {apart} bp", perpetual.symbol);
            }
            let rate = perpetual.funding_estimate(at);
            assert!(rate.abs() <= perpetual.funding_cap());
        }
    }
}

#[test]
fn the_settled_rate_is_the_estimate_at_the_end() {
    let market = market(2, &["BTCUSDT", "MOVEUSDT"]);
    for coin in market.coins() {
        let line = market.line(coin.perpetual).unwrap();
        let boundary = line.next_settlement(EPOCH);
        let settled = line.settlement(boundary);
        let before = line.funding_estimate(boundary - 1);
        assert!((settled.rate - before).abs() < 2_000, "{} and {before}", settled.rate);
        assert!(settled.told_at - boundary < 20);
    }
}

#[test]
fn a_tape_is_served_as_it_is_and_joined_on_both_sides() {
    let donor = market(1, &["BTCUSDT"]);
    let recorded = prints(&donor.lines()[0], EPOCH, 500);
    let trades: Vec<Trade> = recorded
        .iter()
        .map(|print| Trade {
            instrument: arb_core::InstrumentId(0),
            taker_side: if print.taker_sold { arb_core::Side::Sell } else { arb_core::Side::Buy },
            id: print.id - donor.lines()[0].id_at(EPOCH) + 77,
            ts: Timestamp::from_millis(print.at),
            price: arb_core::Price::from_units(print.price * 2).unwrap(),
            qty: arb_core::Qty::from_units(print.qty).unwrap(),
        })
        .collect();
    let mut market = market(9, &["BTCUSDT"]);
    market.with_tape(Market::Um, "BTCUSDT", trades.clone()).unwrap();
    let line = &market.lines()[0];
    let mut flow = line.flow_from(70);
    let served: Vec<Print> = (0..520).map(|_| line.next_print(&mut flow)).collect();
    assert!(served.windows(2).all(|pair| pair[0].id + 1 == pair[1].id && pair[0].at <= pair[1].at));
    for (print, trade) in served[7..].iter().zip(&trades) {
        assert_eq!((print.id, print.price), (trade.id, trade.price.units()));
    }
    for pair in [&served[6..8], &served[506..508]] {
        let jump = (pair[1].price - pair[0].price).abs() * 10_000 / pair[0].price;
        assert!(jump < 30, "{jump} bp between recorded and generated");
    }
    assert!(market.with_tape(Market::Um, "XUSDT", trades).is_err());
}

#[test]
fn the_same_seed_gives_the_same_market_and_another_seed_another() {
    let trades = |seed| prints(&market(seed, &["BTCUSDT"]).lines()[0], EPOCH, 100);
    assert_eq!(trades(1), trades(1));
    assert_ne!(trades(1), trades(2));
}
