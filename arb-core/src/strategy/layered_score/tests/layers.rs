//! Every row of the score table, at its bounds and with absent inputs.

use super::*;

/// A LONG with everything in its favour and no market input.
fn flow() -> ScoreInput {
    ScoreInput {
        cvd_30m: 12.0,
        cvd_4h: 30.0,
        large_flow_15m: Some(4.0),
        cvd_accel: Some(0.1),
        last_price: 101.0,
        vwap_30m: Some(100.0),
        open_interest_rise: 0.03,
        ..ScoreInput::default()
    }
}

/// The same seen from the other side.
fn mirrored(input: ScoreInput) -> ScoreInput {
    ScoreInput {
        cvd_30m: -input.cvd_30m,
        cvd_4h: -input.cvd_4h,
        large_flow_15m: input.large_flow_15m.map(|flow| -flow),
        cvd_accel: input.cvd_accel.map(|accel| -accel),
        last_price: 200.0 - input.last_price,
        ..input
    }
}

fn factors_of(strategy: &LayeredScore, direction: Direction, input: ScoreInput) -> Factors {
    let input = if direction == Direction::Short { mirrored(input) } else { input };
    score::factors(&strategy.config, direction, &input)
}

/// Points of one layer; the flow is given as for a LONG and mirrored for a SHORT.
fn points(name: &str, direction: Direction, input: ScoreInput) -> f64 {
    let factors = factors_of(&v52(), direction, input);
    factors.iter().find(|factor| factor.name == name).unwrap().score
}

const BOTH: [Direction; 2] = [Direction::Long, Direction::Short];

#[track_caller]
fn near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
}

#[test]
fn direction_gives_three_equal_parts() {
    for direction in BOTH {
        let with_large = |large_flow_15m| ScoreInput { large_flow_15m, ..flow() };
        let given = |input| points("direction", direction, input);
        assert_eq!(given(with_large(Some(4.0))).to_bits(), 40.0_f64.to_bits());
        near(given(with_large(Some(0.0))), 40.0 * 2.5 / 3.0);
        near(given(with_large(None)), 40.0 * 2.5 / 3.0);
        near(given(with_large(Some(-4.0))), 40.0 * 2.0 / 3.0);
        near(given(ScoreInput { cvd_4h: -1.0, ..flow() }), 40.0 * 2.0 / 3.0);
        near(given(ScoreInput { cvd_4h: 0.0, ..flow() }), 40.0 * 2.0 / 3.0);
    }
}

#[test]
fn acceleration_counts_only_with_the_candidate() {
    for direction in BOTH {
        let given =
            |cvd_accel| points("accel_bonus", direction, ScoreInput { cvd_accel, ..flow() });
        near(given(Some(0.1)), 5.0);
        near(given(Some(0.0)), 0.0);
        near(given(Some(-0.1)), 0.0);
        near(given(None), 0.0);
    }
}

#[test]
fn crowding_is_contrarian_to_accounts_and_with_top_traders() {
    let given = |direction, long_short_ratio, top_trader_ratio| {
        let input = ScoreInput { long_short_ratio, top_trader_ratio, ..flow() };
        points("crowding", direction, input)
    };
    for (accounts, long) in [(0.5, 10.0), (0.8, 10.0), (1.4, 5.0), (2.0, 0.0), (3.0, 0.0)] {
        near(given(Direction::Long, Some(accounts), None), 5.0 + long);
        near(given(Direction::Short, Some(accounts), None), 5.0 + 10.0 - long);
    }
    for (top, long) in [(2.0, 10.0), (1.5, 10.0), (1.15, 5.0), (0.8, 0.0), (0.1, 0.0)] {
        near(given(Direction::Long, None, Some(top)), 5.0 + long);
        near(given(Direction::Short, None, Some(top)), 5.0 + 10.0 - long);
    }
    near(given(Direction::Long, None, None), 10.0);
}

#[test]
fn funding_rewards_only_who_is_paid() {
    let given = |direction, rate, max_excess| {
        let input =
            ScoreInput { funding_rate_8h: rate, max_funding_excess: Some(max_excess), ..flow() };
        points("funding_rate", direction, input)
    };
    for (sign, paid, pays) in
        [(-1.0, Direction::Long, Direction::Short), (1.0, Direction::Short, Direction::Long)]
    {
        near(given(paid, Some(sign * 0.0003), 0.0004), 2.5);
        near(given(paid, Some(sign * 0.0005), 0.0004), 5.0);
        near(given(paid, Some(sign * 0.0100), 0.0004), 5.0);
        near(given(paid, Some(sign * 0.0001), 0.0004), 0.0);
        near(given(paid, Some(sign * 0.00005), 0.0004), 0.0);
        near(given(pays, Some(sign * 0.0100), 0.0004), 0.0);
    }
    near(given(Direction::Long, Some(0.0), 0.0001), 0.0);
    near(given(Direction::Long, None, 0.0001), 0.0);
}

#[test]
fn environment_steps_at_zero_and_at_the_rise() {
    for direction in BOTH {
        let given = |open_interest_change| {
            points("environment", direction, ScoreInput { open_interest_change, ..flow() })
        };
        for (change, expected) in
            [(0.05, 15.0), (0.03, 15.0), (0.0299, 10.0), (0.0, 10.0), (-1e-9, 5.0), (-0.5, 5.0)]
        {
            assert_eq!(given(Some(change)).to_bits(), f64::to_bits(expected), "{change}");
        }
        near(given(None), 7.5);
    }
}

#[test]
fn confirmation_is_all_or_nothing() {
    for direction in BOTH {
        let given = |input| points("confirmation", direction, input);
        near(given(flow()), 15.0);
        near(given(ScoreInput { cvd_4h: 0.0, ..flow() }), 0.0);
        near(given(ScoreInput { last_price: 100.0, ..flow() }), 0.0);
        near(given(ScoreInput { last_price: 99.0, ..flow() }), 0.0);
        near(given(ScoreInput { vwap_30m: None, ..flow() }), 0.0);
    }
}

#[test]
fn liquidations_of_the_other_side_count() {
    let given = |direction, liquidations, quote_volume_24h| {
        let input = ScoreInput { liquidations, quote_volume_24h, ..flow() };
        points("liquidation", direction, input)
    };
    for (own, opposite, volume, expected) in [
        (50_000.0, 100_000.0, None, 5.0),
        (50_001.0, 100_000.0, None, 0.0),
        (0.0, 99_999.0, None, 0.0),
        (0.0, 150_000.0, Some(300e6), 5.0),
        (0.0, 149_999.0, Some(300e6), 0.0),
        (0.0, 100_000.0, Some(10e6), 5.0),
        (0.0, 0.0, None, 0.0),
    ] {
        near(given(Direction::Long, Some((own, opposite)), volume), expected);
        near(given(Direction::Short, Some((opposite, own)), volume), expected);
    }
    near(given(Direction::Long, None, None), 0.0);
}

#[test]
fn premium_counts_beyond_its_bound() {
    for (premium, long) in
        [(0.00051, 5.0), (0.0005, 2.0), (0.0, 2.0), (-0.0005, 2.0), (-0.00051, 0.0)]
    {
        let input = |premium| ScoreInput { coinbase_premium: Some(premium), ..flow() };
        near(points("auxiliary", Direction::Long, input(premium)), long);
        near(points("auxiliary", Direction::Short, input(-premium)), long);
    }
    near(points("auxiliary", Direction::Long, flow()), 2.0);
}

#[test]
fn the_score_is_capped_at_100() {
    let best = |strategy: &LayeredScore| {
        let input = ScoreInput::extreme(&strategy.config, End::Best, &InputName::ALL);
        let factors = score::factors(&strategy.config, Direction::Long, &input);
        (factors.total().to_bits(), total(&factors).to_bits())
    };
    assert_eq!(best(&v51()), (105.0_f64.to_bits(), 100.0_f64.to_bits()));
    assert_eq!(best(&v52()), (110.0_f64.to_bits(), 100.0_f64.to_bits()));
}

#[test]
fn without_inputs_v51_reaches_84_5_and_v52_79_5() {
    let none = |strategy: &LayeredScore| {
        let all = total(&factors_of(strategy, Direction::Short, flow()));
        let range = strategy.score_range(&[]);
        assert_eq!(all.to_bits(), range.max.to_bits());
        (range.max, range.reachable, range.inputs_present)
    };
    assert_eq!(none(&v51()), (84.5, Some(Tier::Standard), 0.0));
    assert_eq!(none(&v52()), (79.5, Some(Tier::Standard), 0.0));
}

#[test]
fn the_range_widens_with_the_inputs() {
    let all = v52().score_range(&InputName::ALL);
    assert_eq!((all.max, all.reachable, all.inputs_present), (100.0, Some(Tier::Heavy), 1.0));
    near(all.min, 40.0 * 2.0 / 3.0 + 5.0);
    let none = v52().score_range(&[]);
    near(none.min, 40.0 * 2.0 / 3.0 + 10.0 + 7.5 + 2.0);
    let one = v51().score_range(&[InputName::OpenInterest]);
    near(one.max, 92.0);
    near(one.inputs_present, 15.0 / 40.0);
}

#[test]
fn a_bound_belongs_to_the_higher_tier() {
    let strategy = v51();
    for (score, tier) in [
        (59.999_999, None),
        (60.0, Some(Tier::Light)),
        (74.999_999, Some(Tier::Light)),
        (75.0, Some(Tier::Standard)),
        (84.999_999, Some(Tier::Standard)),
        (85.0, Some(Tier::Heavy)),
        (100.0, Some(Tier::Heavy)),
    ] {
        assert_eq!(strategy.tier(score), tier, "{score}");
    }
}

#[test]
fn every_decision_names_the_same_eight_layers() {
    for strategy in [v51(), v52()] {
        let json = serde_json::to_value(factors_of(&strategy, Direction::Long, flow())).unwrap();
        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "direction",
            "crowding",
            "environment",
            "confirmation",
            "auxiliary",
            "accel_bonus",
            "funding_rate",
            "liquidation",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected);
        let layer = json.get("crowding").unwrap();
        let expected = serde_json::json!({
            "score": 10.0,
            "max": 20.0,
            "inputs": { "long_short_ratio": null, "top_trader_ratio": null },
            "note": "both ratios absent",
        });
        assert_eq!(layer, &expected);
    }
}

proptest::proptest! {
    #[test]
    fn points_stay_between_zero_and_the_weight(
        flow in proptest::array::uniform4(-1e9..1e9_f64),
        price in (1e-8..1e9_f64, 1e-8..1e9_f64),
        inputs in proptest::array::uniform6(proptest::option::of(-10.0..10.0_f64)),
        liquidations in proptest::option::of((0.0..1e9_f64, 0.0..1e9_f64)),
    ) {
        let input = ScoreInput {
            cvd_30m: flow[0],
            cvd_4h: flow[1],
            large_flow_15m: Some(flow[2]),
            cvd_accel: Some(flow[3]),
            last_price: price.0,
            vwap_30m: Some(price.1),
            long_short_ratio: inputs[0],
            top_trader_ratio: inputs[1],
            funding_rate_8h: inputs[2],
            max_funding_excess: inputs[3].map(|excess| excess.abs() + 0.0001),
            open_interest_change: inputs[4],
            open_interest_rise: 0.03,
            liquidations,
            quote_volume_24h: None,
            coinbase_premium: inputs[5],
        };
        for direction in BOTH {
            for factor in score::factors(&v52().config, direction, &input).iter() {
                proptest::prop_assert!((0.0..=factor.max).contains(&factor.score), "{factor:?}");
            }
        }
    }
}
