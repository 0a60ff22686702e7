//! The page of a carry back-test.
//!
//! Invariant: funding, fees and basis of every table and chart add up to the net profit.

mod collect;
mod data;

use std::io;

use arb_core::stats::CarrySummary;
use arb_core::{CarryNote, ENGINE_VERSION, Engine, Money, RuleOff, Timestamp};
use askama::Template;

pub use self::collect::CarryCollector;
use self::data::{Data, PAIRS};
use super::configuration::Configuration;
use super::figures::{Card, tone};
use super::page::{Page, script_json};
use super::show;

/// Everything that the page of a carry back-test shows; made by [`CarryCollector::report`].
#[derive(Debug)]
pub struct CarryReport {
    seen: CarryCollector,
    rules_off: Vec<RuleOff>,
    period: (Timestamp, Timestamp),
    unpriced: Vec<String>,
}

struct SumTable {
    title: &'static str,
    by: &'static str,
    rows: Vec<SumRow>,
}

/// A row of the tables by symbol and by year.
struct SumRow {
    name: String,
    pairs: String,
    funding: String,
    fees: String,
    basis: String,
    net: String,
    tone: &'static str,
    apr: String,
    /// None where the share of the whole period would say nothing about the row.
    in_market: Option<String>,
}

struct RefusedRow {
    kind: String,
    times: String,
}

#[derive(Template)]
#[template(path = "carry.html", escape = "html")]
struct CarryPage {
    page: Page,
    symbols: Vec<String>,
    period: String,
    span: String,
    settlements: String,
    engine_version: &'static str,
    configuration: Configuration,
    warnings: Vec<String>,
    rules_off: Vec<(String, &'static str)>,
    cards: Vec<Card>,
    tables: [SumTable; 2],
    refused: Vec<RefusedRow>,
    pairs_note: Option<String>,
}

impl CarryReport {
    fn new(
        seen: CarryCollector,
        engine: &Engine,
        period: (Timestamp, Timestamp),
        unpriced: Vec<String>,
    ) -> Self {
        Self { seen, rules_off: engine.rules_off(), period, unpriced }
    }

    /// Writes the page: HTML, UTF-8, about 5 MB because the charting library is inside.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        self.page()?.write_into(out)
    }

    fn page(&self) -> io::Result<CarryPage> {
        let seen = &self.seen;
        let symbols: Vec<String> =
            seen.markets.iter().map(|market| market.symbol.clone()).collect();
        let configuration = Configuration::new(seen.config.as_ref())?;
        let title = format!("{} · {} · carry", symbols.join(", "), configuration.names);
        let data = script_json(&Data::new(seen, self.period, &self.unpriced))?;
        let script = include_str!("../../templates/carry.js");
        let (from, to) = self.period;
        Ok(CarryPage {
            page: Page { title, data, script },
            period: format!("{} to {} UTC", show::instant(from), show::instant(to)),
            span: show::span(to.since(from)),
            settlements: show::grouped(seen.settlements),
            engine_version: ENGINE_VERSION,
            configuration,
            warnings: self.warnings(),
            rules_off: self.rules_off.iter().map(|off| (off.rule.as_str(), off.missing)).collect(),
            cards: self.cards(),
            tables: [
                SumTable { title: "By symbol", by: "symbol", rows: self.by_symbol() },
                SumTable { title: "By year of opening", by: "year", rows: self.by_year() },
            ],
            refused: self.refused(),
            pairs_note: (seen.pairs.len() > PAIRS).then(|| {
                format!("The first {PAIRS} of {} pairs.", show::grouped(seen.pairs.len()))
            }),
            symbols,
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.unpriced.is_empty() {
            warnings.push(format!(
                "No prices: {} run at a constant price of 1 and without a basis; lots, basis and \
                 exits by it are not exercised.",
                self.unpriced.join(", ")
            ));
        }
        if self.seen.dropped > 0 {
            let dropped = show::grouped(self.seen.dropped);
            warnings.push(format!("{dropped} records were not used."));
        }
        warnings
    }

    fn leverage(&self) -> f64 {
        let config = self.seen.config.as_ref();
        config
            .and_then(|(config, _)| config.risk.carry.max_leverage.to_string().parse().ok())
            .unwrap_or(1.0)
    }

    fn sum<'a>(&self, pairs: impl Iterator<Item = &'a CarryNote>) -> CarrySummary {
        CarrySummary::new(pairs, self.period, self.leverage())
    }

    fn cards(&self) -> Vec<Card> {
        let sum = self.sum(self.seen.pairs.values());
        let curve = &self.seen.curve;
        let card = |label, value, note: &str, tone| Card { label, value, note: note.into(), tone };
        let amount = |label, amount: Money, note| {
            card(label, show::signed_money(amount), note, tone(amount.to_f64_lossy()))
        };
        let open = self.seen.pairs.values().filter(|pair| pair.closed_at.is_none()).count();
        let open = if open > 0 { format!("{open} open at end") } else { String::new() };
        vec![
            amount("Net", sum.net_pnl, "funding − fees + basis"),
            amount("Funding earned", sum.funding_earned, "received − paid"),
            amount("Fees", -sum.fees, "both legs"),
            amount("Basis", sum.basis_pnl, "and spread, slippage"),
            card(
                "Realised APR",
                show::percent(sum.realised_apr),
                &format!("funding alone {}", show::percent(sum.funding_apr)),
                tone(sum.realised_apr.unwrap_or_default()),
            ),
            card("Time in market", show::percent(sum.time_in_market), "with a pair open", ""),
            card("Pairs", show::grouped(sum.pairs), &open, ""),
            card(
                "Final equity",
                curve.last().map_or(show::NONE.to_owned(), show::money),
                "quote currency",
                "",
            ),
            card("Max drawdown", show::percent(curve.max_drawdown_ratio()), "of the peak", ""),
        ]
    }

    fn row(name: String, sum: &CarrySummary) -> SumRow {
        SumRow {
            name,
            pairs: show::grouped(sum.pairs),
            funding: show::signed_money(sum.funding_earned),
            fees: show::money(sum.fees),
            basis: show::signed_money(sum.basis_pnl),
            net: show::signed_money(sum.net_pnl),
            tone: tone(sum.net_pnl.to_f64_lossy()),
            apr: show::percent(sum.realised_apr),
            in_market: Some(show::percent(sum.time_in_market)),
        }
    }

    fn by_symbol(&self) -> Vec<SumRow> {
        let pairs = || self.seen.pairs.values();
        let row = |market: &collect::Market| {
            Self::row(
                market.symbol.clone(),
                &self.sum(pairs().filter(|pair| pair.perp == market.perp)),
            )
        };
        self.seen.markets.iter().map(row).collect()
    }

    /// By the year in which a pair was opened.
    fn by_year(&self) -> Vec<SumRow> {
        let year =
            |pair: &CarryNote| pair.opened_at.to_string().get(..4).unwrap_or_default().to_owned();
        let mut years: Vec<String> = self.seen.pairs.values().map(year).collect();
        years.sort_unstable();
        years.dedup();
        let row = |name: String| {
            let of_year = self.seen.pairs.values().filter(|pair| year(pair) == name);
            SumRow { in_market: None, ..Self::row(name.clone(), &self.sum(of_year)) }
        };
        years.into_iter().map(row).collect()
    }

    fn refused(&self) -> Vec<RefusedRow> {
        let mut kinds: Vec<(&String, &u64)> = self.seen.refused.iter().collect();
        kinds.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let row = |(kind, times): (&String, &u64)| RefusedRow {
            kind: kind.clone(),
            times: show::grouped(times),
        };
        kinds.into_iter().map(row).collect()
    }
}
