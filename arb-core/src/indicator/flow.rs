//! Large flow: signed quantity of the unusually large trades of the last 15 minutes.
//!
//! A trade is large when its quantity reaches the 99 % quantile of the last grid row before it
//! (row time < trade time). Invariant: a recorded row is never changed, so a trade is judged the
//! same whether it came in time, late or by back-fill.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::QtySum;
use super::ring::Run;

const WINDOW_US: i64 = 15 * 60 * 1_000_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LargeFlow {
    /// 99 % quantiles by row time, oldest first; absent below 1,000 trades.
    rows: VecDeque<(i64, Option<u64>)>,
    large: VecDeque<(i64, i64)>,
    sum: i128,
}

impl LargeFlow {
    /// Looks at neighbouring trades, in time order.
    pub(super) fn add_run(&mut self, run: &Run<'_>) {
        let after_last_row = self.rows.back().is_none_or(|(row, _)| *row < run.first_us());
        if !after_last_row {
            run.trades().for_each(|(ts_us, qty)| self.insert(ts_us, qty));
            return;
        }
        let Some((_, Some(p99))) = self.rows.back().copied() else { return };
        for (ts_us, qty) in run.trades().filter(|(_, qty)| qty.unsigned_abs() >= p99) {
            self.sum += i128::from(qty);
            self.large.push_back((ts_us, qty));
        }
    }

    /// Looks at one trade, wherever its time lies.
    pub(super) fn insert(&mut self, ts_us: i64, qty: i64) {
        if self.threshold(ts_us).is_some_and(|p99| qty.unsigned_abs() >= p99) {
            let at = self.large.partition_point(|(ts, _)| *ts <= ts_us);
            self.large.insert(at, (ts_us, qty));
            self.sum += i128::from(qty);
        }
    }

    fn threshold(&self, ts_us: i64) -> Option<u64> {
        self.rows.iter().rev().find(|(row, _)| *row < ts_us).and_then(|(_, p99)| *p99)
    }

    /// Drops what the 15 minutes before `now_us` do not reach.
    pub(super) fn expire(&mut self, now_us: i64) {
        let from = now_us - WINDOW_US;
        while let Some((_, qty)) = self.large.front().copied().filter(|(ts, _)| *ts < from) {
            self.sum -= i128::from(qty);
            self.large.pop_front();
        }
        // The newest row at or before the window's start still judges its first trades.
        while self.rows.get(1).is_some_and(|(row, _)| *row < from) {
            self.rows.pop_front();
        }
    }

    /// Records the quantile of a grid row.
    pub(super) fn record(&mut self, now_us: i64, p99: Option<u64>) {
        self.rows.push_back((now_us, p99));
    }

    pub(super) const fn sum(&self) -> QtySum {
        QtySum(self.sum)
    }
}
