//! Public requests, typed.
//!
//! Invariant: a request is sent when its budget grants it and not before. Reading again does no
//! harm, so a lost connection and a failing venue are tried again a few times; a refusal, a ban
//! and a restricted location are not.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::Duration;

use arb_core::{FundingSettled, Input, InstrumentId, Market, Timestamp, Trade, VenueError};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::advice::explained;
use super::backoff::Backoff;
use super::broker::Broker;
use crate::budget::{Cost, Limits, Priority, RateLimited};
use crate::wire::rest::{
    self, DepthSnapshot, ExchangeInfo, FundingTerms, Page, Ratio, Refused, refusal,
};
use crate::wire::{Interval, Kline, MarkUpdate, SymbolTable};

/// Times a read is sent before it is given up.
const TRIES: u32 = 4;
const TIME_OUT: Duration = Duration::from_secs(10);
/// Larger than any answer of the venue: `exchangeInfo` has some 3 MB.
const LARGEST_BODY: usize = 32 << 20;

/// One host with its budget.
#[derive(Clone, Debug)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
    market: Market,
    broker: Arc<Broker>,
    priority: Priority,
}

/// A query string; names and values are percent-encoded as they are added.
#[derive(Debug, Default)]
struct Query(String);

impl Query {
    fn with(mut self, name: &str, value: impl Display) -> Self {
        let separator = if self.0.is_empty() { '?' } else { '&' };
        self.0.push(separator);
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.to_string().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.0.push(char::from(byte));
                }
                _ => drop(write!(self.0, "%{byte:02X}")),
            }
        }
        self
    }

    fn option(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

fn disconnected(error: reqwest::Error) -> VenueError {
    // The address is left out: it may carry a signature some day.
    VenueError::Disconnected(Box::new(error.without_url()))
}

impl Rest {
    /// Requests to a host; `broker` is shared by everything that talks to it.
    ///
    /// # Errors
    /// [`VenueError::Disconnected`] when no client can be built on this machine.
    pub fn new(base: &str, market: Market, broker: Arc<Broker>) -> Result<Self, VenueError> {
        // Whoever embeds this may have chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIME_OUT)
            .connect_timeout(TIME_OUT / 2)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("arb/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(disconnected)?;
        let priority = Priority::MarketData;
        Ok(Self { http, base: base.to_owned(), market, broker, priority })
    }

    /// The same host for what nobody waits for.
    #[must_use]
    pub fn for_history(&self) -> Self {
        Self { priority: Priority::History, ..self.clone() }
    }

    /// The budget it draws on.
    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Reads, waiting for the budget and trying again what may succeed later.
    async fn get(&self, path: &str, query: Query, cost: Cost) -> Result<Vec<u8>, VenueError> {
        let address = format!("{}{path}{}", self.base, query.0);
        let half = Duration::from_millis(500);
        let mut backoff = Backoff::new(half, 8 * half, path);
        let mut tries = 1;
        loop {
            self.broker.acquire(cost, self.priority).await?;
            match self.send(&address).await {
                Err(VenueError::Disconnected(_) | VenueError::OutcomeUnknown(_))
                    if tries < TRIES => {}
                Err(VenueError::Rejected { code: 503 | -1001, .. }) if tries < TRIES => {}
                // The budget knows when it may go on, and makes everybody wait until then.
                Err(VenueError::RateLimited { .. }) if tries < TRIES => {
                    tries += 1;
                    continue;
                }
                outcome => return outcome,
            }
            tries += 1;
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn send(&self, address: &str) -> Result<Vec<u8>, VenueError> {
        let answer = self.http.get(address).send().await.map_err(disconnected)?;
        let status = answer.status().as_u16();
        let used = number(answer.headers(), "x-mbx-used-weight-1m");
        let retry_after: Option<u64> = number(answer.headers(), RETRY_AFTER.as_str());
        let retry_after = retry_after.map(Duration::from_secs);
        if let Some(used) = used {
            self.broker.used_weight(used);
        }
        let body = body(answer).await?;
        if status == 200 {
            return Ok(body);
        }
        let now = self.broker.clock().now();
        let error =
            refusal(&Refused { market: self.market, status, body: &body, retry_after, now });
        if let VenueError::RateLimited { retry_after: wait } = &error {
            let how = if status == 418 { RateLimited::Banned } else { RateLimited::TooMany };
            let named = retry_after.is_some() || status == 418;
            self.broker.limited(how, named.then_some(*wait));
        }
        Err(explained(error, status))
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The body, bounded.
async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>, VenueError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(disconnected)? {
        if body.len() + chunk.len() > LARGEST_BODY {
            let what = format!("the answer has more than {LARGEST_BODY} bytes");
            return Err(VenueError::Decode(what.into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Which aggregate trades are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeRange {
    /// The newest.
    Latest,
    /// From this id on.
    From(u64),
    /// Of less than an hour, both ends included.
    Between(Timestamp, Timestamp),
}

fn trades_query(symbol: &str, range: TradeRange, limit: u16) -> Query {
    let query = Query::default().with("symbol", symbol);
    let query = match range {
        TradeRange::Latest => query,
        TradeRange::From(id) => query.with("fromId", id),
        TradeRange::Between(from, to) => {
            query.with("startTime", from.as_millis()).with("endTime", to.as_millis())
        }
    };
    query.with("limit", limit)
}

/// Which long/short ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioKind {
    /// Of all accounts.
    Accounts,
    /// Of the positions of top traders.
    TopPositions,
}

impl RatioKind {
    const fn path(self) -> &'static str {
        match self {
            Self::Accounts => "globalLongShortAccountRatio",
            Self::TopPositions => "topLongShortPositionRatio",
        }
    }
}

/// What statistics are asked by: periods of five minutes.
fn period(symbol: &str, limit: u16) -> Query {
    Query::default().with("symbol", symbol).with("period", "5m").with("limit", limit)
}

/// Futures market data.
#[derive(Clone, Debug)]
pub struct FuturesRest {
    rest: Rest,
    symbols: Arc<SymbolTable>,
}

impl FuturesRest {
    /// Requests whose answers name instruments by `symbols`.
    #[must_use]
    pub const fn new(rest: Rest, symbols: Arc<SymbolTable>) -> Self {
        Self { rest, symbols }
    }

    /// The host and its budget.
    #[must_use]
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }

    /// The same requests for what nobody waits for.
    #[must_use]
    pub fn for_history(&self) -> Self {
        Self { rest: self.rest.for_history(), symbols: Arc::clone(&self.symbols) }
    }

    /// The venue's clock.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn time(&self) -> Result<Timestamp, VenueError> {
        let body = self.rest.get("/fapi/v1/time", Query::default(), Cost::weight(1)).await?;
        rest::server_time(&body)
    }

    /// What is listed; the budget takes the limits it names.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn exchange_info(&self) -> Result<ExchangeInfo, VenueError> {
        let path = "/fapi/v1/exchangeInfo";
        let info =
            rest::exchange_info(&self.rest.get(path, Query::default(), Cost::weight(1)).await?)?;
        self.rest.broker.set_limits(Limits::FUTURES.with(&info.rate_limits));
        Ok(info)
    }

    /// Aggregate trades, ascending, at most 1,000.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn agg_trades(
        &self,
        symbol: &str,
        instrument: InstrumentId,
        range: TradeRange,
        limit: u16,
    ) -> Result<Page<Trade>, VenueError> {
        let query = trades_query(symbol, range, limit);
        let body = self.rest.get("/fapi/v1/aggTrades", query, Cost::AGG_TRADES).await?;
        rest::agg_trades(&body, instrument)
    }

    /// Finished bars from `from` on, ascending, at most 1,500.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn klines(
        &self,
        symbol: &str,
        instrument: InstrumentId,
        interval: Interval,
        from: Timestamp,
    ) -> Result<Page<Kline>, VenueError> {
        let query = Query::default()
            .with("symbol", symbol)
            .with("interval", interval.as_str())
            .with("startTime", from.as_millis())
            .with("limit", 1_500);
        let body = self.rest.get("/fapi/v1/klines", query, Cost::klines(1_500)).await?;
        rest::klines(&body, instrument, interval, self.rest.broker.clock().now())
    }

    /// Mark price and running funding rate of every symbol.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn premium_index(&self) -> Result<Page<MarkUpdate>, VenueError> {
        let (path, cost) = ("/fapi/v1/premiumIndex", Cost::PREMIUM_INDEX_ALL);
        rest::premium_index(&self.rest.get(path, Query::default(), cost).await?, &self.symbols)
    }

    /// Settled rates of all symbols or of one, from `from` on, ascending, at most 1,000.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn funding_rates(
        &self,
        symbol: Option<&str>,
        from: Timestamp,
    ) -> Result<Page<FundingSettled>, VenueError> {
        let query = Query::default()
            .option("symbol", symbol)
            .with("startTime", from.as_millis())
            .with("limit", 1_000);
        let body = self.rest.get("/fapi/v1/fundingRate", query, Cost::FUNDING).await?;
        rest::funding_rates(&body, &self.symbols)
    }

    /// Interval, cap and floor of the symbols whose differ from the usual: 8 h.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn funding_info(&self) -> Result<Page<FundingTerms>, VenueError> {
        let path = "/fapi/v1/fundingInfo";
        rest::funding_info(
            &self.rest.get(path, Query::default(), Cost::FUNDING).await?,
            &self.symbols,
        )
    }

    /// Present open interest, base units.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn open_interest(&self, symbol: &str) -> Result<Page<Input>, VenueError> {
        let query = Query::default().with("symbol", symbol);
        let body = self.rest.get("/fapi/v1/openInterest", query, Cost::weight(1)).await?;
        rest::open_interest(&body, &self.symbols)
    }

    /// Open interest of every five minutes, newest `limit`, ascending.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn open_interest_history(
        &self,
        symbol: &str,
        limit: u16,
    ) -> Result<Page<Input>, VenueError> {
        let body = self.statistics("openInterestHist", symbol, limit).await?;
        rest::open_interest_history(&body, &self.symbols)
    }

    /// Open interest of every five minutes from `from` to `to`, both included, ascending; 500 at
    /// most, and none older than thirty days.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn open_interest_between(
        &self,
        symbol: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Page<Input>, VenueError> {
        let query = period(symbol, 500).with("startTime", from.as_millis());
        let query = query.with("endTime", to.as_millis());
        let body = self.rest.get("/futures/data/openInterestHist", query, Cost::FUTURES_DATA);
        rest::open_interest_history(&body.await?, &self.symbols)
    }

    /// A long/short ratio of every five minutes from `from` to `to`, both included, ascending; 500
    /// at most, and none older than thirty days.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn ratios_between(
        &self,
        kind: RatioKind,
        symbol: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Page<Ratio>, VenueError> {
        let query = period(symbol, 500).with("startTime", from.as_millis());
        let query = query.with("endTime", to.as_millis());
        let path = format!("/futures/data/{}", kind.path());
        rest::ratios(&self.rest.get(&path, query, Cost::FUTURES_DATA).await?, &self.symbols)
    }

    /// A long/short ratio of every five minutes, newest `limit`, ascending.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn ratios(
        &self,
        kind: RatioKind,
        symbol: &str,
        limit: u16,
    ) -> Result<Page<Ratio>, VenueError> {
        rest::ratios(&self.statistics(kind.path(), symbol, limit).await?, &self.symbols)
    }

    async fn statistics(
        &self,
        name: &str,
        symbol: &str,
        limit: u16,
    ) -> Result<Vec<u8>, VenueError> {
        let path = format!("/futures/data/{name}");
        self.rest.get(&path, period(symbol, limit), Cost::FUTURES_DATA).await
    }

    /// The order book, `limit` levels a side.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn depth(&self, symbol: &str, limit: u16) -> Result<DepthSnapshot, VenueError> {
        let query = Query::default().with("symbol", symbol).with("limit", limit);
        let cost = Cost::depth(limit.into());
        rest::depth(&self.rest.get("/fapi/v1/depth", query, cost).await?)
    }
}

/// Spot market data: the hedge leg.
#[derive(Clone, Debug)]
pub struct SpotRest {
    rest: Rest,
}

impl SpotRest {
    /// Spot requests.
    #[must_use]
    pub const fn new(rest: Rest) -> Self {
        Self { rest }
    }

    /// What is listed; the budget takes the limits it names.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn exchange_info(&self) -> Result<ExchangeInfo, VenueError> {
        let (path, cost) = ("/api/v3/exchangeInfo", Cost::SPOT_EXCHANGE_INFO);
        let body = self.rest.get(path, Query::default(), cost).await?;
        let info = rest::spot_exchange_info(&body)?;
        self.rest.broker.set_limits(Limits::SPOT.with(&info.rate_limits));
        Ok(info)
    }

    /// Aggregate trades, ascending, at most 1,000.
    ///
    /// # Errors
    /// [`VenueError`].
    pub async fn agg_trades(
        &self,
        symbol: &str,
        instrument: InstrumentId,
        range: TradeRange,
        limit: u16,
    ) -> Result<Page<Trade>, VenueError> {
        let query = trades_query(symbol, range, limit);
        let body = self.rest.get("/api/v3/aggTrades", query, Cost::SPOT_AGG_TRADES).await?;
        rest::agg_trades(&body, instrument)
    }
}

#[cfg(test)]
mod tests;
