//! Sums, intervals and windows of settlements.

use proptest::prelude::*;

use super::*;

const EIGHT: i64 = 8 * HOUR;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_nanos(hours * HOUR)
}

fn rate(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn stats(settlements: &[(i64, &str)]) -> FundingStats {
    let mut stats = FundingStats::default();
    for (hours, text) in settlements {
        stats.add(at(*hours), rate(text)).unwrap();
    }
    stats
}

#[test]
fn a_worked_year_end_splits_at_new_year() {
    // 1970-12-31 08:00 and 16:00, 1971-01-01 00:00 and 08:00.
    let end = 365 * 24;
    let stats =
        stats(&[(end - 16, "0.0003"), (end - 8, "-0.0001"), (end, "0.0005"), (end + 8, "0.0001")]);
    let years: Vec<_> = stats.years().map(|(year, t)| (year, t.settlements, t.sum)).collect();
    assert_eq!(years, [(1970, 2, rate("0.0002")), (1971, 2, rate("0.0006"))]);
    let total = stats.total();
    assert_eq!((total.sum, total.mean()), (rate("0.0008"), Some(rate("0.0002"))));
    assert_eq!(total.annualised(), Some(rate("0.219")), "0.0002 three times a day for 365 days");
    assert_eq!(total.negative_share(), Some(rate("0.25")));
    assert_eq!(total.min.unwrap().time, at(end - 8));
    assert_eq!(total.max.unwrap().time, at(end));
    let to_date = stats.year_to_date(at(end + 9)).unwrap();
    assert_eq!((to_date.settlements, to_date.sum), (2, rate("0.0006")));
}

#[test]
fn intervals_that_change_weigh_by_their_hours() {
    // 8 h, then 4 h, then 2 h: 0.0008 over 8 + 8 + 4 + 2 hours.
    let stats = stats(&[(0, "0.0002"), (8, "0.0002"), (12, "0.0002"), (14, "0.0002")]);
    assert_eq!(stats.total().seconds, 22 * 3_600);
    let expected = rate("0.0008") * Decimal::from(24 * 365) / Decimal::from(22);
    assert!((stats.total().annualised().unwrap() - expected).abs() < rate("0.0000000000001"));
    let seen: Vec<_> = stats.intervals().collect();
    assert_eq!(seen, [(2 * 3_600, 1), (4 * 3_600, 1), (8 * 3_600, 1)]);
    let changes: Vec<_> =
        stats.interval_changes().iter().map(|c| (c.since, c.seconds / 3_600)).collect();
    assert_eq!(changes, [(at(8), 8), (at(12), 4), (at(14), 2)]);
    assert_eq!(stats.interval_seconds(), Some(2 * 3_600));
}

#[test]
fn jitter_of_milliseconds_changes_nothing() {
    let mut jittered = FundingStats::default();
    for (n, jitter) in [4, 18, 0, 11].into_iter().enumerate() {
        let nominal = i64::try_from(n).unwrap() * EIGHT;
        jittered.add(Timestamp::from_nanos(nominal + jitter * 1_000_000), rate("0.0001")).unwrap();
    }
    let plain = stats(&[(0, "0.0001"), (8, "0.0001"), (16, "0.0001"), (24, "0.0001")]);
    assert_eq!(jittered.total(), plain.total());
    assert_eq!(jittered.interval_changes(), plain.interval_changes());
}

#[test]
fn a_hole_is_told_and_adds_no_hours_that_nobody_paid_for() {
    let stats = stats(&[(0, "0.0001"), (4, "0.0001"), (16, "0.0001"), (20, "0.0001")]);
    assert_eq!(stats.holes(), [FundingHole { start: at(4), end: at(16) }]);
    assert_eq!(stats.total().seconds, 4 * 4 * 3_600);
    assert_eq!(stats.intervals().collect::<Vec<_>>(), [(4 * 3_600, 3)]);
}

#[test]
fn a_hole_before_any_interval_takes_the_first_one_seen() {
    let stats = stats(&[(0, "0.0001"), (16, "0.0001"), (20, "0.0001")]);
    assert_eq!(stats.holes().len(), 1);
    assert_eq!(stats.total().seconds, 3 * 4 * 3_600);
    assert_eq!(stats.seven_days(at(20)), Some(*stats.total()));
}

#[test]
fn one_settlement_has_a_mean_but_no_year() {
    let stats = stats(&[(0, "0.0001")]);
    assert_eq!(stats.total().mean(), Some(rate("0.0001")));
    assert_eq!((stats.total().annualised(), stats.interval_seconds()), (None, None));
    assert_eq!(FundingStats::default().total().mean(), None);
    assert_eq!(FundingStats::default().seven_days(at(0)), None);
}

#[test]
fn the_week_ends_at_the_moment_asked_for() {
    let settlements: Vec<_> = (0..60).map(|n| (n * 8, "0.0001")).collect();
    let stats = stats(&settlements);
    let last = 59 * 8;
    let count = |hours| stats.seven_days(at(hours)).map(|totals| totals.settlements);
    assert_eq!(count(last), Some(21), "a settlement one week old is outside");
    assert_eq!(count(last + 7), Some(21));
    assert_eq!(count(last + 8), Some(20));
    assert_eq!(count(last + 200), Some(0));
    assert_eq!(count(last - 1), None, "the past is not kept one by one");
    assert_eq!(stats.year_to_date(at(last - 1)), None);
}

#[test]
fn a_settlement_that_goes_back_is_refused_and_changes_nothing() {
    let mut stats = stats(&[(0, "0.0001"), (8, "0.0002")]);
    let before = *stats.total();
    for hours in [8, 0] {
        let error = stats.add(at(hours), rate("0.5")).unwrap_err();
        assert_eq!(error, FundingOrderError { time: at(hours), last: at(8) });
    }
    assert_eq!(*stats.total(), before);
    stats.add(at(16), rate("0.0001")).unwrap();
}

#[test]
fn years_are_those_of_the_calendar() {
    for (text, year) in [
        ("1969-12-31T23:59:59.999Z", 1969),
        ("2020-02-29T00:00:00.000Z", 2020),
        ("2023-12-31T23:59:59.999Z", 2023),
        ("2024-01-01T00:00:00.000Z", 2024),
        ("2024-02-29T12:00:00.000Z", 2024),
        ("2100-03-01T00:00:00.000Z", 2100),
    ] {
        let day = |time: Timestamp| time.to_string();
        let found = (-1..50_000_i64)
            .map(|n| Timestamp::from_nanos(n * DAY))
            .find(|time| day(*time)[..10] == text[..10])
            .unwrap();
        assert_eq!(utc_year(found), year, "{text}");
    }
}

proptest! {
    #[test]
    fn years_add_up_to_the_plain_sum(
        settlements in proptest::collection::vec((1..5_i64, -75_000_000..75_000_000_i64), 1..400),
    ) {
        let (mut time, mut plain) = (0, Decimal::ZERO);
        let mut stats = FundingStats::default();
        for (steps, mantissa) in settlements {
            time += steps * 2 * HOUR;
            let rate = Decimal::new(mantissa, 10);
            plain += rate;
            stats.add(Timestamp::from_nanos(time), rate).unwrap();
        }
        prop_assert_eq!(stats.total().sum, plain);
        prop_assert_eq!(stats.years().map(|(_, totals)| totals.sum).sum::<Decimal>(), plain);
        let seconds: i64 = stats.years().map(|(_, totals)| totals.seconds).sum();
        prop_assert_eq!(stats.total().seconds, seconds);
    }
}

#[test]
fn a_year_is_covered_from_new_year_or_the_listing_on_without_a_hole() {
    let new_year = Timestamp::from_millis(1_767_225_600_000);
    let every = |hours: usize, from: i64, to: i64| -> Vec<Timestamp> {
        (from..=to).step_by(hours).map(|hour| new_year.plus(hour * HOUR)).collect()
    };
    let as_of = new_year.plus(100 * HOUR);
    assert!(covers_year(&every(8, -16, 96), None, as_of));
    assert!(covers_year(&every(4, 4, 96), None, as_of), "the first may be one interval late");
    assert!(!covers_year(&every(8, 16, 96), None, as_of), "the beginning lacks");
    assert!(!covers_year(&every(8, 0, 88), None, as_of), "the end lacks");
    let mut hole = every(8, 0, 96);
    hole.remove(5);
    assert!(!covers_year(&hole, None, as_of), "the middle lacks");
    let listed = Some(new_year.plus(30 * HOUR));
    assert!(covers_year(&every(8, 40, 96), listed, as_of));
    assert!(!covers_year(&every(8, 64, 96), listed, as_of));
    assert!(!covers_year(&[], None, as_of));
    assert!(covers_year(&[], None, new_year.plus(HOUR)), "nothing was settled yet");
}

#[test]
fn a_year_starts_at_its_first_midnight() {
    for (text, start) in [
        (1_767_225_600_000, 1_767_225_600_000),
        (1_767_225_599_999, 1_735_689_600_000),
        (1_709_164_800_000, 1_704_067_200_000),
        (0, 0),
        (-1, -31_536_000_000),
    ] {
        assert_eq!(start_of_year(Timestamp::from_millis(text)), Timestamp::from_millis(start));
    }
}
