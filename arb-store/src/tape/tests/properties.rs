//! What holds for any bytes, and for any way to cut a tape into files.

use proptest::prelude::*;
use zip::CompressionMethod;

use super::packing::{gzip, zip};
use super::*;
use crate::tape::fuzz_csv;

/// Lines that look like rows, so that more than the header is tried.
fn any_lines() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        "[0-9]{1,20}",
        "[0-9]{1,4}\\.[0-9]{1,9}",
        Just("1717200000001".to_owned()),
        Just("9214646399999999".to_owned()),
        Just("true".to_owned()),
        Just("BTCUSDT".to_owned()),
        Just("-0.0001".to_owned()),
        Just("2024-06-01 00:00:00".to_owned()),
        Just("agg_trade_id".to_owned()),
        Just("\u{feff}".to_owned()),
        Just(String::new()),
        ".{0,3}",
    ];
    let line = proptest::collection::vec(field, 1..14).prop_map(|fields| fields.join(","));
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n"))
}

/// Good rows of every kind, with a few bytes changed.
fn damaged_rows() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        format!("{HEADER}{}", rows([1, 2, 5])),
        rows([1, 2, 3]),
        format!("calc_time,funding_interval_hours,last_funding_rate\n{T0},8,0.0001\n"),
        "2024-06-01 00:05:00,BTCUSDT,103453.15,7992877899.36,1.6,2.2,1.5,1\n".to_owned(),
        format!("{T0},1,2,0.5,0.001,10,{},15,3,4,6,0\n", T0 + 59_999),
    ];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(texts.to_vec()), changes).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_csv(&bytes);
    }

    #[test]
    fn arbitrary_lines_never_panic(lines in any_lines()) {
        fuzz_csv(lines.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic(bytes in damaged_rows(), at in any::<prop::sample::Index>(), byte: u8) {
        fuzz_csv(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        for mut packed in [gzip(&text), zip(&[("a.csv", &text)], CompressionMethod::Deflated)] {
            let at = at.index(packed.len());
            fuzz_csv(&packed[..at]);
            packed[at] = byte;
            fuzz_csv(&packed);
        }
    }

    #[test]
    fn overlapping_pieces_give_the_same_events_as_one_file(
        ids in proptest::collection::btree_set(1..400_u64, 1..200),
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), 1..120_usize), 0..5),
        from in 0..400_i64,
        length in 1..400_i64,
    ) {
        let ids: Vec<u64> = ids.into_iter().collect();
        let text = |range: std::ops::Range<usize>| rows(ids[range].iter().copied());
        let whole = vec![trades("whole.csv", text(0..ids.len()))];
        // Two halves cover everything; the pieces overlap them as they please.
        let half = ids.len() / 2;
        let mut files: Files = Vec::new();
        for (at, length) in pieces {
            let start = at.index(ids.len());
            files.push(trades("piece.csv", text(start..ids.len().min(start + length))));
        }
        files.push(trades("second.csv", text(half..ids.len())));
        if half > 0 {
            files.push(trades("first.csv", text(0..half)));
        }
        let at = |ms| Some(Timestamp::from_millis(T0 + ms));
        for options in [accept(), TapeOptions { from: at(from), to: at(from + length), ..accept() }] {
            let (expected, one) = read(&whole, options).unwrap();
            let (merged, many) = read(&files, options).unwrap();
            prop_assert_eq!(short(&merged), short(&expected));
            prop_assert_eq!(merged, expected);
            prop_assert_eq!(many.holes, one.holes);
        }
    }
}
