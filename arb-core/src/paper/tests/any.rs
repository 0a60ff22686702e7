//! What holds for any sequence of events.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::num::SignedQty;

#[derive(Clone, Debug)]
enum Step {
    Trade(InstrumentId, Side, Price, Qty),
    Mark(InstrumentId, Price),
    Quote(InstrumentId, Price, Price),
    Tick,
    Funding(InstrumentId, i64),
    Transfer(i64),
    Submit(Order),
    Cancel(usize),
}

fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![8 => 950..1_050_i64, 2 => 500..1_500_i64]
        .prop_map(|ticks| Price::from_units(ticks * 10_000_000).unwrap())
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Buy), Just(Sell)]
}

fn any_instrument() -> impl Strategy<Value = InstrumentId> {
    prop_oneof![Just(BTC), Just(LTC)]
}

fn any_qty(lots: i64) -> impl Strategy<Value = Qty> {
    (0..lots).prop_map(|lots| Qty::from_units(lots * 100_000).unwrap())
}

fn any_kind() -> impl Strategy<Value = OrderKind> {
    let tif = prop_oneof![Just(TimeInForce::Gtc), Just(TimeInForce::Ioc), Just(TimeInForce::Gtx)];
    let working = prop_oneof![Just(WorkingType::ContractPrice), Just(WorkingType::MarkPrice)];
    prop_oneof![
        Just(OrderKind::Market),
        (any_price(), tif)
            .prop_map(|(price, time_in_force)| OrderKind::Limit { price, time_in_force }),
        (any_price(), working).prop_map(|(stop_price, working_type)| OrderKind::StopMarket {
            stop_price,
            working_type
        }),
    ]
}

fn any_order() -> impl Strategy<Value = Order> {
    let effect = prop_oneof![Just(Open), Just(Reduce)];
    (any_instrument(), any_side(), any_qty(900_000), any_kind(), effect).prop_map(
        |(instrument, side, qty, kind, effect)| Order {
            id: id(Entry, 0),
            instrument,
            side,
            qty,
            kind,
            effect,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let trade = (any_instrument(), any_side(), any_price(), any_qty(3_000_000));
    prop_oneof![
        8 => trade.prop_map(|(i, side, price, qty)| Step::Trade(i, side, price, qty)),
        2 => (any_instrument(), any_price()).prop_map(|(i, price)| Step::Mark(i, price)),
        1 => (any_instrument(), any_price(), any_price())
            .prop_map(|(i, bid, ask)| Step::Quote(i, bid, ask)),
        1 => Just(Step::Tick),
        1 => (any_instrument(), -1_000..1_000_i64).prop_map(|(i, rate)| Step::Funding(i, rate)),
        1 => (-2_000..2_000_i64).prop_map(Step::Transfer),
        5 => any_order().prop_map(Step::Submit),
        1 => any::<usize>().prop_map(Step::Cancel),
    ]
}

/// Runs the steps 30 ms apart, so that neither marks nor quotes grow stale between events.
struct Run {
    venue: PaperVenue,
    orders: Vec<Order>,
    out: Vec<OrderEvent>,
}

fn event_of(step: &Step, at: Timestamp) -> Option<EventKind> {
    Some(match *step {
        Step::Trade(instrument, taker_side, price, qty) => {
            EventKind::Trade(Trade { instrument, taker_side, id: 0, ts: at, price, qty })
        }
        Step::Mark(instrument, mark_price) => {
            EventKind::Mark(Mark { instrument, ts: at, mark_price, index_price: None })
        }
        Step::Quote(instrument, best_bid, best_ask) => {
            EventKind::Quote(Quote { instrument, ts: at, best_bid, best_ask })
        }
        Step::Tick => EventKind::Tick(at),
        Step::Funding(instrument, rate) => EventKind::Funding(FundingSettled {
            instrument,
            funding_time: at,
            rate: Decimal::new(rate, 4),
            mark_price: None,
        }),
        Step::Transfer(amount) => {
            EventKind::Transfer(Transfer { amount: Money::round(Decimal::from(amount)) })
        }
        Step::Submit(_) | Step::Cancel(_) => return None,
    })
}

fn run(steps: &[Step], fill: FillModel, mut before_event: impl FnMut(&mut PaperVenue)) -> Run {
    let floor = Floor::with(|config, paper| {
        paper.fill = fill;
        paper.latency_ms = 50;
        config.account.leverage = 50;
    });
    let mut run = Run { venue: floor.venue, orders: Vec::new(), out: Vec::new() };
    for (number, step) in (0..).zip(steps) {
        let at = ms(30 * number);
        match step {
            Step::Submit(order) => {
                let ordinal = u16::try_from(run.orders.len()).unwrap();
                let order = Order { id: id(Entry, ordinal), ..*order };
                run.venue.submit(&order, at);
                run.orders.push(order);
            }
            Step::Cancel(which) => {
                if let Some(order) = run.orders.get(which % run.orders.len().max(1)) {
                    run.venue.cancel(order.id, order.instrument, at);
                }
            }
            _ => {}
        }
        if let Some(kind) = event_of(step, at) {
            before_event(&mut run.venue);
            run.venue.on_event(&Event { at, kind }, &mut run.out);
        }
    }
    run
}

fn is_last(update: &OrderUpdate) -> bool {
    matches!(update, Rejected(_) | Canceled | Expired)
}

/// Orders live by the rules, and the position is the sum of the fills.
fn check(run: &Run) -> Result<(), TestCaseError> {
    let mut net = BTreeMap::from([(BTC, 0), (LTC, 0)]);
    for event in &run.out {
        if let Filled(fill) = event.update {
            prop_assert!(!fill.qty.is_zero());
            *net.get_mut(&event.instrument).unwrap() += fill.qty.signed(fill.side).units();
        }
    }
    for (instrument, units) in net {
        let held = run.venue.ledger().net_qty(instrument);
        prop_assert_eq!(held, SignedQty::from_units(units).unwrap());
    }
    for order in &run.orders {
        let updates: Vec<_> =
            run.out.iter().filter(|e| e.id == order.id).map(|e| e.update).collect();
        let filled: i64 = updates
            .iter()
            .map(|update| if let Filled(fill) = update { fill.qty.units() } else { 0 })
            .sum();
        prop_assert!(filled <= order.qty.units(), "{filled} of {order:?}");
        if let Some((first, rest)) = updates.split_first() {
            prop_assert!(matches!(first, Accepted | Rejected(_)), "{first:?}");
            prop_assert!(!rest.contains(&Accepted));
            let ends = updates.iter().position(is_last).map_or(updates.len(), |at| at + 1);
            prop_assert_eq!(ends, updates.len(), "{:?}", updates);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn orders_and_positions_agree(
        steps in proptest::collection::vec(any_step(), 1..150),
        queue in any::<bool>(),
    ) {
        let fill = if queue { FillModel::Queue } else { FillModel::Through };
        let ours = run(&steps, fill, |_| {});
        check(&ours)?;
        prop_assert_eq!(&ours.out, &run(&steps, fill, |_| {}).out, "the same again");
        // The quiet bands only save work: without them every update is the same.
        let watched = run(&steps, fill, |venue| {
            venue.desks.iter_mut().for_each(super::super::desk::Desk::watch_everything);
        });
        prop_assert_eq!(&ours.out, &watched.out);
    }
}
