//! Whether the folder can be written, has room, and holds a sound store and log.

use std::io::Write as _;
use std::path::Path;

use arb::port::Upkeep as _;
use arb::record::log::{LogView, is_log};
use arb::sqlite::SqliteOptions;

use super::Found;
use crate::terminal::{counted, grouped};

/// A disk with less is told of.
const LITTLE: u64 = 5_000_000_000;
/// A disk with less stops a node within hours.
const NEARLY_NONE: u64 = 200_000_000;

/// Looks at everything in the folder.
pub(super) async fn look(folder: &Path, deep: bool) -> Vec<Found> {
    vec![writable(folder), disk(folder), store(folder, deep).await, log(folder)]
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> &Path {
    let existing = folder.ancestors().find(|folder| folder.exists());
    existing.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Really writes a file, durably, and removes it.
fn writable(folder: &Path) -> Found {
    let place = existing(folder);
    let name = place.display();
    let tried = || -> std::io::Result<()> {
        if !place.is_dir() {
            return Err(std::io::Error::other("is no folder"));
        }
        let mut file = tempfile::Builder::new().prefix(".arb-doctor-").tempfile_in(place)?;
        file.write_all(&[0; 4_096])?;
        file.as_file().sync_all()?;
        file.close()
    };
    match tried() {
        Ok(()) => Found::well("folder", format!("{name} can be written")),
        Err(error) => {
            let remedy = "make it writable for this user, or name another folder with --data";
            Found::bad("folder", format!("{name} cannot be written: {error}"), remedy)
        }
    }
}

fn disk(folder: &Path) -> Found {
    let folder = existing(folder);
    let name = folder.display();
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MB free at {name}", grouped(free / 1_000_000));
            let usual = "a node of four symbols writes about 1 GB a day";
            match free {
                LITTLE.. => Found::well("disk", text),
                NEARLY_NONE.. => Found::note("disk", text, usual),
                _ => Found::bad("disk", text, format!("make room: {usual}")),
            }
        }
        Err(error) => Found::bad("disk", format!("{name}: {error}"), "name another folder"),
    }
}

async fn store(folder: &Path, deep: bool) -> Found {
    const CHECK: &str = "store";
    let file = folder.join("arb.db");
    let name = file.display().to_string();
    if !file.exists() {
        return Found::well(CHECK, format!("{name}: none yet, arb run makes it"));
    }
    let remedy = "arb restore brings a backup into a new folder";
    let bad = |what: String| Found::bad(CHECK, format!("{name}: {what}"), remedy);
    let store = match SqliteOptions::new(file).open_read_only().await {
        Ok(store) => store,
        Err(error) => return bad(error.to_string()),
    };
    if !deep {
        store.close().await;
        return Found::well(CHECK, format!("{name} opens; --deep reads all of it"));
    }
    let checked = store.check().await;
    store.close().await;
    match checked {
        Ok(report) if report.findings.is_empty() => {
            let trades = counted(report.trades, "trade");
            let holes = u64::try_from(report.holes.len()).unwrap_or(u64::MAX);
            Found::well(CHECK, format!("{name}: {trades}, {}, no damage", counted(holes, "hole")))
        }
        Ok(report) => {
            let first = report.findings.first();
            bad(first.map(|f| format!("{}, {}: {}", f.table, f.key, f.what)).unwrap_or_default())
        }
        Err(error) => bad(error.to_string()),
    }
}

fn log(folder: &Path) -> Found {
    let folder = folder.join("log");
    let name = folder.display();
    if !is_log(&folder) {
        return Found::well("log", format!("{name}: none yet, arb run makes it"));
    }
    match LogView::open(&folder) {
        Ok(_) => Found::well("log", format!("{name} can be read to its end")),
        Err(error) => {
            let remedy = "keep the folder for whoever looks into it, and start from a backup, or \
                          anew in another folder";
            Found::bad("log", error.to_string(), remedy)
        }
    }
}
