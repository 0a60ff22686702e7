//! The result for a person.

use std::fmt::Write as _;

use arb::{CarryNote, Timestamp, stats::CarrySummary, time::DAY};

use super::Outcome;

/// Pairs shown one by one at most.
const SHOWN: usize = 30;

pub(super) fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    let unpriced: Vec<&str> =
        outcome.pairs.all.iter().filter(|p| !p.priced).map(|p| p.symbol.as_str()).collect();
    if !unpriced.is_empty() {
        let _ = writeln!(
            out,
            "no_price: {} run at a constant price of 1 and no basis; lots, basis and exits by it \
             are not exercised",
            unpriced.join(", ")
        );
    }
    let off: Vec<String> = outcome.rules_off.iter().map(|off| off.rule.as_str()).collect();
    let _ = writeln!(out, "rules off for lack of data: {}", off.join(", "));
    let symbols: Vec<&str> = outcome.pairs.all.iter().map(|pair| pair.symbol.as_str()).collect();
    let (from, to) = outcome.period;
    let _ = writeln!(
        out,
        "\n{}  {} to {}  {} settlements  configuration {}\n",
        symbols.join(", "),
        day(from),
        day(to),
        outcome.settlements,
        outcome.config_hash.get(..12).unwrap_or(&outcome.config_hash),
    );
    pairs(&mut out, outcome);
    if outcome.pairs.all.len() > 1 {
        by_symbol(&mut out, outcome);
    }
    result(&mut out, outcome);
    out
}

fn day(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

fn hour(at: Timestamp) -> String {
    at.to_string().get(..16).map(|text| text.replace('T', " ")).unwrap_or_default()
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0))
}

fn days(note: &CarryNote, end: Timestamp) -> i64 {
    note.closed_at.unwrap_or(end).since(note.opened_at) / DAY
}

fn pairs(out: &mut String, outcome: &Outcome) {
    let all = &outcome.recorder.pairs;
    if all.is_empty() {
        let most = outcome.refused.iter().max_by_key(|(_, count)| **count);
        let why = most.map_or(String::new(), |(kind, count)| format!("; {count} times {kind}"));
        let _ = writeln!(out, "no pair was worth its costs{why}");
        return;
    }
    let _ = writeln!(
        out,
        "{:<12} {:<16} {:>5} {:>10} {:>9} {:>10} {:>9} {:>9} {:>10}  ended by",
        "symbol", "opened", "days", "notional", "basis bp", "funding", "fees", "basis", "net"
    );
    for note in all.values().take(SHOWN) {
        let symbol = outcome.pairs.all.get(usize::from(note.perp.0) / 2);
        let _ = writeln!(
            out,
            "{:<12} {:<16} {:>5} {:>10} {:>9} {:>10} {:>9} {:>9} {:>10}  {}",
            symbol.map_or("", |pair| pair.symbol.as_str()),
            hour(note.opened_at),
            days(note, outcome.period.1),
            format!("{:.2}", note.notional),
            note.entry_basis_bps.map_or("-".to_owned(), |bps| format!("{bps:.1}")),
            format!("{:.2}", -note.funding),
            format!("{:.2}", note.fees),
            format!("{:.2}", note.basis_pnl()),
            format!("{:.2}", note.pnl),
            note.reason.as_deref().unwrap_or("open"),
        );
    }
    if all.len() > SHOWN {
        let _ = writeln!(out, "… and {} more (--json FILE has them all)", all.len() - SHOWN);
    }
}

fn by_symbol(out: &mut String, outcome: &Outcome) {
    let _ = writeln!(
        out,
        "\n{:<12} {:>6} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "symbol", "pairs", "funding", "fees", "basis", "net", "APR", "in market"
    );
    for (index, pair) in outcome.pairs.all.iter().enumerate() {
        let mine = outcome.recorder.pairs.values().filter(|n| usize::from(n.perp.0) / 2 == index);
        let sum = CarrySummary::new(mine, outcome.period, outcome.leverage);
        let _ = writeln!(
            out,
            "{:<12} {:>6} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10}",
            pair.symbol,
            sum.pairs,
            format!("{:.2}", sum.funding_earned),
            format!("{:.2}", sum.fees),
            format!("{:.2}", sum.basis_pnl),
            format!("{:.2}", sum.net_pnl),
            percent(sum.realised_apr),
            percent(sum.time_in_market),
        );
    }
}

fn result(out: &mut String, outcome: &Outcome) {
    let (summary, equity) = (outcome.summary(), &outcome.recorder.equity);
    let _ = writeln!(
        out,
        "\nresult  {} pairs   funding earned {:.2}   fees {:.2}   basis {:.2}   net {:.2}",
        summary.pairs, summary.funding_earned, summary.fees, summary.basis_pnl, summary.net_pnl,
    );
    let _ = writeln!(
        out,
        "        realised APR {} of the capital in use (funding alone {})   time in market {}",
        percent(summary.realised_apr),
        percent(summary.funding_apr),
        percent(summary.time_in_market),
    );
    let last = equity.last().map_or("-".to_owned(), |equity| format!("{equity:.2}"));
    let sharpe = equity.sharpe().map_or("-".to_owned(), |sharpe| format!("{sharpe:.2}"));
    let _ = writeln!(
        out,
        "        final equity {last}   max drawdown {}   Sharpe {sharpe}",
        percent(equity.max_drawdown_ratio()),
    );
}
