//! Claims about bodies: the documented ones, recorded ones, and refusals.

use std::time::Duration;

use arb_core::{
    Decimal, InputValue, InstrumentId, Market, Money, Side, Timestamp, TradingStatus, VenueError,
};

use super::*;
use crate::recorded::text;
use crate::wire::{Fault, Interval, SymbolTable};

fn symbols() -> SymbolTable {
    SymbolTable::new([("BTCUSDT", InstrumentId(0)), ("BLZUSDT", InstrumentId(1))])
}

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const INFO: &str = r#"{"exchangeFilters":[],"rateLimits":[{"interval":"MINUTE","intervalNum":1,"limit":2400,"rateLimitType":"REQUEST_WEIGHT"},{"interval":"MINUTE","intervalNum":1,"limit":1200,"rateLimitType":"ORDERS"}],"serverTime":1565613908500,"symbols":[{"symbol":"BLZUSDT","pair":"BLZUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1598252400000,"status":"TRADING","baseAsset":"BLZ","quoteAsset":"USDT","pricePrecision":5,"quantityPrecision":0,"underlyingType":"COIN","filters":[{"filterType":"PRICE_FILTER","maxPrice":"300","minPrice":"0.0001","tickSize":"0.0001"},{"filterType":"LOT_SIZE","maxQty":"10000000","minQty":"1","stepSize":"1"},{"filterType":"MARKET_LOT_SIZE","maxQty":"590119","minQty":"1","stepSize":"1"},{"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MIN_NOTIONAL","notional":"5.0"},{"filterType":"PERCENT_PRICE","multiplierUp":"1.1500","multiplierDown":"0.8500","multiplierDecimal":"4"},{"filterType":"POSITION_RISK_CONTROL","notional":7,"mode":"X"}],"orderTypes":["LIMIT"],"liquidationFee":"0.010000"}],"timezone":"UTC"}"#;

#[test]
fn exchange_info_takes_steps_and_limits_from_the_filters() {
    let info = exchange_info(INFO.as_bytes()).unwrap();
    let [blz] = info.listings.as_slice() else { panic!("{info:?}") };
    let spec = &blz.instrument;
    assert_eq!((spec.symbol.as_str(), spec.market), ("BLZUSDT", Market::Um));
    assert_eq!((blz.contract, spec.status), (Contract::Perpetual, TradingStatus::Trading));
    assert_eq!(spec.tick_size, "0.0001".parse().unwrap());
    assert_eq!(spec.lot_size, "1".parse().unwrap());
    assert_eq!(spec.min_notional, Money::round(5.into()));
    assert_eq!((spec.listed_at, spec.delivery_at), (Some(ms(1_598_252_400_000)), None));
    assert_eq!(blz.order_limits.max_market_qty, Some("590119".parse().unwrap()));
    assert_eq!(blz.order_limits.min_sell_ratio, Some(Decimal::new(85, 2)));
    let weight = RateLimit { kind: RateLimitKind::RequestWeight, secs: 60, limit: 2_400 };
    assert_eq!(info.rate_limits[0], weight);
    assert!(info.dropped.is_empty());
}

#[test]
fn a_delisting_a_share_and_a_future_are_told_from_a_perpetual_that_trades() {
    let announced = INFO.replace("4133404800000", "1790000000000").replace("TRADING", "SETTLING");
    let info = exchange_info(announced.as_bytes()).unwrap();
    assert_eq!(info.listings[0].instrument.delivery_at, Some(ms(1_790_000_000_000)));
    assert_eq!(info.listings[0].instrument.status, TradingStatus::NotTrading);
    for kind in ["TRADIFI_PERPETUAL", "CURRENT_QUARTER", "PERPETUAL_DELIVERING", "NEW_KIND"] {
        let text = INFO.replace("\"PERPETUAL\"", &format!("\"{kind}\""));
        let info = exchange_info(text.as_bytes()).unwrap();
        assert_eq!((info.listings[0].contract, info.perpetuals().count()), (Contract::Other, 0));
    }
}

#[test]
fn a_listing_that_cannot_be_read_is_named_and_spoils_no_other() {
    let body = INFO.replace("\"tickSize\":\"0.0001\"", "\"tickSize\":\"0\"");
    let info = exchange_info(body.as_bytes()).unwrap();
    assert!(info.listings.is_empty());
    let text = info.dropped[0].to_string();
    assert!(text.starts_with("exchangeInfo, symbol BLZUSDT, field tickSize: is zero"), "{text}");
    assert!(matches!(exchange_info(b"[]"), Err(VenueError::Decode(_))));
    assert!(matches!(exchange_info(b"<html>"), Err(VenueError::Decode(_))));
}

#[test]
fn the_recorded_futures_listing_of_2021_is_read_whole() {
    let Some(body) = text("rest/fapi_exchangeInfo_20210721.json.gz") else { return };
    let info = exchange_info(body.as_bytes()).unwrap();
    assert_eq!((info.listings.len(), info.dropped.len()), (122, 0));
    let btc = info.listing("BTCUSDT").unwrap();
    assert_eq!(btc.instrument.tick_size, "0.01".parse().unwrap());
    assert_eq!(btc.instrument.listed_at, Some(ms(1_569_398_400_000)));
    let others = info.listings.iter().filter(|listing| listing.contract == Contract::Other);
    let names: Vec<_> = others.map(|listing| listing.instrument.symbol.as_str()).collect();
    assert_eq!(names, ["BTCSTUSDT", "BTCUSDT_210924", "ETHUSDT_210924"]);
    assert_eq!(info.perpetuals().count(), 119);
    assert_eq!(info.rate_limits.len(), 3);
}

#[test]
fn the_recorded_spot_listing_hedges_the_perpetuals_it_can() {
    let Some(spot) = text("rest/spot_exchangeInfo_20211012_10symbols.json.gz") else { return };
    let Some(futures) = text("rest/fapi_exchangeInfo_20210721.json.gz") else { return };
    let spot = spot_exchange_info(spot.as_bytes()).unwrap();
    assert_eq!((spot.listings.len(), spot.dropped.len()), (10, 0));
    let btc = spot.listing("BTCUSDT").unwrap();
    assert_eq!(btc.instrument.min_notional, Money::round(10.into()));
    assert!(btc.instrument.is_spot() && btc.instrument.brackets.is_empty());
    let futures = exchange_info(futures.as_bytes()).unwrap();
    let hedge = futures.listing("BTCUSDT").unwrap().hedge(&spot).unwrap();
    assert_eq!((hedge.spot, hedge.multiplier), (btc, 1));
}

#[test]
fn a_multiplied_coin_is_hedged_by_the_coin_or_by_its_own_name() {
    let table = [
        ("1000PEPE", (1_000, "PEPE")),
        ("1000000MOG", (1_000_000, "MOG")),
        ("1MBABYDOGE", (1_000_000, "BABYDOGE")),
        ("1000X", (1_000, "X")),
        ("BTC", (1, "BTC")),
        ("1INCH", (1, "1INCH")),
        ("1000", (1, "1000")),
        ("C98", (1, "C98")),
        ("1M", (1, "1M")),
    ];
    for (base, expected) in table {
        assert_eq!(multiplier(base), expected);
    }
    let rename = |base: &str| {
        let text = INFO.replace("BLZ", base);
        exchange_info(text.as_bytes()).unwrap()
    };
    let perpetual = &rename("1000PEPE").listings[0];
    assert_eq!(perpetual.hedge(&rename("PEPE")).unwrap().multiplier, 1_000);
    assert_eq!(perpetual.hedge(&rename("1000PEPE")).unwrap().multiplier, 1);
    assert!(perpetual.hedge(&rename("BTC")).is_none());
}

#[test]
fn the_newer_notional_filter_of_spot_is_read() {
    let body = INFO
        .replace(r#""MIN_NOTIONAL","notional""#, r#""NOTIONAL","minNotional""#)
        .replace(r#""contractType":"PERPETUAL","#, "")
        .replace("\"status\"", "\"isSpotTradingAllowed\":false,\"status\"");
    let info = spot_exchange_info(body.as_bytes()).unwrap();
    let [pair] = info.listings.as_slice() else { panic!("{info:?}") };
    assert_eq!(pair.instrument.min_notional, Money::round(5.into()));
    assert_eq!(
        (pair.contract, pair.instrument.status),
        (Contract::Spot, TradingStatus::NotTrading)
    );
}

#[test]
fn trades_come_with_the_takers_side_and_a_bad_one_is_named() {
    let body = br#"[{"a":26129,"p":"0.01633102","q":"4.70443515","nq":"0","f":27781,"l":27781,"T":1498793709153,"m":true},{"a":26130,"p":"0","q":"1","f":1,"l":1,"T":1498793709153,"m":false}]"#;
    let page = agg_trades(body, InstrumentId(5)).unwrap();
    let [trade] = page.rows.as_slice() else { panic!("{page:?}") };
    assert_eq!((trade.id, trade.taker_side, trade.ts), (26_129, Side::Sell, ms(1_498_793_709_153)));
    assert_eq!((page.dropped[0].field, page.dropped[0].instrument), ("p", Some(InstrumentId(5))));
    assert!(agg_trades(br#"[{"a":1},"#, InstrumentId(5)).is_err());
}

#[test]
fn an_unfinished_bar_is_left_out() {
    let body = br#"[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","17928899.62484339"]]"#;
    let read = |now| klines(body, InstrumentId(0), Interval::W1, now).unwrap().rows;
    assert!(read(ms(1_499_644_799_999)).is_empty());
    let bars = read(ms(1_499_644_800_000));
    let [bar] = bars.as_slice() else { panic!("{bars:?}") };
    assert_eq!((bar.trades, bar.high), (308, "0.8".parse().unwrap()));
    assert_eq!(bar.taker_buy_volume, Decimal::new(175_687_402_397, 8));
    assert_eq!(bar.taker_buy_quote_volume, Decimal::new(2_846_694_368, 8));
}

#[test]
fn marks_and_funding_are_those_of_known_symbols() {
    let one = r#"{"symbol":"BTCUSDT","markPrice":"11793.63104562","indexPrice":"11781.80495970","estimatedSettlePrice":"11781.16138815","lastFundingRate":"0.00038246","interestRate":"0.00010000","nextFundingTime":1597392000000,"time":1597370495002}"#;
    let all = format!("[{one},{}]", one.replace("BTCUSDT", "ELSEUSDT"));
    for body in [one, &all] {
        let page = premium_index(body.as_bytes(), &symbols()).unwrap();
        let [mark] = page.rows.as_slice() else { panic!("{page:?}") };
        assert_eq!(mark.funding_rate, Some(Decimal::new(38_246, 8)));
        assert_eq!(mark.next_funding_at, Some(ms(1_597_392_000_000)));
    }
    let settled = br#"[{"symbol":"BTCUSDT","fundingRate":"-0.03750000","fundingTime":1570608000017,"markPrice":"34287.54619963"},{"symbol":"BTCUSDT","fundingRate":"0.00010000","fundingTime":1570636800000,"markPrice":""}]"#;
    let page = funding_rates(settled, &symbols()).unwrap();
    assert_eq!(page.rows[0].funding_time, ms(1_570_608_000_000));
    assert_eq!(page.rows[0].rate, Decimal::new(-375, 4));
    assert_eq!(page.rows[1].mark_price, None);
    let terms = br#"[{"symbol":"BLZUSDT","adjustedFundingRateCap":"0.02500000","adjustedFundingRateFloor":"-0.02500000","fundingIntervalHours":4,"disclaimer":false}]"#;
    let page = funding_info(terms, &symbols()).unwrap();
    assert_eq!((page.rows[0].interval_hours, page.rows[0].floor), (4, Decimal::new(-25, 3)));
}

#[test]
fn statistics_take_their_time_from_the_row_as_text_or_number() {
    let now = br#"{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}"#;
    let page = open_interest(now, &symbols()).unwrap();
    assert_eq!(page.rows[0].value, InputValue::OpenInterest(Decimal::new(10_659_509, 3)));
    assert_eq!(page.rows[0].as_of, ms(1_589_437_530_011));
    let history = br#"[{"symbol":"BTCUSDT","sumOpenInterest":"20403.63700000","sumOpenInterestValue":"150570784.07809979","CMCCirculatingSupply":"165880.538","timestamp":"1583127900000"}]"#;
    let page = open_interest_history(history, &symbols()).unwrap();
    assert_eq!(page.rows[0].as_of, ms(1_583_127_900_000));
    let body = br#"[{"symbol":"BTCUSDT","longShortRatio":"1.8105","longAccount":"0.6442","shortAccount":"0.3558","timestamp":1583139600000},{"symbol":"BTCUSDT","longShortRatio":"inf","timestamp":1583139900000}]"#;
    let page = ratios(body, &symbols()).unwrap();
    assert_eq!(page.rows[0].of_accounts().value, InputValue::LongShortRatio(1.8105));
    assert_eq!(page.rows[0].of_top_positions().value, InputValue::TopTraderRatio(1.8105));
    assert!(matches!(page.dropped[0].fault, Fault::Number(_)), "{:?}", page.dropped);
}

#[test]
fn depth_and_time_are_read_or_refused_whole() {
    let body = br#"{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}"#;
    let snapshot = depth(body).unwrap();
    assert_eq!((snapshot.last_update_id, snapshot.bids.len()), (1_027_024, 1));
    assert_eq!(snapshot.asks[0].price, "4.000002".parse().unwrap());
    let error = depth(br#"{"lastUpdateId":1,"bids":[["0","1"]],"asks":[]}"#).unwrap_err();
    assert!(error.to_string().contains("depth, field bids: is zero"), "{error}");
    assert_eq!(server_time(br#"{"serverTime":1499827319559}"#).unwrap(), ms(1_499_827_319_559));
    assert!(server_time(br#"{"serverTime":18446744073709551615}"#).is_err());
}

#[test]
fn recorded_tiers_are_continuous() {
    let Some(body) = text("rest/leverageBracket_2024-10_9symbols.json") else { return };
    let all = leverage_brackets(body.as_bytes()).unwrap();
    assert_eq!(all.len(), 9);
    for symbol in &all {
        for pair in symbol.brackets.windows(2) {
            let margin = |tier: &arb_core::LeverageBracket| {
                pair[0].notional_cap.times(tier.maint_margin_ratio) - tier.cum
            };
            assert_eq!(margin(&pair[0]), margin(&pair[1]), "{}", symbol.symbol);
        }
    }
}

#[test]
fn the_coefficient_of_an_account_stretches_its_tiers() {
    let body = br#"{"symbol":"ETHUSDT","notionalCoef":1.5,"brackets":[{"bracket":2,"initialLeverage":50,"notionalCap":50000,"notionalFloor":10000,"maintMarginRatio":0.01,"cum":35.0},{"bracket":1,"initialLeverage":75,"notionalCap":10000,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0.0}]}"#;
    let all = leverage_brackets(body).unwrap();
    let caps: Vec<Money> = all[0].brackets.iter().map(|tier| tier.notional_cap).collect();
    assert_eq!(caps, [Money::round(15_000.into()), Money::round(75_000.into())]);
    assert_eq!(all[0].brackets[1].cum, Money::round(Decimal::new(525, 1)));
    assert!(leverage_brackets(br#"[{"symbol":"X","brackets":[{}]}]"#).is_err());
}

fn refused(market: Market, status: u16, body: &str) -> String {
    let now = ms(1_573_827_000_000);
    let body = body.as_bytes();
    match refusal(&Refused { market, status, body, retry_after: None, now }) {
        VenueError::Rejected { code, .. } => format!("rejected {code}"),
        VenueError::RateLimited { retry_after } => format!("wait {}", retry_after.as_secs()),
        VenueError::OutcomeUnknown(_) => "unknown".to_owned(),
        VenueError::Auth(_) => "auth".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_refusal_is_unknown_whenever_the_request_may_have_been_carried_out() {
    let um = |status, body| refused(Market::Um, status, body);
    let unknown =
        r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#;
    assert_eq!(um(503, unknown), "unknown");
    assert_eq!(um(503, "Unknown error, please check your request or try again later."), "unknown");
    assert_eq!(um(400, r#"{"code":-1007,"msg":"Timeout waiting for response"}"#), "unknown");
    assert_eq!((um(408, ""), um(502, "<html>")), ("unknown".into(), "unknown".into()));
    assert_eq!(um(503, "Service Unavailable."), "rejected 503");
    assert_eq!(um(503, r#"{"code":-1008,"msg":"Request throttled"}"#), "rejected -1008");
    assert_eq!(um(500, r#"{"code":-1001,"msg":"Internal error"}"#), "rejected -1001");
    assert_eq!(um(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#), "rejected -1121");
    assert_eq!(um(401, r#"{"code":-2015,"msg":"Invalid API-key"}"#), "auth");
    assert_eq!((um(403, "<html>"), um(451, "")), ("rejected 403".into(), "rejected 451".into()));
    let spot = r#"{"code":-1001,"msg":"Internal error"}"#;
    assert_eq!(refused(Market::Spot, 500, spot), "unknown");
}

#[test]
fn a_ban_tells_how_long_it_lasts() {
    let banned = r#"{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until 1573827345000. Please use the websocket."}"#;
    assert_eq!(refused(Market::Um, 418, banned), "wait 345");
    assert_eq!(refused(Market::Um, 400, banned), "wait 345");
    assert_eq!(refused(Market::Um, 429, r#"{"code":-1003,"msg":"Too many requests."}"#), "wait 60");
    let longer = refusal(&Refused {
        market: Market::Um,
        status: 418,
        body: banned.as_bytes(),
        retry_after: Some(Duration::from_secs(400)),
        now: ms(1_573_827_000_000),
    });
    assert!(
        matches!(longer, VenueError::RateLimited { retry_after } if retry_after.as_secs() == 400)
    );
    assert_eq!(ban_end("banned until 1573827345000."), Some(ms(1_573_827_345_000)));
    assert_eq!(ban_end("try later"), None);
}
