//! REST: which requests there are, what they cost and what they answer.
//!
//! Invariant: a request is read and counted before anything is computed; its answer is a function
//! of the market and the time it was admitted at, so it can be computed anywhere. A refusal is the
//! venue's: a status with `{"code":…,"msg":…}`.

mod funding;
mod info;
mod klines;
mod params;
mod route;
mod statistics;
mod tickers;
mod trades;

pub(super) use self::tickers::{average_price, change_percent};
pub(super) use self::trades::write_levels;

use std::net::IpAddr;

use arb_core::Market;

use self::params::Params;
use self::route::Endpoint;
use super::super::market::SimMarket;
use super::super::text::Text;
use super::limits::VenueLimits;
use crate::Cost;

/// Which of the venue's REST hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// USDⓈ-M futures.
    Futures,
    /// Spot.
    Spot,
}

impl Host {
    /// The market it serves.
    pub(crate) const fn market(self) -> Market {
        match self {
            Self::Futures => Market::Um,
            Self::Spot => Market::Spot,
        }
    }

    /// The host that serves a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.starts_with("/api/") || path.starts_with("/sapi/") {
            Self::Spot
        } else {
            Self::Futures
        }
    }
}

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` and the like.
    pub method: &'a str,
    /// Such as `/fapi/v1/time`.
    pub path: &'a str,
    /// What stands behind the question mark.
    pub query: &'a str,
    /// Who asks.
    pub ip: IpAddr,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The weight used in this minute, for the header.
    pub used_weight: u32,
    /// Seconds of virtual time for `Retry-After`.
    pub retry_after: Option<i64>,
    /// How long the answer is held back, milliseconds of virtual time.
    pub delay_ms: i64,
    /// JSON, but for faults that answer otherwise.
    pub body: Vec<u8>,
}

/// A refusal in the venue's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut out = Text(&mut body);
        out.raw("{\"code\":")
            .int(self.code.into())
            .raw(",\"msg\":")
            .quoted_text(&self.message)
            .raw("}");
        body
    }
}

/// A request that was admitted: what it asks, and as of when.
#[derive(Clone, Debug)]
pub struct Call {
    endpoint: Endpoint,
    params: Params,
    host: Host,
    at: i64,
    /// When the order book is looked at; earlier than `at` where it is stale.
    book_at: i64,
    pub(crate) used_weight: u32,
    pub(crate) delay_ms: i64,
    /// What `exchangeInfo` names.
    limits: VenueLimits,
}

impl Call {
    /// Reads a request.
    pub(crate) fn read(
        request: &Request<'_>,
        limits: VenueLimits,
        at: i64,
    ) -> Result<Self, Refusal> {
        let host = Host::of(request.path);
        let endpoint = Endpoint::find(request.path, request.method).ok_or_else(|| Refusal {
            status: 404,
            code: -5_000,
            message: format!("Path {}, Method {} is invalid", request.path, request.method),
        })?;
        let params = Params::read(request.query);
        let (book_at, used_weight, delay_ms) = (at, 0, 0);
        Ok(Self { endpoint, params, host, at, book_at, used_weight, delay_ms, limits })
    }

    /// What it costs.
    pub(crate) fn cost(&self) -> Cost {
        self.endpoint.cost(self.host, &self.params)
    }

    /// Lets it see an order book that is so old, milliseconds.
    pub(crate) const fn age_book(&mut self, ms: i64) {
        self.book_at = self.at - ms;
    }

    /// Computes the answer.
    #[must_use]
    pub fn answer(&self, market: &SimMarket) -> Answer {
        let mut body = Vec::new();
        let status = match self.write(market, &mut Text(&mut body)) {
            Ok(()) => 200,
            Err(refusal) => {
                body = refusal.body();
                refusal.status
            }
        };
        let Self { used_weight, delay_ms, .. } = *self;
        Answer { status, used_weight, retry_after: None, delay_ms, body }
    }

    fn write(&self, market: &SimMarket, out: &mut Text<'_>) -> Result<(), Refusal> {
        let ask = Ask { market, params: &self.params, host: self.host, now: self.at };
        match self.endpoint {
            Endpoint::Ping => _ = out.raw("{}"),
            Endpoint::Time => _ = out.raw("{\"serverTime\":").int(self.at).raw("}"),
            Endpoint::ExchangeInfo => info::exchange_info(&ask, &self.limits, out)?,
            Endpoint::Depth => trades::depth(&ask, self.book_at, out)?,
            Endpoint::Trades => trades::trades(&ask, out)?,
            Endpoint::AggTrades => trades::agg_trades(&ask, out)?,
            Endpoint::Klines(source) => klines::klines(&ask, source, out)?,
            Endpoint::PremiumIndex => funding::premium_index(&ask, out)?,
            Endpoint::FundingRate => funding::funding_rate(&ask, out)?,
            Endpoint::FundingInfo => funding::funding_info(&ask, out),
            Endpoint::OpenInterest => statistics::open_interest(&ask, out)?,
            Endpoint::OpenInterestHist => statistics::open_interest_history(&ask, out)?,
            Endpoint::Ratio(kind) => statistics::ratio(&ask, kind, out)?,
            Endpoint::TakerRatio => statistics::taker_ratio(&ask, out)?,
            Endpoint::Basis => statistics::basis(&ask, out)?,
            Endpoint::Price => tickers::price(&ask, out)?,
            Endpoint::BookTicker => tickers::book(&ask, out)?,
            Endpoint::Day => tickers::day(&ask, out)?,
        }
        Ok(())
    }
}

/// What an endpoint answers from.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    market: &'a SimMarket,
    params: &'a Params,
    host: Host,
    now: i64,
}

impl Ask<'_> {
    /// The place of the obligatory symbol.
    fn symbol(&self) -> Result<usize, Refusal> {
        self.place("symbol")?.ok_or_else(|| missing("symbol"))
    }

    /// The place of the symbol that a parameter names, where it is there.
    fn place(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let Some(symbol) = self.params.text(name) else { return Ok(None) };
        let place = self.market.place(self.host.market(), symbol);
        place.map(Some).ok_or_else(|| Refusal::new(-1_121, "Invalid symbol."))
    }

    /// The places of one symbol, of some, or of all, and whether it was one.
    fn places(&self) -> Result<(Vec<usize>, Form), Refusal> {
        if let Some(place) = self.place("symbol")? {
            return Ok((vec![place], Form::Object));
        }
        let all = || self.market.lines().iter().enumerate();
        let market = self.host.market();
        let Some(list) = self.params.text("symbols") else {
            let places = all().filter(|(_, line)| line.market == market).map(|(place, _)| place);
            return Ok((places.collect(), Form::List));
        };
        let names: Vec<String> = serde_json::from_str(list).map_err(|_| {
            Refusal::new(-1_100, "Illegal characters found in parameter 'symbols'; legal range is '^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$'.")
        })?;
        let find = |name: &String| {
            let place = self.market.place(market, name);
            place.ok_or_else(|| Refusal::new(-1_121, "Invalid symbol."))
        };
        Ok((names.iter().map(find).collect::<Result<_, _>>()?, Form::List))
    }

    /// A time that was asked for, milliseconds.
    fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.params.number(name)
    }
}

/// Whether an answer is one object or a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Object,
    List,
}

/// Writes a list, or its only element as it is.
fn write_all<T>(
    out: &mut Text<'_>,
    form: Form,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Text<'_>, T),
) {
    if form == Form::List {
        out.raw("[");
    }
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.raw(",");
        }
        write(out, item);
    }
    if form == Form::List {
        out.raw("]");
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(
        -1_102,
        format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
    )
}
