//! The trades of one instrument, merged from its files by id.
//!
//! Invariant: ids strictly increase and times never go back, whatever the order of the files and
//! however they overlap; the same id twice is either the same row, given once, or an error that
//! names both. A hole is announced right behind the last trade before it, as a live feed does when
//! it loses contact: so one trade of look-ahead is kept.
//!
//! A file is opened when the merge reaches its first id and closed at its end, so years of daily
//! files cost one block of memory. While one file is behind all others (`bound`), its rows are
//! taken without looking at them.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use arb_core::{Event, EventKind, Gap, GapAccepted, Hole, Timestamp, Trade};

use super::arbt::{ArbtFile, Table};
use super::bytes::{Consumed, Packed, Part};
use super::error::{Fault, Place, TapeError};
use super::lines::Extent;
use super::trades::{Counts, Owner, TradeFile, TradeRow};
use super::{Gaps, TapeOptions, TapeStats};

/// A file, or a member of one.
enum Given {
    Csv(Part),
    Tape(Arc<ArbtFile>, Option<Timestamp>),
}

impl Given {
    fn open(
        &self,
        extent: Extent,
        owner: &Owner,
        file: u32,
        consumed: &Consumed,
    ) -> Result<TradeFile, TapeError> {
        match self {
            Self::Csv(part) => TradeFile::open(part, extent, owner, file, consumed),
            Self::Tape(tape, from) => TradeFile::open_tape(tape, *from, owner, file, consumed),
        }
    }

    fn name(&self) -> &Arc<str> {
        match self {
            Self::Csv(part) => part.name(),
            Self::Tape(tape, _) => tape.name(),
        }
    }
}

/// A file the merge has not reached.
struct Waiting {
    given: Given,
    file: u32,
    first_id: u64,
}

/// What a file calls itself and the columns that order it.
struct Names {
    file: Arc<str>,
    id: Arc<str>,
    time: Arc<str>,
}

/// The merged trades of an instrument.
pub(super) struct Flow {
    owner: Owner,
    gaps: Gaps,
    /// First instant after the period.
    end: Timestamp,
    names: Vec<Names>,
    /// By first id, the lowest at the end.
    waiting: Vec<Waiting>,
    /// The open files; the first is behind all others.
    open: Vec<TradeFile>,
    /// Lowest id that any but the first open file can give.
    bound: u64,
    /// The next trade to give.
    head: Option<TradeRow>,
    /// The head is the first trade behind an accepted hole.
    after_hole: bool,
    consumed: Consumed,
}

impl Flow {
    /// Looks at the beginning of every file and reads up to the first trade of the period.
    pub(super) fn open(
        owner: Owner,
        (files, tapes): (&[Packed], &[Arc<ArbtFile>]),
        options: TapeOptions,
        consumed: &Consumed,
        stats: &mut TapeStats,
    ) -> Result<Self, TapeError> {
        let mut flow = Self {
            owner,
            gaps: options.gaps,
            end: options.to.unwrap_or(Timestamp::MAX),
            names: Vec::new(),
            waiting: Vec::new(),
            open: Vec::new(),
            bound: 0,
            head: None,
            after_hole: false,
            consumed: Arc::clone(consumed),
        };
        let mut given = Vec::new();
        for file in files {
            given.extend(file.parts()?.into_iter().map(Given::Csv));
        }
        let has_trades = |tape: &&Arc<ArbtFile>| tape.reaches(Table::Trades, options.from);
        let tapes = tapes.iter().filter(has_trades);
        given.extend(tapes.map(|tape| Given::Tape(Arc::clone(tape), options.from)));
        flow.glance(given)?;
        flow.advance(stats)?;
        while flow.head.is_some_and(|row| options.from.is_some_and(|from| row.trade.ts < from)) {
            flow.advance(stats)?;
        }
        Ok(flow)
    }

    fn glance(&mut self, given: Vec<Given>) -> Result<(), TapeError> {
        let mut counts: Option<(Counts, Arc<str>)> = None;
        for given in given {
            let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            let unseen = Consumed::default();
            let first = given.open(Extent::Beginning, &self.owner, number, &unseen)?;
            if let Some(found) = first.counts() {
                match &counts {
                    Some((others, name)) if *others != found => {
                        let message = format!(
                            "the file has {} but {name} has {}; their ids cannot be merged",
                            found.as_str(),
                            others.as_str()
                        );
                        return Err(Fault { field: "id", message }
                            .at_column(first.place(), first.name("id")));
                    }
                    _ => counts = Some((found, Arc::clone(given.name()))),
                }
            }
            let (id, time) = (first.name("id"), first.name("time"));
            self.names.push(Names { file: Arc::clone(given.name()), id, time });
            let first_id = first.head.trade.id;
            self.waiting.push(Waiting { given, file: number, first_id });
        }
        self.waiting.sort_by_key(|waiting| Reverse(waiting.first_id));
        Ok(())
    }

    /// What the ids count, where a file says so.
    pub(super) fn counts(&self) -> Option<Counts> {
        self.open.first().and_then(TradeFile::counts)
    }

    /// Takes the next row as it stands, with prints that were no market trades.
    pub(super) fn take(&mut self, stats: &mut TapeStats) -> Result<Option<TradeRow>, TapeError> {
        let Some(head) = self.head else { return Ok(None) };
        self.advance(stats)?;
        stats.count(&head);
        Ok(Some(head))
    }

    /// The next trade to give; none at the end.
    pub(super) fn head(&self) -> Option<Event> {
        self.head.map(|row| Event::trade(row.trade))
    }

    /// Gives the trades before `limit`, until `out` holds `full` events.
    pub(super) fn run(
        &mut self,
        limit: Timestamp,
        full: usize,
        out: &mut Vec<Event>,
        stats: &mut TapeStats,
    ) -> Result<(), TapeError> {
        while let Some(head) = self.head.filter(|row| row.trade.ts < limit && out.len() < full) {
            if self.run_at_hand(&head, limit, out, stats) {
                continue;
            }
            self.advance(stats)?;
            out.push(Event::trade(head.trade));
            stats.count(&head);
            if self.after_hole {
                self.accept(&head, out);
            }
            if let Some(next) = self.head
                && next.trade.id - head.trade.id != 1
            {
                self.announce(&head, &next, out, stats)?;
            }
        }
        Ok(())
    }

    /// Gives trades of a tape that lie side by side and need no look at each, but for the last two,
    /// which become the next head and the row behind it; false when there are none.
    #[inline]
    fn run_at_hand(
        &mut self,
        head: &TradeRow,
        limit: Timestamp,
        out: &mut Vec<Event>,
        stats: &mut TapeStats,
    ) -> bool {
        let (bound, limit) = (self.bound, limit.min(self.end));
        let Some(file) = self.open.first_mut().filter(|_| !self.after_hole) else { return false };
        let (second, follows) = (file.head, file.at_hand());
        let is_plain = |row: &TradeRow| !row.trade.qty.is_zero();
        let is_next = |last: &Trade, next: &Trade| {
            next.id.wrapping_sub(last.id) == 1
                && next.ts >= last.ts
                && next.ts < limit
                && next.id < bound
        };
        if follows.len() < 2
            || !is_plain(head)
            || !is_plain(&second)
            || !is_next(&head.trade, &second.trade)
        {
            return false;
        }
        let before = std::iter::once(&second.trade).chain(follows);
        let count = before.zip(follows).take_while(|(last, next)| is_next(last, next)).count();
        let Some((given, [next, behind])) =
            follows.get(..count).and_then(<[Trade]>::split_last_chunk)
        else {
            return false;
        };
        out.push(Event::trade(head.trade));
        out.push(Event::trade(second.trade));
        out.extend(given.iter().map(|trade| Event::trade(*trade)));
        stats.trades += u64::try_from(count).unwrap_or_default();
        let (next, behind) = (*next, *behind);
        file.pass(count, behind);
        self.head = Some(TradeRow { trade: next, line: file.head.line - 1, ..file.head });
        true
    }

    #[cold]
    fn accept(&mut self, first: &TradeRow, out: &mut Vec<Event>) {
        self.after_hole = false;
        let (instrument, next_id) = (self.owner.instrument, first.trade.id);
        let kind = EventKind::GapAccepted(GapAccepted { instrument, next_id });
        out.push(Event { at: first.trade.ts, kind });
    }

    #[cold]
    fn announce(
        &mut self,
        before: &TradeRow,
        after: &TradeRow,
        out: &mut Vec<Event>,
        stats: &mut TapeStats,
    ) -> Result<(), TapeError> {
        let instrument = self.owner.instrument;
        let hole = Hole {
            instrument,
            from_id: before.trade.id + 1,
            to_id: after.trade.id - 1,
            start: before.trade.ts,
            end: after.trade.ts,
        };
        match self.gaps {
            Gaps::Refuse => return Err(TapeError::Hole { place: self.place(after), hole }),
            Gaps::Announce => {}
            Gaps::Accept => self.after_hole = true,
        }
        stats.holes.push(hole);
        let kind = EventKind::Gap(Gap { instrument, after_id: before.trade.id });
        out.push(Event { at: before.trade.ts, kind });
        Ok(())
    }

    /// Moves the head to the trade after it; to none at the end of the period.
    #[inline]
    fn advance(&mut self, stats: &mut TapeStats) -> Result<(), TapeError> {
        loop {
            if self.open.first().is_none_or(|file| file.head.trade.id >= self.bound) {
                self.choose()?;
            }
            let Some(file) = self.open.first_mut() else {
                self.head = None;
                return Ok(());
            };
            let row = file.head;
            if !file.advance()? {
                self.open.remove(0);
            }
            if let Some(head) = self.head
                && !(row.trade.id > head.trade.id && row.trade.ts >= head.trade.ts)
            {
                self.check_repeated(&head, &row)?;
                stats.duplicates += 1;
                continue;
            }
            self.head = Some(row);
            if row.trade.ts >= self.end {
                self.close();
            }
            return Ok(());
        }
    }

    /// Ends the flow at the end of the period.
    #[cold]
    fn close(&mut self) {
        self.head = None;
        self.open.clear();
        self.waiting.clear();
    }

    /// Opens the files that the merge has reached and brings the one behind all others to front.
    #[cold]
    fn choose(&mut self) -> Result<(), TapeError> {
        while let Some(next) = self
            .waiting
            .pop_if(|waiting| self.open.iter().all(|file| waiting.first_id <= file.head.trade.id))
        {
            let file = next.given.open(Extent::Whole, &self.owner, next.file, &self.consumed)?;
            self.open.push(file);
        }
        self.open.sort_by_key(|file| file.head.trade.id);
        let second = self.open.get(1).map(|file| file.head.trade.id);
        let waiting = self.waiting.last().map(|waiting| waiting.first_id);
        self.bound = second.into_iter().chain(waiting).min().unwrap_or(u64::MAX);
        Ok(())
    }

    /// Accepts `row` as a repetition of `last`, or says what is wrong with it.
    #[cold]
    fn check_repeated(&self, last: &TradeRow, row: &TradeRow) -> Result<(), TapeError> {
        let place = self.place(row);
        if row.trade.id == last.trade.id {
            if row.trade == last.trade && row.off_market == last.off_market {
                return Ok(());
            }
            let (other, key) = (self.place(last), row.trade.id.to_string());
            let (field, difference) = (self.column(row, |names| &names.id), difference(last, row));
            return Err(TapeError::Conflict { place, other, field, key, difference });
        }
        let other = self.place(last);
        let (field, message) = if row.trade.id < last.trade.id {
            let message =
                format!("{} is below {} of {other}; ids must go up", row.trade.id, last.trade.id);
            ("id", message)
        } else {
            let message = format!(
                "{} is before {} of {other}; times must not go back",
                row.trade.ts, last.trade.ts
            );
            ("time", message)
        };
        let own = match field {
            "id" => self.column(row, |names| &names.id),
            _ => self.column(row, |names| &names.time),
        };
        Err(Fault { field, message }.at_column(place, own))
    }

    fn place(&self, row: &TradeRow) -> Place {
        Place { file: self.column(row, |names| &names.file), line: row.line }
    }

    /// A name in the file of the row.
    fn column(&self, row: &TradeRow, which: impl Fn(&Names) -> &Arc<str>) -> Arc<str> {
        let names = usize::try_from(row.file).ok().and_then(|file| self.names.get(file));
        names.map_or_else(|| "".into(), |names| Arc::clone(which(names)))
    }
}

/// What differs between two rows of one id.
#[cold]
fn difference(last: &TradeRow, row: &TradeRow) -> String {
    let (a, b) = (&last.trade, &row.trade);
    let two =
        |what: &str, a: &dyn fmt::Display, b: &dyn fmt::Display| format!("{what} ({a}, here {b})");
    if a.price != b.price {
        return two("price", &a.price, &b.price);
    }
    if a.qty != b.qty {
        return two("quantity", &a.qty, &b.qty);
    }
    if a.taker_side != b.taker_side {
        return "taker side".to_owned();
    }
    if a.ts == b.ts {
        return "kind".to_owned();
    }
    let time = two("time", &a.ts.as_micros(), &b.ts.as_micros());
    if a.ts.as_millis() != b.ts.as_millis() {
        return format!("{time} µs");
    }
    format!("{time} µs; one file has milliseconds, the other microseconds: give only one of them")
}
