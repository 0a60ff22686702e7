//! Recorded decisions as JSON text, in a file without a name until the result is written.
//!
//! Invariant: memory does not grow with the tape; only the file does.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use arb::Signal;

use super::json;
use crate::output;

/// Collects decisions for the JSON result.
#[derive(Debug)]
pub(super) struct Signals {
    file: BufWriter<File>,
    symbols: Vec<String>,
    layout: Layout,
    failed: Option<io::Error>,
    any: bool,
}

/// How the result is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    /// On one line.
    Compact,
    /// Indented by two blanks a level.
    Indented,
}

impl Signals {
    /// Nothing yet; the texts will go into the result at `path`.
    pub(super) fn new(path: &Path, symbols: &[String]) -> Result<Self> {
        let layout = if output::is_stdout(path) { Layout::Compact } else { Layout::Indented };
        let file = BufWriter::new(output::spool(path)?);
        Ok(Self { file, symbols: symbols.to_vec(), layout, failed: None, any: false })
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Adds a decision; a failure is told by [`splice`](Self::splice).
    pub(super) fn add(&mut self, signal: &Signal) {
        if self.failed.is_none() {
            self.failed = self.write(signal).err();
        }
    }

    fn write(&mut self, signal: &Signal) -> io::Result<()> {
        let value = json::signal(&self.symbols, signal);
        let separator = if std::mem::replace(&mut self.any, true) { "," } else { "" };
        self.file.write_all(separator.as_bytes())?;
        match self.layout {
            Layout::Compact => serde_json::to_writer(&mut self.file, &value)?,
            Layout::Indented => {
                // The text of a JSON value has line ends only where it is laid out.
                let text = serde_json::to_string_pretty(&value)?;
                for line in text.lines() {
                    write!(self.file, "\n    {line}")?;
                }
            }
        }
        Ok(())
    }

    /// Copies the decisions into the result, as the inside of a JSON list.
    pub(super) fn splice(self, out: &mut impl Write) -> Result<()> {
        let spooled = (|| {
            if let Some(error) = self.failed {
                return Err(error);
            }
            let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(file)
        })();
        let mut file = spooled.context("the temporary file of decisions")?;
        io::copy(&mut file, out)?;
        if let (Layout::Indented, true) = (self.layout, self.any) {
            out.write_all(b"\n  ")?;
        }
        Ok(())
    }
}
