//! The result as JSON: decimals as strings, undefined statistics null.

use arb::stats::Summary;
use arb::{ENGINE_VERSION, InstrumentId, Signal, TradeNote};
use serde_json::{Map, Value, json};

use super::Outcome;

pub(super) fn result(outcome: &Outcome) -> Value {
    let recorder = &outcome.recorder;
    let millis = |at: Option<arb::Timestamp>| at.map(arb::Timestamp::as_millis);
    let shares: Map<String, Value> = outcome
        .inputs_present
        .iter()
        .map(|(name, share)| (name.as_str().to_owned(), json!(share)))
        .collect();
    let holes: Vec<Value> = outcome
        .stats
        .holes
        .iter()
        .map(|hole| {
            json!({
                "symbol": symbol(outcome, hole.instrument),
                "from_id": hole.from_id,
                "to_id": hole.to_id,
                "missing": hole.missing(),
                "start_ms": hole.start.as_millis(),
                "end_ms": hole.end.as_millis(),
            })
        })
        .collect();
    let off: Vec<Value> = outcome
        .rules_off
        .iter()
        .map(|off| json!({ "rule": off.rule.as_str(), "missing": off.missing }))
        .collect();
    json!({
        "config_hash": outcome.config_hash,
        "engine_version": ENGINE_VERSION,
        "symbol": outcome.symbols.join(","),
        "from_ms": millis(outcome.first),
        "to_ms": millis(outcome.last),
        "trades_read": outcome.trades_read,
        "holes": holes,
        "inputs_present": shares,
        "rules_off": off,
        "signals": recorder.signals.iter().map(|s| signal(outcome, s)).collect::<Vec<_>>(),
        "trades": recorder.trades.values().map(|t| trade(outcome, t)).collect::<Vec<_>>(),
        "summary": Summary::new(recorder.trades.values(), &recorder.equity),
    })
}

fn symbol(outcome: &Outcome, instrument: InstrumentId) -> &str {
    outcome.symbols.get(instrument.index()).map_or("", String::as_str)
}

fn signal(outcome: &Outcome, signal: &Signal) -> Value {
    let decision = &signal.decision;
    json!({
        "time_ms": decision.time.as_millis(),
        "symbol": symbol(outcome, decision.instrument),
        "strategy": signal.strategy,
        "direction": decision.direction,
        "score": decision.score,
        "tier": decision.tier,
        "fired": signal.fired,
        "reason": decision.reason.to_string(),
        "price": decision.price,
        "factors": decision.factors,
    })
}

fn trade(outcome: &Outcome, trade: &TradeNote) -> Value {
    let open = trade.status.is_open();
    json!({
        "entry_time_ms": trade.entry_time.as_millis(),
        "exit_time_ms": trade.exit_time.map(arb::Timestamp::as_millis),
        "symbol": symbol(outcome, trade.instrument),
        "strategy": trade.strategy,
        "direction": trade.direction,
        "tier": trade.tier,
        "score": trade.score,
        "entry_price": trade.entry_price,
        "exit_price": trade.exit_price.filter(|_| !open),
        "qty": trade.qty,
        "status": trade.status.as_str(),
        "pnl": trade.pnl,
        "fee": trade.fee,
        "funding": trade.funding,
        "r_multiple": trade.r_multiple,
    })
}
