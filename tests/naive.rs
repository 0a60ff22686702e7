//! The indicators again, in another style: everything recomputed from the raw trades at each grid
//! point, with sorted vectors and maps, sharing nothing with the engine but its input types.

use std::collections::BTreeMap;

use arb::{Indicators, Side, Trade};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const GRID: i64 = 15 * SECOND;
const BAR: i64 = 5 * MINUTE;

/// (time, price, signed quantity), all in integer units.
type Row = (i64, i64, i64);

pub struct Naive {
    trades: Vec<Row>,
    /// (time of the trade before, time of the trade after).
    holes: Vec<(i64, i64)>,
    p99_rows: BTreeMap<i64, Option<i64>>,
    slopes: BTreeMap<i64, f64>,
}

fn nearest_rank(sorted: &[i64], percent: usize) -> i64 {
    sorted[(percent * sorted.len()).div_ceil(100) - 1]
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => close(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Naive {
    pub fn new(trades: &[Trade]) -> Self {
        let signed = |t: &Trade| match t.taker_side {
            Side::Buy => t.qty.units(),
            Side::Sell => -t.qty.units(),
        };
        let rows = trades.iter().map(|t| (t.ts.as_nanos(), t.price.units(), signed(t))).collect();
        let pairs = trades.iter().zip(trades.iter().skip(1));
        let holes = pairs
            .filter(|(a, b)| a.id + 1 != b.id)
            .map(|(a, b)| (a.ts.as_nanos(), b.ts.as_nanos()))
            .collect();
        Self { trades: rows, holes, p99_rows: BTreeMap::new(), slopes: BTreeMap::new() }
    }

    pub fn grid(&self) -> impl Iterator<Item = i64> + use<> {
        let up = |t: i64| t.div_euclid(GRID) * GRID + if t % GRID == 0 { 0 } else { GRID };
        let (first, last) = (self.trades[0].0, self.trades[self.trades.len() - 1].0);
        (up(first)..=up(last)).step_by(GRID as usize)
    }

    fn between(&self, from: i64, to: i64) -> &[Row] {
        let start = self.trades.partition_point(|t| t.0 < from);
        let end = self.trades.partition_point(|t| t.0 <= to);
        &self.trades[start..end]
    }

    fn cvd(&self, from: i64, to: i64) -> i128 {
        self.between(from, to).iter().map(|t| i128::from(t.2)).sum()
    }

    /// (ATRs of the closed bars, bars with a trade among the last 14).
    fn bars(&self, now: i64) -> (Vec<f64>, u32) {
        let mut price = self.trades[0].1;
        let mut previous: Option<i64> = None;
        let (mut ranges, mut traded) = (Vec::new(), Vec::new());
        let mut start = self.trades[0].0.div_euclid(BAR) * BAR;
        while start + BAR <= now {
            let inside: Vec<i64> =
                self.between(start, start + BAR - 1).iter().map(|t| t.1).collect();
            let (mut high, mut low) = (price, price);
            if let Some(last) = inside.last() {
                (high, low) = (*inside.iter().max().unwrap(), *inside.iter().min().unwrap());
                price = *last;
            }
            let broken = self
                .holes
                .iter()
                .any(|(a, b)| a.div_euclid(BAR) * BAR <= start && start <= b.div_euclid(BAR) * BAR);
            if broken {
                previous = None;
            } else {
                let mut candidates = vec![high - low];
                if let Some(close) = previous {
                    candidates.extend([(high - close).abs(), (low - close).abs()]);
                }
                ranges.push(*candidates.iter().max().unwrap() as f64 / 1e8);
                traded.push(u32::from(!inside.is_empty()));
                previous = Some(price);
            }
            start += BAR;
        }
        let mut atrs = Vec::new();
        for count in 14..=ranges.len() {
            atrs.push(match atrs.last() {
                None => ranges[..14].iter().sum::<f64>() / 14.0,
                Some(before) => (before * 13.0 + ranges[count - 1]) / 14.0,
            });
        }
        (atrs, traded.iter().rev().take(14).sum())
    }

    fn complete(&self, now: i64, window: i64) -> bool {
        let from = now - window;
        let open = self.holes.iter().any(|(a, b)| *a <= now && *b > now);
        self.trades[0].0 < from && !open && self.holes.iter().all(|(a, b)| *a > now || *b < from)
    }

    /// Panics with the field that differs. Must be called for every grid point in order.
    pub fn check(&mut self, row: &Indicators) {
        let now = row.time.as_nanos();
        let from_30m = now - 30 * MINUTE;
        let half_hour = self.between(from_30m, now);
        let value: f64 = half_hour.iter().map(|t| t.1 as f64 / 1e8 * t.2.abs() as f64 / 1e8).sum();
        let volume: i128 = half_hour.iter().map(|t| i128::from(t.2.abs())).sum();
        let vwap = (volume > 0).then(|| value / (volume as f64 / 1e8));
        let last = self.trades[..self.trades.partition_point(|t| t.0 <= now)].last().unwrap();
        assert_eq!(row.last_price.units(), last.1, "last_price at {now}");
        assert_eq!(row.cvd_30m.units(), self.cvd(from_30m, now), "cvd_30m at {now}");
        assert_eq!(row.cvd_4h.units(), self.cvd(now - 4 * HOUR, now), "cvd_4h at {now}");
        let midnight = now.div_euclid(24 * HOUR) * 24 * HOUR;
        assert_eq!(row.cvd_day.units(), self.cvd(midnight, now), "cvd_day at {now}");
        assert_eq!(row.volume_30m.units(), volume, "volume_30m at {now}");
        // The naive float sum itself is only good to about n × 2⁻⁵³.
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        match (row.vwap_30m, vwap) {
            (Some(a), Some(b)) => assert!(near(a, b), "vwap_30m {a} {b} at {now}"),
            (a, b) => assert_eq!(a.is_some(), b.is_some(), "vwap_30m at {now}"),
        }
        self.check_bars(row, now);
        self.check_sizes(row, now);
        let slope = self.cvd(now - MINUTE + 1, now) as f64 / 1e8 / 60.0;
        assert!(close(row.cvd_slope, slope), "cvd_slope at {now}");
        let accel = self.slopes.get(&(now - MINUTE)).map(|before| (slope - before) / 60.0);
        assert!(same(row.cvd_accel, accel), "cvd_accel at {now}");
        self.slopes.insert(now, slope);
        assert_eq!(row.complete_30m, self.complete(now, 30 * MINUTE), "complete_30m at {now}");
        assert_eq!(row.complete_4h, self.complete(now, 4 * HOUR), "complete_4h at {now}");
        assert_eq!(row.complete_15m, self.complete(now, 15 * MINUTE), "complete_15m at {now}");
        self.check_coverage(row, now);
    }

    fn check_coverage(&self, row: &Indicators, now: i64) {
        let from = self.trades[0].0.max(now - 24 * HOUR);
        let lost: i64 = self.holes.iter().map(|(a, b)| (*b.min(&now) - *a.max(&from)).max(0)).sum();
        let share = if now == from { 1.0 } else { 1.0 - lost as f64 / (now - from) as f64 };
        assert!((row.coverage_24h - share).abs() < 1e-12, "coverage_24h at {now}");
    }

    fn check_bars(&self, row: &Indicators, now: i64) {
        let (atrs, traded) = self.bars(now);
        assert!(
            same(row.atr, atrs.last().copied()),
            "atr {:?} {:?} at {now}",
            row.atr,
            atrs.last()
        );
        let percentile = (atrs.len() > 48).then(|| {
            let recent: Vec<f64> = atrs.iter().rev().take(288).copied().collect();
            let at_most = recent.iter().filter(|atr| **atr <= recent[0]).count();
            at_most as f64 / recent.len() as f64 * 100.0
        });
        // The engine compares its own ATRs, which may differ from these in the last bit.
        match (row.atr_percentile, percentile) {
            (Some(a), Some(b)) => assert!((a - b).abs() <= 100.0 / 49.0, "percentile at {now}"),
            (a, b) => assert_eq!(a, b, "atr_percentile at {now}"),
        }
        assert_eq!(row.traded_bars, traded, "traded_bars at {now}");
    }

    fn check_sizes(&mut self, row: &Indicators, now: i64) {
        let mut sizes: Vec<i64> =
            self.between(now - 24 * HOUR, now).iter().map(|t| t.2.abs()).collect();
        sizes.sort_unstable();
        let enough = sizes.len() >= 1_000;
        let p95 = enough.then(|| nearest_rank(&sizes, 95));
        let p99 = enough.then(|| nearest_rank(&sizes, 99));
        assert_eq!(row.qty_p95.map(|q| q.units()), p95, "qty_p95 at {now}");
        assert_eq!(row.qty_p99.map(|q| q.units()), p99, "qty_p99 at {now}");
        let large = self.between(now - 15 * MINUTE, now).iter().filter(|(ts, _, qty)| {
            let judged = self.p99_rows.range(..*ts).next_back().and_then(|(_, p99)| *p99);
            judged.is_some_and(|p99| qty.abs() >= p99)
        });
        let flow = p99.map(|_| large.map(|t| i128::from(t.2)).sum::<i128>());
        assert_eq!(row.large_flow_15m.map(|f| f.units()), flow, "large_flow_15m at {now}");
        self.p99_rows.insert(now, p99);
    }
}
