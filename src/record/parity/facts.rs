//! What is known about each journal while it is read.
//!
//! Invariant: instruments and strategies are numbered by their names over both journals, because
//! the numbers inside a journal are its own.

use std::collections::BTreeMap;

use arb_core::{EventKind, InstrumentId, Timestamp, Trade};

use super::config::Config;
use super::{Tolerance, Which};

/// Both journals, and what they share.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) tolerance: Tolerance,
    symbols: Vec<String>,
    pub(super) sides: [Side; 2],
}

/// One journal.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) config: Config,
    /// Configurations seen.
    pub(super) configured: u64,
    /// Joint number by the journal's own.
    instruments: Vec<u16>,
    pub(super) ticks: Range,
    pub(super) trades: BTreeMap<u16, Range>,
    pub(super) trade_count: u64,
    /// The newest trade of each symbol.
    pub(super) newest: BTreeMap<u16, u64>,
    pub(super) last_at: Timestamp,
    pub(super) over: bool,
}

/// First and last of something; none before any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range(pub(super) Option<(Timestamp, Timestamp)>);

impl Range {
    fn reach(&mut self, at: Timestamp) {
        self.0 = Some(self.0.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    pub(super) fn first(self) -> Option<Timestamp> {
        self.0.map(|(first, _)| first)
    }

    pub(super) fn last(self) -> Option<Timestamp> {
        self.0.map(|(_, last)| last)
    }

    /// Whether an instant lies before it, or behind its end where `over`.
    fn excludes(self, at: Timestamp, over: Over) -> bool {
        self.0.is_none_or(|(first, last)| at < first || (over == Over::Yes && at > last))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    Yes,
}

impl Side {
    const fn over(&self) -> Over {
        if self.over { Over::Yes } else { Over::No }
    }

    /// Whether a tick lies outside what this journal covers.
    pub(super) fn lacks_tick(&self, at: Timestamp) -> bool {
        self.ticks.excludes(at, self.over())
    }

    /// Whether a trade lies outside what this journal covers of its symbol.
    pub(super) fn lacks_trades(&self, symbol: u16, at: Timestamp) -> bool {
        let range = self.trades.get(&symbol).copied().unwrap_or_default();
        range.excludes(at, self.over())
    }

    /// Whether the journal knows the symbol at all.
    pub(super) fn has_symbol(&self, symbol: u16) -> bool {
        self.instruments.contains(&symbol)
    }

    /// Whether it ended before an instant.
    pub(super) fn ended_before(&self, at: Timestamp) -> bool {
        self.over && at > self.last_at
    }

    pub(super) fn on_trade(&mut self, symbol: u16, trade: &Trade) {
        self.trade_count += 1;
        self.newest.insert(symbol, trade.id);
        self.trades.entry(symbol).or_default().reach(trade.ts);
    }

    pub(super) fn on_tick(&mut self, at: Timestamp) {
        self.ticks.reach(at);
    }
}

impl Facts {
    pub(super) fn new(tolerance: Tolerance) -> Self {
        Self { tolerance, symbols: Vec::new(), sides: [Side::default(), Side::default()] }
    }

    pub(super) fn side(&self, which: Which) -> &Side {
        let [a, b] = &self.sides;
        match which {
            Which::A => a,
            Which::B => b,
        }
    }

    pub(super) fn side_mut(&mut self, which: Which) -> &mut Side {
        let [a, b] = &mut self.sides;
        match which {
            Which::A => a,
            Which::B => b,
        }
    }

    pub(super) fn configure(&mut self, which: Which, config: Config) {
        let numbers: Vec<u16> = config.symbols().iter().map(|symbol| self.number(symbol)).collect();
        let side = self.side_mut(which);
        side.configured += 1;
        side.instruments = numbers;
        side.config = config;
    }

    fn number(&mut self, symbol: &str) -> u16 {
        let known = self.symbols.iter().position(|known| known == symbol);
        let at = known.unwrap_or_else(|| {
            self.symbols.push(symbol.to_owned());
            self.symbols.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The joint number of a journal's instrument; one without a name gets that of its number.
    pub(super) fn joint(&mut self, which: Which, instrument: InstrumentId) -> u16 {
        match self.side(which).instruments.get(instrument.index()) {
            Some(joint) => *joint,
            None => self.number(&format!("#{}", instrument.0)),
        }
    }

    /// Whether the same number means the same instrument in both journals.
    pub(super) fn share_numbers(&self) -> bool {
        let [a, b] = &self.sides;
        a.instruments == b.instruments
    }

    /// The symbol of a joint number.
    pub(super) fn symbol(&self, joint: u16) -> &str {
        self.symbols.get(usize::from(joint)).map_or("?", String::as_str)
    }

    /// Whether both sides run one strategy: then it is the same, whatever its name.
    pub(super) fn one_strategy(&self) -> bool {
        self.sides.iter().all(|side| side.config.strategies().len() == 1)
    }

    /// Whether two instants are further apart than is tolerated.
    pub(super) fn apart(&self, a: Timestamp, b: Timestamp) -> bool {
        a.since(b).abs() > i64::from(self.tolerance.time_ms) * 1_000_000
    }
}

/// The instant a decision is of: the grid time of a tick, else that of the event.
pub(super) const fn decided_at(at: Timestamp, kind: &EventKind) -> Timestamp {
    match kind {
        EventKind::Tick(tick) => *tick,
        _ => at,
    }
}
