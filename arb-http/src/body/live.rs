//! Carry pairs, live events, execution.

use std::collections::BTreeMap;

use arb_core::port::{Catalog, FillRow, FundingRow, NoteRow, OrderRow, View};
use arb_core::{CarryNote, CarryStatus, Direction, InstrumentId, OrderKind, Price, Qty, Side};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Num;
use super::names::{CarryStatusName, DirectionName};
use super::signals::factors;

/// A carry pair with both legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CarryPair {
    /// Number of the pair.
    pub id: u64,
    /// Name of the strategy.
    pub strategy: String,
    /// The perpetual.
    pub symbol: String,
    /// Where it is in its life.
    #[schema(value_type = CarryStatusName)]
    pub status: CarryStatus,
    /// Why it is being closed.
    pub reason: Option<String>,
    /// When it was approved, Unix milliseconds.
    pub opened_at_ms: i64,
    /// Average perpetual over average spot entry price, basis points.
    pub entry_basis_bps: Option<Num>,
    /// Largest spot notional held, quote currency.
    pub notional: Num,
    /// Fees paid.
    pub fees: Num,
    /// Funding paid (positive) or received (negative).
    pub funding: Num,
    /// Profit after fees and funding, at present prices.
    pub pnl: Num,
    /// The short perpetual, then the coins.
    pub legs: Vec<Leg>,
}

/// A leg of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Leg {
    /// `um` or `spot`.
    pub market: String,
    /// Its symbol.
    pub symbol: String,
    /// Short contracts, long coins.
    #[schema(value_type = DirectionName)]
    pub direction: Direction,
    /// Quantity held, base units.
    pub qty: Num,
    /// Average entry price.
    pub entry_price: Option<Num>,
}

/// A booked settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FundingItem {
    /// Whose funding.
    pub symbol: String,
    /// The settlement, Unix milliseconds.
    pub funding_time_ms: i64,
    /// Positive left the account, negative came in.
    pub paid: Num,
    /// The last price stood in for the mark price.
    pub approx: bool,
}

/// Open carry pairs and the newest booked funding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CarryBody {
    /// Open pairs.
    pub data: Vec<CarryPair>,
    /// Booked funding, newest first.
    pub funding: Vec<FundingItem>,
}

pub(crate) fn carry_pair(view: &View, note: &CarryNote) -> CarryPair {
    let leg = |id: InstrumentId, direction, qty: Qty, price: Option<Price>| {
        let name = view.instruments.get(id.index()).map_or("", String::as_str);
        Leg {
            market: name.split(':').next().unwrap_or_default().to_owned(),
            symbol: view.symbol(id).to_owned(),
            direction,
            qty: qty.into(),
            entry_price: price.map(Num::from),
        }
    };
    CarryPair {
        id: note.id,
        strategy: note.strategy.clone(),
        symbol: view.symbol(note.perp).to_owned(),
        status: note.status,
        reason: note.reason.clone(),
        opened_at_ms: note.opened_at.as_millis(),
        entry_basis_bps: note.entry_basis_bps.map(Num::from),
        notional: note.notional.into(),
        fees: note.fees.into(),
        funding: note.funding.into(),
        pnl: note.pnl.into(),
        legs: vec![
            leg(note.perp, Direction::Short, note.perp_qty, note.perp_entry_price),
            leg(note.spot, Direction::Long, note.spot_qty, note.spot_entry_price),
        ],
    }
}

pub(crate) fn funding_item(catalog: &Catalog, row: &FundingRow) -> FundingItem {
    let symbol = catalog.by_key(row.instrument).map(|(_, i)| i.symbol.clone());
    FundingItem {
        symbol: symbol.unwrap_or_default(),
        funding_time_ms: row.funding_time.as_millis(),
        paid: row.paid.into(),
        approx: row.approx,
    }
}

/// Something the engine said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventItem {
    /// Number of the log record.
    pub seq: u64,
    /// Counts the outputs of that record from 0.
    pub ordinal: u32,
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// What kind of output, such as `signal`.
    pub kind: String,
    /// The output; its decimals are texts.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub body: Box<RawValue>,
}

impl From<&NoteRow> for EventItem {
    fn from(row: &NoteRow) -> Self {
        Self {
            seq: row.cursor.seq,
            ordinal: row.ordinal,
            time_ms: row.at.as_millis(),
            kind: row.kind.clone(),
            body: factors(&row.body),
        }
    }
}

/// How orders were executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExecutionQuality {
    /// Executions looked at, the newest.
    pub fills: usize,
    /// Time from an order's submission to its fill, milliseconds.
    pub fill_latency_ms: Percentiles,
    /// How much worse than its trigger a stop was filled, basis points; negative is better.
    pub slippage_bps: Percentiles,
}

/// Nearest-rank percentiles; null without a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Percentiles {
    /// Half are at or below.
    pub p50: Option<Num>,
    /// Nine of ten are at or below.
    pub p90: Option<Num>,
    /// All but one in a hundred are at or below.
    pub p99: Option<Num>,
}

impl Percentiles {
    fn of(mut values: Vec<Num>) -> Self {
        values.sort();
        let rank = |percent: usize| {
            let place = (values.len() * percent).div_ceil(100).checked_sub(1)?;
            values.get(place).copied()
        };
        Self { p50: rank(50), p90: rank(90), p99: rank(99) }
    }
}

/// Compares executions with the orders they belong to.
pub(crate) fn execution_quality(fills: &[FillRow], orders: &[OrderRow]) -> ExecutionQuality {
    let by_id: BTreeMap<&str, &OrderRow> =
        orders.iter().map(|order| (order.client_id.as_str(), order)).collect();
    let pairs: Vec<(&FillRow, &OrderRow)> = fills
        .iter()
        .filter_map(|fill| Some((fill, *by_id.get(fill.client_id.as_str())?)))
        .collect();
    let latency = pairs.iter().map(|(fill, order)| {
        Num((fill.ts.as_millis() - order.submitted_at.as_millis()).max(0).into())
    });
    let slippage = pairs.iter().filter_map(|(fill, order)| slippage_bps(fill, order));
    ExecutionQuality {
        fills: pairs.len(),
        fill_latency_ms: Percentiles::of(latency.collect()),
        slippage_bps: Percentiles::of(slippage.collect()),
    }
}

fn slippage_bps(fill: &FillRow, order: &OrderRow) -> Option<Num> {
    let OrderKind::StopMarket { stop_price, .. } = order.kind else { return None };
    let bps = super::basis_bps(fill.price, stop_price)?;
    Some(match order.side {
        Side::Buy => bps,
        Side::Sell => Num(-bps.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let of = |values: &[i64]| {
            Percentiles::of(values.iter().map(|value| Num((*value).into())).collect())
        };
        assert_eq!(of(&[]), Percentiles::default());
        let ten = of(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        let num = |value: i64| Some(Num(value.into()));
        assert_eq!((ten.p50, ten.p90, ten.p99), (num(5), num(9), num(10)));
    }
}
