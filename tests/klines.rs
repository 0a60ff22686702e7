//! The CVD identity against the venue's own klines: Σ signed quantity = 2 × taker-buy volume −
//! volume, over the trades between two frames of one minute.

use std::collections::BTreeMap;
use std::io::Read as _;

use arb::{Qty, Side};
use serde_json::Value;

use crate::support::recorded;

fn units(value: &Value) -> i128 {
    value.as_str().unwrap().parse::<Qty>().unwrap().units().into()
}

/// (last trade id, volume, taker-buy volume) of a frame.
type Kline = (u64, i128, i128);
/// (first trade id, last trade id, signed quantity) of an aggregate trade.
type Agg = (u64, u64, i128);

/// Frames by symbol and minute.
type Klines = BTreeMap<(String, u64), Vec<Kline>>;

fn frames() -> Option<(Klines, BTreeMap<String, Vec<Agg>>)> {
    let path = recorded("raw_ws/cryptofeed/usdm_dent_ksm_xmr_yfi_20210417.capture.gz")?;
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let (mut klines, mut trades) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let Some((_, json)) = line.split_once(": ") else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(json) else { continue };
        let data = &frame["data"];
        let symbol = data["s"].as_str().unwrap_or_default().to_owned();
        if data["e"] == "kline" {
            let k = &data["k"];
            let minute = k["t"].as_u64().unwrap();
            let row = (k["L"].as_u64().unwrap(), units(&k["v"]), units(&k["V"]));
            klines.entry((symbol, minute)).or_insert_with(Vec::new).push(row);
        } else if data["e"] == "aggTrade" {
            let side = if data["m"] == true { Side::Sell } else { Side::Buy };
            let qty: Qty = data["q"].as_str().unwrap().parse().unwrap();
            let ids = (data["f"].as_u64().unwrap(), data["l"].as_u64().unwrap());
            let signed = i128::from(qty.signed(side).units());
            trades.entry(symbol).or_insert_with(Vec::new).push((ids.0, ids.1, signed));
        }
    }
    Some((klines, trades))
}

#[test]
fn cvd_equals_the_difference_of_kline_frames() {
    let Some((klines, trades)) = frames() else { return };
    let mut compared = 0;
    for ((symbol, _), rows) in &klines {
        let aggs: &[Agg] = trades.get(symbol).map_or(&[], Vec::as_slice);
        for (a, b) in rows.iter().zip(rows.iter().skip(1)) {
            let inside: Vec<&Agg> = aggs.iter().filter(|t| t.1 > a.0 && t.0 <= b.0).collect();
            // A frame may fall inside an aggregate, which then cannot be split.
            let cut = inside.iter().any(|t| t.0 <= a.0 || t.1 > b.0);
            let count: u64 = inside.iter().map(|t| t.1 - t.0 + 1).sum();
            if cut || count != b.0 - a.0 {
                continue;
            }
            let cvd: i128 = inside.iter().map(|t| t.2).sum();
            assert_eq!(cvd, 2 * (b.2 - a.2) - (b.1 - a.1), "{symbol} after trade {}", a.0);
            compared += usize::from(count > 0);
        }
    }
    assert!(compared >= 50, "{compared} pairs of frames compared");
}
