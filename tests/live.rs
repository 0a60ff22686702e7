//! Claims about the live node on a simulated venue, over sockets.

mod carry;
mod funding;
mod newcomer;
mod support;
