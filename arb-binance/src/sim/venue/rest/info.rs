//! What is listed, with filters and limits.
//!
//! Invariant: tick, lot and minimum of the filters are those the prices and quantities of all
//! other answers keep.

use arb_core::Market;

use super::super::super::market::Line;
use super::super::super::text::Text;
use super::super::limits::VenueLimits;
use super::{Ask, Form, Host, Refusal, write_all};

const ONE: i64 = 100_000_000;

pub(super) fn exchange_info(
    ask: &Ask<'_>,
    limits: &VenueLimits,
    out: &mut Text<'_>,
) -> Result<(), Refusal> {
    let places = ask.places()?.0;
    let lines = places.into_iter().filter_map(|place| ask.market.line(place));
    out.raw("{\"timezone\":\"UTC\",\"serverTime\":").int(ask.now);
    match ask.host {
        Host::Futures => {
            out.raw(",\"futuresType\":\"U_MARGINED\",\"rateLimits\":[");
            limit(out, "REQUEST_WEIGHT", ("MINUTE", 1), limits.futures_weight).raw(",");
            limit(out, "ORDERS", ("MINUTE", 1), 1_200).raw(",");
            limit(out, "ORDERS", ("SECOND", 10), 300);
            out.raw("],\"exchangeFilters\":[],\"assets\":[");
            out.raw(
                "{\"asset\":\"USDT\",\"marginAvailable\":true,\"autoAssetExchange\":\"-10000\"},",
            );
            out.raw(
                "{\"asset\":\"USDC\",\"marginAvailable\":true,\"autoAssetExchange\":\"-10000\"},",
            );
            out.raw("{\"asset\":\"BNB\",\"marginAvailable\":true,\"autoAssetExchange\":\"-10\"}");
            out.raw("],\"symbols\":");
            let listed_at = ask.market.listed_at();
            write_all(out, Form::List, lines, |out, line| perpetual(out, line, listed_at));
        }
        Host::Spot => {
            out.raw(",\"rateLimits\":[");
            limit(out, "REQUEST_WEIGHT", ("MINUTE", 1), limits.spot_weight).raw(",");
            limit(out, "ORDERS", ("SECOND", 10), 100).raw(",");
            limit(out, "ORDERS", ("DAY", 1), 200_000).raw(",");
            limit(out, "RAW_REQUESTS", ("MINUTE", 5), 61_000);
            out.raw("],\"exchangeFilters\":[],\"symbols\":");
            write_all(out, Form::List, lines, pair);
        }
    }
    out.raw("}");
    Ok(())
}

fn limit<'t, 'b>(
    out: &'t mut Text<'b>,
    kind: &str,
    (interval, number): (&str, u32),
    limit: u32,
) -> &'t mut Text<'b> {
    out.raw("{\"rateLimitType\":\"").raw(kind).raw("\",\"interval\":\"").raw(interval);
    out.raw("\",\"intervalNum\":").uint(number.into());
    out.raw(",\"limit\":").uint(limit.into()).raw("}")
}

/// A price a thousand times below or above the usual one, whole ticks.
fn bounds(line: &Line) -> (i64, i64) {
    let lowest = (line.price / 1_000 / line.tick).max(1) * line.tick;
    (lowest, line.price.saturating_mul(100) / line.tick * line.tick)
}

/// Lots worth about so many quote units.
fn worth(line: &Line, notional: i64) -> i64 {
    let qty = i128::from(notional) * i128::from(ONE) * i128::from(ONE) / i128::from(line.price);
    let qty = i64::try_from(qty).unwrap_or(i64::MAX / 2);
    (qty / line.lot).max(1) * line.lot
}

fn perpetual(out: &mut Text<'_>, line: &Line, listed_at: i64) {
    let price = decimals(line.tick);
    let qty = decimals(line.lot);
    out.raw("{\"symbol\":\"").raw(&line.symbol).raw("\",\"pair\":\"").raw(&line.symbol);
    out.raw("\",\"contractType\":\"PERPETUAL\",\"deliveryDate\":4133404800000,\"onboardDate\":");
    out.int(listed_at).raw(",\"status\":\"TRADING\",\"maintMarginPercent\":\"2.5000\"");
    out.raw(",\"requiredMarginPercent\":\"5.0000\",\"baseAsset\":\"").raw(&line.base);
    out.raw("\",\"quoteAsset\":\"").raw(&line.quote);
    out.raw("\",\"marginAsset\":\"").raw(&line.quote);
    // The precisions are not the steps, here as at the venue.
    out.raw("\",\"pricePrecision\":").uint((price + 1).min(8).into());
    out.raw(",\"quantityPrecision\":").uint(qty.into());
    out.raw(",\"baseAssetPrecision\":8,\"quotePrecision\":8,\"underlyingType\":\"COIN\"");
    out.raw(",\"underlyingSubType\":[\"Layer-1\"],\"settlePlan\":0,\"triggerProtect\":\"0.0500\"");
    out.raw(
        ",\"liquidationFee\":\"0.012500\",\"marketTakeBound\":\"0.05\",\"maxMoveOrderLimit\":10000",
    );
    out.raw(",\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":");
    let (lowest, highest) = bounds(line);
    out.quoted(lowest, price).raw(",\"maxPrice\":").quoted(highest, price);
    out.raw(",\"tickSize\":").quoted(line.tick, price).raw("},");
    lots(out, line, ("LOT_SIZE", qty), worth(line, 20_000_000)).raw(",");
    lots(out, line, ("MARKET_LOT_SIZE", qty), worth(line, 2_000_000)).raw(",");
    out.raw("{\"filterType\":\"MAX_NUM_ORDERS\",\"limit\":200},");
    out.raw("{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"").raw(min_notional(line)).raw("\"},");
    out.raw("{\"filterType\":\"PERCENT_PRICE\",\"multiplierUp\":\"1.0500\",\"multiplierDown\":\"0.9500\",\"multiplierDecimal\":\"4\"},");
    out.raw("{\"filterType\":\"POSITION_RISK_CONTROL\",\"positionControlSide\":\"NONE\"}]");
    out.raw(",\"orderTypes\":[\"LIMIT\",\"MARKET\",\"STOP\",\"STOP_MARKET\",\"TAKE_PROFIT\",\"TAKE_PROFIT_MARKET\",\"TRAILING_STOP_MARKET\"]");
    out.raw(",\"timeInForce\":[\"GTC\",\"IOC\",\"FOK\",\"GTX\",\"GTD\"],\"permissionSets\":[\"GRID\",\"COPY\"]}");
}

fn pair(out: &mut Text<'_>, line: &Line) {
    out.raw("{\"symbol\":\"").raw(&line.symbol).raw("\",\"status\":\"TRADING\",\"baseAsset\":\"");
    out.raw(&line.base).raw("\",\"baseAssetPrecision\":8,\"quoteAsset\":\"").raw(&line.quote);
    out.raw("\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,\"baseCommissionPrecision\":8");
    out.raw(",\"quoteCommissionPrecision\":8,\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"");
    out.raw(",\"STOP_LOSS\",\"STOP_LOSS_LIMIT\",\"TAKE_PROFIT\",\"TAKE_PROFIT_LIMIT\"]");
    out.raw(",\"icebergAllowed\":true,\"ocoAllowed\":true,\"otoAllowed\":true");
    out.raw(",\"quoteOrderQtyMarketAllowed\":true,\"allowTrailingStop\":true");
    out.raw(",\"cancelReplaceAllowed\":true,\"amendAllowed\":true");
    out.raw(",\"isSpotTradingAllowed\":true,\"isMarginTradingAllowed\":true");
    out.raw(",\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":");
    let (lowest, highest) = bounds(line);
    out.quoted(lowest, 8).raw(",\"maxPrice\":").quoted(highest, 8);
    out.raw(",\"tickSize\":").quoted(line.tick, 8).raw("},");
    lots(out, line, ("LOT_SIZE", 8), worth(line, 50_000_000)).raw(",");
    out.raw("{\"filterType\":\"ICEBERG_PARTS\",\"limit\":10},");
    out.raw("{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.00000000\",\"maxQty\":");
    out.quoted(worth(line, 2_000_000), 8).raw(",\"stepSize\":\"0.00000000\"},");
    out.raw("{\"filterType\":\"TRAILING_DELTA\",\"minTrailingAboveDelta\":10,\"maxTrailingAboveDelta\":2000,\"minTrailingBelowDelta\":10,\"maxTrailingBelowDelta\":2000},");
    out.raw("{\"filterType\":\"PERCENT_PRICE_BY_SIDE\",\"bidMultiplierUp\":\"5\",\"bidMultiplierDown\":\"0.2\",\"askMultiplierUp\":\"5\",\"askMultiplierDown\":\"0.2\",\"avgPriceMins\":5},");
    out.raw("{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5.00000000\",\"applyMinToMarket\":true,\"maxNotional\":\"9000000.00000000\",\"applyMaxToMarket\":false,\"avgPriceMins\":5},");
    out.raw("{\"filterType\":\"MAX_NUM_ORDERS\",\"maxNumOrders\":200},");
    out.raw("{\"filterType\":\"MAX_NUM_ALGO_ORDERS\",\"maxNumAlgoOrders\":5}]");
    out.raw(",\"permissions\":[],\"permissionSets\":[[\"SPOT\",\"MARGIN\"]]");
    out.raw(",\"defaultSelfTradePreventionMode\":\"EXPIRE_MAKER\"");
    out.raw(
        ",\"allowedSelfTradePreventionModes\":[\"EXPIRE_TAKER\",\"EXPIRE_MAKER\",\"EXPIRE_BOTH\"]}",
    );
}

fn lots<'t, 'b>(
    out: &'t mut Text<'b>,
    line: &Line,
    (name, decimals): (&str, u32),
    largest: i64,
) -> &'t mut Text<'b> {
    out.raw("{\"filterType\":\"").raw(name).raw("\",\"minQty\":").quoted(line.lot, decimals);
    out.raw(",\"maxQty\":").quoted(largest, decimals);
    out.raw(",\"stepSize\":").quoted(line.lot, decimals).raw("}")
}

/// Decimals that a step needs.
fn decimals(step: i64) -> u32 {
    let powers = (0..8_u32).find(|decimals| step % 10_i64.pow(8 - decimals) == 0);
    powers.unwrap_or(8)
}

fn min_notional(line: &Line) -> &'static str {
    // The busiest coins ask for more.
    match (line.market, line.base.as_str()) {
        (Market::Um, "BTC") => "100",
        (Market::Um, "ETH") => "20",
        _ => "5",
    }
}

#[cfg(test)]
mod tests {
    use arb_core::parse_units;

    use super::*;

    #[test]
    fn a_step_is_written_with_just_its_decimals() {
        let units = |text: &str| parse_units(text.as_bytes()).unwrap();
        for (step, expected) in [("0.1", 1), ("1", 0), ("0.00000001", 8), ("10", 0), ("0.05", 2)] {
            assert_eq!(decimals(units(step)), expected, "{step}");
        }
    }
}
