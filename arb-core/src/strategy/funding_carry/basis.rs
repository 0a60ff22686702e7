//! The tradable basis of a pair, now and over the last seven days.

use std::collections::VecDeque;

use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

use super::BASIS_WINDOW;
use crate::market::MarketState;
use crate::time::{HOUR, Timestamp};

/// Perpetual over spot, minus one, at both pairs of sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    /// Selling the perpetual and buying coins: its bid over the ask.
    pub(super) at_entry: f64,
    /// Buying it back and selling coins: its ask over the bid.
    pub(super) at_exit: f64,
}

/// None where a market has no price yet.
pub(super) fn quotes(
    perp: &MarketState,
    spot: &MarketState,
    multiplier: u32,
    now: Timestamp,
) -> Option<Quotes> {
    let price = |price: Option<crate::num::Price>| price?.to_decimal().to_f64();
    let coins = f64::from(multiplier);
    let entry = price(perp.bid(now))? / (price(spot.ask(now))? * coins) - 1.0;
    let exit = price(perp.ask(now))? / (price(spot.bid(now))? * coins) - 1.0;
    Some(Quotes { at_entry: entry, at_exit: exit })
}

/// One sample an hour, seven days of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct BasisHistory {
    #[serde(with = "bits")]
    samples: VecDeque<(Timestamp, f64)>,
}

impl BasisHistory {
    /// Takes the first value of each hour.
    pub(super) fn add(&mut self, now: Timestamp, basis: f64) {
        let hour = now.floor_to(HOUR);
        if self.samples.back().is_none_or(|(last, _)| *last < hour) {
            self.samples.push_back((hour, basis));
        }
        let oldest = now.plus(-BASIS_WINDOW);
        while self.samples.front().is_some_and(|(at, _)| *at < oldest) {
            self.samples.pop_front();
        }
    }

    /// Hours on record.
    pub(super) fn hours(&self) -> u32 {
        u32::try_from(self.samples.len()).unwrap_or(u32::MAX)
    }

    /// The median; of an even count the lower of the two in the middle.
    pub(super) fn median(&self, now: Timestamp) -> Option<f64> {
        let oldest = now.plus(-BASIS_WINDOW);
        let recent = self.samples.iter().filter(|(at, _)| *at >= oldest);
        let mut values: Vec<f64> = recent.map(|(_, basis)| *basis).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len().checked_sub(1)? / 2).copied()
    }
}

/// Floats by their bits, because a text may read back as a neighbour.
mod bits {
    use std::collections::VecDeque;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        samples: &VecDeque<(Timestamp, f64)>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        let bits: Vec<(Timestamp, u64)> =
            samples.iter().map(|(at, basis)| (*at, basis.to_bits())).collect();
        bits.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<VecDeque<(Timestamp, f64)>, D::Error> {
        let bits = Vec::<(Timestamp, u64)>::deserialize(d)?;
        Ok(bits.into_iter().map(|(at, bits)| (at, f64::from_bits(bits))).collect())
    }
}
