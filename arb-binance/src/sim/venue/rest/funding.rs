//! Mark price, the running rate and settled funding.
//!
//! Invariant: the running rate is what the mark stream tells in the same second, and a settled one
//! is told once its settlement is over.

use arb_core::Market;

use super::super::super::market::{Line, SimMarket};
use super::super::super::text::Text;
use super::{Ask, Form, Refusal, write_all};

const HOUR: i64 = 3_600_000;

pub(super) fn premium_index(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (places, form) = ask.places()?;
    let lines = places.into_iter().filter_map(|place| ask.market.line(place));
    write_all(out, form, lines, |out, line| {
        let (index, mark) = line.index_and_mark(ask.now);
        let interest = 10_000 * line.funding_hours / 8;
        out.raw("{\"symbol\":\"").raw(&line.symbol).raw("\",\"markPrice\":").quoted(mark, 8);
        out.raw(",\"indexPrice\":").quoted(index, 8);
        out.raw(",\"estimatedSettlePrice\":").quoted(index, 8);
        out.raw(",\"lastFundingRate\":").quoted(line.funding_estimate(ask.now), 8);
        out.raw(",\"interestRate\":").quoted(interest, 8);
        out.raw(",\"nextFundingTime\":").int(line.next_settlement(ask.now));
        out.raw(",\"time\":").int(ask.now - ask.now.rem_euclid(1_000)).raw("}");
    });
    Ok(())
}

pub(super) fn funding_rate(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let places = ask.places()?.0;
    let limit = usize::try_from(ask.params.clamped_limit(100, 1_000)?).unwrap_or_default();
    let (start, end) = (ask.time("startTime")?, ask.time("endTime")?);
    let last = end.unwrap_or(ask.now).min(ask.now);
    let first = start.unwrap_or_default().max(ask.market.listed_at());
    let mut rows = Vec::new();
    // Settlements lie on whole hours; those of one hour belong to several symbols.
    let (first_hour, last_hour) = (-((-first).div_euclid(HOUR)), last.div_euclid(HOUR));
    let settled = |hour: i64| settled_at(ask.market, &places, hour * HOUR, last);
    if start.is_some() {
        for hour in first_hour..=last_hour {
            rows.extend(settled(hour));
            if rows.len() >= limit {
                break;
            }
        }
        rows.truncate(limit);
    } else {
        for hour in (first_hour..=last_hour).rev() {
            rows.extend(settled(hour).into_iter().rev());
            if rows.len() >= limit {
                break;
            }
        }
        rows.truncate(limit);
        rows.reverse();
    }
    write_all(out, Form::List, rows, |out, (line, at)| {
        let settlement = line.settlement(at);
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"fundingTime\":").int(settlement.told_at);
        out.raw(",\"fundingRate\":").quoted(settlement.rate, 8);
        out.raw(",\"markPrice\":").quoted(settlement.mark, 8).raw("}");
    });
    Ok(())
}

/// The lines that settled at an hour, as far as it was told until then.
fn settled_at<'a>(
    market: &'a SimMarket,
    places: &[usize],
    at: i64,
    until: i64,
) -> Vec<(&'a Line, i64)> {
    let lines = places.iter().filter_map(|place| market.line(*place));
    lines
        .filter(|line| at.rem_euclid(line.funding_hours * HOUR) == 0)
        .filter(|line| line.told_settlement_at(at) <= until)
        .map(|line| (line, at))
        .collect()
}

/// Only symbols whose terms differ from the usual.
pub(super) fn funding_info(ask: &Ask<'_>, out: &mut Text<'_>) {
    let adjusted = |line: &&Line| line.market == Market::Um && line.funding_hours != 8;
    write_all(out, Form::List, ask.market.lines().iter().filter(adjusted), |out, line| {
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"adjustedFundingRateCap\":").quoted(line.funding_cap(), 8);
        out.raw(",\"adjustedFundingRateFloor\":").quoted(-line.funding_cap(), 8);
        out.raw(",\"fundingIntervalHours\":").int(line.funding_hours);
        out.raw(",\"disclaimer\":false}");
    });
}
