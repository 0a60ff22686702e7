//! `arb tape`: recorded trades from a seed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use arb::generator::{CSV_HEADER, GeneratorConfig, TapeGenerator, csv_line};

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
    #[arg(long)]
    trades: usize,
    /// Where to write; `-` is stdout
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let Command::Gen(args) = command;
    if args.out.as_os_str() == "-" {
        return write(args, std::io::stdout().lock());
    }
    let file = File::create(&args.out).with_context(|| args.out.display().to_string())?;
    write(args, file)
}

fn write(args: &Gen, out: impl Write) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, out);
    out.write_all(CSV_HEADER.as_bytes())?;
    let progress = Progress::new(args.trades as u64);
    let mut line = Vec::new();
    let trades = TapeGenerator::new(GeneratorConfig::btcusdt(args.seed)).take(args.trades);
    for (done, trade) in (0_u64..).zip(trades) {
        line.clear();
        csv_line(&trade, &mut line);
        out.write_all(&line)?;
        if done.is_multiple_of(65_536) {
            progress.set(done);
        }
    }
    Ok(out.flush()?)
}
