//! What the simulated venue shows: many coins, each with a perpetual and perhaps a spot pair.
//!
//! Invariant: everything is a function of (configuration, symbol, time), so any moment before or
//! after the epoch can be asked for, in any order, without state; memory does not grow with time.
//! Prices of both markets, mark, index, premium, funding, bars and statistics derive from the same
//! paths and trades, so they never contradict each other.

mod asset;
mod bars;
mod book;
mod catalogue;
mod coinbase;
mod flow;
mod funding;
mod interval;
mod line;
mod noise;
mod recorded;
mod statistics;
mod tape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arb_core::{Market, Timestamp, Trade};

use self::asset::{Asset, Leg};
use self::bars::Hours;
use self::line::Common;
use self::recorded::Reader;
use self::tape::Tape;

pub(crate) use self::asset::AssetCursor;
pub(crate) use self::bars::Bar;
pub(crate) use self::book::{Depth, Edge, Top};
pub use self::catalogue::{SpotSpec, SymbolSpec, known_symbols, symbol, symbols};
pub(crate) use self::coinbase::Product;
pub(crate) use self::flow::{Flow, Print};
pub(crate) use self::interval::{bar_around, bar_before};
pub(crate) use self::line::Line;
pub(crate) use self::noise::{ONE, bits, mix};
pub(crate) use self::recorded::RecordKind;
pub(crate) use self::statistics::{LIQUIDATION_SPAN, RatioKind};

/// How long before the epoch everything was listed, days.
const LISTED_BEFORE: i64 = 40;
const DAY_MS: i64 = 86_400_000;

/// What a market is made from.
#[derive(Clone, Debug)]
pub struct MarketConfig {
    /// Any number; each gives other prices and trades.
    pub seed: u64,
    /// Virtual time at the start. Nothing happens before 40 days earlier.
    pub epoch: Timestamp,
    /// How often best prices change, milliseconds: 1, 2, 5, 10, 25 or 50.
    pub step_millis: u16,
    /// Trades of a day in percent of what each symbol has by itself.
    pub activity_percent: u16,
    /// What is listed.
    pub symbols: Vec<SymbolSpec>,
}

impl MarketConfig {
    /// A market of these symbols with steps of 50 ms and the usual activity.
    #[must_use]
    pub const fn new(seed: u64, epoch: Timestamp, symbols: Vec<SymbolSpec>) -> Self {
        Self { seed, epoch, step_millis: 50, activity_percent: 100, symbols }
    }
}

/// Why a market cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// A step that does not fit into 50 ms.
    #[error("a step of {0} ms: 1, 2, 5, 10, 25 or 50 is allowed")]
    Step(u16),
    /// Nothing to list.
    #[error("no symbol is listed")]
    NoSymbols,
    /// A symbol twice, or two perpetuals that share a spot pair.
    #[error("{0} is listed twice")]
    Twice(String),
    /// Recorded data of a symbol that is not listed.
    #[error("{0} is not listed, so its recorded data cannot be served")]
    Unlisted(String),
    /// Recorded data without anything usable.
    #[error("{0}: nothing in it can be served")]
    Empty(String),
}

/// A coin's lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coin {
    pub(crate) perpetual: usize,
    pub(crate) spot: Option<usize>,
}

/// The markets of all symbols.
#[derive(Debug)]
pub struct SimMarket {
    config: MarketConfig,
    lines: Vec<Line>,
    coins: Vec<Coin>,
    places: BTreeMap<(Market, String), usize>,
    products: Vec<Product>,
    hours: Hours,
}

impl SimMarket {
    /// A generated market.
    ///
    /// # Errors
    /// [`MarketError`] where the configuration contradicts itself.
    pub fn new(config: MarketConfig) -> Result<Self, MarketError> {
        if config.step_millis == 0 || !50_u16.is_multiple_of(config.step_millis) {
            return Err(MarketError::Step(config.step_millis));
        }
        if config.symbols.is_empty() {
            return Err(MarketError::NoSymbols);
        }
        let common = Common {
            seed: config.seed,
            step: i64::from(config.step_millis),
            activity_percent: i64::from(config.activity_percent.max(1)),
            sizes: noise::sizes().into(),
        };
        let mut market = Self {
            config,
            lines: Vec::new(),
            coins: Vec::new(),
            places: BTreeMap::new(),
            products: Vec::new(),
            hours: Hours::default(),
        };
        for spec in market.config.symbols.clone() {
            market.list(&common, &spec)?;
        }
        market.products = Product::of(&market);
        Ok(market)
    }

    fn list(&mut self, common: &Common, spec: &SymbolSpec) -> Result<(), MarketError> {
        let asset = Arc::new(Asset::new(common.seed, spec));
        let perpetual = Line::perpetual(common, spec, self.coins.len(), asset);
        let spot = Line::spot(common, spec, &perpetual);
        let perpetual = self.add(perpetual)?;
        let spot = spot.map(|line| self.add(line)).transpose()?;
        self.coins.push(Coin { perpetual, spot });
        Ok(())
    }

    fn add(&mut self, line: Line) -> Result<usize, MarketError> {
        let (place, name) = (self.lines.len(), (line.market, line.symbol.clone()));
        if self.places.insert(name, place).is_some() {
            return Err(MarketError::Twice(line.symbol));
        }
        self.lines.push(line);
        Ok(place)
    }

    /// Serves recorded aggregate trades of a listed symbol at their own times. Before and after
    /// them trades are generated, with ids and prices that meet theirs. Returns their first and
    /// last time.
    ///
    /// # Errors
    /// [`MarketError::Unlisted`] and [`MarketError::Empty`].
    pub fn with_tape(
        &mut self,
        market: Market,
        symbol: &str,
        trades: impl IntoIterator<Item = Trade>,
    ) -> Result<(Timestamp, Timestamp), MarketError> {
        let place = self.place(market, symbol).ok_or(MarketError::Unlisted(symbol.to_owned()))?;
        let prints = trades.into_iter().map(Print::from);
        let tape = Tape::new(prints).ok_or(MarketError::Empty(symbol.to_owned()))?;
        let span = (tape.first().at, tape.last().at);
        self.set_tape(place, tape);
        Ok((Timestamp::from_millis(span.0), Timestamp::from_millis(span.1)))
    }

    /// Serves recorded frames of one listed symbol at their own times: depth, best prices and
    /// marks to the letter, single trades aggregated. The lines are those of the recording, each
    /// with a combined frame or the body of a depth snapshot. Returns their first and last time.
    ///
    /// # Errors
    /// [`MarketError::Unlisted`] and [`MarketError::Empty`].
    pub fn with_frames<'a>(
        &mut self,
        market: Market,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(Timestamp, Timestamp), MarketError> {
        let mut reader = Reader::default();
        lines.into_iter().for_each(|line| reader.line(line));
        let recording = reader.finish().ok_or(MarketError::Empty("the recording".to_owned()))?;
        let symbol = recording.symbol;
        let place = self.place(market, &symbol).ok_or(MarketError::Unlisted(symbol))?;
        let (from, to) = recording.book.span();
        if let Some(tape) = Tape::new(recording.prints) {
            self.set_tape(place, tape);
        }
        if let Some(line) = self.lines.get_mut(place) {
            line.set_book(Arc::new(recording.book));
        }
        Ok((Timestamp::from_millis(from), Timestamp::from_millis(to)))
    }

    /// A perpetual's tape leads the coin's price, also over one of its spot pair.
    fn set_tape(&mut self, place: usize, tape: Tape) {
        let tape = Arc::new(tape);
        let Some(line) = self.lines.get(place) else { return };
        let Some(coin) = self.coins.get(line.coin).copied() else { return };
        let led = self.lines.get(coin.perpetual).is_some_and(|line| line.tape().is_some());
        if line.leg == Leg::Perpetual || !led {
            let mut asset = (*line.asset).clone();
            asset.anchor(tape.clone(), line.leg);
            let asset = Arc::new(asset);
            for place in std::iter::once(coin.perpetual).chain(coin.spot) {
                if let Some(line) = self.lines.get_mut(place) {
                    line.set_asset(asset.clone());
                }
            }
        }
        if let Some(line) = self.lines.get_mut(place) {
            line.set_tape(tape);
        }
    }

    /// Moves the start, as for recorded data.
    pub const fn set_epoch(&mut self, epoch: Timestamp) {
        self.config.epoch = epoch;
    }

    /// Virtual time at the start.
    #[must_use]
    pub const fn epoch(&self) -> Timestamp {
        self.config.epoch
    }

    /// When everything was listed, milliseconds.
    pub(crate) const fn listed_at(&self) -> i64 {
        let epoch = self.config.epoch.as_millis();
        epoch - epoch.rem_euclid(DAY_MS) - LISTED_BEFORE * DAY_MS
    }

    /// Milliseconds between changes of best prices.
    pub(crate) fn step(&self) -> i64 {
        i64::from(self.config.step_millis)
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.config.seed
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    #[cfg(test)]
    pub(crate) fn coins(&self) -> &[Coin] {
        &self.coins
    }

    pub(crate) fn products(&self) -> &[Product] {
        &self.products
    }

    pub(crate) fn line(&self, place: usize) -> Option<&Line> {
        self.lines.get(place)
    }

    /// The place of a symbol's line.
    pub(crate) fn place(&self, market: Market, symbol: &str) -> Option<usize> {
        // Names are few bytes; an owned key keeps the map simple.
        self.places.get(&(market, symbol.to_owned())).copied()
    }

    /// The trades of a line from one time to before another.
    pub(crate) fn bar(&self, place: usize, from: i64, to: i64) -> Option<Bar> {
        Some(self.hours.bar((place, self.lines.get(place)?), from, to))
    }
}
