//! What settled funding came to: by year, over the last week, since New Year, and altogether.
//!
//! Invariant: rates are summed as Decimals and hours as whole seconds, so a sum equals the plain
//! sum over the settlements to the last digit. Intervals come from the settlements themselves,
//! because they differ by instrument and change: a rate is what was paid for the time since the
//! settlement before it. An annualised rate is the mean per hour × 24 × 365, not compounded.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::Decimal;
use serde::Serialize;

use crate::num::decimal_text;
use crate::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

const WEEK: i64 = 7 * DAY;
const SECONDS_PER_YEAR: i64 = 365 * DAY / SECOND;
/// No perpetual settles less often, so a longer silence lacks settlements.
const LONGEST_INTERVAL: i64 = 8 * HOUR / SECOND;

/// A settlement that cannot follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the settlement of {time} is not later than that of {last}")]
pub struct FundingOrderError {
    /// The settlement that was given.
    pub time: Timestamp,
    /// The one before it.
    pub last: Timestamp,
}

/// A rate and when it was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DatedRate {
    /// The nominal second of the settlement.
    pub time: Timestamp,
    /// Settled rate, a fraction per interval.
    #[serde(with = "decimal_text")]
    pub rate: Decimal,
}

/// Sums over some settlements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FundingTotals {
    /// Settlements.
    pub settlements: u64,
    /// Settlements with a rate below zero.
    pub negative: u64,
    /// Σ rates, exact; positive is what a short received per unit of notional.
    pub sum: Decimal,
    /// Seconds that the rates were paid for, as far as their intervals are known.
    pub seconds: i64,
    /// The lowest rate, the first of equal ones.
    pub min: Option<DatedRate>,
    /// The highest rate, the first of equal ones.
    pub max: Option<DatedRate>,
}

impl FundingTotals {
    fn add(&mut self, settled: DatedRate, seconds: i64) {
        self.settlements += 1;
        self.negative += u64::from(settled.rate < Decimal::ZERO);
        self.sum = self.sum.saturating_add(settled.rate);
        self.seconds += seconds;
        if self.min.is_none_or(|min| settled.rate < min.rate) {
            self.min = Some(settled);
        }
        if self.max.is_none_or(|max| settled.rate > max.rate) {
            self.max = Some(settled);
        }
    }

    /// Mean rate per settlement; none without a settlement.
    #[must_use]
    pub fn mean(&self) -> Option<Decimal> {
        self.sum.checked_div(Decimal::from(self.settlements))
    }

    /// Mean rate per hour × 24 × 365, a fraction; none while no interval is known.
    #[must_use]
    pub fn annualised(&self) -> Option<Decimal> {
        let yearly = self.sum.checked_mul(Decimal::from(SECONDS_PER_YEAR))?;
        yearly.checked_div(Decimal::from(self.seconds))
    }

    /// Share of the settlements with a rate below zero; none without a settlement.
    #[must_use]
    pub fn negative_share(&self) -> Option<Decimal> {
        Decimal::from(self.negative).checked_div(Decimal::from(self.settlements))
    }
}

/// An interval that begins with a settlement and holds until the next one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalChange {
    /// The first settlement that was paid for so long.
    pub since: Timestamp,
    /// Seconds from the settlement before it.
    pub seconds: i64,
}

/// A silence too long to be an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingHole {
    /// The last settlement before it.
    pub start: Timestamp,
    /// The first one after it.
    pub end: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Paid {
    settled: DatedRate,
    seconds: i64,
}

/// Statistics of the settlements of one instrument, in the order in which they happened.
///
/// ```
/// use arb_core::stats::FundingStats;
/// use arb_core::Timestamp;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut stats = FundingStats::default();
/// for n in 0..10 {
///     stats.add(Timestamp::from_millis(n * 28_800_000), "0.0001".parse()?)?;
/// }
/// assert_eq!(stats.total().annualised(), Some("0.1095".parse()?));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FundingStats {
    total: FundingTotals,
    years: BTreeMap<i64, FundingTotals>,
    intervals: BTreeMap<i64, u64>,
    changes: Vec<IntervalChange>,
    holes: Vec<FundingHole>,
    /// The settlements of the last 7 days.
    week: VecDeque<Paid>,
    /// The first settlements, until an interval is known: usually one.
    unpaid: Vec<DatedRate>,
    last: Option<DatedRate>,
    /// The interval in force, seconds.
    interval: Option<i64>,
}

impl FundingStats {
    /// Adds a settlement; `time` is taken to its nominal second, because recorded times jitter by
    /// milliseconds. The interval is the time since the settlement before; the first one is taken
    /// to have had the first interval seen.
    ///
    /// # Errors
    /// [`FundingOrderError`] when it is not later than the one before; nothing changes then.
    pub fn add(&mut self, time: Timestamp, rate: Decimal) -> Result<(), FundingOrderError> {
        let settled = DatedRate { time: time.floor_to(SECOND), rate };
        let Some(last) = self.last.replace(settled) else {
            self.unpaid.push(settled);
            self.book(settled, 0);
            return Ok(());
        };
        if settled.time <= last.time {
            self.last = Some(last);
            return Err(FundingOrderError { time: settled.time, last: last.time });
        }
        let silent = settled.time.since(last.time) / SECOND;
        match self.interval_of(silent, last.time, settled.time) {
            Some(seconds) => {
                for first in std::mem::take(&mut self.unpaid) {
                    self.book_hours(first, seconds);
                }
                self.on_interval(seconds, settled.time);
                self.book(settled, seconds);
            }
            None => {
                self.unpaid.push(settled);
                self.book(settled, 0);
            }
        }
        Ok(())
    }

    /// The interval that a silence stands for: behind a hole the one in force goes on.
    fn interval_of(&mut self, silent: i64, start: Timestamp, end: Timestamp) -> Option<i64> {
        if silent <= LONGEST_INTERVAL {
            return Some(silent);
        }
        self.holes.push(FundingHole { start, end });
        self.interval
    }

    fn on_interval(&mut self, seconds: i64, since: Timestamp) {
        if self.interval != Some(seconds) {
            self.interval = Some(seconds);
            self.changes.push(IntervalChange { since, seconds });
        }
        *self.intervals.entry(seconds).or_default() += 1;
    }

    fn book(&mut self, settled: DatedRate, seconds: i64) {
        self.total.add(settled, seconds);
        self.years.entry(utc_year(settled.time)).or_default().add(settled, seconds);
        self.week.push_back(Paid { settled, seconds });
        let horizon = settled.time.plus(-WEEK);
        while self.week.front().is_some_and(|paid| paid.settled.time <= horizon) {
            self.week.pop_front();
        }
    }

    fn book_hours(&mut self, first: DatedRate, seconds: i64) {
        self.total.seconds += seconds;
        if let Some(year) = self.years.get_mut(&utc_year(first.time)) {
            year.seconds += seconds;
        }
        if let Some(paid) = self.week.iter_mut().find(|paid| paid.settled == first) {
            paid.seconds = seconds;
        }
    }

    /// All settlements.
    #[must_use]
    pub const fn total(&self) -> &FundingTotals {
        &self.total
    }

    /// The settlements of each UTC calendar year, ascending.
    pub fn years(&self) -> impl Iterator<Item = (i64, &FundingTotals)> {
        self.years.iter().map(|(year, totals)| (*year, totals))
    }

    /// The settlements after `as_of` − 7 days, up to `as_of`; none when `as_of` is before the last
    /// settlement, because older ones are not kept one by one.
    #[must_use]
    pub fn seven_days(&self, as_of: Timestamp) -> Option<FundingTotals> {
        self.last.filter(|last| last.time <= as_of)?;
        let horizon = as_of.plus(-WEEK);
        let mut totals = FundingTotals::default();
        for paid in self.week.iter().filter(|paid| paid.settled.time > horizon) {
            totals.add(paid.settled, paid.seconds);
        }
        Some(totals)
    }

    /// The settlements of the UTC calendar year of `as_of`, up to it; none when `as_of` is before
    /// the last settlement.
    #[must_use]
    pub fn year_to_date(&self, as_of: Timestamp) -> Option<FundingTotals> {
        self.last.filter(|last| last.time <= as_of)?;
        Some(self.years.get(&utc_year(as_of)).copied().unwrap_or_default())
    }

    /// The last settlement.
    #[must_use]
    pub const fn last(&self) -> Option<DatedRate> {
        self.last
    }

    /// Seconds between settlements now; none before the second settlement.
    #[must_use]
    pub const fn interval_seconds(&self) -> Option<i64> {
        self.interval
    }

    /// How many settlements had which interval in seconds, ascending; the first settlement, whose
    /// interval nobody saw, is not among them.
    pub fn intervals(&self) -> impl Iterator<Item = (i64, u64)> {
        self.intervals.iter().map(|(seconds, count)| (*seconds, *count))
    }

    /// Where the interval changed, in order; the first is where it was first seen.
    #[must_use]
    pub fn interval_changes(&self) -> &[IntervalChange] {
        &self.changes
    }

    /// Silences of more than 8 hours: settlements are missing there.
    #[must_use]
    pub fn holes(&self) -> &[FundingHole] {
        &self.holes
    }
}

/// Settlements of a new listing may begin so long after it.
const FIRST_AFTER_LISTING: i64 = DAY;
/// A settlement is known some minutes after its boundary.
const KNOWN_AFTER: i64 = 10 * MINUTE;

/// Whether settlements, ascending, leave out none of the UTC calendar year of `as_of` up to then:
/// they begin with it, or with the listing where that was later, and are never further apart than
/// eight hours, which is the longest interval. Times before the year do not matter.
///
/// ```
/// use arb_core::stats::{covers_year, start_of_year};
/// use arb_core::time::HOUR;
/// use arb_core::Timestamp;
/// let as_of = Timestamp::from_millis(1_767_225_600_000 + 86_400_000);
/// let since = start_of_year(as_of);
/// let times: Vec<Timestamp> = (0..4).map(|n| since.plus(n * 8 * HOUR)).collect();
/// assert!(covers_year(&times, None, as_of));
/// assert!(!covers_year(&times[2..], None, as_of));
/// ```
#[must_use]
pub fn covers_year(times: &[Timestamp], listed_at: Option<Timestamp>, as_of: Timestamp) -> bool {
    const LONGEST: i64 = LONGEST_INTERVAL * SECOND;
    let since = start_of_year(as_of);
    let (begin, patience) = match listed_at {
        Some(listed) if listed > since => (listed, FIRST_AFTER_LISTING),
        _ => (since, LONGEST),
    };
    let mut last = begin;
    let mut longest = patience;
    let settled = times.iter().map(|time| time.floor_to(SECOND));
    for time in settled.filter(|time| *time >= since && *time <= as_of) {
        if time.since(last) > longest {
            return false;
        }
        (last, longest) = (time, LONGEST);
    }
    as_of.since(last) <= longest + KNOWN_AFTER
}

/// 1 January, 00:00 UTC, of the calendar year of an instant.
#[must_use]
pub const fn start_of_year(at: Timestamp) -> Timestamp {
    let past = utc_year(at) - 1;
    let leap_days = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    // Days from the first of January of the year 1 to that of 1970.
    Timestamp::from_nanos((past * 365 + leap_days - 719_162) * DAY)
}

/// The UTC calendar year, from the civil-from-days arithmetic of the Gregorian calendar.
#[must_use]
pub const fn utc_year(time: Timestamp) -> i64 {
    let shifted = time.as_nanos().div_euclid(DAY) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // The arithmetic counts years from March; January and February belong to the next one.
    year_of_era + era * 400 + (day_of_year >= 306) as i64
}

#[cfg(test)]
mod tests;
