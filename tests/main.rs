//! Claims about the whole engine, from outside.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used
)]
#![allow(clippy::float_cmp, clippy::cast_precision_loss, clippy::cast_possible_truncation)]
#![allow(clippy::cast_sign_loss, clippy::cast_possible_wrap, unreachable_pub)]

#[cfg(all(feature = "accounts", feature = "memory", feature = "sqlite"))]
mod accounts;
mod carry;
mod determinism;
mod golden;
mod indicators;
mod klines;
#[cfg(all(feature = "live", feature = "sim"))]
mod live;
mod naive;
#[cfg(all(feature = "node", feature = "memory"))]
mod node;
#[cfg(feature = "notify")]
mod notify;
mod parity;
#[cfg(feature = "report")]
mod report;
mod snapshot;
mod support;
mod sweep;
