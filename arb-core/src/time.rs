//! Time as data: nanoseconds since the Unix epoch, UTC.
//!
//! Invariant: nothing in this crate reads a clock; a [`Timestamp`] arrives in an event.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds in one second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in one minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Nanoseconds in one hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Nanoseconds in one day.
pub const DAY: i64 = 24 * HOUR;

/// An instant, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself.
    pub const EPOCH: Self = Self(0);
    /// Later than every instant that is read from outside.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds.
    #[inline]
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds; saturates at the ends of the range (year 2262).
    #[inline]
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From microseconds; saturates at the ends of the range.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// Nanoseconds since the epoch.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole microseconds since the epoch, rounded down.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole milliseconds since the epoch, rounded down.
    #[inline]
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The last multiple of `step` nanoseconds at or before this instant.
    #[inline]
    #[must_use]
    pub const fn floor_to(self, step: i64) -> Self {
        Self(self.0 - self.0.rem_euclid(step))
    }

    /// The first multiple of `step` nanoseconds at or after this instant.
    #[inline]
    #[must_use]
    pub const fn ceil_to(self, step: i64) -> Self {
        match self.0.rem_euclid(step) {
            0 => self,
            rest => Self(self.0.saturating_add(step - rest)),
        }
    }

    /// This instant moved by `nanos`, which may be negative; saturates.
    #[inline]
    #[must_use]
    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant; negative when it is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A Duration as nanoseconds; saturates.
#[must_use]
pub fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    /// `2024-06-01T00:00:00.000Z`, from the civil-from-days arithmetic of the Gregorian calendar.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(DAY);
        let within = self.0.rem_euclid(DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (h, m, s) = (within / HOUR, within / MINUTE % 60, within / SECOND % 60);
        let millis = within / 1_000_000 % 1_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{millis:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_civil_time() {
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
        let leap_day = Timestamp::from_millis(1_709_210_096_789);
        assert_eq!(leap_day.to_string(), "2024-02-29T12:34:56.789Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn floors_and_ceils_to_the_grid() {
        let t = Timestamp::from_millis(30_001);
        assert_eq!(t.floor_to(15 * SECOND), Timestamp::from_millis(30_000));
        assert_eq!(t.ceil_to(15 * SECOND), Timestamp::from_millis(45_000));
        let on_grid = Timestamp::from_millis(45_000);
        assert_eq!(on_grid.ceil_to(15 * SECOND), on_grid);
    }
}
