//! The pairs of a run: their files, their steps, their hours.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use arb::tape::{
    HourBar, PairBar, PairSource, PairTape, Source, SourceKind, Tape, TapeOptions, read_pair_bars,
};
use arb::{
    Decimal, EventKind, FundingSettled, Instrument, InstrumentConfig, InstrumentId, Price, Qty,
    Timestamp, time::HOUR,
};

use super::Args;
use crate::commands::usage;
use crate::market_data::NamedFile;

/// One pair: its symbol, its hours, and whether their prices are real.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) symbol: String,
    pub(super) priced: bool,
    source: PairSource,
}

/// The pairs of a run, in the order of the command line.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) all: Vec<Pair>,
}

/// The symbol of a file: as given, else the capitals its name begins with.
fn symbol_of(file: &NamedFile) -> Result<String> {
    if let Some(symbol) = file.symbol() {
        return Ok(symbol.to_owned());
    }
    let name = file.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let capital = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let symbol: String = name.chars().take_while(capital).collect();
    if symbol.len() < 5 {
        let path = file.path().display();
        return usage(format!("{path}: which symbol? give it as SYMBOL=FILE"));
    }
    Ok(symbol)
}

impl Pairs {
    pub(super) fn read(args: &Args) -> Result<Self> {
        let mut symbols: Vec<String> = Vec::new();
        for file in args.bars.iter().chain(&args.funding) {
            let symbol = symbol_of(file)?;
            if !symbols.contains(&symbol) {
                symbols.push(symbol);
            }
        }
        let ids = (0..).step_by(2).zip(&symbols);
        let all = ids.map(|(id, symbol)| Self::pair(args, id, symbol));
        Ok(Self { all: all.collect::<Result<_>>()? })
    }

    fn pair(args: &Args, id: u16, symbol: &str) -> Result<Pair> {
        let (perp, spot) = (InstrumentId(id), InstrumentId(id + 1));
        let of = |files: &[NamedFile]| -> Result<Vec<NamedFile>> {
            let mut mine = Vec::new();
            for file in files {
                if symbol_of(file)? == symbol {
                    mine.push(file.clone());
                }
            }
            Ok(mine)
        };
        let (bars, funding) = (of(&args.bars)?, of(&args.funding)?);
        let mut settlements = Vec::new();
        if !funding.is_empty() {
            settlements = read_settlements(perp, symbol, &funding)?;
        }
        let source = match bars.as_slice() {
            [] => PairSource::without_prices(perp, spot, settlements),
            [file] => {
                let bars = read_pair_bars(file.path())?;
                let told = PairSource::settlements_of(&bars, perp, args.interval_hours);
                if settlements.is_empty() {
                    settlements = told;
                }
                if settlements.is_empty() {
                    bail!("{}: no funding rates; give them with --funding", file.path().display());
                }
                PairSource { perp, spot, bars, settlements }
            }
            [_, second, ..] => {
                return usage(format!("{}: {symbol} has bars already", second.path().display()));
            }
        };
        Ok(Pair { symbol: symbol.to_owned(), priced: !bars.is_empty(), source })
    }

    /// Perpetual and spot market of each pair, one behind the other.
    pub(super) fn instruments(&self, spread_bps: Decimal) -> Result<Vec<InstrumentConfig>> {
        let mut all = Vec::new();
        for pair in &self.all {
            let market = |of: fn(&PairBar) -> Option<HourBar>| {
                let bars: Vec<HourBar> = pair.source.bars.iter().filter_map(of).collect();
                steps(&bars, pair.priced)
            };
            let (tick, lot) = market(|bar| bar.perp)
                .with_context(|| format!("{}: no prices of the perpetual", pair.symbol))?;
            let perp = Instrument::perpetual(&pair.symbol, tick, lot);
            let (tick, lot) = market(|bar| bar.spot)
                .with_context(|| format!("{}: no prices of the spot market", pair.symbol))?;
            let spot = Instrument::spot(&pair.symbol, tick, lot);
            all.extend([perp, spot].map(|spec| InstrumentConfig { spec, spread_bps }));
        }
        Ok(all)
    }

    pub(super) fn tape(&self) -> PairTape {
        PairTape::new(self.all.iter().map(|pair| pair.source.clone()).collect())
    }

    /// Rows of the longest pair, for the progress bar.
    pub(super) fn hours(&self) -> u64 {
        let rows = self.all.iter().map(|pair| pair.source.bars.len()).max();
        rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
    }

    /// The hours that are run: those on record, cut by the wished period.
    pub(super) fn period(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Option<(Timestamp, Timestamp)> {
        let bars = || self.all.iter().flat_map(|pair| &pair.source.bars);
        let first = bars().map(|bar| bar.open_time).min()?;
        let last = bars().map(|bar| bar.open_time.plus(HOUR)).max()?;
        let (from, to) =
            (from.map_or(first, |from| from.max(first)), to.map_or(last, |to| to.min(last)));
        (from < to).then_some((from, to))
    }
}

/// Tick and lot: the powers of ten that divide all prices and volumes, at most a basis point of
/// the lowest price and one coin, because round numbers say nothing about steps.
fn steps(bars: &[HourBar], priced: bool) -> Option<(Price, Qty)> {
    if !priced {
        return Some(("0.00001".parse().ok()?, "0.01".parse().ok()?));
    }
    let price = bars.iter().flat_map(|bar| [bar.open.units(), bar.close.units()]).fold(0, gcd);
    let volume = bars.iter().map(|bar| bar.volume.units()).fold(0, gcd);
    let lowest = bars.iter().map(|bar| bar.open.units().min(bar.close.units())).min()?;
    let basis_point = std::iter::successors(Some(1_i64), |step| step.checked_mul(10))
        .take_while(|step| *step <= lowest / 10_000)
        .last()
        .unwrap_or(1);
    let tick = Price::from_units(power_of_ten_in(price).min(basis_point)).ok()?;
    Some((tick, Qty::from_units(power_of_ten_in(volume).min(100_000_000)).ok()?))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn power_of_ten_in(units: i64) -> i64 {
    let (mut step, mut rest) = (1, units);
    while rest != 0 && rest % 10 == 0 {
        (rest, step) = (rest / 10, step * 10);
    }
    step
}

fn read_settlements(
    perp: InstrumentId,
    symbol: &str,
    files: &[NamedFile],
) -> Result<Vec<FundingSettled>> {
    let source = |path: &Path| Source {
        instrument: perp,
        symbol: symbol.to_owned(),
        kind: SourceKind::Funding,
        path: path.to_owned(),
    };
    let sources: Vec<Source> = files.iter().map(|file| source(file.path())).collect();
    let mut tape = Tape::open(&sources, TapeOptions::default())?;
    let (mut batch, mut settled) = (Vec::new(), Vec::new());
    while tape.next_batch(&mut batch)? > 0 {
        settled.extend(batch.drain(..).filter_map(|event| match event.kind {
            EventKind::Funding(record) => Some(record),
            _ => None,
        }));
    }
    Ok(settled)
}
