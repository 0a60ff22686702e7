//! A line cut into fields, and the text of a field as a value.
//!
//! Invariant: a value is exactly what the text says or a [`Fault`] that quotes it; nothing is
//! guessed, rounded or defaulted. Commas are found eight bytes at a time, which costs half of what
//! a search per field does; nothing here allocates unless it refuses.

use arb_core::{Decimal, NumError, Price, Qty, Side, Timestamp};

use super::error::Fault;

/// Most columns a file may have.
pub(super) const MAX_COLUMNS: usize = 16;

/// One line and where its fields end.
pub(super) struct Fields<'a> {
    line: &'a [u8],
    ends: [u16; MAX_COLUMNS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Cuts at every comma; a line has at most [`MAX_LINE`](super::lines::MAX_LINE) bytes.
    #[inline]
    pub(super) fn split(line: &'a [u8]) -> Self {
        let mut fields = Self { line, ends: [0; MAX_COLUMNS], count: 0 };
        let (words, tail) = line.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            let mut commas = commas(u64::from_le_bytes(*word));
            while commas != 0 {
                fields.end(index * 8 + lowest_byte(commas));
                commas &= commas - 1;
            }
        }
        for (index, byte) in tail.iter().enumerate() {
            if *byte == b',' {
                fields.end(words.len() * 8 + index);
            }
        }
        fields.end(line.len());
        fields
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a line has at most 4096 bytes")]
    fn end(&mut self, at: usize) {
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = at as u16;
        }
        self.count += 1;
    }

    /// Number of fields, also beyond [`MAX_COLUMNS`].
    #[inline]
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The field of a column; empty where there is none.
    #[inline]
    pub(super) fn get(&self, column: usize) -> &'a [u8] {
        let start = match column.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |end| usize::from(*end) + 1),
            None => 0,
        };
        let end = self.ends.get(column).map_or(0, |end| usize::from(*end));
        self.line.get(start..end).unwrap_or_default()
    }

    /// All fields up to [`MAX_COLUMNS`].
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.count.min(MAX_COLUMNS)).map(|column| self.get(column))
    }
}

/// The high bit of every byte that is a comma, and no other bit.
#[inline]
const fn commas(word: u64) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    // A comma becomes zero, and only a zero byte has no bit after this addition: exact, because
    // nothing carries from one byte to the next.
    let zero_at_comma = word ^ 0x2C2C_2C2C_2C2C_2C2C;
    !(((zero_at_comma & LOW) + LOW) | zero_at_comma | LOW)
}

/// Index of the byte that holds the lowest set bit.
#[inline]
const fn lowest_byte(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}

/// A whole number of at most 18 digits.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let (words, tail) = text.as_chunks::<8>();
    let mut value = 0;
    for word in words {
        value = value * 100_000_000 + eight_digits(*word)?;
    }
    for byte in tail {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// Eight ASCII digits at once: neighbours are joined to pairs, pairs to fours, fours to the number.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    let word = u64::from_le_bytes(text);
    // A digit has the high half 3, and still has it when 6 is added to the low half.
    let above = word.wrapping_add(0x0606_0606_0606_0606) & HIGH;
    if (word & HIGH) | (above >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    let digits = word & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = digits * 10 + (digits >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

/// A whole number such as an id.
#[inline]
pub(super) fn whole(field: &'static str, text: &[u8]) -> Result<u64, Fault> {
    digits(text)
        .ok_or_else(|| Fault::of(field, text, "is no whole number; 1 to 18 digits are allowed"))
}

/// An instant from milliseconds or microseconds, told apart by their size: 13 digits are
/// milliseconds, 16 are microseconds.
#[inline]
pub(super) fn instant(text: &[u8]) -> Option<Timestamp> {
    // The year 2262 ends what nanoseconds hold; an event may be known some minutes after its time.
    const FIRST: i64 = 1_000_000_000_000;
    const LAST: i64 = 9_214_646_399_999;
    const LAST_US: i64 = LAST * 1_000 + 999;
    match i64::try_from(digits(text)?).ok()? {
        millis @ FIRST..=LAST => Some(Timestamp::from_millis(millis)),
        micros if (FIRST * 1_000..=LAST_US).contains(&micros) => {
            Some(Timestamp::from_micros(micros))
        }
        _ => None,
    }
}

/// [`instant`] of a field.
#[inline]
pub(super) fn time(field: &'static str, text: &[u8]) -> Result<Timestamp, Fault> {
    instant(text).ok_or_else(|| {
        let what = "is no time; milliseconds (13 digits) or microseconds (16 digits) \
                    from 2001-09-09 to 2261-12-31 are allowed";
        Fault::of(field, text, what)
    })
}

/// [`time`], or UTC as `YYYY-MM-DD HH:MM:SS`.
pub(super) fn civil_time(field: &'static str, text: &[u8]) -> Result<Timestamp, Fault> {
    instant(text).or_else(|| civil(text)).ok_or_else(|| {
        let what = "is no time; YYYY-MM-DD HH:MM:SS, milliseconds or microseconds \
                    from 2001-09-09 to 2261-12-31 are allowed";
        Fault::of(field, text, what)
    })
}

fn civil(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 19)?;
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    instant(utc.as_millisecond().to_string().as_bytes())
}

/// The taker's side from `is_buyer_maker`.
#[inline]
pub(super) fn taker_side(text: &[u8]) -> Option<Side> {
    match text {
        b"true" | b"True" | b"1" => Some(Side::Sell),
        b"false" | b"False" | b"0" => Some(Side::Buy),
        _ => None,
    }
}

/// A positive price of at most 8 decimals.
#[inline]
pub(super) fn price(text: &[u8]) -> Result<Price, Fault> {
    Price::parse(text).map_err(|e| number_fault("price", text, e))
}

/// A quantity of at most 8 decimals; zero is legal.
#[inline]
pub(super) fn qty(text: &[u8]) -> Result<Qty, Fault> {
    Qty::parse(text).map_err(|e| number_fault("quantity", text, e))
}

#[cold]
pub(super) fn number_fault(field: &'static str, text: &[u8], error: NumError) -> Fault {
    Fault::of(field, text, error)
}

/// A decimal number of either sign, exactly.
pub(super) fn decimal(field: &'static str, text: &[u8]) -> Result<Decimal, Fault> {
    let malformed =
        || Fault::of(field, text, "is no decimal number; digits with one dot are allowed");
    let number = std::str::from_utf8(text).map_err(|_| malformed())?;
    let magnitude = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
    let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(malformed());
    }
    // Archives pad to 16 decimals, which can exceed what a Decimal holds where the value does not.
    let padding = match number.contains('.') {
        true => number.len() - number.trim_end_matches('0').len(),
        false => 0,
    };
    let significant = number.get(..number.len() - padding).unwrap_or(number);
    let value = Decimal::from_str_exact(significant.trim_end_matches('.'))
        .map_err(|_| Fault::of(field, text, "has too many digits; 28 are allowed"))?;
    // A zero with a sign is equal to zero but prints otherwise.
    Ok(if value.is_zero() { Decimal::ZERO } else { value })
}

/// A ratio: a decimal number, not negative, as the nearest float.
pub(super) fn ratio(field: &'static str, text: &[u8]) -> Result<f64, Fault> {
    let value = decimal(field, text)?;
    let nearest = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    match nearest {
        Some(ratio) if value >= Decimal::ZERO => Ok(ratio),
        _ => Err(Fault::of(field, text, "is negative; a number from 0 is allowed")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::digits;

    proptest! {
        #[test]
        fn digits_equal_the_standard_parser(text in "[0-9]{0,20}|[0-9]{0,9}[ -~][0-9]{0,9}") {
            let legal = text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
            let expected = if legal { text.parse().ok() } else { None };
            prop_assert_eq!(digits(text.as_bytes()), expected);
        }
    }
}
