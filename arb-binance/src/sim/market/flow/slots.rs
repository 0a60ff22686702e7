//! How many trades each second has, and what they have in common.
//!
//! Invariant: the shares of the parts of a day, an hour or a minute add up to the whole, so ids
//! count on without a hole from second to second and from day to day.

use super::super::asset::AssetCursor;
use super::super::line::Line;
use super::super::noise::{bits, mix, spread};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
const MINUTE: i64 = 60;

/// What is dealt out, and the share of each of `N` parts, added up.
#[derive(Clone, Debug)]
struct Deal<const N: usize> {
    first: i64,
    count: i64,
    /// Sum of the shares up to and with each part.
    upto: [i64; N],
}

impl<const N: usize> Deal<N> {
    /// Shares are drawn from the square of a uniform number, so that some parts are busy, above
    /// a least share.
    fn new(key: u64, whole: (i64, i64), least: i64) -> Self {
        let (first, count) = whole;
        let mut upto = [0; N];
        let mut sum = 0;
        for (part, slot) in (0..).zip(&mut upto) {
            let uniform = bits(mix(key, part), 0, 8);
            sum += least + ((uniform * uniform) >> 8);
            *slot = sum;
        }
        Self { first, count, upto }
    }

    /// The first id of a part.
    fn start(&self, part: i64) -> i64 {
        let upto = |part: i64| usize::try_from(part).ok().and_then(|part| self.upto.get(part));
        let whole = self.upto.last().copied().unwrap_or(1);
        let share = upto(part - 1).copied().unwrap_or(if part <= 0 { 0 } else { whole });
        self.first + self.count * share / whole
    }

    /// First id and number of a part.
    fn part(&self, part: i64) -> (i64, i64) {
        let first = self.start(part);
        (first, self.start(part + 1) - first)
    }

    /// The part that holds an id.
    fn holding(&self, id: i64) -> i64 {
        let parts = i64::try_from(N).unwrap_or(1);
        (0..parts).rev().find(|part| self.start(*part) <= id).unwrap_or_default()
    }
}

/// A second of a line's trades.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    second: i64,
    hours: Deal<24>,
    minutes: Deal<60>,
    seconds: Deal<60>,
    first: i64,
    count: i64,
    key: u64,
    sellers: i64,
    /// How much the minute leans to buyers, of 2¹⁶.
    lean: i64,
    /// The middle of the market at the start and the end of the second, where it was asked.
    from: i64,
    to: i64,
    known: i64,
    cursor: AssetCursor,
}

impl Slots {
    pub(super) fn at_second(line: &Line, second: i64) -> Self {
        let day = second.div_euclid(DAY);
        let hours = Deal::new(mix(line.key, day), (day * line.per_day, line.per_day), 160);
        let empty = Deal { first: 0, count: 0, upto: [0; 60] };
        let mut slots = Self {
            second,
            hours,
            minutes: empty.clone(),
            seconds: empty,
            first: 0,
            count: 0,
            key: 0,
            sellers: 0,
            lean: 0,
            from: 0,
            to: 0,
            known: i64::MIN,
            cursor: AssetCursor::default(),
        };
        slots.enter_hour(line);
        slots.enter_minute(line);
        slots.enter_second(line);
        slots
    }

    /// The second that holds a generated id.
    pub(super) fn of_id(line: &Line, id: i64) -> Self {
        let day = id.div_euclid(line.per_day);
        let mut slots = Self::at_second(line, day * DAY);
        let hour = slots.hours.holding(id);
        slots.second += hour * HOUR;
        slots.enter_hour(line);
        let minute = slots.minutes.holding(id);
        slots.second += minute * MINUTE;
        slots.enter_minute(line);
        slots.second += slots.seconds.holding(id);
        slots.enter_second(line);
        slots
    }

    /// Goes on to the next second.
    pub(super) fn advance(&mut self, line: &Line) {
        self.second += 1;
        if self.second.rem_euclid(DAY) == 0 {
            let day = self.second.div_euclid(DAY);
            let whole = (day * line.per_day, line.per_day);
            self.hours = Deal::new(mix(line.key, day), whole, 160);
        }
        if self.second.rem_euclid(HOUR) == 0 {
            self.enter_hour(line);
        }
        if self.second.rem_euclid(MINUTE) == 0 {
            self.enter_minute(line);
        }
        self.enter_second(line);
    }

    fn enter_hour(&mut self, line: &Line) {
        let hour = self.second.div_euclid(HOUR);
        let whole = self.hours.part(hour.rem_euclid(24));
        self.minutes = Deal::new(mix(line.key ^ 1, hour), whole, 24);
    }

    fn enter_minute(&mut self, line: &Line) {
        let minute = self.second.div_euclid(MINUTE);
        let whole = self.minutes.part(minute.rem_euclid(60));
        self.seconds = Deal::new(mix(line.key ^ 2, minute), whole, 4);
        let start = minute * MINUTE;
        let middle = |cursor: &mut _, second| line.middle_of_second(cursor, second);
        let mut cursor = AssetCursor::default();
        let (from, to) = (middle(&mut cursor, start), middle(&mut cursor, start + MINUTE));
        // A rise of ten basis points in the minute makes six of ten takers buyers.
        let rise = (to - from).saturating_mul(1_000_000) / from.max(1);
        self.lean = (rise * 7).clamp(-12_000, 12_000);
        self.known = i64::MIN;
    }

    fn enter_second(&mut self, line: &Line) {
        (self.first, self.count) = self.seconds.part(self.second.rem_euclid(60));
        if self.count == 0 {
            return;
        }
        self.key = mix(line.key ^ 3, self.second);
        // Takers come in bursts of one side.
        self.sellers = (1 << 15) - self.lean - spread(self.key, 16_000);
        let from = self.known == self.second;
        self.from =
            if from { self.to } else { line.middle_of_second(&mut self.cursor, self.second) };
        self.to = line.middle_of_second(&mut self.cursor, self.second + 1);
        self.known = self.second + 1;
    }

    /// Number of trades in the second.
    pub(super) const fn count(&self) -> i64 {
        self.count
    }

    /// The generated id of its first trade.
    pub(super) const fn first_id(&self) -> i64 {
        self.first
    }

    /// Its first millisecond.
    pub(super) const fn start(&self) -> i64 {
        self.second * 1_000
    }

    /// What the draws of its trades begin with.
    pub(super) const fn key(&self) -> u64 {
        self.key
    }

    /// How many of 2¹⁶ takers sell.
    pub(super) const fn sellers(&self) -> i64 {
        self.sellers
    }

    /// The middle of the market at a millisecond of the second.
    pub(super) const fn middle_at(&self, at: i64) -> i64 {
        self.from + (self.to - self.from) * (at - self.start()) / 1_000
    }
}
