//! Paths and their cost.
//!
//! Invariant: costs are the documented ones; where the client side of this crate knows a cost, it
//! is asked, so that both sides cannot drift apart unnoticed by the venue's own header.

use super::super::super::market::RatioKind;
use super::Host;
use super::params::Params;
use crate::Cost;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    AggTrades,
    Klines(KlineSource),
    PremiumIndex,
    FundingRate,
    FundingInfo,
    OpenInterest,
    OpenInterestHist,
    Ratio(RatioKind),
    TakerRatio,
    Basis,
    Price,
    BookTicker,
    Day,
}

/// Of what bars are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KlineSource {
    Trades,
    /// Trades, named by pair and contract type.
    Continuous,
    Mark,
    Index,
    Premium,
}

impl Endpoint {
    pub(super) fn find(path: &str, method: &str) -> Option<Self> {
        if method != "GET" {
            return None;
        }
        if let Some(rest) = path.strip_prefix("/futures/data/") {
            return Self::statistics(rest);
        }
        if let Some(rest) = path.strip_prefix("/api/v3/") {
            return Self::common(rest).filter(|endpoint| !matches!(endpoint, Self::PremiumIndex));
        }
        let rest = path.strip_prefix("/fapi/v1/").or_else(|| path.strip_prefix("/fapi/v2/"))?;
        Self::common(rest).or_else(|| Self::futures(rest))
    }

    fn common(rest: &str) -> Option<Self> {
        Some(match rest {
            "ping" => Self::Ping,
            "time" => Self::Time,
            "exchangeInfo" => Self::ExchangeInfo,
            "depth" => Self::Depth,
            "trades" => Self::Trades,
            "aggTrades" => Self::AggTrades,
            "klines" => Self::Klines(KlineSource::Trades),
            "ticker/price" => Self::Price,
            "ticker/bookTicker" => Self::BookTicker,
            "ticker/24hr" => Self::Day,
            _ => return None,
        })
    }

    fn futures(rest: &str) -> Option<Self> {
        Some(match rest {
            "continuousKlines" => Self::Klines(KlineSource::Continuous),
            "markPriceKlines" => Self::Klines(KlineSource::Mark),
            "indexPriceKlines" => Self::Klines(KlineSource::Index),
            "premiumIndexKlines" => Self::Klines(KlineSource::Premium),
            "premiumIndex" => Self::PremiumIndex,
            "fundingRate" => Self::FundingRate,
            "fundingInfo" => Self::FundingInfo,
            "openInterest" => Self::OpenInterest,
            _ => return None,
        })
    }

    fn statistics(rest: &str) -> Option<Self> {
        Some(match rest {
            "openInterestHist" => Self::OpenInterestHist,
            "topLongShortAccountRatio" => Self::Ratio(RatioKind::TopAccounts),
            "topLongShortPositionRatio" => Self::Ratio(RatioKind::TopPositions),
            "globalLongShortAccountRatio" => Self::Ratio(RatioKind::AllAccounts),
            "takerlongshortRatio" => Self::TakerRatio,
            "basis" => Self::Basis,
            _ => return None,
        })
    }

    pub(super) fn cost(self, host: Host, params: &Params) -> Cost {
        match host {
            Host::Futures => self.futures_cost(params),
            Host::Spot => self.spot_cost(params),
        }
    }

    fn futures_cost(self, params: &Params) -> Cost {
        let limit = |usual: u32| {
            let asked = params.text("limit").and_then(|text| text.parse().ok());
            asked.unwrap_or(usual)
        };
        let one = |one: u32, all: u32| {
            Cost::weight(if params.text("symbol").is_some() { one } else { all })
        };
        match self {
            Self::Ping | Self::Time | Self::ExchangeInfo | Self::OpenInterest => Cost::weight(1),
            Self::Depth => Cost::depth(limit(500)),
            Self::Trades => Cost::weight(5),
            Self::AggTrades => Cost::AGG_TRADES,
            Self::Klines(_) => Cost::klines(limit(500)),
            Self::PremiumIndex => one(1, Cost::PREMIUM_INDEX_ALL.weight),
            Self::FundingRate | Self::FundingInfo => Cost { weight: 0, ..Cost::FUNDING },
            Self::OpenInterestHist | Self::Ratio(_) | Self::TakerRatio | Self::Basis => {
                Cost::FUTURES_DATA
            }
            Self::Price => one(1, 2),
            Self::BookTicker => one(2, 5),
            Self::Day => one(1, 40),
        }
    }

    fn spot_cost(self, params: &Params) -> Cost {
        let one = |one: u32, all: u32| {
            Cost::weight(if params.text("symbol").is_some() { one } else { all })
        };
        match self {
            Self::ExchangeInfo => Cost::SPOT_EXCHANGE_INFO,
            Self::Depth => {
                let limit = params.text("limit").and_then(|text| text.parse().ok());
                Cost::weight(match limit.unwrap_or(100_u32) {
                    ..=100 => 5,
                    101..=500 => 25,
                    501..=1_000 => 50,
                    _ => 250,
                })
            }
            Self::Trades => Cost::weight(25),
            Self::AggTrades => Cost::SPOT_AGG_TRADES,
            Self::Klines(_) => Cost::weight(2),
            Self::Price | Self::BookTicker => one(2, 4),
            Self::Day => one(2, 80),
            _ => Cost::weight(1),
        }
    }
}
