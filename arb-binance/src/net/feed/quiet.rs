//! Whether an instrument is quiet, or its stream is.
//!
//! Source: strategy rules of the product, stale feed: no trade for max(30 s, 20 × the mean gap of
//! the last hour), at most 10 minutes, and the venue has trades that did not come.
//!
//! Invariant: counting a trade neither allocates nor looks at more than one counter within a
//! minute; the venue is asked at most once in a silence limit.

use arb_core::Timestamp;
use arb_core::time::{HOUR, MINUTE, SECOND};

const SHORTEST: i64 = 30 * SECOND;
const LONGEST: i64 = 10 * MINUTE;
const GAPS: i64 = 20;
const MINUTES: usize = 60;

/// The trades of one instrument in the last hour, and when to ask about their absence.
#[derive(Clone, Debug)]
pub(super) struct Quiet {
    /// From when on trades were to be expected; none before a connection delivered.
    since: Option<Timestamp>,
    last: Timestamp,
    /// Trades by minute of the hour.
    counts: [u32; MINUTES],
    /// The minute that is being counted, since 1970.
    minute: i64,
    ask_at: Timestamp,
    is_asked: bool,
}

impl Default for Quiet {
    fn default() -> Self {
        Self {
            since: None,
            last: Timestamp::EPOCH,
            counts: [0; MINUTES],
            minute: 0,
            ask_at: Timestamp::EPOCH,
            is_asked: false,
        }
    }
}

impl Quiet {
    /// A connection delivers: from now on silence means something.
    pub(super) fn began(&mut self, now: Timestamp) {
        if self.since.is_none() {
            self.since = Some(now);
        }
        self.last = now;
    }

    /// A trade came.
    #[inline]
    pub(super) fn traded(&mut self, now: Timestamp) {
        self.last = now;
        let minute = now.as_nanos().div_euclid(MINUTE);
        if minute != self.minute {
            self.turn(minute);
        }
        if let Some(count) = self.counts.get_mut(place(minute)) {
            *count += 1;
        }
    }

    /// Empties the minutes that nobody counted.
    #[cold]
    fn turn(&mut self, minute: i64) {
        let passed = minute.saturating_sub(self.minute).clamp(0, 60);
        for back in 0..passed {
            if let Some(count) = self.counts.get_mut(place(minute - back)) {
                *count = 0;
            }
        }
        self.minute = minute;
    }

    /// The longest silence that means nothing, nanoseconds.
    fn limit(&mut self, now: Timestamp) -> i64 {
        self.turn(now.as_nanos().div_euclid(MINUTE));
        // The present minute is counted in part.
        let counted = HOUR - MINUTE + now.as_nanos().rem_euclid(MINUTE);
        let seen = self.since.map_or(0, |since| now.since(since).clamp(0, counted));
        let trades: i64 = self.counts.iter().map(|count| i64::from(*count)).sum();
        let mean = seen.checked_div(trades).unwrap_or(LONGEST);
        mean.saturating_mul(GAPS).clamp(SHORTEST, LONGEST)
    }

    /// Whether the venue must be asked now; it then counts as asked.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        if self.since.is_none() || self.is_asked || now < self.ask_at {
            return false;
        }
        let limit = self.limit(now);
        let due = self.last.plus(limit);
        // Before that there is nothing to reckon; a trade in between moves it on.
        self.ask_at = due;
        self.is_asked = now >= due;
        self.is_asked
    }

    /// The venue answered, or the request failed: silence counts anew.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.is_asked = false;
        self.ask_at = now.plus(self.limit(now));
    }

    /// From when on trades were to be expected.
    pub(super) const fn since(&self) -> Option<Timestamp> {
        self.since
    }
}

fn place(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(60)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos((1_700_000_000 + seconds) * SECOND)
    }

    /// When the venue is first asked after the last of these trades.
    fn asked_after(trades: impl Iterator<Item = i64>) -> i64 {
        let mut quiet = Quiet::default();
        quiet.began(at(0));
        let mut last = 0;
        for second in trades {
            quiet.traded(at(second));
            last = second;
        }
        (last..last + 2_000).find(|second| quiet.is_due(at(*second))).unwrap() - last
    }

    #[test]
    fn silence_is_judged_by_the_mean_gap_within_its_bounds() {
        assert_eq!(asked_after(0..3_600), 30, "a trade a second: 20 gaps are below the least");
        // The mean grows while nothing comes.
        assert!((100..106).contains(&asked_after((0..3_600).step_by(5))));
        assert_eq!(asked_after((0..7_200).step_by(120)), 600, "at most ten minutes");
        assert_eq!(asked_after(std::iter::empty()), 600);
    }

    #[test]
    fn trades_of_more_than_an_hour_ago_do_not_count() {
        let busy = 0..3_600;
        let slow = (3_600..7_400).step_by(10);
        let asked = asked_after(busy.chain(slow));
        assert!((200..220).contains(&asked), "{asked}");
    }

    #[test]
    fn the_venue_is_asked_once_until_it_answers_and_then_after_another_silence() {
        let mut quiet = Quiet::default();
        assert!(!quiet.is_due(at(9_999)), "nothing is expected before a connection delivers");
        quiet.began(at(0));
        for second in 0..3_600 {
            quiet.traded(at(second));
        }
        assert!(!quiet.is_due(at(3_628)) && quiet.is_due(at(3_629)) && !quiet.is_due(at(3_700)));
        quiet.answered(at(3_700));
        assert!(!quiet.is_due(at(3_729)));
        quiet.traded(at(3_729));
        assert!(!quiet.is_due(at(3_758)) && quiet.is_due(at(3_760)));
    }
}
