//! Recorded trades of one market, served as they are.
//!
//! Invariant: never empty; ids and times ascend. A hole in the ids stays a hole.

use arb_core::{Side, Trade};

use super::flow::Print;

/// Recorded aggregate trades.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    first: Print,
    last: Print,
    prints: Vec<Print>,
}

impl Tape {
    /// None without a trade. A trade that goes back in id or time is left out.
    pub(crate) fn new(prints: impl IntoIterator<Item = Print>) -> Option<Self> {
        let mut kept: Vec<Print> = Vec::new();
        for print in prints {
            let follows = |last: &Print| last.id < print.id && last.at <= print.at;
            if print.qty > 0 && kept.last().is_none_or(follows) {
                kept.push(print);
            }
        }
        Some(Self { first: *kept.first()?, last: *kept.last()?, prints: kept })
    }

    pub(crate) const fn first(&self) -> Print {
        self.first
    }

    pub(crate) const fn last(&self) -> Print {
        self.last
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Print> {
        self.prints.get(at)
    }

    /// The place of the first trade at this time or later.
    pub(crate) fn place_at(&self, at: i64) -> usize {
        self.prints.partition_point(|print| print.at < at)
    }

    /// The place of the first trade with this id or a higher one.
    pub(crate) fn place_of(&self, id: u64) -> usize {
        self.prints.partition_point(|print| print.id < id)
    }

    /// The last trade at this time or before; the first one before any.
    pub(crate) fn last_at(&self, at: i64) -> Print {
        let after = self.prints.partition_point(|print| print.at <= at);
        after.checked_sub(1).and_then(|place| self.prints.get(place)).copied().unwrap_or(self.first)
    }

    /// Its price.
    pub(crate) fn price_at(&self, at: i64) -> i64 {
        self.last_at(at).price
    }

    /// The fewest decimals with which prices and quantities can be written, by their units.
    pub(crate) fn decimals(&self) -> (u32, u32) {
        let needed = |value: fn(&Print) -> i64| {
            self.prints.iter().map(|print| decimals_of(value(print))).max().unwrap_or_default()
        };
        (needed(|print| print.price), needed(|print| print.qty))
    }
}

/// The decimals of a number of 10⁻⁸ without trailing zeros.
pub(crate) fn decimals_of(units: i64) -> u32 {
    let (mut units, mut decimals) = (units, 8);
    while decimals > 0 && units % 10 == 0 {
        units /= 10;
        decimals -= 1;
    }
    decimals
}

impl From<Trade> for Print {
    /// A trade counts as one fill of the same id: how many it was is not part of a [`Trade`].
    fn from(trade: Trade) -> Self {
        Self {
            id: trade.id,
            first: trade.id,
            last: trade.id,
            at: trade.ts.as_millis(),
            price: trade.price.units(),
            qty: trade.qty.units(),
            taker_sold: trade.taker_side == Side::Sell,
        }
    }
}
