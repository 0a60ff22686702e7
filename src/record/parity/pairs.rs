//! Compares two entries of one decision, from the order to the end of the trade.
//!
//! Invariant: the aspects are told in the order in which one brings the other about, and an aspect
//! that follows from an earlier one has the same cause.

use arb_core::{Decimal, Money, Order, OrderKind, Price, Qty, Timestamp, TradeNote};

use super::Tolerance;
use super::cause::{About, Evidence};
use super::entries::{Entry, Sent, latency_cause};
use super::judge::{Finding, Judge, Verdict};
use super::result::DifferenceKind;
use super::signals::apart;

use DifferenceKind::{
    Answers, EntryDirection, EntryPrice, EntryTime, ExitPrice, ExitStatus, ExitTime, Fee,
    FilledQty, Funding, Levels, OrderLimit, OrderQty, Orders, Pnl,
};

/// One way in which a pair differs.
struct Aspect {
    kind: DifferenceKind,
    a: String,
    b: String,
    by: Option<String>,
}

/// The initial levels of a trade.
const LEVELS: [fn(&TradeNote) -> Price; 3] =
    [|note| note.stop_price, |note| note.tp1_price, |note| note.tp2_price];

/// Compares a pair and tells how many aspects differ.
pub(super) fn compare(judge: &mut Judge<'_>, a: &Entry, b: &Entry) -> usize {
    let slow = note_latency(judge, a, b);
    let aspects = aspects(judge.facts.tolerance, a, b);
    let count = aspects.len();
    // Before the first end both positions were there.
    let since = a.closed_at.into_iter().chain(b.closed_at).min().unwrap_or(a.decided_at);
    let ended = a.closed_at.max(b.closed_at).unwrap_or(since);
    let decided = a.decided_at.max(b.decided_at);
    let fills = a.entry_fills().chain(b.entry_fills());
    let filled = fills.map(|fill| fill.ts).max().unwrap_or(decided);
    let mut given: Vec<(DifferenceKind, Verdict)> = Vec::new();
    for Aspect { kind, a: in_a, b: in_b, by } in aspects {
        let finding = Finding {
            kind,
            at: decided,
            until: match kind {
                EntryDirection | OrderQty | OrderLimit => decided,
                EntryTime | EntryPrice | FilledQty => filled.max(decided),
                _ => ended,
            },
            symbol: Some(a.symbol),
            strategy: a.strategy.clone().or_else(|| b.strategy.clone()),
            a: Some(in_a),
            b: Some(in_b),
            by,
        };
        let verdict = verdict(judge, &finding, &given, slow);
        given.push((kind, verdict));
        judge.position(finding, since, verdict);
    }
    count
}

/// What an aspect is about, and which earlier aspects bring it about.
fn nature(kind: DifferenceKind) -> (&'static [About], &'static [DifferenceKind]) {
    const BEFORE_EXIT: &[DifferenceKind] =
        &[Levels, EntryPrice, EntryTime, FilledQty, OrderQty, EntryDirection];
    const ALL: &[DifferenceKind] = &[
        ExitPrice,
        ExitStatus,
        ExitTime,
        Levels,
        EntryPrice,
        EntryTime,
        FilledQty,
        OrderQty,
        EntryDirection,
    ];
    match kind {
        EntryDirection => (&[About::Score], &[]),
        OrderQty | OrderLimit => (&[About::Size], &[EntryDirection]),
        EntryTime => (&[About::FillTime], &[OrderLimit]),
        FilledQty => (&[About::Fill], &[OrderQty, EntryTime]),
        EntryPrice => (&[About::Fill], &[EntryTime]),
        Levels => (&[About::Exit], &[EntryPrice, EntryTime]),
        Answers => (&[About::Fill], &[EntryTime, FilledQty, OrderQty, EntryPrice]),
        Fee => (&[About::Fee], ALL),
        Funding => (&[About::Funding], ALL),
        Pnl => (&[About::Fill], ALL),
        _ => (&[About::Exit, About::Fill], BEFORE_EXIT),
    }
}

fn verdict(
    judge: &mut Judge<'_>,
    finding: &Finding,
    given: &[(DifferenceKind, Verdict)],
    slow: Option<usize>,
) -> Verdict {
    let (about, after) = nature(finding.kind);
    let inherited = || {
        let found = after.iter().find_map(|kind| given.iter().find(|(known, _)| known == kind));
        found.map(|(_, verdict)| Verdict { evidence: Evidence::Follows, ..*verdict })
    };
    let symbol = finding.symbol.unwrap_or_default();
    let of_signal = judge.of_signal(symbol, finding.at);
    let found = match finding.kind {
        // Fees and funding have causes of their own.
        Fee | Funding => judge.direct(finding, about, None).or_else(inherited),
        OrderQty | OrderLimit | EntryDirection => {
            inherited().or_else(|| judge.direct(finding, about, None)).or(of_signal)
        }
        _ => inherited()
            .or(slow.map(|cause| Verdict { cause: Some(cause), evidence: Evidence::Direct }))
            .or_else(|| judge.direct(finding, about, None)),
    };
    let venue = about.iter().any(|about| matches!(about, About::Fill | About::FillTime));
    found
        .or_else(|| judge.follows(finding))
        .unwrap_or_else(|| if venue { judge.venue_answered(finding) } else { judge.any(finding) })
}

/// Compares how long the venue took to answer the orders that both sent; gives the cause when it
/// took another time.
pub(super) fn note_latency(judge: &mut Judge<'_>, a: &Entry, b: &Entry) -> Option<usize> {
    let mut found = None;
    for (x, y) in both(a, b) {
        let wait = |sent: &Sent| sent.answered_at.map(|at| at.since(sent.asked_at));
        if let (Some(p), Some(q)) = (wait(x), wait(y))
            && judge.facts.apart(Timestamp::from_nanos(p), Timestamp::from_nanos(q))
        {
            let what = format!("answer to {:?} {}", x.order.id.purpose, x.order.id).to_lowercase();
            let at = a.decided_at.min(b.decided_at);
            found = Some(latency_cause(judge, at, (what, p, q)));
        }
    }
    found
}

/// The orders that both sent: their ids agree but for run and intent.
fn both<'a>(a: &'a Entry, b: &'a Entry) -> impl Iterator<Item = (&'a Sent, &'a Sent)> {
    a.orders.iter().filter_map(|(id, sent)| {
        let twin = b.orders.iter().find(|(other, _)| {
            (other.leg, other.purpose, other.ordinal) == (id.leg, id.purpose, id.ordinal)
        });
        twin.map(|(_, other)| (sent, other))
    })
}

fn aspects(tolerance: Tolerance, a: &Entry, b: &Entry) -> Vec<Aspect> {
    let mut found = Found { tolerance, list: Vec::new() };
    let side = |entry: &Entry| format!("{:?}", entry.order.side).to_lowercase();
    found.text(EntryDirection, side(a), side(b));
    found.text(OrderQty, a.order.qty.to_string(), b.order.qty.to_string());
    found.price(OrderLimit, limit(&a.order), limit(&b.order));
    let filled = |entry: &Entry| -> i64 { entry.entry_fills().map(|fill| fill.qty.units()).sum() };
    let qty = |entry: &Entry| {
        Qty::from_units(filled(entry)).map_or("too much".to_owned(), |qty| qty.to_string())
    };
    found.text(FilledQty, qty(a), qty(b));
    let wait = |entry: &Entry| {
        entry.entry_fills().map(|fill| fill.ts).min().map(|at| at.since(entry.decided_at))
    };
    if let (Some(p), Some(q)) = (wait(a), wait(b)) {
        let at = |nanos| Timestamp::from_nanos(nanos);
        found.time(EntryTime, (at(p), at(q)), |at| {
            format!("{} ms after the decision", at.as_millis())
        });
    }
    let (x, y) = (a.last.as_ref(), b.last.as_ref());
    found.price(EntryPrice, x.map(|n| n.entry_price), y.map(|n| n.entry_price));
    for level in LEVELS {
        if found.list.last().is_none_or(|last| last.kind != Levels) {
            found.price(Levels, a.first.as_ref().map(level), b.first.as_ref().map(level));
        }
    }
    found.text(Answers, answers(a), answers(b));
    let status = |entry: &Entry| entry.last.as_ref().map_or("not entered", |n| n.status.as_str());
    found.text(ExitStatus, status(a).to_owned(), status(b).to_owned());
    if let (Some(p), Some(q)) = (x.and_then(|n| n.exit_time), y.and_then(|n| n.exit_time)) {
        found.time(ExitTime, (p, q), |at| at.to_string());
    }
    found.price(ExitPrice, x.and_then(|n| n.exit_price), y.and_then(|n| n.exit_price));
    found.orders(a, b);
    money(&mut found, a, b);
    found.list.sort_by_key(|aspect| ORDER.iter().position(|kind| *kind == aspect.kind));
    found.list
}

/// The order in which one aspect brings the other about.
const ORDER: [DifferenceKind; 15] = [
    EntryDirection,
    OrderQty,
    OrderLimit,
    EntryTime,
    FilledQty,
    EntryPrice,
    Levels,
    ExitStatus,
    ExitTime,
    ExitPrice,
    Answers,
    Orders,
    Fee,
    Funding,
    Pnl,
];

fn money(found: &mut Found, a: &Entry, b: &Entry) {
    let (Some(x), Some(y)) = (&a.last, &b.last) else { return };
    let size = x.entry_price.notional(x.qty).to_money().abs();
    found.money(Fee, (x.fee, y.fee), x.fee.abs());
    found.money(Funding, (x.funding, y.funding), x.funding.abs());
    // Both prices may be off by the tolerance.
    found.money(Pnl, (x.pnl, y.pnl), size + size);
}

const fn limit(order: &Order) -> Option<Price> {
    match order.kind {
        OrderKind::Market => None,
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::StopMarket { stop_price, .. } => Some(stop_price),
    }
}

/// What the venue said to each order but fills, by order.
fn answers(entry: &Entry) -> String {
    let said = |sent: &Sent| {
        let id = sent.order.id;
        let said: Vec<String> = sent.answers.iter().map(|answer| format!("{answer:?}")).collect();
        format!("{:?} {}: {}", id.purpose, id.ordinal, said.join(", ")).to_lowercase()
    };
    entry.orders.values().map(said).collect::<Vec<_>>().join("; ")
}

/// Aspects as they are found.
struct Found {
    tolerance: Tolerance,
    list: Vec<Aspect>,
}

impl Found {
    fn text(&mut self, kind: DifferenceKind, a: String, b: String) {
        if a != b {
            self.list.push(Aspect { kind, a, b, by: None });
        }
    }

    fn time(
        &mut self,
        kind: DifferenceKind,
        (a, b): (Timestamp, Timestamp),
        show: impl Fn(Timestamp) -> String,
    ) {
        if b.since(a).abs() > i64::from(self.tolerance.time_ms) * 1_000_000 {
            self.list.push(Aspect { kind, a: show(a), b: show(b), by: Some(apart(a, b)) });
        }
    }

    /// Prices further apart than is tolerated; one alone follows from what is told elsewhere.
    fn price(&mut self, kind: DifferenceKind, a: Option<Price>, b: Option<Price>) {
        let (Some(a), Some(b)) = (a, b) else { return };
        let change = (b.to_decimal() - a.to_decimal()).checked_div(a.to_decimal());
        let bps = change.unwrap_or(Decimal::MAX).saturating_mul(Decimal::from(10_000));
        if bps.abs() > self.tolerance.price_bps {
            let by = Some(format!("{:+.3} bps", bps.round_dp(3)));
            self.list.push(Aspect { kind, a: a.to_string(), b: b.to_string(), by });
        }
    }

    /// Amounts further apart than the price tolerance of `base`.
    fn money(&mut self, kind: DifferenceKind, (a, b): (Money, Money), base: Money) {
        let bps = self.tolerance.price_bps / Decimal::from(10_000);
        if (b - a).abs() > base.times(bps) {
            let by = Some(format!("{}{}", if b > a { "+" } else { "" }, b - a));
            self.list.push(Aspect { kind, a: a.to_string(), b: b.to_string(), by });
        }
    }

    /// The orders behind the entry: how many, and what each asked for.
    fn orders(&mut self, a: &Entry, b: &Entry) {
        let behind = |entry: &Entry| entry.orders.len().saturating_sub(1);
        if behind(a) != behind(b) {
            let text = |entry: &Entry| format!("{} orders behind the entry", behind(entry));
            self.text(Orders, text(a), text(b));
            return;
        }
        for (x, y) in both(a, b).filter(|(x, _)| x.order.id != a.order.id) {
            let (p, q) = (limit(&x.order), limit(&y.order));
            let mut prices = Self { tolerance: self.tolerance, list: Vec::new() };
            prices.price(Orders, p, q);
            let same = x.order.qty == y.order.qty && x.order.side == y.order.side;
            if !(same && prices.list.is_empty() && p.is_some() == q.is_some()) {
                self.text(Orders, order_text(&x.order), order_text(&y.order));
                return;
            }
        }
    }
}

fn order_text(order: &Order) -> String {
    let id = order.id;
    let at = limit(order).map_or("market".to_owned(), |price| price.to_string());
    format!("{:?} {}: {} at {at}", id.purpose, id.ordinal, order.qty).to_lowercase()
}
