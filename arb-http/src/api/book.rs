//! Our own trades and what they came to, on paper and live.
//!
//! Invariant: both prefixes have the same endpoints. What belongs to the account in use is told
//! under the prefix of the mode in use alone; under the other one the answer is 409 and the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use arb_core::port::{
    Mode, Page, TierMultipliers, TradeFilter, TradeResult, TradeRow, TradingSettings, View,
};
use arb_core::{Decimal, Money};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, Trader, User};
use crate::body::{
    self, Closed, ConfigBody, Data, EquityPoint, PageOf, Position, StatsBody, SummaryBody,
    TradeItem,
};
use crate::error::{ApiError, Cause};
use crate::extract::{Input, Int, Place, Query, Text};

/// Trades that are read at once.
const ROWS: usize = 1_000;

/// The endpoints of one mode, to be nested under its prefix.
pub(super) fn routes(mode: Mode) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(positions))
        .routes(routes!(trades))
        .routes(routes!(equity_curve))
        .routes(routes!(stats))
        .routes(routes!(stats_by_strategy))
        .routes(routes!(config, configure))
        .layer(Extension(mode))
}

/// The view, when it is of this mode.
pub(super) fn in_use(app: &App, mode: Mode) -> Result<Arc<View>, ApiError> {
    let view = app.host.desk.snapshot();
    if view.mode == mode {
        return Ok(view);
    }
    Err(ApiError::Conflict(match mode {
        Mode::Live => {
            "no live executor runs: this node trades on paper, see /api/paper/…".to_owned()
        }
        Mode::Paper => "this node trades live, see /api/live/…".to_owned(),
    }))
}

/// The view for what is told of the past: of paper trades always, of live ones while they are made.
fn past(app: &App, mode: Mode) -> Result<Arc<View>, ApiError> {
    match mode {
        Mode::Paper => Ok(app.host.desk.snapshot()),
        Mode::Live => in_use(app, mode),
    }
}

async fn closed(app: &App, mode: Mode, strategy: Option<&str>) -> Result<Closed, ApiError> {
    let _turn = app.heavy().await?;
    let filter = TradeFilter {
        strategy: strategy.map(str::to_owned),
        result: Some(TradeResult::Closed),
        ..TradeFilter::all(mode)
    };
    let (mut page, mut all) = (Page::first(ROWS), Vec::new());
    loop {
        let rows = app.host.store.own_trades(&filter, page).await?;
        let last = rows.last().filter(|_| rows.len() == ROWS).map(TradeRow::place);
        all.extend(rows);
        match last {
            Some(last) => page = page.after(last),
            None => return Ok(Closed::new(all)),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StrategyParam {
    /// Name of a strategy; all where none is given.
    #[param(inline)]
    strategy: Option<Text<1, 100>>,
}

impl StrategyParam {
    fn name(&self) -> Option<&str> {
        self.strategy.as_ref().map(Text::as_str)
    }
}

/// How the account stands, or a strategy alone.
#[utoipa::path(
    get,
    path = "/summary",
    tag = "book",
    params(StrategyParam),
    responses(
        (status = 200, body = SummaryBody, description = "At present prices."),
        (status = 404, body = ErrorBody, description = "No such strategy."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn summary(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    Query(params): Query<StrategyParam>,
) -> Result<Json<SummaryBody>, ApiError> {
    let view = in_use(&app, mode)?;
    let closed = closed(&app, mode, params.name()).await?;
    if let Some(name) = params.name() {
        let mut known = view.settings.enabled_strategies.iter();
        let traded = !closed.rows.is_empty() || view.trades.iter().any(|t| t.strategy == name);
        if !traded && known.all(|known| known != name) {
            let text = "no such strategy is loaded, and none of this name has traded";
            return Err(ApiError::NotFound(text.to_owned()));
        }
    }
    Ok(Json(closed.summary(&view, params.name())))
}

/// Open directional trades.
#[utoipa::path(
    get,
    path = "/positions",
    tag = "book",
    params(StrategyParam),
    responses(
        (status = 200, body = Data<Position>, description = "At present prices."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn positions(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    Query(params): Query<StrategyParam>,
) -> Result<Json<Data<Position>>, ApiError> {
    let (view, catalog) = (in_use(&app, mode)?, app.listed().await?);
    app.factors.learn(&*app.host.store, &catalog, &view).await?;
    let fits = |each: &Position| params.name().is_none_or(|name| each.strategy == name);
    Ok(Json(body::positions(&view, &app.factors).into_iter().filter(fits).collect()))
}

/// How a closed trade ended.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// Above zero after fees and funding.
    Win,
    /// At zero or below.
    Loss,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TradeParams {
    /// A coin or symbol; all where none is given.
    #[param(inline)]
    symbol: Option<Text<1, 40>>,
    /// How they ended; all where nothing is given.
    #[param(inline)]
    result: Option<Ending>,
    /// Name of a strategy; all where none is given.
    #[param(inline)]
    strategy: Option<Text<1, 100>>,
    /// Trades at most; 100 where nothing is given.
    #[param(inline)]
    limit: Option<Int<1, 500>>,
    /// Where the page begins: `next` of the page before.
    #[param(inline)]
    before: Option<Place>,
}

/// Closed directional trades by their entry, newest first.
#[utoipa::path(
    get,
    path = "/trades",
    tag = "book",
    params(TradeParams),
    responses(
        (status = 200, body = PageOf<TradeItem>, description = "Newest first."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn trades(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    Query(params): Query<TradeParams>,
) -> Result<Json<PageOf<TradeItem>>, ApiError> {
    past(&app, mode)?;
    let (store, catalog) = (&*app.host.store, app.listed().await?);
    let symbol = params.symbol.as_ref();
    let of = symbol.map(|symbol| app.coins().find(&catalog, symbol.as_str())).transpose()?;
    let filter = TradeFilter {
        mode,
        strategy: params.strategy.map(Text::into_string),
        instrument: of.map(|(of, _)| of.key),
        result: Some(match params.result {
            None => TradeResult::Closed,
            Some(Ending::Win) => TradeResult::Win,
            Some(Ending::Loss) => TradeResult::Loss,
        }),
    };
    let limit = params.limit.map_or(100, Int::len);
    let page = Page { before: params.before.map(|place| place.0), limit: limit + 1 };
    let rows = store.own_trades(&filter, page).await?;
    app.factors.learn_rows(store, &catalog, &rows).await?;
    let item = |row: &TradeRow| {
        let named = catalog.by_key(row.instrument).map(|(_, i)| i.symbol.as_str());
        body::trade_item(row, named.unwrap_or_default(), &app.factors)
    };
    Ok(Json(PageOf::of(&rows, limit, |row| Place(row.place()), item)))
}

/// The balance after every closed trade.
#[utoipa::path(
    get,
    path = "/equity-curve",
    tag = "book",
    params(StrategyParam),
    responses(
        (status = 200, body = Data<EquityPoint>, description = "Ascending."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn equity_curve(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    Query(params): Query<StrategyParam>,
) -> Result<Json<Data<EquityPoint>>, ApiError> {
    let view = past(&app, mode)?;
    let closed = closed(&app, mode, params.name()).await?;
    let data = closed.equity_curve(view.settings.initial_balance);
    Ok(Json(Data { data }))
}

/// What closed trades came to, altogether and in groups.
#[utoipa::path(
    get,
    path = "/stats",
    tag = "book",
    params(StrategyParam),
    responses(
        (status = 200, body = StatsBody, description = "A figure without enough data is null."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn stats(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    Query(params): Query<StrategyParam>,
) -> Result<Json<StatsBody>, ApiError> {
    let view = past(&app, mode)?;
    let closed = closed(&app, mode, params.name()).await?;
    Ok(Json(stats_of(&app, &closed, view.settings.initial_balance).await?))
}

async fn stats_of(app: &App, closed: &Closed, initial: Money) -> Result<StatsBody, ApiError> {
    let catalog = app.listed().await?;
    let coin = |row: &TradeRow| {
        let named = catalog.by_key(row.instrument).map(|(_, i)| i.symbol.as_str());
        app.coins().coin(named.unwrap_or_default()).to_owned()
    };
    Ok(closed.stats(initial, coin))
}

/// What closed trades came to, strategy by strategy.
#[utoipa::path(
    get,
    path = "/stats-by-strategy",
    tag = "book",
    responses(
        (status = 200, body = BTreeMap<String, StatsBody>, description = "By strategy."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn stats_by_strategy(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
) -> Result<Json<BTreeMap<String, StatsBody>>, ApiError> {
    let view = past(&app, mode)?;
    let closed = closed(&app, mode, None).await?;
    let mut strategies = BTreeMap::new();
    for (name, of) in closed.by(|row| row.strategy.clone()) {
        strategies.insert(name, stats_of(&app, &of, view.settings.initial_balance).await?);
    }
    Ok(Json(strategies))
}

/// The settings in force.
#[utoipa::path(
    get,
    path = "/config",
    tag = "book",
    responses(
        (status = 200, body = ConfigBody, description = "The settings in force."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn config(
    _: Caller<User>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
) -> Result<Json<ConfigBody>, ApiError> {
    Ok(Json(ConfigBody::from(&in_use(&app, mode)?.settings)))
}

/// Puts other settings in force from the next decision on; they outlive a restart.
#[utoipa::path(
    put,
    path = "/config",
    tag = "book",
    request_body = ConfigBody,
    responses(
        (status = 200, body = ConfigBody, description = "The settings as they were taken."),
        (status = 409, body = ErrorBody, description = "The node trades in the other mode."),
    )
)]
async fn configure(
    caller: Caller<Trader>,
    State(app): State<App>,
    Extension(mode): Extension<Mode>,
    input: Input<ConfigBody>,
) -> Result<Json<ConfigBody>, ApiError> {
    in_use(&app, mode)?;
    let settings = settings(&input.value)?;
    if let Err(error) = app.host.desk.configure(settings.clone()).await {
        // The field of the error is the caller's, unless the node itself or its folder is meant.
        let is_callers = error.file == "settings" && error.field != "node";
        return Err(if is_callers {
            ApiError::flaw("body", &error.field, error.message)
        } else {
            ApiError::Unavailable(Cause(Arc::new(error)))
        });
    }
    let taken = ConfigBody::from(&settings);
    let detail = serde_json::to_string(&taken).unwrap_or_default();
    app.note(&caller.who, "configure", &detail).await;
    Ok(Json(taken))
}

fn unique(names: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(name) {
            unique.push(name.clone());
        }
    }
    unique
}

fn settings(body: &ConfigBody) -> Result<TradingSettings, ApiError> {
    let balance = body.initial_balance.0;
    if Money::round(balance).to_decimal() != balance || balance <= Decimal::ZERO {
        let text = "an amount above 0 with at most 8 decimals is allowed";
        return Err(ApiError::flaw("body", "initial_balance", text));
    }
    Ok(TradingSettings {
        enabled: body.enabled,
        enabled_strategies: unique(&body.enabled_strategies),
        initial_balance: Money::round(balance),
        risk_per_trade: body.risk_per_trade.0,
        max_positions: body.max_positions,
        tier_multiplier: TierMultipliers {
            light: body.tier_multiplier.light.0,
            standard: body.tier_multiplier.standard.0,
            heavy: body.tier_multiplier.heavy.0,
        },
    })
}
