//! One claim per kind of frame, with the documented or live bytes.

use arb_core::{
    Decimal, Direction, EventKind, Input, InputValue, InstrumentId, Mark, Money, NumError, Qty,
    Quote, Side, Trade,
};

use super::{Reader, futures_reader, ms, say, say_parsed, spot_reader};
use crate::wire::{Answer, Counters, Dropped, Fault, Interval, Message, Refusal, TradePrint};

/// Reads a frame both ways, which must agree, and gives the events of the faster one.
fn events(reader: &mut Reader, frame: &str) -> Vec<EventKind> {
    let frame = frame.as_bytes();
    assert_eq!(say(&mut reader.clone(), frame), say_parsed(&mut reader.clone(), frame));
    let mut events = Vec::new();
    reader.read(frame, |message| message.events(ms(7), |kind| events.push(kind)));
    events
}

fn btc_trade() -> Trade {
    Trade {
        instrument: InstrumentId(0),
        taker_side: Side::Sell,
        id: 3_478_018_549,
        ts: ms(1_791_391_081_874),
        price: "83434.4".parse().unwrap(),
        qty: "0.016".parse().unwrap(),
    }
}

const BTC: &str = r#"{"e":"aggTrade","E":1791391082024,"a":3478018549,"s":"BTCUSDT","p":"83434.40","q":"0.016","nq":"0.016","f":8154045700,"l":8154045704,"T":1791391081874,"m":true,"st":1}"#;

#[test]
fn an_agg_trade_reads_the_same_in_both_generations_raw_and_combined() {
    let old = BTC.replace(r#","nq":"0.016""#, "").replace(r#","st":1"#, "");
    let documented =
        BTC.replace(r#""a":3478018549,"s":"BTCUSDT""#, r#""s":"BTCUSDT","a":3478018549"#);
    for data in [BTC, &old, &documented] {
        let combined = format!(r#"{{"stream":"btcusdt@aggTrade","data":{data}}}"#);
        for frame in [data, &combined] {
            let mut reader = futures_reader();
            assert_eq!(events(&mut reader, frame), [EventKind::Trade(btc_trade())], "{frame}");
            assert_eq!(reader.counters(), Counters { frames: 1, ..Counters::default() });
        }
    }
}

#[test]
fn an_agg_trade_in_another_key_order_or_spacing_falls_back_to_the_parser() {
    let shuffled = r#" {"data": {"st": 1, "m": true, "T": 1791391081874, "q": "0.016",
        "p": "83434.40", "s": "\u0042TCUSDT", "a": 3478018549, "E": 1791391082024,
        "new": {"x": [1]}, "e": "aggTrade"}, "stream": "btcusdt@aggTrade"} "#;
    let mut reader = futures_reader();
    assert_eq!(events(&mut reader, shuffled), [EventKind::Trade(btc_trade())]);
    assert_eq!(reader.counters().parsed, 1);
}

#[test]
fn quantity_without_rpi_stands_beside_the_quantity() {
    let frame = BTC.replace(r#""nq":"0.016""#, r#""nq":"0""#);
    let mut print: Option<TradePrint> = None;
    futures_reader().read(frame.as_bytes(), |message| {
        if let Message::AggTrade(read) = message {
            print = Some(read);
        }
    });
    let print = print.unwrap();
    assert_eq!((print.qty_without_rpi, print.trade), (Some(Qty::ZERO), btc_trade()));
    assert_eq!(print.sent_at, ms(1_791_391_082_024));
}

#[test]
fn a_record_of_coin_m_is_left_out_whatever_its_symbol() {
    let ticker = r#"{"e":"bookTicker","u":1,"E":1,"T":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1","st":1}"#;
    for data in [BTC, ticker] {
        let mut reader = futures_reader();
        assert_eq!(events(&mut reader, &data.replace(r#""st":1"#, r#""st":2"#)), []);
        assert_eq!(reader.counters().other_products, 1);
    }
}

#[test]
fn unknown_events_symbols_and_values_are_counted_and_say_nothing() {
    let mut reader = futures_reader();
    assert_eq!(events(&mut reader, &BTC.replace("BTCUSDT", "NEWUSDT")), []);
    assert_eq!(events(&mut reader, r#"{"e":"tradingSession","E":1}"#), []);
    assert_eq!(events(&mut reader, r#"{"something":"else"}"#), []);
    let side = r#"{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"BOTH","ap":"1","z":"1","T":1}}"#;
    assert_eq!(events(&mut reader, side), []);
    let Counters { unknown_symbols, unknown_events, unknown_values, dropped, .. } =
        reader.counters();
    assert_eq!((unknown_symbols, unknown_events, unknown_values, dropped), (1, 2, 1, 0));
}

#[test]
fn a_value_out_of_range_drops_the_record_with_its_name() {
    let cases = [
        (BTC.replace("83434.40", "83434000000.40"), "p", NumError::OutOfRange),
        (BTC.replace("83434.40", "0"), "p", NumError::NotPositive),
        (BTC.replace("83434.40", "1.123456789"), "p", NumError::TooManyDecimals),
        (BTC.replace(r#""q":"0.016""#, r#""q":"-1""#), "q", NumError::Negative),
        (BTC.replace(r#""q":"0.016""#, r#""q":"1e3""#), "q", NumError::Malformed),
        (BTC.replace(r#""nq":"0.016""#, r#""nq":"""#), "nq", NumError::Empty),
    ];
    for (frame, field, error) in cases {
        let mut notes: Vec<Dropped> = Vec::new();
        let mut reader = futures_reader();
        reader.read(frame.as_bytes(), |message| match message {
            Message::Dropped(note) => notes.push(note),
            other => panic!("{frame} gave {other:?}"),
        });
        let expected = Dropped {
            instrument: Some(InstrumentId(0)),
            record: "aggTrade",
            field,
            fault: Fault::Number(error),
        };
        assert_eq!(notes, [expected], "{frame}");
    }
}

#[test]
fn a_note_tells_whose_what_and_why() {
    let frame = BTC.replace("1791391081874", "17913910818749999999");
    let mut text = String::new();
    futures_reader().read(frame.as_bytes(), |message| {
        if let Message::Dropped(note) = message {
            text = note.to_string();
        }
    });
    assert_eq!(
        text,
        "aggTrade of instrument 0, field T: 17913910818749999999 is no time in milliseconds or \
         microseconds up to the year 2261; the record is dropped"
    );
}

#[test]
fn garbage_drops_the_frame_and_never_the_feed() {
    let mut reader = futures_reader();
    let garbage: [&[u8]; 8] = [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1,",
        b"[{]",
        b"null",
        b"{\"e\":5}",
        b"{\"stream\":\"x\",\"data\":\"y\"}",
    ];
    for frame in garbage {
        let said = say(&mut reader, frame);
        assert!(said.iter().any(|text| text.starts_with("Dropped")), "{frame:?}: {said:?}");
    }
    assert_eq!(events(&mut reader, BTC).len(), 1);
}

#[test]
fn an_off_market_print_keeps_its_id_and_loses_its_quantity() {
    let frame = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1680652800455,"T":1680652800452,"s":"BTCUSDT","t":3535186032,"p":"28722.50","q":"0.002","X":"INSURANCE_FUND","m":true}}"#;
    let mut prints = Vec::new();
    futures_reader().read(frame.as_bytes(), |message| match message {
        Message::SingleTrade(print) => prints.push(print),
        other => panic!("{other:?}"),
    });
    let [print] = prints.as_slice() else { panic!("{prints:?}") };
    assert!(print.off_market && print.trade.qty.is_zero());
    assert_eq!(print.trade.id, 3_535_186_032);
    let market = frame.replace("INSURANCE_FUND", "MARKET");
    assert!(say(&mut futures_reader(), market.as_bytes())[0].contains("Qty(0.002)"));
}

#[test]
fn a_mark_gives_the_price_the_running_rate_and_its_time() {
    let documented = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","ap":"11794.15000000","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1562306400000}"#;
    let live = r#"{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","P":"11784.25641265","i":"11784.62659091","r":"-0.00038167","T":1562306400000,"st":1}}"#;
    let (instrument, at) = (InstrumentId(0), ms(1_562_305_380_000));
    let input = |value| EventKind::Input(Input { instrument, as_of: at, value });
    let expected = [
        EventKind::Mark(Mark {
            instrument,
            ts: at,
            mark_price: "11794.15".parse().unwrap(),
            index_price: Some("11784.62659091".parse().unwrap()),
        }),
        input(InputValue::FundingRate(Decimal::new(-38_167, 8))),
        input(InputValue::NextFundingAt(ms(1_562_306_400_000))),
    ];
    for frame in [documented, live] {
        let mut reader = futures_reader();
        assert_eq!(events(&mut reader, frame), expected, "{frame}");
        assert_eq!(reader.counters().parsed, 0);
    }
}

#[test]
fn a_delivery_contract_has_a_mark_and_no_funding() {
    let frame = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15","i":"","P":"11784.2","r":"","T":0}"#;
    let events = events(&mut futures_reader(), frame);
    assert!(matches!(events.as_slice(), [EventKind::Mark(mark)] if mark.index_price.is_none()));
}

#[test]
fn an_array_gives_each_element_and_a_bad_one_spoils_no_other() {
    let mark = |symbol: &str, price: &str| {
        format!(
            r#"{{"e":"markPriceUpdate","E":1562305380000,"s":"{symbol}","p":"{price}","ap":"1","P":"1","i":"1","r":"0.0001","T":1562306400000}}"#
        )
    };
    let elements = [
        mark("BTCUSDT", "1"),
        mark("UNKNOWNUSDT", "1"),
        mark("ETHUSDT", "0"),
        mark("SOLUSDT", "3").replace(',', ", "),
        mark("币安人生USDT", "4"),
    ];
    let raw = format!("[{}]", elements.join(","));
    let combined = format!(r#"{{"stream":"!markPrice@arr@1s","data":[{}]}}"#, elements.join(" , "));
    for frame in [raw, combined] {
        let mut reader = futures_reader();
        let marks = events(&mut reader, &frame);
        let id = |kind: &EventKind| match kind {
            EventKind::Mark(mark) => Some(mark.instrument.0),
            _ => None,
        };
        assert_eq!(marks.iter().filter_map(id).collect::<Vec<_>>(), [0, 2, 6]);
        let Counters { unknown_symbols, dropped, parsed, .. } = reader.counters();
        assert_eq!((unknown_symbols, dropped, parsed), (1, 1, 3));
    }
    assert_eq!(events(&mut futures_reader(), "[ ]"), []);
}

#[test]
fn a_liquidation_order_sells_a_long_and_its_notional_is_what_was_filled() {
    let live = r#"{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":1791391083124,"o":{"s":"ILVUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"116.5","p":"3.80300","ap":"3.85642","X":"FILLED","l":"25.2","z":"116.5","T":1791391082119,"ps":"ILVUSDT","st":1}}}"#;
    let notional = Money::round(Decimal::new(44_927_293, 5));
    let expected = EventKind::Input(Input {
        instrument: InstrumentId(3),
        as_of: ms(1_791_391_082_119),
        value: InputValue::Liquidation(Direction::Long, notional),
    });
    assert_eq!(events(&mut futures_reader(), live), [expected]);
    let at_the_top = live.replace(r#","ps":"ILVUSDT","st":1}}"#, r#"},"st":2}"#);
    let inside = live.replace(r#""st":1"#, r#""st":2"#);
    for frame in [at_the_top, inside] {
        let mut reader = futures_reader();
        assert_eq!(events(&mut reader, &frame), []);
        assert_eq!(reader.counters().other_products, 1);
    }
    let unfilled = live.replace("3.85642", "0").replace(r#""z":"116.5""#, r#""z":"0""#);
    let short = events(&mut futures_reader(), &unfilled.replace("SELL", "BUY"));
    let [EventKind::Input(Input { value, .. })] = short.as_slice() else { panic!("{short:?}") };
    assert_eq!(*value, InputValue::Liquidation(Direction::Short, Money::ZERO));
}

#[test]
fn a_book_ticker_reads_in_every_order_the_venue_used() {
    let documented = r#"{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#;
    let live = r#"{"e":"bookTicker","u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000","T":1568014460891,"E":1568014460893}"#;
    let expected = EventKind::Quote(Quote {
        instrument: InstrumentId(4),
        ts: ms(1_568_014_460_891),
        best_bid: "25.3519".parse().unwrap(),
        best_ask: "25.3652".parse().unwrap(),
    });
    for frame in [documented, live] {
        let mut reader = futures_reader();
        assert_eq!(events(&mut reader, frame), std::slice::from_ref(&expected));
        assert_eq!(reader.counters().parsed, 0);
    }
    let huge = live.replace("31.21000000", "123456789012.0");
    assert_eq!(events(&mut futures_reader(), &huge), [expected]);
}

#[test]
fn a_spot_book_ticker_takes_the_time_of_its_arrival() {
    let data = r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#;
    let combined = format!(r#"{{"stream":"bnbusdt@bookTicker","data":{data}}}"#);
    for frame in [data, &combined] {
        let mut reader = spot_reader();
        let events = events(&mut reader, frame);
        assert!(matches!(events.as_slice(), [EventKind::Quote(quote)] if quote.ts == ms(7)));
        assert_eq!(reader.counters().parsed, 0);
    }
}

#[test]
fn a_spot_trade_has_milliseconds_or_microseconds() {
    let frame = r#"{"e":"aggTrade","E":1672515782136,"s":"BNBUSDT","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}"#;
    let micros = frame.replace("1672515782136", "1672515782136789");
    let time = |frame: &str| {
        let mut reader = spot_reader();
        match events(&mut reader, frame).as_slice() {
            [EventKind::Trade(trade)] => (trade.ts.as_micros(), reader.counters().parsed),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(time(frame), (1_672_515_782_136_000, 0));
    assert_eq!(time(&micros), (1_672_515_782_136_789, 0));
}

#[test]
fn depth_gives_all_levels_also_with_spaces_and_third_elements() {
    let frame = r#"{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["0.0024","10"]],"a":[["0.0026","100"],["0.0027","0"]]}"#;
    let odd = frame.replace(r#"["0.0024","10"]"#, r#"[ "0.0024", "10", [] ]"#);
    let levels = |side: &[crate::wire::Level]| -> Vec<String> {
        side.iter().map(|level| format!("{} {}", level.price, level.qty)).collect()
    };
    for text in [frame, &odd] {
        futures_reader().read(text.as_bytes(), |message| {
            let Message::Depth(depth) = message else { panic!("{message:?}") };
            assert_eq!((depth.first_id, depth.last_id, depth.previous_id), (157, 160, Some(149)));
            assert_eq!(levels(depth.bids), ["0.0024 10"]);
            assert_eq!(levels(depth.asks), ["0.0026 100", "0.0027 0"]);
        });
    }
    let bad = frame.replace("0.0027", "x");
    let said = say(&mut futures_reader(), bad.as_bytes());
    assert!(said[0].contains("field: \"a\"") && said[0].contains("Malformed"), "{said:?}");
}

#[test]
fn a_kline_tells_whether_it_is_closed() {
    let frame = r#"{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}"#;
    let mut seen = Vec::new();
    for frame in [frame.to_owned(), frame.replace("false", "true")] {
        futures_reader().read(frame.as_bytes(), |message| {
            let Message::Kline(kline) = message else { panic!("{message:?}") };
            seen.push((kline.interval, kline.closed, kline.volume, kline.taker_buy_volume));
        });
    }
    let (volume, taker) = (Decimal::from(1_000), Decimal::from(500));
    assert_eq!(seen, [(Interval::M1, false, volume, taker), (Interval::M1, true, volume, taker)]);
    let mut reader = futures_reader();
    say(&mut reader, frame.replace("1m", "7m").as_bytes());
    assert_eq!(reader.counters().unknown_values, 1);
}

#[test]
fn answers_and_refusals_come_with_the_id_of_their_request() {
    let quoted = "Invalid \"JSON\"";
    let cases = [
        (r#"{"result":null,"id":1}"#, Some(1), None),
        (r#"{"result":["btcusdt@aggTrade"],"id":3}"#, Some(3), None),
        (r#"{"code":2,"msg":"Invalid request: x"}"#, None, Some((2, "Invalid request: x"))),
        (r#"{"error":{"code":3,"msg":"Invalid \"JSON\""},"id":9}"#, Some(9), Some((3, quoted))),
        (r#"{"error":{"code":-1,"msg":"late"},"id":null}"#, None, Some((-1, "late"))),
    ];
    for (frame, id, refusal) in cases {
        let mut answers = 0;
        futures_reader().read(frame.as_bytes(), |message| {
            let refusal = refusal.map(|(code, text)| Refusal { code, message: text.into() });
            assert_eq!(message, Message::Answer(Answer { id, refusal }), "{frame}");
            answers += 1;
        });
        assert_eq!(answers, 1, "{frame}");
    }
}
