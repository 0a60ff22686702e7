//! What the command promises about files, flags, streams and messages, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod config;
mod fetch;
mod live;
mod outputs;
mod running;
mod support;
mod tapes;
mod trouble;
