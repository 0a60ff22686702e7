//! The result for a person: what was known, what happened, what it earned.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arb::stats::Summary;
use arb::{InstrumentId, Money, TradeNote, TradeStatus};

use super::Outcome;
use crate::terminal::{Style, duration, grouped, short};

/// Trades shown one by one at most.
const SHOWN: usize = 20;
/// Reasons against an entry shown at most.
const REASONS: usize = 6;

pub(super) fn text(outcome: &Outcome, style: Style) -> String {
    let mut out = String::new();
    inputs(&mut out, outcome, style);
    period(&mut out, outcome);
    trades(&mut out, outcome, style);
    by_status(&mut out, outcome, style);
    result(&mut out, outcome, style);
    out
}

/// The first lines: what the strategies could see.
fn inputs(out: &mut String, outcome: &Outcome, style: Style) {
    let present: Vec<String> = outcome
        .inputs_present
        .iter()
        .filter(|(_, share)| *share > 0.0)
        .map(|(name, share)| format!("{} {:.0} %", name.as_str(), share * 100.0))
        .collect();
    let line = if present.is_empty() {
        "no market inputs: signals fire on order flow alone".to_owned()
    } else {
        format!("inputs present at decisions: {}", present.join(", "))
    };
    let _ = writeln!(out, "{}", style.paint("33", line));
    let off: Vec<String> = outcome.rules_off.iter().map(|off| off.rule.as_str()).collect();
    if !off.is_empty() {
        let _ = writeln!(out, "rules off for lack of data: {}", off.join(", "));
    }
    let holes = &outcome.stats.holes;
    if let Some(longest) = holes.iter().max_by_key(|hole| hole.end.since(hole.start)) {
        let missing: u64 = holes.iter().map(|hole| hole.missing()).sum();
        let secs = longest.end.since(longest.start) / 1_000_000_000;
        let line = format!(
            "holes: {} with {missing} missing trades, the longest {secs} s at {}; windows over \
             them give no entry",
            holes.len(),
            short(longest.start),
        );
        let _ = writeln!(out, "{}", style.paint("33", line));
    }
}

fn period(out: &mut String, outcome: &Outcome) {
    let (Some(first), Some(last)) = (outcome.first, outcome.last) else { return };
    let _ = writeln!(
        out,
        "\n{}  {} to {} ({})  {} trades  configuration {}",
        outcome.symbols.join(","),
        short(first),
        short(last),
        duration(last.since(first)),
        grouped(outcome.trades_read),
        outcome.config_hash.get(..12).unwrap_or(&outcome.config_hash),
    );
    let super::Decisions { told, fired, stopped, .. } = &outcome.decisions;
    let _ = writeln!(out, "{} recorded decisions, {} entries", grouped(*told), grouped(*fired));
    let mut stopped: Vec<(&str, u64)> = stopped.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    stopped.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = stopped.iter().take(REASONS).map(|(kind, n)| format!("{kind} {}", grouped(*n)));
    let most: Vec<String> = most.collect();
    if !most.is_empty() {
        let _ = writeln!(out, "no entry because of: {}", most.join(", "));
    }
    out.push('\n');
}

fn net(trade: &TradeNote) -> Money {
    trade.pnl - trade.fee - trade.funding
}

fn trades(out: &mut String, outcome: &Outcome, style: Style) {
    let all = &outcome.recorder.trades;
    if all.is_empty() {
        let _ = writeln!(out, "no trades");
        return;
    }
    let several = outcome.symbols.len() > 1 || outcome.strategies > 1;
    let header = format!(
        "{:<19}  {:<5}  {:>12}  {:>12}  {:>10}  {:<11}  {:>10}  {:>6}",
        "entry", "side", "entry price", "exit price", "qty", "status", "net", "R"
    );
    let _ = writeln!(out, "{}", style.bold(header));
    for trade in all.values().take(SHOWN) {
        let name = |id: InstrumentId| outcome.symbols.get(id.index()).map_or("", String::as_str);
        let owner = if several {
            format!("  {} {}", name(trade.instrument), trade.strategy)
        } else {
            String::new()
        };
        let exit = trade.exit_price.filter(|_| !trade.status.is_open());
        let net = net(trade);
        let r = trade.r_multiple.map_or("-".to_owned(), |r| format!("{r:+.2}"));
        let gain = net.to_f64_lossy();
        let _ = writeln!(
            out,
            "{:<19}  {:<5}  {:>12}  {:>12}  {:>10}  {:<11}  {}  {}{owner}",
            short(trade.entry_time),
            trade.direction.as_str(),
            trade.entry_price.to_string(),
            exit.map_or("-".to_owned(), |price| format!("{:.6}", price.to_f64_lossy())
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()),
            trade.qty.to_string(),
            trade.status.as_str(),
            style.signed(gain, format!("{:>10}", format!("{net:.2}"))),
            style.signed(gain, format!("{r:>6}")),
        );
    }
    if all.len() > SHOWN {
        let _ = writeln!(out, "… and {} more (--json FILE has them all)", all.len() - SHOWN);
    }
}

fn by_status(out: &mut String, outcome: &Outcome, style: Style) {
    let mut groups: BTreeMap<TradeStatus, (usize, f64, Money)> = BTreeMap::new();
    for trade in outcome.recorder.trades.values() {
        let group = groups.entry(trade.status).or_default();
        group.0 += 1;
        group.1 += trade.r_multiple.unwrap_or_default();
        group.2 += net(trade);
    }
    if groups.is_empty() {
        return;
    }
    let header = format!("\n{:<12} {:>7} {:>9} {:>12}", "ended by", "trades", "R", "net");
    let _ = writeln!(out, "{}", style.bold(header));
    for (status, (count, r, net)) in groups {
        let _ = writeln!(
            out,
            "{:<12} {count:>7} {} {:>12}",
            status.as_str(),
            style.signed(r, format!("{:>9}", format!("{r:+.2}"))),
            format!("{net:.2}"),
        );
    }
}

fn result(out: &mut String, outcome: &Outcome, style: Style) {
    let recorder = &outcome.recorder;
    let summary = Summary::new(recorder.trades.values(), &recorder.equity);
    let percent =
        |ratio: Option<f64>| ratio.map_or("-".to_owned(), |r| format!("{:.1} %", r * 100.0));
    let plain = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.2}"));
    let total_r = summary.total_r.unwrap_or_default();
    let fees: Money = recorder.trades.values().map(|trade| trade.fee).sum();
    let sharpe = summary.sharpe.map_or("needs 30 days".to_owned(), |v| format!("{v:.2}"));
    let equity = summary.final_equity.map_or("-".to_owned(), |equity| format!("{equity:.2}"));
    let _ = writeln!(
        out,
        "\n{}  {} closed trades   win rate {}   profit factor {}   total R {}",
        style.bold("result"),
        summary.trades,
        percent(summary.win_rate),
        plain(summary.profit_factor),
        style.signed(total_r, format!("{total_r:+.2}")),
    );
    let _ = writeln!(
        out,
        "        final equity {equity}   max drawdown {}   fees {fees:.2}   funding {:.2}   Sharpe {sharpe}",
        percent(summary.max_drawdown_ratio),
        recorder.funding,
    );
    for note in recorder.risk_notes.iter().take(5) {
        let what = note.trip.map_or(note.reason.clone(), |trip| {
            format!("{} {} against {}", trip.rule.as_str(), trip.actual, trip.limit)
        });
        let _ = writeln!(out, "        risk at {}: {:?}, {what}", short(note.at), note.state);
    }
}
