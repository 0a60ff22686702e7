//! What can be wrong with a recorded file, and where.
//!
//! Invariant: an error of a row names `FILE:LINE: field: what is wrong, and what is allowed`; an
//! error of the bytes names the file. Nobody has to open a debugger to find a bad row in a
//! gigabyte.

use std::fmt;
use std::io;
use std::sync::Arc;

use arb_core::Hole;

/// A line of a file; prints as `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, with the member's name behind it where a zip has several.
    pub file: Arc<str>,
    /// The line, counted from 1 and with the header.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a tape cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapeError {
    /// The file cannot be opened or read.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// The packed data ends too early, as after an interrupted download.
    #[error("{file}: the {packing} data is truncated")]
    Truncated {
        /// The file.
        file: Arc<str>,
        /// `gzip` or `zip`.
        packing: &'static str,
    },
    /// The packed data contradicts itself.
    #[error("{file}: the {packing} data is damaged: {reason}")]
    Damaged {
        /// The file.
        file: Arc<str>,
        /// `gzip` or `zip`.
        packing: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// The archive is whole but holds nothing that can be read.
    #[error("{file}: {what}")]
    Unsupported {
        /// The file.
        file: Arc<str>,
        /// What it holds, and what is allowed.
        what: &'static str,
    },
    /// The file has no row.
    #[error("{file}: has no rows; at least one is needed")]
    Empty {
        /// The file.
        file: Arc<str>,
    },
    /// A row that cannot be used.
    #[error("{place}: {field}: {message}")]
    Row {
        /// Where.
        place: Place,
        /// The column as the header has it, or `header` or `row` for the whole line.
        field: Arc<str>,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// Two rows of the same identity with different content.
    #[error(
        "{place}: {field}: {key} is in {other} too, with another {difference}; \
         one {field} allows one content only"
    )]
    Conflict {
        /// The later row.
        place: Place,
        /// The row read before it.
        other: Place,
        /// The column that identifies a row, as the header has it.
        field: Arc<str>,
        /// Its value.
        key: String,
        /// What differs, with its values where they are short.
        difference: String,
    },
    /// The first hole of a tape that must have none.
    #[error(
        "{place}: id: {} to {} are missing ({} in all) between {} and {}; \
         --accept-gaps lets the run go on",
        hole.from_id, hole.to_id, hole.missing(), hole.start, hole.end
    )]
    Hole {
        /// The first row after the hole.
        place: Place,
        /// The missing trades.
        hole: Hole,
    },
}

/// What is wrong with a field, before the place is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) message: String,
}

impl Fault {
    /// Quotes the text and says what is wrong with it.
    #[cold]
    #[inline(never)]
    pub(super) fn of(field: &'static str, text: &[u8], what: impl fmt::Display) -> Self {
        const SHOWN: usize = 40;
        let shown = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text));
        let more = if text.len() > SHOWN { "…" } else { "" };
        Self { field, message: format!("\"{}\"{more} {what}", shown.escape_debug()) }
    }

    /// The error of the field under its own name.
    pub(super) fn at(self, place: Place) -> TapeError {
        let field = self.field.into();
        self.at_column(place, field)
    }

    /// The error of the field under the name it has in the file.
    pub(super) fn at_column(self, place: Place, field: Arc<str>) -> TapeError {
        TapeError::Row { place, field, message: self.message }
    }
}
