//! `arb.toml` as a layer.
//!
//! Invariant: the whole file is read into the typed settings before any of it is used, so that
//! whatever is wrong is told with line and column.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::{KEYS, Key};
use super::settings::Settings;
use super::{Origin, value_at};

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    entries: Vec<(&'static Key, Value, usize)>,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, as `FILE:LINE:COLUMN: FIELD: WHAT`.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{name}: arb config init writes one"))?;
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let name = path.display();
        let syntax =
            |error: toml::de::Error| anyhow!("{name}{}: {}", place(text, &error), error.message());
        let document = toml::Deserializer::parse(text).map_err(syntax)?;
        if let Err(error) = serde_path_to_error::deserialize::<_, Settings>(document) {
            let field = error.path().to_string();
            let flaw = error.inner();
            let said = match Key::find(&field) {
                Some(key) => key.flaw(flaw.message()),
                None => flaw.message().to_owned(),
            };
            let field = if field == "." { String::new() } else { format!("{field}: ") };
            return Err(anyhow!("{name}{}: {field}{said}", place(text, flaw)));
        }
        let table: Table =
            Table::deserialize(toml::Deserializer::parse(text).map_err(syntax)?).map_err(syntax)?;
        let spans = DeTable::parse(text).map_err(syntax)?;
        let line = |key: &Key| line_of(spans.get_ref(), key.name).map_or(1, |at| lines(text, at));
        let entry = |key: &'static Key| Some((key, value_at(&table, key.name)?.clone(), line(key)));
        Ok(Self { path: path.to_owned(), entries: KEYS.iter().filter_map(entry).collect() })
    }

    /// What it sets, with the places.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static Key, Value, Origin)> {
        let name = self.path.display().to_string();
        self.entries.iter().map(move |(key, value, line)| {
            (*key, value.clone(), Origin::File { name: name.clone(), line: *line })
        })
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }
}

/// Where a key begins, in bytes.
fn line_of(table: &DeTable<'_>, name: &str) -> Option<usize> {
    let (part, rest) = name.split_once('.').map_or((name, None), |(part, rest)| (part, Some(rest)));
    let (key, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == part)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(key.span().start),
        (Some(rest), DeValue::Table(inner)) => line_of(inner, rest),
        _ => None,
    }
}

/// The line of a byte, from 1.
fn lines(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// `:LINE:COLUMN`, where the error has a place.
fn place(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else { return String::new() };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    format!(":{}:{}", lines(text, span.start), line.chars().count() + 1)
}
