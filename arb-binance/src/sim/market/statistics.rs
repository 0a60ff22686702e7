//! Open interest, long/short ratios and liquidations of a perpetual.
//!
//! Invariant: functions of time. Open interest rises with the turnover of a day and moves slowly;
//! a liquidation is one of the line's own trades, so its price and quantity are in the flow.

use super::flow::Print;
use super::line::Line;
use super::noise::{Noise, ONE, bits, mix, spread};

/// Which ratio of longs to shorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RatioKind {
    AllAccounts,
    TopAccounts,
    TopPositions,
}

/// How long the stretch is that may hold one liquidation, milliseconds.
pub(crate) const LIQUIDATION_SPAN: i64 = 10_000;

impl Line {
    /// Open interest at a time, 10⁻⁸ of the base asset, a multiple of the lot.
    pub(crate) fn open_interest(&self, at: i64) -> i64 {
        let noise = Noise::new(self.key ^ 7, 8..=20, ONE / 1_000);
        // The turnover of a day in median trades, four times over: larger ones weigh more.
        let day = self.per_day.saturating_mul(self.size(2_048).max(1)).saturating_mul(4);
        let lots = super::asset::times(day, ONE + noise.at(at.div_euclid(1_000)));
        lots.saturating_mul(self.lot)
    }

    /// The share of longs, in units of [`ONE`].
    pub(crate) fn long_share(&self, kind: RatioKind, at: i64) -> i64 {
        let (lane, usual) = match kind {
            RatioKind::AllAccounts => (20, 56),
            RatioKind::TopAccounts => (21, 54),
            RatioKind::TopPositions => (22, 52),
        };
        let key = mix(self.key, lane);
        let noise = Noise::new(key, 9..=18, ONE / 400);
        let share = ONE / 100 * usual + spread(key, ONE / 12) + noise.at(at.div_euclid(1_000));
        share.clamp(ONE / 5, ONE / 5 * 4)
    }

    /// The liquidation of the stretch that begins here, if there is one: rare in calm, common when
    /// the price runs.
    pub(crate) fn liquidation(&self, start: i64) -> Option<Print> {
        let (_, before) = self.index_and_mark(start - 60_000);
        let (_, now) = self.index_and_mark(start);
        let run = (now - before).saturating_mul(100_000) / before.max(1);
        let hash = mix(self.key ^ 8, start);
        // One stretch in 150 in calm, every one after a move of a percent within a minute.
        if bits(hash, 0, 16) > 440 + run.abs() * 65 {
            return None;
        }
        let longs = if run == 0 { bits(hash, 16, 1) == 0 } else { run < 0 };
        let mut flow = self.flow_at(start);
        let mut largest: Option<Print> = None;
        loop {
            let print = self.next_print(&mut flow);
            if print.at >= start + LIQUIDATION_SPAN {
                return largest;
            }
            if print.taker_sold == longs && largest.is_none_or(|other| other.qty < print.qty) {
                largest = Some(print);
            }
        }
    }
}
