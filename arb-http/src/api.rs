//! The endpoints, file by file as in the contract.
//!
//! Invariant: a handler reads its request, asks ports and writes a body; it decides nothing that
//! the engine, the store or the accounts do not decide themselves.

mod accounts;
mod actions;
mod admin;
mod book;
mod charts;
#[cfg(feature = "arrow")]
mod columns;
mod funding;
mod live;
mod metrics;
mod signals;
mod system;
mod tape;

use arb_core::port::Mode;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::charts::HourBook;
pub(crate) use self::metrics::metrics;
use crate::app::App;

/// Every endpoint of the contract but the streams.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let routes = OpenApiRouter::new()
        .merge(system::routes())
        .merge(accounts::routes())
        .merge(admin::routes())
        .merge(funding::routes())
        .merge(charts::routes())
        .merge(signals::routes())
        .merge(tape::routes())
        .merge(live::routes())
        .merge(actions::routes())
        .nest("/api/paper", book::routes(Mode::Paper))
        .nest("/api/live", book::routes(Mode::Live));
    #[cfg(feature = "arrow")]
    let routes = routes.merge(columns::routes());
    routes
}
