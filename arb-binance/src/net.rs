//! Connections to the venue: requests within their budget, streams that outlive their connections.
//!
//! | looking for | where |
//! |---|---|
//! | which hosts, and which may be used | [`Addresses`] |
//! | one budget for all requests of an address | [`Broker`] |
//! | futures and spot answers, typed | [`FuturesRest`], [`SpotRest`] |
//! | a set of streams over rolling reconnects | [`Line`] |
//! | new connections within the venue's limit | [`Dialer`] |
//! | order books in step | [`Depth`], shown on a [`Shelf`] |
//! | everything together, as the engine's events | [`Feed`] |
//!
//! Invariant: nothing here decides; what a frame or an answer means stands in [`wire`](crate::wire),
//! what is missing in [`TradeTracker`](crate::TradeTracker), what may be sent in
//! [`Budget`](crate::Budget).

mod address;
mod advice;
mod backoff;
mod broker;
mod connection;
mod depth;
mod dialer;
mod feed;
mod frames;
mod line;
mod poll;
mod rest;
mod trial;

pub use self::address::Addresses;
pub use self::broker::Broker;
pub use self::depth::{BookView, Depth, Shelf};
pub use self::dialer::Dialer;
pub use self::feed::{Feed, FeedConfig, FeedCounters, FeedFigures, LineFigures, Watched};
pub use self::frames::Frames;
pub use self::line::{Line, LineConfig, LineEvent};
pub use self::poll::PollConfig;
pub use self::rest::{FuturesRest, RatioKind, Rest, SpotRest, TradeRange};
pub use self::trial::try_stream;
