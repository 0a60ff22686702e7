//! A simulated Binance: markets, REST and streams that other people's clients take for the venue.
//!
//! Invariant: [`SimMarket`] is a function of seed and time.

mod market;
mod text;

pub use self::market::{
    MarketConfig, MarketError, SimMarket, SpotSpec, SymbolSpec, known_symbols, symbol, symbols,
};
