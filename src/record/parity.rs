//! Compares two journals and says why they differ.
//!
//! Invariant: every difference of signals, entries, trades, risk states and notes is counted once,
//! with the earliest cause upstream that explains it or as unexplained; swapping the journals swaps
//! missed and extra. Both journals are read once, side by side in the order of their times, and
//! memory holds what the last minute left open, not the journals.
//!
//! Upstream are the configuration, the market's trades and inputs, ticks, commands, measurements
//! and the venue's answers; downstream is what the engine made of them. Instants are compared in
//! the venue's time where there is one (decisions, trades, inputs), so a live journal can be held
//! against a back-test of the same hours.

mod cause;
mod config;
mod entries;
mod facts;
mod judge;
mod notes;
mod pairs;
mod result;
mod signals;
mod steps;
mod upstream;

use std::fmt;
use std::io::Read;

use arb_core::time::SECOND;
use arb_core::{Decimal, EventKind, Purpose, Timestamp};
use serde::Serialize;

use self::cause::Change;
pub use self::cause::{Cause, CauseKind, Evidence, Sample};
use self::entries::Entries;
use self::facts::{Facts, decided_at};
use self::judge::Judge;
use self::notes::Notes;
use self::result::Tally;
pub use self::result::{Contents, Difference, DifferenceKind, Parity, Row};
use self::signals::{Seen, Signals};
use self::steps::{Step, Steps};
use self::upstream::Upstream;
use super::RecordError;
use super::told::Told;

/// What lies further apart than this is not the same signal or entry.
const LATE: i64 = 60 * SECOND;
/// How far both journals are read beyond an instant before it is judged: longer than [`LATE`], and
/// than any tolerance.
const HORIZON: i64 = 75 * SECOND;
/// How often what waits is looked through.
const SWEEP: i64 = 5 * SECOND;
/// Decisions that wait for the end of a trade at most.
const HELD: usize = 100_000;

/// One of the two journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Which {
    /// The first: the reference.
    A,
    /// The second.
    B,
}

impl Which {
    const BOTH: [Self; 2] = [Self::A, Self::B];

    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Own and other as A and B.
    fn in_order<T>(self, own: T, other: T) -> (T, T) {
        match self {
            Self::A => (own, other),
            Self::B => (other, own),
        }
    }

    /// Own and other of a pair.
    fn pick<T>(self, pair: &[T; 2]) -> (&T, &T) {
        let [a, b] = pair;
        self.in_order(a, b)
    }

    /// Own and other of a pair.
    fn pick_mut<T>(self, pair: &mut [T; 2]) -> (&mut T, &mut T) {
        let [a, b] = pair;
        self.in_order(a, b)
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// How far apart two values may be that count as equal.
///
/// Where anything is tolerated the figures in reasons and risk notes, which follow from times and
/// money, are not compared; what was refused, and by which rule, always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// Times, ms; at most 60,000.
    pub time_ms: u32,
    /// Prices, basis points; money by as much of what it is made of.
    pub price_bps: Decimal,
}

impl Tolerance {
    const fn is_exact(&self) -> bool {
        self.time_ms == 0 && self.price_bps.is_zero()
    }
}

/// A journal that cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("journal {which}: {source}")]
pub struct ParityError {
    /// Which of the two.
    pub which: Which,
    /// What is wrong with it, and where.
    pub source: RecordError,
}

/// Compares journal `b` with journal `a`, the reference; `each` sees every difference as it is
/// found, the result keeps counts and examples.
///
/// Journals of other engine versions are compared as far as their records can be read; the version
/// is then a cause.
///
/// ```
/// use arb::record::{JournalWriter, Tolerance, parity};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal = JournalWriter::new(Vec::new())?.finish()?;
/// let found = parity(&journal[..], &journal[..], Tolerance::default(), &mut |difference| {
///     println!("{difference:?}");
/// })?;
/// assert!(found.identical && found.is_equal());
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ParityError`] when a journal is damaged, cut off or none; it names the place.
pub fn parity(
    a: impl Read,
    b: impl Read,
    tolerance: Tolerance,
    each: &mut dyn FnMut(&Difference),
) -> Result<Parity, ParityError> {
    let of = |which| move |source| ParityError { which, source };
    let mut a = Steps::open(a).map_err(of(Which::A))?;
    let mut b = Steps::open(b).map_err(of(Which::B))?;
    let tolerance = Tolerance { time_ms: tolerance.time_ms.min(60_000), ..tolerance };
    let mut run = Run::new(tolerance, each, [&a.version, &b.version]);
    let mut next_a = a.next().map_err(of(Which::A))?;
    let mut next_b = b.next().map_err(of(Which::B))?;
    loop {
        match (next_a.take(), next_b.take()) {
            (Some(x), Some(y)) if run.are_in_step(&x, &y) => {
                run.both(&x, &y);
                (next_a, next_b) =
                    (a.next().map_err(of(Which::A))?, b.next().map_err(of(Which::B))?);
            }
            (Some(x), y) if y.as_ref().is_none_or(|y| x.event.at <= y.event.at) => {
                run.one(Which::A, &x);
                (next_a, next_b) = (a.next().map_err(of(Which::A))?, y);
            }
            (x, Some(y)) => {
                run.one(Which::B, &y);
                (next_a, next_b) = (x, b.next().map_err(of(Which::B))?);
            }
            (_, None) => break,
        }
        run.sweep([next_a.as_ref(), next_b.as_ref()]);
    }
    Ok(run.finish([(a.events, a.outputs), (b.events, b.outputs)]))
}

/// A comparison in progress.
struct Run<'a> {
    judge: Judge<'a>,
    upstream: Upstream,
    signals: Signals,
    entries: Entries,
    notes: Notes,
    contents: [Contents; 2],
    identical: bool,
    swept: Timestamp,
}

impl<'a> Run<'a> {
    fn new(
        tolerance: Tolerance,
        each: &'a mut dyn FnMut(&Difference),
        [a, b]: [&String; 2],
    ) -> Self {
        let mut judge = Judge::new(Facts::new(tolerance), Tally::new(each));
        if a != b {
            let sample = || ("engine".to_owned(), Some(a.clone()), Some(b.clone()));
            let kind = CauseKind::EngineVersion;
            judge.causes.add(kind, Timestamp::EPOCH, Change::Different, sample);
        }
        let contents = [a, b]
            .map(|version| Contents { engine_version: version.clone(), ..Contents::default() });
        Self {
            judge,
            upstream: Upstream::default(),
            signals: Signals::default(),
            entries: Entries::default(),
            notes: Notes::default(),
            contents,
            identical: a == b,
            swept: Timestamp::EPOCH,
        }
    }

    /// Whether both events are the same bytes and nothing waits that they could belong to.
    fn are_in_step(&mut self, a: &Step, b: &Step) -> bool {
        let same = a.event_bytes == b.event_bytes;
        self.identical &= same;
        same && self.upstream.is_idle() && self.judge.facts.share_numbers()
    }

    fn both(&mut self, a: &Step, b: &Step) {
        self.identical &= a.told_bytes == b.told_bytes;
        let Judge { facts, causes, .. } = &mut self.judge;
        self.upstream.on_equal(facts, causes, &a.event);
        self.told(Which::A, a);
        self.told(Which::B, b);
    }

    fn one(&mut self, which: Which, step: &Step) {
        self.identical = false;
        let Judge { facts, causes, .. } = &mut self.judge;
        self.upstream.on_event(facts, causes, (which, &step.event));
        self.told(which, step);
    }

    /// What an event did to own orders, and what the engine said to it.
    fn told(&mut self, which: Which, step: &Step) {
        let at = step.event.at;
        self.judge.facts.side_mut(which).last_at = at;
        let mut touched = Vec::new();
        if let EventKind::Order(update) = &step.event.kind {
            self.entries.on_answer(which, at, update);
            touched.push(update.id);
        }
        let asked_at = decided_at(at, &step.event.kind);
        for told in &step.told {
            match told {
                Told::Submit(sent) => {
                    let symbol = self.judge.facts.joint(which, sent.order.instrument);
                    let strategy = fired(step, sent.order.instrument);
                    self.entries.on_submit(which, &sent.order, (symbol, asked_at, strategy));
                    let is_entry = sent.order.id.purpose == Purpose::Entry;
                    which.pick_mut(&mut self.contents).0.entries += u64::from(is_entry);
                }
                Told::Signal(signal) => {
                    let contents = which.pick_mut(&mut self.contents).0;
                    contents.signals += 1;
                    contents.fired += u64::from(signal.fired);
                    let seen = Seen { signal: (**signal).clone(), told_at: at };
                    self.signals.add(&mut self.judge.facts, which, seen);
                }
                Told::Trade(note) => self.entries.on_note(which, note),
                other => self.notes.add(&mut self.judge.facts, which, (at, other)),
            }
        }
        touched.into_iter().for_each(|id| self.entries.settle(which, at, id));
    }

    /// Judges what both journals have been read beyond.
    fn sweep(&mut self, next: [Option<&Step>; 2]) {
        for (which, next) in Which::BOTH.into_iter().zip(next) {
            let side = self.judge.facts.side_mut(which);
            if next.is_none() && !side.over {
                side.over = true;
                self.entries.finish(which, side.last_at);
            }
        }
        let ats = next.into_iter().flatten().map(|step| step.event.at);
        let Some(read) = ats.min() else { return };
        if read.since(self.swept) >= SWEEP {
            self.swept = read;
            self.judge_until(read.plus(-HORIZON));
        }
    }

    fn judge_until(&mut self, until: Timestamp) {
        let Judge { facts, causes, .. } = &mut self.judge;
        self.upstream.flush(facts, causes, until);
        loop {
            self.entries.compare_ended(&mut self.judge, &mut self.contents, until);
            let full = self.signals.len() > HELD;
            let hold = if full { Timestamp::MAX } else { self.entries.hold() };
            let decision = self.signals.next_at().filter(|at| *at <= until && *at < hold);
            let entry = self.entries.next_at().filter(|at| *at <= until && *at < hold);
            match (decision, entry) {
                // An entry follows from the decision of the same instant.
                (Some(at), entry) if entry.is_none_or(|entry| at <= entry) => {
                    self.signals.judge_next(&mut self.judge);
                }
                (_, Some(_)) => self.entries.pair_next(&mut self.judge),
                (_, None) => break,
            }
        }
        self.notes.flush(&mut self.judge, until);
    }

    fn finish(mut self, read: [(u64, u64); 2]) -> Parity {
        self.judge_until(Timestamp::MAX);
        let Judge { facts, causes, tally, .. } = self.judge;
        for ((contents, side), (events, outputs)) in
            self.contents.iter_mut().zip(&facts.sides).zip(read)
        {
            (contents.events, contents.outputs) = (events, outputs);
            contents.market_trades = side.trade_count;
            (contents.from, contents.to) = (side.ticks.first(), side.ticks.last());
        }
        Parity {
            identical: self.identical,
            contents: self.contents,
            signals_matched: self.signals.matched,
            signals_equal: self.signals.equal,
            entries_matched: self.entries.matched,
            entries_equal: self.entries.equal,
            causes: causes.into_list(),
            rows: tally.into_rows(),
        }
    }
}

/// The strategy whose entry this step approved in an instrument.
fn fired(step: &Step, instrument: arb_core::InstrumentId) -> Option<&str> {
    step.told.iter().find_map(|told| match told {
        Told::Signal(signal) if signal.fired && signal.decision.instrument == instrument => {
            Some(signal.strategy.as_str())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
