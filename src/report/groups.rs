//! Closed trades by what they have in common, and how their R is distributed.
//!
//! Invariant: every closed trade is in exactly one row of each table, so the rows of a table add
//! up to the run.

use std::collections::BTreeMap;

use arb_core::time::HOUR;
use arb_core::{Money, Tier, TradeNote};

/// Bins of the distribution are a quarter of an R wide.
const BINS_PER_R: f64 = 4.0;
/// What lies further out than this many R is counted in the last bin on its side.
const WIDEST_R: f64 = 10.0;

/// Sums over a set of closed trades.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) trades: u32,
    pub(super) wins: u32,
    pub(super) total_r: f64,
    pub(super) net: Money,
    pub(super) fees: Money,
    pub(super) funding: Money,
}

impl Tally {
    pub(super) fn add(&mut self, trade: &TradeNote) {
        let net = net(trade);
        self.trades += 1;
        self.wins += u32::from(net > Money::ZERO);
        self.total_r += trade.r_multiple.unwrap_or_default();
        self.net += net;
        self.fees += trade.fee;
        self.funding += trade.funding;
    }

    /// Share of trades with a net gain.
    pub(super) fn win_rate(&self) -> f64 {
        f64::from(self.wins) / f64::from(self.trades)
    }

    /// Mean R of a trade.
    pub(super) fn mean_r(&self) -> f64 {
        self.total_r / f64::from(self.trades)
    }
}

/// Profit or loss after fees and funding.
pub(super) fn net(trade: &TradeNote) -> Money {
    trade.pnl - trade.fee - trade.funding
}

/// A table of tallies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) title: &'static str,
    /// Heading of the first column.
    pub(super) by: &'static str,
    pub(super) rows: Vec<(String, Tally)>,
}

/// A tier's name; trades of other strategies may have none.
pub(super) const fn tier_name(tier: Option<Tier>) -> &'static str {
    match tier {
        Some(Tier::Light) => "light",
        Some(Tier::Standard) => "standard",
        Some(Tier::Heavy) => "heavy",
        None => "no tier",
    }
}

/// All tables over the closed trades; `symbols` by instrument.
pub(super) fn groups(closed: &[&TradeNote], symbols: &[String]) -> Vec<Group> {
    let symbol = |trade: &TradeNote| symbols.get(trade.instrument.index()).cloned();
    let hour = |trade: &TradeNote| trade.entry_time.as_nanos().div_euclid(HOUR).rem_euclid(24);
    vec![
        group("By exit", "ended by", closed, |t| (t.status, t.status.as_str().to_owned())),
        group("By tier", "tier", closed, |t| (t.tier, tier_name(t.tier).to_owned())),
        group("By direction", "side", closed, |t| (t.direction, t.direction.as_str().to_owned())),
        group("By symbol", "symbol", closed, |t| (t.instrument, symbol(t).unwrap_or_default())),
        group("By strategy", "strategy", closed, |t| (t.strategy.clone(), t.strategy.clone())),
        group("By hour of entry", "UTC", closed, |t| (hour(t), format!("{:02}:00", hour(t)))),
    ]
}

fn group<K: Ord>(
    title: &'static str,
    by: &'static str,
    closed: &[&TradeNote],
    key: impl Fn(&TradeNote) -> (K, String),
) -> Group {
    let mut rows: BTreeMap<K, (String, Tally)> = BTreeMap::new();
    for trade in closed {
        let (key, name) = key(trade);
        rows.entry(key).or_insert_with(|| (name, Tally::default())).1.add(trade);
    }
    Group { title, by, rows: rows.into_values().collect() }
}

/// Trades by R: middle of each bin, and how many. Empty bins between others are there.
pub(super) fn distribution(closed: &[&TradeNote]) -> Vec<(f64, u32)> {
    let mut bins: BTreeMap<i32, u32> = BTreeMap::new();
    for r in closed.iter().filter_map(|trade| trade.r_multiple) {
        *bins.entry(bin(r)).or_default() += 1;
    }
    let (Some((first, _)), Some((last, _))) = (bins.first_key_value(), bins.last_key_value())
    else {
        return Vec::new();
    };
    let middle = |bin: i32| (f64::from(bin) + 0.5) / BINS_PER_R;
    (*first..=*last)
        .map(|number| (middle(number), bins.get(&number).copied().unwrap_or_default()))
        .collect()
}

/// Number of the bin that holds `r`: a bin holds its lower bound.
#[expect(clippy::cast_possible_truncation, reason = "clamped to a few R before")]
fn bin(r: f64) -> i32 {
    let most = WIDEST_R * BINS_PER_R;
    (r * BINS_PER_R).floor().clamp(-most, most - 1.0) as i32
}

/// The middle value; none without trades.
pub(super) fn median_r(closed: &[&TradeNote]) -> Option<f64> {
    let mut all: Vec<f64> = closed.iter().filter_map(|trade| trade.r_multiple).collect();
    all.sort_by(f64::total_cmp);
    let half = all.len() / 2;
    let upper = all.get(half).copied()?;
    if !all.len().is_multiple_of(2) {
        return Some(upper);
    }
    all.get(half.checked_sub(1)?).map(|lower| f64::midpoint(*lower, upper))
}

#[cfg(test)]
mod tests;
