//! A configured number with its place and what is allowed.
//!
//! Invariant: a number that is no number is out of every range.

use std::fmt;
use std::ops::{Bound, RangeBounds as _};

use crate::error::ConfigError;
use crate::strategy::Name;
use crate::strategy::registry::line_of;

/// The number at `path`, and the range it must lie in.
#[derive(Debug)]
pub(super) struct Range {
    path: Name,
    value: f64,
    low: Bound<f64>,
    high: f64,
}

impl Range {
    /// `low <= value <= high`.
    pub(super) fn from(path: impl Into<Name>, value: impl Into<f64>, low: f64, high: f64) -> Self {
        Self { path: path.into(), value: value.into(), low: Bound::Included(low), high }
    }

    /// `low < value <= high`.
    pub(super) fn above(path: impl Into<Name>, value: f64, low: f64, high: f64) -> Self {
        Self { path: path.into(), value, low: Bound::Excluded(low), high }
    }

    /// # Errors
    /// [`ConfigError`] when the number is outside.
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        if (self.low, Bound::Included(self.high)).contains(&self.value) {
            return Ok(());
        }
        Err(refusal(file, text, &self.path, format!("is {}; {self} is allowed", self.value)))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low {
            Bound::Excluded(low) => write!(f, "above {low} to {}", self.high),
            Bound::Included(low) => write!(f, "{low} to {}", self.high),
            Bound::Unbounded => write!(f, "at most {}", self.high),
        }
    }
}

/// An error of the field at `path`, with its line.
pub(super) fn refusal(file: &str, text: &str, path: &str, message: String) -> ConfigError {
    ConfigError::new(file, line_of(text, path), path, message)
}
