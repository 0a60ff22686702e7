//! Streams through real sockets, over a desk that says what the test wants.

mod clients;
mod support;
mod through_sse;
mod through_ws;
