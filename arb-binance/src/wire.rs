//! Bytes of the venues' streams and answers as core types.
//!
//! Invariant: a value is exactly what the venue wrote or the record is dropped with a typed note;
//! unknown fields, events and enum values are ignored and counted, because the venue adds some
//! every few months. A bad record never ends a feed.

pub mod coinbase;
mod cursor;
pub mod futures;
mod message;
pub mod rest;
mod scan;
pub mod spot;
mod stream;
mod symbols;
mod text;

pub use self::message::{
    Answer, BookTicker, Counters, DepthUpdate, Dropped, Fault, Interval, Kline, Level, Liquidation,
    MarkUpdate, Message, Refusal, TradePrint,
};
pub use self::stream::Reader;
pub use self::symbols::SymbolTable;
