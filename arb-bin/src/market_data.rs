//! Files and instruments from the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::tape::{Gaps, Source, SourceKind, Tape, TapeOptions, TapeStats, infer_steps, symbol_of};
use arb::{Event, Instrument, InstrumentConfig, InstrumentId, Price, Qty, Timestamp, symbol_flaw};

use crate::commands::usage;
use crate::output;
use crate::progress::Progress;
use crate::terminal::counted;

/// Rows that tell tick and lot of an instrument that is not in the table.
const INFER_ROWS: usize = 10_000;

/// Tick and lot of the default instruments.
const KNOWN: [(&str, &str, &str); 4] = [
    ("BTCUSDT", "0.1", "0.001"),
    ("ETHUSDT", "0.01", "0.001"),
    ("SOLUSDT", "0.01", "0.01"),
    ("XRPUSDT", "0.0001", "0.1"),
];

/// A file, with the symbol it belongs to where one is named: `FILE` or `SYMBOL=FILE`.
#[derive(Clone, Debug)]
pub(crate) struct NamedFile {
    pub(crate) symbol: Option<String>,
    pub(crate) path: PathBuf,
}

impl NamedFile {
    pub(crate) fn symbol(&self) -> Option<&str> {
        self.symbol.as_deref()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl std::str::FromStr for NamedFile {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((symbol, path)) if symbol_flaw(symbol).is_none() => {
                Self { symbol: Some(symbol.to_owned()), path: path.into() }
            }
            _ => Self { symbol: None, path: text.into() },
        })
    }
}

/// A symbol of the command line.
pub(crate) fn symbol(text: &str) -> Result<String, String> {
    symbol_flaw(text).map_or_else(|| Ok(text.to_owned()), |flaw| Err(flaw.to_owned()))
}

/// The symbols of a run and their files.
#[derive(Debug)]
pub(crate) struct Files {
    /// In the order of the command line.
    pub(crate) symbols: Vec<String>,
    sources: Vec<Source>,
}

impl Files {
    /// Brings trades under their symbols.
    pub(crate) fn new(symbol: Option<&str>, trades: &[NamedFile]) -> Result<Self> {
        let mut files = Self { symbols: Vec::new(), sources: Vec::new() };
        let named = trades.iter().filter_map(NamedFile::symbol);
        if let (Some(symbol), Some(other)) =
            (symbol, named.into_iter().find(|n| Some(*n) != symbol))
        {
            return usage(format!(
                "--symbol {symbol}, but --trades names {other}; give SYMBOL=FILE alone"
            ));
        }
        for file in trades {
            let told = file.symbol.as_deref().or(symbol).map(str::to_owned);
            let Some(symbol) = told.map_or_else(|| symbol_of(&file.path), |told| Ok(Some(told)))?
            else {
                return usage("--trades needs --symbol S, or SYMBOL=FILE for several instruments");
            };
            if !files.symbols.contains(&symbol) {
                files.symbols.push(symbol.clone());
            }
            files.push(&symbol, SourceKind::Trades, &file.path)?;
        }
        Ok(files)
    }

    /// Adds files of another kind.
    pub(crate) fn add(&mut self, kind: SourceKind, files: &[NamedFile]) -> Result<()> {
        for file in files {
            let only = match self.symbols.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            };
            let Some(symbol) = file.symbol.clone().or(only) else {
                let path = file.path.display();
                return usage(format!("{path}: which instrument? give it as SYMBOL=FILE"));
            };
            self.push(&symbol, kind, &file.path)?;
        }
        Ok(())
    }

    /// Every file with the flag that names it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = output::Named<'_>> {
        self.sources.iter().map(|source| (flag(source.kind), source.path.as_path()))
    }

    fn push(&mut self, symbol: &str, kind: SourceKind, path: &Path) -> Result<()> {
        let Some(at) = self.symbols.iter().position(|known| known == symbol) else {
            return usage(format!("{symbol}: no trades are given for this symbol"));
        };
        let instrument = InstrumentId(u16::try_from(at).context("too many symbols")?);
        let (symbol, path) = (symbol.to_owned(), path.to_owned());
        self.sources.push(Source { instrument, symbol, kind, path });
        Ok(())
    }

    /// The instruments, with steps from flags, the table, or the first rows.
    pub(crate) fn instruments(&self, steps: &Steps) -> Result<Vec<InstrumentConfig>> {
        (0..).zip(&self.symbols).map(|(id, symbol)| self.instrument(id, symbol, steps)).collect()
    }

    fn instrument(&self, id: u16, symbol: &str, steps: &Steps) -> Result<InstrumentConfig> {
        let (tick, lot) = match (steps.tick_size, steps.lot_size) {
            (Some(tick), Some(lot)) => (tick, lot),
            (tick, lot) => {
                let (own_tick, own_lot) = self.steps_of(id, symbol)?;
                (tick.unwrap_or(own_tick), lot.unwrap_or(own_lot))
            }
        };
        let mut spec = Instrument::perpetual(symbol, tick, lot);
        if let Some(min_notional) = steps.min_notional {
            spec.min_notional = min_notional;
        }
        if let Some(brackets) = steps.brackets.iter().find(|(known, _)| known == symbol) {
            spec.brackets.clone_from(&brackets.1);
        }
        Ok(InstrumentConfig { spec, spread_bps: steps.spread_bps })
    }

    fn steps_of(&self, id: u16, symbol: &str) -> Result<(Price, Qty)> {
        if let Some((_, tick, lot)) = KNOWN.iter().find(|(known, ..)| *known == symbol) {
            return Ok((tick.parse()?, lot.parse()?));
        }
        let trades = self.sources.iter().find(|source| {
            source.instrument == InstrumentId(id) && source.kind == SourceKind::Trades
        });
        let path = trades.map(|source| source.path.as_path()).context("no trades")?;
        Ok(infer_steps(path, INFER_ROWS)?)
    }

    /// The files, for who reads them again.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Reads everything in order; a progress bar shows how far.
    pub(crate) fn read(
        &self,
        options: TapeOptions,
        mut each: impl FnMut(Event) -> Result<()>,
    ) -> Result<TapeStats> {
        let tape = Tape::open(&self.sources, options)?;
        let progress = Progress::new(tape.total_bytes());
        let mut tape = tape.read_ahead()?;
        let mut batch = Vec::new();
        while tape.next_batch(&mut batch)? > 0 {
            batch.drain(..).try_for_each(&mut each)?;
            progress.set(tape.bytes_read());
        }
        drop(progress);
        let stats = tape.finish();
        if stats.zero_qty > 0 {
            let skipped = counted(stats.zero_qty, "trade");
            output::note(format_args!("note: {skipped} without quantity skipped"));
        }
        if stats.off_market > 0 {
            let skipped = counted(stats.off_market, "off-market print");
            output::note(format_args!("note: {skipped} skipped"));
        }
        Ok(stats)
    }
}

/// The flag that names files of a kind.
const fn flag(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Trades => "--trades",
        SourceKind::Funding => "--funding",
        SourceKind::Metrics => "--metrics",
        SourceKind::PremiumKlines => "--premium-klines",
        SourceKind::Marks => "--marks",
        SourceKind::Liquidations => "--liquidations",
    }
}

/// What the venue's filters say, as far as flags say it.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) tick_size: Option<Price>,
    pub(crate) lot_size: Option<Qty>,
    pub(crate) min_notional: Option<arb::Money>,
    pub(crate) spread_bps: arb::Decimal,
    pub(crate) brackets: Vec<(String, Vec<arb::LeverageBracket>)>,
}

/// Where a period begins or ends: `YYYY-MM-DD`, RFC 3339 or epoch milliseconds.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(millis) = text.parse::<i64>() {
        return Ok(Timestamp::from_millis(millis));
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(at.as_millisecond()));
    }
    let midnight = text
        .parse::<jiff::civil::Date>()
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| {
            format!("{text:?} is no date; 2024-08-08, 2024-08-08T12:00:00Z or 1723118400000 is")
        })?;
    Ok(Timestamp::from_millis(midnight.timestamp().as_millisecond()))
}

/// How holes are treated.
pub(crate) const fn gaps(accept: bool) -> Gaps {
    if accept { Gaps::Accept } else { Gaps::Refuse }
}
