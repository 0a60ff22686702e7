//! What is told, in words: signals, entries and exits, risk changes, a summary of each day.
//!
//! Invariant: the same thing is told once. A signal is one decision, a trade one status, a risk
//! change one state; what was not delivered counts as not told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use arb_core::time::DAY;
use arb_core::{CarryStatus, InstrumentId, Money, Output, RiskNote, Signal, Timestamp, TradeNote};

/// Things told that are remembered.
const REMEMBERED: usize = 256;

/// Makes messages and remembers what was told.
#[derive(Debug)]
pub(super) struct Teller {
    symbols: Vec<String>,
    told: VecDeque<String>,
    day: Day,
}

/// One UTC day.
#[derive(Clone, Debug, Default)]
struct Day {
    /// Days since 1970; none before the first note.
    number: Option<i64>,
    signals: u64,
    /// Closed trades by id: their PnL and costs.
    closed: BTreeMap<u64, Money>,
    funding: Money,
}

impl Teller {
    pub(super) const fn new(symbols: Vec<String>) -> Self {
        let day = Day { number: None, signals: 0, closed: BTreeMap::new(), funding: Money::ZERO };
        Self { symbols, told: VecDeque::new(), day }
    }

    /// The message of an output; none where it is not worth one or was told.
    pub(super) fn text(&self, output: &Output) -> Option<String> {
        let own = self.own(output).filter(|(key, _)| !self.told.contains(key));
        let summary = at(output).and_then(|at| self.summary(at));
        match (summary, own) {
            (Some(summary), Some((_, own))) => Some(format!("{summary}\n{own}")),
            (summary, own) => summary.or_else(|| own.map(|(_, own)| own)),
        }
    }

    /// Counts an output as told.
    pub(super) fn told(&mut self, output: &Output) {
        if let Some(number) = at(output).map(day_of) {
            if self.day.number.is_some_and(|day| day < number) {
                self.day = Day::default();
            }
            self.day.number = Some(self.day.number.map_or(number, |day| day.max(number)));
        }
        match output {
            Output::Signal(signal) if signal.fired => self.day.signals += 1,
            Output::Trade(note) if !note.status.is_open() => {
                let net = note.pnl - note.fee - note.funding;
                self.day.closed.insert(note.id, net);
            }
            Output::Funding { paid, .. } => self.day.funding -= *paid,
            _ => {}
        }
        if let Some((key, _)) = self.own(output) {
            if self.told.len() == REMEMBERED {
                self.told.pop_front();
            }
            self.told.push_back(key);
        }
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

    /// What the day before `at` came to, when it ends.
    fn summary(&self, at: Timestamp) -> Option<String> {
        let ended = self.day.number.filter(|number| *number < day_of(at))?;
        let day = Timestamp::from_nanos(ended.saturating_mul(DAY)).to_string();
        let day = day.get(..10).unwrap_or_default();
        let net = self.day.closed.values().fold(Money::ZERO, |sum, each| sum + *each);
        let won = self.day.closed.values().filter(|net| **net > Money::ZERO).count();
        let (signals, closed) = (self.day.signals, self.day.closed.len());
        let funding = rounded(self.day.funding);
        Some(format!(
            "**{day}** {signals} signals, {closed} trades closed ({won} won), net {}, funding \
             {funding}",
            rounded(net)
        ))
    }

    fn symbol(&self, instrument: InstrumentId) -> &str {
        self.symbols.get(instrument.index()).map_or("?", String::as_str)
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

    #[test]
    fn a_day_is_summed_up_with_the_first_news_of_the_next() {
        let mut teller = Teller::new(vec!["BTCUSDT".to_owned()]);
        for (hours, paid) in [(0, "1.25"), (8, "-3.5"), (16, "0.5")] {
            let output = funding_at(hours, paid);
            assert_eq!(teller.text(&output), None);
            teller.told(&output);
        }
        let next = funding_at(24, "7");
        assert_eq!(
            teller.text(&next).unwrap(),
            "**1970-01-01** 0 signals, 0 trades closed (0 won), net 0.00, funding 1.75"
        );
        teller.told(&next);
        assert_eq!(teller.text(&funding_at(32, "7")), None);
        teller.told(&funding_at(32, "7"));
        let text = teller.text(&risk_at(49, RiskState::ReduceOnly)).unwrap();
        assert!(text.starts_with("**1970-01-02** ") && text.contains("funding -14.00\n**risk"));
    }
}
