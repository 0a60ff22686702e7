//! The state file of a sweep: what has run, so that a killed sweep goes on where it was.
//!
//! One line a record: the CRC-32 of the text, then the text, JSON. The first line says which data,
//! settings and folds the file belongs to; others are the figures of a variant over a block, and
//! touches of the hold-out.
//!
//! Invariant: a line is written in one piece and counts only when it is whole, so a kill loses at
//! most what was running; a torn last line is cut off. A file never mixes data or settings: the
//! variants in it are comparable, and every one of them counts as a try.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::SweepError;
use super::figures::Figures;

/// Differences that a refusal names.
const NAMED: usize = 4;

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// What the file belongs to; the first line.
    Sweep(Value),
    /// A variant has run over a block.
    Result { variant: String, block: usize, figures: Figures },
    /// The hold-out was touched.
    HoldOut { variant: String, figures: Figures },
}

/// What has run, and where it is kept.
#[derive(Debug, Default)]
pub struct State {
    file: Option<(PathBuf, File)>,
    /// By variant, then block.
    results: BTreeMap<String, BTreeMap<usize, Figures>>,
    /// Variant and figures of each touch of the hold-out, in order.
    touches: Vec<(String, Figures)>,
}

impl State {
    /// A state that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens a state file or begins one; `belongs_to` is what its results depend on.
    ///
    /// # Errors
    /// [`SweepError::State`] when it belongs to other data or settings, is damaged before its last
    /// line, or is in use.
    pub fn open(path: &Path, belongs_to: &Value) -> Result<Self, SweepError> {
        let io = |source| SweepError::Io { path: path.to_owned(), source };
        let refuse = |message: String| Err(SweepError::State { path: path.to_owned(), message });
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return refuse(
                    "another sweep is using it; wait for it, or name another file".into(),
                );
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Ok(()) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (lines, whole) = match read(&bytes) {
            Ok(read) => read,
            Err(message) => return refuse(message),
        };
        file.set_len(whole).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut state = Self { file: Some((path.to_owned(), file)), ..Self::default() };
        let mut lines = lines.into_iter();
        match lines.next() {
            None => {
                state.append(&Line::Sweep(belongs_to.clone()))?;
                state.sync()?;
            }
            Some(Line::Sweep(other)) if other == *belongs_to => {}
            Some(Line::Sweep(other)) => return refuse(mismatch(&other, belongs_to)),
            Some(_) => return refuse("is no state file of a sweep; name another file".to_owned()),
        }
        lines.for_each(|line| state.take(line));
        Ok(state)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Sweep(_) => {}
            Line::Result { variant, block, figures } => {
                self.results.entry(variant).or_default().insert(block, figures);
            }
            Line::HoldOut { variant, figures } => self.touches.push((variant, figures)),
        }
    }

    fn append(&mut self, line: &Line) -> Result<(), SweepError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let io = |source| SweepError::Io { path: path.clone(), source };
        let text = serde_json::to_string(line).map_err(|e| io(e.into()))?;
        let line = format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes()));
        file.write_all(line.as_bytes()).map_err(io)
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> Result<(), SweepError> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        file.sync_data().map_err(|source| SweepError::Io { path: path.clone(), source })
    }

    /// The figures of a variant over a block, if it has run.
    #[must_use]
    pub fn result(&self, variant: &str, block: usize) -> Option<&Figures> {
        self.results.get(variant)?.get(&block)
    }

    /// Variants with any result, each with its blocks, in the order of their keys.
    pub(super) fn variants(&self) -> impl ExactSizeIterator<Item = &BTreeMap<usize, Figures>> {
        self.results.values()
    }

    pub(super) fn add_result(
        &mut self,
        variant: &str,
        block: usize,
        figures: Figures,
    ) -> Result<(), SweepError> {
        let line = Line::Result { variant: variant.to_owned(), block, figures };
        self.append(&line)?;
        self.take(line);
        Ok(())
    }

    /// Variant and figures of each touch of the hold-out, in order.
    #[must_use]
    pub fn touches(&self) -> &[(String, Figures)] {
        &self.touches
    }

    pub(super) fn add_touch(&mut self, variant: &str, figures: Figures) -> Result<(), SweepError> {
        let line = Line::HoldOut { variant: variant.to_owned(), figures };
        self.append(&line)?;
        self.take(line);
        self.sync()
    }
}

/// The whole lines, and the bytes they take.
fn read(bytes: &[u8]) -> Result<(Vec<Line>, u64), String> {
    let (mut lines, mut whole) = (Vec::new(), 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        match parse(line) {
            Some(line) => lines.push(line),
            // A process that was killed while it wrote leaves this, and only at the end.
            None if after.is_empty() => break,
            None => {
                let number = lines.len() + 1;
                return Err(format!("line {number} is damaged; restore the file or name another"));
            }
        }
        whole += end as u64;
        rest = after;
    }
    Ok((lines, whole))
}

fn parse(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (sum, json) = text.split_once(' ')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    if sum != crc32fast::hash(json.as_bytes()) {
        return None;
    }
    serde_json::from_str(json).ok()
}

fn mismatch(there: &Value, here: &Value) -> String {
    let mut found = Vec::new();
    differences("", there, here, &mut found);
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "belongs to another sweep: {}{more}; use the same data and settings, or name another file",
        found.join(", ")
    )
}

fn differences(path: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let absent = Value::Null;
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (a, b) = (side(a), side(b));
                differences(
                    &path,
                    a.as_ref().unwrap_or(&absent),
                    b.as_ref().unwrap_or(&absent),
                    found,
                );
            }
        }
        (a, b) if a != b => found.push(format!("{path} is {a} there and {b} here")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sweep(purge: i64) -> Value {
        json!({ "data": "ab", "plan": { "purge": purge, "folds": 3 } })
    }

    fn figures(trades: u32) -> Figures {
        Figures { trades: trades.into(), total_r: 0.1 * f64::from(trades), ..Figures::default() }
    }

    fn begun(path: &Path) {
        let mut state = State::open(path, &sweep(1)).unwrap();
        state.add_result("v1", 0, figures(3)).unwrap();
        state.add_result("v1", 1, figures(4)).unwrap();
        state.add_touch("v1", figures(5)).unwrap();
    }

    fn refusal(path: &Path, belongs_to: &Value) -> String {
        State::open(path, belongs_to).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        begun(&path);
        let state = State::open(&path, &sweep(1)).unwrap();
        assert_eq!(state.result("v1", 1), Some(&figures(4)));
        assert_eq!(state.result("v1", 2), None);
        assert_eq!(state.touches(), [("v1".to_owned(), figures(5))]);
        assert_eq!(state.variants().len(), 1);
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_lines_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        begun(&path);
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let mut state = State::open(&path, &sweep(1)).unwrap();
            let kept = state.result("v1", 0).is_some() as usize
                + state.result("v1", 1).is_some() as usize
                + state.touches().len();
            assert_eq!(kept, whole.saturating_sub(1), "cut at {cut}");
            state.add_result("v2", 0, figures(9)).unwrap();
            drop(state);
            let state = State::open(&path, &sweep(1)).unwrap();
            assert_eq!(state.result("v2", 0), Some(&figures(9)), "cut at {cut}");
        }
    }

    #[test]
    fn damage_before_the_last_line_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        begun(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 20;
        bytes[second] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(refusal(&path, &sweep(1)).contains("line 2 is damaged"));
        std::fs::write(&path, "hello\nworld\n").unwrap();
        assert!(refusal(&path, &sweep(1)).contains("line 1 is damaged"));
    }

    #[test]
    fn other_data_or_settings_are_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        begun(&path);
        let message = refusal(&path, &sweep(2));
        assert!(message.contains("another sweep: plan.purge is 1 there and 2 here;"), "{message}");
    }

    #[test]
    fn a_file_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let _first = State::open(&path, &sweep(1)).unwrap();
        assert!(refusal(&path, &sweep(1)).contains("another sweep is using it"));
    }
}
