//! Quantities of a pair: lots that both markets share, coins that arrive after the fee, dust.
//!
//! Invariant: everything is an integer count of 10⁻⁸ base units; coins are bought up and sold
//! down to the spot step, so a pair never owes more than it holds by rounding.

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use crate::instrument::{Instrument, InstrumentId};
use crate::num::{Money, Price, Qty, Round};

/// A spot market with the coins in one contract of its perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpotOf {
    pub(crate) spot: InstrumentId,
    pub(crate) multiplier: u32,
}

/// Prefixes of contracts that hold many coins, as `1000PEPEUSDT` does.
const MULTIPLIERS: [(&str, u32); 4] =
    [("1000000", 1_000_000), ("10000", 10_000), ("1000", 1_000), ("1M", 1_000_000)];

/// The spot market of each perpetual: of the same symbol, else without its multiplier.
pub(crate) fn spot_markets(instruments: &[&Instrument]) -> Vec<Option<SpotOf>> {
    let spot = |symbol: &str| {
        let at = instruments.iter().position(|other| other.is_spot() && other.symbol == symbol)?;
        Some(InstrumentId(u16::try_from(at).ok()?))
    };
    let pair = |perp: &&Instrument| {
        if perp.is_spot() {
            return None;
        }
        let same = spot(&perp.symbol).map(|spot| SpotOf { spot, multiplier: 1 });
        same.or_else(|| {
            MULTIPLIERS.iter().find_map(|(prefix, multiplier)| {
                let spot = spot(perp.symbol.strip_prefix(prefix)?)?;
                Some(SpotOf { spot, multiplier: *multiplier })
            })
        })
    };
    instruments.iter().map(pair).collect()
}

/// The steps of both markets and what they have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lots {
    pub(crate) multiplier: u32,
    perp_lot: Qty,
    spot_lot: Qty,
    /// Smallest quantity in base units that both markets can trade.
    common: u64,
    spot_fee: Decimal,
    /// Smallest notional of a spot order.
    pub(crate) min_notional: Money,
}

impl Lots {
    /// None where the steps have no common multiple in range.
    pub(crate) fn new(
        perp: &Instrument,
        spot: &Instrument,
        multiplier: u32,
        spot_fee: Decimal,
    ) -> Option<Self> {
        let contract = perp.lot_size.units().checked_mul(i64::from(multiplier))?.unsigned_abs();
        let step = spot.lot_size.units().unsigned_abs();
        if contract == 0 || step == 0 {
            return None;
        }
        Some(Self {
            multiplier,
            perp_lot: perp.lot_size,
            spot_lot: spot.lot_size,
            common: (contract / gcd(contract, step)).checked_mul(step)?,
            spot_fee,
            min_notional: spot.min_notional,
        })
    }

    /// Coins behind a number of contracts, 10⁻⁸.
    pub(crate) fn base(&self, contracts: Qty) -> i64 {
        contracts.units().saturating_mul(i64::from(self.multiplier))
    }

    /// Coins held minus coins owed, 10⁻⁸.
    pub(crate) fn delta(&self, spot: Qty, perp: Qty) -> i64 {
        spot.units().saturating_sub(self.base(perp))
    }

    /// Legs closer than this are together.
    pub(crate) const fn tolerance(&self) -> u64 {
        self.common
    }

    /// The common lot in contracts.
    pub(crate) fn common_contracts(&self) -> Qty {
        let units = self.common / u64::from(self.multiplier.max(1));
        i64::try_from(units).ok().and_then(|units| Qty::from_units(units).ok()).unwrap_or_default()
    }

    /// `notional` in contracts, whole common lots, rounded down.
    pub(crate) fn contracts_for(&self, notional: Money, price: Price) -> Qty {
        let wanted = notional.to_decimal().checked_div(price.to_decimal()).unwrap_or_default();
        Qty::from_decimal(wanted.max(Decimal::ZERO), Round::Down)
            .and_then(|qty| qty.round_to_lot(self.common_contracts(), Round::Down))
            .unwrap_or_default()
    }

    /// Contracts behind a number of coins.
    pub(crate) fn contracts(&self, coins: Qty, round: Round) -> Qty {
        let exact = coins.to_decimal() / Decimal::from(self.multiplier.max(1));
        Qty::from_decimal(exact, round)
            .and_then(|qty| qty.round_to_lot(self.perp_lot, round))
            .unwrap_or_default()
    }

    /// The next slice of `left` contracts: whole common lots worth at most `most`, at least one.
    pub(crate) fn slice(&self, left: Qty, price: Price, most: Money) -> Option<Qty> {
        let lot = self.common_contracts();
        let fits = self.contracts_for(most, price).max(lot);
        let slice = left.min(fits).round_to_lot(lot, Round::Down).ok()?;
        (!slice.is_zero()).then_some(slice)
    }

    /// What must be bought so that `coins` arrive after the fee, rounded up to the spot step.
    pub(crate) fn spot_to_buy(&self, coins: Qty) -> Option<Qty> {
        // The venue may round its fee up by one unit.
        let needed = coins.checked_add(Qty::from_units(1).ok()?).ok()?.to_decimal();
        let gross = if self.spot_fee.is_zero() {
            coins.to_decimal()
        } else {
            needed.checked_div(Decimal::ONE - self.spot_fee)?
        };
        Qty::from_decimal(gross, Round::Up).ok()?.round_to_lot(self.spot_lot, Round::Up).ok()
    }

    /// The part of `coins` that an order may sell; the rest is dust.
    pub(crate) fn sellable(&self, coins: Qty) -> Qty {
        coins.round_to_lot(self.spot_lot, Round::Down).unwrap_or_default()
    }

    /// Whether the venue takes an order to sell `coins`.
    pub(crate) fn can_sell(&self, coins: Qty, bid: Price) -> bool {
        let qty = self.sellable(coins);
        !qty.is_zero() && bid.notional(qty).to_money() >= self.min_notional
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lots(perp_lot: &str, spot_lot: &str, multiplier: u32, fee: (i64, u32)) -> Lots {
        let tick = "0.0001".parse().unwrap();
        let perp = Instrument::perpetual("XUSDT", tick, perp_lot.parse().unwrap());
        let spot = Instrument::spot("XUSDT", tick, spot_lot.parse().unwrap());
        Lots::new(&perp, &spot, multiplier, Decimal::new(fee.0, fee.1)).unwrap()
    }

    #[test]
    fn the_common_lot_fits_both_markets() {
        assert_eq!(lots("0.001", "0.00001", 1, (1, 3)).common, 100_000);
        // 3 contracts of 1000 coins are 3,000; the spot step of 2,000 fits 6,000 first.
        assert_eq!(lots("3", "2000", 1_000, (1, 3)).common, 600_000_000_000);
        assert_eq!(lots("3", "2000", 1_000, (1, 3)).common_contracts().to_string(), "6");
    }

    #[test]
    fn a_perpetual_finds_its_spot_market_with_or_without_a_multiplier() {
        let tick = "0.0001".parse().unwrap();
        let lot = "1".parse().unwrap();
        let [pepe, sats] =
            ["1000PEPEUSDT", "1000SATSUSDT"].map(|symbol| Instrument::perpetual(symbol, tick, lot));
        let [coin, same] =
            ["PEPEUSDT", "1000SATSUSDT"].map(|symbol| Instrument::spot(symbol, tick, lot));
        let found = spot_markets(&[&pepe, &sats, &coin, &same]);
        let of = |spot, multiplier| Some(SpotOf { spot: InstrumentId(spot), multiplier });
        assert_eq!(found, [of(2, 1_000), of(3, 1), None, None]);
        let ten = Instrument::perpetual("10000LADYSUSDT", tick, lot);
        let coin = Instrument::spot("LADYSUSDT", tick, lot);
        let found = spot_markets(&[&ten, &coin]);
        assert_eq!(found, [Some(SpotOf { spot: InstrumentId(1), multiplier: 10_000 }), None]);
    }

    proptest! {
        #[test]
        fn what_is_bought_covers_the_short_after_the_fee_by_less_than_two_steps(
            contracts in 1..1_000_000_i64, fee in 0..50_i64, spot_step in 1..1_000_i64,
        ) {
            let step = Qty::from_units(spot_step).unwrap().to_string();
            let lots = lots("0.001", &step, 1, (fee, 4));
            let coins = Qty::from_units(contracts * 100_000).unwrap();
            let bought = lots.spot_to_buy(coins).unwrap();
            let kept = bought.to_decimal() * lots.spot_fee;
            let kept = Qty::from_decimal(kept, Round::Up).unwrap();
            let arrived = bought.saturating_sub(kept);
            prop_assert!(arrived >= coins, "{arrived} for {coins}");
            prop_assert!(arrived.units() - coins.units() <= 2 * spot_step + 2);
        }
    }
}
