//! The endpoints, file by file as in the contract.
//!
//! Invariant: a handler reads its request, asks ports and writes a body; it decides nothing that
//! the engine, the store or the accounts do not decide themselves.

mod funding;
mod system;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Every endpoint of the contract but the streams.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(system::routes()).merge(funding::routes())
}
