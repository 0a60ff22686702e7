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

use super::arbt::{ArbtFile, FundingRow, MetricsRow, Row};
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

/// All rows of a table of the tapes.
pub(super) fn read_tapes<R: Row, T>(
    tapes: &[Arc<ArbtFile>],
    consumed: &Consumed,
    value: impl Fn(&R) -> T,
) -> Result<Vec<Dated<T>>, TapeError> {
    let mut all = Vec::new();
    for tape in tapes {
        for (line, row) in (1..).zip(tape.rows::<R>(consumed)?) {
            let place = Place { file: Arc::clone(tape.name()), line };
            let column = R::TABLE.as_str().into();
            all.push(Dated { time: row.at(), value: value(&row), place, column });
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

impl Dated<Settled> {
    /// The settlement as a tape keeps it.
    pub(super) const fn row(&self) -> FundingRow {
        let Settled { rate, interval_hours, mark_price } = self.value;
        FundingRow { time: self.time, rate, interval_hours, mark_price }
    }
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

pub(super) static FUNDING: Format<5> = Format {
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
    tapes: &[Arc<ArbtFile>],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<Dated<Settled>>, TapeError> {
    let mut rows = read_all(files, (&FUNDING, "funding_time"), consumed, |fields, columns| {
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
    rows.append(&mut read_tapes(tapes, consumed, |row: &FundingRow| Settled {
        rate: row.rate,
        interval_hours: row.interval_hours,
        mark_price: row.mark_price,
    })?);
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
pub(super) fn check_owner<const N: usize>(
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

pub(super) static METRICS: Format<5> = Format {
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

/// Open interest and ratios, by time; an empty field is no input.
pub(super) fn read_metrics(
    owner: &Owner,
    files: &[Packed],
    tapes: &[Arc<ArbtFile>],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<MetricsRow>, TapeError> {
    let mut rows = read_all(files, (&METRICS, "create_time"), consumed, |fields, columns| {
        check_owner(fields, columns, 1, owner)?;
        let given = |at| Some(text(fields, columns, at)).filter(|text| !text.is_empty());
        let all = given(3).map(|text| ratio("count_long_short_ratio", text));
        let top = given(4).map(|text| ratio("sum_toptrader_long_short_ratio", text));
        let row = MetricsRow {
            time: civil_time("create_time", text(fields, columns, 0))?,
            open_interest: given(2).map(open_interest).transpose()?,
            long_short_ratio: all.transpose()?,
            top_trader_ratio: top.transpose()?,
        };
        Ok((row.time, row))
    })?;
    rows.append(&mut read_tapes(tapes, consumed, |row: &MetricsRow| *row)?);
    let rows = in_order(rows, duplicates, |last, row| {
        let same = [
            ("open interest", last.open_interest == row.open_interest),
            ("long/short ratio", last.long_short_ratio == row.long_short_ratio),
            ("top-trader ratio", last.top_trader_ratio == row.top_trader_ratio),
        ];
        same.iter().find(|(_, same)| !same).map(|(name, _)| *name)
    })?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// When the metrics of a time are known to anybody.
#[must_use]
pub const fn metrics_known_at(time: Timestamp) -> Timestamp {
    time.plus(METRICS_KNOWN)
}

/// The events of metrics, once they were published.
pub(super) fn metrics_events(instrument: InstrumentId, rows: &[MetricsRow], out: &mut Vec<Event>) {
    for row in rows {
        let at = metrics_known_at(row.time);
        let values = [
            row.open_interest.map(InputValue::OpenInterest),
            row.long_short_ratio.map(InputValue::LongShortRatio),
            row.top_trader_ratio.map(InputValue::TopTraderRatio),
        ];
        let values = values.into_iter().flatten();
        out.extend(values.map(|value| input(instrument, at, row.time, value)));
    }
}

fn open_interest(text: &[u8]) -> Result<Decimal, Fault> {
    let value = decimal("sum_open_interest", text)?;
    if value < Decimal::ZERO {
        let what = "is negative; a number from 0 is allowed";
        return Err(Fault::of("sum_open_interest", text, what));
    }
    Ok(value.normalize())
}
