//! A whole node as one file, also while it runs, and back.
//!
//! Invariant: a restored folder starts: its log reaches as far as its store, and begins with a
//! state that is no newer. What had been under way follows from there, as after a kill.

use std::path::Path;

use arb_core::port::BookStore as _;
use arb_core::{RunId, StoreError};
use arb_store::sqlite::{self, BackupReport, Enclosed, SqliteOptions};

use super::{LiveError, RUN_KEY, STORE_FILE};
use crate::node::{HeldState, STREAM};
use crate::record::log::{LogPart, is_log};

/// Copies the store of a folder, the newest state and the log behind it to one checked file.
///
/// # Errors
/// [`LiveError::Store`] when there is no store, the file exists or cannot be written,
/// [`LiveError::Node`] when the log cannot be read.
pub async fn backup(folder: &Path, file: &Path) -> Result<BackupReport, LiveError> {
    let store = SqliteOptions::new(folder.join(STORE_FILE)).open_read_only().await?;
    let log = folder.join("log");
    let run = store.setting(RUN_KEY).await?;
    let run: Option<RunId> = run.and_then(|setting| setting.value.parse().ok());
    let cursor = store.cursor(STREAM).await?;
    let held = match run.filter(|_| is_log(&log)) {
        Some(run) => Some(HeldState::take(&log, run, cursor.map_or(0, |cursor| cursor.seq))?),
        None => None,
    };
    let enclose = move || match held {
        Some(held) => {
            let parts = held.with_log().map_err(|e| StoreError::Backend(Box::new(e)))?;
            Ok(parts.into_iter().map(enclosed).collect())
        }
        None => Ok(Vec::new()),
    };
    let report = store.backup_with(file, enclose).await;
    store.close().await;
    Ok(report?)
}

fn enclosed(LogPart { name, file, length }: LogPart) -> Enclosed {
    Enclosed { name, file, length }
}

/// Makes a folder of a backup; a node that is started there goes on from it. Two nodes of one
/// backup are the same run: only one of them may trade.
///
/// # Errors
/// [`LiveError::Store`] when the folder has a store or a log, or the backup is damaged,
/// [`LiveError::Folder`] when the folder cannot be made.
pub async fn restore(file: &Path, folder: &Path) -> Result<BackupReport, LiveError> {
    let named = |source| LiveError::Folder { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(named)?;
    let (store, log) = (folder.join(STORE_FILE), folder.join("log"));
    Ok(sqlite::restore(file, &store, &log).await?)
}
