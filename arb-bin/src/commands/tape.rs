//! `arb tape`: tapes, columnar files that hold a market, and recorded trades from a seed.

mod export;
mod generate;
mod import;
mod info;

use std::path::Path;

use anyhow::Result;

use self::export::Export;
use self::generate::Generate;
use self::import::Import;
use self::info::{Info, Verify};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make one tape of archive files
    Import(Import),
    /// Make a tape of what a node stored of one market
    Export(Export),
    /// What a tape holds, from its head and its index
    Info(Info),
    /// Read every row of a tape against its checksums
    Verify(Verify),
    /// Generate aggregate trades of a BTCUSDT-like perpetual
    Gen(Generate),
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => info::verify(args),
        Command::Gen(args) => generate::run(args),
    }
}

/// The ending of a file's name, in lower case.
fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}
