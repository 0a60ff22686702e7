//! `arb backup` and `arb restore`: a node's folder as one file, while the node runs.
//!
//! Invariant: neither writes over anything; a backup is checked before it takes its name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arb::live;
use arb::sqlite::BackupReport;

use super::live::block_on;
use crate::config::data_folder;
use crate::output;
use crate::terminal::{counted, grouped};

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// Folder of a node, running or stopped
    #[arg(long)]
    data: Option<PathBuf>,
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    /// Folder of a node, without a store
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn backup(args: &Backup) -> Result<()> {
    let folder = data_folder(args.data.as_deref())?;
    block_on(async {
        let named = || format!("--data {}", folder.display());
        let report = live::backup(&folder, &args.file).await.with_context(named)?;
        tell(&args.file, &report)
    })
}

pub(crate) fn restore(args: &Restore) -> Result<()> {
    let folder = data_folder(args.data.as_deref())?;
    block_on(async {
        let named = || format!("--data {}", folder.display());
        let report = live::restore(&args.file, &folder).await.with_context(named)?;
        tell(&folder, &report)
    })
}

fn tell(file: &Path, report: &BackupReport) -> Result<()> {
    let (size, trades) = (grouped(report.bytes), counted(report.check.trades, "trade"));
    let log = match report.enclosed {
        0 => "no log, because no node has run there".to_owned(),
        files => format!("the log in {}", counted(files, "file")),
    };
    output::stdout(format_args!("{}: {size} bytes, {trades}, {log}, checked\n", file.display()))
}
