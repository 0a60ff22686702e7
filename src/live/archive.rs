//! Archive files that somebody has, brought into a store.
//!
//! Invariant: a file beside which a checksum lies is used when it fits and refused, with both
//! names, when it does not. Reading a file again changes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use arb_core::port::{Catalog, InstrumentStore as _, MarketStore as _, TapeStore as _};
use arb_core::{Event, EventKind, Instrument, InstrumentId, Market, Trade, symbol_flaw};
use arb_store::sqlite::SqliteStore;
use arb_store::tape::{
    Counts, Gaps, Source, SourceKind, Tape, TapeError, TapeOptions, counts_of, infer_steps,
    kind_of, symbol_of,
};
use sha2::{Digest as _, Sha256};

use super::LiveError;

/// Trades that are stored together: whole chunks.
const AT_ONCE: usize = 12 * 4_096;
/// Rows that tell tick and lot of an instrument nobody has registered.
const STEP_ROWS: usize = 10_000;
const ENDINGS: [&str; 4] = ["zip", "csv", "gz", "arbt"];

/// Why an archive file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The content is not what its checksum names.
    #[error(
        "{file} has SHA-256 {found}, {checksum} names {named}: the file is damaged or another one; \
         download it again"
    )]
    Checksum {
        /// The archive.
        file: PathBuf,
        /// The file with its checksum.
        checksum: PathBuf,
        /// What the archive has.
        found: String,
        /// What it should have.
        named: String,
    },
    /// No symbol is told by the name, and none was given.
    #[error("{file}: the name says no symbol; name one, or call it SYMBOL-…")]
    Symbol {
        /// The archive.
        file: PathBuf,
    },
    /// Ids of single trades are no ids of aggregate trades.
    #[error(
        "{file}: counts single trades, and a store counts aggregate ones; use the aggTrades \
         archive of the same day"
    )]
    SingleTrades {
        /// The archive.
        file: PathBuf,
    },
    /// A file's rows cannot be used.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// What was brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Files read.
    pub files: u64,
    /// Files whose checksum was compared.
    pub verified: u64,
    /// Files of symbols nobody asked for.
    pub skipped: u64,
    /// Trades read; those stored before are among them.
    pub trades: u64,
    /// Settlements, open interest, ratios and liquidations read.
    pub others: u64,
}

/// The archive files among files and folders, in the order of their names.
///
/// # Errors
/// [`ArchiveError::Io`] where one cannot be read.
pub fn archive_files(given: &[PathBuf]) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut found = Vec::new();
    for path in given {
        let named = |source| ArchiveError::Io { file: path.clone(), source };
        if !std::fs::metadata(path).map_err(named)?.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(named)?;
        let mut inside: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(named)?;
        inside.retain(|path| path.is_dir() || is_archive(path));
        inside.sort();
        found.extend(archive_files(&inside)?);
    }
    Ok(found)
}

fn is_archive(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|e| ENDINGS.contains(&e))
}

/// Compares a file with the checksum beside it; false where none lies there.
///
/// # Errors
/// [`ArchiveError::Checksum`] when they differ, [`ArchiveError::Io`].
pub fn verify_checksum(file: &Path) -> Result<bool, ArchiveError> {
    let mut name = file.as_os_str().to_owned();
    name.push(".CHECKSUM");
    let checksum = PathBuf::from(name);
    let named = match std::fs::read_to_string(&checksum) {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(ArchiveError::Io { file: checksum, source }),
    };
    let io = |source| ArchiveError::Io { file: file.to_owned(), source };
    let found = sha256_of(file).map_err(io)?;
    if found == named {
        return Ok(true);
    }
    Err(ArchiveError::Checksum { file: file.to_owned(), checksum, found, named })
}

fn sha256_of(file: &Path) -> io::Result<String> {
    use std::fmt::Write as _;
    let (mut file, mut hash) = (File::open(file)?, Sha256::new());
    let mut piece = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        hash.update(piece.get(..count).unwrap_or_default());
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Whose archive a file is: what a tape says, else the beginning of its name.
fn owner(file: &Path) -> Result<Option<String>, ArchiveError> {
    if let Some(symbol) = symbol_of(file)? {
        return Ok(Some(symbol));
    }
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let symbol = name.split(['-', '.', '_']).next().unwrap_or_default();
    let is_symbol = symbol_flaw(symbol).is_none() && symbol.len() >= 5;
    Ok(is_symbol.then(|| symbol.to_owned()))
}

/// Files by the symbol they belong to, of the symbols that are wanted; none wants all. Tells how
/// many others there are.
///
/// # Errors
/// [`ArchiveError::Symbol`] for a file of which nobody knows whose it is.
fn by_symbol(
    files: &[PathBuf],
    wanted: &[String],
) -> Result<(BTreeMap<String, Vec<PathBuf>>, u64), ArchiveError> {
    let (mut all, mut skipped) = (BTreeMap::<String, Vec<PathBuf>>::new(), 0);
    for file in files {
        let only = match wanted {
            [only] => Some(only.clone()),
            _ => None,
        };
        let symbol = owner(file)?.or(only);
        let symbol = symbol.ok_or_else(|| ArchiveError::Symbol { file: file.clone() })?;
        if wanted.is_empty() || wanted.contains(&symbol) {
            all.entry(symbol).or_default().push(file.clone());
        } else {
            skipped += 1;
        }
    }
    Ok((all, skipped))
}

/// Brings archive files of perpetuals into a store; `told` hears bytes read and in all.
///
/// # Errors
/// [`LiveError::Archive`] with the file, [`LiveError::Store`] when a trade is stored with another
/// content or the store cannot be written.
pub async fn import_archives(
    store: &SqliteStore,
    given: &[PathBuf],
    wanted: &[String],
    told: &(dyn Fn(u64, u64) + Sync),
) -> Result<ImportReport, LiveError> {
    let files = archive_files(given)?;
    let (all, skipped) = by_symbol(&files, wanted)?;
    let mut report = ImportReport { skipped, ..ImportReport::default() };
    for (symbol, files) in &all {
        let mut sources = Vec::new();
        for file in files {
            report.verified += u64::from(verify_checksum(file)?);
            report.files += 1;
            sources.push(source(symbol, file)?);
        }
        let catalog = registered(store, symbol, &sources).await?;
        import(store, &catalog, &sources, &mut report, told).await?;
    }
    Ok(report)
}

fn source(symbol: &str, file: &Path) -> Result<Source, ArchiveError> {
    let kind = kind_of(file)?;
    if kind == SourceKind::Trades && counts_of(file)? == Some(Counts::SingleTrades) {
        return Err(ArchiveError::SingleTrades { file: file.to_owned() });
    }
    let (symbol, path) = (symbol.to_owned(), file.to_owned());
    Ok(Source { instrument: InstrumentId(0), symbol, kind, path })
}

/// The instrument as the store knows it; else with the steps that its trades show.
async fn registered(
    store: &SqliteStore,
    symbol: &str,
    sources: &[Source],
) -> Result<Catalog, LiveError> {
    let known = store.catalog().await?;
    let of = known.iter().find(|(_, i)| i.market == Market::Um && i.symbol == symbol);
    if let Some((_, instrument)) = of {
        return Ok(store.register(std::slice::from_ref(instrument)).await?);
    }
    let trades = sources.iter().find(|source| source.kind == SourceKind::Trades);
    let (tick, lot) = match trades {
        Some(source) => infer_steps(&source.path, STEP_ROWS).map_err(ArchiveError::Tape)?,
        None => Default::default(),
    };
    Ok(store.register(&[Instrument::perpetual(symbol, tick, lot)]).await?)
}

async fn import(
    store: &SqliteStore,
    catalog: &Catalog,
    sources: &[Source],
    report: &mut ImportReport,
    told: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), LiveError> {
    let options = TapeOptions { gaps: Gaps::Announce, from: None, to: None };
    let tape = Tape::open(sources, options).map_err(ArchiveError::Tape)?;
    let total = tape.total_bytes();
    let mut tape = tape.read_ahead().map_err(ArchiveError::Tape)?;
    let (mut batch, mut trades, mut others) = (Vec::new(), Vec::<Trade>::new(), Vec::new());
    while tape.next_batch(&mut batch).map_err(ArchiveError::Tape)? > 0 {
        for event in batch.drain(..) {
            match event.kind {
                EventKind::Trade(trade) => trades.push(trade),
                EventKind::Funding(_) | EventKind::Input(_) => others.push(event),
                _ => {}
            }
        }
        if trades.len() >= AT_ONCE || others.len() >= AT_ONCE {
            put(store, catalog, &mut trades, &mut others, report).await?;
            told(tape.bytes_read(), total);
        }
    }
    put(store, catalog, &mut trades, &mut others, report).await?;
    told(total, total);
    Ok(())
}

async fn put(
    store: &SqliteStore,
    catalog: &Catalog,
    trades: &mut Vec<Trade>,
    others: &mut Vec<Event>,
    report: &mut ImportReport,
) -> Result<(), LiveError> {
    store.import_trades(catalog, trades).await?;
    store.append_market(catalog, others).await?;
    report.trades += trades.len() as u64;
    report.others += others.len() as u64;
    trades.clear();
    others.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_beside_a_file_must_fit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("BTCUSDT-aggTrades-2026-11-01.zip");
        std::fs::write(&file, "abc").unwrap();
        assert!(!verify_checksum(&file).unwrap(), "there is none");
        let checksum = folder.path().join("BTCUSDT-aggTrades-2026-11-01.zip.CHECKSUM");
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        std::fs::write(&checksum, format!("{right}  BTCUSDT-aggTrades-2026-11-01.zip\n")).unwrap();
        assert!(verify_checksum(&file).unwrap());
        std::fs::write(&file, "abd").unwrap();
        let text = verify_checksum(&file).unwrap_err().to_string();
        assert!(text.contains(".zip has") && text.contains(".zip.CHECKSUM names"), "{text}");
    }

    #[test]
    fn files_are_found_in_folders_and_brought_under_their_symbols() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep");
        std::fs::create_dir(&deep).unwrap();
        for name in ["ETHUSDT-aggTrades-1.csv", "deep/BTCUSDT-x.csv", "a.csv", "x.CHECKSUM"] {
            std::fs::write(folder.path().join(name), "agg_trade_id\n").unwrap();
        }
        let files = archive_files(&[folder.path().to_owned()]).unwrap();
        assert_eq!(files.len(), 3);
        let btc = ["BTCUSDT".to_owned()];
        let (all, skipped) = by_symbol(&files, &btc).unwrap();
        assert_eq!((all["BTCUSDT"].len(), skipped), (2, 1), "a.csv is of the only symbol");
        let error = by_symbol(&files, &[]).unwrap_err().to_string();
        assert!(error.contains("a.csv"), "{error}");
    }
}
