//! What a node should have known, worked out from its log and its store with nothing but sums.
//!
//! The log tells when each trade became known. A tree over the stored trades then gives the sum of
//! any span of time over what was known at any record, which is what the windows of that moment
//! must have said; and it tells whether an id was missing, which is what `complete` must have said.

use std::collections::BTreeMap;
use std::path::Path;

use arb::port::IndicatorRow;
use arb::record::log::{LogCursor, LogRecord, Seq};
use arb::{Decimal, EventKind, InstrumentId, Side, Timestamp, Trade, time};

/// Sums and counts of a growing set of places.
struct Tree {
    nodes: Vec<(i128, u64)>,
}

impl Tree {
    fn new(size: usize) -> Self {
        Self { nodes: vec![(0, 0); size + 1] }
    }

    fn add(&mut self, place: usize, value: i128) {
        let mut at = place + 1;
        while at < self.nodes.len() {
            self.nodes[at].0 += value;
            self.nodes[at].1 += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// Sum and count of the places below `end`.
    fn below(&self, end: usize) -> (i128, u64) {
        let (mut at, mut sum, mut count) = (end, 0, 0);
        while at > 0 {
            sum += self.nodes[at].0;
            count += self.nodes[at].1;
            at -= at & at.wrapping_neg();
        }
        (sum, count)
    }
}

/// The stored trades of an instrument, and which of them are known so far.
struct Known<'a> {
    trades: &'a [Trade],
    known: Vec<bool>,
    tree: Tree,
    /// One more than the last place that is known.
    end: usize,
}

impl<'a> Known<'a> {
    fn new(trades: &'a [Trade]) -> Self {
        let size = trades.len();
        Self { trades, known: vec![false; size], tree: Tree::new(size), end: 0 }
    }

    fn learn(&mut self, trade: &Trade) {
        let place = usize::try_from(trade.id - self.trades[0].id).unwrap();
        assert_eq!(self.trades.get(place), Some(trade), "the store has what the log has");
        if !std::mem::replace(&mut self.known[place], true) {
            let units = i128::from(trade.qty.units());
            let signed = if trade.taker_side == Side::Buy { units } else { -units };
            self.tree.add(place, signed);
            self.end = self.end.max(place + 1);
        }
    }

    fn place(&self, at: Timestamp) -> usize {
        self.trades.partition_point(|trade| trade.ts < at)
    }

    /// Sum of what is known of a time, both ends included.
    fn sum(&self, from: Timestamp, to: Timestamp) -> Decimal {
        let (low, high) = (self.place(from), self.place(to.plus(1)));
        let units = self.tree.below(high).0 - self.tree.below(low).0;
        Decimal::from_i128_with_scale(units, 8)
    }

    /// Ids that lie between known ones and are not known, and those behind them up to a time.
    fn unknown(&self, from: Timestamp, to: Timestamp) -> (u64, u64) {
        let (low, high) = (self.place(from), self.place(to.plus(1)));
        let inner = high.min(self.end).max(low);
        let count = self.tree.below(inner).1 - self.tree.below(low).1;
        ((inner - low) as u64 - count, (high - inner) as u64)
    }
}

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Rows that say they are complete.
    pub(crate) complete: u64,
    /// Rows that say they are not.
    pub(crate) incomplete: u64,
    /// Complete rows to which a trade came late, behind their tick: what nobody could know.
    pub(crate) late: u64,
}

/// Compares every stored row with the sums over what the log had at its tick.
pub(crate) fn compare(
    log: &Path,
    instruments: &[(InstrumentId, Vec<Trade>, BTreeMap<Timestamp, IndicatorRow>)],
) -> Compared {
    let mut known: BTreeMap<InstrumentId, Known<'_>> =
        instruments.iter().map(|(id, trades, _)| (*id, Known::new(trades))).collect();
    let mut compared = Compared::default();
    let mut cursor = LogCursor::new(log, 0);
    while let Ok(Some(record)) = cursor.next(Seq::MAX) {
        let LogRecord::Event(event) = record else { continue };
        match event.kind {
            EventKind::Trade(trade) => known.get_mut(&trade.instrument).unwrap().learn(&trade),
            EventKind::Backfill(backfill) => {
                let known = known.get_mut(&backfill.instrument).unwrap();
                backfill.trades.iter().for_each(|trade| known.learn(trade));
            }
            EventKind::Tick(at) => {
                for (id, _, rows) in instruments {
                    if let Some(row) = rows.get(&at) {
                        check(&known[id], row, &mut compared);
                    }
                }
            }
            _ => {}
        }
    }
    compared
}

fn check(known: &Known<'_>, row: &IndicatorRow, compared: &mut Compared) {
    if !row.complete {
        compared.incomplete += 1;
        return;
    }
    compared.complete += 1;
    let at = row.time;
    let ago = |span: i64| at.plus(-span);
    let four_hours = ago(4 * time::HOUR);
    assert_eq!(row.cvd_fast, known.sum(ago(30 * time::MINUTE), at), "30 minutes at {at}");
    assert_eq!(row.cvd_mid, known.sum(four_hours, at), "four hours at {at}");
    assert_eq!(row.cvd_day, known.sum(at.floor_to(time::DAY), at), "the day at {at}");
    let (missing, late) = known.unknown(four_hours, at);
    assert_eq!(missing, 0, "the row of {at} says it is complete, and ids are missing");
    compared.late += u64::from(late > 0);
}
