//! `arb tape gen`: trades from a seed, as archive CSV or as a tape.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};
use arb::tape::{Counts, TapeHeader, TapeWriter};
use arb::{Price, Qty, Trade};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::ending;
use crate::commands::usage;
use crate::output::OutFile;
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Generate {
    /// The same seed gives the same trades, on every machine
    #[arg(long)]
    seed: u64,
    /// Number of trades; about 25 a second
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    trades: u64,
    /// Where to write: .csv, .csv.gz or .arbt; `-` is stdout
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn run(args: &Generate) -> Result<()> {
    let ending = ending(&args.out);
    if ending == "zip" {
        return usage(
            "--out: zip files are read, not written; .csv, .csv.gz and .arbt are allowed",
        );
    }
    let mut out = OutFile::create("--out", &args.out)?;
    match ending.as_str() {
        "gz" => {
            let mut packed = GzEncoder::new(out, Compression::default());
            csv(args, &mut packed)?;
            out = packed.finish()?;
        }
        "arbt" => out = tape(args, out)?,
        _ => csv(args, &mut out)?,
    }
    out.commit()
}

fn csv(args: &Generate, out: &mut impl Write) -> Result<()> {
    out.write_all(CSV_HEADER.as_bytes())?;
    let mut line = Vec::new();
    each(args, |trade| {
        line.clear();
        csv_line(trade, &mut line);
        Ok(out.write_all(&line)?)
    })
}

fn tape(args: &Generate, out: OutFile) -> Result<OutFile> {
    let mut header = TapeHeader::new("BTCUSDT");
    header.counts = Some(Counts::AggregateTrades);
    header.tick_size = Some("0.1".parse::<Price>()?);
    header.lot_size = Some("0.001".parse::<Qty>()?);
    header.sources = vec![format!("generator, seed {}", args.seed)];
    let mut writer = TapeWriter::new(&args.out.to_string_lossy(), out, header)?;
    each(args, |trade| Ok(writer.trade(trade)?))?;
    Ok(writer.finish()?.0)
}

fn each(args: &Generate, mut each: impl FnMut(&Trade) -> Result<()>) -> Result<()> {
    let progress = Progress::new(args.trades);
    let count = usize::try_from(args.trades)?;
    let trades = TapeGenerator::new(GeneratorConfig::btcusdt(args.seed)).take(count);
    for (done, trade) in (0_u64..).zip(trades) {
        each(&trade)?;
        if done.is_multiple_of(65_536) {
            progress.set(done);
        }
    }
    Ok(())
}
