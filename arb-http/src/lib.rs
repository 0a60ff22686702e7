//! The REST host.
