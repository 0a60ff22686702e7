//! The whole live node by its claims: simulated venue, sockets, feed, engine, log and store in one
//! process; over loopback, or in virtual time.

mod carry;
mod day;
mod funding;
mod garbage;
mod ledger;
mod newcomer;
mod place;
mod support;
