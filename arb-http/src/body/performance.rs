//! What our trades came to.

use std::collections::BTreeMap;

use arb_core::port::{TradeRow, View};
use arb_core::stats::{EquityCurve, Summary};
use arb_core::time::DAY;
use arb_core::{InstrumentId, Money, Timestamp, TradeNote};
use serde::Serialize;
use utoipa::ToSchema;

use super::Num;
use super::num::ratio;
use super::trades::{net, unrealized};

/// Figures of a set of closed trades.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Performance {
    /// Closed trades.
    pub trades: usize,
    /// Of them with a gain after fees and funding.
    pub wins: usize,
    /// Of them without.
    pub losses: usize,
    /// Share of wins.
    pub win_rate: Option<Num>,
    /// Gains ÷ losses; null without a loss.
    pub profit_factor: Option<Num>,
    /// Sharpe ratio of daily returns, for a year; null below 30 days.
    pub sharpe: Option<Num>,
    /// Deepest fall of the balance below its peak, a fraction of the peak.
    pub max_drawdown: Option<Num>,
    /// Mean result, R.
    pub mean_r: Option<Num>,
    /// Sum of results, R.
    pub total_r: Option<Num>,
    /// Sum of results after fees and funding, quote currency.
    pub total_pnl: Num,
}

/// Figures of all closed trades, and of groups of them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StatsBody {
    /// All of them.
    #[serde(flatten)]
    pub all: Performance,
    /// By coin, or by symbol where none is configured.
    pub by_symbol: BTreeMap<String, Performance>,
    /// By `LONG` and `SHORT`.
    pub by_direction: BTreeMap<String, Performance>,
    /// By the strength of the signal; `none` where it had none.
    pub by_tier: BTreeMap<String, Performance>,
    /// By how they ended.
    pub by_status: BTreeMap<String, Performance>,
}

/// The balance after a closed trade.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EquityPoint {
    /// When the trade was closed, Unix milliseconds.
    pub time_ms: i64,
    /// Initial balance plus all results so far, quote currency.
    pub equity: Num,
    /// Sum of the results so far, R.
    pub pnl_r: Option<Num>,
}

/// How the account or a strategy stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SummaryBody {
    /// Cash; of a strategy the initial balance plus its results, fees of open trades included.
    pub balance: Num,
    /// With what is open at present prices.
    pub equity: Num,
    /// Sum of the results of closed trades after fees and funding.
    pub total_pnl: Num,
    /// The same in R.
    pub total_pnl_r: Option<Num>,
    /// Closed trades.
    pub trades: usize,
    /// Open trades.
    pub active: usize,
    /// Share of closed trades with a gain.
    pub win_rate: Option<Num>,
    /// Gains ÷ losses; null without a loss.
    pub profit_factor: Option<Num>,
    /// Deepest fall of the balance below its peak, a fraction of the peak.
    pub max_drawdown: Option<Num>,
    /// First entry, Unix milliseconds.
    pub start_time_ms: Option<i64>,
}

/// Closed trades, ascending by their end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closed {
    pub(crate) rows: Vec<TradeRow>,
}

impl Closed {
    pub(crate) fn new(mut rows: Vec<TradeRow>) -> Self {
        rows.retain(|row| !row.status.is_open());
        rows.sort_by_key(|row| (end(row), row.id));
        Self { rows }
    }

    /// Groups by a name.
    pub(crate) fn by(&self, name: impl Fn(&TradeRow) -> String) -> BTreeMap<String, Self> {
        let mut groups = BTreeMap::<String, Self>::new();
        for row in &self.rows {
            groups.entry(name(row)).or_default().rows.push(row.clone());
        }
        groups
    }

    pub(crate) fn performance(&self, initial: Money) -> Performance {
        let notes: Vec<_> = self.rows.iter().map(|row| row.note(InstrumentId::default())).collect();
        let summary = Summary::new(notes.iter(), &self.curve(initial));
        let wins = self.rows.iter().filter(|row| net(row) > Money::ZERO).count();
        let total_r = summary.total_r;
        let drawdown = summary.max_drawdown_ratio.filter(|_| summary.trades > 0);
        Performance {
            trades: summary.trades,
            wins,
            losses: summary.trades - wins,
            win_rate: summary.win_rate.and_then(ratio),
            profit_factor: summary.profit_factor.and_then(ratio),
            sharpe: summary.sharpe.and_then(ratio),
            max_drawdown: drawdown.and_then(ratio),
            mean_r: total_r.and_then(|total| ratio(total / count(summary.trades))),
            total_r: total_r.and_then(ratio),
            total_pnl: self.total().into(),
        }
    }

    fn total(&self) -> Money {
        self.rows.iter().map(net).sum()
    }

    /// The balance at the end of every day from the first trade to the last, so that days without
    /// one count as calm.
    fn curve(&self, initial: Money) -> EquityCurve {
        let mut curve = EquityCurve::default();
        let mut balance = initial;
        let mut day = self.rows.first().map(|row| end(row).floor_to(DAY));
        if let Some(first) = day {
            curve.add(first.plus(-1), initial);
        }
        for row in &self.rows {
            while let Some(open) = day.filter(|open| open.plus(DAY) <= end(row)) {
                curve.add(open, balance);
                day = Some(open.plus(DAY));
            }
            balance += net(row);
            curve.add(end(row), balance);
        }
        curve
    }

    pub(crate) fn equity_curve(&self, initial: Money) -> Vec<EquityPoint> {
        let (mut equity, mut total_r) = (initial, 0.0);
        let points = self.rows.iter().map(|row| {
            equity += net(row);
            total_r += row.r_multiple.unwrap_or_default();
            EquityPoint {
                time_ms: end(row).as_millis(),
                equity: equity.into(),
                pnl_r: ratio(total_r),
            }
        });
        points.collect()
    }

    pub(crate) fn stats(&self, initial: Money, coin: impl Fn(&TradeRow) -> String) -> StatsBody {
        let figures = |groups: BTreeMap<String, Self>| {
            groups.into_iter().map(|(name, of)| (name, of.performance(initial))).collect()
        };
        StatsBody {
            all: self.performance(initial),
            by_symbol: figures(self.by(coin)),
            by_direction: figures(self.by(|row| row.direction.as_str().to_owned())),
            by_tier: figures(self.by(|row| match row.tier {
                None => "none".to_owned(),
                Some(tier) => format!("{tier:?}").to_lowercase(),
            })),
            by_status: figures(self.by(|row| row.status.as_str().to_owned())),
        }
    }

    /// How the account stands, or a strategy alone.
    pub(crate) fn summary(&self, view: &View, strategy: Option<&str>) -> SummaryBody {
        let account = &view.account;
        let open = view.trades.iter().filter(|note| strategy.is_none_or(|of| note.strategy == of));
        let mark = |id| view.rate(id).map(|rate| rate.mark_price);
        let floating: Money =
            open.clone().filter_map(|note| Some(unrealized(note, mark(note.instrument)?))).sum();
        let (balance, equity) = match strategy {
            None => (account.wallet, account.equity),
            Some(_) => {
                let closed_part = |note: &TradeNote| note.pnl - note.fee - note.funding;
                let so_far: Money = open.clone().map(closed_part).sum();
                let balance = account.initial_balance + self.total() + so_far;
                (balance, balance + floating)
            }
        };
        let first_open = open.clone().map(|note| note.entry_time).min();
        let first = self.rows.iter().map(|row| row.entry_time).chain(first_open).min();
        let figures = self.performance(account.initial_balance);
        SummaryBody {
            balance: balance.into(),
            equity: equity.into(),
            total_pnl: figures.total_pnl,
            total_pnl_r: figures.total_r,
            trades: figures.trades,
            active: open.count(),
            win_rate: figures.win_rate,
            profit_factor: figures.profit_factor,
            max_drawdown: figures.max_drawdown,
            start_time_ms: first.map(Timestamp::as_millis),
        }
    }
}

fn end(row: &TradeRow) -> Timestamp {
    row.exit_time.unwrap_or(row.entry_time)
}

fn count(trades: usize) -> f64 {
    u32::try_from(trades).map_or(f64::INFINITY, f64::from)
}
