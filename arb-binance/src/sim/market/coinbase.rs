//! Coinbase's prices of the same coins, in USD.
//!
//! Invariant: functions of time. A product is worth the coin's index times what a USDT costs in
//! USD, with a premium of its own of some basis points.

use super::asset::{AssetCursor, times};
use super::noise::{Noise, ONE, bits, key_of, mix};
use super::{Market, SimMarket};

/// A product of Coinbase, such as `BTC-USD`.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) name: String,
    /// The spot line whose index it follows; none for USDT itself.
    line: Option<usize>,
    premium: Noise,
    tether: Noise,
    tick: i64,
    pub(crate) decimals: u32,
    key: u64,
}

/// A product's prices at a time, 10⁻⁸.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) bid: i64,
    pub(crate) ask: i64,
    pub(crate) bid_qty: i64,
    pub(crate) ask_qty: i64,
    /// Whether the last taker sold.
    pub(crate) sold: bool,
}

impl Product {
    /// Every spot pair against USDT, and USDT itself.
    pub(super) fn of(market: &SimMarket) -> Vec<Self> {
        let seed = market.seed();
        let product = |name: String, line: Option<usize>, decimals: u32| {
            let key = key_of(seed, &name);
            Self {
                premium: Noise::new(mix(key, 1), 5..=17, ONE / 150_000),
                tether: Noise::new(mix(seed, 77), 8..=20, ONE / 400_000),
                tick: 10_i64.pow(8 - decimals),
                line,
                decimals,
                key,
                name,
            }
        };
        let pairs = market.lines().iter().enumerate();
        let pairs = pairs.filter(|(_, line)| line.market == Market::Spot && line.quote == "USDT");
        let coins = pairs.map(|(place, line)| {
            let decimals = super::tape::decimals_of(line.tick).min(6);
            product(format!("{}-USD", line.base), Some(place), decimals)
        });
        coins.chain([product("USDT-USD".to_owned(), None, 5)]).collect()
    }

    pub(crate) fn quote(&self, market: &SimMarket, at: i64) -> Quote {
        let second = at.div_euclid(1_000);
        let usdt = times(100_000_000, ONE + self.tether.at(second));
        let middle = match self.line.and_then(|place| market.line(place)) {
            None => usdt,
            Some(line) => {
                let mut cursor = AssetCursor::default();
                let (bid, ask) = line.best(&mut cursor, at);
                let dollars = i128::from(bid / 2 + ask / 2) * i128::from(usdt) / 100_000_000;
                let dollars = i64::try_from(dollars).unwrap_or(i64::MAX);
                times(dollars, ONE + self.premium.at(second))
            }
        };
        let bid = (middle - middle.rem_euclid(self.tick)).max(self.tick);
        let hash = mix(self.key, at);
        let qty = |from| (bits(hash, from, 20) + 1) * 100;
        let (bid_qty, ask_qty) = (qty(0), qty(20));
        Quote { bid, ask: bid + self.tick, bid_qty, ask_qty, sold: bits(hash, 40, 1) == 0 }
    }
}
