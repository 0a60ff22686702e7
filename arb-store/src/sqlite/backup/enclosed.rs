//! Files inside a backup: a table of pieces that a store in use does not have.
//!
//! Invariant: every piece has its checksum, and a file is whole when its pieces have its length.
//! Files appear in their folder all together, when all of them are on the disk.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use arb_core::StoreError;
use sqlx::{Row as _, SqliteConnection};

use super::super::cells::{int, invalid};
use super::super::error::{damaged, failed};
use super::{beside, unavailable};

const TABLE: &str = "backup_files";
/// Bytes of one piece.
const PIECE: u64 = 4 << 20;

/// A file that travels inside a backup; it is open, so it may be removed meanwhile.
#[derive(Debug)]
pub struct Enclosed {
    /// Its name in the folder it is restored to; a slash leads into a folder there.
    pub name: String,
    /// Its content, read from the beginning.
    pub file: File,
    /// How much of it belongs to the backup, bytes.
    pub length: u64,
}

/// Puts files into a backup.
pub(super) async fn enclose(
    conn: &mut SqliteConnection,
    files: Vec<Enclosed>,
) -> Result<(), StoreError> {
    let create = "CREATE TABLE backup_files (
        name TEXT NOT NULL, piece INTEGER NOT NULL, length INTEGER NOT NULL, crc INTEGER NOT NULL,
        bytes BLOB NOT NULL, PRIMARY KEY (name, piece)) STRICT";
    sqlx::query(create).execute(&mut *conn).await.map_err(failed)?;
    for Enclosed { name, mut file, length } in files {
        let (mut left, mut piece) = (length, 0_i64);
        loop {
            let mut bytes = Vec::new();
            let wanted = left.min(PIECE);
            let read = (&mut file).take(wanted).read_to_end(&mut bytes);
            read.map_err(unavailable(Path::new(&name)))?;
            if bytes.len() as u64 != wanted {
                let what = format!("ends {} bytes too early", left - bytes.len() as u64);
                return Err(invalid(TABLE, name, what));
            }
            let row = sqlx::query("INSERT INTO backup_files VALUES (?, ?, ?, ?, ?)");
            let row = row.bind(&name).bind(piece).bind(int(TABLE, length)?);
            let row = row.bind(i64::from(crc32fast::hash(&bytes))).bind(bytes);
            row.execute(&mut *conn).await.map_err(failed)?;
            left -= wanted;
            piece += 1;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn has_some(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    let found = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'backup_files'";
    let count: i64 = sqlx::query_scalar(found).fetch_one(conn).await.map_err(failed)?;
    Ok(count > 0)
}

/// The names of the files inside, with their lengths.
async fn files(conn: &mut SqliteConnection) -> Result<Vec<(String, u64)>, StoreError> {
    if !has_some(conn).await? {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, length FROM backup_files WHERE piece = 0 ORDER BY name")
            .fetch_all(conn)
            .await
            .map_err(failed)?;
    Ok(rows.into_iter().map(|(name, length)| (name, length.unsigned_abs())).collect())
}

/// Reads a file piece by piece, checked.
async fn read(
    conn: &mut SqliteConnection,
    (name, length): (&str, u64),
    mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let broken = |what: String| damaged(TABLE, format!("{name}: {what}"));
    let (mut read, mut piece) = (0, 0_i64);
    while read < length {
        let row = sqlx::query("SELECT crc, bytes FROM backup_files WHERE name = ? AND piece = ?");
        let row = row.bind(name).bind(piece).fetch_optional(&mut *conn).await.map_err(failed)?;
        let row = row.ok_or_else(|| broken(format!("piece {piece} is missing")))?;
        let crc: i64 = row.try_get(0).map_err(failed)?;
        let bytes: &[u8] = row.try_get(1).map_err(failed)?;
        if i64::from(crc32fast::hash(bytes)) != crc || bytes.is_empty() {
            return Err(broken(format!("the checksum of piece {piece} differs")));
        }
        take(bytes)?;
        read += bytes.len() as u64;
        piece += 1;
    }
    if read == length { Ok(()) } else { Err(broken(format!("{read} bytes, {length} expected"))) }
}

/// Reads all files inside and tells how many there are.
pub(super) async fn check(conn: &mut SqliteConnection) -> Result<u64, StoreError> {
    let files = files(conn).await?;
    for (name, length) in &files {
        read(conn, (name, *length), |_| Ok(())).await?;
    }
    Ok(files.len() as u64)
}

/// Writes the files into a folder, which must not exist, and takes them out of the store.
pub(super) async fn extract(conn: &mut SqliteConnection, into: &Path) -> Result<(), StoreError> {
    let partial = beside(into, ".partial");
    // What an extraction that was cut off left behind is only a part.
    let _ = std::fs::remove_dir_all(&partial);
    for (name, length) in files(conn).await? {
        let path = partial.join(&name);
        let is_inside = Path::new(&name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_inside {
            return Err(invalid(TABLE, name, "leads out of its folder".to_owned()));
        }
        let folder = path.parent().unwrap_or(&partial);
        std::fs::create_dir_all(folder).map_err(unavailable(folder))?;
        let mut file = File::create_new(&path).map_err(unavailable(&path))?;
        let write = |bytes: &[u8]| file.write_all(bytes).map_err(unavailable(&path));
        read(conn, (&name, length), write).await?;
        file.sync_all().map_err(unavailable(&path))?;
        File::open(folder).and_then(|f| f.sync_all()).map_err(unavailable(folder))?;
    }
    for statement in ["DROP TABLE backup_files", "VACUUM"] {
        sqlx::query(statement).execute(&mut *conn).await.map_err(failed)?;
    }
    std::fs::rename(&partial, into).map_err(unavailable(into))
}
