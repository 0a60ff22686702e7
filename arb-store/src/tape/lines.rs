//! A text cut into lines, a block at a time.
//!
//! Invariant: memory is one block whatever the size of the file: a line lies whole in the block,
//! because what is left of the block moves to its front before the next read, and a line longer
//! than [`MAX_LINE`] is an error. No line is ever copied out.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::bytes::{Consumed, Part};
use super::error::{Fault, Place, TapeError};

/// Longest line allowed, bytes; a row of an archive has about 70.
pub(super) const MAX_LINE: usize = 4 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How much of a file will be read, which decides the size of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it: blocks so large that reads are rare, so small that they stay in the cache.
    Whole,
    /// The first rows.
    Beginning,
}

/// The lines of one part.
pub(super) struct Lines {
    part: Part,
    reader: Box<dyn Read + Send>,
    block: Box<[u8]>,
    /// The line read last, without its end.
    line: Range<usize>,
    /// The bytes of the block that are not yet cut.
    rest: Range<usize>,
    number: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn open(
        part: &Part,
        extent: Extent,
        consumed: &Consumed,
    ) -> Result<Self, TapeError> {
        let size = match extent {
            Extent::Whole => 64 * MAX_LINE,
            Extent::Beginning => 4 * MAX_LINE,
        };
        Ok(Self {
            part: part.clone(),
            reader: part.open(consumed)?,
            block: vec![0; size].into_boxed_slice(),
            line: 0..0,
            rest: 0..0,
            number: 0,
            ended: false,
        })
    }

    /// The next line, without `\n` or `\r\n`; none at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, TapeError> {
        let start = self.rest.start;
        let uncut = self.block.get(self.rest.clone()).unwrap_or_default();
        if let Some(length) = memchr(b'\n', uncut) {
            self.rest.start = start + length + 1;
            self.accept(start..start + length)?;
        } else if !self.refill()? {
            return Ok(None);
        }
        Ok(Some(self.current()))
    }

    /// The line read last.
    #[inline]
    pub(super) fn current(&self) -> &[u8] {
        self.block.get(self.line.clone()).unwrap_or_default()
    }

    /// Where the line read last is.
    pub(super) fn place(&self) -> Place {
        Place { file: Arc::clone(self.part.name()), line: self.number }
    }

    /// The number of the line read last.
    #[inline]
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Lets [`next`](Self::next) give the line read last once more.
    pub(super) fn unread(&mut self) {
        self.rest.start = self.line.start;
        self.number -= 1;
    }

    /// Takes the bytes of a line without its `\n`.
    #[inline]
    fn accept(&mut self, line: Range<usize>) -> Result<(), TapeError> {
        self.number += 1;
        self.line = line;
        if self.line.len() > MAX_LINE {
            return Err(self.too_long());
        }
        if self.current().last() == Some(&b'\r') {
            self.line.end -= 1;
        }
        if self.number == 1 && self.current().starts_with(BOM) {
            self.line.start += BOM.len();
        }
        Ok(())
    }

    #[cold]
    fn too_long(&self) -> TapeError {
        let what = format!("has more than {MAX_LINE} bytes; no archive has such lines");
        Fault::of("row", self.current(), what).at(self.place())
    }

    /// Reads until the block holds a line, and takes it; false at the end of the text.
    #[cold]
    fn refill(&mut self) -> Result<bool, TapeError> {
        self.block.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        loop {
            let filled = self.rest.end;
            // A longer beginning is refused at once: it might never end.
            let count = if self.ended || filled > MAX_LINE { 0 } else { self.fill()? };
            self.rest.end += count;
            let fresh = self.block.get(filled..self.rest.end).unwrap_or_default();
            if let Some(length) = memchr(b'\n', fresh) {
                self.rest.start = filled + length + 1;
                self.accept(0..filled + length)?;
                return Ok(true);
            }
            if count == 0 {
                self.ended = true;
                self.rest = filled..filled;
                // A last line needs no end.
                if filled > 0 {
                    self.accept(0..filled)?;
                }
                return Ok(filled > 0);
            }
        }
    }

    fn fill(&mut self) -> Result<usize, TapeError> {
        let space = self.block.get_mut(self.rest.end..).unwrap_or_default();
        loop {
            match self.reader.read(space) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.part.error(e)),
                Ok(count) => return Ok(count),
            }
        }
    }
}
