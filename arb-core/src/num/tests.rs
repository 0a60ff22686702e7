//! Numbers: parsing, rounding, products, and what is refused.

use proptest::prelude::*;

use super::*;

#[test]
fn parses_exactly_and_names_what_is_wrong() {
    let cases: [(&str, Result<i64, NumError>); 14] = [
        ("1", Ok(100_000_000)),
        ("0.00000001", Ok(1)),
        ("28140.50", Ok(2_814_050_000_000)),
        ("76643.1910000000000000", Ok(7_664_319_100_000)),
        ("00001.10", Ok(110_000_000)),
        ("", Err(NumError::Empty)),
        ("-1", Err(NumError::Negative)),
        ("1.", Err(NumError::Malformed)),
        (".5", Err(NumError::Malformed)),
        ("1e3", Err(NumError::Malformed)),
        ("1.2.3", Err(NumError::Malformed)),
        ("0.123456789", Err(NumError::TooManyDecimals)),
        ("99999999999999999999", Err(NumError::OutOfRange)),
        ("999999999999999999", Err(NumError::OutOfRange)),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_units(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn money_rounds_half_to_even() {
    let at = |units| Notional::from_units(units).to_money().to_string();
    assert_eq!(at(50_000_000), "0");
    assert_eq!(at(150_000_000), "0.00000002");
    assert_eq!(at(-50_000_000), "0");
    assert_eq!(at(50_000_001), "0.00000001");
}

#[test]
fn json_carries_text_and_binary_carries_units() {
    let price = Price::parse(b"61800.30").unwrap();
    assert_eq!(serde_json::to_string(&price).unwrap(), "\"61800.3\"");
    assert_eq!(serde_json::from_str::<Price>("\"61800.30\"").unwrap(), price);
    assert_eq!(serde_json::from_str::<Money>("0.02").unwrap().to_string(), "0.02");
}

proptest! {
    #[test]
    fn text_round_trips(units in 0..=MAX) {
        let qty = Qty::from_units(units).unwrap();
        prop_assert_eq!(qty.to_string().parse::<Qty>().unwrap(), qty);
    }

    #[test]
    fn rounding_brackets_the_value(units in 1..MAX / 2, step in 1..1_000_000_000_i64) {
        let (price, tick) = (Price(units), Price(step));
        if let Ok(down) = price.round_to_tick(tick, Round::Down) {
            prop_assert!(down <= price && price.units() - down.units() < step);
        }
        let up = price.round_to_tick(tick, Round::Up).unwrap();
        prop_assert!(up >= price && up.units() - price.units() < step);
        prop_assert_eq!(up.units() % step, 0);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse_units(&bytes);
    }
}
