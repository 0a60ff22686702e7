//! Market inputs of a tape: settled funding, and the metrics archive.
//!
//! Invariant: an event's `at` is the time from which the value was known to anybody
//! (`create_time` + 5 min 30 s, settlement + 60 s), never the time it describes, so that a
//! back-test cannot look ahead. These files are small and may be unsorted: they are read whole and
//! sorted. The same time twice must carry the same values.

use std::sync::Arc;

use arb_core::time::{MINUTE, SECOND};
use arb_core::{
    Decimal, Event, EventKind, FundingSettled, Input, InputValue, InstrumentId, Price, Timestamp,
};

use super::bytes::{Consumed, Packed};
use super::error::{Fault, Place, TapeError};
use super::fields::{Fields, civil_time, decimal, digits, instant, number_fault, ratio, time};
use super::lines::Extent;
use super::table::{Columns, Format, Rows, optional, required, text};
use super::trades::Owner;

/// Delay from a settlement to the time its rate can be read.
const FUNDING_KNOWN: i64 = 60 * SECOND;
/// Delay from the time of a metrics row to its publication.
const METRICS_KNOWN: i64 = 5 * MINUTE + 30 * SECOND;

/// A row with the time that identifies it.
#[derive(Debug)]
pub(super) struct Dated<T> {
    pub(super) time: Timestamp,
    pub(super) value: T,
    place: Place,
    /// What the file calls the column of the time.
    column: Arc<str>,
}

/// All rows of the files.
pub(super) fn read_all<const N: usize, T>(
    files: &[Packed],
    (format, field): (&'static Format<N>, &'static str),
    consumed: &Consumed,
    parse: impl Fn(&Fields<'_>, &Columns<N>) -> Result<(Timestamp, T), Fault>,
) -> Result<Vec<Dated<T>>, TapeError> {
    let mut all = Vec::new();
    for file in files {
        for part in file.parts()? {
            let mut rows = Rows::open(&part, Extent::Whole, format, consumed)?;
            let columns = *rows.columns();
            let (before, column) = (all.len(), rows.name(field));
            while let Some((time, value)) = rows.next(|fields| parse(fields, &columns))? {
                let (place, column) = (rows.place(), Arc::clone(&column));
                all.push(Dated { time, value, place, column });
            }
            if all.len() == before {
                return Err(TapeError::Empty { file: Arc::clone(part.name()) });
            }
        }
    }
    Ok(all)
}

/// Sorts by time and drops repeated rows; `merge` says in what a row differs from the one before.
pub(super) fn in_order<T>(
    mut rows: Vec<Dated<T>>,
    duplicates: &mut u64,
    merge: impl Fn(&mut T, &T) -> Option<&'static str>,
) -> Result<Vec<Dated<T>>, TapeError> {
    rows.sort_by_key(|row| row.time);
    let mut kept: Vec<Dated<T>> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(last) = kept.last_mut().filter(|last| last.time == row.time) else {
            kept.push(row);
            continue;
        };
        if let Some(what) = merge(&mut last.value, &row.value) {
            let (other, key) = (last.place.clone(), row.time.to_string());
            let (place, field, difference) = (row.place, row.column, what.to_owned());
            return Err(TapeError::Conflict { place, other, field, key, difference });
        }
        *duplicates += 1;
    }
    Ok(kept)
}

/// A fraction such as a rate, from −1 to 1.
pub(super) fn fraction(field: &'static str, text: &[u8]) -> Result<Decimal, Fault> {
    let value = decimal(field, text)?;
    if value.abs() > Decimal::ONE {
        return Err(Fault::of(field, text, "is out of range; a fraction from -1 to 1 is allowed"));
    }
    Ok(value)
}

/// A settlement as recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settled {
    rate: Decimal,
    pub(super) interval_hours: Option<u8>,
    mark_price: Option<Price>,
}

impl Settled {
    /// Takes what only the other record has; tells in what they disagree.
    fn merge(&mut self, other: &Self) -> Option<&'static str> {
        fn join<T: PartialEq + Copy>(mine: &mut Option<T>, other: Option<T>) -> bool {
            let agrees = mine.is_none() || other.is_none() || *mine == other;
            *mine = mine.or(other);
            agrees
        }
        let agreed = [
            ("rate", self.rate == other.rate),
            ("interval", join(&mut self.interval_hours, other.interval_hours)),
            ("mark price", join(&mut self.mark_price, other.mark_price)),
        ];
        agreed.iter().find(|(_, agrees)| !agrees).map(|(what, _)| *what)
    }
}

static FUNDING: Format<5> = Format {
    wanted: [
        required(&["funding_time", "calc_time", "fundingTime"]),
        required(&["funding_rate", "last_funding_rate", "fundingRate"]),
        optional(&["funding_interval_hours"]),
        optional(&["mark_price", "markPrice"]),
        optional(&["symbol"]),
    ],
    layouts: &[
        "calc_time,funding_interval_hours,last_funding_rate",
        "symbol,funding_time,funding_rate",
        "symbol,funding_time,funding_rate,mark_price",
    ],
    fits: |row, columns| instant(text(row, columns, 0)).is_some(),
};

/// Settlements in order of time, which is floored to the second they are nominally due.
pub(super) fn read_funding(
    owner: &Owner,
    files: &[Packed],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<Dated<Settled>>, TapeError> {
    let rows = read_all(files, (&FUNDING, "funding_time"), consumed, |fields, columns| {
        check_owner(fields, columns, 4, owner)?;
        let hours = text(fields, columns, 2);
        let mark = text(fields, columns, 3);
        let mark_price = (!mark.is_empty()).then(|| Price::parse(mark)).transpose();
        let settled = Settled {
            rate: fraction("funding_rate", text(fields, columns, 1))?,
            interval_hours: (!hours.is_empty()).then(|| interval(hours)).transpose()?,
            mark_price: mark_price.map_err(|e| number_fault("mark_price", mark, e))?,
        };
        Ok((time("funding_time", text(fields, columns, 0))?.floor_to(SECOND), settled))
    })?;
    in_order(rows, duplicates, Settled::merge)
}

fn interval(text: &[u8]) -> Result<u8, Fault> {
    let hours = digits(text).and_then(|hours| u8::try_from(hours).ok());
    hours.filter(|hours| (1..=24).contains(hours)).ok_or_else(|| {
        let what = "is no interval; whole hours from 1 to 24 are allowed";
        Fault::of("funding_interval_hours", text, what)
    })
}

/// The symbol column, where there is one, must name the owner.
fn check_owner<const N: usize>(
    fields: &Fields<'_>,
    columns: &Columns<N>,
    at: usize,
    owner: &Owner,
) -> Result<(), Fault> {
    match columns.get(at).copied().flatten() {
        Some(column) => owner.check_symbol(fields.get(column)),
        None => Ok(()),
    }
}

/// When a settlement is known.
pub(super) const fn funding_known_at(settled: &Dated<Settled>) -> Timestamp {
    settled.time.plus(FUNDING_KNOWN)
}

/// The events of settlements: the settlement, then the interval where the file tells it.
pub(super) fn funding_events(
    instrument: InstrumentId,
    settlements: &[Dated<Settled>],
    out: &mut Vec<Event>,
) {
    for row in settlements {
        let (at, funding_time) = (funding_known_at(row), row.time);
        let Settled { rate, interval_hours, mark_price } = row.value;
        let settled = FundingSettled { instrument, funding_time, rate, mark_price };
        out.push(Event { at, kind: EventKind::Funding(settled) });
        if let Some(hours) = interval_hours {
            let value = InputValue::FundingIntervalHours(hours);
            out.push(input(instrument, at, funding_time, value));
        }
    }
}

/// The event of an input.
pub(super) const fn input(
    instrument: InstrumentId,
    at: Timestamp,
    as_of: Timestamp,
    value: InputValue,
) -> Event {
    Event { at, kind: EventKind::Input(Input { instrument, as_of, value }) }
}

static METRICS: Format<5> = Format {
    wanted: [
        required(&["create_time"]),
        required(&["symbol"]),
        required(&["sum_open_interest"]),
        required(&["count_long_short_ratio"]),
        required(&["sum_toptrader_long_short_ratio"]),
    ],
    layouts: &["create_time,symbol,sum_open_interest,sum_open_interest_value,\
                count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,\
                count_long_short_ratio,sum_taker_long_short_vol_ratio"],
    fits: |row, columns| civil_time("create_time", text(row, columns, 0)).is_ok(),
};

/// Open interest and ratios of the metrics archive; an empty field is no input.
pub(super) fn metrics_events(
    owner: &Owner,
    files: &[Packed],
    consumed: &Consumed,
    duplicates: &mut u64,
    out: &mut Vec<Event>,
) -> Result<(), TapeError> {
    let rows = read_all(files, (&METRICS, "create_time"), consumed, |fields, columns| {
        check_owner(fields, columns, 1, owner)?;
        let given = |at| Some(text(fields, columns, at)).filter(|text| !text.is_empty());
        let values = [
            given(2).map(open_interest).transpose()?,
            given(3)
                .map(|t| ratio("count_long_short_ratio", t))
                .transpose()?
                .map(InputValue::LongShortRatio),
            given(4)
                .map(|t| ratio("sum_toptrader_long_short_ratio", t))
                .transpose()?
                .map(InputValue::TopTraderRatio),
        ];
        Ok((civil_time("create_time", text(fields, columns, 0))?, values))
    })?;
    let names = ["open interest", "long/short ratio", "top-trader ratio"];
    let differs = |last: &mut [Option<InputValue>; 3], row: &[Option<InputValue>; 3]| {
        let mut pairs = names.iter().zip(last.iter().zip(row));
        pairs.find(|(_, (last, row))| last != row).map(|(name, _)| *name)
    };
    for row in in_order(rows, duplicates, differs)? {
        let at = row.time.plus(METRICS_KNOWN);
        let values = row.value.into_iter().flatten();
        out.extend(values.map(|value| input(owner.instrument, at, row.time, value)));
    }
    Ok(())
}

fn open_interest(text: &[u8]) -> Result<InputValue, Fault> {
    let value = decimal("sum_open_interest", text)?;
    if value < Decimal::ZERO {
        let what = "is negative; a number from 0 is allowed";
        return Err(Fault::of("sum_open_interest", text, what));
    }
    Ok(InputValue::OpenInterest(value.normalize()))
}
