//! Every shape of a trade file gives the same trades.

use arb_core::{Event, EventKind, Price, Qty, Side, Timestamp, Trade};

use super::*;
use crate::tape::klines::klines;
use crate::tape::steps::steps;
use crate::tape::{Origin, Packed};

fn expected() -> Vec<Event> {
    let trade = |id, taker_side, millis, price: &[u8], qty: &[u8]| Trade {
        instrument: InstrumentId(0),
        taker_side,
        id,
        ts: Timestamp::from_millis(T0 + millis),
        price: Price::parse(price).unwrap(),
        qty: Qty::parse(qty).unwrap(),
    };
    vec![
        Event::trade(trade(8, Side::Sell, 1, b"67500.1", b"0.05")),
        Event::trade(trade(9, Side::Buy, 1, b"67500.2", b"1.25")),
    ]
}

fn packed(text: &str) -> Packed {
    Packed { name: "f.csv".into(), origin: Origin::Memory(text.as_bytes().into()) }
}

#[test]
fn reads_every_layout_of_trades_with_and_without_header() {
    let layouts = [
        (
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
            "8,67500.1,0.050,11,12,1717200000001,true\n9,67500.20,1.25,13,13,1717200000001,false\n",
        ),
        (
            "agg_trade_id,price,quantity,transact_time,is_buyer_maker",
            "8,67500.1,0.050,1717200000001,1\n9,67500.20,1.25,1717200000001,0\n",
        ),
        (
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,\
             is_buyer_maker,is_best_match",
            "8,67500.1,0.050,11,12,1717200000001000,True,True\n\
             9,67500.20,1.25,13,13,1717200000001000,False,True\n",
        ),
        (
            "id,price,qty,quote_qty,time,is_buyer_maker",
            "8,67500.1,0.050,3375.005,1717200000001,true\n9,67500.2,1.25,84375.25,1717200000001,false",
        ),
        (
            "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
            "8,67500.1,0.050,3375.005,1717200000001000,True,True\n\
             9,67500.2,1.25,84375.25,1717200000001000,False,True",
        ),
        (
            "id,price,qty,quote_qty,time,is_buyer_maker,kind",
            "8,67500.1,0.050,3375.005,1717200000001,true,MARKET\n\
             9,67500.2,1.25,84375.25,1717200000001,false,MARKET",
        ),
    ];
    for (header, rows) in layouts {
        assert_eq!(events(&vec![trades("a.csv", rows)]), expected(), "without {header}");
        let text = format!("{header}\n{rows}");
        assert_eq!(events(&vec![trades("a.csv", text)]), expected(), "with {header}");
    }
}

#[test]
fn finds_columns_by_name_in_any_order() {
    let text = "m,T,s,note,q,p,a\n\
                true,1717200000001,BTCUSDT,x,0.05,67500.1,8\n\
                false,1717200000001,BTCUSDT,,1.25,67500.2,9\n";
    assert_eq!(events(&vec![trades("a.csv", text)]), expected());
}

#[test]
fn a_time_may_change_its_unit_inside_a_file() {
    let text = "8,67500.1,0.05,1717200000001,1\n9,67500.2,1.25,1717200000001999,0\n";
    let last = events(&vec![trades("a.csv", text)]).pop().unwrap();
    assert_eq!(last.at, Timestamp::from_micros(1_717_200_000_001_999));
}

#[test]
fn line_ends_marks_and_trailing_blank_lines_do_not_matter() {
    let plain = format!("{HEADER}{}", rows(1..=5));
    let expected = events(&vec![trades("a.csv", plain.clone())]);
    assert_eq!(expected.len(), 5);
    let variants = [
        plain.replace('\n', "\r\n"),
        plain.trim_end().to_owned(),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{}", rows(1..=5)),
        format!("{plain}\n\r\n\n"),
    ];
    for text in variants {
        assert_eq!(events(&vec![trades("a.csv", text.clone())]), expected, "{text:?}");
    }
}

#[test]
fn reads_files_of_many_blocks() {
    let count = 30_000;
    let events = events(&vec![trades("a.csv", rows(1..=count))]);
    let ids = events.iter().map(|event| match &event.kind {
        EventKind::Trade(trade) => trade.id,
        other => panic!("{other:?}"),
    });
    assert!(ids.eq(1..=count));
}

#[test]
fn rows_without_quantity_are_given_and_counted() {
    let text = "1,5,0.00,1717200000001,1\n2,5,1,1717200000002,1\n";
    let (events, stats) = read(&vec![trades("a.csv", text)], TapeOptions::default()).unwrap();
    assert_eq!(short(&events), ["trade 0:1 @1", "trade 0:2 @2"]);
    assert_eq!((stats.trades, stats.zero_qty), (1, 1));
}

#[test]
fn a_print_off_the_market_keeps_its_id_and_loses_its_quantity() {
    let text = "id,price,qty,quote_qty,time,is_buyer_maker,kind\n\
                1,5,1,5,1717200000001,true,MARKET\n\
                2,9,7,63,1717200000002,true,INSURANCE_FUND\n\
                3,5,1,5,1717200000003,true,MARKET\n";
    let (events, stats) = read(&vec![trades("a.csv", text)], TapeOptions::default()).unwrap();
    assert_eq!(short(&events), ["trade 0:1 @1", "trade 0:2 @2", "trade 0:3 @3"]);
    let EventKind::Trade(print) = &events[1].kind else { panic!("no trade") };
    assert!(print.qty.is_zero());
    assert_eq!((stats.trades, stats.off_market, stats.zero_qty), (2, 1, 0));
}

#[test]
fn reads_klines_as_they_are() {
    let row = "1499040000000,0.01634790,0.80000000,-0.01575800,0.01577100,148976.11427815,\
               1499644799999,2434.19055334,308,1756.87402397,28.46694368,0\n";
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                  taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let bare = klines(&packed(row)).unwrap();
    assert_eq!(bare, klines(&packed(&format!("{header}{row}"))).unwrap());
    let [kline] = bare.as_slice() else { panic!("{bare:?}") };
    assert_eq!(kline.open_time, Timestamp::from_millis(1_499_040_000_000));
    assert_eq!(kline.close_time, Timestamp::from_millis(1_499_644_799_999));
    assert_eq!(kline.low.to_string(), "-0.015758");
    assert_eq!(kline.trades, 308);
    assert_eq!(kline.taker_buy_quote_volume.to_string(), "28.46694368");
}

#[test]
fn infers_the_largest_power_of_ten_that_divides_all() {
    let infer = |text: &str, rows| {
        let (tick, lot) = steps(&packed(text), rows).unwrap();
        (tick.to_string(), lot.to_string())
    };
    let pair = |tick: &str, lot: &str| (tick.to_owned(), lot.to_owned());
    let half_ticks = "1,100.5,0.012,1717200000001,1\n2,101,3,1717200000001,1\n";
    assert_eq!(infer(half_ticks, 10), pair("0.1", "0.001"));
    assert_eq!(infer(half_ticks, 1), pair("0.1", "0.001"));
    assert_eq!(infer("1,2500,300,1717200000001,1\n", 10), pair("100", "100"));
    assert_eq!(infer("1,10000000000,0,1717200000001,1\n", 10), pair("10000000000", "0.00000001"));
}
