//! The result as JSON.

use serde_json::{Value, json};

use super::Outcome;

pub(super) fn result(outcome: &Outcome) -> Value {
    let name = |id: arb::InstrumentId| {
        let pair = outcome.pairs.all.get(usize::from(id.0) / 2);
        pair.map_or("", |pair| pair.symbol.as_str())
    };
    let pairs: Vec<Value> = outcome
        .recorder
        .pairs
        .values()
        .map(|note| {
            json!({
                "id": note.id,
                "symbol": name(note.perp),
                "status": note.status,
                "reason": note.reason,
                "opened_time_ms": note.opened_at.as_millis(),
                "closed_time_ms": note.closed_at.map(arb::Timestamp::as_millis),
                "notional": note.notional,
                "perp_entry_price": note.perp_entry_price,
                "spot_entry_price": note.spot_entry_price,
                "entry_basis_bps": note.entry_basis_bps.map(|bps| bps.normalize().to_string()),
                "funding_earned": -note.funding,
                "fees": note.fees,
                "basis_pnl": note.basis_pnl(),
                "pnl": note.pnl,
                "perp_qty": note.perp_qty,
                "spot_qty": note.spot_qty,
            })
        })
        .collect();
    let symbols: Vec<&str> = outcome.pairs.all.iter().map(|pair| pair.symbol.as_str()).collect();
    let unpriced = outcome.pairs.all.iter().filter(|pair| !pair.priced);
    let no_price: Vec<&str> = unpriced.map(|pair| pair.symbol.as_str()).collect();
    let rules_off: Vec<String> = outcome.rules_off.iter().map(|off| off.rule.as_str()).collect();
    let equity = &outcome.recorder.equity;
    let summary = outcome.summary();
    json!({
        "config_hash": outcome.config_hash,
        "engine_version": arb::ENGINE_VERSION,
        "symbols": symbols,
        "no_price": no_price,
        "from_ms": outcome.period.0.as_millis(),
        "to_ms": outcome.period.1.as_millis(),
        "settlements": outcome.settlements,
        "rules_off": rules_off,
        "pairs": pairs,
        "summary": {
            "pairs": summary.pairs,
            "funding_earned": summary.funding_earned,
            "fees": summary.fees,
            "basis_pnl": summary.basis_pnl,
            "net_pnl": summary.net_pnl,
            "realised_apr": summary.realised_apr,
            "funding_apr": summary.funding_apr,
            "time_in_market": summary.time_in_market,
            "final_equity": equity.last(),
            "max_drawdown_ratio": equity.max_drawdown_ratio(),
            "sharpe": equity.sharpe(),
        },
    })
}
