//! The page of a back-test.
//!
//! Invariant: what was missing stands before what was earned: inputs, rules that were off, holes.

use std::io;

use arb_core::{ENGINE_VERSION, Engine, EngineConfig, InputName, RuleOff, TradeNote};
use askama::Template;

use super::collect::BacktestCollector;
use super::configuration::Configuration;
use super::data::{Data, HOLES, TRADES};
use super::figures::{Card, GroupTable, cards, r_note, table};
use super::groups::{distribution, groups};
use super::page::{Page, script_json};
use super::show;

/// Changes of the risk state that are listed.
const RISK_NOTES: usize = 200;

/// Everything that the page of a back-test shows; made by
/// [`BacktestCollector::report`](super::BacktestCollector::report).
#[derive(Debug)]
pub struct BacktestReport {
    seen: BacktestCollector,
    inputs_present: Vec<(InputName, f64)>,
    rules_off: Vec<RuleOff>,
}

/// A market input and in what share of the decisions it was there.
struct InputRow {
    name: &'static str,
    percent: String,
    width: String,
    state: &'static str,
}

struct ReasonRow {
    kind: String,
    seen: String,
    percent: String,
    kept: String,
}

struct RiskRow {
    at: String,
    state: String,
    what: String,
}

#[derive(Template)]
#[template(path = "backtest.html", escape = "html")]
struct BacktestPage {
    page: Page,
    symbols: Vec<String>,
    period: String,
    span: String,
    trades_read: String,
    engine_version: &'static str,
    configuration: Configuration,
    cards: Vec<Card>,
    warnings: Vec<String>,
    inputs: Vec<InputRow>,
    inputs_note: String,
    rules_off: Vec<(String, &'static str)>,
    rules_note: String,
    told: String,
    fired: String,
    recorded: &'static str,
    kept_note: Option<String>,
    reasons: Vec<ReasonRow>,
    groups: Vec<GroupTable>,
    r_note: Option<String>,
    trades_note: Option<String>,
    holes_note: String,
    has_holes: bool,
    risk_notes: Vec<RiskRow>,
}

impl BacktestReport {
    pub(super) fn new(seen: BacktestCollector, engine: &Engine) -> Self {
        let (inputs_present, rules_off) = (engine.inputs_present(), engine.rules_off());
        Self { seen, inputs_present, rules_off }
    }

    /// Writes the page: HTML, UTF-8, about 5 MB because the charting library is inside.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        self.page()?.write_into(out)
    }

    fn page(&self) -> io::Result<BacktestPage> {
        let seen = &self.seen;
        let symbols = self.symbols();
        let closed: Vec<&TradeNote> =
            seen.trades.values().filter(|trade| !trade.status.is_open()).collect();
        let bins = distribution(&closed);
        let data = script_json(&Data::new(seen, &bins))?;
        let configuration = Configuration::new(seen.config.as_ref())?;
        let title = format!("{} · {} · back-test", symbols.join(", "), configuration.names);
        let script = include_str!("../../templates/backtest.js");
        Ok(BacktestPage {
            page: Page { title, data, script },
            period: self.period(),
            span: seen.first.map_or(String::new(), |first| show::span(seen.last.since(first))),
            trades_read: show::grouped(seen.trades_read),
            engine_version: ENGINE_VERSION,
            configuration,
            cards: cards(seen, &closed),
            warnings: self.warnings(),
            inputs: self.inputs(),
            inputs_note: self.inputs_note(),
            rules_off: self.rules_off.iter().map(|off| (off.rule.as_str(), off.missing)).collect(),
            rules_note: self.rules_note(),
            told: show::grouped(seen.decisions.told()),
            fired: show::grouped(seen.decisions.fired()),
            recorded: self.recorded(),
            kept_note: self.kept_note(),
            reasons: self.reasons(),
            groups: groups(&closed, &symbols).into_iter().map(table).collect(),
            r_note: r_note(&closed),
            trades_note: self.trades_note(),
            holes_note: self.holes_note(),
            has_holes: !seen.holes.is_empty(),
            risk_notes: self.risk_notes(),
            symbols,
        })
    }

    fn config(&self) -> Option<&EngineConfig> {
        self.seen.config.as_ref().map(|(config, _)| config)
    }

    fn symbols(&self) -> Vec<String> {
        let instruments = self.config().map_or(&[][..], |config| &config.instruments);
        instruments.iter().map(|instrument| instrument.spec.symbol.clone()).collect()
    }

    fn masked(&self) -> &[InputName] {
        self.config().map_or(&[], |config| &config.mask_inputs)
    }

    fn recorded(&self) -> &'static str {
        match self.config().map(|config| config.record) {
            Some(arb_core::Record::All) => "every decision is recorded",
            _ => "decisions that reached a tier are recorded",
        }
    }

    fn period(&self) -> String {
        self.seen.first.map_or("no trades".to_owned(), |first| {
            format!("{} to {} UTC", show::instant(first), show::instant(self.seen.last))
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.inputs_present.iter().all(|(_, share)| *share <= 0.0) {
            warnings.push("No market inputs: signals fire on order flow alone.".to_owned());
        }
        if !self.masked().is_empty() {
            let names: Vec<&str> = self.masked().iter().map(|name| name.as_str()).collect();
            warnings.push(format!("Masked, so that no strategy saw them: {}.", names.join(", ")));
        }
        if !self.seen.holes.is_empty() {
            let note = self.holes_note();
            warnings.push(format!("{note} Windows over them gave no entry."));
        }
        if self.seen.dropped > 0 {
            let dropped = show::grouped(self.seen.dropped);
            warnings
                .push(format!("{dropped} records were not used: seen before, or out of order."));
        }
        warnings
    }

    fn inputs(&self) -> Vec<InputRow> {
        let row = |(name, share): &(InputName, f64)| InputRow {
            name: name.as_str(),
            percent: show::percent(Some(*share)),
            width: format!("{:.1}", share * 100.0),
            state: match (self.masked().contains(name), *share > 0.0) {
                (true, _) => "masked",
                (false, true) => "present",
                (false, false) => "absent",
            },
        };
        self.inputs_present.iter().map(row).collect()
    }

    fn inputs_note(&self) -> String {
        let present = self.inputs_present.iter().filter(|(_, share)| *share > 0.0);
        let present: Vec<String> = present
            .map(|(name, share)| format!("{} {:.0} %", name.as_str(), share * 100.0))
            .collect();
        if present.is_empty() { "none".to_owned() } else { present.join(", ") }
    }

    fn rules_note(&self) -> String {
        let off: Vec<String> = self.rules_off.iter().map(|off| off.rule.as_str()).collect();
        if off.is_empty() { "none".to_owned() } else { off.join(", ") }
    }

    fn kept_note(&self) -> Option<String> {
        let decisions = &self.seen.decisions;
        let kept = u64::try_from(decisions.kept()).unwrap_or(u64::MAX);
        (kept < decisions.told()).then(|| {
            let thinned = decisions.counts();
            let thinned: Vec<String> = thinned
                .iter()
                .filter(|count| count.stride > 1)
                .map(|count| format!("one in {} of “{}”", count.stride, count.kind))
                .collect();
            format!(
                "Counts are of all decisions; the list and the chart hold {} of {}: {}.",
                show::grouped(kept),
                show::grouped(decisions.told()),
                thinned.join(", "),
            )
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of decisions, for a percentage")]
    fn reasons(&self) -> Vec<ReasonRow> {
        let told = self.seen.decisions.told().max(1) as f64;
        let counts = self.seen.decisions.counts();
        let row = |count: &super::decisions::Count<'_>| ReasonRow {
            kind: count.kind.to_owned(),
            seen: show::grouped(count.seen),
            percent: format!("{:.1}", count.seen as f64 / told * 100.0),
            kept: match count.stride {
                1 => "all".to_owned(),
                stride => format!("1 in {stride}"),
            },
        };
        counts.iter().map(row).collect()
    }

    fn trades_note(&self) -> Option<String> {
        let all = self.seen.trades.len();
        (all > TRADES).then(|| {
            format!(
                "The list and the charts hold the first {} of {} trades; the tables count all.",
                show::grouped(TRADES),
                show::grouped(all),
            )
        })
    }

    fn holes_note(&self) -> String {
        let holes = &self.seen.holes;
        let Some(longest) = holes.iter().max_by_key(|hole| hole.end.since(hole.start)) else {
            return "No trade is missing.".to_owned();
        };
        let missing: u64 = holes.iter().map(arb_core::Hole::missing).sum();
        let listed = if holes.len() > HOLES {
            format!(" The first {} are listed.", show::grouped(HOLES))
        } else {
            String::new()
        };
        format!(
            "{} {} with {} missing trades, the longest {} at {}.{listed}",
            show::grouped(holes.len()),
            if holes.len() == 1 { "hole" } else { "holes" },
            show::grouped(missing),
            show::span(longest.end.since(longest.start)),
            show::instant(longest.start),
        )
    }

    fn risk_notes(&self) -> Vec<RiskRow> {
        let row = |note: &arb_core::RiskNote| RiskRow {
            at: show::instant(note.at),
            state: format!("{:?}", note.state),
            what: note.trip.map_or(note.reason.clone(), |trip| {
                format!("{}: {} against {}", trip.rule.as_str(), trip.actual, trip.limit)
            }),
        };
        self.seen.risk_notes.iter().take(RISK_NOTES).map(row).collect()
    }
}
