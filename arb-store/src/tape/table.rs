//! A CSV text as rows of known columns.
//!
//! Invariant: the columns are found once, from the header or from the shape of the first row, and
//! every row has as many; a row that differs is an error that names its line. A first line none of
//! whose fields begins like a number is a header. Columns nobody asked for are not looked at.

use std::sync::Arc;

use super::bytes::{Consumed, Part};
use super::error::{Fault, Place, TapeError};
use super::fields::{Fields, MAX_COLUMNS};
use super::lines::{Extent, Lines};

/// A column that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Names it has in headers; the first is the one for messages.
    pub(super) names: &'static [&'static str],
    pub(super) need: Need,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

pub(super) const fn required(names: &'static [&'static str]) -> Wanted {
    Wanted { names, need: Need::Required }
}

pub(super) const fn optional(names: &'static [&'static str]) -> Wanted {
    Wanted { names, need: Need::Optional }
}

/// Where each wanted column is.
pub(super) type Columns<const N: usize> = [Option<usize>; N];

/// A kind of file.
pub(super) struct Format<const N: usize> {
    pub(super) wanted: [Wanted; N],
    /// The headers that a file without header may be meant by.
    pub(super) layouts: &'static [&'static str],
    /// Whether a first row fits the columns of a layout.
    pub(super) fits: fn(&Fields<'_>, &Columns<N>) -> bool,
}

/// The text of column `at` of the wanted ones; empty where the file lacks it.
#[inline]
pub(super) fn text<'a, const N: usize>(
    fields: &Fields<'a>,
    columns: &Columns<N>,
    at: usize,
) -> &'a [u8] {
    columns.get(at).copied().flatten().map_or(&[], |column| fields.get(column))
}

impl<const N: usize> Format<N> {
    fn by_header(&self, header: &Fields<'_>) -> Result<Columns<N>, Fault> {
        let mut columns = [None; N];
        for (slot, wanted) in columns.iter_mut().zip(&self.wanted) {
            let is_named = |field: &[u8]| {
                let name = field.trim_ascii();
                wanted.names.iter().any(|known| known.as_bytes() == name)
            };
            let mut places = header.iter().enumerate().filter(|(_, f)| is_named(f));
            *slot = places.next().map(|(column, _)| column);
            let known = wanted.names.join(", ");
            if slot.is_none() && wanted.need == Need::Required {
                let message = format!("has no column of the name {known}; one is needed");
                return Err(Fault { field: "header", message });
            }
            if places.next().is_some() {
                let message = format!("has two columns of the name {known}; one is allowed");
                return Err(Fault { field: "header", message });
            }
        }
        Ok(columns)
    }

    fn by_shape(&self, row: &Fields<'_>) -> Result<Columns<N>, Fault> {
        for layout in self.layouts {
            let header = Fields::split(layout.as_bytes());
            if header.count() == row.count() {
                let columns = self.by_header(&header)?;
                if (self.fits)(row, &columns) {
                    return Ok(columns);
                }
            }
        }
        let allowed = self.layouts.join(" | ");
        let message = format!(
            "{} columns fit no known layout; allowed are a header line or: {allowed}",
            row.count()
        );
        Err(Fault { field: "row", message })
    }
}

fn is_header(line: &Fields<'_>) -> bool {
    let begins_number = |field: &[u8]| {
        matches!(field.trim_ascii_start().first(), Some(b'0'..=b'9' | b'-' | b'+' | b'.'))
    };
    !line.iter().any(begins_number)
}

/// The rows of one part.
pub(super) struct Rows<const N: usize> {
    lines: Lines,
    columns: Columns<N>,
    count: usize,
    /// The header, which a text made of joined files repeats.
    header: Option<Box<[u8]>>,
    wanted: &'static [Wanted; N],
}

impl<const N: usize> Rows<N> {
    /// Opens the part and finds its columns; the next row is its first.
    pub(super) fn open(
        part: &Part,
        extent: Extent,
        format: &'static Format<N>,
        consumed: &Consumed,
    ) -> Result<Self, TapeError> {
        let mut lines = Lines::open(part, extent, consumed)?;
        let empty = || TapeError::Empty { file: part.name().clone() };
        let first = lines.next()?.ok_or_else(empty)?;
        if first.is_empty() {
            only_blank_lines_follow(&mut lines)?;
            return Err(empty());
        }
        let fields = Fields::split(first);
        let count = fields.count();
        let is_header = is_header(&fields);
        let found = match is_header {
            _ if std::str::from_utf8(first).is_err() => Err(not_utf8()),
            _ if count > MAX_COLUMNS => Err(too_many_columns(count)),
            true => format.by_header(&fields),
            false => format.by_shape(&fields),
        };
        let header = is_header.then(|| first.into());
        let columns = found.map_err(|fault| fault.at(lines.place()))?;
        if !is_header {
            lines.unread();
        }
        Ok(Self { lines, columns, count, header, wanted: &format.wanted })
    }

    pub(super) const fn columns(&self) -> &Columns<N> {
        &self.columns
    }

    /// The line of the row read last.
    #[inline]
    pub(super) const fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Where the row read last is.
    pub(super) fn place(&self) -> Place {
        self.lines.place()
    }

    /// The next row, as `parse` reads it; none at the end.
    #[inline]
    pub(super) fn next<T>(
        &mut self,
        parse: impl Fn(&Fields<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, TapeError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let fields = Fields::split(line);
            let row = match fields.count() == self.count {
                true => parse(&fields),
                false => Err(wrong_count(fields.count(), self.count)),
            };
            match row {
                Ok(row) => return Ok(Some(row)),
                Err(fault) => self.judge(fault)?,
            }
        }
    }

    /// The meaning of a line that is no row: harmless, or the error.
    #[cold]
    fn judge(&mut self, fault: Fault) -> Result<(), TapeError> {
        let line = self.lines.current();
        if line.is_empty() {
            return only_blank_lines_follow(&mut self.lines);
        }
        if self.header.as_deref() == Some(line) {
            return Ok(());
        }
        let fault = if std::str::from_utf8(line).is_err() { not_utf8() } else { fault };
        let name = self.name(fault.field);
        Err(fault.at_column(self.lines.place(), name))
    }

    /// What the header calls a column; its name in messages where there is no header.
    pub(super) fn name(&self, field: &str) -> Arc<str> {
        let at = self.wanted.iter().position(|wanted| wanted.names.contains(&field));
        let column = at.and_then(|at| self.columns.get(at).copied().flatten());
        let header = self.header.as_deref().map(Fields::split);
        let named = header.zip(column).map(|(header, column)| header.get(column).trim_ascii());
        let named = named.and_then(|name| std::str::from_utf8(name).ok());
        named.unwrap_or(field).into()
    }
}

fn only_blank_lines_follow(lines: &mut Lines) -> Result<(), TapeError> {
    let blank = lines.place();
    while let Some(line) = lines.next()? {
        if !line.is_empty() {
            let message = "is blank; blank lines are allowed at the end only".to_owned();
            return Err(Fault { field: "row", message }.at(blank));
        }
    }
    Ok(())
}

#[cold]
fn wrong_count(found: usize, needed: usize) -> Fault {
    Fault { field: "row", message: format!("has {found} columns; {needed} are needed") }
}

fn too_many_columns(count: usize) -> Fault {
    Fault { field: "row", message: format!("has {count} columns; {MAX_COLUMNS} are allowed") }
}

fn not_utf8() -> Fault {
    Fault { field: "row", message: "is not UTF-8 text; a CSV file is needed".to_owned() }
}
