//! The data that the page's script draws, as it stands in the page.
//!
//! Invariant: times are milliseconds since the epoch, columns of one table have the same length,
//! and names that repeat are written once and referred to by their place.

use std::collections::BTreeMap;

use arb_core::{Direction, Factor, Price, Signal, Timestamp, TradeNote};
use serde::Serialize;

use super::buckets::{Bar, Buckets, Extremes};
use super::collect::BacktestCollector;
use super::groups::{net, tier_name};

/// Positions that the page lists and draws.
pub(super) const TRADES: usize = 20_000;
/// Holes that the page lists and draws.
pub(super) const HOLES: usize = 2_000;

/// Everything the script needs.
#[derive(Debug, Serialize)]
pub(super) struct Data<'a> {
    first_ms: i64,
    last_ms: i64,
    config_hash: &'a str,
    /// The exact text whose SHA-256 is `config_hash`.
    config: &'a str,
    instruments: Vec<Instrument<'a>>,
    strategies: Vec<&'a str>,
    tiers: Vec<&'static str>,
    equity: Line,
    drawdown: Line,
    trades: Trades,
    decisions: Decisions<'a>,
    holes: Holes,
    r_bins: &'a [(f64, u32)],
}

#[derive(Debug, Serialize)]
struct Instrument<'a> {
    symbol: &'a str,
    price: Candles,
    cvd_30m: Line,
    cvd_4h: Line,
    cvd_day: Line,
}

/// Bars of `step_ms` from `start_ms` on; null where nothing was traded.
#[derive(Debug, Serialize)]
struct Candles {
    start_ms: i64,
    step_ms: i64,
    open: Vec<Option<f64>>,
    high: Vec<Option<f64>>,
    low: Vec<Option<f64>>,
    close: Vec<Option<f64>>,
}

impl Candles {
    fn new(bars: &Buckets<Bar>) -> Self {
        let column = |of: fn(&Bar) -> Price| {
            bars.items().iter().map(|bar| bar.as_ref().map(|bar| of(bar).to_f64_lossy())).collect()
        };
        Self {
            start_ms: bars.start().as_millis(),
            step_ms: bars.step() / 1_000_000,
            open: column(|bar| bar.open),
            high: column(|bar| bar.high),
            low: column(|bar| bar.low),
            close: column(|bar| bar.close),
        }
    }
}

/// A line in buckets: of each the extreme that came first, then the other.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    start_ms: i64,
    step_ms: i64,
    first: Vec<Option<f64>>,
    second: Vec<Option<f64>>,
}

impl Line {
    pub(super) fn new(buckets: &Buckets<Extremes>) -> Self {
        let pairs = buckets.items().iter().map(|bucket| bucket.map(Extremes::in_order));
        let (first, second) = pairs
            .map(|pair| (pair.map(|pair| short(pair.0)), pair.map(|pair| short(pair.1))))
            .unzip();
        Self {
            start_ms: buckets.start().as_millis(),
            step_ms: buckets.step() / 1_000_000,
            first,
            second,
        }
    }
}

/// Seven significant digits, which is more than a screen can show.
pub(super) fn short(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

#[derive(Debug, Default, Serialize)]
struct Trades {
    id: Vec<u64>,
    instrument: Vec<usize>,
    strategy: Vec<usize>,
    side: Vec<i8>,
    tier: Vec<&'static str>,
    score: Vec<f64>,
    status: Vec<&'static str>,
    open: Vec<bool>,
    entry_ms: Vec<i64>,
    exit_ms: Vec<Option<i64>>,
    entry_price: Vec<String>,
    exit_price: Vec<Option<f64>>,
    stop_price: Vec<String>,
    tp1_price: Vec<String>,
    tp2_price: Vec<String>,
    qty: Vec<String>,
    pnl: Vec<f64>,
    fee: Vec<f64>,
    funding: Vec<f64>,
    net: Vec<f64>,
    r: Vec<Option<f64>>,
}

impl Trades {
    fn push(&mut self, trade: &TradeNote, strategy: usize) {
        let open = trade.status.is_open();
        self.id.push(trade.id);
        self.instrument.push(trade.instrument.index());
        self.strategy.push(strategy);
        self.side.push(sign(Some(trade.direction)));
        self.tier.push(tier_name(trade.tier));
        self.score.push(short(trade.score));
        self.status.push(trade.status.as_str());
        self.open.push(open);
        self.entry_ms.push(trade.entry_time.as_millis());
        self.exit_ms.push(trade.exit_time.filter(|_| !open).map(Timestamp::as_millis));
        self.entry_price.push(trade.entry_price.to_string());
        self.exit_price.push(trade.exit_price.filter(|_| !open).map(Price::to_f64_lossy));
        self.stop_price.push(trade.stop_price.to_string());
        self.tp1_price.push(trade.tp1_price.to_string());
        self.tp2_price.push(trade.tp2_price.to_string());
        self.qty.push(trade.qty.to_string());
        self.pnl.push(trade.pnl.to_f64_lossy());
        self.fee.push(trade.fee.to_f64_lossy());
        self.funding.push(trade.funding.to_f64_lossy());
        self.net.push(net(trade).to_f64_lossy());
        self.r.push(trade.r_multiple);
    }
}

const fn sign(direction: Option<Direction>) -> i8 {
    match direction {
        Some(Direction::Long) => 1,
        Some(Direction::Short) => -1,
        None => 0,
    }
}

#[derive(Debug, Default, Serialize)]
struct Decisions<'a> {
    time_ms: Vec<i64>,
    instrument: Vec<usize>,
    strategy: Vec<usize>,
    side: Vec<i8>,
    score: Vec<f64>,
    tier: Vec<&'static str>,
    fired: Vec<bool>,
    price: Vec<Option<f64>>,
    kind: Vec<usize>,
    reason: Vec<String>,
    factors: Vec<Vec<Points>>,
    kinds: Vec<String>,
    /// What factors are made of: name, most points, names of inputs.
    shapes: Vec<Shape>,
    notes: Vec<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Shape {
    name: &'static str,
    max: f64,
    inputs: Vec<&'static str>,
}

/// A factor: its shape, points, note and inputs.
type Points = (usize, f64, usize, Vec<Option<f64>>);

/// The place of `item` in `list`, where it is added if it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

impl<'a> Decisions<'a> {
    fn push(&mut self, signal: &'a Signal, strategy: usize) {
        let decision = &signal.decision;
        self.time_ms.push(decision.time.as_millis());
        self.instrument.push(decision.instrument.index());
        self.strategy.push(strategy);
        self.side.push(sign(decision.direction));
        self.score.push(short(decision.score));
        self.tier.push(decision.tier.map_or("none", |tier| tier_name(Some(tier))));
        self.fired.push(signal.fired);
        self.price.push(decision.price.map(Price::to_f64_lossy));
        self.kind.push(place(&mut self.kinds, decision.reason.kind()));
        self.reason.push(decision.reason.to_string());
        let factors = decision.factors.iter().map(|factor| self.points(factor)).collect();
        self.factors.push(factors);
    }

    fn points(&mut self, factor: &Factor) -> Points {
        let inputs = factor.inputs.iter().flatten();
        let shape = Shape {
            name: factor.name,
            max: factor.max,
            inputs: inputs.clone().map(|(name, _)| *name).collect(),
        };
        let values = inputs.map(|(_, value)| value.map(short)).collect();
        let shape = place(&mut self.shapes, shape);
        (shape, short(factor.score), place(&mut self.notes, factor.note), values)
    }
}

#[derive(Debug, Default, Serialize)]
struct Holes {
    instrument: Vec<usize>,
    from_id: Vec<u64>,
    to_id: Vec<u64>,
    start_ms: Vec<i64>,
    end_ms: Vec<i64>,
}

impl<'a> Data<'a> {
    pub(super) fn new(seen: &'a BacktestCollector, r_bins: &'a [(f64, u32)]) -> Self {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let mut strategies: Vec<&str> = Vec::new();
        let mut strategy = |name: &'a str| {
            *names.entry(name).or_insert_with(|| {
                strategies.push(name);
                strategies.len() - 1
            })
        };
        let mut trades = Trades::default();
        for trade in seen.trades.values().take(TRADES) {
            trades.push(trade, strategy(&trade.strategy));
        }
        let mut decisions = Decisions::default();
        for signal in seen.decisions.in_order() {
            decisions.push(signal, strategy(&signal.strategy));
        }
        let (config, config_hash) = seen.config.as_ref().map_or(("", ""), |(_, configure)| {
            (std::str::from_utf8(&configure.bytes).unwrap_or_default(), configure.hash.as_str())
        });
        Self {
            first_ms: seen.first.unwrap_or_default().as_millis(),
            last_ms: seen.last.as_millis(),
            config_hash,
            config,
            instruments: instruments(seen),
            strategies,
            tiers: vec!["heavy", "standard", "light", "none"],
            equity: Line::new(&seen.equity),
            drawdown: Line::new(&seen.drawdown),
            trades,
            decisions,
            holes: holes(seen),
            r_bins,
        }
    }
}

fn instruments(seen: &BacktestCollector) -> Vec<Instrument<'_>> {
    let configured = seen.config.iter().flat_map(|(config, _)| &config.instruments);
    configured
        .zip(&seen.markets)
        .map(|(instrument, market)| Instrument {
            symbol: &instrument.spec.symbol,
            price: Candles::new(&market.price),
            cvd_30m: Line::new(&market.cvd_30m),
            cvd_4h: Line::new(&market.cvd_4h),
            cvd_day: Line::new(&market.cvd_day),
        })
        .collect()
}

fn holes(seen: &BacktestCollector) -> Holes {
    let mut holes = Holes::default();
    for hole in seen.holes.iter().take(HOLES) {
        holes.instrument.push(hole.instrument.index());
        holes.from_id.push(hole.from_id);
        holes.to_id.push(hole.to_id);
        holes.start_ms.push(hole.start.as_millis());
        holes.end_ms.push(hole.end.as_millis());
    }
    holes
}
