//! What can be wrong with a recorded file, and where.
//!
//! Invariant: an error of a row names `FILE:LINE: field: what is wrong, and what is allowed`; an
//! error of the bytes names the file. Nobody has to open a debugger to find a bad row in a
//! gigabyte.

use std::fmt;
use std::io;
use std::sync::Arc;

use arb_core::{Hole, Timestamp};

/// A line of a file; prints as `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, with the member's name behind it where a zip has several.
    pub file: Arc<str>,
    /// The line, counted from 1 and with the header; of an `.arbt` tape the row of its table.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A part of an `.arbt` tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapePart {
    /// The beginning, which says whose tape it is.
    Head,
    /// A block, counted from 0.
    Block {
        /// Its number.
        number: usize,
        /// What it holds.
        table: &'static str,
    },
    /// The end, which says where what is.
    Index,
}

impl fmt::Display for TapePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Block { number, table } => write!(f, "block {number} ({table})"),
            Self::Index => f.write_str("index"),
        }
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
    /// A part of an `.arbt` tape cannot be used.
    #[error("{file}: {part} at byte {offset}: {what}")]
    Tape {
        /// The file.
        file: Arc<str>,
        /// The part.
        part: TapePart,
        /// Where the part begins in the file.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A tape holds another instrument.
    #[error("{file}: holds {found}, not {wanted}; give the file under its own symbol")]
    Symbol {
        /// The file.
        file: Arc<str>,
        /// The symbol in its head.
        found: String,
        /// The symbol it was given for.
        wanted: String,
    },
    /// Two sources give the same period of something whose rows have no identity.
    #[error("{file}: {table} from {start} on are in {other} too; give each period once")]
    Overlap {
        /// The later source.
        file: Arc<str>,
        /// The one before it.
        other: Arc<str>,
        /// What overlaps.
        table: &'static str,
        /// Where the later one begins.
        start: Timestamp,
    },
    /// A row that may not come next in the tape being written.
    #[error("{file}: {table}: {what}; rows must come in order")]
    Order {
        /// The file.
        file: Arc<str>,
        /// The table.
        table: &'static str,
        /// What is out of order.
        what: &'static str,
    },
    /// A tape cannot be written.
    #[error("{file}: cannot be written: {source}")]
    Write {
        /// The file.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
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
