//! Walk-forward folds: which part of the period chooses, and which part judges.
//!
//! The period is cut into blocks with a gap before each; fold k chooses on blocks 0 … k−1 and
//! judges on block k. What follows the last gap is the hold-out.
//!
//! ```text
//! block 0 │ gap │ block 1 │ gap │ block 2 │ gap │ hold-out
//! fold 1:  train │purge│ test    │embargo
//! fold 2:  train         train   │purge│ test    │embargo
//! ```
//!
//! Invariant: a gap is at least purge and embargo, and both are at least the longest window that
//! gates an entry (4 hours) plus the longest life of a trade. So nothing that a test entry looks
//! at, and nothing that happens to it, overlaps a trade that chose it; and what a test has seen
//! is out of every window before the next span begins.

use arb_core::Decimal;
use arb_core::Timestamp;
use arb_core::time::{HOUR, MINUTE};
use serde::{Serialize, Serializer};

use super::error::{SweepError, usage};

/// The longest window that gates an entry, nanoseconds.
const LOOK_BACK: i64 = 4 * HOUR;
/// The longest life of a trade with the default exits, nanoseconds.
pub(super) const USUAL_LIFE: i64 = 60 * MINUTE;
/// Smallest purge and embargo, nanoseconds.
pub const MIN_PURGE: i64 = LOOK_BACK + USUAL_LIFE;
/// Shortest block, nanoseconds: the returns that judge it are hourly.
const MIN_BLOCK: i64 = HOUR;

/// A part of the period: entries decided at `from <= t < to` belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

impl Span {
    /// Length, nanoseconds.
    #[must_use]
    pub const fn nanos(&self) -> i64 {
        self.to.since(self.from)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        [self.from, self.to].map(Timestamp::as_millis).serialize(s)
    }
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Folds, at least one.
    pub folds: u32,
    /// Time between a train span and the test it chooses for, nanoseconds.
    pub purge: i64,
    /// Time after a test before anything else begins, nanoseconds.
    pub embargo: i64,
    /// Share of the period at its end that is touched once, 0 to below 1.
    pub hold_out: Decimal,
}

/// The blocks of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything there is, in whole minutes.
    pub period: Span,
    /// One more than folds: block 0 only trains, each other block tests its fold.
    pub blocks: Vec<Span>,
    /// The end of the period that is touched once.
    pub hold_out: Option<Span>,
    /// As given, nanoseconds.
    pub purge: i64,
    /// As given, nanoseconds.
    pub embargo: i64,
}

/// One step of the walk forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold<'a> {
    /// Counts from 1.
    pub number: usize,
    /// The spans that choose.
    pub train: &'a [Span],
    /// The span that judges.
    pub test: Span,
}

impl Plan {
    /// Cuts `period`; `longest_life` is the longest a trade of any variant may live, nanoseconds.
    ///
    /// # Errors
    /// Purge or embargo below what `longest_life` asks for, or a period too short for the folds.
    pub fn new(period: Span, longest_life: i64, options: &PlanOptions) -> Result<Self, SweepError> {
        let least = LOOK_BACK + longest_life.max(USUAL_LIFE);
        for (name, given) in [("--purge", options.purge), ("--embargo", options.embargo)] {
            if given < least {
                return usage(format!(
                    "{name} {} is too short: a test entry looks back 4h and a trade lives up to {}, \
                     so at least {} is needed or train and test share trades",
                    told(given),
                    told(least - LOOK_BACK),
                    told(least)
                ));
            }
        }
        if options.hold_out < Decimal::ZERO || options.hold_out >= Decimal::ONE {
            return usage("--hold-out: 0 to below 100 % is allowed");
        }
        if options.folds == 0 {
            return usage("--folds 0: at least one fold is needed");
        }
        let period =
            Span { from: period.from.floor_to(MINUTE), to: period.to.plus(1).ceil_to(MINUTE) };
        let gap = options.purge.max(options.embargo);
        let hold_out = hold_out(period, options.hold_out);
        let end = hold_out.map_or(period.to, |span| span.from.plus(-gap));
        let (count, gaps) = (i64::from(options.folds) + 1, i64::from(options.folds));
        let room = end.since(period.from).saturating_sub(gaps.saturating_mul(gap));
        let length = room.div_euclid(count).div_euclid(MINUTE) * MINUTE;
        if length < MIN_BLOCK || hold_out.is_some_and(|span| span.nanos() < MIN_BLOCK) {
            return usage(format!(
                "{} of trades are too short for {} folds with gaps of {}: no span may be below 1h; \
                 give fewer --folds, a smaller --hold-out or more trades",
                told(period.nanos()),
                options.folds,
                told(gap)
            ));
        }
        let block = |index: i64| {
            let from = period.from.plus(index * (length + gap));
            Span { from, to: from.plus(length) }
        };
        let blocks = (0..count).map(block).collect();
        Ok(Self { period, blocks, hold_out, purge: options.purge, embargo: options.embargo })
    }

    /// The steps of the walk forward.
    pub fn folds(&self) -> impl DoubleEndedIterator<Item = Fold<'_>> {
        self.blocks.iter().enumerate().skip(1).map(|(number, test)| Fold {
            number,
            train: self.blocks.get(..number).unwrap_or_default(),
            test: *test,
        })
    }
}

fn hold_out(period: Span, share: Decimal) -> Option<Span> {
    let nanos = (Decimal::from(period.nanos()) * share).floor();
    let nanos = i64::try_from(nanos).ok().filter(|nanos| *nanos > 0)?;
    Some(Span { from: period.to.plus(-nanos).floor_to(MINUTE), to: period.to })
}

/// A length for a person: `5h`, `4h59m`, `2d3h`.
#[must_use]
pub fn told(nanos: i64) -> String {
    let minutes = nanos.div_euclid(MINUTE);
    let parts = [(minutes / 1_440, "d"), (minutes / 60 % 24, "h"), (minutes % 60, "m")];
    let text: String = parts
        .into_iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if text.is_empty() { "0m".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use arb_core::time::DAY;
    use proptest::prelude::*;

    use super::*;

    fn period(nanos: i64) -> Span {
        let from = Timestamp::from_millis(1_717_200_000_000);
        Span { from, to: from.plus(nanos) }
    }

    fn options(folds: u32, purge: i64, embargo: i64, percent: i64) -> PlanOptions {
        PlanOptions { folds, purge, embargo, hold_out: Decimal::new(percent, 2) }
    }

    fn refusal(days: i64, options: &PlanOptions) -> String {
        Plan::new(period(days * DAY), 0, options).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn no_window_or_life_of_a_test_entry_overlaps_a_train_entry(
            hours in 40..3_000_i64,
            folds in 1..9_u32,
            purge in 0..600_i64,
            embargo in 0..600_i64,
            life in 1..400_i64,
            percent in 0..60_i64,
        ) {
            let life = life * MINUTE;
            let least = LOOK_BACK + life.max(USUAL_LIFE);
            let chosen = options(folds, least + purge * MINUTE, least + embargo * MINUTE, percent);
            let Ok(plan) = Plan::new(period(hours * HOUR), life, &chosen) else { return Ok(()) };
            prop_assert_eq!(plan.folds().count(), folds as usize);
            for fold in plan.folds() {
                prop_assert!(!fold.train.is_empty());
                for train in fold.train {
                    // The last train entry has ended before the first test entry looks back.
                    let last_exit = train.to.plus(life);
                    prop_assert!(last_exit <= fold.test.from.plus(-LOOK_BACK));
                    prop_assert!(train.to.plus(chosen.purge) <= fold.test.from);
                }
                // Whatever comes later begins after the embargo.
                let later = plan.folds().map(|other| other.test).chain(plan.hold_out);
                for span in later.filter(|span| span.from > fold.test.from) {
                    prop_assert!(fold.test.to.plus(chosen.embargo) <= span.from);
                }
            }
            let spans: Vec<Span> = plan.blocks.iter().copied().chain(plan.hold_out).collect();
            prop_assert!(spans.iter().all(|span| span.nanos() >= MIN_BLOCK));
            prop_assert!(spans.first().unwrap().from == plan.period.from);
            prop_assert!(spans.last().unwrap().to <= plan.period.to);
        }
    }

    #[test]
    fn a_purge_or_embargo_below_the_longest_window_and_life_is_refused() {
        let (good, short) = (MIN_PURGE, MIN_PURGE - MINUTE);
        let message = refusal(30, &options(3, short, good, 20));
        assert!(message.starts_with("--purge 4h59m is too short"), "{message}");
        assert!(message.contains("lives up to 1h, so at least 5h is needed"), "{message}");
        assert!(refusal(30, &options(3, good, short, 20)).starts_with("--embargo 4h59m"));
        let long_lived = Plan::new(period(30 * DAY), 2 * HOUR, &options(3, good, good, 20));
        assert!(long_lived.unwrap_err().to_string().contains("lives up to 2h, so at least 6h"));
    }

    #[test]
    fn a_period_too_short_for_its_folds_is_refused() {
        let message = refusal(1, &options(4, MIN_PURGE, MIN_PURGE, 20));
        assert!(message.contains("too short for 4 folds with gaps of 5h"), "{message}");
        assert!(refusal(30, &options(0, MIN_PURGE, MIN_PURGE, 20)).contains("--folds 0"));
        assert!(refusal(30, &options(2, MIN_PURGE, MIN_PURGE, 100)).contains("--hold-out"));
    }

    #[test]
    fn the_hold_out_is_the_end_and_zero_means_none() {
        let days =
            |percent| Plan::new(period(10 * DAY), 0, &options(2, MIN_PURGE, MIN_PURGE, percent));
        let plan = days(20).unwrap();
        let hold_out = plan.hold_out.unwrap();
        assert_eq!(hold_out.to, plan.period.to);
        assert!((hold_out.nanos() - 2 * DAY).abs() <= 2 * MINUTE);
        assert_eq!(days(0).unwrap().hold_out, None);
    }
}
