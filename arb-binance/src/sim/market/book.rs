//! The order book of a line: a thousand levels a side at any time.
//!
//! Invariant: the book at a step is a function of the step, and the changes between two steps turn
//! the one book into the other exactly, so a client that applies them holds what a snapshot of
//! that moment shows. A level keeps its quantity for a while of its own, from a fifth of a second
//! to half a minute at the usual step, and is then drawn anew.

use super::asset::AssetCursor;
use super::line::Line;
use super::noise::{bits, mix};

/// Levels of a side.
pub(crate) const LEVELS: i64 = 1_000;

/// A price and what stands there, 10⁻⁸; nothing where the level is gone.
pub(crate) type Level = (i64, i64);

/// A book, or what changed in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    /// The last update inside.
    pub(crate) update_id: u64,
    /// When that was, milliseconds.
    pub(crate) at: i64,
    /// When the venue sent it.
    pub(crate) sent_at: i64,
    /// Best first, in a book.
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

/// Best bid and ask with their quantities, and the update they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    pub(crate) update_id: u64,
    pub(crate) bid: Level,
    pub(crate) ask: Level,
}

/// A step's best prices, from which all its levels follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    step: i64,
    bid: i64,
    ask: i64,
}

impl Line {
    /// The edge of the book at a time.
    pub(crate) fn edge(&self, cursor: &mut AssetCursor, at: i64) -> Edge {
        let (bid, ask) = self.best(cursor, at);
        Edge { step: at.div_euclid(self.step), bid, ask }
    }

    /// The last update of a step; the next one has four more, so that spans of ids are seen.
    pub(crate) const fn update_id(&self, step: i64) -> u64 {
        (step * 4 + 1).cast_unsigned()
    }

    /// The best levels of a step.
    pub(crate) fn top(&self, edge: Edge) -> Top {
        Top {
            update_id: self.update_id(edge.step),
            bid: (edge.bid, self.standing(edge.bid, edge.step)),
            ask: (edge.ask, self.standing(edge.ask, edge.step)),
        }
    }

    /// The best levels at a time.
    pub(crate) fn top_at(&self, cursor: &mut AssetCursor, at: i64) -> Top {
        let recorded = self.book.as_ref().filter(|book| book.covers(at));
        if let Some(top) = recorded.and_then(|book| book.top(at)) {
            return top;
        }
        self.top(self.edge(cursor, at))
    }

    /// The best `count` levels of each side at a time.
    pub(crate) fn depth(&self, at: i64, count: i64) -> Depth {
        if let Some(recorded) = self.book.as_ref().filter(|book| book.covers(at)) {
            return recorded.depth(at, count);
        }
        let edge = self.edge(&mut AssetCursor::default(), at);
        let count = count.min(LEVELS);
        let level = |price| (price, self.standing(price, edge.step));
        Depth {
            update_id: self.update_id(edge.step),
            at: edge.step * self.step,
            sent_at: edge.step * self.step,
            bids: (0..self.bids_of(edge, count)).map(|n| level(edge.bid - n * self.grid)).collect(),
            asks: (0..count).map(|n| level(edge.ask + n * self.grid)).collect(),
        }
    }

    /// What turns the book of one step into that of a later one.
    pub(crate) fn changes(&self, from: Edge, to: Edge, out: &mut Depth) {
        out.update_id = self.update_id(to.step);
        out.at = to.step * self.step;
        out.bids.clear();
        out.asks.clear();
        let lowest = |edge: Edge| edge.bid - (self.bids_of(edge, LEVELS) - 1) * self.grid;
        let old = (lowest(from), from.bid);
        let new = (lowest(to), to.bid);
        self.side_changes((old, new), (from.step, to.step), &mut out.bids);
        let highest = |edge: Edge| edge.ask + (LEVELS - 1) * self.grid;
        let old = (from.ask, highest(from));
        let new = (to.ask, highest(to));
        self.side_changes((old, new), (from.step, to.step), &mut out.asks);
    }

    /// Changes of a side that filled the prices of the first span and now fills the second.
    fn side_changes(
        &self,
        (old, new): ((i64, i64), (i64, i64)),
        (from, to): (i64, i64),
        out: &mut Vec<Level>,
    ) {
        let inside = |(low, high): (i64, i64), price: i64| low <= price && price <= high;
        let mut price = old.0;
        while price <= old.1 {
            if inside(new, price) {
                // What both have is looked at below.
                price = price.max(new.1.min(old.1));
            } else {
                out.push((price, 0));
            }
            price += self.grid;
        }
        price = new.0;
        while price <= new.1 {
            let life = self.life(price);
            if !inside(old, price) || life.number(from) != life.number(to) {
                out.push((price, self.drawn(life, to)));
            }
            price += self.grid;
        }
    }

    /// Prices are positive, so the book of a cheap coin may be shorter.
    fn bids_of(&self, edge: Edge, count: i64) -> i64 {
        count.min(edge.bid / self.grid).max(1)
    }

    fn standing(&self, price: i64, step: i64) -> i64 {
        self.drawn(self.life(price), step)
    }

    fn life(&self, price: i64) -> Life {
        let hash = mix(self.key ^ 5, price / self.grid);
        Life { hash, steps: bits(hash, 0, 3) + 2, phase: bits(hash, 3, 10) }
    }

    fn drawn(&self, life: Life, step: i64) -> i64 {
        let hash = mix(life.hash, life.number(step));
        // Sizes up to the 97th percentile; a book shows fewer giants than trades do.
        (self.size(bits(hash, 0, 12).min(3_980)) * 3).max(1) * self.lot
    }
}

/// How long a level keeps its quantity.
#[derive(Clone, Copy, Debug)]
struct Life {
    hash: u64,
    /// Log₂ of the steps.
    steps: i64,
    phase: i64,
}

impl Life {
    /// Which of its lives a level is in.
    const fn number(self, step: i64) -> i64 {
        (step + self.phase) >> self.steps
    }
}
