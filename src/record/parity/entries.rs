//! Follows entries from the order to the end of the trade, and pairs those of both journals.
//!
//! Invariant: an entry is known by instrument and instant of its decision, because intents are
//! numbered by each run for itself. A pair is compared once, when both have ended; until then it
//! holds back the judgement of what came after its first end ([`Entries::hold`]).

use std::collections::BTreeMap;

use arb_core::{
    ClientOrderId, Fill, Order, OrderEvent, OrderKind, OrderUpdate, Purpose, Side, Timestamp,
    TradeNote,
};

use super::cause::{About, CauseKind, Change};
use super::judge::{Finding, Judge};
use super::pairs;
use super::result::{Contents, DifferenceKind};
use super::signals::apart;
use super::{LATE, Which};

/// An order with what the venue said.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) order: Order,
    pub(super) asked_at: Timestamp,
    /// All answers but fills.
    pub(super) answers: Vec<OrderUpdate>,
    pub(super) answered_at: Option<Timestamp>,
    pub(super) fills: Vec<Fill>,
    over: bool,
}

/// An entry and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) decided_at: Timestamp,
    pub(super) symbol: u16,
    pub(super) strategy: Option<String>,
    pub(super) order: Order,
    /// In the order of their ids, which are the same in both runs but for run and intent.
    pub(super) orders: BTreeMap<ClientOrderId, Sent>,
    pub(super) first: Option<TradeNote>,
    pub(super) last: Option<TradeNote>,
    pub(super) closed_at: Option<Timestamp>,
    pairing: Pairing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pairing {
    Waiting,
    With(Id),
    Alone,
}

/// Intent and leg.
type Id = (u64, u8);

impl Entry {
    pub(super) fn entry_fills(&self) -> impl Iterator<Item = &Fill> {
        let entries = self.orders.values().filter(|sent| sent.order.id.purpose == Purpose::Entry);
        entries.flat_map(|sent| &sent.fills)
    }

    fn is_over(&self) -> bool {
        match &self.last {
            Some(note) => !note.status.is_open(),
            None => self.orders.values().all(|sent| sent.over),
        }
    }

    /// The instant from which both of a pair may differ: the first end.
    fn end(&self) -> Timestamp {
        self.closed_at.unwrap_or(Timestamp::MAX)
    }
}

/// The entries of both journals that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Entries {
    open: [BTreeMap<Id, Entry>; 2],
    waiting: BTreeMap<(Timestamp, u16), [Option<Id>; 2]>,
    pub(super) matched: u64,
    pub(super) equal: u64,
}

impl Entries {
    /// An order that was sent.
    pub(super) fn on_submit(
        &mut self,
        which: Which,
        order: &Order,
        (symbol, asked_at, strategy): (u16, Timestamp, Option<&str>),
    ) {
        let id = (order.id.intent, order.id.leg);
        let sent = Sent {
            order: *order,
            asked_at,
            answers: Vec::new(),
            answered_at: None,
            fills: Vec::new(),
            over: false,
        };
        let (own, _) = which.pick_mut(&mut self.open);
        if let Some(entry) = own.get_mut(&id) {
            entry.orders.insert(order.id, sent);
            return;
        }
        if order.id.purpose != Purpose::Entry {
            // Its entry lies before the journal.
            return;
        }
        let entry = Entry {
            decided_at: asked_at,
            symbol,
            strategy: strategy.map(str::to_owned),
            order: *order,
            orders: BTreeMap::from([(order.id, sent)]),
            first: None,
            last: None,
            closed_at: None,
            pairing: Pairing::Waiting,
        };
        own.insert(id, entry);
        let pair = self.waiting.entry((asked_at, symbol)).or_default();
        *which.pick_mut(pair).0 = Some(id);
    }

    /// What the venue says about an order.
    pub(super) fn on_answer(&mut self, which: Which, at: Timestamp, event: &OrderEvent) {
        let id = (event.id.intent, event.id.leg);
        let Some(entry) = which.pick_mut(&mut self.open).0.get_mut(&id) else { return };
        let Some(sent) = entry.orders.get_mut(&event.id) else { return };
        sent.answered_at.get_or_insert(at);
        match event.update {
            OrderUpdate::Filled(fill) => {
                sent.fills.push(fill);
                let filled: i64 = sent.fills.iter().map(|fill| fill.qty.units()).sum();
                sent.over |= filled >= sent.order.qty.units();
            }
            update => {
                sent.answers.push(update);
                sent.over |= matches!(
                    update,
                    OrderUpdate::Rejected(_)
                        | OrderUpdate::Canceled
                        | OrderUpdate::Expired
                        | OrderUpdate::Lost
                );
            }
        }
    }

    /// What became of a trade.
    pub(super) fn on_note(&mut self, which: Which, note: &TradeNote) {
        let Some(entry) = which.pick_mut(&mut self.open).0.get_mut(&(note.id, 0)) else { return };
        entry.first.get_or_insert_with(|| note.clone());
        entry.strategy.get_or_insert_with(|| note.strategy.clone());
        entry.last = Some(note.clone());
    }

    /// Notes which entries have ended, once all outputs of an event are in.
    pub(super) fn settle(&mut self, which: Which, at: Timestamp, id: ClientOrderId) {
        let own = which.pick_mut(&mut self.open).0;
        if let Some(entry) = own.get_mut(&(id.intent, id.leg))
            && entry.closed_at.is_none()
            && entry.is_over()
        {
            entry.closed_at = Some(at);
        }
    }

    /// Nothing after this instant can be judged: a trade ended on one side and not on the other,
    /// or both ends are too fresh.
    pub(super) fn hold(&self) -> Timestamp {
        let [a, b] = &self.open;
        let ends = a.values().filter_map(|entry| match entry.pairing {
            Pairing::With(id) => {
                Some(entry.end().min(b.get(&id).map_or(Timestamp::MAX, Entry::end)))
            }
            _ => None,
        });
        ends.min().unwrap_or(Timestamp::MAX)
    }

    /// The instant of the first entry that waits for its counterpart.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Pairs the entries of the first instant, or tells that one is alone.
    pub(super) fn pair_next(&mut self, judge: &mut Judge<'_>) {
        let Some(((at, symbol), pair)) = self.waiting.pop_first() else { return };
        match pair {
            [Some(a), Some(b)] => self.join(judge, a, b),
            [Some(a), None] => self.lone(judge, (at, symbol), (Which::A, a)),
            [None, Some(b)] => self.lone(judge, (at, symbol), (Which::B, b)),
            [None, None] => {}
        }
    }

    fn join(&mut self, judge: &mut Judge<'_>, a: Id, b: Id) {
        let [of_a, of_b] = &mut self.open;
        let (Some(first), Some(second)) = (of_a.get_mut(&a), of_b.get_mut(&b)) else { return };
        (first.pairing, second.pairing) = (Pairing::With(b), Pairing::With(a));
        self.matched += 1;
        pairs::note_latency(judge, first, second);
    }

    fn lone(
        &mut self,
        judge: &mut Judge<'_>,
        (at, symbol): (Timestamp, u16),
        (which, id): (Which, Id),
    ) {
        let Some(entry) = which.pick_mut(&mut self.open).0.get_mut(&id) else { return };
        entry.pairing = Pairing::Alone;
        let (side, own) = (entry.order.side, Some(text(entry)));
        let mut finding = Finding {
            kind: if which == Which::A {
                DifferenceKind::EntryMissed
            } else {
                DifferenceKind::EntryExtra
            },
            at,
            until: at,
            symbol: Some(symbol),
            strategy: entry.strategy.clone(),
            a: None,
            b: None,
            by: None,
        };
        let other = self.counterpart((at, symbol), which, side);
        let theirs = other.and_then(|other| {
            let entry = which.pick_mut(&mut self.open).1.get(&other)?;
            Some((entry.decided_at, text(entry)))
        });
        if let Some((other_at, _)) = &theirs {
            let (a, b) = which.in_order(at, *other_at);
            finding.kind =
                if b > a { DifferenceKind::EntryLate } else { DifferenceKind::EntryEarly };
            finding.by = Some(apart(a, b));
        }
        (finding.a, finding.b) = which.in_order(own, theirs.map(|(_, text)| text));
        let verdict = judge
            .outside(&finding)
            .or_else(|| judge.of_signal(symbol, at))
            .or_else(|| judge.direct(&finding, &[About::Entry], None))
            .or_else(|| judge.follows(&finding))
            .unwrap_or_else(|| judge.any(&finding));
        judge.position(finding, at, verdict);
        if let Some(other) = other {
            let (a, b) = which.in_order(id, other);
            self.join(judge, a, b);
        }
    }

    /// An entry of the other side alone, the same way, within a minute.
    fn counterpart(
        &mut self,
        (at, symbol): (Timestamp, u16),
        which: Which,
        side: Side,
    ) -> Option<Id> {
        let (_, theirs) = which.pick_mut(&mut self.open);
        let soon = self.waiting.range((at, 0)..=(at.plus(LATE), u16::MAX));
        let (key, id) =
            soon.filter(|((_, other), _)| *other == symbol).find_map(|(key, pair)| {
                let (own, other) = which.pick(pair);
                let id = (*other).filter(|_| own.is_none())?;
                (theirs.get(&id)?.order.side == side).then_some((*key, id))
            })?;
        self.waiting.remove(&key);
        Some(id)
    }

    /// Compares the pairs that have ended up to `until`, by their first end, and lets go of what is
    /// over.
    pub(super) fn compare_ended(
        &mut self,
        judge: &mut Judge<'_>,
        contents: &mut [Contents; 2],
        until: Timestamp,
    ) {
        let [a, b] = &self.open;
        let mut ended: Vec<(Timestamp, Id, Id)> = a
            .iter()
            .filter_map(|(id, entry)| match entry.pairing {
                Pairing::With(other) => {
                    let ends = (entry.end(), b.get(&other)?.end());
                    (ends.0.max(ends.1) <= until).then_some((ends.0.min(ends.1), *id, other))
                }
                _ => None,
            })
            .collect();
        ended.sort_unstable();
        for (_, a, b) in ended {
            let [of_a, of_b] = &mut self.open;
            if let (Some(a), Some(b)) = (of_a.remove(&a), of_b.remove(&b)) {
                self.equal += u64::from(pairs::compare(judge, &a, &b) == 0);
                let [in_a, in_b] = contents.each_mut();
                book(in_a, &a);
                book(in_b, &b);
            }
        }
        for (open, contents) in self.open.iter_mut().zip(contents) {
            open.retain(|_, entry| {
                let over = entry.pairing == Pairing::Alone && entry.end() <= until;
                if over {
                    book(contents, entry);
                }
                !over
            });
        }
    }

    /// A journal is over: its open trades end here.
    pub(super) fn finish(&mut self, which: Which, end: Timestamp) {
        for entry in which.pick_mut(&mut self.open).0.values_mut() {
            entry.closed_at.get_or_insert(end);
        }
    }
}

fn book(contents: &mut Contents, entry: &Entry) {
    let Some(note) = entry.last.as_ref().filter(|note| !note.status.is_open()) else { return };
    contents.closed += 1;
    contents.net += note.pnl - note.fee - note.funding;
    contents.fees += note.fee;
    contents.funding += note.funding;
}

fn text(entry: &Entry) -> String {
    let Order { side, qty, kind, .. } = entry.order;
    let limit = match kind {
        OrderKind::Limit { price, .. } => format!(" up to {price}"),
        OrderKind::Market | OrderKind::StopMarket { .. } => String::new(),
    };
    format!("{} {qty}{limit}", format!("{side:?}").to_lowercase())
}

/// Counts an answer that came sooner or later than on the other side.
pub(super) fn latency_cause(
    judge: &mut Judge<'_>,
    at: Timestamp,
    (what, a, b): (String, i64, i64),
) -> usize {
    let text = |nanos: i64| Some(format!("{} ms", nanos / 1_000_000));
    judge.causes.add(CauseKind::OrderLatency, at, Change::Shifted, || (what, text(a), text(b)))
}
