//! Live streams: what changes in the engine, told to many clients at once.
//!
//! One task looks at the desk and the store, writes each message once, and puts it into a ring that
//! all clients read by a cursor. Invariant: a client costs a cursor and what its connection holds,
//! never a queue; the engine is looked at as often with a thousand clients as with one, and not at
//! all with none. A client that stays behind is dropped with a reason.

mod client;
mod gather;
mod hub;
mod message;
mod payload;
mod ring;
mod sse;
#[cfg(test)]
mod tests;
mod wanted;
mod ws;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::hub::Hub;
use crate::app::App;

/// Both carriers of the streams.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(sse::routes()).merge(ws::routes())
}
