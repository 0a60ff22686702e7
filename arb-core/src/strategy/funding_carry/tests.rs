//! The strategy file of a funding carry: what is read, and what is refused.

use super::*;
use crate::strategy::Registry;

fn text() -> &'static str {
    Registry::builtin_text("funding_carry").unwrap()
}

#[test]
fn the_builtin_file_is_read() {
    let config = FundingCarry::parse("carry.json", text()).unwrap().config().clone();
    assert_eq!((config.horizon_days, config.exit_settlements), (7, 3));
    assert_eq!(config.notional_ratio.to_string(), "0.5");
}

#[test]
fn refuses_what_makes_no_sense_with_file_line_field_and_range() {
    let cases = [
        (
            "\"notional_ratio\": \"0.5\"",
            "\"notional_ratio\": \"1.5\"",
            "carry.json:5: notional_ratio: 1.5 is out of range; above 0 to 1 is allowed",
        ),
        (
            "\"horizon_days\": 7",
            "\"horizon_days\": 0",
            "carry.json:6: horizon_days: 0 is out of range; 1 to 365 is allowed",
        ),
        (
            "\"min_net_apr\": 0.05",
            "\"min_net_apr\": -1",
            "carry.json:7: min_net_apr: -1 is out of range; 0 to 100 is allowed",
        ),
    ];
    for (from, to, expected) in cases {
        let changed = text().replace(from, to);
        assert_ne!(changed, text(), "{from}");
        let error = FundingCarry::parse("carry.json", &changed).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let unknown = text().replace("\"exit_apr\"", "\"exit_aprr\"");
    let error = FundingCarry::parse("carry.json", &unknown).unwrap_err().to_string();
    assert!(error.starts_with("carry.json:8: exit_aprr: unknown field"), "{error}");
}

#[cfg(feature = "schema")]
#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../strategies/funding_carry.schema.json");
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "strategies/funding_carry.schema.json is out of date; write it anew with\n  \
         BLESS=1 cargo test -p arb-core --features schema schema"
    );
}
