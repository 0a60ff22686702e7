//! `arb backup` and `arb restore`: the store of a folder as one file, while a node runs.
//!
//! Invariant: neither writes over anything; a backup is checked before it takes its name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::sqlite::{self, BackupReport, SqliteOptions};

use super::live::block_on;
use crate::output;
use crate::terminal::{counted, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// Folder of a node, running or stopped
    #[arg(long, default_value = "arb-data")]
    data: PathBuf,
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    /// Folder of a node, without a store
    #[arg(long, default_value = "arb-data")]
    data: PathBuf,
}

pub(crate) fn backup(args: &Backup) -> Result<()> {
    block_on(async {
        let named = || format!("--data {}", args.data.display());
        let store = SqliteOptions::new(args.data.join("arb.db"));
        let store = store.open_read_only().await.with_context(named)?;
        let report = store.backup(&args.file).await?;
        store.close().await;
        tell(&args.file, &report)
    })
}

pub(crate) fn restore(args: &Restore) -> Result<()> {
    block_on(async {
        let named = || format!("--data {}", args.data.display());
        std::fs::create_dir_all(&args.data).with_context(named)?;
        let file = args.data.join("arb.db");
        tell(&file, &sqlite::restore(&args.file, &file).await?)
    })
}

fn tell(file: &Path, report: &BackupReport) -> Result<()> {
    let (size, trades) = (grouped(report.bytes), counted(report.check.trades, "trade"));
    output::stdout(format_args!("{}: {size} bytes, {trades}, checked\n", file.display()))
}
