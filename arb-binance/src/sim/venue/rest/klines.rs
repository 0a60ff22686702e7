//! Bars of trades, mark price, index price and premium.
//!
//! Invariant: ascending; the last one may be unfinished, as at the venue. Nothing is told of the
//! time before the listing or after now.

use super::super::super::market::{AssetCursor, Bar, Line, bar_around, bar_before};
use super::super::super::text::Text;
use super::route::KlineSource;
use super::{Ask, Form, Host, Refusal, missing, write_all};
use crate::wire::Interval;

/// What a bar of a path has: of its values at whole seconds.
#[derive(Clone, Copy, Debug)]
struct Path {
    open: i64,
    high: i64,
    low: i64,
    close: i64,
}

pub(super) fn klines(
    ask: &Ask<'_>,
    source: KlineSource,
    out: &mut Text<'_>,
) -> Result<(), Refusal> {
    let place = place(ask, source)?;
    let interval = ask.params.text("interval").ok_or_else(|| missing("interval"))?;
    let interval = Interval::parse(interval)
        .filter(|interval| ask.host == Host::Spot || *interval != Interval::S1)
        .ok_or_else(|| Refusal::new(-1_120, "Invalid interval."))?;
    let Some(line) = ask.market.line(place) else { return Ok(()) };
    let opens = opens(ask, interval)?;
    let rows = opens.into_iter().map(|open| (open, bar_around(interval, open).1));
    write_all(out, Form::List, rows, |out, (open, end)| match source {
        KlineSource::Trades | KlineSource::Continuous => {
            if let Some(bar) = ask.market.bar(place, open, end.min(ask.now + 1)) {
                write_bar(out, line, (open, end), &bar);
            }
        }
        KlineSource::Mark | KlineSource::Index | KlineSource::Premium => {
            let last = (end - 1).min(ask.now);
            write_path(out, (open, end), path(line, source, open, last));
        }
    });
    Ok(())
}

fn place(ask: &Ask<'_>, source: KlineSource) -> Result<usize, Refusal> {
    let name = match source {
        KlineSource::Continuous | KlineSource::Index => "pair",
        _ => "symbol",
    };
    let place = ask.place(name)?.ok_or_else(|| missing(name))?;
    if source == KlineSource::Continuous {
        let contract = ask.params.text("contractType").ok_or_else(|| missing("contractType"))?;
        if contract != "PERPETUAL" {
            return Err(Refusal::new(-1_116, "Invalid contractType."));
        }
    }
    Ok(place)
}

/// Where the asked bars begin.
fn opens(ask: &Ask<'_>, interval: Interval) -> Result<Vec<i64>, Refusal> {
    let limit = match ask.host {
        Host::Futures => ask.params.limit(500, 1_500)?,
        Host::Spot => ask.params.clamped_limit(500, 1_000)?,
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let (start, end) = (ask.time("startTime")?, ask.time("endTime")?);
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(Refusal::new(-1_023, "Start time is greater than end time."));
    }
    let (first, last) = (ask.market.listed_at(), end.unwrap_or(ask.now).min(ask.now));
    let mut opens = Vec::new();
    if let Some(start) = start {
        let from = start.max(first);
        let (open, next) = bar_around(interval, from);
        let mut open = if open < from { next } else { open };
        while open <= last && opens.len() < limit {
            opens.push(open);
            open = bar_around(interval, open).1;
        }
        return Ok(opens);
    }
    let mut open = bar_around(interval, last).0;
    while open >= first && opens.len() < limit {
        opens.push(open);
        open = bar_before(interval, open);
    }
    opens.reverse();
    Ok(opens)
}

fn write_bar(out: &mut Text<'_>, line: &Line, (open, end): (i64, i64), bar: &Bar) {
    out.raw("[").int(open);
    for price in [bar.open, bar.high, bar.low, bar.close] {
        out.raw(",").quoted(price, line.price_decimals);
    }
    out.raw(",").quoted_sum(bar.volume, line.qty_decimals).raw(",").int(end - 1);
    out.raw(",").quoted_money(bar.quote).raw(",").uint(bar.count());
    out.raw(",").quoted_sum(bar.bought, line.qty_decimals);
    out.raw(",").quoted_money(bar.quote_bought).raw(",\"0\"]");
}

fn write_path(out: &mut Text<'_>, (open, end): (i64, i64), path: Path) {
    out.raw("[").int(open);
    for value in [path.open, path.high, path.low, path.close] {
        out.raw(",").quoted(value, 8);
    }
    out.raw(",\"0\",").int(end - 1);
    out.raw(",\"0\",").int((end - open) / 1_000).raw(",\"0\",\"0\",\"0\"]");
}

/// The extremes of what the mark stream tells each second.
fn path(line: &Line, source: KlineSource, from: i64, last: i64) -> Path {
    let mut cursor = AssetCursor::default();
    let mut value = |second: i64| {
        let at = second * 1_000;
        match source {
            KlineSource::Index => line.index_and_mark_near(&mut cursor, at).0,
            KlineSource::Premium => line.premium_index(at),
            _ => line.index_and_mark_near(&mut cursor, at).1,
        }
    };
    let first = value(from.div_euclid(1_000));
    let mut path = Path { open: first, high: first, low: first, close: first };
    for second in from.div_euclid(1_000) + 1..=last.div_euclid(1_000) {
        let value = value(second);
        path.high = path.high.max(value);
        path.low = path.low.min(value);
        path.close = value;
    }
    path
}
