//! `arb doctor`: whether a node could run here, and what to do where it could not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use arb::live::{Addresses, ClockReading, probe};
use arb::node::WallClock;
use arb::port::{Clock, Upkeep as _};
use arb::sqlite::SqliteOptions;

use super::live::block_on;
use crate::config::data_folder;
use crate::output;
use crate::terminal::{Style, counted, grouped};

/// A disk with less is told of.
const LITTLE: u64 = 5_000_000_000;
/// A clock this wrong is corrected, and told of.
const WRONG_MS: i64 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a node
    #[arg(long)]
    data: Option<PathBuf>,
    /// The line of a simulated venue instead of the exchange
    #[arg(long, value_name = "FILE")]
    venue_json: Option<PathBuf>,
    /// Read the whole store, which takes its time
    #[arg(long)]
    deep: bool,
}

/// What a look at one thing found.
enum Found {
    Well(String),
    /// It works, and something should be known.
    Note(String, String),
    Bad(String, String),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = data_folder(args.data.as_deref())?;
    block_on(async {
        let mut all = venue(args).await?;
        all.push(("disk", disk(&folder)));
        all.push(("store", store(args, &folder).await));
        let style = Style::of(&std::io::stdout());
        let mut bad = 0_u64;
        for (what, found) in &all {
            let (mark, text, remedy) = match found {
                Found::Well(text) => (style.paint("32", "well"), text, None),
                Found::Note(text, remedy) => (style.paint("33", "note"), text, Some(remedy)),
                Found::Bad(text, remedy) => {
                    bad += 1;
                    (style.paint("31", "bad "), text, Some(remedy))
                }
            };
            let remedy = remedy.map(|r| format!("\n             → {r}")).unwrap_or_default();
            output::stdout(format_args!("{mark}  {what:<6} {text}{remedy}\n"))?;
        }
        if bad > 0 {
            anyhow::bail!("{} found; see above", counted(bad, "problem"));
        }
        Ok(())
    })
}

async fn venue(args: &Args) -> Result<Vec<(&'static str, Found)>> {
    let (addresses, clock): (_, Arc<dyn Clock>) = match &args.venue_json {
        Some(file) => super::run::simulated(file).await?,
        None => (Addresses::production(), Arc::new(WallClock)),
    };
    let address = addresses.futures_rest.clone();
    Ok(match probe(&addresses, clock).await {
        Ok(reading) => vec![
            ("venue", Found::Well(format!("{address} answers and serves this location"))),
            ("clock", clock_found(&reading)),
        ],
        Err(error) => {
            let remedy = "check the network, the firewall and that the venue serves this \
                          location; arb demo needs none of them";
            vec![("venue", Found::Bad(format!("{address}: {error}"), remedy.to_owned()))]
        }
    })
}

fn clock_found(reading: &ClockReading) -> Found {
    let ClockReading { offset_ms, uncertainty_ms } = *reading;
    let text = format!("{offset_ms} ms from the venue's, ± {uncertainty_ms} ms");
    if offset_ms.abs() <= WRONG_MS {
        return Found::Well(text);
    }
    Found::Note(text, "the node corrects it; set the machine's time by NTP all the same".to_owned())
}

fn disk(data: &Path) -> Found {
    let existing = data.ancestors().find(|folder| folder.exists());
    let folder = existing.filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MB free at {}", grouped(free / 1_000_000), folder.display());
            if free >= LITTLE {
                return Found::Well(text);
            }
            Found::Note(text, "a node of four symbols writes about 1 GB a day".to_owned())
        }
        Err(error) => Found::Bad(
            format!("{}: {error}", folder.display()),
            "name a folder that can be written with --data".to_owned(),
        ),
    }
}

async fn store(args: &Args, folder: &Path) -> Found {
    let file = folder.join("arb.db");
    if !file.exists() {
        return Found::Well(format!("{}: none yet, arb run makes it", file.display()));
    }
    let name = file.display().to_string();
    let remedy = || "arb restore brings a backup into a new folder".to_owned();
    let store = match SqliteOptions::new(file).open_read_only().await {
        Ok(store) => store,
        Err(error) => return Found::Bad(format!("{name}: {error}"), remedy()),
    };
    if !args.deep {
        store.close().await;
        return Found::Well(format!("{name} opens; --deep reads all of it"));
    }
    let checked = store.check().await;
    store.close().await;
    match checked {
        Ok(report) if report.findings.is_empty() => {
            let trades = counted(report.trades, "trade");
            let holes = u64::try_from(report.holes.len()).unwrap_or(u64::MAX);
            Found::Well(format!("{name}: {trades}, {}, no damage", counted(holes, "hole")))
        }
        Ok(report) => {
            let first = report.findings.first();
            let what = first.map(|f| format!("{}, {}: {}", f.table, f.key, f.what));
            Found::Bad(format!("{name}: {}", what.unwrap_or_default()), remedy())
        }
        Err(error) => Found::Bad(format!("{name}: {error}"), remedy()),
    }
}
