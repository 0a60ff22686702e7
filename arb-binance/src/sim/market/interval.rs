//! Where bars begin.
//!
//! Invariant: as at the venue, bars begin at whole multiples of their length since 1970, weeks on
//! Monday and months on the first, UTC.

use arb_core::time::DAY;

use crate::wire::Interval;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = DAY / 1_000_000;

/// Length in milliseconds; none for a month.
const fn length(interval: Interval) -> Option<i64> {
    Some(match interval {
        Interval::S1 => 1_000,
        Interval::M1 => MINUTE_MS,
        Interval::M3 => 3 * MINUTE_MS,
        Interval::M5 => 5 * MINUTE_MS,
        Interval::M15 => 15 * MINUTE_MS,
        Interval::M30 => 30 * MINUTE_MS,
        Interval::H1 => 60 * MINUTE_MS,
        Interval::H2 => 120 * MINUTE_MS,
        Interval::H4 => 240 * MINUTE_MS,
        Interval::H6 => 360 * MINUTE_MS,
        Interval::H8 => 480 * MINUTE_MS,
        Interval::H12 => 720 * MINUTE_MS,
        Interval::D1 => DAY_MS,
        Interval::D3 => 3 * DAY_MS,
        Interval::W1 => 7 * DAY_MS,
        Interval::Mo1 => return None,
    })
}

/// The beginning of the bar that holds a time, and of the next one.
pub(crate) fn bar_around(interval: Interval, at: i64) -> (i64, i64) {
    let Some(length) = length(interval) else { return month_around(at) };
    // 1970-01-01 was a Thursday.
    let offset = if interval == Interval::W1 { 4 * DAY_MS } else { 0 };
    let start = at - (at - offset).rem_euclid(length);
    (start, start + length)
}

/// The beginning of the bar before one that begins here.
pub(crate) fn bar_before(interval: Interval, start: i64) -> i64 {
    bar_around(interval, start - 1).0
}

fn month_around(at: i64) -> (i64, i64) {
    let day = at.div_euclid(DAY_MS);
    let of_month = day_of_month(day);
    let first = day - (of_month - 1);
    // The 32nd of a month always lies in the next one.
    let later = first + 31;
    (first * DAY_MS, (later - (day_of_month(later) - 1)) * DAY_MS)
}

/// The day of the month, 1 to 31, of a day since 1970 (Howard Hinnant, *chrono-Compatible
/// Low-Level Date Algorithms*): years begin in March, so that the leap day is the last.
const fn day_of_month(day: i64) -> i64 {
    let day = day + 719_468;
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        // 2024-02-29T12:00:00Z, a Thursday.
        let at = 1_709_208_000_000;
        assert_eq!(bar_around(Interval::W1, at), (1_708_905_600_000, 1_709_510_400_000));
        assert_eq!(bar_around(Interval::Mo1, at), (1_706_745_600_000, 1_709_251_200_000));
        assert_eq!(bar_around(Interval::D1, at), (1_709_164_800_000, 1_709_251_200_000));
        assert_eq!(bar_before(Interval::Mo1, 1_706_745_600_000), 1_704_067_200_000);
        assert_eq!(bar_around(Interval::M5, at + 299_999), (at, at + 300_000));
    }
}
