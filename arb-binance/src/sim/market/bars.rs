//! Bars of any length and the figures of the last day, summed from the trades themselves.
//!
//! Invariant: a bar is the sum of exactly the trades that REST and the streams show of its time.
//! Whole hours are remembered, a bounded number of them, because a day may have a million trades;
//! what is remembered is only ever what would be computed again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::flow::Print;
use super::line::Line;

const HOUR: i64 = 3_600_000;
/// Hours remembered: a month of fifty lines.
const REMEMBERED: usize = 36_000;

/// Trades of a period. Prices and quantities are in 10⁻⁸, money in 10⁻¹⁶.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
    pub(crate) last_qty: i64,
    pub(crate) volume: i128,
    pub(crate) quote: i128,
    pub(crate) bought: i128,
    pub(crate) quote_bought: i128,
    /// Ids of the first and last single trade.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) close_at: i64,
}

impl From<Print> for Bar {
    fn from(print: Print) -> Self {
        let Print { price, qty, .. } = print;
        let money = i128::from(price) * i128::from(qty);
        let bought = if print.taker_sold { 0 } else { i128::from(qty) };
        Self {
            open: price,
            high: price,
            low: price,
            close: price,
            last_qty: qty,
            volume: i128::from(qty),
            quote: money,
            bought,
            quote_bought: if print.taker_sold { 0 } else { money },
            first: print.first,
            last: print.last,
            close_at: print.at,
        }
    }
}

impl Bar {
    /// A period without a trade after this price and single trade.
    pub(crate) const fn empty(price: i64, after: u64, at: i64) -> Self {
        Self {
            open: price,
            high: price,
            low: price,
            close: price,
            last_qty: 0,
            volume: 0,
            quote: 0,
            bought: 0,
            quote_bought: 0,
            first: after + 1,
            last: after,
            close_at: at,
        }
    }

    /// Number of single trades.
    pub(crate) const fn count(&self) -> u64 {
        self.last + 1 - self.first
    }

    /// Adds what came after.
    pub(crate) fn add(&mut self, later: Self) {
        if self.count() == 0 {
            *self = later;
            return;
        }
        if later.count() == 0 {
            return;
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.last_qty = later.last_qty;
        self.volume += later.volume;
        self.quote += later.quote;
        self.bought += later.bought;
        self.quote_bought += later.quote_bought;
        self.last = later.last;
        self.close_at = later.close_at;
    }
}

/// The hours that were summed before.
#[derive(Debug, Default)]
pub(crate) struct Hours {
    known: Mutex<BTreeMap<(usize, i64), Bar>>,
}

impl Hours {
    /// The trades of a line from one time to before another.
    pub(crate) fn bar(&self, (place, line): (usize, &Line), from: i64, to: i64) -> Bar {
        let (first, last) =
            (from.div_euclid(HOUR) + i64::from(from.rem_euclid(HOUR) != 0), to.div_euclid(HOUR));
        if first >= last {
            return line.sum(from, to);
        }
        let mut bar = line.sum(from, first * HOUR);
        for hour in first..last {
            bar.add(self.hour((place, line), hour));
        }
        bar.add(line.sum(last * HOUR, to));
        bar
    }

    fn hour(&self, (place, line): (usize, &Line), hour: i64) -> Bar {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = lock().get(&(place, hour)) {
            return *bar;
        }
        let bar = line.sum(hour * HOUR, (hour + 1) * HOUR);
        let mut known = lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((place, hour), bar);
        bar
    }
}

impl Line {
    /// The trades from one time to before another; an empty bar at the last price without any.
    pub(crate) fn sum(&self, from: i64, to: i64) -> Bar {
        let mut flow = self.flow_at(from);
        let mut print = self.next_print(&mut flow);
        if print.at >= to {
            let last = self.before(print.id);
            return Bar::empty(last.price, last.last, from);
        }
        let mut bar = Bar::from(print);
        loop {
            print = self.next_print(&mut flow);
            if print.at >= to {
                return bar;
            }
            bar.add(Bar::from(print));
        }
    }

    /// The trade before this id.
    pub(crate) fn before(&self, id: u64) -> Print {
        self.next_print(&mut self.flow_from(id.saturating_sub(1)))
    }
}
