//! The REST host: the front end's contract over an engine, its store and its accounts.
//!
//! It knows the ports of `arb-core` and nothing behind them: whoever has a
//! [`Desk`](arb_core::port::Desk), a [`Store`](arb_core::port::Store) and
//! [`Accounts`](arb_core::port::Accounts) can serve them. [`router`] is the whole of it as an axum
//! router, [`serve`] adds connections, [`serve_apart`] does so on threads of their own, [`body`]
//! makes the bodies for other hosts.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use arb_core::port::{Accounts, Clock, Desk, Store};
//! use arb_http::{Host, HttpOptions};
//!
//! async fn run(
//!     desk: Arc<dyn Desk>,
//!     store: Arc<dyn Store>,
//!     accounts: Arc<dyn Accounts>,
//!     clock: Arc<dyn Clock>,
//! ) -> std::io::Result<()> {
//!     let symbols = vec!["BTCUSDT".to_owned()];
//!     let options = HttpOptions::default();
//!     let host = Arc::new(Host { desk, store, accounts, clock, symbols, options });
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//!     arb_http::serve(listener, host, std::future::pending()).await
//! }
//! ```

mod api;
mod app;
mod auth;
pub mod body;
mod cache;
mod coins;
mod cross_origin;
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
mod starting;
mod stream;

pub use crate::coins::Coins;
pub use crate::error::{ErrorBody, Flaw, ValidationBody};
pub use crate::host::{Host, HttpOptions, MetricsAccess};
pub use crate::openapi::openapi_json;
pub use crate::router::router;
pub use crate::serve::{serve, serve_apart};
pub use crate::starting::serve_starting;
