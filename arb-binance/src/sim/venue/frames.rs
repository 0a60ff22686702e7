//! Payloads of stream frames.
//!
//! Invariant: keys and their order are those the venue sends today (with `nq`, `ap`, `st`).

use arb_core::Market;

use super::super::market::{Bar, Depth, Line, Print, Top};
use super::super::text::{Flag, Text};
use super::rest::{average_price, change_percent, write_levels};
use super::streams::KlineForm;
use crate::wire::Interval;

/// The end of a record: USDⓈ-M names its product.
fn end(out: &mut Text<'_>, line: &Line) {
    out.raw(if line.market == Market::Um { ",\"st\":1}" } else { "}" });
}

pub(super) fn agg_trade(out: &mut Text<'_>, line: &Line, print: &Print, now: i64) {
    out.raw("{\"e\":\"aggTrade\",\"E\":").int(now);
    let futures = line.market == Market::Um;
    if futures {
        out.raw(",\"a\":").uint(print.id).raw(",\"s\":\"").raw(&line.symbol);
    } else {
        out.raw(",\"s\":\"").raw(&line.symbol).raw("\",\"a\":").uint(print.id);
    }
    out.raw(if futures { "\",\"p\":" } else { ",\"p\":" });
    out.quoted(print.price, line.price_decimals);
    out.raw(",\"q\":").quoted(print.qty, line.qty_decimals);
    if futures {
        out.raw(",\"nq\":").quoted(print.qty, line.qty_decimals);
    }
    out.raw(",\"f\":").uint(print.first).raw(",\"l\":").uint(print.last);
    out.raw(",\"T\":").int(print.at).raw(",\"m\":").flag(Flag(print.taker_sold));
    out.raw(if futures { ",\"st\":1}" } else { ",\"M\":true}" });
}

/// One single trade inside an aggregate one.
pub(super) fn trade(
    out: &mut Text<'_>,
    line: &Line,
    print: &Print,
    (id, qty): (u64, i64),
    now: i64,
) {
    out.raw("{\"e\":\"trade\",\"E\":").int(now);
    if line.market == Market::Um {
        out.raw(",\"T\":").int(print.at);
    }
    out.raw(",\"s\":\"").raw(&line.symbol).raw("\",\"t\":").uint(id);
    out.raw(",\"p\":").quoted(print.price, line.price_decimals);
    out.raw(",\"q\":").quoted(qty, line.qty_decimals);
    if line.market == Market::Um {
        out.raw(",\"X\":\"MARKET\",\"m\":").flag(Flag(print.taker_sold)).raw(",\"st\":1}");
    } else {
        out.raw(",\"T\":").int(print.at).raw(",\"m\":").flag(Flag(print.taker_sold));
        out.raw(",\"M\":true}");
    }
}

pub(super) fn quote(out: &mut Text<'_>, line: &Line, top: &Top, (at, now): (i64, i64)) {
    let futures = line.market == Market::Um;
    out.raw(if futures { "{\"e\":\"bookTicker\",\"u\":" } else { "{\"u\":" });
    out.uint(top.update_id).raw(",\"s\":\"").raw(&line.symbol);
    out.raw("\",\"b\":").quoted(top.bid.0, line.price_decimals);
    out.raw(",\"B\":").quoted(top.bid.1, line.qty_decimals);
    out.raw(",\"a\":").quoted(top.ask.0, line.price_decimals);
    out.raw(",\"A\":").quoted(top.ask.1, line.qty_decimals);
    if futures {
        out.raw(",\"T\":").int(at).raw(",\"E\":").int(now);
    }
    end(out, line);
}

/// Changes since the update `previous`.
pub(super) fn depth_update(
    out: &mut Text<'_>,
    line: &Line,
    depth: &Depth,
    previous: u64,
    now: i64,
) {
    let futures = line.market == Market::Um;
    out.raw("{\"e\":\"depthUpdate\",\"E\":").int(now);
    if futures {
        out.raw(",\"T\":").int(depth.at);
    }
    out.raw(",\"s\":\"").raw(&line.symbol).raw("\",\"U\":").uint(previous + 1);
    out.raw(",\"u\":").uint(depth.update_id);
    if futures {
        out.raw(",\"pu\":").uint(previous);
    }
    out.raw(",\"b\":");
    write_levels(out, line, &depth.bids);
    out.raw(",\"a\":");
    write_levels(out, line, &depth.asks);
    end(out, line);
}

/// The top levels on spot, which have another shape than changes.
pub(super) fn spot_top_levels(out: &mut Text<'_>, line: &Line, depth: &Depth) {
    out.raw("{\"lastUpdateId\":").uint(depth.update_id).raw(",\"bids\":");
    write_levels(out, line, &depth.bids);
    out.raw(",\"asks\":");
    write_levels(out, line, &depth.asks);
    out.raw("}");
}

/// Index and mark price with the running rate.
pub(super) fn mark(
    out: &mut Text<'_>,
    line: &Line,
    (index, mark, rate): (i64, i64, i64),
    now: i64,
) {
    out.raw("{\"e\":\"markPriceUpdate\",\"E\":").int(now).raw(",\"s\":\"").raw(&line.symbol);
    out.raw("\",\"p\":").quoted(mark, 8).raw(",\"ap\":").quoted(mark, 8);
    out.raw(",\"P\":").quoted(index, 8).raw(",\"i\":").quoted(index, 8);
    out.raw(",\"r\":").quoted(rate, 8).raw(",\"T\":").int(line.next_settlement(now));
    end(out, line);
}

pub(super) fn liquidation(out: &mut Text<'_>, line: &Line, print: &Print, now: i64) {
    // The order's price is the bankruptcy price, half a percent beyond the fill.
    let worse = print.price / 200 / line.tick * line.tick;
    let price = if print.taker_sold { print.price - worse } else { print.price + worse };
    out.raw("{\"e\":\"forceOrder\",\"E\":").int(now).raw(",\"o\":{\"s\":\"").raw(&line.symbol);
    out.raw(if print.taker_sold { "\",\"S\":\"SELL\"" } else { "\",\"S\":\"BUY\"" });
    out.raw(",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":").quoted(print.qty, line.qty_decimals);
    out.raw(",\"p\":").quoted(price, line.price_decimals);
    out.raw(",\"ap\":").quoted(print.price, line.price_decimals);
    out.raw(",\"X\":\"FILLED\",\"l\":").quoted(print.qty, line.qty_decimals);
    out.raw(",\"z\":").quoted(print.qty, line.qty_decimals);
    out.raw(",\"T\":").int(print.at).raw(",\"ps\":\"").raw(&line.symbol).raw("\",\"st\":1}}");
}

/// A bar's name and place.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarSpan {
    pub(super) interval: Interval,
    pub(super) form: KlineForm,
    pub(super) open: i64,
    pub(super) end: i64,
    pub(super) closed: bool,
}

pub(super) fn kline(out: &mut Text<'_>, line: &Line, span: &BarSpan, bar: &Bar, now: i64) {
    match span.form {
        KlineForm::OfSymbol => {
            out.raw("{\"e\":\"kline\",\"E\":").int(now).raw(",\"s\":\"").raw(&line.symbol);
            out.raw("\",\"k\":{\"t\":").int(span.open).raw(",\"T\":").int(span.end - 1);
            out.raw(",\"s\":\"").raw(&line.symbol).raw("\"");
        }
        KlineForm::Continuous => {
            out.raw("{\"e\":\"continuous_kline\",\"E\":").int(now);
            out.raw(",\"ps\":\"").raw(&line.symbol).raw("\",\"ct\":\"PERPETUAL\"");
            out.raw(",\"k\":{\"t\":").int(span.open).raw(",\"T\":").int(span.end - 1);
        }
    }
    out.raw(",\"i\":\"").raw(span.interval.as_str()).raw("\",\"f\":").uint(bar.first);
    out.raw(",\"L\":").uint(bar.last).raw(",\"o\":").quoted(bar.open, line.price_decimals);
    out.raw(",\"c\":").quoted(bar.close, line.price_decimals);
    out.raw(",\"h\":").quoted(bar.high, line.price_decimals);
    out.raw(",\"l\":").quoted(bar.low, line.price_decimals);
    out.raw(",\"v\":").quoted_sum(bar.volume, line.qty_decimals);
    out.raw(",\"n\":").uint(bar.count()).raw(",\"x\":").flag(Flag(span.closed));
    out.raw(",\"q\":").quoted_money(bar.quote);
    out.raw(",\"V\":").quoted_sum(bar.bought, line.qty_decimals);
    out.raw(",\"Q\":").quoted_money(bar.quote_bought).raw(",\"B\":\"0\"}");
    end(out, line);
}

pub(super) fn mini_ticker(out: &mut Text<'_>, line: &Line, bar: &Bar, now: i64) {
    let decimals = line.price_decimals;
    out.raw("{\"e\":\"24hrMiniTicker\",\"E\":").int(now).raw(",\"s\":\"").raw(&line.symbol);
    out.raw("\",\"c\":").quoted(bar.close, decimals).raw(",\"o\":").quoted(bar.open, decimals);
    out.raw(",\"h\":").quoted(bar.high, decimals).raw(",\"l\":").quoted(bar.low, decimals);
    out.raw(",\"v\":").quoted_sum(bar.volume, line.qty_decimals);
    out.raw(",\"q\":").quoted_money(bar.quote);
    end(out, line);
}

/// The figures of the last day since `open`.
pub(super) fn ticker(
    out: &mut Text<'_>,
    line: &Line,
    bar: &Bar,
    top: Option<&Top>,
    (open, now): (i64, i64),
) {
    let (price, qty) = (line.price_decimals, line.qty_decimals);
    out.raw("{\"e\":\"24hrTicker\",\"E\":").int(now).raw(",\"s\":\"").raw(&line.symbol);
    out.raw("\",\"p\":").quoted(bar.close - bar.open, price);
    out.raw(",\"P\":").quoted(change_percent(bar), 3);
    out.raw(",\"w\":").quoted(average_price(bar), price);
    if let Some(top) = top {
        out.raw(",\"x\":").quoted(bar.open, price);
        out.raw(",\"b\":").quoted(top.bid.0, price).raw(",\"B\":").quoted(top.bid.1, qty);
        out.raw(",\"a\":").quoted(top.ask.0, price).raw(",\"A\":").quoted(top.ask.1, qty);
    }
    out.raw(",\"c\":").quoted(bar.close, price).raw(",\"Q\":").quoted(bar.last_qty, qty);
    out.raw(",\"o\":").quoted(bar.open, price).raw(",\"h\":").quoted(bar.high, price);
    out.raw(",\"l\":").quoted(bar.low, price).raw(",\"v\":").quoted_sum(bar.volume, qty);
    out.raw(",\"q\":").quoted_money(bar.quote).raw(",\"O\":").int(open).raw(",\"C\":").int(now);
    out.raw(",\"F\":").uint(bar.first).raw(",\"L\":").uint(bar.last);
    out.raw(",\"n\":").uint(bar.count());
    end(out, line);
}
