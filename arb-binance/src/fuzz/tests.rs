//! A short run of the fuzzer on stable: known texts, damaged by a seeded generator.

use super::fuzz_frame;

const SEED: u64 = 20_240_601;
const ROUNDS: usize = 6_000;

const TEXTS: [&str; 12] = [
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791391082024,"a":3478018549,"s":"BTCUSDT","p":"83434.40","q":"0.016","nq":"0.016","f":8154045700,"l":8154045704,"T":1791391081874,"m":true,"st":1}}"#,
    r#"{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000","T":1568014460891,"E":1568014460893}"#,
    r#"{"u":400900217,"s":"ETHUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#,
    r#"{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","ap":"11794.1","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1562306400000},{"e":"markPriceUpdate","E":1562305380000,"s":"ETHUSDT","p":"1","P":"1","i":"1","r":"","T":0}]}"#,
    r#"{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893}}"#,
    "{\"lastUpdateId\":158,\"bids\":[[\"0.0024\",\"10\"]],\"asks\":[]}\n{\"e\":\"depthUpdate\",\"E\":123456789,\"T\":123456788,\"s\":\"BTCUSDT\",\"U\":157,\"u\":160,\"pu\":149,\"b\":[[\"0.0024\",\"10\"]],\"a\":[[\"0.0026\",\"100\"]]}",
    r#"{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500"}}"#,
    r#"{"error":{"code":3,"msg":"Invalid \"JSON\""},"id":9}"#,
    r#"{"channel":"ticker","timestamp":"2026-08-09T21:05:48.298032046Z","sequence_num":10,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","best_bid":"65083.66","best_ask":"65083.67"}]}]}"#,
    r#"{"rateLimits":[{"interval":"MINUTE","intervalNum":1,"limit":2400,"rateLimitType":"REQUEST_WEIGHT"}],"symbols":[{"symbol":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","maxPrice":"300","minPrice":"0.1","tickSize":"0.1"},{"filterType":"LOT_SIZE","maxQty":"10","minQty":"1","stepSize":"1"}]}]}"#,
    r#"[{"symbol":"BTCUSDT","fundingRate":"-0.0375","fundingTime":1570608000000,"markPrice":"34287.5"},[1499040000000,"0.01","0.8","0.01","0.01","148976.1",1499644799999,"2434.1",308,"1756.8","28.4","1"]]"#,
    r#"{"code":-1003,"msg":"Way too many requests; IP banned until 1573827345000."}"#,
];

/// Xorshift: the same damage on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

/// Bytes that mean something to a reader, so that damage reaches deep.
const BYTES: &[u8] = b"\"\\{}[],:.-0123456789eEntu \x00\x1f\x7f\x80\xff";

fn damage(text: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(text.len());
    match dice.below(6) {
        0 => text.truncate(at),
        1 => text.insert(at, BYTES[dice.below(BYTES.len())]),
        2 if !text.is_empty() => drop(text.remove(at)),
        3 => {
            let other = TEXTS[dice.below(TEXTS.len())].as_bytes();
            text.truncate(at);
            text.extend_from_slice(&other[dice.below(other.len())..]);
        }
        _ if !text.is_empty() => text[at] = BYTES[dice.below(BYTES.len())],
        _ => {}
    }
}

#[test]
fn no_damage_to_a_known_text_panics_or_makes_the_readers_differ() {
    for text in TEXTS {
        fuzz_frame(text.as_bytes());
    }
    let mut dice = Dice(SEED);
    for _ in 0..ROUNDS {
        let mut text = TEXTS[dice.below(TEXTS.len())].as_bytes().to_vec();
        for _ in 0..=dice.below(4) {
            damage(&mut text, &mut dice);
        }
        fuzz_frame(&text);
    }
}

#[test]
fn a_frame_of_ten_megabytes_is_read_or_refused() {
    let element = TEXTS[0].split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
    let huge = format!("[{}]", vec![element; 60_000].join(","));
    assert!(huge.len() > 9_000_000);
    let symbols = crate::wire::SymbolTable::new([("BTCUSDT", arb_core::InstrumentId(0))]);
    let mut reader = crate::wire::futures::reader(symbols);
    let mut trades = 0;
    reader.read(huge.as_bytes(), |_| trades += 1);
    assert_eq!(trades, 60_000);
    reader.read("[".repeat(10_000_000).as_bytes(), |message| {
        assert!(matches!(message, crate::wire::Message::Dropped(_)));
    });
    reader.read(&vec![b'"'; 10_000_000], |message| {
        assert!(matches!(message, crate::wire::Message::Dropped(_)));
    });
}
