//! The result as JSON: decimals as strings, undefined statistics null.

use std::io::Write;

use anyhow::Result;
use arb::stats::Summary;
use arb::{ENGINE_VERSION, Hole, InputName, InstrumentId, RuleOff, Signal, TradeNote};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Outcome;
use super::signals::{Layout, Signals};

/// Everything but the decisions, in the order of the file.
#[derive(Serialize)]
struct Head<'a> {
    config_hash: &'a str,
    engine_version: &'static str,
    symbol: String,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    trades_read: u64,
    holes: Vec<Value>,
    inputs_present: Map<String, Value>,
    rules_off: Vec<Value>,
    summary: Summary,
    trades: Vec<Value>,
}

/// Writes the result; the decisions come last because there can be more than memory holds.
pub(super) fn write(outcome: &Outcome, signals: Signals, out: &mut impl Write) -> Result<()> {
    let (mut head, before, after) = match signals.layout() {
        Layout::Compact => (serde_json::to_vec(&head(outcome))?, ",\"signals\":[", "]}\n"),
        Layout::Indented => {
            (serde_json::to_vec_pretty(&head(outcome))?, ",\n  \"signals\": [", "]\n}")
        }
    };
    // The end of the object is taken off, and comes behind the decisions.
    head.pop_if(|last| *last == b'}');
    head.pop_if(|last| *last == b'\n');
    out.write_all(&head)?;
    out.write_all(before.as_bytes())?;
    signals.splice(out)?;
    Ok(out.write_all(after.as_bytes())?)
}

fn head(outcome: &Outcome) -> Head<'_> {
    let recorder = &outcome.recorder;
    let millis = |at: Option<arb::Timestamp>| at.map(arb::Timestamp::as_millis);
    let off = |off: &RuleOff| json!({ "rule": off.rule.as_str(), "missing": off.missing });
    let share = |(name, share): &(InputName, f64)| (name.as_str().to_owned(), json!(share));
    Head {
        config_hash: &outcome.config_hash,
        engine_version: ENGINE_VERSION,
        symbol: outcome.symbols.join(","),
        from_ms: millis(outcome.first),
        to_ms: millis(outcome.last),
        trades_read: outcome.trades_read,
        holes: outcome.stats.holes.iter().map(|h| hole(outcome, h)).collect(),
        inputs_present: outcome.inputs_present.iter().map(share).collect(),
        rules_off: outcome.rules_off.iter().map(off).collect(),
        summary: Summary::new(recorder.trades.values(), &recorder.equity),
        trades: recorder.trades.values().map(|t| trade(outcome, t)).collect(),
    }
}

fn hole(outcome: &Outcome, hole: &Hole) -> Value {
    json!({
        "symbol": symbol(&outcome.symbols, hole.instrument),
        "from_id": hole.from_id,
        "to_id": hole.to_id,
        "missing": hole.missing(),
        "start_ms": hole.start.as_millis(),
        "end_ms": hole.end.as_millis(),
    })
}

fn symbol(symbols: &[String], instrument: InstrumentId) -> &str {
    symbols.get(instrument.index()).map_or("", String::as_str)
}

/// One recorded decision.
pub(super) fn signal(symbols: &[String], signal: &Signal) -> Value {
    let decision = &signal.decision;
    json!({
        "time_ms": decision.time.as_millis(),
        "symbol": symbol(symbols, decision.instrument),
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
        "symbol": symbol(&outcome.symbols, trade.instrument),
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
