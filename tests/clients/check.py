"""Other people's Binance clients against the simulated venue, unmodified but for the base address.

Reads the line of `arb sim --ready-json` from a file. Each check says something about the data, so
that a body of the right shape and the wrong content fails too.
"""

import asyncio
import json
import sys
import time

VENUE = json.load(open(sys.argv[1]))
FUTURES, SPOT, STREAMS = VENUE["futures_rest"], VENUE["spot_rest"], VENUE["futures_ws"]
SYMBOLS = {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"}
HOUR = 3_600_000
CLAIMS = 0


def claim(what, holds):
    global CLAIMS
    if not holds:
        sys.exit(f"failed: {what}")
    CLAIMS += 1


def consecutive(ids):
    return all(b - a == 1 for a, b in zip(ids, ids[1:]))


def official_sdk():
    """Binance's own SDK, whose models check every body."""
    from binance_common.configuration import ConfigurationRestAPI
    from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
        DerivativesTradingUsdsFutures,
    )

    config = ConfigurationRestAPI(base_path=FUTURES, timeout=10_000)
    api = DerivativesTradingUsdsFutures(config_rest_api=config).rest_api

    def get(method, **arguments):
        answer = getattr(api, method)(**arguments)
        data = answer.data()
        return getattr(data, "actual_instance", None) or data

    now = get("check_server_time").server_time
    listed = {s.symbol: s for s in get("exchange_information").symbols}
    claim("sdk: all symbols are listed", set(listed) == SYMBOLS)
    kinds = {f.filter_type for f in listed["BTCUSDT"].filters}
    claim("sdk: filters", {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE"} <= kinds)
    trades = get("compressed_aggregate_trades_list", symbol="BTCUSDT", limit=500)
    claim("sdk: aggregate trades follow each other", consecutive([t.a for t in trades]))
    claim("sdk: they are of now", 0 <= now - trades[-1].T < 60_000 or trades[-1].T > now)
    again = get("compressed_aggregate_trades_list", symbol="BTCUSDT", from_id=trades[7].a, limit=3)
    claim("sdk: an id names one trade", [t.p for t in again] == [t.p for t in trades[7:10]])
    singles = get("recent_trades_list", symbol="BTCUSDT", limit=100)
    claim("sdk: single trades follow each other", consecutive([t.id for t in singles]))
    bars = get("kline_candlestick_data", symbol="ETHUSDT", interval="1h", limit=24)
    claim("sdk: 24 hours of bars before the start", len(bars) == 24)
    claim("sdk: bars join", all(b[0] - a[0] == HOUR for a, b in zip(bars, bars[1:])))
    claim("sdk: bars are bars", all(float(b[3]) <= float(b[4]) <= float(b[2]) for b in bars))
    premium = get("premium_index_kline_data", symbol="BTCUSDT", interval="1h", limit=5)
    claim("sdk: the premium is small", all(abs(float(b[4])) < 0.01 for b in premium))
    book = get("order_book", symbol="SOLUSDT", limit=50)
    bids, asks = [float(b[0]) for b in book.bids], [float(a[0]) for a in book.asks]
    claim("sdk: the book is in order", bids == sorted(bids, reverse=True) and asks == sorted(asks))
    claim("sdk: and not crossed", bids[0] < asks[0])
    settled = get("get_funding_rate_history", symbol="BTCUSDT", limit=10)
    claim("sdk: settlements every 8 hours", all(
        abs(b.funding_time - a.funding_time - 8 * HOUR) < 60_000
        for a, b in zip(settled, settled[1:])
    ))
    get("get_funding_rate_info")
    marks = get("mark_price")
    claim("sdk: marks of all", {m.symbol for m in marks} == SYMBOLS)
    mark = next(m for m in marks if m.symbol == "BTCUSDT")
    claim("sdk: mark near index", abs(float(mark.mark_price) / float(mark.index_price) - 1) < 0.01)
    claim("sdk: the next settlement is to come", 0 < mark.next_funding_time - now <= 8 * HOUR)
    interest = float(get("open_interest", symbol="BTCUSDT").open_interest)
    history = get("open_interest_statistics", symbol="BTCUSDT", period="5m", limit=30)
    ratio = interest / float(history[-1].sum_open_interest)
    claim("sdk: open interest joins its history", len(history) == 30 and 0.9 < ratio < 1.1)
    for method in [
        "long_short_ratio",
        "top_trader_long_short_ratio_accounts",
        "top_trader_long_short_ratio_positions",
        "taker_buy_sell_volume",
    ]:
        rows = get(method, symbol="BTCUSDT", period="5m", limit=12)
        times = [int(row.timestamp) for row in rows]
        claim(f"sdk: {method}", all(b - a == 300_000 for a, b in zip(times, times[1:])))
    ticker = get("symbol_order_book_ticker", symbol="BTCUSDT")
    claim("sdk: book ticker", float(ticker.bid_price) < float(ticker.ask_price))
    day = get("ticker24hr_price_change_statistics", symbol="BTCUSDT")
    claim("sdk: the day", float(day.low_price) <= float(day.last_price) <= float(day.high_price))
    claim("sdk: price", float(get("symbol_price_ticker", symbol="BTCUSDT").price) > 0)


async def official_streams():
    """Every routed stream through the SDK: /market and /public."""
    from binance_common.configuration import ConfigurationWebSocketStreams
    from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
        DerivativesTradingUsdsFutures,
    )

    config = ConfigurationWebSocketStreams(stream_url=STREAMS)
    client = DerivativesTradingUsdsFutures(config_ws_streams=config)
    connection = await client.websocket_streams.create_connection()
    seen = {}
    wanted = {
        "aggregate_trade_streams": {"symbol": "btcusdt"},
        "mark_price_stream": {"symbol": "btcusdt", "update_speed": "1s"},
        "mark_price_stream_for_all_market": {"update_speed": "1s"},
        "individual_symbol_book_ticker_streams": {"symbol": "btcusdt"},
        "all_book_tickers_stream": {},
        "diff_book_depth_streams": {"symbol": "ethusdt", "update_speed": "100ms"},
        "partial_book_depth_streams": {"symbol": "solusdt", "levels": 5},
        "kline_candlestick_streams": {"symbol": "btcusdt", "interval": "1m"},
        "individual_symbol_ticker_streams": {"symbol": "btcusdt"},
        "all_market_mini_tickers_stream": {},
    }
    for name, arguments in wanted.items():
        rows = seen.setdefault(name, [])
        stream = await getattr(connection, name)(**arguments)
        stream.on("message", rows.append)
    enough = {name: 1 for name in wanted} | {
        "aggregate_trade_streams": 5,
        "diff_book_depth_streams": 20,
    }
    deadline = time.monotonic() + 40
    while any(len(seen[name]) < least for name, least in enough.items()):
        missing = [name for name, least in enough.items() if len(seen[name]) < least]
        if time.monotonic() > deadline:
            sys.exit(f"failed: sdk streams: {missing} said too little")
        await asyncio.sleep(0.05)
    await connection.close_connection(close_session=True)
    claim("sdk streams: trades follow each other",
          consecutive([t.a for t in seen["aggregate_trade_streams"]]))
    diffs = seen["diff_book_depth_streams"]
    claim("sdk streams: book updates join", all(b.pu == a.u for a, b in zip(diffs, diffs[1:])))
    mark = seen["mark_price_stream"][0]
    claim("sdk streams: a mark", mark.s == "BTCUSDT" and float(mark.p) > 0)


def ccxt_client():
    import ccxt

    usdm = ccxt.binanceusdm({"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["linear"]}}})
    for name, path in {
        "fapiPublic": "/fapi/v1",
        "fapiPublicV2": "/fapi/v2",
        "fapiPublicV3": "/fapi/v3",
        "fapiData": "/futures/data",
    }.items():
        usdm.urls["api"][name] = FUTURES + path
    markets = usdm.load_markets()
    claim("ccxt: all perpetuals", {m["id"] for m in markets.values()} == SYMBOLS)
    symbol = "BTC/USDT:USDT"
    claim("ccxt: steps", markets[symbol]["precision"]["price"] == 0.1)
    ticker = usdm.fetch_ticker(symbol)
    claim("ccxt: ticker", ticker["low"] <= ticker["last"] <= ticker["high"])
    bars = usdm.fetch_ohlcv(symbol, "1m", limit=60)
    claim("ccxt: bars", len(bars) == 60 and all(b[0] - a[0] == 60_000 for a, b in zip(bars, bars[1:])))
    trades = usdm.fetch_trades(symbol, limit=100)
    claim("ccxt: trades", len(trades) == 100 and consecutive([int(t["id"]) for t in trades]))
    book = usdm.fetch_order_book(symbol, 20)
    claim("ccxt: book", len(book["bids"]) == 20 and book["bids"][0][0] < book["asks"][0][0])
    rate = usdm.fetch_funding_rate(symbol)
    claim("ccxt: funding", abs(rate["fundingRate"]) < 0.01 and rate["fundingTimestamp"] > rate["timestamp"])
    rates = usdm.fetch_funding_rates()
    claim("ccxt: funding of all", {markets[s]["id"] for s in rates} == SYMBOLS)
    settled = usdm.fetch_funding_rate_history(symbol, limit=20)
    claim("ccxt: settlements", len(settled) == 20)
    interest = usdm.fetch_open_interest(symbol)
    claim("ccxt: open interest", interest["openInterestAmount"] > 0)
    history = usdm.fetch_open_interest_history(symbol, "5m", limit=10)
    claim("ccxt: its history", len(history) == 10)
    ratios = usdm.fetch_long_short_ratio_history(symbol, "5m", limit=10)
    claim("ccxt: ratios", all(r["longShortRatio"] > 0 for r in ratios))

    spot = ccxt.binance({"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}})
    spot.urls["api"]["public"] = SPOT + "/api/v3"
    spot.load_markets()
    claim("ccxt: spot", spot.fetch_ticker("BTC/USDT")["last"] > 0)
    claim("ccxt: spot trades", len(spot.fetch_trades("BTC/USDT", limit=50)) == 50)


def python_binance():
    from binance.client import Client

    client = Client(ping=False)
    client.FUTURES_URL, client.FUTURES_DATA_URL = FUTURES + "/fapi", FUTURES + "/futures/data"
    client.API_URL = SPOT + "/api"
    info = client.futures_exchange_info()
    claim("python-binance: listing", {s["symbol"] for s in info["symbols"]} == SYMBOLS)
    claim("python-binance: weight is told", int(client.response.headers["x-mbx-used-weight-1m"]) > 0)
    marks = client.futures_mark_price()
    claim("python-binance: marks", {m["symbol"] for m in marks} == SYMBOLS)
    claim("python-binance: funding", len(client.futures_funding_rate(symbol="ETHUSDT", limit=5)) == 5)
    trades = client.futures_aggregate_trades(symbol="ETHUSDT", limit=200)
    claim("python-binance: trades", consecutive([t["a"] for t in trades]))
    claim("python-binance: bars", len(client.futures_klines(symbol="ETHUSDT", interval="5m", limit=20)) == 20)
    book = client.futures_order_book(symbol="ETHUSDT", limit=10)
    claim("python-binance: book", float(book["bids"][0][0]) < float(book["asks"][0][0]))
    claim("python-binance: interest", float(client.futures_open_interest(symbol="ETHUSDT")["openInterest"]) > 0)
    ratios = client.futures_global_longshort_ratio(symbol="ETHUSDT", period="5m", limit=5)
    claim("python-binance: ratios", len(ratios) == 5)
    claim("python-binance: spot", float(client.get_symbol_ticker(symbol="BTCUSDT")["price"]) > 0)
    claim("python-binance: spot trades", len(client.get_aggregate_trades(symbol="BTCUSDT", limit=30)) == 30)


def main():
    official_sdk()
    asyncio.run(official_streams())
    ccxt_client()
    python_binance()
    print(f"clients: {CLAIMS} claims hold")


main()
