//! How figures look on a page.
//!
//! Invariant: an undefined figure is a dash, never a zero; percent only here, fractions elsewhere.

use arb_core::{Money, Timestamp};

/// What stands for a figure that is not defined.
pub(crate) const NONE: &str = "–";

/// `3,000,000`.
pub(crate) fn grouped(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("−", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `10,845.88`, half away from zero.
pub(crate) fn money(amount: Money) -> String {
    let rounded = amount.to_decimal().round_dp(2);
    grouped(format_args!("{rounded:.2}")).replace("−0.00", "0.00")
}

/// An amount whose sign matters: `+845.89`.
pub(crate) fn signed_money(amount: Money) -> String {
    let sign = if amount > Money::ZERO { "+" } else { "" };
    format!("{sign}{}", money(amount))
}

/// A ratio with two decimals.
pub(crate) fn plain(value: Option<f64>) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:.2}").replace('-', "−"))
}

/// A figure whose sign matters: `+6.33`, `−1.20`.
pub(crate) fn signed(value: Option<f64>) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:+.2}").replace('-', "−"))
}

/// A fraction as percent.
pub(crate) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or(NONE.to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// `2024-06-01 04:01:45`, UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |civil| civil.replace('T', " "))
}

/// `30 h`, `12 min 5 s`: the two largest units.
pub(crate) fn span(nanos: i64) -> String {
    let secs = nanos / 1_000_000_000;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = secs;
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_signed() {
        assert_eq!(grouped(3_000_000), "3,000,000");
        assert_eq!(grouped(999), "999");
        let show = |text: &str| money(text.parse().unwrap());
        assert_eq!(show("10845.876"), "10,845.88");
        assert_eq!(show("-1234.5"), "−1,234.50");
        assert_eq!(show("-0.001"), "0.00");
        assert_eq!((signed(Some(6.333)), signed(Some(-1.2))), ("+6.33".into(), "−1.20".into()));
        assert_eq!((percent(None), percent(Some(0.762))), ("–".into(), "76.2 %".into()));
    }

    #[test]
    fn spans_name_their_two_largest_units() {
        let secs = |secs: i64| span(secs * 1_000_000_000);
        assert_eq!(secs(30 * 3_600 + 25 * 60 + 32), "1 d 6 h");
        assert_eq!(secs(725), "12 min 5 s");
        assert_eq!(secs(0), "0 s");
    }
}
