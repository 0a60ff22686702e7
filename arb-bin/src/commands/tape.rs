//! `arb tape`: recorded trades from a seed.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::usage;
use crate::output::OutFile;
use crate::progress::Progress;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Generate aggregate trades of a BTCUSDT-like perpetual as archive CSV
    Gen(Gen),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Gen {
    /// The same seed gives the same trades, on every machine
    #[arg(long)]
    seed: u64,
    /// Number of trades; about 25 a second
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    trades: u64,
    /// Where to write, packed if it ends in .gz; `-` is stdout
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let Command::Gen(args) = command;
    let ending = args.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut out = OutFile::create("--out", &args.out)?;
    match ending.to_ascii_lowercase().as_str() {
        "zip" => {
            return usage("--out: zip files are read, not written; .csv and .csv.gz are allowed");
        }
        "gz" => {
            let mut packed = GzEncoder::new(out, Compression::default());
            write(args, &mut packed)?;
            out = packed.finish()?;
        }
        _ => write(args, &mut out)?,
    }
    out.commit()
}

fn write(args: &Gen, out: &mut impl Write) -> Result<()> {
    out.write_all(CSV_HEADER.as_bytes())?;
    let progress = Progress::new(args.trades);
    let mut line = Vec::new();
    let count = usize::try_from(args.trades)?;
    let trades = TapeGenerator::new(GeneratorConfig::btcusdt(args.seed)).take(count);
    for (done, trade) in (0_u64..).zip(trades) {
        line.clear();
        csv_line(&trade, &mut line);
        out.write_all(&line)?;
        if done.is_multiple_of(65_536) {
            progress.set(done);
        }
    }
    Ok(())
}
