//! What `arb invite` and `arb user` share: the accounts in the folder of a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arb::accounts::{HashCost, Operator};
use arb::node::WallClock;
use arb::port::{Store, UserRole};
use arb::sqlite::{SqliteOptions, SqliteStore};

use super::live::block_on;
use super::usage;
use crate::config::data_folder;

/// Where the accounts are.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Folder of a node, running or stopped; the configured one, else arb-data
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Address of a database server instead of a folder
    #[arg(long, value_name = "URL", conflicts_with = "data", global = true)]
    database: Option<String>,
}

/// What becomes of a folder that has no store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It gets one, such as for the first admin.
    Made,
    /// It is told: there is nothing to change or to show.
    Refused,
}

/// Runs what is to be done to the accounts, and closes their store.
pub(super) fn with_accounts<T>(
    place: &Place,
    missing: Missing,
    what: impl AsyncFnOnce(&Operator) -> Result<T>,
) -> Result<T> {
    if place.database.is_some() {
        // The address may hold a password, so it is not repeated.
        return usage("--database: only folders with SQLite are supported now; use --data FOLDER");
    }
    let folder = data_folder(place.data.as_deref())?;
    block_on(async {
        let store = Arc::new(open(&folder, missing).await?);
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let operator = Operator::new(shared, Arc::new(WallClock), HashCost::default())?;
        let done = what(&operator).await;
        drop(operator);
        if let Some(store) = Arc::into_inner(store) {
            store.close().await;
        }
        done
    })
}

async fn open(data: &Path, missing: Missing) -> Result<SqliteStore> {
    let (file, folder) = (data.join("arb.db"), data.display());
    if !data.is_dir() {
        bail!("--data {folder}: there is no such folder; arb run --data {folder} makes it");
    }
    if missing == Missing::Refused && !file.is_file() {
        bail!("--data {folder}: there is no store in it; arb run --data {folder} makes it");
    }
    SqliteOptions::new(file).open().await.with_context(|| format!("--data {folder}"))
}

/// A role by its name.
pub(super) fn role(text: &str) -> Result<UserRole, String> {
    let known = UserRole::ALL.into_iter().find(|role| role.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = UserRole::ALL.into_iter().map(UserRole::as_str).collect();
        format!("{text:?} is no role; there are {}", names.join(", "))
    })
}
