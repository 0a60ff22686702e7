//! The whole live node by its claims: simulated venue, sockets, feed, engine, log and store in one
//! process and in virtual time.

mod day;
mod ledger;
mod place;
