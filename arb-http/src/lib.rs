//! The REST host: the front end's contract over an engine, its store and its accounts.
//!
//! It knows the ports of `arb-core` and nothing behind them: whoever has a
//! [`Desk`](arb_core::port::Desk), a [`Store`](arb_core::port::Store) and
//! [`Accounts`](arb_core::port::Accounts) can serve them. [`router`] is the whole of it as an axum
//! router, [`serve`] adds connections, [`body`] makes the bodies for other hosts.

mod api;
mod app;
mod auth;
pub mod body;
mod cache;
mod coins;
mod dashboard;
mod edge;
mod error;
mod extract;
mod factors;
mod host;
mod idempotency;
mod limits;
mod metrics;
mod openapi;
mod router;
mod serve;
mod stall;
mod stream;

pub use crate::coins::Coins;
pub use crate::error::{ErrorBody, Flaw, ValidationBody};
pub use crate::host::{Host, HttpOptions, MetricsAccess};
pub use crate::openapi::openapi_json;
pub use crate::router::router;
pub use crate::serve::serve;
