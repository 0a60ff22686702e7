//! Recorded trades of the market.

use std::collections::BTreeMap;

use arb_core::port::Listed;
use arb_core::time::{DAY, HOUR};
use arb_core::{StoreError, Timestamp};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, Viewer};
use crate::body::{self, Bar, Data, Interval, TapeMeta, TapeTrade, TradeSums};
use crate::error::ApiError;
use crate::extract::{Int, Query, Text};

/// Trades that are read at once.
pub(super) const ROWS: usize = 20_000;
/// Longest span of one request: a busy perpetual has some millions of trades in a day.
pub(super) const LONGEST: i64 = DAY;
/// The same for bars of an hour and more.
const LONGEST_OF_HOURS: i64 = 7 * DAY;
/// Unix milliseconds up to the year 2100.
type UnixMs = Int<0, 4_102_444_800_000>;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(meta)).routes(routes!(summary)).routes(routes!(latest))
}

/// What is recorded of each coin's trades.
#[utoipa::path(
    get,
    path = "/api/trades/meta",
    tag = "trades",
    responses((status = 200, body = BTreeMap<String, TapeMeta>, description = "By coin."))
)]
async fn meta(
    _: Caller<Viewer>,
    State(app): State<App>,
) -> Result<Json<BTreeMap<String, TapeMeta>>, ApiError> {
    let _turn = app.heavy().await?;
    let mut coins = BTreeMap::new();
    for (coin, of) in app.chosen(None).await? {
        let meta = match app.host.store.extent(of.key).await? {
            None => TapeMeta::default(),
            // Most tapes have no hole; then nothing is read to find them.
            Some(extent) if extent.missing() == 0 => TapeMeta::new(&extent, 0),
            Some(extent) => TapeMeta::new(&extent, app.host.store.holes(of.key).await?.len()),
        };
        coins.insert(coin, meta);
    }
    Ok(Json(coins))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SpanParams {
    /// A coin or symbol.
    #[param(inline)]
    pub(super) symbol: Text<1, 40>,
    /// First moment, Unix milliseconds; an hour before the end where none is given.
    #[param(inline)]
    start_ms: Option<UnixMs>,
    /// Moment after the last, Unix milliseconds; now where none is given. Of a longer span the
    /// newest 24 hours are told, and 7 days by bars of an hour and more.
    #[param(inline)]
    end_ms: Option<UnixMs>,
}

impl SpanParams {
    /// The span that is asked for, of which the newest part stays where it is too long.
    pub(super) fn span(&self, longest: i64, now: Timestamp) -> (Timestamp, Timestamp) {
        let at = |ms: UnixMs| Timestamp::from_millis(ms.0);
        let to = self.end_ms.map_or(now, at);
        let from = self.start_ms.map_or_else(|| to.plus(-HOUR), at);
        (from.max(to.plus(-longest)), to)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BarParams {
    /// Length of a bar; a minute where none is given.
    #[param(inline)]
    interval: Option<Interval>,
}

/// Bars of the recorded trades.
#[utoipa::path(
    get,
    path = "/api/trades/summary",
    tag = "trades",
    params(SpanParams, BarParams),
    responses(
        (status = 200, body = Data<Bar>, description = "Ascending; a bar without a trade is left out."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn summary(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<SpanParams>,
    Query(bar): Query<BarParams>,
) -> Result<Json<Data<Bar>>, ApiError> {
    let catalog = app.listed().await?;
    let (of, _) = app.coins().find(&catalog, params.symbol.as_str())?;
    let interval = bar.interval.unwrap_or(Interval::M1);
    let longest = if interval.nanos() < HOUR { LONGEST } else { LONGEST_OF_HOURS };
    let span = params.span(longest, app.host.clock.now());
    let _turn = app.heavy().await?;
    let bars = bars(&app, of, span, interval).await?;
    Ok(Json(bars.iter().map(|(at, sums)| Bar::new(*at, sums)).collect()))
}

async fn bars(
    app: &App,
    of: Listed,
    (from, to): (Timestamp, Timestamp),
    interval: Interval,
) -> Result<BTreeMap<Timestamp, TradeSums>, StoreError> {
    let store = &app.host.store;
    let mut bars = BTreeMap::new();
    let mut next = store.first_id_at(of.key, from).await?;
    while let Some(id) = next {
        let trades = store.trades(of, id, ROWS).await?;
        let fits = trades.iter().take_while(|trade| trade.ts < to);
        fits.for_each(|trade| body::add_trade(&mut bars, interval, trade));
        let last = trades.last().filter(|last| trades.len() == ROWS && last.ts < to);
        next = last.map(|last| last.id + 1);
    }
    Ok(bars)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LatestParams {
    /// A coin or symbol.
    #[param(inline)]
    symbol: Text<1, 40>,
    /// Trades at most; 30 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 1000>>,
}

/// The newest recorded trades.
#[utoipa::path(
    get,
    path = "/api/trades/latest",
    tag = "trades",
    params(LatestParams),
    responses(
        (status = 200, body = Data<TapeTrade>, description = "Newest first."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn latest(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<LatestParams>,
) -> Result<Json<Data<TapeTrade>>, ApiError> {
    let catalog = app.listed().await?;
    let (of, _) = app.coins().find(&catalog, params.symbol.as_str())?;
    let limit = params.limit.map_or(30, Int::len);
    let trades = app.host.store.latest_trades(of, limit).await?;
    Ok(Json(trades.iter().rev().map(TapeTrade::from).collect()))
}
