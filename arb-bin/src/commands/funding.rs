//! `arb funding`: statistics of settled funding rates.
//!
//! Invariant: every settlement of the files counts once, whatever their order and overlap.

mod json;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use arb::stats::{FundingStats, FundingTotals};
use arb::tape::{Gaps, Source, SourceKind, Tape, TapeOptions, symbol_of};
use arb::{EventKind, InstrumentId, Timestamp};

use super::usage;
use crate::market_data::{NamedFile, instant, symbol};
use crate::output::{self, OutFile};
use crate::terminal::Style;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sums, means and annualised rates by symbol and year
    Stats(Stats),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stats {
    /// Files of settled rates (.csv, .zip, .gz, .arbt); SYMBOL=FILE where the name does not tell it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<NamedFile>,
    /// Only this symbol; also that of files whose name tells none
    #[arg(long, value_parser = symbol)]
    symbol: Option<String>,
    /// As it was then: 2024-08-08, RFC 3339 or epoch ms; later settlements are left out
    #[arg(long, value_parser = instant, value_name = "DATE")]
    as_of: Option<Timestamp>,
    /// Write the figures as JSON; `-` is stdout, and the tables go to stderr
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The figures of one symbol.
#[derive(Debug)]
struct Symbol {
    name: String,
    as_of: Timestamp,
    stats: FundingStats,
    seven_days: FundingTotals,
    year_to_date: FundingTotals,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let Command::Stats(args) = command;
    let inputs: Vec<output::Named<'_>> =
        args.files.iter().map(|file| ("FILE", file.path())).collect();
    let json = args.json.as_deref().map(|path| ("--json", path));
    output::check_distinct(&inputs, json.as_slice())?;
    let by_symbol = by_symbol(args)?;
    let json = json.map(|(flag, path)| OutFile::create(flag, path)).transpose()?;
    let mut symbols = Vec::new();
    for (name, paths) in by_symbol {
        symbols.push(read(name, paths, args.as_of)?);
    }
    // What pays best now comes first; a symbol without a recent settlement comes last.
    symbols.sort_by_key(|symbol| std::cmp::Reverse(symbol.seven_days.annualised()));
    show(&symbols, json)
}

fn show(symbols: &[Symbol], json: Option<OutFile>) -> Result<()> {
    let tables_on_stderr = json.as_ref().is_some_and(OutFile::is_stdout);
    if let Some(mut out) = json {
        out.json(&json::result(symbols))?;
        out.commit()?;
    }
    if tables_on_stderr {
        output::stderr(table::text(symbols, Style::of(&std::io::stderr())))
    } else {
        output::stdout(table::text(symbols, Style::of(&std::io::stdout())))
    }
}

/// The files of each symbol: as named, else as the archive names its files, else `--symbol`.
fn by_symbol(args: &Stats) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in &args.files {
        let told = file.symbol.clone().or_else(|| symbol_in_name(&file.path));
        let told = told.map_or_else(|| symbol_of(&file.path), |told| Ok(Some(told)))?;
        let Some(symbol) = told.or_else(|| args.symbol.clone()) else {
            let path = file.path.display();
            return usage(format!(
                "{path}: which symbol? give --symbol S, SYMBOL=FILE or a file SYMBOL-fundingRate…"
            ));
        };
        if args.symbol.as_ref().is_none_or(|only| *only == symbol) {
            files.entry(symbol).or_default().push(file.path.clone());
        }
    }
    match (&args.symbol, files.is_empty()) {
        (Some(symbol), true) => usage(format!("--symbol {symbol}: no file is of this symbol")),
        _ => Ok(files),
    }
}

/// `BTCUSDT` of `BTCUSDT-fundingRate-2024-08.csv`.
fn symbol_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.split_once("-fundingRate").map(|(symbol, _)| symbol.to_owned())
}

fn read(name: String, paths: Vec<PathBuf>, as_of: Option<Timestamp>) -> Result<Symbol> {
    let source = |path| Source {
        instrument: InstrumentId(0),
        symbol: name.clone(),
        kind: SourceKind::Funding,
        path,
    };
    let sources: Vec<Source> = paths.into_iter().map(source).collect();
    // A tape may hold trades too, and those may have holes.
    let options = TapeOptions { gaps: Gaps::Announce, ..TapeOptions::default() };
    let mut tape = Tape::open(&sources, options)?;
    let (mut stats, mut events) = (FundingStats::default(), Vec::new());
    while tape.next_batch(&mut events)? > 0 {
        for event in events.drain(..) {
            if let EventKind::Funding(settled) = event.kind
                && as_of.is_none_or(|as_of| settled.funding_time <= as_of)
            {
                stats.add(settled.funding_time, settled.rate)?;
            }
        }
    }
    let Some(last) = stats.last() else {
        bail!("{name}: no settlement up to {}", as_of.unwrap_or(Timestamp::MAX));
    };
    let as_of = as_of.unwrap_or(last.time);
    let seven_days = stats.seven_days(as_of).unwrap_or_default();
    let year_to_date = stats.year_to_date(as_of).unwrap_or_default();
    Ok(Symbol { name, as_of, stats, seven_days, year_to_date })
}
