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
    /// Address of a database instead of a folder: sqlite:FILE
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
    let at = place.find()?;
    block_on(async {
        let store = Arc::new(at.open(missing).await?);
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

/// A store's file, and the words in which it was asked for.
struct At {
    file: PathBuf,
    named: String,
}

impl Place {
    fn find(&self) -> Result<At> {
        let Some(address) = &self.database else {
            let folder = data_folder(self.data.as_deref())?;
            let named = format!("--data {}", folder.display());
            return Ok(At { file: folder.join("arb.db"), named });
        };
        // An address may hold a password, so it is not repeated.
        let Some(file) = address.strip_prefix("sqlite:") else {
            return usage(
                "--database: sqlite:FILE is allowed, or --data FOLDER; a server is not supported yet",
            );
        };
        let file = PathBuf::from(file.strip_prefix("//").unwrap_or(file));
        Ok(At { named: format!("--database sqlite:{}", file.display()), file })
    }
}

impl At {
    async fn open(&self, missing: Missing) -> Result<SqliteStore> {
        let Self { file, named } = self;
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let shown = folder.display();
        if !folder.is_dir() {
            bail!("{named}: there is no such folder; arb run --data {shown} makes it");
        }
        if missing == Missing::Refused && !file.is_file() {
            bail!("{named}: there is no store in it; arb run --data {shown} makes it");
        }
        SqliteOptions::new(file).open().await.with_context(|| named.clone())
    }
}

/// A role by its name.
pub(super) fn role(text: &str) -> Result<UserRole, String> {
    let known = UserRole::ALL.into_iter().find(|role| role.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = UserRole::ALL.into_iter().map(UserRole::as_str).collect();
        format!("{text:?} is no role; there are {}", names.join(", "))
    })
}
