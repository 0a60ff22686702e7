//! What is told, in words: signals, entries and exits, risk changes, a summary of each day.
//!
//! Invariant: the same thing is told once, also over a restart. A signal is one decision, a trade
//! one status, a risk change one state, a day one summary, which goes out by time, whether anything
//! happened or not; what was not delivered counts as not told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use arb_core::time::{DAY, MINUTE};
use arb_core::{CarryStatus, InstrumentId, Money, Output, RiskNote, Signal, Timestamp, TradeNote};
use serde::{Deserialize, Serialize};

/// Things told that are remembered.
const REMEMBERED: usize = 256;
/// A day is summed up so long after its end, when its last settlement is known.
const AFTER_MIDNIGHT: i64 = 5 * MINUTE;

/// Makes messages and remembers what was told.
#[derive(Debug)]
pub(super) struct Teller {
    symbols: Vec<String>,
    memory: Memory,
}

/// What a teller keeps over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    told: VecDeque<String>,
    /// Days that are not summed up yet, by their number since 1970.
    days: BTreeMap<i64, Day>,
    /// The last day that was; none before the first.
    summed_up: Option<i64>,
}

/// One UTC day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    signals: u64,
    /// Closed trades by id: their PnL and costs.
    closed: BTreeMap<u64, Money>,
    funding: Money,
}

impl Teller {
    pub(super) fn new(symbols: Vec<String>) -> Self {
        Self { symbols, memory: Memory::default() }
    }

    /// The message of an output; none where it is not worth one or was told.
    pub(super) fn text(&self, output: &Output) -> Option<String> {
        let (key, text) = self.own(output)?;
        (!self.memory.told.contains(&key)).then_some(text)
    }

    /// Counts an output as told.
    pub(super) fn told(&mut self, output: &Output) {
        let key = self.own(output).map(|(key, _)| key);
        // What came before is told again by a node that was killed; it counts once.
        let is_known = key.as_ref().is_some_and(|key| self.memory.told.contains(key));
        if !is_known && let Some(day) = at(output).map(|at| self.day(at)) {
            match output {
                Output::Signal(signal) if signal.fired => day.signals += 1,
                Output::Trade(note) if !note.status.is_open() => {
                    day.closed.insert(note.id, note.pnl - note.fee - note.funding);
                }
                Output::Funding { paid, .. } => day.funding -= *paid,
                _ => {}
            }
        }
        if let Some(key) = key.filter(|_| !is_known) {
            if self.memory.told.len() == REMEMBERED {
                self.memory.told.pop_front();
            }
            self.memory.told.push_back(key);
        }
    }

    /// The day of a time; what comes after its day was summed up belongs to the next one.
    fn day(&mut self, at: Timestamp) -> &mut Day {
        let first = self.memory.summed_up.map_or(i64::MIN, |day| day + 1);
        self.memory.days.entry(day_of(at).max(first)).or_default()
    }

    /// The summary that is due, with the number of its day.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(i64, String)> {
        // A day without any news begins here, too.
        self.day(now);
        let (number, day) = self.memory.days.first_key_value()?;
        let is_over = *number < day_of(now.plus(-AFTER_MIDNIGHT));
        is_over.then(|| (*number, day.summary(*number)))
    }

    /// Counts a day's summary as told.
    pub(super) fn summed_up(&mut self, number: i64) {
        self.memory.days.remove(&number);
        self.memory.summed_up = self.memory.summed_up.max(Some(number));
    }

    /// What to remember over a restart.
    pub(super) fn memory(&self) -> Option<String> {
        serde_json::to_string(&self.memory).ok()
    }

    /// Takes what was remembered; what cannot be read is forgotten.
    pub(super) fn recall(&mut self, memory: &str) {
        self.memory = serde_json::from_str(memory).unwrap_or_default();
    }

    /// What identifies the news, and its words.
    fn own(&self, output: &Output) -> Option<(String, String)> {
        match output {
            Output::Signal(signal) if signal.notify => Some(self.signal(signal)),
            Output::Trade(note) => Some(self.trade(note)),
            Output::Carry(note) => {
                let status = match note.status {
                    CarryStatus::Opening | CarryStatus::Closing => return None,
                    status => format!("{status:?}").to_lowercase(),
                };
                let symbol = self.symbol(note.perp);
                let reason = note.reason.as_deref().unwrap_or_default();
                let text = format!("**{symbol}** carry {status} {reason}");
                Some((format!("carry {} {status}", note.id), text.trim_end().to_owned()))
            }
            Output::Risk(note) => Some(risk(note)),
            Output::Unfilled { id, instrument, strategy, update } => {
                let (symbol, said) =
                    (self.symbol(*instrument), format!("{update:?}").to_lowercase());
                let text = format!("**{symbol}** {strategy} entry not filled: {said}");
                Some((format!("unfilled {id}"), text))
            }
            Output::Quarantined { instrument, .. } => {
                let symbol = self.symbol(*instrument);
                let text =
                    format!("**{symbol}** takes no further part: its numbers left their range");
                Some((format!("quarantined {symbol}"), text))
            }
            _ => None,
        }
    }

    fn signal(&self, signal: &Signal) -> (String, String) {
        let decision = &signal.decision;
        let symbol = self.symbol(decision.instrument);
        let direction = decision.direction.map_or("", arb_core::Direction::as_str);
        let tier = decision.tier.map(|tier| format!(", {tier:?}")).unwrap_or_default();
        let price = decision.price.map(|price| format!(" at {price}")).unwrap_or_default();
        let (strategy, score) = (&signal.strategy, decision.score);
        let key = format!("signal {strategy} {symbol} {}", decision.time);
        (key, format!("**{symbol} {direction}** {strategy} {score:.1}{tier}{price}"))
    }

    fn trade(&self, note: &TradeNote) -> (String, String) {
        let symbol = self.symbol(note.instrument);
        let (direction, status) = (note.direction.as_str(), note.status.as_str());
        let mut text = format!("**{symbol} {direction}** {} ", note.strategy);
        let _ = match (note.status.is_open(), note.exit_price) {
            (false, exit) => {
                let net = note.pnl - note.fee - note.funding;
                let exit = exit.map(|price| format!(" at {price}")).unwrap_or_default();
                write!(text, "closed{exit}: {status}, net {}", rounded(net))
            }
            (true, _) => {
                let TradeNote { entry_price, stop_price, open_qty, .. } = note;
                write!(text, "{status}: {open_qty} from {entry_price}, stop {stop_price}")
            }
        };
        (format!("trade {} {status}", note.id), text)
    }

    fn symbol(&self, instrument: InstrumentId) -> &str {
        self.symbols.get(instrument.index()).map_or("?", String::as_str)
    }
}

impl Day {
    fn summary(&self, number: i64) -> String {
        let date = Timestamp::from_nanos(number.saturating_mul(DAY)).to_string();
        let date = date.get(..10).unwrap_or_default();
        let net = self.closed.values().fold(Money::ZERO, |sum, each| sum + *each);
        let won = self.closed.values().filter(|net| **net > Money::ZERO).count();
        let (signals, closed) = (self.signals, self.closed.len());
        let (net, funding) = (rounded(net), rounded(self.funding));
        format!(
            "**{date}** {signals} signals, {closed} trades closed ({won} won), net {net}, funding \
             {funding}"
        )
    }
}

fn risk(note: &RiskNote) -> (String, String) {
    let mut text = format!("**risk: {:?}**", note.state);
    if let Some(trip) = &note.trip {
        let _ = write!(
            text,
            " {}: {} against a limit of {}",
            trip.rule.as_str(),
            trip.actual,
            trip.limit
        );
    }
    if let Some(strategy) = &note.strategy {
        let _ = write!(text, ", {strategy} paused");
    }
    if !note.reason.is_empty() {
        let _ = write!(text, " ({})", note.reason);
    }
    (format!("risk {} {text}", note.at), text)
}

fn rounded(money: Money) -> String {
    format!("{:.2}", money.to_decimal())
}

const fn day_of(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(DAY)
}

/// When an output happened, where it says so.
fn at(output: &Output) -> Option<Timestamp> {
    match output {
        Output::Signal(signal) => Some(signal.decision.time),
        Output::Trade(note) => Some(note.exit_time.unwrap_or(note.entry_time)),
        Output::Risk(note) => Some(note.at),
        Output::Funding { funding_time, .. } => Some(*funding_time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arb_core::RiskState;

    use super::*;

    fn risk_at(hours: i64, state: RiskState) -> Output {
        let at = Timestamp::from_millis(hours * 3_600_000);
        let reason = "by hand".to_owned();
        Output::Risk(Box::new(RiskNote { at, state, trip: None, reason, strategy: None }))
    }

    fn funding_at(hours: i64, paid: &str) -> Output {
        Output::Funding {
            instrument: InstrumentId(0),
            funding_time: Timestamp::from_millis(hours * 3_600_000),
            paid: paid.parse().unwrap(),
            approx: false,
        }
    }

    #[test]
    fn the_same_thing_is_told_once() {
        let mut teller = Teller::new(vec!["BTCUSDT".to_owned()]);
        let halted = risk_at(5, RiskState::Halted);
        assert_eq!(teller.text(&halted).unwrap(), "**risk: Halted** (by hand)");
        assert!(teller.text(&halted).is_some(), "it was not delivered");
        teller.told(&halted);
        assert_eq!(teller.text(&halted), None);
        assert!(teller.text(&risk_at(6, RiskState::Active)).is_some());
    }

    fn hours(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::from_millis((hours * 60 + minutes) * 60_000)
    }

    #[test]
    fn a_day_is_summed_up_five_minutes_after_its_end_whether_anything_happened_or_not() {
        let mut teller = Teller::new(vec!["BTCUSDT".to_owned()]);
        for (hours, paid) in [(0, "1.25"), (8, "-3.5"), (16, "0.5")] {
            let output = funding_at(hours, paid);
            assert_eq!(teller.text(&output), None);
            teller.told(&output);
        }
        // News of the next day before the summary belong to the next day.
        teller.told(&funding_at(24, "7"));
        assert_eq!(teller.due(hours(24, 4)), None);
        let (day, text) = teller.due(hours(24, 5)).unwrap();
        assert_eq!(
            text,
            "**1970-01-01** 0 signals, 0 trades closed (0 won), net 0.00, funding 1.75"
        );
        assert!(teller.due(hours(24, 6)).is_some(), "it was not delivered");
        teller.summed_up(day);
        assert_eq!(teller.due(hours(24, 7)), None);
        // A late note of a day that was summed up is not lost.
        teller.told(&funding_at(23, "1"));
        let (day, text) = teller.due(hours(48, 5)).unwrap();
        assert!(text.starts_with("**1970-01-02** ") && text.ends_with("funding -8.00"), "{text}");
        teller.summed_up(day);
        let (_, text) = teller.due(hours(72, 5)).unwrap();
        assert!(text.starts_with("**1970-01-03** 0 signals") && text.ends_with("funding 0.00"));
    }

    #[test]
    fn a_restart_keeps_the_totals_and_what_was_told() {
        let mut teller = Teller::new(Vec::new());
        teller.told(&funding_at(8, "-3.5"));
        teller.told(&risk_at(9, RiskState::Halted));
        let memory = teller.memory().unwrap();
        let mut again = Teller::new(Vec::new());
        again.recall(&memory);
        assert_eq!(again.text(&risk_at(9, RiskState::Halted)), None);
        again.told(&funding_at(16, "1"));
        let (_, text) = again.due(hours(30, 0)).unwrap();
        assert!(text.ends_with("funding 2.50"), "{text}");
        again.recall("of another version");
        assert_eq!(again.due(hours(30, 0)), None);
    }
}
