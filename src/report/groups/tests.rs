//! Groups by tier, exit, hour and symbol, from trades made by hand.

use arb_core::{Direction, InstrumentId, Price, Qty, Timestamp, TradeStatus};

use super::*;

fn trade(id: u64, status: TradeStatus, r: f64, net: &str) -> TradeNote {
    let price: Price = "100".parse().unwrap();
    let (pnl, fee): (Money, Money) = (net.parse().unwrap(), "1".parse().unwrap());
    TradeNote {
        id,
        strategy: "s".to_owned(),
        instrument: InstrumentId(u16::try_from(id % 2).unwrap()),
        direction: if id.is_multiple_of(3) { Direction::Short } else { Direction::Long },
        tier: id.is_multiple_of(2).then_some(Tier::Heavy),
        score: 80.0,
        status,
        entry_time: Timestamp::from_nanos(i64::try_from(id).unwrap() * 5 * HOUR),
        exit_time: None,
        entry_price: price,
        exit_price: Some(price),
        qty: Qty::parse(b"1").unwrap(),
        open_qty: Qty::parse(b"0").unwrap(),
        stop_price: price,
        tp1_price: price,
        tp2_price: price,
        pnl: pnl + fee,
        fee,
        funding: Money::ZERO,
        r_trade: "10".parse().unwrap(),
        r_multiple: Some(r),
    }
}

fn sample() -> Vec<TradeNote> {
    let statuses = [TradeStatus::Tp, TradeStatus::Sl, TradeStatus::Timeout];
    (0..30_u64)
        .map(|id| {
            let status = statuses[usize::try_from(id % 3).unwrap()];
            let r = f64::from(u32::try_from(id % 7).unwrap()) / 2.0 - 1.25;
            trade(id, status, r, &format!("{}", r * 10.0))
        })
        .collect()
}

#[test]
fn rows_of_every_table_add_up_to_the_run() {
    let trades = sample();
    let closed: Vec<&TradeNote> = trades.iter().collect();
    let mut all = Tally::default();
    closed.iter().for_each(|trade| all.add(trade));
    let tables = groups(&closed, &["A".to_owned(), "B".to_owned()]);
    assert_eq!(tables.len(), 6);
    for table in tables {
        let sum = |of: fn(&Tally) -> u32| table.rows.iter().map(|(_, t)| of(t)).sum::<u32>();
        assert_eq!((sum(|t| t.trades), sum(|t| t.wins)), (30, all.wins), "{}", table.title);
        let net: Money = table.rows.iter().map(|(_, tally)| tally.net).sum();
        let fees: Money = table.rows.iter().map(|(_, tally)| tally.fees).sum();
        assert_eq!((net, fees), (all.net, all.fees), "{}", table.title);
        let r: f64 = table.rows.iter().map(|(_, tally)| tally.total_r).sum();
        assert!((r - all.total_r).abs() < 1e-9, "{}", table.title);
    }
}

#[test]
fn hours_are_those_of_the_entry_in_utc() {
    let trades = [trade(5, TradeStatus::Tp, 1.0, "10")];
    let closed: Vec<&TradeNote> = trades.iter().collect();
    let tables = groups(&closed, &["A".to_owned(), "B".to_owned()]);
    let hours = tables.iter().find(|table| table.by == "UTC").unwrap();
    assert_eq!(hours.rows[0].0, "01:00");
}

#[test]
fn the_distribution_counts_every_trade_once() {
    let trades = sample();
    let closed: Vec<&TradeNote> = trades.iter().collect();
    let bins = distribution(&closed);
    assert_eq!(bins.iter().map(|(_, count)| count).sum::<u32>(), 30);
    assert!(bins.windows(2).all(|pair| (pair[1].0 - pair[0].0 - 0.25).abs() < 1e-12));
    assert!((bins[0].0 + 1.125).abs() < 1e-12, "−1.25 is in the bin that it begins");
    let far = [trade(1, TradeStatus::Sl, -50.0, "-9"), trade(2, TradeStatus::Tp, 50.0, "9")];
    let far: Vec<&TradeNote> = far.iter().collect();
    let bins = distribution(&far);
    assert_eq!((bins[0], bins[bins.len() - 1]), ((-9.875, 1), (9.875, 1)));
    assert!(distribution(&[]).is_empty());
}

#[test]
fn the_median_is_the_middle() {
    let of = |all: &[f64]| {
        let trades: Vec<TradeNote> =
            all.iter().map(|r| trade(1, TradeStatus::Tp, *r, "1")).collect();
        median_r(&trades.iter().collect::<Vec<_>>())
    };
    assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(of(&[3.0, 1.0]), Some(2.0));
    assert_eq!(of(&[]), None);
}
