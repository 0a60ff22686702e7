//! The figures of a run and its groups of trades, ready to be read.
//!
//! Invariant: figures come from [`Summary`] and [`Tally`]; here they only become text.

use arb_core::stats::Summary;
use arb_core::{Money, TradeNote};

use super::collect::BacktestCollector;
use super::groups::{Group, Tally, median_r};
use super::show;

/// A key figure.
pub(super) struct Card {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) tone: &'static str,
}

/// A row of a table of tallies, ready to be read.
pub(super) struct GroupRow {
    pub(super) name: String,
    pub(super) trades: String,
    pub(super) win_rate: String,
    pub(super) total_r: String,
    pub(super) tone: &'static str,
    pub(super) mean_r: String,
    pub(super) net: String,
    pub(super) net_tone: &'static str,
    pub(super) fees: String,
}

pub(super) struct GroupTable {
    pub(super) title: &'static str,
    pub(super) by: &'static str,
    pub(super) rows: Vec<GroupRow>,
}

/// The key figures of a run; `closed` are its closed trades.
pub(super) fn cards(seen: &BacktestCollector, closed: &[&TradeNote]) -> Vec<Card> {
    let summary = Summary::new(seen.trades.values(), &seen.curve);
    let fees: Money = seen.trades.values().map(|trade| trade.fee).sum();
    let mut all = Tally::default();
    closed.iter().for_each(|trade| all.add(trade));
    let start = seen.config.as_ref().map(|(config, _)| config.account.initial_balance);
    let gained = summary.final_equity.zip(start).map(|(end, start)| end - start);
    let tone = |value: Option<f64>| tone(value.unwrap_or_default());
    let card = |label, value, note: String, tone| Card { label, value, note, tone };
    let open = seen.trades.len() - closed.len();
    vec![
        card("Total R", show::signed(summary.total_r), mean_note(&all), tone(summary.total_r)),
        card(
            "Final equity",
            summary.final_equity.map_or(show::NONE.to_owned(), show::money),
            gained.zip(start).map_or(String::new(), |(gained, start)| gained_note(gained, start)),
            tone(gained.map(|gained| gained.to_f64_lossy())),
        ),
        card("Max drawdown", show::percent(summary.max_drawdown_ratio), "of the peak".into(), ""),
        card(
            "Closed trades",
            show::grouped(summary.trades),
            if open > 0 { format!("{open} open at end") } else { String::new() },
            "",
        ),
        card("Win rate", show::percent(summary.win_rate), format!("{} won", all.wins), ""),
        card("Profit factor", show::plain(summary.profit_factor), "gains ÷ losses".into(), ""),
        card(
            "Sharpe",
            show::plain(summary.sharpe),
            summary.sharpe.map_or("needs 30 days", |_| "daily, annualised").to_owned(),
            "",
        ),
        card("Fees", show::money(fees), "quote currency".into(), ""),
        card("Funding", show::money(seen.funding), "positive was paid".into(), ""),
    ]
}

fn gained_note(gained: Money, start: Money) -> String {
    let ratio = gained.to_f64_lossy() / start.to_f64_lossy();
    let percent = format!("{:+.1} %", ratio * 100.0).replace('-', "−");
    format!("{}, {percent}", show::signed_money(gained))
}

fn mean_note(all: &Tally) -> String {
    if all.trades == 0 {
        String::new()
    } else {
        format!("{} a trade", show::signed(Some(all.mean_r())))
    }
}

pub(super) fn r_note(closed: &[&TradeNote]) -> Option<String> {
    let mut all = Tally::default();
    closed.iter().for_each(|trade| all.add(trade));
    median_r(closed).map(|median| {
        let (mean, median) = (show::signed(Some(all.mean_r())), show::signed(Some(median)));
        format!("{} closed trades, mean {mean} R, median {median} R", show::grouped(all.trades))
    })
}

/// The class of a figure whose sign matters.
pub(super) fn tone(value: f64) -> &'static str {
    if value > 0.0 {
        "gain"
    } else if value < 0.0 {
        "loss"
    } else {
        ""
    }
}

pub(super) fn table(group: Group) -> GroupTable {
    let row = |(name, tally): (String, Tally)| GroupRow {
        name,
        trades: show::grouped(tally.trades),
        win_rate: show::percent(Some(tally.win_rate())),
        total_r: show::signed(Some(tally.total_r)),
        tone: tone(tally.total_r),
        mean_r: show::signed(Some(tally.mean_r())),
        net: show::signed_money(tally.net),
        net_tone: tone(tally.net.to_f64_lossy()),
        fees: show::money(tally.fees),
    };
    GroupTable { title: group.title, by: group.by, rows: group.rows.into_iter().map(row).collect() }
}
