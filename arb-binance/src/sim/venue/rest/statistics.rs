//! Open interest and ratios.
//!
//! Invariant: one row per period, ascending, of the last thirty days at most; the newest ratio
//! comes two minutes after its time, as it does late at the venue.

use super::super::super::market::{Line, ONE, RatioKind, bar_around, bar_before};
use super::super::super::text::Text;
use super::{Ask, Form, Refusal, missing, write_all};
use crate::wire::Interval;

const KEPT: i64 = 30 * 86_400_000;
/// How late a ratio is published, milliseconds.
const LATE: i64 = 120_000;

pub(super) fn open_interest(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let place = ask.symbol()?;
    let Some(line) = ask.market.line(place) else { return Ok(()) };
    out.raw("{\"symbol\":\"").raw(&line.symbol);
    out.raw("\",\"openInterest\":").quoted(line.open_interest(ask.now), line.qty_decimals);
    out.raw(",\"time\":").int(ask.now - ask.now.rem_euclid(1_000)).raw("}");
    Ok(())
}

pub(super) fn open_interest_history(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (line, times, _) = periods(ask, 0)?;
    write_all(out, Form::List, times, |out, at| {
        let (_, mark) = line.index_and_mark(at);
        let contracts = line.open_interest(at);
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"sumOpenInterest\":").quoted(contracts, 8);
        out.raw(",\"sumOpenInterestValue\":");
        out.quoted_money(i128::from(contracts) * i128::from(mark));
        out.raw(",\"CMCCirculatingSupply\":").quoted(contracts.saturating_mul(40), 8);
        out.raw(",\"timestamp\":").int(at).raw("}");
    });
    Ok(())
}

pub(super) fn ratio(ask: &Ask<'_>, kind: RatioKind, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (line, times, _) = periods(ask, LATE)?;
    write_all(out, Form::List, times, |out, at| {
        let long = line.long_share(kind, at);
        let share = |share: i64| share * 10_000 / ONE * 10_000;
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"longAccount\":").quoted(share(long), 4);
        out.raw(",\"longShortRatio\":").quoted(quotient(long.into(), (ONE - long).into()), 4);
        out.raw(",\"shortAccount\":").quoted(100_000_000 - share(long), 4);
        out.raw(",\"timestamp\":").int(at).raw("}");
    });
    Ok(())
}

/// Bought and sold by takers in each period; a period is told once it is over.
pub(super) fn taker_ratio(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (line, times, interval) = periods(ask, LATE)?;
    let place = ask.symbol()?;
    let times = times.into_iter().map(|at| bar_around(interval, at));
    let finished = times.filter(|(_, end)| *end <= ask.now);
    write_all(out, Form::List, finished, |out, (at, end)| {
        let bar = ask.market.bar(place, at, end);
        let (bought, volume) = bar.map_or((0, 0), |bar| (bar.bought, bar.volume));
        out.raw("{\"buySellRatio\":").quoted(quotient(bought, volume - bought), 4);
        out.raw(",\"sellVol\":").quoted_sum(volume - bought, line.qty_decimals);
        out.raw(",\"buyVol\":").quoted_sum(bought, line.qty_decimals);
        out.raw(",\"timestamp\":").int(at).raw("}");
    });
    Ok(())
}

pub(super) fn basis(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let contract = ask.params.text("contractType").ok_or_else(|| missing("contractType"))?;
    if contract != "PERPETUAL" {
        return Err(Refusal::new(-1_116, "Invalid contractType."));
    }
    let (line, times, _) = periods(ask, LATE)?;
    write_all(out, Form::List, times, |out, at| {
        let (index, mark) = line.index_and_mark(at);
        let rate = i64::try_from(i128::from(mark - index) * 100_000_000 / i128::from(index.max(1)));
        out.raw("{\"indexPrice\":").quoted(index, 8);
        out.raw(",\"contractType\":\"PERPETUAL\",\"basisRate\":");
        out.quoted(rate.unwrap_or_default(), 4).raw(",\"futuresPrice\":").quoted(mark, 8);
        out.raw(",\"annualizedBasisRate\":\"\",\"basis\":").quoted(mark - index, 8);
        out.raw(",\"pair\":\"").raw(&line.symbol).raw("\",\"timestamp\":").int(at).raw("}");
    });
    Ok(())
}

/// A quotient of 10⁻⁸; one where nothing is below.
fn quotient(upper: i128, lower: i128) -> i64 {
    if lower <= 0 {
        return 100_000_000;
    }
    i64::try_from(upper * 100_000_000 / lower).unwrap_or(i64::MAX)
}

/// The line and the boundaries that were asked for.
fn periods<'a>(ask: &Ask<'a>, late: i64) -> Result<(&'a Line, Vec<i64>, Interval), Refusal> {
    let name = if ask.params.text("pair").is_some() { "pair" } else { "symbol" };
    let place = ask.place(name)?.ok_or_else(|| missing(name))?;
    let period = ask.params.text("period").ok_or_else(|| missing("period"))?;
    let known = ["5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"].contains(&period);
    let interval = Interval::parse(period)
        .filter(|_| known)
        .ok_or_else(|| Refusal::new(-1_130, "Data sent for parameter 'period' is not valid."))?;
    let limit = usize::try_from(ask.params.limit(30, 500)?).unwrap_or_default();
    let oldest = (ask.now - KEPT).max(ask.market.listed_at());
    let newest = ask.now - late;
    let (start, end) = (ask.time("startTime")?, ask.time("endTime")?);
    if start.is_some_and(|start| start < ask.now - KEPT) {
        return Err(Refusal::new(-1_130, "parameter 'startTime' is invalid."));
    }
    let last = end.unwrap_or(newest).min(newest);
    let first = start.unwrap_or(oldest).max(oldest);
    let mut times = Vec::new();
    let mut at = bar_around(interval, last).0;
    while at >= first && times.len() < limit {
        times.push(at);
        at = bar_before(interval, at);
    }
    times.reverse();
    let line = ask.market.line(place).ok_or_else(|| missing(name))?;
    Ok((line, times, interval))
}
