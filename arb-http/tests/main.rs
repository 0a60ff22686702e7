//! Claims of the REST host, over a store filled by hand and an engine played by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod accounts;
mod actions;
mod answers;
mod caller;
mod columns;
mod connections;
mod desk;
mod document;
mod edge;
mod failing;
mod fixture;
mod golden;
mod pages;
mod roles;
mod tricks;
mod validation;
