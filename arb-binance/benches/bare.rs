//! The limit: one pass over an aggTrade frame of one known stream, with the least checking that
//! still refuses another shape. No symbol table, no fallback, no range check.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    unreachable_pub,
    reason = "the least checking there can be is what is measured"
)]

use arb_core::{Event, InstrumentId, Price, Qty, Side, Timestamp, Trade};

const PREFIX: &[u8] = b"{\"stream\":\"btcusdt@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":";

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    #[inline(always)]
    fn text(&mut self, text: &[u8]) -> Option<()> {
        let end = self.at + text.len();
        (self.bytes.get(self.at..end)? == text).then(|| self.at = end)
    }

    #[inline(always)]
    fn word(&self) -> Option<u64> {
        let bytes = self.bytes.get(self.at..self.at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?) ^ 0x3030_3030_3030_3030)
    }

    /// Digits eight at a time, and how many there were.
    #[inline(always)]
    fn digits(&mut self) -> Option<(u64, usize)> {
        let (mut value, start) = (0_u64, self.at);
        loop {
            let word = self.word()?;
            let other = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
            let count = (other.trailing_zeros() / 8) as usize;
            if count > 0 {
                let digits = if count == 8 { word } else { word << (64 - 8 * count) };
                let power =
                    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
                value = value * power[count] + eight(digits);
                self.at += count;
            }
            if count < 8 {
                let length = self.at - start;
                return (1..=18).contains(&length).then_some((value, length));
            }
        }
    }

    #[inline(always)]
    fn decimal(&mut self) -> Option<i64> {
        let mut units = self.digits()?.0.checked_mul(100_000_000)?;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let (fraction, length) = self.digits()?;
            units += fraction * 10_u64.pow(8_usize.checked_sub(length)? as u32);
        }
        i64::try_from(units).ok()
    }
}

#[inline(always)]
fn eight(digits: u64) -> u64 {
    let pairs = digits * 10 + (digits >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}

/// The event of a frame in the one shape that is known.
#[inline(always)]
pub fn agg_trade(frame: &[u8]) -> Option<Event> {
    if !frame.starts_with(PREFIX) {
        return None;
    }
    let mut scan = Scan { bytes: frame, at: PREFIX.len() };
    scan.digits()?;
    scan.text(b",\"a\":")?;
    let id = scan.digits()?.0;
    scan.text(b",\"s\":\"BTCUSDT\",\"p\":\"")?;
    let price = scan.decimal()?;
    scan.text(b"\",\"q\":\"")?;
    let qty = scan.decimal()?;
    if scan.text(b"\",\"nq\":\"").is_some() {
        scan.decimal()?;
    }
    scan.text(b"\",\"f\":")?;
    scan.digits()?;
    scan.text(b",\"l\":")?;
    scan.digits()?;
    scan.text(b",\"T\":")?;
    let time = scan.digits()?.0;
    scan.text(b",\"m\":")?;
    let taker_side = if scan.text(b"true").is_some() { Side::Sell } else { Side::Buy };
    Some(Event::trade(Trade {
        instrument: InstrumentId(0),
        taker_side,
        id,
        ts: Timestamp::from_millis(time as i64),
        price: Price::from_units(price).ok()?,
        qty: Qty::from_units(qty).ok()?,
    }))
}
