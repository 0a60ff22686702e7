//! What strategies decide, and what they look at.

use std::collections::BTreeMap;

use arb_core::port::{DecisionRow, Listed, Page, SignalFilter, SignalRow, View};
use arb_core::time::{MINUTE, SECOND};
use arb_core::{
    Decimal, Event, EventKind, FeedState, Input, InputAges, InputValue, Money, Timestamp,
};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, Viewer};
use crate::body::{Indicator, NamedSignal, Num, PageOf, Reading, Signal};
use crate::error::ApiError;
use crate::extract::{Int, Place, Query, Text};

/// Liquidations are summed over so long.
const LIQUIDATIONS: i64 = 5 * MINUTE;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(latest))
        .routes(routes!(latest_all))
        .routes(routes!(history))
        .routes(routes!(indicators))
        .routes(routes!(market_indicators))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StrategyParam {
    /// Name of a strategy; the first active one where none is given.
    #[param(inline)]
    strategy: Option<Text<1, 100>>,
}

/// The newest decision of a strategy, coin by coin.
#[utoipa::path(
    get,
    path = "/api/signals/latest",
    tag = "signals",
    params(StrategyParam),
    responses(
        (status = 200, body = BTreeMap<String, Signal>, description = "By coin."),
        (status = 404, body = ErrorBody, description = "No such strategy is loaded."),
    )
)]
async fn latest(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<StrategyParam>,
) -> Result<Json<BTreeMap<String, Signal>>, ApiError> {
    let (view, decisions) = (app.host.desk.snapshot(), app.host.desk.decisions());
    let active = &view.settings.enabled_strategies;
    let wanted = match &params.strategy {
        Some(given) => {
            let is_known = active.iter().any(|name| name == given.as_str())
                || decisions.iter().any(|row| row.strategy == given.as_str());
            if !is_known {
                let known = active.join(", ");
                let text = format!("no such strategy is loaded; loaded are: {known}");
                return Err(ApiError::NotFound(text));
            }
            Some(given.as_str())
        }
        None => active.first().map(String::as_str),
    };
    let of = |row: &&DecisionRow| wanted.is_some_and(|wanted| row.strategy == wanted);
    let rows = decisions.iter().filter(of);
    Ok(Json(rows.map(|row| (coin_of(&app, &view, row), Signal::from(row))).collect()))
}

fn coin_of(app: &App, view: &View, row: &DecisionRow) -> String {
    app.coins().coin(view.symbol(row.instrument)).to_owned()
}

/// The newest decision of every strategy, coin by coin.
#[utoipa::path(
    get,
    path = "/api/signals/latest-v52",
    tag = "signals",
    responses((
        status = 200,
        body = BTreeMap<String, BTreeMap<String, Signal>>,
        description = "By coin, then by strategy."
    ))
)]
async fn latest_all(
    _: Caller<Viewer>,
    State(app): State<App>,
) -> Json<BTreeMap<String, BTreeMap<String, Signal>>> {
    let (view, decisions) = (app.host.desk.snapshot(), app.host.desk.decisions());
    let mut coins = BTreeMap::<String, BTreeMap<String, Signal>>::new();
    for row in &decisions {
        let strategies = coins.entry(coin_of(&app, &view, row)).or_default();
        strategies.insert(row.strategy.clone(), Signal::from(row));
    }
    Json(coins)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryParams {
    /// A coin or symbol; all where none is given.
    #[param(inline)]
    symbol: Option<Text<1, 40>>,
    /// Name of a strategy; all where none is given.
    #[param(inline)]
    strategy: Option<Text<1, 100>>,
    /// Signals at most; 100 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 1000>>,
    /// Where the page begins: `next` of the page before.
    #[param(inline)]
    before: Option<Place>,
}

/// Signals that reached a tier, newest first.
#[utoipa::path(
    get,
    path = "/api/signals/history",
    tag = "signals",
    params(HistoryParams),
    responses(
        (status = 200, body = PageOf<NamedSignal>, description = "Newest first."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn history(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<HistoryParams>,
) -> Result<Json<PageOf<NamedSignal>>, ApiError> {
    let catalog = app.listed().await?;
    let symbol = params.symbol.as_ref();
    let of = symbol.map(|symbol| app.coins().find(&catalog, symbol.as_str())).transpose()?;
    let filter = SignalFilter {
        strategy: params.strategy.map(Text::into_string),
        instrument: of.map(|(of, _)| of.key),
    };
    let limit = params.limit.map_or(100, Int::len);
    let before = params.before.map(|place| place.0);
    let rows = app.host.store.signals(&filter, Page { before, limit: limit + 1 }).await?;
    let item = |row: &SignalRow| {
        let named = catalog.by_key(row.instrument).map(|(_, i)| i.symbol.clone());
        let symbol = named.unwrap_or_default();
        let coin = app.coins().coin(&symbol).to_owned();
        NamedSignal { symbol, coin, signal: Signal::from(row) }
    };
    Ok(Json(PageOf::of(&rows, limit, |row| Place(row.place()), item)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IndicatorParams {
    /// A coin or symbol.
    #[param(inline)]
    symbol: Text<1, 40>,
    /// How far back; 60 where nothing is given.
    #[param(inline)]
    minutes: Option<Int<1, 1440>>,
}

/// Indicators of a perpetual over time.
#[derive(Debug, Serialize, ToSchema)]
struct IndicatorsBody {
    /// Its coin or symbol.
    symbol: String,
    /// A row every 15 seconds, ascending.
    data: Vec<Indicator>,
}

/// The indicators that decisions are taken on, over time.
#[utoipa::path(
    get,
    path = "/api/signals/indicators",
    tag = "signals",
    params(IndicatorParams),
    responses(
        (status = 200, body = IndicatorsBody, description = "Ascending."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn indicators(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<IndicatorParams>,
) -> Result<Json<IndicatorsBody>, ApiError> {
    let catalog = app.listed().await?;
    let (of, instrument) = app.coins().find(&catalog, params.symbol.as_str())?;
    let now = app.host.clock.now();
    let from = now.plus(-params.minutes.map_or(60, |minutes| minutes.0) * MINUTE);
    let rows = app.host.store.indicators(of, from, now.plus(1)).await?;
    let data = rows.iter().map(Indicator::from).collect();
    Ok(Json(IndicatorsBody { symbol: app.coins().coin(&instrument.symbol).to_owned(), data }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SymbolParam {
    /// A coin or symbol.
    #[param(inline)]
    symbol: Text<1, 40>,
}

/// What strategies know of a perpetual beside its trades.
#[derive(Debug, Serialize, ToSchema)]
struct MarketIndicators {
    /// Long over short, all accounts.
    long_short_ratio: Reading,
    /// Long over short, positions of top traders.
    top_trader_position: Reading,
    /// Open interest, base units.
    open_interest_hist: Reading,
    /// Coinbase over Binance spot price less one.
    coinbase_premium: Reading,
    /// Running estimate of the coming funding rate.
    funding_rate: Reading,
    /// Notional of positions liquidated in the last 5 minutes, quote currency; a lower bound.
    liquidations_5m: Reading,
}

/// What strategies know of a perpetual beside its trades, with its age.
#[utoipa::path(
    get,
    path = "/api/signals/market-indicators",
    tag = "signals",
    params(SymbolParam),
    responses(
        (status = 200, body = MarketIndicators, description = "The newest of each."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn market_indicators(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<SymbolParam>,
) -> Result<Json<MarketIndicators>, ApiError> {
    let catalog = app.listed().await?;
    let (of, _) = app.coins().find(&catalog, params.symbol.as_str())?;
    let (now, ages) = (app.host.clock.now(), InputAges::default());
    let newest = app.host.store.latest_inputs(of).await?;
    let reading = |max_age: u32, value: fn(InputValue) -> Option<Num>| {
        let found = newest
            .iter()
            .filter_map(input)
            .find_map(|input| value(input.value).map(|value| (value, input.as_of)));
        found.map_or_else(Reading::absent, |(value, as_of)| {
            Reading::new(Some(value), as_of, now, i64::from(max_age) * SECOND)
        })
    };
    Ok(Json(MarketIndicators {
        long_short_ratio: reading(ages.ratio_secs, |value| match value {
            InputValue::LongShortRatio(ratio) => float(ratio),
            _ => None,
        }),
        top_trader_position: reading(ages.ratio_secs, |value| match value {
            InputValue::TopTraderRatio(ratio) => float(ratio),
            _ => None,
        }),
        open_interest_hist: reading(ages.open_interest_secs, |value| match value {
            InputValue::OpenInterest(amount) => Some(amount.into()),
            _ => None,
        }),
        coinbase_premium: reading(ages.premium_secs, |value| match value {
            InputValue::CoinbasePremium(premium) => float(premium),
            _ => None,
        }),
        funding_rate: reading(ages.running_funding_secs, |value| match value {
            InputValue::FundingRate(rate) => Some(rate.into()),
            _ => None,
        }),
        liquidations_5m: liquidations(&app, of, &newest, now).await?,
    }))
}

const fn input(event: &Event) -> Option<&Input> {
    match &event.kind {
        EventKind::Input(input) => Some(input),
        _ => None,
    }
}

/// A ratio as a number of at most 12 decimals: nothing measures it finer.
fn float(value: f64) -> Option<Num> {
    Decimal::try_from(value).ok().map(|value| Num::round(value, 12))
}

/// The sum of 5 minutes: zero while the stream works and is quiet, absent while it is down.
async fn liquidations(
    app: &App,
    of: Listed,
    newest: &[Event],
    now: Timestamp,
) -> Result<Reading, ApiError> {
    let feed = newest.iter().filter_map(input).find_map(|input| match input.value {
        InputValue::LiquidationFeed(state) => Some((state, input.as_of)),
        _ => None,
    });
    let Some((FeedState::Up, up_since)) = feed else { return Ok(Reading::absent()) };
    let events = app.host.store.inputs(of, now.plus(-LIQUIDATIONS), now.plus(1)).await?;
    let (mut sum, mut last) = (Money::ZERO, up_since);
    for each in events.iter().filter_map(input) {
        if let InputValue::Liquidation(_, notional) = each.value
            && now.since(each.as_of) <= LIQUIDATIONS
        {
            sum += notional;
            last = last.max(each.as_of);
        }
    }
    Ok(Reading { value: Some(sum.into()), time_ms: Some(last.as_millis()), stale: false })
}
