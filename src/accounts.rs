//! Users, tokens and keys over a store.
