//! What the command promises about files, flags, streams and messages, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod accounts;
mod api;
mod config;
mod fetch;
mod kill;
#[path = "../../../tests/live/ledger.rs"]
mod ledger;
mod live;
mod outputs;
mod paper;
mod running;
mod support;
mod tapes;
mod trouble;
