//! Trades and the order book.
//!
//! Invariant: only trades up to now are told, ids ascend without a hole, and a page by id meets
//! what the streams sent.

use arb_core::Market;

use super::super::super::market::{Line, Print};
use super::super::super::text::{Flag, Text};
use super::{Ask, Form, Host, Refusal, write_all};

const HOUR: i64 = 3_600_000;

pub(super) fn agg_trades(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let place = ask.symbol()?;
    let Some(line) = ask.market.line(place) else { return Ok(()) };
    let limit = ask.params.clamped_limit(500, 1_000)?;
    let (from_id, start, end) =
        (ask.params.number("fromId")?, ask.time("startTime")?, ask.time("endTime")?);
    if from_id.is_some() && (start.is_some() || end.is_some()) {
        return Err(Refusal::new(-1_128, "Combination of optional parameters invalid."));
    }
    check_span(ask.host, start, end)?;
    let last = end.unwrap_or(ask.now).min(ask.now);
    let first_id = line.id_at(ask.market.listed_at());
    let from = match (from_id, start) {
        (Some(id), _) => id.cast_unsigned().max(first_id),
        (None, Some(start)) => line.id_at(start.max(ask.market.listed_at())),
        // The latest: so many before the first one that is still to come.
        (None, None) => line.id_at(last + 1).saturating_sub(limit.cast_unsigned()).max(first_id),
    };
    let mut flow = line.flow_from(from);
    let prints = (0..limit).map(|_| line.next_print(&mut flow)).take_while(|p| p.at <= last);
    write_all(out, Form::List, prints, |out, print| write_agg_trade(out, line, print));
    Ok(())
}

fn check_span(host: Host, start: Option<i64>, end: Option<i64>) -> Result<(), Refusal> {
    let (Some(start), Some(end)) = (start, end) else { return Ok(()) };
    if start > end {
        return Err(Refusal::new(-1_023, "Start time is greater than end time."));
    }
    if host == Host::Futures && end - start > HOUR {
        return Err(Refusal::new(-1_127, "More than 1 hours between startTime and endTime."));
    }
    Ok(())
}

fn write_agg_trade(out: &mut Text<'_>, line: &Line, print: Print) {
    out.raw("{\"a\":").uint(print.id);
    out.raw(",\"p\":").quoted(print.price, line.price_decimals);
    out.raw(",\"q\":").quoted(print.qty, line.qty_decimals);
    if line.market == Market::Um {
        out.raw(",\"nq\":").quoted(print.qty, line.qty_decimals);
    }
    out.raw(",\"f\":").uint(print.first).raw(",\"l\":").uint(print.last);
    out.raw(",\"T\":").int(print.at).raw(",\"m\":").flag(Flag(print.taker_sold));
    out.raw(if line.market == Market::Spot { ",\"M\":true}" } else { "}" });
}

/// The latest single trades.
pub(super) fn trades(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let place = ask.symbol()?;
    let Some(line) = ask.market.line(place) else { return Ok(()) };
    let limit = ask.params.clamped_limit(500, 1_000)?;
    let next = line.id_at(ask.now + 1);
    let mut flow = line.flow_from(next.saturating_sub(limit.cast_unsigned()));
    let mut rows = Vec::new();
    loop {
        let print = line.next_print(&mut flow);
        if print.id >= next || print.at > ask.now {
            break;
        }
        rows.extend(print.fills().map(|(id, qty)| (id, qty, print)));
    }
    let skipped = rows.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    write_all(out, Form::List, rows.into_iter().skip(skipped), |out, (id, qty, print)| {
        let money = i128::from(print.price) * i128::from(qty);
        out.raw("{\"id\":").uint(id).raw(",\"price\":").quoted(print.price, line.price_decimals);
        out.raw(",\"qty\":").quoted(qty, line.qty_decimals);
        out.raw(",\"quoteQty\":").quoted_money(money);
        out.raw(",\"time\":").int(print.at).raw(",\"isBuyerMaker\":").flag(Flag(print.taker_sold));
        out.raw(match line.market {
            Market::Spot => ",\"isBestMatch\":true}",
            _ => ",\"isRPITrade\":false}",
        });
    });
    Ok(())
}

pub(super) fn depth(ask: &Ask<'_>, at: i64, out: &mut Text<'_>) -> Result<(), Refusal> {
    let place = ask.symbol()?;
    let Some(line) = ask.market.line(place) else { return Ok(()) };
    let limit = match ask.host {
        Host::Futures => {
            let limit = ask.params.number("limit")?.unwrap_or(500);
            if ![5, 10, 20, 50, 100, 500, 1_000].contains(&limit) {
                return Err(Refusal::new(-4_021, format!("'{limit}' is not valid depth limit.")));
            }
            limit
        }
        Host::Spot => ask.params.clamped_limit(100, 5_000)?,
    };
    let depth = line.depth(at, limit);
    out.raw("{\"lastUpdateId\":").uint(depth.update_id);
    if ask.host == Host::Futures {
        out.raw(",\"E\":").int(depth.sent_at).raw(",\"T\":").int(depth.at);
    }
    for (name, levels) in [(",\"bids\":", &depth.bids), (",\"asks\":", &depth.asks)] {
        out.raw(name);
        write_levels(out, line, levels);
    }
    out.raw("}");
    Ok(())
}

/// `[["price","qty"],…]`.
pub(crate) fn write_levels(out: &mut Text<'_>, line: &Line, levels: &[(i64, i64)]) {
    write_all(out, Form::List, levels, |out, (price, qty)| {
        out.raw("[").quoted(*price, line.price_decimals);
        out.raw(",").quoted(*qty, line.qty_decimals).raw("]");
    });
}
