//! What a file must not say, and how it is told.

use super::*;
use crate::strategy::Registry;

const V51: &str = include_str!("../../../../../strategies/v51_baseline.json");

/// The error of the v51 file with one text replaced.
fn refused(from: &str, to: &str) -> String {
    assert_eq!(V51.matches(from).count(), 1, "{from} is not unique");
    Registry::builtin().build("my.json", &V51.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn an_unknown_field_is_told_with_the_known_ones() {
    assert_eq!(
        refused("\"crowding\": 20,", "\"crowdin\": 20,"),
        "my.json:8: weights.crowdin: unknown field `crowdin`, expected one of `direction`, \
         `acceleration`, `crowding`, `funding`, `environment`, `confirmation`, `liquidation`, \
         `auxiliary`"
    );
}

#[test]
fn a_missing_field_is_told_at_the_end_of_its_object() {
    let expected = "my.json:13: weights.crowding: missing field `crowding`";
    assert_eq!(refused("    \"crowding\": 20,\n", ""), expected);
    let expected = "my.json:61: gates.max_atr_percentile: missing field `max_atr_percentile`";
    assert_eq!(refused("    \"max_atr_percentile\": null,\n", "\n"), expected);
    let expected = "my.json:71: threshold: missing field `threshold`";
    assert_eq!(refused("  \"threshold\": 75,\n", ""), expected);
}

#[test]
fn a_wrong_type_is_told_with_the_right_one() {
    assert_eq!(
        refused("\"threshold\": 75", "\"threshold\": \"75\""),
        "my.json:15: threshold: is the text \"75\"; a number, 0 to 100, is needed"
    );
    assert_eq!(
        refused("\"timeout_minutes\": 60", "\"timeout_minutes\": 60.5"),
        "my.json:70: exits.timeout_minutes: is the number 60.5; \
         a whole number, 1 to 100000, is needed"
    );
    assert_eq!(
        refused("\"heavy_multiplier\": \"1.5\"", "\"heavy_multiplier\": \"big\""),
        "my.json:22: tiers.heavy_multiplier: \"big\" is no decimal number: Invalid decimal: \
         unknown character"
    );
    assert_eq!(
        refused("\"symbols\": \"all\"", "\"symbols\": \"some\""),
        "my.json:4: symbols: \"all\" or a list of symbols is needed"
    );
}

#[test]
fn numbers_out_of_range_are_told_with_the_range() {
    for (from, to, expected) in [
        (
            "\"funding\": 0,",
            "\"funding\": -1,",
            "my.json:9: weights.funding: is -1; 0 to 110 is allowed",
        ),
        (
            "\"direction\": 45",
            "\"direction\": 39",
            "my.json:5: weights: sum to 99; 100 to 110 is allowed",
        ),
        (
            "\"threshold\": 75",
            "\"threshold\": 59",
            "my.json:19: tiers.light_from: is 60; 0 to 59 is allowed",
        ),
        (
            "\"light_from\": 60",
            "\"light_from\": 90",
            "my.json:19: tiers.light_from: is 90; 0 to 75 is allowed",
        ),
        (
            "\"heavy_from\": 85",
            "\"heavy_from\": 74",
            "my.json:20: tiers.heavy_from: is 74; 75 to 100 is allowed",
        ),
        (
            "\"flip_threshold\": 85",
            "\"flip_threshold\": 101",
            "my.json:16: flip_threshold: is 101; 75 to 100 is allowed",
        ),
        (
            "\"standard_multiplier\": \"1\"",
            "\"standard_multiplier\": 0",
            "my.json:21: tiers.standard_multiplier: is 0; above 0 to 10 is allowed",
        ),
        (
            "\"long_short_none\": 2.0",
            "\"long_short_none\": 0.8",
            "my.json:30: crowding.long_short_none: is 0.8; above 0.8 to 100 is allowed",
        ),
        (
            "\"by_symbol\": {}",
            "\"by_symbol\": {\n\"BTCUSDT\":\n0}",
            "my.json:41: environment.by_symbol.BTCUSDT: is 0; above 0 to 10 is allowed",
        ),
        (
            "\"min_atr_percentile\": null",
            "\"min_atr_percentile\": 101",
            "my.json:57: gates.min_atr_percentile: is 101; 0 to 100 is allowed",
        ),
        (
            "\"stop_atr\": 2.0",
            "\"stop_atr\": 0",
            "my.json:64: exits.stop_atr: is 0; above 0 to 100 is allowed",
        ),
        (
            "\"timeout_minutes\": 60",
            "\"timeout_minutes\": 0",
            "my.json:70: exits.timeout_minutes: is 0; 1 to 100000 is allowed",
        ),
        (
            "\"symbols\": \"all\"",
            "\"symbols\": []",
            "my.json:4: symbols: is empty; \"all\" or a list of symbols is allowed",
        ),
    ] {
        assert_eq!(refused(from, to), expected);
    }
}

#[test]
fn numbers_may_be_written_in_both_ways() {
    let text = V51.replace("\"1.5\"", "1.5").replace("\"all\"", "[\"BTCUSDT\"]");
    let strategy = LayeredScore::parse("my.json", &text).unwrap();
    assert_eq!(strategy.config.tiers.heavy_multiplier, Decimal::new(15, 1));
    assert!(strategy.config.symbols.contains("BTCUSDT"));
    assert!(!strategy.config.symbols.contains("ETHUSDT"));
}

#[cfg(feature = "schema")]
#[test]
fn every_number_of_the_schema_has_its_range() {
    fn count(node: &serde_json::Value, ranged: &mut usize) {
        let is = |kind: &str| match &node["type"] {
            serde_json::Value::Array(kinds) => kinds.iter().any(|known| known == kind),
            other => other == kind,
        };
        if is("number") || is("integer") {
            let low = !node["minimum"].is_null() || !node["exclusiveMinimum"].is_null();
            assert!(low && !node["maximum"].is_null(), "{node}");
            *ranged += 1;
        }
        let parts = node.as_object().map(|map| map.values().collect::<Vec<_>>());
        let items = node.as_array().map(|list| list.iter().collect());
        parts.or(items).unwrap_or_default().into_iter().for_each(|part| count(part, ranged));
    }
    let mut schema = schema();
    // A size may be text or a number; its range stands where it is used.
    schema["$defs"].as_object_mut().unwrap().remove("DecimalText");
    let mut ranged = 0;
    count(&schema, &mut ranged);
    assert_eq!(ranged, super::super::range::ALLOWED.len() - 2);
    let size = &schema["$defs"]["Tiers"]["properties"]["heavy_multiplier"];
    assert_eq!((&size["exclusiveMinimum"], &size["maximum"]), (&0.into(), &10.into()));
}

#[cfg(feature = "schema")]
#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../strategies/layered_score.schema.json");
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "strategies/layered_score.schema.json is out of date; write it anew with\n  \
         BLESS=1 cargo test -p arb-core --features schema schema"
    );
}
