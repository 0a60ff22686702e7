//! The embedded store: one SQLite file, no server.
//!
//! Write-ahead log, `synchronous = NORMAL`: what was acknowledged survives the death of the
//! process; the loss of power may take the last transactions, whole, and the cursors with them, so
//! the log is projected again. One task writes, in batches; readers have connections of their own
//! and see whole transactions. Another process may open the same file; who finds it locked waits.
//!
//! Recent trades are rows, older ones are sealed into compressed chunks; a reader sees one tape.
//!
//! Invariant: an instrument is stored by its number in `instruments` and never by its index in this
//! process; every write is idempotent, and happens whole or not at all.

mod account;
mod backup;
mod book;
mod book_read;
mod cells;
mod check;
mod chunk;
mod desk;
mod error;
mod events;
mod insert;
mod instruments;
mod lease;
mod market;
mod requests;
mod schema;
mod sealed;
mod tape;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use arb_core::StoreError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::task::JoinHandle;

pub use self::backup::{BackupReport, Enclosed, restore};
use self::error::{damaged, failed, is_busy};
use self::writer::{Step, Writer};

/// How a store is opened.
///
/// ```
/// use arb_core::Instrument;
/// use arb_core::port::{InstrumentStore as _, TapeStore as _};
/// use arb_store::sqlite::SqliteOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let store = SqliteOptions::new(folder.path().join("arb.db")).open().await?;
/// let btc = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
/// let catalog = store.register(&[btc]).await?;
/// for (listed, instrument) in catalog.iter() {
///     let recorded = store.extent(listed.key).await?;
///     println!("{}: {recorded:?}", instrument.symbol);
/// }
/// store.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    file: PathBuf,
    busy_timeout: Duration,
    seal_after: Duration,
    readers: u32,
    max_pages: Option<u32>,
}

impl SqliteOptions {
    /// The file, with 10 s of patience for other processes, 4 readers, and trades sealed after a
    /// day.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            busy_timeout: Duration::from_secs(10),
            seal_after: Duration::from_hours(24),
            readers: 4,
            max_pages: None,
        }
    }

    /// How long a writer waits for a lock of another process.
    #[must_use]
    pub const fn busy_timeout(mut self, patience: Duration) -> Self {
        self.busy_timeout = patience;
        self
    }

    /// The age at which trades become chunks.
    #[must_use]
    pub const fn seal_after(mut self, age: Duration) -> Self {
        self.seal_after = age;
        self
    }

    /// Connections for reading, at least one.
    #[must_use]
    pub const fn readers(mut self, connections: u32) -> Self {
        self.readers = if connections == 0 { 1 } else { connections };
        self
    }

    /// The largest size of the file in pages of 4 KiB; beyond it writes fail as on a full disk.
    #[must_use]
    pub const fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.file)
            .busy_timeout(self.busy_timeout)
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .disable_statement_logging()
    }

    fn to_write(&self) -> SqliteConnectOptions {
        let options = self
            .connect()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-65536");
        match self.max_pages {
            Some(pages) => options.pragma("max_page_count", pages.to_string()),
            None => options,
        }
    }

    /// Opens the store, creating or migrating the file. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when a newer program wrote it, [`StoreError::Corrupt`] when it is no
    /// store, [`StoreError::ReadOnly`] when it may not be written, [`StoreError::Unavailable`] when
    /// it cannot be opened or another process keeps it locked.
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        let mut conn = self.connection(&self.to_write()).await?;
        schema::migrate(&mut conn, &self.file).await.map_err(|error| self.told(error))?;
        // SQLite opens a file it may not write without a word.
        if let Err(error @ StoreError::ReadOnly(_)) = schema::try_to_write(&mut conn).await {
            return Err(self.told(error));
        }
        let (writer, task) = Writer::start(conn);
        let readers = self.reader_pool();
        Ok(SqliteStore { options: self, readers, writer: Some(writer), task: Some(task) })
    }

    /// Opens an existing store for reading; writes fail with [`StoreError::ReadOnly`].
    ///
    /// # Errors
    /// As [`open`](Self::open); [`StoreError::Schema`] also when the file needs a migration.
    pub async fn open_read_only(self) -> Result<SqliteStore, StoreError> {
        let mut conn = self.connection(&self.connect().read_only(true)).await?;
        let found =
            schema::version(&mut conn, &self.file).await.map_err(|error| self.told(error))?;
        if found != schema::newest() {
            return Err(StoreError::Schema { found, own: schema::newest() });
        }
        drop(conn);
        let readers = self.reader_pool();
        Ok(SqliteStore { options: self, readers, writer: None, task: None })
    }

    fn reader_pool(&self) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(self.readers)
            .connect_lazy_with(self.connect().read_only(true))
    }

    /// Connects; switching a new file to its write-ahead log does not wait for locks by itself.
    async fn connection(
        &self,
        options: &SqliteConnectOptions,
    ) -> Result<SqliteConnection, StoreError> {
        const PAUSE: Duration = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        loop {
            match options.connect().await {
                Err(error) if is_busy(&error) && waited < self.busy_timeout => {
                    tokio::time::sleep(PAUSE).await;
                    waited += PAUSE;
                }
                other => return other.map_err(|error| self.told(failed(error))),
            }
        }
    }

    /// The error with the file's name.
    fn told(&self, error: StoreError) -> StoreError {
        let file = self.file.display().to_string();
        match error {
            StoreError::Corrupt { table: "file", what, .. } => damaged(&file, what),
            StoreError::ReadOnly(what) => StoreError::ReadOnly(format!("{file}: {what}")),
            StoreError::Unavailable(source) => {
                let text = source.to_string();
                let hint = match text.contains("unable to open") {
                    true => "; its folder must exist and be writable for this user",
                    false => "",
                };
                StoreError::Unavailable(format!("{file}: {text}{hint}").into())
            }
            other => other,
        }
    }
}

/// A store in one file; clone the `Arc` it is put into.
#[derive(Debug)]
pub struct SqliteStore {
    options: SqliteOptions,
    readers: SqlitePool,
    writer: Option<Writer>,
    task: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.options.file
    }

    /// Waits until everything handed over is written and the file is closed.
    pub async fn close(mut self) {
        self.readers.close().await;
        self.writer = None;
        if let Some(task) = self.task.take() {
            // It only fails by a panic, which has been reported where it happened.
            let _ = task.await;
        }
    }

    async fn write<I, T>(&self, input: I, step: Step<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.run(input, step).await,
            None => Err(StoreError::ReadOnly(format!(
                "{} was opened for reading",
                self.options.file.display()
            ))),
        }
    }

    /// A connection inside a transaction, so that several statements see one state.
    async fn read(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        self.readers.begin().await.map_err(failed)
    }
}
