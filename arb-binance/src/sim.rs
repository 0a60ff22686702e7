//! A simulated Binance: markets, REST and streams that other people's clients take for the venue.
//!
//! Invariant: [`SimMarket`] is a function of seed and time; [`Venue`] is a pure machine over it,
//! with virtual time as an argument.

mod market;
mod server;
mod text;
mod venue;

pub use self::market::{
    MarketConfig, MarketError, SimMarket, SpotSpec, SymbolSpec, known_symbols, symbol, symbols,
};
pub use self::server::{Addresses, ClockInfo, SimServer};
pub use self::venue::{
    Action, Answer, Call, ConnectionId, Fault, FaultKind, FaultPlan, Handshake, Host, Item, Outbox,
    Request, Span, Storm, Venue, VenueConfig, VenueCounters, VenueLimits,
};
