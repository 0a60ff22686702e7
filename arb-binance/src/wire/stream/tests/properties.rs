//! The scanner and the JSON parser agree on any frame.

use proptest::prelude::*;

use super::{SYMBOLS, agree, futures_reader, spot_reader};

const TEMPLATES: [&str; 6] = [
    r#"{"e":"aggTrade","E":@t,"a":@n,"s":"@s","p":"@p","q":"@p","nq":"@p","f":@n,"l":@n,"T":@t,"m":@b,"st":@o}"#,
    r#"{"e":"aggTrade","E":@t,"s":"@s","a":@n,"p":"@p","q":"@p","f":@n,"l":@n,"T":@t,"m":@b,"M":@b}"#,
    r#"{"e":"bookTicker","u":@n,"s":"@s","b":"@p","B":"@p","a":"@p","A":"@p","T":@t,"E":@t}"#,
    r#"{"e":"markPriceUpdate","E":@t,"s":"@s","p":"@p","ap":"@p","i":"@p","P":"@p","r":"@r","T":@t,"st":@o}"#,
    r#"{"e":"markPriceUpdate","E":@t,"s":"@s","p":"@p","P":"@p","i":"@p","r":"@r","T":@t}"#,
    r#"{"u":@n,"s":"@s","b":"@p","B":"@p","a":"@p","A":"@p"}"#,
];

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => "[1-9][0-9]{0,9}",
        1 => "[0-9]{1,20}",
        1 => "-1|1\\.5|null",
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (1_500_000_000_000_u64..1_800_000_000_000).prop_map(|t| t.to_string()),
        2 => (1_500_000_000_000_000_u64..1_800_000_000_000_000).prop_map(|t| t.to_string()),
        1 => number(),
    ]
}

fn decimal() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => "[0-9]{1,6}\\.[0-9]{1,8}",
        4 => "[0-9]{1,12}",
        1 => "[0-9]{0,10}\\.[0-9]{0,10}",
        1 => "[-+0-9.eE\\\\u]{0,6}",
    ]
}

fn symbol() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => proptest::sample::select(&SYMBOLS[..]).prop_map(String::from),
        1 => "[A-Z0-9]{0,20}",
        1 => Just("\\u0042TCUSDT".to_owned()),
        1 => Just("BTCUSDT\\".to_owned()),
    ]
}

/// A template with every mark replaced by a value of its own.
fn record() -> impl Strategy<Value = String> {
    let values = (
        proptest::sample::select(&TEMPLATES[..]),
        proptest::collection::vec(time(), 2),
        proptest::collection::vec(number(), 3),
        proptest::collection::vec(decimal(), 4),
        symbol(),
        (
            prop_oneof![9 => Just("true"), 9 => Just("false"), 1 => Just("1")],
            "-?[0-9]\\.[0-9]{1,9}|",
        ),
        prop_oneof![9 => Just("1"), 1 => Just("2"), 1 => Just("null")],
    );
    values.prop_map(|(template, times, numbers, decimals, symbol, (flag, rate), product)| {
        let mut text = template.replace("@s", &symbol).replace("@b", flag).replace("@o", product);
        text = text.replace("@r", &rate);
        for (mark, values) in [("@t", &times), ("@n", &numbers), ("@p", &decimals)] {
            for value in values.iter().cycle().take(4) {
                text = text.replacen(mark, value, 1);
            }
        }
        text
    })
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let combined = ("[a-z@!_é]{0,24}[\\\\\"]{0,1}", record())
        .prop_map(|(name, data)| format!(r#"{{"stream":"{name}","data":{data}}}"#));
    let array = proptest::collection::vec(record(), 0..4)
        .prop_map(|data| format!(r#"{{"stream":"x","data":[{}]}}"#, data.join(",")));
    prop_oneof![4 => record(), 4 => combined, 2 => array].prop_map(String::into_bytes)
}

/// A frame with a few bytes changed, or cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let parts = (frame(), edits, any::<proptest::sample::Index>(), 0..8);
    parts.prop_map(|(mut frame, edits, end, cut)| {
        for (at, byte) in edits {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if cut == 0 {
            frame.truncate(end.index(frame.len()));
        }
        frame
    })
}

proptest! {
    #[test]
    fn scanner_and_parser_agree_on_frames(frame in frame()) {
        agree(&futures_reader(), &frame);
        agree(&spot_reader(), &frame);
    }

    #[test]
    fn scanner_and_parser_agree_on_damaged_frames(frame in damaged()) {
        agree(&futures_reader(), &frame);
        agree(&spot_reader(), &frame);
    }
}
