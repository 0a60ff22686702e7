//! JSON written straight into a buffer.
//!
//! Invariant: numbers are exact; nothing is allocated per value. The venue writes fifty thousand
//! frames a second, which neither a formatter nor a decimal type keeps up with.

/// 10⁸: the units in one.
const ONE: i64 = 100_000_000;
const POWERS: [u64; 9] = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// Appends text to a buffer; every method hands itself back.
#[derive(Debug)]
pub(crate) struct Text<'b>(pub(crate) &'b mut Vec<u8>);

impl Text<'_> {
    #[inline]
    pub(crate) fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    #[inline]
    pub(crate) fn int(&mut self, number: i64) -> &mut Self {
        self.raw(itoa::Buffer::new().format(number))
    }

    #[inline]
    pub(crate) fn uint(&mut self, number: u64) -> &mut Self {
        self.raw(itoa::Buffer::new().format(number))
    }

    pub(crate) fn flag(&mut self, flag: Flag) -> &mut Self {
        self.raw(if flag.0 { "true" } else { "false" })
    }

    /// A count of 10⁻⁸ with so many decimals, at most eight; more are cut off.
    #[inline]
    pub(crate) fn units(&mut self, units: i64, decimals: u32) -> &mut Self {
        if units < 0 {
            self.raw("-");
        }
        let magnitude = units.unsigned_abs();
        let one = ONE.unsigned_abs();
        self.uint(magnitude / one);
        if decimals > 0 {
            let power = usize::try_from(decimals).ok().and_then(|at| POWERS.get(at)).copied();
            self.fraction(magnitude % one / power.unwrap_or(1), decimals);
        }
        self
    }

    /// The same in quotes.
    #[inline]
    pub(crate) fn quoted(&mut self, units: i64, decimals: u32) -> &mut Self {
        self.raw("\"").units(units, decimals).raw("\"")
    }

    /// A sum of products of two such counts, 10⁻¹⁶, in quotes with eight decimals.
    pub(crate) fn quoted_money(&mut self, money: i128) -> &mut Self {
        let one = u128::from(ONE.unsigned_abs());
        let units = money.unsigned_abs() / one;
        self.raw(if money < 0 { "\"-" } else { "\"" });
        self.uint(u64::try_from(units / one).unwrap_or(u64::MAX));
        self.fraction(u64::try_from(units % one).unwrap_or_default(), 8).raw("\"")
    }

    /// A sum of counts of 10⁻⁸ in quotes.
    pub(crate) fn quoted_sum(&mut self, units: i128, decimals: u32) -> &mut Self {
        let one = u128::from(ONE.unsigned_abs());
        let magnitude = units.unsigned_abs();
        self.raw(if units < 0 { "\"-" } else { "\"" });
        self.uint(u64::try_from(magnitude / one).unwrap_or(u64::MAX));
        if decimals > 0 {
            let power = usize::try_from(decimals).ok().and_then(|at| POWERS.get(at)).copied();
            let fraction = u64::try_from(magnitude % one).unwrap_or_default();
            self.fraction(fraction / power.unwrap_or(1), decimals);
        }
        self.raw("\"")
    }

    #[inline]
    fn fraction(&mut self, fraction: u64, decimals: u32) -> &mut Self {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(fraction);
        let missing = usize::try_from(decimals).unwrap_or_default().saturating_sub(digits.len());
        self.raw(".").raw("00000000".get(..missing).unwrap_or_default()).raw(digits)
    }

    /// Text in quotes, escaped.
    pub(crate) fn quoted_text(&mut self, text: &str) -> &mut Self {
        match serde_json::to_string(text) {
            Ok(text) => self.raw(&text),
            Err(_) => self.raw("\"\""),
        }
    }
}

/// A truth that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(pub(crate) bool);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Text<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Text(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn units_have_exactly_their_decimals() {
        for (units, decimals, text) in [
            (8_400_012_340_000_i64, 2, "84000.12"),
            (8_400_012_340_000, 8, "84000.12340000"),
            (100_000_000, 0, "1"),
            (-38_167, 8, "-0.00038167"),
            (5, 8, "0.00000005"),
            (0, 3, "0.000"),
        ] {
            assert_eq!(written(|out| _ = out.units(units, decimals)), text);
        }
    }

    #[test]
    fn sums_are_written_beyond_the_range_of_one_trade() {
        let money = 12_345_678_901_234_567_890_123_i128;
        assert_eq!(written(|out| _ = out.quoted_money(money)), "\"1234567.89012345\"");
        assert_eq!(written(|out| _ = out.quoted_sum(-123_456_789_012, 3)), "\"-1234.567\"");
    }
}
