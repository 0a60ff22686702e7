//! Recorded market data, read as engine events.
//!
//! Feature `tape` (default): readers of the public archive formats and their merge into one
//! ordered [`tape::Tape`]. It needs no database and no runtime.

#[cfg(feature = "tape")]
pub mod tape;
