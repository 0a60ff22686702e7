//! Rates over time, for charts.
//!
//! Invariant: an hour that is over does not change, so its candle is read from the store once;
//! what a chart of weeks costs does not depend on how often it is drawn.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arb_core::Timestamp;
use arb_core::port::{InstrumentKey, Listed};
use arb_core::time::{HOUR, MINUTE};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Caller, Viewer};
use crate::body::{self, Interval, KlineItem, Klines, Num, RateCandle, RateCandles};
use crate::error::ApiError;
use crate::extract::{Int, Query, Symbols, Text};

/// Rows that are read at once.
const ROWS: usize = 5_000;
/// Remembered hours; when there are more, all are forgotten and read again.
const MOST_HOURS: usize = 200_000;
/// An hour counts as over this long after its end, because the store follows with a delay.
const SETTLE: i64 = 5 * MINUTE;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(snapshots)).routes(routes!(kline))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SnapshotParams {
    /// How far back; 24 where nothing is given.
    #[param(inline)]
    hours: Option<Int<1, 720>>,
    /// Coins or symbols, separated by commas; the configured ones where none are given.
    #[param(inline)]
    symbols: Option<Symbols>,
    /// Rows at most, spread evenly; 5,000 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 10000>>,
}

/// A number or null.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
struct Figure(Option<Num>);

impl PartialSchema for Figure {
    fn schema() -> RefOr<Schema> {
        let kinds = SchemaType::Array(vec![Type::Number, Type::Null]);
        ObjectBuilder::new().schema_type(kinds).into()
    }
}

impl ToSchema for Figure {}

/// Rates of several coins at one moment.
#[derive(Debug, Serialize, ToSchema)]
struct SnapshotRow {
    /// When, Unix seconds.
    ts: i64,
    /// `<coin>_rate`, `<coin>_price` and `<coin>_index_price` for each coin, lower case.
    #[serde(flatten)]
    figures: BTreeMap<String, Figure>,
}

/// Rates over time.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    /// How far back.
    hours: i64,
    /// Number of rows.
    count: usize,
    /// The rows, ascending.
    data: Vec<SnapshotRow>,
}

/// Rates, mark and index prices over time, all coins in one row.
#[utoipa::path(
    get,
    path = "/api/snapshots",
    tag = "funding",
    params(SnapshotParams),
    responses(
        (status = 200, body = Snapshots, description = "Ascending."),
        (status = 404, body = crate::ErrorBody, description = "No such perpetual."),
    )
)]
async fn snapshots(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<SnapshotParams>,
) -> Result<Json<Snapshots>, ApiError> {
    let _turn = app.heavy().await?;
    let hours = params.hours.map_or(24, |hours| hours.0);
    let limit = params.limit.map_or(5_000, |limit| limit.0);
    let now = app.host.clock.now();
    let (from, to) = (now.plus(-hours * HOUR), now.plus(1));
    // Every row is the first snapshot of its step.
    let step = (to.since(from) + limit - 1) / limit;
    let chosen = app.chosen(params.symbols.as_ref()).await?;
    let empty: BTreeMap<String, Figure> =
        chosen.iter().flat_map(|(coin, _)| keys(coin)).map(|key| (key, Figure(None))).collect();
    let mut rows = BTreeMap::<i64, SnapshotRow>::new();
    for (coin, of) in &chosen {
        let [rate, price, index] = keys(coin);
        let mut last = None;
        read(&app, *of, (from, to), |row| {
            let place = row.at.since(from) / step;
            if last.replace(place) == Some(place) {
                return;
            }
            let ts = row.at.as_millis().div_euclid(1_000);
            let new = || SnapshotRow { ts, figures: empty.clone() };
            let figures = &mut rows.entry(place).or_insert_with(new).figures;
            figures.insert(rate.clone(), Figure(row.funding_rate.map(Num::from)));
            figures.insert(price.clone(), Figure(Some(row.mark_price.into())));
            figures.insert(index.clone(), Figure(row.index_price.map(Num::from)));
        })
        .await?;
    }
    let data: Vec<SnapshotRow> = rows.into_values().collect();
    Ok(Json(Snapshots { hours, count: data.len(), data }))
}

fn keys(coin: &str) -> [String; 3] {
    let coin = coin.to_lowercase();
    ["rate", "price", "index_price"].map(|figure| format!("{coin}_{figure}"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct KlineParams {
    /// A coin or symbol.
    #[param(inline)]
    symbol: Text<1, 40>,
    /// Length of a candle; an hour where none is given.
    #[param(inline)]
    interval: Option<Interval>,
    /// Candles at most; 500 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 1500>>,
}

/// Candles of the funding rate and of the mark price.
#[utoipa::path(
    get,
    path = "/api/kline",
    tag = "funding",
    params(KlineParams),
    responses(
        (status = 200, body = Klines, description = "Ascending."),
        (status = 404, body = crate::ErrorBody, description = "No such perpetual."),
    )
)]
async fn kline(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<KlineParams>,
) -> Result<Json<Klines>, ApiError> {
    let catalog = app.listed().await?;
    let (of, instrument) = app.coins().find(&catalog, params.symbol.as_str())?;
    let _turn = app.heavy().await?;
    let interval = params.interval.unwrap_or(Interval::H1);
    let limit = params.limit.map_or(500, |limit| limit.0);
    let now = app.host.clock.now();
    let from = interval.start(now).plus(-(limit - 1).saturating_mul(interval.nanos()));
    let candles = if interval.nanos() < HOUR {
        let mut candles = RateCandles::new();
        let span = (from, now.plus(1));
        read(&app, of, span, |row| body::add_rate(&mut candles, interval, row)).await?;
        candles
    } else {
        of_hours(&app, of, (from, now), interval).await?
    };
    let data: Vec<KlineItem> = candles.iter().map(|(at, each)| KlineItem::new(*at, each)).collect();
    let symbol = app.coins().coin(&instrument.symbol).to_owned();
    Ok(Json(Klines { symbol, interval, count: data.len(), data }))
}

/// Reads rates page by page, so that no request holds a whole history in memory.
async fn read(
    app: &App,
    of: Listed,
    (mut from, to): (Timestamp, Timestamp),
    mut take: impl FnMut(&arb_core::port::RateSnapshot),
) -> Result<(), ApiError> {
    loop {
        let rows = app.host.store.rates(of, (from, to), ROWS).await?;
        rows.iter().for_each(&mut take);
        match rows.last().filter(|_| rows.len() == ROWS) {
            Some(last) => from = last.at.plus(1),
            None => return Ok(()),
        }
    }
}

/// Candles of hours that are over, by instrument and hour; none for an hour without a snapshot.
#[derive(Debug, Default)]
pub(crate) struct HourBook {
    hours: Mutex<BTreeMap<(InstrumentKey, Timestamp), Option<RateCandle>>>,
}

impl HourBook {
    fn hours(&self) -> MutexGuard<'_, BTreeMap<(InstrumentKey, Timestamp), Option<RateCandle>>> {
        self.hours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a span up to the first hour that is not, and that hour.
    fn known(
        &self,
        key: InstrumentKey,
        span: (Timestamp, Timestamp),
    ) -> (RateCandles, Option<Timestamp>) {
        let (hours, mut known) = (self.hours(), RateCandles::new());
        for hour in hours_of(span) {
            match hours.get(&(key, hour)) {
                Some(candle) => known.extend(candle.map(|candle| (hour, candle))),
                None => return (known, Some(hour)),
            }
        }
        (known, None)
    }

    /// Remembers the hours of a span that are over.
    fn keep(&self, key: InstrumentKey, span: (Timestamp, Timestamp), read: &RateCandles) {
        let mut hours = self.hours();
        if hours.len() >= MOST_HOURS {
            hours.clear();
        }
        let over = hours_of(span).filter(|hour| span.1.since(hour.plus(HOUR)) >= SETTLE);
        hours.extend(over.map(|hour| ((key, hour), read.get(&hour).copied())));
    }
}

fn hours_of((from, to): (Timestamp, Timestamp)) -> impl Iterator<Item = Timestamp> {
    let first = from.floor_to(HOUR);
    (0..).map(move |n: i64| first.plus(n * HOUR)).take_while(move |hour| *hour <= to)
}

async fn of_hours(
    app: &App,
    of: Listed,
    (from, now): (Timestamp, Timestamp),
    interval: Interval,
) -> Result<RateCandles, ApiError> {
    // Before the first snapshot there is nothing to remember.
    let first = app.host.store.rates(of, (from, now.plus(1)), 1).await?;
    let Some(first) = first.first() else { return Ok(RateCandles::new()) };
    let span = (first.at.floor_to(HOUR).max(from), now);
    let (mut hours, missing) = app.hours.known(of.key, span);
    if let Some(missing) = missing {
        let mut fresh = RateCandles::new();
        let take = |row: &_| body::add_rate(&mut fresh, Interval::H1, row);
        read(app, of, (missing, now.plus(1)), take).await?;
        app.hours.keep(of.key, (missing, now), &fresh);
        hours.extend(fresh);
    }
    let mut candles = RateCandles::new();
    for hour in hours {
        body::add_candle(&mut candles, interval, hour);
    }
    Ok(candles)
}
