//! Last price, best prices and the figures of the last day.

use arb_core::Market;

use super::super::super::market::{AssetCursor, Bar, Line};
use super::super::super::text::Text;
use super::{Ask, Refusal, write_all};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

pub(super) fn price(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (places, form) = ask.places()?;
    let lines = places.into_iter().filter_map(|place| ask.market.line(place));
    write_all(out, form, lines, |out, line| {
        let last = line.before(line.id_at(ask.now + 1));
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"price\":").quoted(last.price, line.price_decimals);
        if line.market == Market::Um {
            out.raw(",\"time\":").int(last.at);
        }
        out.raw("}");
    });
    Ok(())
}

pub(super) fn book(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (places, form) = ask.places()?;
    let lines = places.into_iter().filter_map(|place| ask.market.line(place));
    write_all(out, form, lines, |out, line| {
        let top = line.top_at(&mut AssetCursor::default(), ask.now);
        out.raw("{\"symbol\":\"").raw(&line.symbol);
        out.raw("\",\"bidPrice\":").quoted(top.bid.0, line.price_decimals);
        out.raw(",\"bidQty\":").quoted(top.bid.1, line.qty_decimals);
        out.raw(",\"askPrice\":").quoted(top.ask.0, line.price_decimals);
        out.raw(",\"askQty\":").quoted(top.ask.1, line.qty_decimals);
        if line.market == Market::Um {
            out.raw(",\"time\":").int(ask.now).raw(",\"lastUpdateId\":").uint(top.update_id);
        }
        out.raw("}");
    });
    Ok(())
}

pub(super) fn day(ask: &Ask<'_>, out: &mut Text<'_>) -> Result<(), Refusal> {
    let (places, form) = ask.places()?;
    let open = (ask.now - DAY) - (ask.now - DAY).rem_euclid(MINUTE);
    let lines = places.into_iter().filter_map(|place| {
        Some((ask.market.line(place)?, ask.market.bar(place, open, ask.now + 1)?))
    });
    write_all(out, form, lines, |out, (line, bar)| write_day(out, line, (open, ask.now), &bar));
    Ok(())
}

fn write_day(out: &mut Text<'_>, line: &Line, (open, close): (i64, i64), bar: &Bar) {
    let decimals = line.price_decimals;
    out.raw("{\"symbol\":\"").raw(&line.symbol);
    out.raw("\",\"priceChange\":").quoted(bar.close - bar.open, decimals);
    out.raw(",\"priceChangePercent\":").quoted(change_percent(bar), 3);
    out.raw(",\"weightedAvgPrice\":").quoted(average_price(bar), decimals);
    if line.market == Market::Spot {
        let top = line.top_at(&mut AssetCursor::default(), close);
        out.raw(",\"prevClosePrice\":").quoted(bar.open, decimals);
        out.raw(",\"bidPrice\":").quoted(top.bid.0, decimals);
        out.raw(",\"bidQty\":").quoted(top.bid.1, line.qty_decimals);
        out.raw(",\"askPrice\":").quoted(top.ask.0, decimals);
        out.raw(",\"askQty\":").quoted(top.ask.1, line.qty_decimals);
    }
    out.raw(",\"lastPrice\":").quoted(bar.close, decimals);
    out.raw(",\"lastQty\":").quoted(bar.last_qty, line.qty_decimals);
    out.raw(",\"openPrice\":").quoted(bar.open, decimals);
    out.raw(",\"highPrice\":").quoted(bar.high, decimals);
    out.raw(",\"lowPrice\":").quoted(bar.low, decimals);
    out.raw(",\"volume\":").quoted_sum(bar.volume, line.qty_decimals);
    out.raw(",\"quoteVolume\":").quoted_money(bar.quote);
    out.raw(",\"openTime\":").int(open).raw(",\"closeTime\":").int(close);
    out.raw(",\"firstId\":").uint(bar.first).raw(",\"lastId\":").uint(bar.last);
    out.raw(",\"count\":").uint(bar.count()).raw("}");
}

/// Change of the price in percent, 10⁻⁸.
pub(crate) fn change_percent(bar: &Bar) -> i64 {
    let change = i128::from(bar.close - bar.open) * 10_000_000_000;
    i64::try_from(change / i128::from(bar.open.max(1))).unwrap_or_default()
}

/// Money over quantity.
pub(crate) fn average_price(bar: &Bar) -> i64 {
    if bar.volume == 0 {
        return bar.close;
    }
    i64::try_from(bar.quote / bar.volume).unwrap_or_default()
}
