//! Claims about request weight: never exceeded, a quarter kept, stops obeyed.

use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn futures() -> Budget {
    Budget::new(Limits::FUTURES)
}

/// Asks until refused and tells how often it was granted, and the refusal.
fn drain(budget: &mut Budget, cost: Cost, priority: Priority, now: i64) -> (u32, Verdict) {
    let mut granted = 0;
    loop {
        match budget.request(cost, priority, at(now)) {
            Verdict::Granted => granted += 1,
            refusal => return (granted, refusal),
        }
    }
}

#[test]
fn market_data_leaves_a_quarter_of_the_weight_to_orders() {
    let mut budget = futures();
    let (pages, refusal) = drain(&mut budget, Cost::AGG_TRADES, Priority::MarketData, 0);
    assert_eq!((pages, refusal), (90, Verdict::Wait(at(63_000))));
    let (orders, _) = drain(&mut budget, Cost::weight(1), Priority::Orders, 0);
    assert_eq!(orders, 600);
    assert_eq!(budget.used(Pool::Weight, at(0)), (2_400, 2_400));
    assert_eq!(budget.used(Pool::Weight, at(62_999)), (2_400, 2_400));
    assert_eq!(budget.used(Pool::Weight, at(63_000)), (0, 2_400));
}

#[test]
fn what_nobody_waits_for_leaves_half_of_the_weight() {
    let mut budget = futures();
    let (pages, refusal) = drain(&mut budget, Cost::AGG_TRADES, Priority::History, 0);
    assert_eq!((pages, refusal), (60, Verdict::Wait(at(63_000))));
    assert_eq!(drain(&mut budget, Cost::AGG_TRADES, Priority::MarketData, 0).0, 30);
}

#[test]
fn statistics_and_funding_have_counts_of_their_own() {
    let mut budget = futures();
    assert_eq!(drain(&mut budget, Cost::FUTURES_DATA, Priority::MarketData, 0).0, 1_000);
    assert_eq!(drain(&mut budget, Cost::FUNDING, Priority::MarketData, 0).0, 500);
    assert_eq!(budget.used(Pool::Weight, at(0)), (500, 2_400));
    assert_eq!(budget.request(Cost::FUNDING, Priority::Orders, at(0)), Verdict::Wait(at(303_000)));
    let mut spot = Budget::new(Limits::SPOT);
    assert_eq!(spot.request(Cost::FUNDING, Priority::Orders, at(0)), Verdict::TooLarge);
}

#[test]
fn a_refused_request_counts_in_no_pool() {
    let mut budget = futures();
    drain(&mut budget, Cost::weight(600), Priority::MarketData, 0);
    assert_ne!(budget.request(Cost::FUNDING, Priority::MarketData, at(0)), Verdict::Granted);
    assert_eq!(budget.used(Pool::Funding, at(0)), (0, 500));
}

#[test]
fn the_venue_wins_when_it_counted_more() {
    let mut budget = futures();
    assert_eq!(budget.request(Cost::weight(100), Priority::MarketData, at(0)), Verdict::Granted);
    budget.used_weight(40, at(10));
    assert_eq!(budget.used(Pool::Weight, at(10)), (100, 2_400));
    budget.used_weight(1_790, at(20_000));
    assert_eq!(budget.used(Pool::Weight, at(20_000)), (1_790, 2_400));
    let page = budget.request(Cost::AGG_TRADES, Priority::MarketData, at(20_000));
    assert_eq!(page, Verdict::Wait(at(63_000)), "the first hundred are over then");
    budget.used_weight(9_999, at(30_000));
    let order = budget.request(Cost::weight(1), Priority::Orders, at(30_000));
    assert_eq!(order, Verdict::Wait(at(93_000)));
}

#[test]
fn a_429_stops_everything_until_the_named_time() {
    for priority in [Priority::Orders, Priority::MarketData] {
        let mut budget = futures();
        budget.limited(RateLimited::TooMany, Some(at(7_000)), at(0));
        assert_eq!(budget.stopped_until(at(6_000)), Some(at(7_000)));
        let verdict = budget.request(Cost::weight(1), priority, at(6_999));
        assert_eq!(verdict, Verdict::Wait(at(7_000)));
        assert_eq!(budget.request(Cost::weight(1), priority, at(7_000)), Verdict::Granted);
    }
}

#[test]
fn stops_without_a_time_double_until_a_success() {
    let mut budget = futures();
    let stop = |budget: &mut Budget, how, now| {
        budget.limited(how, None, at(now));
        budget.stopped_until(at(now)).unwrap().as_millis() - at(now).as_millis()
    };
    assert_eq!(stop(&mut budget, RateLimited::TooMany, 0), 60_000);
    assert_eq!(stop(&mut budget, RateLimited::TooMany, 60_000), 120_000);
    assert_eq!(stop(&mut budget, RateLimited::Banned, 180_000), 480_000);
    budget.used_weight(1, at(700_000));
    assert_eq!(stop(&mut budget, RateLimited::Banned, 700_000), 120_000);
    for round in 1..30 {
        let length = stop(&mut budget, RateLimited::Banned, 700_000 + round * 400_000_000);
        assert!(length <= 3 * 86_400_000);
    }
}

#[test]
fn an_answer_from_before_the_stop_does_not_end_it() {
    let mut budget = futures();
    budget.limited(RateLimited::Banned, Some(at(100_000)), at(0));
    budget.limited(RateLimited::TooMany, Some(at(5_000)), at(1));
    budget.used_weight(3, at(10));
    assert_eq!(budget.stopped_until(at(99_999)), Some(at(100_000)));
}

#[test]
fn limits_come_from_exchange_info() {
    let minute = RateLimit { kind: RateLimitKind::RequestWeight, secs: 60, limit: 1_200 };
    let orders = RateLimit { kind: RateLimitKind::Orders, secs: 60, limit: 5 };
    assert_eq!(Limits::FUTURES.with(&[orders, minute]).weight_per_minute, 1_200);
    assert_eq!(Limits::FUTURES.with(&[orders]), Limits::FUTURES);
}

#[test]
fn costs_follow_the_limit_parameter() {
    assert_eq!(
        [99, 100, 499, 500, 1_000, 1_001].map(|n| Cost::klines(n).weight),
        [1, 2, 2, 5, 5, 10]
    );
    assert_eq!([5, 50, 100, 500, 1_000].map(|n| Cost::depth(n).weight), [2, 2, 5, 10, 20]);
}

#[derive(Clone, Debug)]
enum Step {
    Request(Cost, Priority),
    Answer(u32),
    Limited(RateLimited, Option<i64>),
}

fn step() -> impl Strategy<Value = Step> {
    let cost = prop_oneof![
        4 => (1_u32..700).prop_map(Cost::weight),
        2 => Just(Cost::FUTURES_DATA),
        2 => Just(Cost::FUNDING),
    ];
    let priority = prop_oneof![Just(Priority::Orders), Just(Priority::MarketData)];
    let how = prop_oneof![Just(RateLimited::TooMany), Just(RateLimited::Banned)];
    prop_oneof![
        40 => (cost, priority).prop_map(|(cost, priority)| Step::Request(cost, priority)),
        4 => (0_u32..3_000).prop_map(Step::Answer),
        1 => (how, proptest::option::of(0_i64..90_000)).prop_map(|(how, ms)| Step::Limited(how, ms)),
    ]
}

proptest! {
    #[test]
    fn no_period_of_any_start_exceeds_a_limit(
        steps in proptest::collection::vec((0_i64..4_000, step()), 1..300),
    ) {
        let limits = Limits { weight_per_minute: 2_400, futures_data: 20, funding: 10 };
        let mut budget = Budget::new(limits);
        let (mut now, mut stopped_until) = (0_i64, i64::MIN);
        let mut granted: Vec<(i64, Cost)> = Vec::new();
        for (wait, step) in steps {
            now += wait;
            match step {
                Step::Answer(used) => budget.used_weight(used, at(now)),
                Step::Limited(how, named) => {
                    let named = named.map(|ms| now + ms);
                    budget.limited(how, named.map(at), at(now));
                    stopped_until = stopped_until.max(named.unwrap_or(now + 60_000));
                }
                Step::Request(cost, priority) => match budget.request(cost, priority, at(now)) {
                    Verdict::Granted => {
                        prop_assert!(now >= stopped_until);
                        granted.push((now, cost));
                        let recent = |length: i64| {
                            granted.iter().filter(move |(then, _)| now - then < length)
                        };
                        let weight: u32 = recent(60_000).map(|(_, cost)| cost.weight).sum();
                        let cap = if priority == Priority::Orders { 2_400 } else { 1_800 };
                        prop_assert!(weight <= cap || cost.weight == 0, "{weight} of {cap}");
                        let count = |pool| {
                            recent(300_000).filter(|(_, cost)| cost.pool == Some(pool)).count()
                        };
                        prop_assert!(count(Pool::FuturesData) <= 20);
                        prop_assert!(count(Pool::Funding) <= 10);
                    }
                    Verdict::Wait(until) => {
                        prop_assert!(until > at(now));
                        // Asked then and not before, it is granted unless others came first.
                        let mut later = budget.clone();
                        prop_assert_eq!(later.request(cost, priority, until), Verdict::Granted);
                        let before = until.plus(-1_000_000);
                        prop_assert_ne!(budget.clone().request(cost, priority, before), Verdict::Granted);
                    }
                    Verdict::TooLarge => prop_assert!(cost.weight > 1_800),
                },
            }
        }
    }
}
