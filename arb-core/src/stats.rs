//! The figures that every host shows of a set of trades.
//!
//! Invariant: a statistic without enough data is absent, never zero. Ratios are fractions.

mod carry;
mod deflated_sharpe;
mod funding;
mod normal;
mod opportunity;

use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;

pub use self::carry::CarrySummary;
pub use self::deflated_sharpe::{DeflatedSharpe, Moments, expected_max_sharpe};
pub use self::funding::{
    DatedRate, FundingHole, FundingOrderError, FundingStats, FundingTotals, IntervalChange,
    covers_year, start_of_year, utc_year,
};
pub use self::normal::{normal_cdf, normal_quantile};
pub use self::opportunity::{CarryTerms, Opportunity};

use crate::engine::Engine;
use crate::instrument::InstrumentId;
use crate::num::Money;
use crate::output::TradeNote;
use crate::time::{DAY, Timestamp};

/// Days of equity below which a Sharpe ratio says nothing.
const SHARPE_DAYS: usize = 30;
const DAYS_PER_YEAR: f64 = 365.0;

/// Equity over time, condensed to what the figures need: peak, deepest fall, and the last value
/// of each UTC day that had trades.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EquityCurve {
    peak: Option<Money>,
    last: Option<Money>,
    max_drawdown_ratio: f64,
    days: Vec<(i64, Money)>,
}

impl EquityCurve {
    /// Adds the equity of an engine after a tick. A day on which nothing was traded is no day of
    /// the record: between two tapes there are only ticks, and their returns of zero would pass
    /// for calm.
    pub fn observe(&mut self, engine: &Engine, at: Timestamp) {
        let Some(equity) = engine.equity() else { return };
        let day = |at: Timestamp| at.as_nanos().div_euclid(DAY);
        let mut markets = (0..).map_while(|id| engine.market(InstrumentId(id)));
        if markets.any(|market| day(market.last_trade_at()) == day(at)) {
            self.add(at, equity);
        } else {
            self.draw(equity);
        }
    }

    /// Adds the equity at a time that does not go back, on a day that counts.
    pub fn add(&mut self, at: Timestamp, equity: Money) {
        self.draw(equity);
        let day = at.as_nanos().div_euclid(DAY);
        match self.days.last_mut() {
            Some((last, value)) if *last == day => *value = equity,
            _ => self.days.push((day, equity)),
        }
    }

    /// Moves peak, fall and last value.
    fn draw(&mut self, equity: Money) {
        if self.last != Some(equity) {
            self.last = Some(equity);
            let peak = self.peak.map_or(equity, |peak| peak.max(equity));
            self.peak = Some(peak);
            if peak > Money::ZERO {
                let fall = 1.0 - equity.to_f64_lossy() / peak.to_f64_lossy();
                self.max_drawdown_ratio = self.max_drawdown_ratio.max(fall);
            }
        }
    }

    /// The newest equity.
    #[must_use]
    pub const fn last(&self) -> Option<Money> {
        self.last
    }

    /// Deepest fall below the peak so far, a fraction of the peak; none before the first value.
    #[must_use]
    pub fn max_drawdown_ratio(&self) -> Option<f64> {
        self.last.map(|_| self.max_drawdown_ratio)
    }

    /// Mean ÷ standard deviation of the daily returns × √365; none below 30 days, or without
    /// variation. Days without trades do not count; a return over them is that of one day.
    ///
    /// Source: Sharpe, *The Sharpe Ratio*, 1994, with a risk-free rate of zero and the sample
    /// deviation (n − 1).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of days")]
    pub fn sharpe(&self) -> Option<f64> {
        if self.days.len() <= SHARPE_DAYS {
            return None;
        }
        let pairs = self.days.iter().zip(self.days.iter().skip(1));
        let returns: Vec<f64> =
            pairs.map(|((_, a), (_, b))| b.to_f64_lossy() / a.to_f64_lossy() - 1.0).collect();
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / (n - 1.0);
        (variance > 0.0).then(|| mean / variance.sqrt() * DAYS_PER_YEAR.sqrt())
    }
}

/// The summary of a set of trades.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Closed trades.
    pub trades: usize,
    /// Share of closed trades with a net gain.
    pub win_rate: Option<f64>,
    /// Σ net gains ÷ |Σ net losses|; absent without a loss.
    pub profit_factor: Option<f64>,
    /// Σ R of the closed trades.
    pub total_r: Option<f64>,
    /// Deepest fall of equity below its peak, a fraction of the peak.
    pub max_drawdown_ratio: Option<f64>,
    /// Annualised Sharpe ratio of daily returns.
    pub sharpe: Option<f64>,
    /// Equity at the end, quote currency.
    pub final_equity: Option<Money>,
}

impl Summary {
    /// Summarises the closed trades among `trades`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of trades")]
    pub fn new<'a>(trades: impl Iterator<Item = &'a TradeNote>, equity: &EquityCurve) -> Self {
        let (mut count, mut wins) = (0_usize, 0_usize);
        let (mut gains, mut losses, mut total_r) = (Money::ZERO, Money::ZERO, 0.0);
        for trade in trades.filter(|trade| !trade.status.is_open()) {
            let net = trade.pnl - trade.fee - trade.funding;
            count += 1;
            total_r += trade.r_multiple.unwrap_or_default();
            if net > Money::ZERO {
                wins += 1;
                gains += net;
            } else {
                losses -= net;
            }
        }
        let factor = gains.to_decimal().checked_div(losses.to_decimal());
        Self {
            trades: count,
            win_rate: (count > 0).then(|| wins as f64 / count as f64),
            profit_factor: factor.and_then(|factor| factor.to_f64()),
            total_r: (count > 0).then_some(total_r),
            max_drawdown_ratio: equity.max_drawdown_ratio(),
            sharpe: equity.sharpe(),
            final_equity: equity.last(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn drawdown_is_measured_from_the_peak() {
        let mut curve = EquityCurve::default();
        for (hour, equity) in ["100", "120", "90", "130", "104"].into_iter().enumerate() {
            let at = Timestamp::from_millis(i64::try_from(hour).unwrap() * 3_600_000);
            curve.add(at, money(equity));
        }
        assert!((curve.max_drawdown_ratio().unwrap() - 0.25).abs() < 1e-12);
        assert_eq!(curve.sharpe(), None, "one day says nothing");
    }

    #[test]
    fn sharpe_needs_thirty_daily_returns() {
        let mut curve = EquityCurve::default();
        for day in 0..31_i64 {
            assert_eq!(curve.sharpe(), None);
            let gain = if day % 2 == 0 { 0 } else { 2 };
            curve.add(Timestamp::from_nanos(day * DAY), money(&(100 + gain).to_string()));
        }
        // Returns alternate +0.02 and −2/102: mean 0.000196…, sample deviation 0.019904….
        let (up, down) = (0.02_f64, 100.0 / 102.0 - 1.0);
        let mean = (up + down) / 2.0;
        let variance = 30.0 * ((up - down) / 2.0).powi(2) / 29.0;
        let expected = mean / variance.sqrt() * 365.0_f64.sqrt();
        assert!((curve.sharpe().unwrap() / expected - 1.0).abs() < 1e-9);
    }

    #[test]
    fn days_without_trades_are_no_days_of_the_record() {
        use crate::{
            Backtest, EngineConfig, Instrument, InstrumentConfig, Recorder, Registry, Trade,
        };
        let spec =
            Instrument::perpetual("BTCUSDT", "0.1".parse().unwrap(), "0.001".parse().unwrap());
        let mut config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }]);
        config.grid_secs = 3_600;
        let mut seen = Recorder::default();
        let mut test = Backtest::new(config, Registry::builtin(), &mut seen).unwrap();
        let hours = (0..20 * 24).chain((120 * 24)..(140 * 24));
        for (id, hour) in (1..).zip(hours) {
            let ts = Timestamp::from_nanos(hour * DAY / 24 + 1);
            let (price, qty) = ("100".parse().unwrap(), "1".parse().unwrap());
            let (instrument, taker_side) = (InstrumentId(0), crate::Side::Buy);
            test.on_trade(&Trade { instrument, id, price, qty, ts, taker_side }, &mut seen);
        }
        test.finish(&mut seen);
        // The tick at the midnight after the first twenty days belongs to a day without a trade.
        assert_eq!(seen.equity.days.len(), 40);
    }

    #[test]
    fn an_empty_set_has_no_ratios() {
        let summary = Summary::new([].iter(), &EquityCurve::default());
        assert_eq!((summary.trades, summary.win_rate, summary.profit_factor), (0, None, None));
        assert_eq!(summary.final_equity, None);
    }
}
