//! What SQLite's codes mean to a caller.

use arb_core::StoreError;

/// SQLite's primary result codes that have a meaning of their own here.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;
/// Extended codes of a key that exists.
const UNIQUE: u32 = 2067;
const PRIMARY_KEY: u32 = 1555;

/// The extended result code, where SQLite itself failed.
fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// The store error of a failed statement.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let Some(code) = code(&error) else {
        return match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                StoreError::Unavailable(Box::new(error))
            }
            other => StoreError::Backend(Box::new(other)),
        };
    };
    match code & 0xff {
        BUSY | LOCKED | CANTOPEN | IOERR => StoreError::Unavailable(Box::new(error)),
        READONLY => StoreError::ReadOnly(error.to_string()),
        FULL => StoreError::Full(Box::new(error)),
        CORRUPT | NOTADB => damaged("file", error.to_string()),
        _ => StoreError::Backend(Box::new(error)),
    }
}

/// Whether another process holds a lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code & 0xff, BUSY | LOCKED))
}

/// Turns a key that exists into a conflict.
pub(super) fn taken(table: &'static str, key: &str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match code(&error) {
        Some(UNIQUE | PRIMARY_KEY) => {
            StoreError::Conflict { table, key: key.to_owned(), what: "exists already".to_owned() }
        }
        _ => failed(error),
    }
}

/// Damage of the file itself.
pub(super) fn damaged(key: &str, what: String) -> StoreError {
    StoreError::Corrupt { table: "file", key: key.to_owned(), what }
}
