//! Users, tokens and keys, over both stores and by a clock that tests turn.

#[macro_use]
mod support;

mod admin;
mod keys;
mod login;
mod refresh;
mod secrets;
mod tokens;
