//! The report of `--out`: checked before the run, written after it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use arb::report::BacktestReport;

/// Refuses a place that cannot hold a file, before a long run rather than after it.
pub(super) fn check(path: &Path) -> Result<()> {
    let name = || format!("--out {}", path.display());
    if path.is_dir() {
        anyhow::bail!("{}: is a folder; name a file in it", name());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let known = std::fs::metadata(folder.unwrap_or(Path::new("."))).with_context(name)?;
    if !known.is_dir() {
        anyhow::bail!("{}: its folder is a file", name());
    }
    Ok(())
}

pub(super) fn write(report: &BacktestReport, path: &Path) -> Result<()> {
    let name = || format!("--out {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(name)?);
    report.write_to(&mut out).with_context(name)?;
    out.flush().with_context(name)
}
