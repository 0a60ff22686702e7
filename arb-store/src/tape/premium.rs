//! The running funding estimate of a recorded market, from its premium-index klines.
//!
//! Formula (Binance, "Introduction to funding rates"): with P the mean of the premium index since
//! the last settlement, the k-th sample weighted k, N hours between settlements and the interest
//! I = 0.01 % per 8 hours,
//!
//! F = (P + clamp(I − P, −0.05 %, 0.05 %)) × N ÷ 8, rounded to 8 decimals half-even.
//!
//! The samples are the closes of the klines. N is what the funding file announced by then, else
//! the time between the last two settlements known by then, else 8. Caps and floors of the
//! symbol, and the few symbols with another interest, are not in the archive and not applied.
//!
//! Invariant: a row is known at its close, the end of its interval, and changes nothing earlier.

use std::sync::Arc;

use arb_core::time::{HOUR, SECOND};
use arb_core::{Decimal, Event, InputValue, InstrumentId, Timestamp};

use super::arbt::{ArbtFile, PremiumRow};
use super::bytes::{Consumed, Packed};
use super::error::TapeError;
use super::inputs::{self, Dated, Settled, funding_known_at};
use super::klines;

const DEFAULT_HOURS: u8 = 8;

/// Closes of the premium index, by the open times that identify them.
pub(super) fn read(
    files: &[Packed],
    tapes: &[Arc<ArbtFile>],
    consumed: &Consumed,
    duplicates: &mut u64,
) -> Result<Vec<PremiumRow>, TapeError> {
    let mut rows =
        inputs::read_all(files, (&klines::FORMAT, "open_time"), consumed, |fields, columns| {
            let kline = klines::parse(fields, columns)?;
            let close = super::table::text(fields, columns, 4);
            let premium = inputs::fraction("close", close)?;
            // The close time is written one unit early, and intervals are whole seconds.
            let known_at = kline.close_time.ceil_to(SECOND);
            Ok((kline.open_time, PremiumRow { open_time: kline.open_time, known_at, premium }))
        })?;
    rows.append(&mut inputs::read_tapes(tapes, consumed, |row: &PremiumRow| *row)?);
    let rows = inputs::in_order(rows, duplicates, |last, row| {
        let same = [("close", last.premium == row.premium), ("close time", last == row)];
        same.iter().find(|(_, same)| !same).map(|(what, _)| *what)
    })?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// Running estimates at the close of each kline.
pub(super) fn events(
    instrument: InstrumentId,
    rows: &[PremiumRow],
    settlements: &[Dated<Settled>],
    out: &mut Vec<Event>,
) {
    let mut intervals = Intervals::new(settlements);
    let mut mean = Mean::default();
    for PremiumRow { open_time, known_at, premium } in rows {
        let hours = intervals.at(*known_at);
        mean.add(open_time.floor_to(i64::from(hours) * HOUR), *premium);
        let value = InputValue::FundingRate(estimate(mean.value(), hours));
        out.push(inputs::input(instrument, *known_at, *known_at, value));
    }
}

fn estimate(premium: Decimal, hours: u8) -> Decimal {
    let interest = Decimal::new(1, 4);
    let band = Decimal::new(5, 4);
    let per_8h = premium + (interest - premium).clamp(-band, band);
    (per_8h * Decimal::from(hours) / Decimal::from(DEFAULT_HOURS)).round_dp(8).normalize()
}

/// Mean of the samples of one funding interval, the k-th weighted k.
#[derive(Debug, Default)]
struct Mean {
    interval_start: Option<Timestamp>,
    count: i64,
    weights: i64,
    sum: Decimal,
}

impl Mean {
    fn add(&mut self, interval_start: Timestamp, sample: Decimal) {
        if self.interval_start != Some(interval_start) {
            *self = Self { interval_start: Some(interval_start), ..Self::default() };
        }
        self.count += 1;
        self.weights += self.count;
        self.sum += sample * Decimal::from(self.count);
    }

    fn value(&self) -> Decimal {
        self.sum.checked_div(Decimal::from(self.weights)).unwrap_or_default()
    }
}

/// Hours between settlements, as known at a time that only moves on.
struct Intervals<'a> {
    unknown: &'a [Dated<Settled>],
    last: Option<Timestamp>,
    hours: u8,
}

impl<'a> Intervals<'a> {
    const fn new(settlements: &'a [Dated<Settled>]) -> Self {
        Self { unknown: settlements, last: None, hours: DEFAULT_HOURS }
    }

    fn at(&mut self, now: Timestamp) -> u8 {
        while let Some((next, later)) =
            self.unknown.split_first().filter(|(next, _)| funding_known_at(next) <= now)
        {
            let between = self.last.map(|last| (next.time.since(last) + HOUR / 2) / HOUR);
            let seen = between.and_then(|hours| u8::try_from(hours.clamp(1, 8)).ok());
            self.hours = next.value.interval_hours.or(seen).unwrap_or(self.hours);
            self.last = Some(next.time);
            self.unknown = later;
        }
        self.hours
    }
}
