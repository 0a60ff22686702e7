//! Names of streams and what they carry.
//!
//! Invariant: a name that is no stream of its route is accepted and stays silent, as at the venue:
//! a wrong symbol, a market stream on the public route, anything but public streams on the retired
//! path without a route.

use arb_core::Market;

use super::super::market::SimMarket;
use crate::wire::Interval;

/// Where a connection was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Futures `/public`.
    Public,
    /// Futures `/market`.
    Market,
    /// Futures `/private`: accounts, of which the public half has none, so nothing comes.
    Private,
    /// Futures without a route: only what is public comes.
    Unrouted,
    /// Spot.
    Spot,
    /// Coinbase's Exchange feed.
    CoinbaseExchange,
    /// Coinbase's Advanced Trade feed.
    CoinbaseAdvanced,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AggTrade,
    Trade,
    Quote,
    /// Top levels, or all changes; every so many milliseconds.
    Depth {
        levels: Option<i64>,
        every: i64,
    },
    Mark {
        every: i64,
    },
    Liquidation,
    Kline(Interval, KlineForm),
    MiniTicker,
    Ticker,
}

/// How a bar is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KlineForm {
    OfSymbol,
    Continuous,
}

/// Which instruments a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Line(usize),
    /// All of a market.
    All(Market),
}

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) scope: Scope,
    pub(crate) kind: Kind,
}

impl Kind {
    /// The futures route that carries it.
    const fn route(self) -> Route {
        match self {
            Self::Quote | Self::Depth { .. } | Self::Trade => Route::Public,
            _ => Route::Market,
        }
    }
}

impl Route {
    pub(crate) const fn market(self) -> Market {
        match self {
            Self::Spot => Market::Spot,
            Self::CoinbaseExchange | Self::CoinbaseAdvanced => Market::Cb,
            Self::Public | Self::Market | Self::Private | Self::Unrouted => Market::Um,
        }
    }

    /// The stream of this name that the route carries.
    pub(crate) fn stream(self, name: &str, market: &SimMarket) -> Option<Stream> {
        let stream = parse(name, self.market(), market)?;
        let carried = match self {
            Self::Spot => spot_has(stream.kind),
            Self::Unrouted => stream.kind.route() == Self::Public,
            Self::Public | Self::Market => stream.kind.route() == self,
            Self::Private | Self::CoinbaseExchange | Self::CoinbaseAdvanced => false,
        };
        carried.then_some(stream)
    }
}

const fn spot_has(kind: Kind) -> bool {
    !matches!(kind, Kind::Mark { .. } | Kind::Liquidation)
}

fn parse(name: &str, of: Market, market: &SimMarket) -> Option<Stream> {
    if let Some(all) = name.strip_prefix('!') {
        let kind = match all {
            "markPrice@arr" => Kind::Mark { every: 3_000 },
            "markPrice@arr@1s" => Kind::Mark { every: 1_000 },
            "forceOrder@arr" => Kind::Liquidation,
            "bookTicker" => Kind::Quote,
            "miniTicker@arr" => Kind::MiniTicker,
            "ticker@arr" => Kind::Ticker,
            _ => return None,
        };
        return Some(Stream { scope: Scope::All(of), kind });
    }
    let (symbol, rest) = name.split_once('@')?;
    // Stream names are lower case, or they stay silent.
    if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    if let Some(interval) = rest.strip_prefix("continuousKline_") {
        let place = market.place(of, &symbol.strip_suffix("_perpetual")?.to_uppercase())?;
        let kind = Kind::Kline(Interval::parse(interval)?, KlineForm::Continuous);
        return Some(Stream { scope: Scope::Line(place), kind });
    }
    let place = market.place(of, &symbol.to_uppercase())?;
    Some(Stream { scope: Scope::Line(place), kind: kind(rest, of)? })
}

fn kind(text: &str, of: Market) -> Option<Kind> {
    Some(match text {
        "aggTrade" => Kind::AggTrade,
        "trade" => Kind::Trade,
        "bookTicker" => Kind::Quote,
        "markPrice" => Kind::Mark { every: 3_000 },
        "markPrice@1s" => Kind::Mark { every: 1_000 },
        "forceOrder" => Kind::Liquidation,
        "miniTicker" => Kind::MiniTicker,
        "ticker" => Kind::Ticker,
        _ => match text.strip_prefix("kline_") {
            Some(interval) => Kind::Kline(Interval::parse(interval)?, KlineForm::OfSymbol),
            None => depth(text.strip_prefix("depth")?, of)?,
        },
    })
}

fn depth(text: &str, of: Market) -> Option<Kind> {
    let (levels, speed) = text.split_once('@').unwrap_or((text, ""));
    let levels = match levels {
        "" => None,
        "5" => Some(5),
        "10" => Some(10),
        "20" => Some(20),
        _ => return None,
    };
    let every = match (speed, of) {
        ("", Market::Spot) => 1_000,
        ("" | "250ms", Market::Um) => 250,
        ("100ms", _) => 100,
        ("500ms", Market::Um) => 500,
        ("0ms", Market::Um) => 50,
        _ => return None,
    };
    Some(Kind::Depth { levels, every })
}
