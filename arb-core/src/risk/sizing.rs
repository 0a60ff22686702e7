//! Quantity from risk: the strategy says how wrong it may be, risk says how much that costs.

use rust_decimal::Decimal;

use crate::instrument::Instrument;
use crate::num::{Money, Price, Qty, Round};
use crate::risk::{Refusal, Rule};

/// Budget ÷ stop distance, at most `max_notional` ÷ price, floored to the lot.
///
/// # Errors
/// Refused, never rounded up, below one lot or the minimum notional.
pub(crate) fn quantity(
    spec: &Instrument,
    price: Price,
    budget: Money,
    stop_distance: Price,
    max_notional: Money,
) -> Result<Qty, Refusal> {
    let by_risk = divide_down(budget.to_decimal(), stop_distance.to_decimal());
    let by_notional = divide_down(max_notional.to_decimal(), price.to_decimal());
    let wanted = by_risk.min(by_notional).max(Decimal::ZERO);
    let qty = Qty::from_decimal(wanted, Round::Down)
        .and_then(|qty| qty.round_to_lot(spec.lot_size, Round::Down))
        .unwrap_or(Qty::ZERO);
    if qty.is_zero() {
        let limit = spec.lot_size.to_decimal();
        return Err(Refusal::Limit { rule: Rule::Lot, limit, actual: wanted });
    }
    let notional = price.notional(qty).to_money();
    if notional < spec.min_notional {
        let (limit, actual) = (spec.min_notional.to_decimal(), notional.to_decimal());
        return Err(Refusal::Limit { rule: Rule::MinNotional, limit, actual });
    }
    Ok(qty)
}

/// `a ÷ b` never rounded up: 28 digits are cut to 8 decimals toward zero.
fn divide_down(a: Decimal, b: Decimal) -> Decimal {
    let quotient = a.checked_div(b).unwrap_or(Decimal::ZERO);
    quotient.round_dp_with_strategy(8, rust_decimal::RoundingStrategy::ToZero)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn btc() -> Instrument {
        let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
        Instrument::perpetual("BTCUSDT", tick, lot)
    }

    #[test]
    fn floors_the_risk_budget_to_the_lot() {
        // 200 ÷ 321.5 = 0.62208…, floored to 0.622.
        let money = |text: &str| text.parse::<Money>().unwrap();
        let (price, stop) = ("64000".parse().unwrap(), "321.5".parse().unwrap());
        let qty = quantity(&btc(), price, money("200"), stop, money("100000"));
        assert_eq!(qty.unwrap().to_string(), "0.622");
        let refused = quantity(&btc(), price, money("0.3"), stop, money("100000"));
        assert_eq!(refused.unwrap_err().rule(), Rule::Lot);
        let small = quantity(&btc(), "4000".parse().unwrap(), money("0.5"), stop, money("100000"));
        assert_eq!(small.unwrap_err().rule(), Rule::MinNotional);
    }

    proptest! {
        #[test]
        fn never_risks_more_than_the_budget(
            budget in 1..1_000_000_i64, price in 100_i64..10_000_000, stop in 1_i64..100_000,
            cap in 1..10_000_000_i64,
        ) {
            let money = |units| Money::round(Decimal::new(units, 2));
            let price = Price::from_units(price * 10_000_000).unwrap();
            let stop = Price::from_units(stop * 10_000_000).unwrap();
            if let Ok(qty) = quantity(&btc(), price, money(budget), stop, money(cap)) {
                prop_assert!(stop.notional(qty).to_decimal() <= money(budget).to_decimal());
                prop_assert!(price.notional(qty).to_decimal() <= money(cap).to_decimal());
                prop_assert_eq!(qty.units() % 100_000, 0);
            }
        }
    }
}
