//! `arb tape import`: archive files made into one tape.

use std::path::PathBuf;

use anyhow::Result;
use arb::tape::{self, Source, SourceKind, TapeHeader, kind_of};
use arb::{InstrumentId, Market};

use super::{ending, info};
use crate::commands::usage;
use crate::market_data::symbol;
use crate::output::{self, OutFile};
use crate::progress::Progress;
use crate::terminal::{Style, counted};

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// Where to write the tape, such as BTCUSDT.arbt; `-` is stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The venue's symbol
    #[arg(long, value_parser = symbol)]
    symbol: String,
    /// Where it is traded
    #[arg(long, value_enum, default_value_t = Venue::Um)]
    market: Venue,
    /// Files of one market (.csv, .zip, .gz, .arbt): trades, settled funding, metrics, marks,
    /// liquidations, klines; their columns tell which
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Klines of mark prices whose name does not say so
    #[arg(long, num_args = 1.., value_name = "FILE")]
    marks: Vec<PathBuf>,
    /// Klines of the premium index whose name does not say so
    #[arg(long, num_args = 1.., value_name = "FILE")]
    premium_klines: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Venue {
    /// USDⓈ-M perpetual futures
    Um,
    Spot,
}

pub(super) fn run(args: &Import) -> Result<()> {
    let sources = sources(args)?;
    if !output::is_stdout(&args.out) && ending(&args.out) != "arbt" {
        return usage("--out: a tape's name ends in .arbt");
    }
    let inputs: Vec<output::Named<'_>> =
        sources.iter().map(|source| ("INPUT", source.path.as_path())).collect();
    output::check_distinct(&inputs, &[("--out", &args.out)])?;
    let mut out = OutFile::create("--out", &args.out)?;
    let mut header = TapeHeader::new(&args.symbol);
    header.market = match args.market {
        Venue::Um => Market::Um,
        Venue::Spot => Market::Spot,
    };
    let (name, mut progress) = (args.out.to_string_lossy(), None);
    let imported = tape::import(&name, &mut out, header, &sources, |done, total| {
        progress.get_or_insert_with(|| Progress::new(total)).set(done);
    })?;
    drop(progress);
    out.commit()?;
    let duplicates = imported.stats.duplicates;
    if duplicates > 0 {
        output::note(format_args!("note: {} left out", counted(duplicates, "repeated row")));
    }
    // Standard output may be the tape itself.
    output::stderr(info::text(&imported.info, Style::of(&std::io::stderr())))
}

fn sources(args: &Import) -> Result<Vec<Source>> {
    let source = |kind, path: &PathBuf| Source {
        instrument: InstrumentId(0),
        symbol: args.symbol.clone(),
        kind,
        path: path.clone(),
    };
    let mut sources = Vec::new();
    for path in &args.inputs {
        sources.push(source(kind_of(path)?, path));
    }
    sources.extend(args.marks.iter().map(|path| source(SourceKind::Marks, path)));
    let premium = args.premium_klines.iter();
    sources.extend(premium.map(|path| source(SourceKind::PremiumKlines, path)));
    if sources.is_empty() {
        return usage("no INPUT; name files of trades, funding, metrics, marks or liquidations");
    }
    Ok(sources)
}
