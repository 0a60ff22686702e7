//! The bodies of messages, made of the same parts as the answers of the API.

use std::fmt::Write as _;
use std::sync::Arc;

use arb_core::port::{DecisionRow, View};
use arb_core::{Indicators, Trade};
use serde::Serialize;

use super::message::{Content, Draft};
use super::wanted::Topic;
use crate::body::{self, NamedIndicator, NamedSignal, NamedTrades, TapeTrade};
use crate::coins::Coins;
use crate::factors::FactorBook;

fn whole(topic: Topic, key: &str, symbol: Option<&str>, body: &impl Serialize) -> Option<Draft> {
    // A body is made of names and numbers; writing one cannot fail, and a message that cannot be
    // written must not end the task.
    let text = serde_json::to_string(body).ok()?;
    Some(Draft {
        topic,
        key: Arc::from(key),
        symbol: symbol.map(Arc::from),
        content: Content::Whole(text),
    })
}

/// The rates of the configured perpetuals, by coin.
pub(super) fn rates(view: &View, coins: Coins<'_>) -> Option<Draft> {
    let mut all = body::rates(view, coins);
    let members = coins.symbols().filter_map(|symbol| {
        let coin = coins.coin(symbol);
        let rate = all.remove(coin)?;
        let mut member = serde_json::to_string(coin).ok()?;
        // Writing to a string cannot fail.
        let _ = write!(member, ":{}", serde_json::to_string(&rate).ok()?);
        Some((Arc::from(symbol), member))
    });
    let mut members: Vec<_> = members.collect();
    // In the order of the coins, as in the answer of the API.
    members.sort_by(|a, b| a.1.cmp(&b.1));
    let content = Content::Members(members);
    Some(Draft { topic: Topic::Rates, key: Arc::from("rates"), symbol: None, content })
}

/// A decision.
pub(super) fn signal(view: &View, coins: Coins<'_>, row: &DecisionRow) -> Option<Draft> {
    let symbol = named(view, coins, row.instrument)?;
    let key = format!("{symbol} {}", row.strategy);
    let coin = coins.coin(symbol).to_owned();
    let body = NamedSignal { symbol: symbol.to_owned(), coin, signal: row.into() };
    whole(Topic::Signals, &key, Some(symbol), &body)
}

/// The indicators of a tick.
pub(super) fn indicators(
    view: &View,
    coins: Coins<'_>,
    (id, row): &(arb_core::InstrumentId, Indicators),
    decision: Option<&DecisionRow>,
) -> Option<Draft> {
    let symbol = named(view, coins, *id)?;
    let coin = coins.coin(symbol).to_owned();
    let indicator = body::indicator(row, decision);
    let body = NamedIndicator { symbol: symbol.to_owned(), coin, indicator };
    whole(Topic::Indicators, symbol, Some(symbol), &body)
}

/// New trades of a perpetual.
pub(super) fn trades(coins: Coins<'_>, symbol: &str, trades: &[Trade]) -> Option<Draft> {
    let data = trades.iter().map(TapeTrade::from).collect();
    let coin = coins.coin(symbol).to_owned();
    let body = NamedTrades { symbol: symbol.to_owned(), coin, data };
    whole(Topic::Trades, symbol, Some(symbol), &body)
}

/// The account with its open trades.
pub(super) fn positions(view: &View, factors: &FactorBook) -> Option<Draft> {
    whole(Topic::Positions, "positions", None, &body::positions_message(view, factors))
}

/// What the engine may do.
pub(super) fn risk(view: &View) -> Option<Draft> {
    whole(Topic::Risk, "risk", None, &body::risk_status(view))
}

/// A sign of life.
pub(super) fn heartbeat(ts: i64) -> Option<Draft> {
    whole(Topic::Heartbeat, "heartbeat", None, &serde_json::json!({ "ts": ts }))
}

/// The symbol of a configured perpetual; none of anything else, such as its spot market.
fn named<'a>(view: &'a View, coins: Coins<'_>, id: arb_core::InstrumentId) -> Option<&'a str> {
    let name = view.instruments.get(id.index())?;
    let symbol = name.strip_prefix("um:")?;
    coins.symbols().any(|own| own == symbol).then_some(symbol)
}
