//! The trades of one market: any of them by id or by time.
//!
//! Invariant: ids are contiguous; the trade with an id is the same however it is reached, and
//! nothing is kept in memory for it. A day has a fixed number of trades, which hashes deal out to
//! its hours, theirs to minutes and theirs to seconds; so the id at a time and the time of an id
//! are found in three steps. Within a second the trades are drawn one by one.

mod slots;

use self::slots::Slots;
use super::line::Line;
use super::noise::{bits, mix};

/// An aggregate trade as the venue tells it. Price and quantity are in 10⁻⁸.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) id: u64,
    /// Ids of the first and last single trade inside.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) price: i64,
    pub(crate) qty: i64,
    /// The buyer was the maker.
    pub(crate) taker_sold: bool,
}

impl Print {
    /// The single trades inside: each with its id and quantity, the remainder in the last.
    pub(crate) fn fills(self) -> impl Iterator<Item = (u64, i64)> {
        let count = (self.last - self.first + 1).cast_signed();
        let each = (self.qty / count).max(1);
        (self.first..=self.last)
            .map(move |id| (id, if id == self.last { self.qty - each * (count - 1) } else { each }))
    }
}

/// A place in the trades of a line.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    /// Generated trades; with a tape, those before it or after it.
    Drawn(Box<Drawn>),
    /// Recorded trades from this place on.
    Taped(usize),
}

/// A place in generated trades.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    slots: Slots,
    /// Number of the next trade in its second.
    next: i64,
    /// Added to a generated id.
    shift: i64,
    /// Its trades end here, where a tape begins.
    until: i64,
}

impl Line {
    /// The trades at this time or later.
    pub(crate) fn flow_at(&self, at: i64) -> Flow {
        let Some((tape, joints)) = self.tape() else { return self.drawn_at(at, 0, i64::MAX) };
        if at < tape.first().at {
            self.drawn_at(at, joints.before, tape.first().at)
        } else if at <= tape.last().at {
            Flow::Taped(tape.place_at(at))
        } else {
            self.drawn_at(at, joints.after, i64::MAX)
        }
    }

    /// The trades with this id or a higher one.
    pub(crate) fn flow_from(&self, id: u64) -> Flow {
        let Some((tape, joints)) = self.tape() else { return self.drawn_from(id, 0, i64::MAX) };
        if id < tape.first().id {
            self.drawn_from(id, joints.before, tape.first().at)
        } else if id <= tape.last().id {
            Flow::Taped(tape.place_of(id))
        } else {
            self.drawn_from(id, joints.after, i64::MAX)
        }
    }

    /// The id of the first trade at this time or later.
    pub(crate) fn id_at(&self, at: i64) -> u64 {
        self.next_print(&mut self.flow_at(at)).id
    }

    /// The next trade of a flow.
    pub(crate) fn next_print(&self, flow: &mut Flow) -> Print {
        loop {
            match flow {
                Flow::Drawn(drawn) => {
                    if let Some(print) = self.draw(drawn) {
                        return print;
                    }
                    *flow = Flow::Taped(0);
                }
                Flow::Taped(place) => {
                    let Some((tape, joints)) = self.tape() else {
                        *flow = self.drawn_at(0, 0, i64::MAX);
                        continue;
                    };
                    if let Some(print) = tape.get(*place) {
                        *place += 1;
                        return *print;
                    }
                    *flow = self.drawn_at(tape.last().at + 1, joints.after, i64::MAX);
                }
            }
        }
    }

    fn drawn_at(&self, at: i64, shift: i64, until: i64) -> Flow {
        let slots = Slots::at_second(self, at.div_euclid(1_000));
        let earlier = (0..slots.count()).take_while(|number| Self::time_of(&slots, *number) < at);
        let next = i64::try_from(earlier.count()).unwrap_or_default();
        Flow::Drawn(Box::new(Drawn { slots, next, shift, until }))
    }

    fn drawn_from(&self, id: u64, shift: i64, until: i64) -> Flow {
        let slots = Slots::of_id(self, id.cast_signed().saturating_sub(shift));
        let next = (id.cast_signed() - shift - slots.first_id()).max(0);
        Flow::Drawn(Box::new(Drawn { slots, next, shift, until }))
    }

    fn time_of(slots: &Slots, number: i64) -> i64 {
        let hash = mix(slots.key(), number);
        slots.start() + (number * 1_000 + bits(hash, 0, 10) * 1_000 / 1_024) / slots.count().max(1)
    }

    /// The next generated trade, none from the end on.
    fn draw(&self, drawn: &mut Drawn) -> Option<Print> {
        while drawn.next >= drawn.slots.count() {
            drawn.slots.advance(self);
            drawn.next = 0;
        }
        let (slots, number) = (&drawn.slots, drawn.next);
        let hash = mix(slots.key(), number);
        let at = Self::time_of(slots, number);
        if at >= drawn.until {
            return None;
        }
        drawn.next += 1;
        let id = slots.first_id() + number + drawn.shift;
        let (first, last) = fills(id);
        let taker_sold = bits(hash, 10, 16) < slots.sellers();
        let (bid, ask) = self.around(slots.middle_at(at - at.rem_euclid(self.step)));
        Some(Print {
            id: id.cast_unsigned(),
            first: first.cast_unsigned(),
            last: last.cast_unsigned(),
            at,
            price: if taker_sold { bid } else { ask },
            qty: self.size(bits(hash, 26, 12)).max(last - first + 1) * self.lot,
            taker_sold,
        })
    }
}

/// First and last single trade of an aggregate trade: eight of four, in groups of one, two, one
/// and four.
const fn fills(id: i64) -> (i64, i64) {
    let first = id.div_euclid(4) * 8;
    match id.rem_euclid(4) {
        0 => (first, first),
        1 => (first + 1, first + 2),
        2 => (first + 3, first + 3),
        _ => (first + 4, first + 7),
    }
}
