//! Backup to a file, and back.
//!
//! Files that belong to the store travel inside the backup, in pieces with their checksums.
//!
//! Invariant: a backup or a restored store appears under its name only after it was checked and is
//! on disk; a name that is taken is never overwritten.

mod enclosed;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arb_core::StoreError;
use arb_core::port::CheckReport;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

pub use self::enclosed::Enclosed;
use super::cells::invalid;
use super::error::{damaged, failed};
use super::{SqliteOptions, SqliteStore, check, schema};

/// A backup that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Size of the file.
    pub bytes: u64,
    /// What the check found: no damage, perhaps holes.
    pub check: CheckReport,
    /// Files that travel inside.
    pub enclosed: u64,
}

fn unavailable(file: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{}: {error}", file.display()).into())
        }
        _ => StoreError::Unavailable(format!("{}: {error}", file.display()).into()),
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn refuse_taken(file: &Path) -> Result<(), StoreError> {
    for ending in ["", "-wal", "-shm"] {
        let taken = beside(file, ending);
        if taken.exists() {
            let what = "exists already; move it away first".to_owned();
            return Err(invalid("file", taken.display().to_string(), what));
        }
    }
    Ok(())
}

/// Checks a finished store file that nobody has open.
async fn checked(file: &Path) -> Result<BackupReport, StoreError> {
    let options = SqliteOptions::new(file);
    let connect = options.connect().read_only(true).immutable(true);
    let open = async {
        let mut conn = connect.connect().await.map_err(failed)?;
        let found = schema::version(&mut conn, file).await?;
        if found == 0 {
            let what = "holds no store".to_owned();
            return Err(damaged("", what));
        }
        let enclosed = enclosed::check(&mut conn).await?;
        Ok((check::check(&mut conn).await?, enclosed))
    };
    let (report, enclosed) = open.await.map_err(|error| options.told(error))?;
    if let Some(finding) = report.findings.first() {
        let what = format!("{}, {}: {}", finding.table, finding.key, finding.what);
        return Err(damaged(&file.display().to_string(), what));
    }
    let bytes = std::fs::metadata(file).map_err(unavailable(file))?.len();
    Ok(BackupReport { bytes, check: report, enclosed })
}

/// A connection to an unfinished file, without a second file beside it when it is closed.
async fn to_edit(partial: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteOptions::new(partial).connect().journal_mode(SqliteJournalMode::Delete);
    options.connect().await.map_err(failed)
}

/// Gives a finished file its name, durably.
async fn publish(partial: PathBuf, file: PathBuf) -> Result<(), StoreError> {
    let work = move || {
        File::open(&partial).and_then(|f| f.sync_all()).map_err(unavailable(&partial))?;
        // A hard link fails where a rename would overwrite.
        std::fs::hard_link(&partial, &file).map_err(unavailable(&file))?;
        std::fs::remove_file(&partial).map_err(unavailable(&partial))?;
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(unavailable(folder))
    };
    blocking(work).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Backend(Box::new(error))))
}

/// Runs `work` and removes the unfinished file when it fails.
async fn or_remove<T>(
    partial: &Path,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let outcome = work.await;
    if outcome.is_err() {
        // What cannot be removed is refused by name the next time.
        let _ = std::fs::remove_file(partial);
    }
    outcome
}

impl SqliteStore {
    /// Writes a compact copy of the store as it is now to `file`, while it is being used, and
    /// checks the copy.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when `file` exists, [`StoreError::Full`] or
    /// [`StoreError::Unavailable`] when it cannot be written, [`StoreError::Corrupt`] when the copy
    /// does not pass the check.
    pub async fn backup(&self, file: &Path) -> Result<BackupReport, StoreError> {
        self.backup_with(file, || Ok(Vec::new())).await
    }

    /// [`backup`](Self::backup) with files that belong to the store; they are asked for after the
    /// store was copied, so that they are at least as new.
    ///
    /// # Errors
    /// As [`backup`](Self::backup), and whatever `enclose` fails with.
    pub async fn backup_with(
        &self,
        file: &Path,
        enclose: impl FnOnce() -> Result<Vec<Enclosed>, StoreError> + Send + 'static,
    ) -> Result<BackupReport, StoreError> {
        refuse_taken(file)?;
        let partial = beside(file, ".partial");
        refuse_taken(&partial)?;
        let name = partial.to_str().ok_or_else(|| {
            let what = "is no UTF-8, which SQLite needs".to_owned();
            invalid("file", partial.display().to_string(), what)
        })?;
        or_remove(&partial, async {
            // A connection of its own: one that may only read cannot make a file either.
            let mut conn = self.options.connect().connect().await.map_err(failed)?;
            let copy = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut conn).await;
            copy.map_err(failed).map_err(|error| self.options.told(error))?;
            let files = blocking(enclose).await?;
            if !files.is_empty() {
                let mut conn = to_edit(&partial).await?;
                enclosed::enclose(&mut conn, files).await?;
                conn.close().await.map_err(failed)?;
            }
            let report = checked(&partial).await?;
            publish(partial.clone(), file.to_owned()).await?;
            Ok(report)
        })
        .await
    }
}

/// Makes a store of a backup: copies it to `file`, checks the copy, writes the files that travel
/// inside into the folder `into`, then gives it its name.
///
/// # Errors
/// [`StoreError::Invalid`] when `file` or, where files travel inside, `into` exists,
/// [`StoreError::Corrupt`] when the backup is damaged, [`StoreError::Schema`] when a newer program
/// made it, [`StoreError::Full`] or [`StoreError::Unavailable`] when a file cannot be read or
/// written.
pub async fn restore(backup: &Path, file: &Path, into: &Path) -> Result<BackupReport, StoreError> {
    refuse_taken(file)?;
    let partial = beside(file, ".partial");
    refuse_taken(&partial)?;
    or_remove(&partial, async {
        let (from, to) = (backup.to_owned(), partial.clone());
        blocking(move || std::fs::copy(&from, &to).map(|_| ()).map_err(unavailable(&from))).await?;
        let report = checked(&partial).await.map_err(|error| match error {
            StoreError::Corrupt { what, .. } => damaged(&backup.display().to_string(), what),
            other => other,
        })?;
        if report.enclosed > 0 {
            refuse_taken(into)?;
            let mut conn = to_edit(&partial).await?;
            enclosed::extract(&mut conn, into).await?;
            conn.close().await.map_err(failed)?;
        }
        publish(partial.clone(), file.to_owned()).await?;
        Ok(report)
    })
    .await
}
