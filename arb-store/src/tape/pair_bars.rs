//! Hourly bars of a perpetual and its spot market in one table, and the events they make.
//!
//! Invariant: nothing is known before its time. A bar says where trading began and where it ended,
//! so two trades stand for it, with half of its volume each: one right after the opening and one
//! right before the end, the spot trade a second after the perpetual's, so that a hedge can follow
//! its short. The mark of a bar is known at its end and settles the funding of that boundary; the
//! rate of a row is that of the boundary at which the row begins.

use std::path::Path;
use std::sync::Arc;

use arb_core::time::{HOUR, MINUTE, SECOND};
use arb_core::{
    Decimal, Event, EventKind, FundingSettled, InstrumentId, Mark, Price, Qty, Side, Timestamp,
    Trade,
};

use super::INPUT_MEMORY;
use super::bytes::{Consumed, Origin, Packed};
use super::error::{Fault, TapeError};
use super::fields::{Fields, civil_time, number_fault};
use super::inputs::fraction;
use super::lines::Extent;
use super::table::{Columns, Format, Rows, optional, required, text};

/// The first and last price of a market in an hour, and what was traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourBar {
    /// First price.
    pub open: Price,
    /// Last price.
    pub close: Price,
    /// Volume, base units.
    pub volume: Qty,
}

/// One hour of both markets; what the file leaves empty is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairBar {
    /// Start of the hour.
    pub open_time: Timestamp,
    /// The perpetual.
    pub perp: Option<HourBar>,
    /// The spot market.
    pub spot: Option<HourBar>,
    /// Mark price at the end of the hour.
    pub mark_price: Option<Price>,
    /// The rate settled last before or at the start of the hour, a fraction.
    pub funding_rate: Option<Decimal>,
}

static FORMAT: Format<9> = Format {
    wanted: [
        required(&["open_time_utc", "open_time"]),
        required(&["open_perp"]),
        required(&["close_perp"]),
        required(&["volume_perp"]),
        required(&["open_spot"]),
        required(&["close_spot"]),
        required(&["volume_spot"]),
        optional(&["mark_price"]),
        optional(&["funding_rate_raw", "funding_rate"]),
    ],
    layouts: &[],
    fits: |_, _| false,
};

/// Reads a table of hourly bars whole; hours may be missing, but not repeat or go back.
///
/// # Errors
/// [`TapeError`] names the file, and the line and field of a row that cannot be used.
pub fn read_pair_bars(path: &Path) -> Result<Vec<PairBar>, TapeError> {
    pair_bars(&Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) })
}

pub(super) fn pair_bars(file: &Packed) -> Result<Vec<PairBar>, TapeError> {
    let mut all: Vec<PairBar> = Vec::new();
    for part in file.parts()? {
        let mut rows = Rows::open(&part, Extent::Whole, &FORMAT, &Consumed::default())?;
        let (columns, before) = (*rows.columns(), all.len());
        while let Some(bar) = rows.next(|fields| parse(fields, &columns))? {
            if all.last().is_some_and(|last| last.open_time >= bar.open_time) {
                let message = format!(
                    "{} does not follow the row before; hours in ascending order are allowed",
                    bar.open_time
                );
                return Err(Fault { field: "open_time", message }.at(rows.place()));
            }
            all.push(bar);
        }
        if all.len() == before {
            return Err(TapeError::Empty { file: Arc::clone(part.name()) });
        }
    }
    Ok(all)
}

fn parse(fields: &Fields<'_>, columns: &Columns<9>) -> Result<PairBar, Fault> {
    let given = |at| Some(text(fields, columns, at)).filter(|text| !text.is_empty());
    let price = |field: &'static str, at| {
        given(at).map(|t| Price::parse(t).map_err(|e| number_fault(field, t, e))).transpose()
    };
    let volume = |field: &'static str, at| {
        let qty = given(at).map(|t| Qty::parse(t).map_err(|e| number_fault(field, t, e)));
        qty.transpose().map(Option::unwrap_or_default)
    };
    let market = |open: Option<Price>, close: Option<Price>, volume| {
        open.zip(close).map(|(open, close)| HourBar { open, close, volume })
    };
    let opened = text(fields, columns, 0);
    let open_time = civil_time("open_time", opened)?;
    if open_time != open_time.floor_to(HOUR) {
        return Err(Fault::of("open_time", opened, "is no full hour; hourly bars are allowed"));
    }
    Ok(PairBar {
        open_time,
        perp: market(price("open_perp", 1)?, price("close_perp", 2)?, volume("volume_perp", 3)?),
        spot: market(price("open_spot", 4)?, price("close_spot", 5)?, volume("volume_spot", 6)?),
        mark_price: price("mark_price", 7)?,
        funding_rate: given(8).map(|t| fraction("funding_rate", t)).transpose()?,
    })
}

/// A perpetual and its spot market with the hours that make their events.
#[derive(Clone, Debug)]
pub struct PairSource {
    /// The perpetual.
    pub perp: InstrumentId,
    /// Its spot market.
    pub spot: InstrumentId,
    /// The hours, ascending.
    pub bars: Vec<PairBar>,
    /// The settlements, ascending; those of the bars when none are given.
    pub settlements: Vec<FundingSettled>,
}

impl PairSource {
    /// The settlements that the bars tell: one at each boundary of `interval_hours`, at the mark
    /// of the hour before, without one at its last price.
    #[must_use]
    pub fn settlements_of(
        bars: &[PairBar],
        perp: InstrumentId,
        interval_hours: u8,
    ) -> Vec<FundingSettled> {
        let interval = i64::from(interval_hours.max(1)) * HOUR;
        let pairs = bars.iter().zip(bars.iter().skip(1));
        let settled = pairs.filter_map(|(before, bar)| {
            let funding_time = bar.open_time;
            let is_boundary = funding_time == funding_time.floor_to(interval);
            let follows = funding_time.since(before.open_time) == HOUR;
            let rate = bar.funding_rate.filter(|_| is_boundary)?;
            let mark = before.mark_price.filter(|_| follows);
            Some(FundingSettled { instrument: perp, funding_time, rate, mark_price: mark })
        });
        settled.collect()
    }

    /// Hours of a constant price of 1, where a history has rates but no prices: from the first
    /// settlement to an hour after the last.
    #[must_use]
    pub fn without_prices(
        perp: InstrumentId,
        spot: InstrumentId,
        settlements: Vec<FundingSettled>,
    ) -> Self {
        let one = Price::from_units(100_000_000).unwrap_or_default();
        let plenty = Qty::from_units(100_000_000_000_000_000).unwrap_or_default();
        let market = Some(HourBar { open: one, close: one, volume: plenty });
        let first = settlements.first().map_or(Timestamp::EPOCH, |s| s.funding_time.floor_to(HOUR));
        let last = settlements.last().map_or(first, |settled| settled.funding_time.plus(HOUR));
        let mut bars = Vec::new();
        let mut open_time = first;
        while open_time <= last {
            let (mark_price, funding_rate) = (None, None);
            bars.push(PairBar { open_time, perp: market, spot: market, mark_price, funding_rate });
            open_time = open_time.plus(HOUR);
        }
        Self { perp, spot, bars, settlements }
    }
}

/// Several pairs, hour by hour.
#[derive(Clone, Debug)]
pub struct PairTape {
    pairs: Vec<Progress>,
}

#[derive(Clone, Debug)]
struct Progress {
    source: PairSource,
    next_bar: usize,
    next_settlement: usize,
    /// Ids given so far, perpetual and spot.
    ids: [u64; 2],
    /// The first hour brings settlements from before it.
    earlier: bool,
}

impl PairTape {
    /// A tape of all pairs, from its first hour.
    #[must_use]
    pub fn new(sources: Vec<PairSource>) -> Self {
        let start = |source| Progress {
            source,
            next_bar: 0,
            next_settlement: 0,
            ids: [0; 2],
            earlier: false,
        };
        Self { pairs: sources.into_iter().map(start).collect() }
    }

    /// Leaves out the hours before `from`, but not the settlements of the 30 days before it, which
    /// windows of rates reach back to; those come with the first hour.
    #[must_use]
    pub fn starting_at(mut self, from: Timestamp) -> Self {
        for pair in &mut self.pairs {
            let bars = &pair.source.bars;
            pair.next_bar = bars.partition_point(|bar| bar.open_time.plus(HOUR) <= from);
            let oldest = from.plus(-INPUT_MEMORY);
            let settled = &pair.source.settlements;
            pair.next_settlement = settled.partition_point(|s| s.funding_time < oldest);
            pair.earlier = true;
        }
        self
    }

    /// Adds the events of the next hour to `out`, in their total order; false at the end.
    pub fn next_hour(&mut self, out: &mut Vec<Event>) -> bool {
        let next = |p: &Progress| p.source.bars.get(p.next_bar).map(|bar| bar.open_time);
        let Some(hour) = self.pairs.iter().filter_map(next).min() else { return false };
        let from = out.len();
        for pair in &mut self.pairs {
            pair.add_hour(hour, out);
        }
        if let Some(hour) = out.get_mut(from..) {
            hour.sort_by_key(Event::order_key);
        }
        true
    }
}

impl Progress {
    fn add_hour(&mut self, hour: Timestamp, out: &mut Vec<Event>) {
        let end = hour.plus(HOUR);
        while let Some(settled) = self.source.settlements.get(self.next_settlement).copied()
            && settled.funding_time.plus(MINUTE) < end
        {
            self.next_settlement += 1;
            let at = settled.funding_time.plus(MINUTE);
            // Settlements before the first bar would come out of order.
            if at >= hour || self.earlier {
                out.push(Event { at, kind: EventKind::Funding(settled) });
            }
        }
        self.earlier = false;
        let bar = self.source.bars.get(self.next_bar).copied();
        let Some(bar) = bar.filter(|bar| bar.open_time == hour) else { return };
        self.next_bar += 1;
        let (perp, spot) = (self.source.perp, self.source.spot);
        let markets = [(perp, bar.perp, 1), (spot, bar.spot, 2)];
        for ((instrument, market, second), last_id) in markets.into_iter().zip(&mut self.ids) {
            let Some(HourBar { open, close, volume }) = market else { continue };
            let qty = Qty::from_units(volume.units() / 2).unwrap_or_default();
            let mut trade = |at, price, taker_side| {
                *last_id += 1;
                let id = *last_id;
                out.push(Event::trade(Trade { instrument, taker_side, id, ts: at, price, qty }));
            };
            trade(hour.plus(second * SECOND), open, Side::Buy);
            trade(end.plus((second - 3) * SECOND), close, Side::Sell);
        }
        if let Some(mark_price) = bar.mark_price {
            let mark = Mark { instrument: perp, ts: end, mark_price, index_price: None };
            out.push(Event { at: end, kind: EventKind::Mark(mark) });
        }
    }
}
