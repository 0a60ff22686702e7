//! When something is asked for, and whose turn it is.
//!
//! Invariant: what is asked for in a period of five minutes stays within four fifths of the
//! venue's limit; scored instruments are in every period, and of the others each comes once before
//! any comes again.

use arb_core::Timestamp;
use arb_core::time::{HOUR, MINUTE, SECOND};

/// A settlement may take up to a minute to show.
pub(super) const SETTLED_AFTER: i64 = 65 * SECOND;
/// The newest ratio of a period shows some time after it.
const RATIO_AFTER: i64 = 45 * SECOND;
const RATIO_PERIOD: i64 = 5 * MINUTE;
/// Requests for ratios in one period: four fifths of the venue's limit.
const RATIO_BUDGET: usize = 800;
/// Two kinds of ratio of each instrument.
const KINDS: usize = 2;

/// When the settlements of the next full hour can be asked for.
pub(super) const fn next_settlements(now: Timestamp) -> Timestamp {
    now.plus(-SETTLED_AFTER).floor_to(HOUR).plus(HOUR + SETTLED_AFTER)
}

/// When the ratios of the next period can be asked for.
pub(super) const fn next_ratios(now: Timestamp) -> Timestamp {
    now.plus(-RATIO_AFTER).floor_to(RATIO_PERIOD).plus(RATIO_PERIOD + RATIO_AFTER)
}

/// Whose ratios are asked for among those that are not scored.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    others: usize,
    room: usize,
    next: usize,
}

impl Rotation {
    /// So many scored instruments, and so many others.
    pub(super) fn new(scored: usize, others: usize) -> Self {
        let room = (RATIO_BUDGET / KINDS).saturating_sub(scored).min(others);
        Self { others, room, next: 0 }
    }

    /// The places of those whose turn it is.
    pub(super) fn turn(&mut self) -> impl Iterator<Item = usize> + use<> {
        let (first, others) = (self.next, self.others);
        self.next = (first + self.room).checked_rem(others).unwrap_or_default();
        (first..first + self.room).filter_map(move |place| place.checked_rem(others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64, second: i64) -> Timestamp {
        Timestamp::from_nanos(
            1_700_006_400 * SECOND + hour * HOUR + minute * MINUTE + second * SECOND,
        )
    }

    #[test]
    fn settlements_are_asked_for_65_seconds_after_each_full_hour() {
        assert_eq!(at(0, 0, 0).floor_to(HOUR), at(0, 0, 0));
        for (now, next) in [
            (at(7, 30, 0), at(8, 1, 5)),
            (at(7, 59, 59), at(8, 1, 5)),
            (at(8, 0, 0), at(8, 1, 5)),
            (at(8, 1, 4), at(8, 1, 5)),
            (at(8, 1, 5), at(9, 1, 5)),
        ] {
            assert_eq!(next_settlements(now), next);
        }
    }

    #[test]
    fn ratios_are_asked_for_45_seconds_after_each_period() {
        assert_eq!(next_ratios(at(1, 4, 0)), at(1, 5, 45));
        assert_eq!(next_ratios(at(1, 5, 44)), at(1, 5, 45));
        assert_eq!(next_ratios(at(1, 5, 45)), at(1, 10, 45));
    }

    #[test]
    fn the_others_take_turns_within_what_the_scored_leave() {
        let mut rotation = Rotation::new(30, 570);
        let mut seen = vec![0; 570];
        for period in 1..=57 {
            let turn: Vec<usize> = rotation.turn().collect();
            assert!((30 + turn.len()) * KINDS <= 800, "within four fifths of the limit");
            assert_eq!(turn.len(), 370, "and not less than there is room for");
            turn.iter().for_each(|place| seen[*place] += 1);
            let (least, most) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
            assert!(most - least <= 1, "period {period}: {least} to {most}");
        }
    }

    #[test]
    fn few_are_all_asked_for_and_none_leave_room_for_none() {
        let mut few = Rotation::new(4, 40);
        for _ in 0..3 {
            assert_eq!(few.turn().count(), 40);
        }
        assert_eq!(Rotation::new(4, 0).turn().count(), 0);
        assert_eq!(Rotation::new(400, 200).turn().count(), 0);
    }
}
