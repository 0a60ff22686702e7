//! Funding rates, present and past.

use std::collections::BTreeMap;
use std::time::Duration;

use arb_core::port::RateSnapshot;
use arb_core::stats::{CarryTerms, Opportunity};
use arb_core::time::DAY;
use arb_core::{AccountConfig, Decimal};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Caller, Viewer};
use crate::body::{
    self, CoinStats, Data, FundingStatsBody, OpportunityBody, Rate, Settlement, YearStats,
};
use crate::error::ApiError;
use crate::extract::{Int, Query};

/// Days that the means of the monitor look back, and one more for the first interval.
const MONITOR_DAYS: i64 = 8;
/// A calendar year, and a day before it for the first interval.
const YEAR_DAYS: i64 = 367;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(rates))
        .routes(routes!(stats))
        .routes(routes!(stats_ytd))
        .routes(routes!(history))
        .routes(routes!(opportunities))
}

/// The present rates of every perpetual.
#[utoipa::path(
    get,
    path = "/api/rates",
    tag = "funding",
    security(()),
    responses(
        (status = 200, body = BTreeMap<String, Rate>, description = "By coin, or by symbol where none is configured."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn rates(State(app): State<App>, asked: Request) -> Result<Response, ApiError> {
    let view = app.host.desk.snapshot();
    let finished = app.rates.of(&view, app.coins())?;
    Ok(finished.respond(asked.headers(), "public, max-age=3"))
}

/// Settled funding of the last 7 days, coin by coin and of all in equal parts.
#[utoipa::path(
    get,
    path = "/api/stats",
    tag = "funding",
    responses(
        (status = 200, body = FundingStatsBody, description = "By coin, and `combo`."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn stats(
    _: Caller<Viewer>,
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let compute = async {
        let now = app.host.clock.now();
        let mut coins = BTreeMap::<String, CoinStats>::new();
        for (coin, of) in app.chosen(None).await? {
            let from = now.plus(-MONITOR_DAYS * DAY);
            let settled = app.host.store.funding(of, from, now.plus(1)).await?;
            coins.insert(coin, body::coin_stats(&settled, now));
        }
        Ok(FundingStatsBody { combo: body::combo(&coins), coins })
    };
    let ttl = Duration::from_secs(60);
    let finished = app.timed.of("stats".to_owned(), ttl, compute).await?;
    Ok(finished.respond(&asked, "private, max-age=60"))
}

/// Settled funding of this UTC calendar year, coin by coin.
#[utoipa::path(
    get,
    path = "/api/stats/ytd",
    tag = "funding",
    responses(
        (status = 200, body = BTreeMap<String, YearStats>, description = "By coin."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn stats_ytd(
    _: Caller<Viewer>,
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let compute = async {
        let now = app.host.clock.now();
        let catalog = app.listed().await?;
        let mut coins = BTreeMap::new();
        for (coin, of) in app.chosen(None).await? {
            let from = now.plus(-YEAR_DAYS * DAY);
            let settled = app.host.store.funding(of, from, now.plus(1)).await?;
            let listed_at = catalog.by_key(of.key).and_then(|(_, i)| i.listed_at);
            coins.insert(coin, body::year_stats(&settled, listed_at, now));
        }
        Ok(coins)
    };
    let ttl = Duration::from_secs(3_600);
    let finished = app.timed.of("ytd".to_owned(), ttl, compute).await?;
    Ok(finished.respond(&asked, "private, max-age=3600"))
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryParams {
    /// Days; 7 where none are given.
    #[param(inline)]
    days: Option<Int<1, 366>>,
}

/// Settled rates, coin by coin, ascending.
#[utoipa::path(
    get,
    path = "/api/history",
    tag = "funding",
    params(HistoryParams),
    responses(
        (status = 200, body = BTreeMap<String, Vec<Settlement>>, description = "By coin."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn history(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<HistoryParams>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let days = params.days.map_or(7, |days| days.0);
    let compute = async {
        let now = app.host.clock.now();
        let mut coins = BTreeMap::new();
        for (coin, of) in app.chosen(None).await? {
            let settled = app.host.store.funding(of, now.plus(-days * DAY), now.plus(1)).await?;
            let each: Vec<Settlement> = settled.iter().map(Settlement::from).collect();
            coins.insert(coin, each);
        }
        Ok(coins)
    };
    let ttl = Duration::from_secs(60);
    let finished = app.timed.of(format!("history {days}"), ttl, compute).await?;
    Ok(finished.respond(&asked, "private, max-age=60"))
}

/// What every perpetual's funding pays, best first.
#[utoipa::path(
    get,
    path = "/api/funding/opportunities",
    tag = "funding",
    responses(
        (status = 200, body = Data<OpportunityBody>, description = "Best first."),
        (status = 304, description = "The caller has the newest body."),
    )
)]
async fn opportunities(
    _: Caller<Viewer>,
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let ttl = Duration::from_secs(10);
    let finished = app.timed.of("opportunities".to_owned(), ttl, ranked(&app)).await?;
    Ok(finished.respond(&asked, "private, max-age=10"))
}

async fn ranked(app: &App) -> Result<Data<OpportunityBody>, ApiError> {
    let _turn = app.heavy().await?;
    let (view, catalog) = (app.host.desk.snapshot(), app.listed().await?);
    let account = AccountConfig::default();
    // In and out of both legs; the coins are paid in full, the margin of the short is half.
    let costs = Decimal::TWO * (account.taker_fee + account.spot_fee);
    let terms = CarryTerms { costs, capital: Decimal::new(15, 1) };
    let mut found = Vec::with_capacity(view.rates.len());
    for row in view.rates.iter() {
        let row: &RateSnapshot = row;
        let symbol = view.symbol(row.instrument);
        let Ok((of, _)) = app.coins().find(&catalog, symbol) else { continue };
        let Some((_, instrument)) = catalog.by_key(of.key) else { continue };
        let from = row.at.plus(-MONITOR_DAYS * DAY);
        let settled = app.host.store.funding(of, from, row.at.plus(1)).await?;
        found.push(Opportunity::new(instrument, row, &settled, terms));
    }
    found.sort_by(|a, b| {
        let pays = |each: &Opportunity| each.net_annualised.or(each.annualised);
        let has_net = |each: &Opportunity| each.net_annualised.is_some();
        has_net(b)
            .cmp(&has_net(a))
            .then_with(|| pays(b).cmp(&pays(a)))
            .then_with(|| a.symbol.cmp(&b.symbol))
    });
    Ok(found.iter().map(|each| body::opportunity(each, costs)).collect())
}
