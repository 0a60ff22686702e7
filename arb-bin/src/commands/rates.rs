//! `arb rates`: what every perpetual's funding pays, from the folder of a node.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arb::monitor::{Opportunity, opportunities};
use arb::port::InstrumentStore as _;
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::{AccountConfig, Decimal};
use serde_json::{Value, json};

use super::live::{StopSignal, block_on};
use crate::config::data_folder;
use crate::output;
use crate::terminal::{Style, duration, short};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a node, running or stopped
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print again every few seconds until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Print JSON, rates as fractions
    #[arg(long)]
    json: bool,
    /// Only the best so many
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    block_on(async {
        let folder = data_folder(args.data.as_deref())?;
        let file = folder.join("arb.db");
        let named = || format!("--data {}: arb run fills it", folder.display());
        let store = SqliteOptions::new(file).open_read_only().await.with_context(named)?;
        let mut stop = StopSignal::new()?;
        let mut every = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                () = stop.wait() => break,
                _ = every.tick() => print(args, &store).await?,
            }
            if !args.watch {
                break;
            }
        }
        store.close().await;
        Ok(())
    })
}

async fn print(args: &Args, store: &SqliteStore) -> Result<()> {
    let catalog = store.catalog().await?;
    let account = AccountConfig::default();
    // In and out of both legs.
    let costs = Decimal::TWO * (account.taker_fee + account.spot_fee);
    let mut rows = opportunities(store, &catalog, costs).await?;
    rows.truncate(args.top.unwrap_or(usize::MAX));
    if args.json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        return output::stdout(format_args!("{}\n", json!({ "rates": rows })));
    }
    let clear = if args.watch { "\x1b[H\x1b[J" } else { "" };
    output::stdout(format_args!("{clear}{}", table(&rows)))
}

fn row_json(row: &Opportunity) -> Value {
    json!({
        "symbol": row.symbol,
        "at_ms": row.at.as_millis(),
        "mark_price": row.mark_price,
        "index_price": row.index_price,
        "index_basis": row.index_basis.map(|basis| basis.round_dp(8).to_string()),
        "funding_rate": row.funding_rate.map(|rate| rate.to_string()),
        "interval_hours": row.interval_hours,
        "next_funding_ms": row.next_funding_at.map(arb::Timestamp::as_millis),
        "annualised": row.annualised.map(|rate| rate.round_dp(8).to_string()),
        "seven_days_annualised": row.seven_days.map(|rate| rate.round_dp(8).to_string()),
        "year_to_date_annualised": row.year_to_date.map(|rate| rate.round_dp(8).to_string()),
        "break_even_hours": row.break_even_hours.map(|hours| hours.round_dp(2).to_string()),
    })
}

fn table(rows: &[Opportunity]) -> String {
    let Some(first) = rows.first() else { return "no rates are stored yet\n".to_owned() };
    let style = Style::of(&std::io::stdout());
    let mut text = format!("{} UTC, simple annual rates\n", short(first.at));
    let head = ["symbol", "mark price", "basis", "rate", "every", "a year", "7 days", "this year"];
    let [symbol, mark, basis, rate, every, year, week, ytd] = head;
    let head = format!(
        "{symbol:<16} {mark:>14} {basis:>9} {rate:>10} {every:>5} {year:>9} {week:>9} {ytd:>9} \
         {:>11} {:>11}",
        "pays after", "settles in"
    );
    let _ = writeln!(text, "{}", style.bold(head));
    for row in rows {
        let percent = |rate: Option<Decimal>, digits: usize| {
            let value = rate.map(|rate| rate * Decimal::ONE_HUNDRED);
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$} %"))
        };
        let every = row.interval_hours.map(|hours| format!("{hours} h"));
        let pays = row.break_even_hours.map(|hours| format!("{hours:.0} h"));
        let settles = row.next_funding_at.map(|at| duration(at.since(row.at).max(0)));
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "{:<16} {:>14} {:>9} {:>10} {:>5} {:>9} {:>9} {:>9} {:>11} {:>11}",
            row.symbol,
            row.mark_price.to_string(),
            percent(row.index_basis, 3),
            percent(row.funding_rate, 4),
            dash(every),
            percent(row.annualised, 1),
            percent(row.seven_days, 1),
            percent(row.year_to_date, 1),
            dash(pays),
            dash(settles),
        );
    }
    text
}
