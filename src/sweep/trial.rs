//! One variant over one span: an independent back-test.
//!
//! The run begins 26 hours before the span where the recording has them, with the account paused:
//! windows, quantiles of 24 hours and the last 288 bars' ATRs are warm, and no entry is made. At
//! the span's first instant the account is resumed, at its end paused again, and the run goes on
//! until the longest trade has ended. So every trade of the run was decided inside the span, and
//! none is cut off but by the end of the recording.
//!
//! Invariant: the figures follow from variant, span and recording alone; the account is fresh in
//! every span, so no span depends on what another lost.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arb_core::stats::{EquityCurve, Moments};
use arb_core::time::{HOUR, MINUTE};
use arb_core::{
    Backtest, Command, Engine, EngineConfig, Event, EventKind, Money, Observer, Output, Registry,
    Timestamp, Trade, TradeNote,
};
use serde_json::Value;

use super::error::SweepError;
use super::figures::Figures;
use super::plan::{Span, USUAL_LIFE};
use super::recording::{Piece, Recording};
use super::variants::Variant;

/// What is read before a span, nanoseconds: a day of windows, the 15 minutes of large flow judged
/// by their past rows, and 288 bars' ATRs after the 14 that seed the first.
pub const WARM_UP: i64 = 26 * HOUR;
/// Time after the longest life in which a closing order fills, nanoseconds.
const CLOSING: i64 = 5 * MINUTE;

/// What all variants of a sweep share.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Instruments, account, limits and the paper venue; without strategies.
    pub config: EngineConfig,
    /// Name of the strategy file, for messages.
    pub file: String,
    /// Where the recording begins: there is no warm-up before it.
    pub begins: Timestamp,
}

/// Longest life of a trade of this strategy, nanoseconds: its `exits.timeout_minutes`, at least
/// the usual hour.
#[must_use]
pub fn longest_life(strategy: &str) -> i64 {
    let json: Value = serde_json::from_str(strategy).unwrap_or_default();
    let minutes = json.pointer("/exits/timeout_minutes").and_then(Value::as_i64);
    minutes.map_or(USUAL_LIFE, |minutes| minutes.saturating_mul(MINUTE).max(USUAL_LIFE))
}

/// Back-tests a variant over a span.
pub(super) fn run(
    setup: &Setup,
    registry: &Registry,
    recording: &dyn Recording,
    variant: &Variant,
    span: Span,
) -> Result<Figures, SweepError> {
    Ok(watch(setup, registry, recording, variant, span)?.figures())
}

fn watch(
    setup: &Setup,
    registry: &Registry,
    recording: &dyn Recording,
    variant: &Variant,
    span: Span,
) -> Result<Watch, SweepError> {
    let config = setup.config.clone().with_strategy(&setup.file, &variant.text)?;
    let mut watch = Watch::new(span, config.account.initial_balance);
    let mut test = Backtest::new(config, registry.clone(), &mut watch)?;
    test.on_event(command(Timestamp::EPOCH, Command::Pause), &mut watch);
    let mut marks = vec![(span.to, Command::Pause), (span.from, Command::Resume)];
    let whole = Span {
        from: span.from.plus(-WARM_UP).max(setup.begins),
        to: span.to.plus(longest_life(&variant.text)).plus(CLOSING),
    };
    recording
        .play(whole, &mut |piece| {
            match piece {
                Piece::Trades(trades) => on_trades(&mut test, trades, &mut marks, &mut watch),
                Piece::Other(event) => {
                    while let Some((at, order)) = marks.pop_if(|(at, _)| *at <= event.at) {
                        test.on_event(command(at, order), &mut watch);
                    }
                    test.on_event(event.clone(), &mut watch);
                }
            }
            ControlFlow::Continue(())
        })
        .map_err(SweepError::Read)?;
    test.finish(&mut watch);
    Ok(watch)
}

fn command(at: Timestamp, command: Command) -> Event {
    Event { at, kind: EventKind::Command(Box::new(command)) }
}

fn on_trades(
    test: &mut Backtest,
    mut trades: &[Trade],
    marks: &mut Vec<(Timestamp, Command)>,
    watch: &mut Watch,
) {
    while !trades.is_empty() {
        let until = marks.last().map_or(Timestamp::MAX, |(at, _)| *at);
        let (before, after) = trades.split_at(trades.partition_point(|trade| trade.ts < until));
        before.iter().for_each(|trade| test.on_trade(trade, watch));
        trades = after;
        if !trades.is_empty()
            && let Some((at, order)) = marks.pop()
        {
            test.on_event(command(at, order), watch);
        }
    }
}

/// What is kept of a trade.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// None while it is open.
    exit: Option<Timestamp>,
    net: Money,
    fee: Money,
    funding: Money,
    r: f64,
}

impl Kept {
    fn of(note: &TradeNote) -> Self {
        Self {
            exit: note.exit_time.filter(|_| !note.status.is_open()),
            net: note.pnl - note.fee - note.funding,
            fee: note.fee,
            funding: note.funding,
            r: note.r_multiple.unwrap_or_default(),
        }
    }
}

/// Looks on and keeps what the figures need.
struct Watch {
    span: Span,
    balance: f64,
    trades: BTreeMap<u64, Kept>,
    equity: EquityCurve,
    halts: u64,
}

impl Observer for Watch {
    fn output(&mut self, output: &Output) {
        match output {
            Output::Trade(note) => {
                self.trades.insert(note.id, Kept::of(note));
            }
            Output::Risk(note) => self.halts += u64::from(note.trip.is_some()),
            _ => {}
        }
    }

    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        if at >= self.span.from
            && let Some(equity) = engine.equity()
        {
            self.equity.add(at, equity);
        }
    }
}

impl Watch {
    fn new(span: Span, balance: Money) -> Self {
        let (trades, equity) = (BTreeMap::new(), EquityCurve::default());
        Self { span, balance: balance.to_f64_lossy(), trades, equity, halts: 0 }
    }

    fn figures(&self) -> Figures {
        let mut figures = Figures {
            halts: self.halts,
            max_drawdown_ratio: self.equity.max_drawdown_ratio().unwrap_or_default(),
            ..Figures::default()
        };
        let hours = self.span.nanos().div_euclid(HOUR).max(1);
        let mut hourly = vec![0.0; usize::try_from(hours).unwrap_or_default()];
        for trade in self.trades.values() {
            let Some(exit) = trade.exit else {
                figures.open += 1;
                continue;
            };
            figures.trades += 1;
            figures.total_r += trade.r;
            figures.fees += trade.fee;
            figures.funding += trade.funding;
            if trade.net > Money::ZERO {
                figures.wins += 1;
                figures.gains += trade.net;
            } else {
                figures.losses -= trade.net;
            }
            // A trade that outlives the span, or its last part of an hour, ends in the last hour.
            let hour = exit.since(self.span.from).div_euclid(HOUR).clamp(0, hours - 1);
            if let Some(sum) = usize::try_from(hour).ok().and_then(|hour| hourly.get_mut(hour)) {
                *sum += trade.net.to_f64_lossy() / self.balance;
            }
        }
        let mut moments = Moments::default();
        hourly.into_iter().for_each(|sum| moments.add(sum));
        figures.hourly = moments;
        figures
    }
}
