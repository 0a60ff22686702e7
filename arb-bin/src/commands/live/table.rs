//! The live table: rates, order flow and what the strategies said last, read from the store.
//!
//! Invariant: it only reads; a slow terminal holds nobody up.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Result;
use arb::live::Live;
use arb::node::Handle;
use arb::port::{
    BookStore as _, Catalog, Clock, Desk as _, IndicatorRow, Listed, MarketStore as _, Page,
    RateSnapshot, SignalFilter, SignalRow,
};
use arb::sqlite::SqliteStore;
use arb::time::{DAY, HOUR, MINUTE, SECOND};
use arb::{Decimal, Instrument, Timestamp};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

use super::LiveArgs;
use crate::output;
use crate::terminal::{Style, duration, short};

/// Rates shown, best paying first.
const RATES: usize = 8;
/// Symbols with order flow shown.
const SCORED: usize = 20;
/// Decisions shown.
const SIGNALS: usize = 6;

/// Reads a page of the store again and again.
pub(super) struct Table {
    store: Arc<SqliteStore>,
    catalog: Catalog,
    symbols: Vec<String>,
    clock: Arc<dyn Clock>,
    handle: Handle,
    every: Interval,
    screen: Screen,
    /// Where the dashboard is.
    host: Option<String>,
}

/// Where it is shown.
#[derive(Clone, Copy)]
enum Screen {
    /// On a terminal: drawn over again and again.
    Terminal(Style),
    /// Elsewhere: a line a minute in the log.
    Log,
    /// Nowhere, because stdout has the line of JSON.
    None,
}

impl Table {
    pub(super) fn new(live: &Live, args: &LiveArgs, host: Option<String>) -> Self {
        let stdout = std::io::stdout();
        let screen = match () {
            () if args.ready_json => Screen::None,
            () if stdout.is_terminal() => Screen::Terminal(Style::of(&stdout)),
            () => Screen::Log,
        };
        let mut every = interval(match screen {
            Screen::Terminal(_) => Duration::from_secs(1),
            _ => Duration::from_secs(60),
        });
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            store: Arc::clone(live.store()),
            catalog: live.catalog().clone(),
            symbols: live.symbols().to_vec(),
            clock: live.clock(),
            handle: live.node().handle(),
            every,
            screen,
            host,
        }
    }

    /// The next text to show; nothing before the next second.
    pub(super) async fn next(&mut self) -> Result<String> {
        self.every.tick().await;
        let Screen::Terminal(style) = self.screen else { return Ok(self.line()) };
        let now = self.clock.now();
        let mut text = self.head(style, now);
        self.rates(&mut text, style, now).await?;
        self.flow(&mut text, style, now).await?;
        self.signals(&mut text, style).await?;
        Ok(text)
    }

    pub(super) fn show(&self, text: &str) -> Result<()> {
        match self.screen {
            // Home, the text with every line cleared to its end, the rest cleared.
            Screen::Terminal(_) => {
                output::stdout(format_args!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))
            }
            Screen::Log => {
                tracing::info!("{text}");
                Ok(())
            }
            Screen::None => Ok(()),
        }
    }

    fn line(&self) -> String {
        let (view, metrics) = (self.handle.snapshot(), self.handle.metrics());
        let (state, equity, open) = (view.risk_state, view.account.equity, view.trades.len());
        format!(
            "{state:?}, equity {equity}, {open} open, {} events, {} gaps, store {} behind",
            metrics.events, metrics.gaps, metrics.store_lag
        )
    }

    fn head(&self, style: Style, now: Timestamp) -> String {
        let clock = style.bold(short(now));
        let host = self.host.as_ref().map(|host| format!("dashboard {host}\n"));
        format!("{clock} UTC   {}   Ctrl-C stops\n{}", self.line(), host.unwrap_or_default())
    }

    async fn rates(&self, text: &mut String, style: Style, now: Timestamp) -> Result<()> {
        let mut rates = self.store.latest_rates(&self.catalog).await?;
        rates.sort_by_key(|row| std::cmp::Reverse(annualised(row)));
        let head = format!(
            "{:<14} {:>14} {:>11} {:>6} {:>10} {:>10}",
            "funding", "mark price", "rate", "every", "a year", "settles in"
        );
        let _ = writeln!(text, "\n{}", style.bold(head));
        for row in rates.iter().take(RATES) {
            let percent = |rate: Decimal| (rate * Decimal::ONE_HUNDRED).round_dp(4);
            let rate = row.funding_rate.map(|rate| format!("{:.4} %", percent(rate)));
            let year = annualised(row).map(|rate| format!("{:.1} %", percent(rate)));
            let every = row.funding_interval_hours.map(|hours| format!("{hours} h"));
            let settles = row.next_funding_at.map(|at| duration(at.since(now).max(0)));
            let _ = writeln!(
                text,
                "{:<14} {:>14} {:>11} {:>6} {:>10} {:>10}",
                self.symbol(row),
                row.mark_price.to_string(),
                or_dash(rate),
                or_dash(every),
                or_dash(year),
                or_dash(settles),
            );
        }
        if rates.is_empty() {
            let _ = writeln!(text, "no rates yet");
        }
        Ok(())
    }

    fn symbol(&self, row: &RateSnapshot) -> &str {
        let found = self.catalog.iter().find(|(of, _)| of.id == row.instrument);
        found.map_or("", |(_, instrument)| instrument.symbol.as_str())
    }

    async fn flow(&self, text: &mut String, style: Style, now: Timestamp) -> Result<()> {
        let head = format!(
            "{:<14} {:>14} {:>14} {:>14} {:>12} {:>14}",
            "order flow", "price", "CVD 30 min", "CVD 4 h", "ATR 5 min", "windows whole"
        );
        let _ = writeln!(text, "\n{}", style.bold(head));
        let whole = self.handle.whole_at();
        for (of, instrument) in self.scored().take(SCORED) {
            let rows = self.store.indicators(of, now.plus(-5 * MINUTE), now.plus(SECOND)).await?;
            let _ = match rows.last() {
                Some(row) => {
                    let whole_at = whole.iter().find(|(id, _)| *id == of.id).map(|(_, at)| *at);
                    writeln!(text, "{}", flow_line(instrument, row, (whole_at, now), style))
                }
                None => {
                    writeln!(text, "{:<14} waits for the next quarter minute", instrument.symbol)
                }
            };
        }
        Ok(())
    }

    fn scored(&self) -> impl Iterator<Item = (Listed, &Instrument)> {
        let is_scored = |instrument: &Instrument| {
            !instrument.is_spot() && self.symbols.contains(&instrument.symbol)
        };
        self.catalog.iter().filter(move |(_, instrument)| is_scored(instrument))
    }

    async fn signals(&self, text: &mut String, style: Style) -> Result<()> {
        let _ = writeln!(text, "\n{}", style.bold("decisions with a tier, newest first"));
        let rows = self.store.signals(&SignalFilter::default(), Page::first(SIGNALS)).await?;
        for row in &rows {
            let _ = writeln!(text, "{}", self.signal_line(row, style));
        }
        if rows.is_empty() {
            let _ = writeln!(text, "none yet");
        }
        Ok(())
    }

    fn signal_line(&self, row: &SignalRow, style: Style) -> String {
        let instrument = self.catalog.by_key(row.instrument);
        let symbol = instrument.map_or("", |(_, instrument)| instrument.symbol.as_str());
        let direction = row.direction.map_or("-", arb::Direction::as_str);
        let outcome = if row.fired { style.paint("32", "fired") } else { row.reason.clone() };
        let at = short(row.time);
        format!(
            "{at}  {symbol:<10} {:<14} {direction:<6} {:>6.1}  {outcome}",
            row.strategy, row.score
        )
    }
}

/// One symbol; `whole_at` is when its windows will be whole, which entries wait for.
fn flow_line(
    instrument: &Instrument,
    row: &IndicatorRow,
    (whole_at, now): (Option<Timestamp>, Timestamp),
    style: Style,
) -> String {
    let signed = |sum: Decimal| {
        let padded = format!("{:>14}", sum.round_dp(3).to_string());
        style.signed(if sum.is_sign_negative() { -1.0 } else { 1.0 }, padded)
    };
    let atr = row.atr_5m.map_or_else(|| "-".to_owned(), |atr| format!("{atr:.4}"));
    let windows = match (row.complete, whole_at) {
        (true, _) => "whole".to_owned(),
        (false, Some(at)) => format!("in {}", duration(at.since(now).max(0))),
        (false, None) => "waiting".to_owned(),
    };
    let price = row.price.to_string();
    let (fast, mid) = (signed(row.cvd_fast), signed(row.cvd_mid));
    format!("{:<14} {price:>14} {fast} {mid} {atr:>12} {windows:>14}", instrument.symbol)
}

/// The running rate as if it were paid for a year, simple.
fn annualised(row: &RateSnapshot) -> Option<Decimal> {
    let hours = row.funding_interval_hours.filter(|hours| *hours > 0)?;
    let year = Decimal::from(365 * DAY / HOUR);
    row.funding_rate.map(|rate| rate * year / Decimal::from(hours))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
