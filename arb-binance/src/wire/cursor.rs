//! A frame read from left to right, eight bytes at a time, in the key order the venue uses.
//!
//! Invariant: a method consumes exactly the JSON its name says and answers `None` to anything it
//! is not sure of: an escape, a number of unusual length, the end of the frame too near. The
//! caller then reads the frame with a JSON parser, so being unsure costs time and never a value.
//!
//! The scanner is inlined by force: handing records on through memory costs a third of its time
//! (`cargo bench -p arb-binance`).

use arb_core::{Price, Qty, Timestamp, parse_units};
use memchr::memchr;

use super::symbols::SymbolKey;
use super::text::instant;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const ZEROS: u64 = ONES * b'0' as u64;
const QUOTES: u64 = ONES * b'"' as u64;
const BACKSLASHES: u64 = ONES * b'\\' as u64;
const SPACES: u64 = ONES * b' ' as u64;
const POWERS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// 10⁸: the units in one, and what eight more digits shift by.
const ONE: u64 = 100_000_000;

/// A place in a frame.
///
/// It is an index and not a shorter slice: what follows a number can then be loaded as soon as the
/// number's length is known, with the check of the end predicted beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) const fn advance(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// The text as written.
    #[inline(always)]
    pub(super) fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        if self.chunk::<N>(0)? != text {
            return None;
        }
        self.at += N;
        Some(())
    }

    #[inline(always)]
    fn chunk<const N: usize>(&self, ahead: usize) -> Option<&'a [u8; N]> {
        let start = self.at + ahead;
        self.bytes.get(start..start + N)?.first_chunk()
    }

    /// The eight bytes `ahead` of here; past the end they are zero, which no text is.
    #[inline(always)]
    fn word(&self, ahead: usize) -> u64 {
        match self.chunk::<8>(ahead) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => self.last_word(ahead),
        }
    }

    #[cold]
    fn last_word(&self, ahead: usize) -> u64 {
        let left = self.bytes.get(self.at + ahead..).unwrap_or_default();
        left.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// Exactly `N` digits, 9 to 15 of them, without a leading zero.
    ///
    /// Where most numbers have the same length, this is faster than counting: the place of what
    /// follows is a guess that the processor can run ahead on, and does not wait for the digits.
    #[inline(always)]
    fn digits<const N: usize>(&mut self) -> Option<u64> {
        const { assert!(N > 8 && N < 16) };
        let window = self.chunk::<16>(0)?;
        let (first, last) = (word_at(window, 0) ^ ZEROS, word_at(window, N - 8) ^ ZEROS);
        let other = beyond_digits(first) | beyond_digits(last);
        if other != 0 || first & 0xFF == 0 || window.get(N)?.is_ascii_digit() {
            return None;
        }
        self.at += N;
        let read_twice = 8 * (16 - N);
        Some(join(first) * POWERS.get(N - 8)? + join(last >> read_twice << read_twice))
    }

    /// An unsigned integer of at most 16 digits; JSON forbids leading zeros.
    #[inline(always)]
    pub(super) fn whole(&mut self) -> Option<u64> {
        if let Some(id) = self.digits::<10>() {
            return Some(id);
        }
        let digits = self.word(0) ^ ZEROS;
        let count = digit_count(digits);
        if count == 8 {
            return self.long_whole(digits);
        }
        if count == 0 || (count > 1 && digits & 0xFF == 0) {
            return None;
        }
        self.at += count;
        Some(join(digits << (64 - 8 * count)))
    }

    #[inline(always)]
    fn long_whole(&mut self, digits: u64) -> Option<u64> {
        let more = self.word(8) ^ ZEROS;
        let count = digit_count(more);
        if digits & 0xFF == 0 {
            return None;
        }
        let upper = join(digits);
        self.at += 8 + count;
        match count {
            0 => Some(upper),
            1..8 => Some(upper * POWERS.get(count)? + join(more << (64 - 8 * count))),
            _ if self.rest().first().is_some_and(u8::is_ascii_digit) => None,
            _ => Some(upper * ONE + join(more)),
        }
    }

    /// An unsigned integer of any length, unread.
    #[inline(always)]
    pub(super) fn skip_whole(&mut self) -> Option<()> {
        if self.digits::<10>().is_some() {
            return Some(());
        }
        let digits = self.word(0) ^ ZEROS;
        let mut count = digit_count(digits);
        if count == 0 || (count > 1 && digits & 0xFF == 0) {
            return None;
        }
        self.at += count;
        while count == 8 {
            count = digit_count(self.word(0) ^ ZEROS);
            self.at += count;
        }
        Some(())
    }

    /// A time in milliseconds, or in microseconds where it is that large.
    #[inline(always)]
    pub(super) fn time(&mut self) -> Option<Timestamp> {
        match self.digits::<13>() {
            Some(millis) => instant(millis),
            None => instant(self.whole()?),
        }
    }

    /// `true` or `false`.
    #[inline(always)]
    pub(super) fn flag(&mut self) -> Option<bool> {
        if self.literal(b"true").is_some() {
            return Some(true);
        }
        self.literal(b"false").map(|()| false)
    }

    /// The rest of a string that is a positive price.
    #[inline(always)]
    pub(super) fn price(&mut self) -> Option<Price> {
        Price::from_units(self.units()?).ok()
    }

    /// The rest of a string that is a quantity.
    #[inline(always)]
    pub(super) fn qty(&mut self) -> Option<Qty> {
        Qty::from_units(self.units()?).ok()
    }

    /// The rest of a string that is a decimal number, in units of 10⁻⁸.
    #[inline(always)]
    pub(super) fn units(&mut self) -> Option<i64> {
        match self.short_units() {
            Some(units) => Some(units),
            None => self.any_units(),
        }
    }

    /// At most seven digits, and at most eight after the dot.
    #[inline(always)]
    fn short_units(&mut self) -> Option<i64> {
        let digits = self.word(0) ^ ZEROS;
        let count = digit_count(digits);
        if count == 0 || count == 8 {
            return None;
        }
        let whole = join(digits << (64 - 8 * count)) * ONE;
        let mut after = *self;
        after.at += count;
        let mut fraction = 0;
        if after.literal(b".").is_some() {
            let digits = after.word(0) ^ ZEROS;
            let count = digit_count(digits);
            // The digits stand at the front of the word: what follows them counts as zeros, which
            // scales the fraction to eight digits for free.
            fraction = match count {
                0 => return None,
                8 => join(digits),
                _ => join(digits & !(u64::MAX << (8 * count))),
            };
            after.at += count;
        }
        after.literal(b"\"")?;
        *self = after;
        i64::try_from(whole + fraction).ok()
    }

    #[cold]
    fn any_units(&mut self) -> Option<i64> {
        let rest = self.rest();
        let end = memchr(b'"', rest)?;
        let units = parse_units(rest.get(..end)?).ok()?;
        self.at += end + 1;
        Some(units)
    }

    /// The rest of a string, unread.
    #[inline(always)]
    pub(super) fn skip_string(&mut self) -> Option<()> {
        loop {
            let word = self.word(0);
            let quotes = zero_bytes(word ^ QUOTES);
            let control = word.wrapping_sub(SPACES) & !word & HIGH;
            let stops = quotes | zero_bytes(word ^ BACKSLASHES) | control;
            if stops == 0 {
                self.at += 8;
                continue;
            }
            // The lowest mark of each mask is exact, so the lowest of all is.
            let lowest = stops.trailing_zeros();
            if quotes >> lowest & 1 == 0 {
                return None;
            }
            self.at += byte_of(lowest) + 1;
            return Some(());
        }
    }

    /// The rest of a string of at most 16 bytes, as a key.
    #[inline(always)]
    pub(super) fn symbol(&mut self) -> Option<SymbolKey> {
        let low = self.word(0);
        let quotes = zero_bytes(low ^ QUOTES);
        if quotes != 0 {
            let len = byte_of(quotes.trailing_zeros());
            self.at += len + 1;
            return Some(SymbolKey::new(low & !(u64::MAX << (8 * len)), 0, len));
        }
        let high = self.word(8);
        let quotes = zero_bytes(high ^ QUOTES);
        if quotes == 0 {
            self.at += 16;
            self.literal(b"\"")?;
            return Some(SymbolKey::new(low, high, 16));
        }
        let len = byte_of(quotes.trailing_zeros());
        self.at += 8 + len + 1;
        Some(SymbolKey::new(low, high & !(u64::MAX << (8 * len)), 8 + len))
    }
}

/// How many of eight bytes, digits made zero-based, are digits before the first that is none.
#[inline(always)]
const fn digit_count(word: u64) -> usize {
    byte_of(beyond_digits(word).trailing_zeros())
}

/// The high bit of bytes, digits made zero-based, that are no digits; exact up to and including
/// the lowest.
#[inline(always)]
const fn beyond_digits(word: u64) -> u64 {
    // 0x76 lifts ten and more to the high bit. What a byte above carries over only reaches bytes
    // behind the first that is no digit.
    (word.wrapping_add(0x7676_7676_7676_7676) | word) & HIGH
}

#[inline(always)]
fn word_at(window: &[u8; 16], at: usize) -> u64 {
    window.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The byte a bit lies in; 8 for no bit.
#[inline(always)]
const fn byte_of(bit: u32) -> usize {
    (bit / 8) as usize
}

/// The high bit of bytes that are zero; exact up to and including the lowest.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Eight zero-based digits, the first in the lowest byte, as a number: neighbours are joined to
/// pairs, pairs to fours, fours to the number.
#[inline(always)]
const fn join(digits: u64) -> u64 {
    let pairs = (digits * 10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames go on behind a value.
    fn padded(text: &str) -> Vec<u8> {
        format!("{text}\",").into_bytes()
    }

    proptest! {
        #[test]
        fn a_decimal_reads_as_the_core_reads_it(text in "[0-9]{0,12}(\\.[0-9]{0,10})?|[0-9.a-]{0,9}") {
            let bytes = padded(&text);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.units(), parse_units(text.as_bytes()).ok());
        }

        #[test]
        fn an_integer_reads_as_a_json_parser_reads_it(text in "[0-9]{1,20}[,x.]?") {
            let bytes = format!("{text},\"l\":1");
            let mut cursor = Cursor::new(bytes.as_bytes());
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            let expected: Option<u64> = serde_json::from_str(&digits).ok();
            let (read, mut skip) = (cursor.whole(), Cursor::new(bytes.as_bytes()));
            prop_assert_eq!(read, expected.filter(|_| digits.len() <= 16));
            let valid = serde_json::from_str::<serde::de::IgnoredAny>(&digits).is_ok();
            prop_assert_eq!(skip.skip_whole().is_some(), valid);
            if valid {
                prop_assert_eq!(skip.rest(), &bytes.as_bytes()[digits.len()..]);
            }
        }

        #[test]
        fn a_skipped_string_is_one_to_a_json_parser(text in "[a-z@!\"\\\\\u{1}\u{20}é]{0,20}") {
            let bytes = format!("\"{text}\"");
            let mut values =
                serde_json::Deserializer::from_str(&bytes).into_iter::<serde::de::IgnoredAny>();
            let expected = values.next().is_some_and(|v| v.is_ok()).then(|| values.byte_offset());
            let mut cursor = Cursor::new(bytes.as_bytes());
            cursor.literal(b"\"").unwrap();
            if cursor.skip_string().is_some() {
                prop_assert_eq!(Some(bytes.len() - cursor.rest().len()), expected);
            } else {
                let unsure = text.contains(['\\', '\u{1}']);
                prop_assert!(unsure);
            }
        }
    }
}
