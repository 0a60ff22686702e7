"""Other people's Binance clients against the simulated venue, unmodified but for the base address.

Reads the lines of two `arb sim --ready-json` from files: one at the pace of the wall for requests,
and a fast one for streams, where even liquidations are frequent. Each check says something about
the data, so that a body of the right shape and the wrong content fails too.
"""

import asyncio
import json
import sys
import time

VENUE, FAST = (json.load(open(name)) for name in sys.argv[1:3])
FUTURES, SPOT = VENUE["futures_rest"], VENUE["spot_rest"]
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


async def listen(kind, connection, wanted):
    """Subscribes to all of `wanted`, each `(method, arguments, how many)`; gives what they said."""
    seen = {name: [] for name in wanted}
    for name, (method, arguments, _) in wanted.items():
        stream = await getattr(connection, method)(**arguments)
        stream.on("message", seen[name].append)
    deadline = time.monotonic() + 120
    while short := [name for name, (_, _, least) in wanted.items() if len(seen[name]) < least]:
        if time.monotonic() > deadline:
            sys.exit(f"failed: {kind}: {short} said too little")
        await asyncio.sleep(0.05)
    await connection.close_connection(close_session=True)
    return seen


async def futures_streams():
    """Every routed stream through Binance's SDK, which chooses /market or /public itself."""
    from binance_common.configuration import ConfigurationWebSocketStreams
    from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
        DerivativesTradingUsdsFutures,
    )

    config = ConfigurationWebSocketStreams(stream_url=FAST["futures_ws"])
    client = DerivativesTradingUsdsFutures(config_ws_streams=config)
    btc, second = {"symbol": "btcusdt"}, {"update_speed": "1s"}
    pair = {"pair": "btcusdt", "contract_type": "perpetual", "interval": "1m"}
    wanted = {
        "trades": ("aggregate_trade_streams", btc, 50),
        "mark": ("mark_price_stream", btc | second, 3),
        "mark, slow": ("mark_price_stream", {"symbol": "ethusdt"}, 1),
        "marks": ("mark_price_stream_for_all_market", second, 3),
        "kline": ("kline_candlestick_streams", btc | {"interval": "1m"}, 60),
        "kline 1h": ("kline_candlestick_streams", btc | {"interval": "1h"}, 1),
        "continuous kline": ("continuous_contract_kline_candlestick_streams", pair, 5),
        "mini ticker": ("individual_symbol_mini_ticker_stream", btc, 2),
        "mini tickers": ("all_market_mini_tickers_stream", {}, 2),
        "ticker": ("individual_symbol_ticker_streams", btc, 2),
        "tickers": ("all_market_tickers_streams", {}, 2),
        "liquidation": ("liquidation_order_streams", btc, 2),
        "liquidations": ("all_market_liquidation_order_streams", {}, 5),
        "quote": ("individual_symbol_book_ticker_streams", btc, 20),
        "quotes": ("all_book_tickers_stream", {}, 50),
        "book": ("diff_book_depth_streams", {"symbol": "ethusdt", "update_speed": "100ms"}, 20),
        "book, slow": ("diff_book_depth_streams", {"symbol": "xrpusdt"}, 5),
        "five": ("partial_book_depth_streams", {"symbol": "solusdt", "levels": 5}, 2),
        "ten": ("partial_book_depth_streams", {"symbol": "solusdt", "levels": 10}, 2),
        "twenty": ("partial_book_depth_streams", {"symbol": "xrpusdt", "levels": 20}, 2),
    }
    connection = await client.websocket_streams.create_connection()
    seen = await listen("sdk streams", connection, wanted)

    def rows(name):
        return [getattr(row, "actual_instance", None) or row for row in seen[name]]

    def holds(what, is_so):
        claim(f"sdk streams: {what}", is_so)

    def items(name):
        parts = [getattr(row, "root", row) for row in rows(name)]
        return [item for part in parts for item in (part if isinstance(part, list) else [part])]

    trades, diffs = rows("trades"), rows("book")
    holds("trades follow each other", consecutive([t.a for t in trades]))
    holds("book updates join", all(b.pu == a.u for a, b in zip(diffs, diffs[1:])))
    holds("of slow books too", all(b.pu == a.u for a, b in zip(rows("book, slow"), rows("book, slow")[1:])))
    holds("a mark", all(m.s == "BTCUSDT" and float(m.p) > 0 for m in rows("mark")))
    holds("marks of all", {m.s for m in items("marks")} == SYMBOLS)
    closed = [row.k for row in rows("kline") if row.k.x]
    holds("a bar closes", closed and all(k.t % 60_000 == 0 for k in closed))
    holds("hours are hours", all(row.k.t % HOUR == 0 for row in rows("kline 1h")))
    holds("a continuous bar", all(row.ps == "BTCUSDT" for row in rows("continuous kline")))
    holds("mini ticker", all(float(t.l) <= float(t.c) <= float(t.h) for t in rows("mini ticker")))
    holds("mini tickers", {t.s for t in items("mini tickers")} <= SYMBOLS)
    holds("ticker", all(float(t.l) <= float(t.c) <= float(t.h) for t in rows("ticker")))
    holds("tickers", {t.s for t in items("tickers")} <= SYMBOLS)
    liquidated = [row.o for row in rows("liquidation") + rows("liquidations")]
    holds("liquidations", all(o.s in SYMBOLS and o.S in ("BUY", "SELL") for o in liquidated))
    holds("each at a price", all(float(o.q) > 0 and float(o.ap) > 0 for o in liquidated))
    holds("quotes do not cross", all(float(q.b) < float(q.a) for q in rows("quote") + rows("quotes")))
    holds("quotes of all", {q.s for q in rows("quotes")} == SYMBOLS)
    for name, levels in {"five": 5, "ten": 10, "twenty": 20}.items():
        sides = [(row.b, row.a) for row in rows(name)]
        holds(f"{levels} levels", all(len(b) == levels == len(a) for b, a in sides))


async def spot_streams():
    """Spot streams through Binance's SDK."""
    from binance_common.configuration import ConfigurationWebSocketStreams
    from binance_sdk_spot.spot import Spot

    config = ConfigurationWebSocketStreams(stream_url=FAST["spot_ws"])
    btc = {"symbol": "btcusdt"}
    wanted = {
        "trades": ("agg_trade", btc, 50),
        "single trades": ("trade", btc, 20),
        "quote": ("book_ticker", btc, 20),
        "book": ("diff_book_depth", btc | {"update_speed": "100ms"}, 10),
        "five": ("partial_book_depth", btc | {"levels": 5}, 2),
        "kline": ("kline", btc | {"interval": "1m"}, 5),
        "mini ticker": ("mini_ticker", btc, 2),
        "ticker": ("ticker", btc, 2),
    }
    connection = await Spot(config_ws_streams=config).websocket_streams.create_connection()
    seen = await listen("spot streams", connection, wanted)
    claim("spot streams: trades", consecutive([t.a for t in seen["trades"]]))
    claim("spot streams: single trades", consecutive([t.t for t in seen["single trades"]]))
    claim("spot streams: quotes", all(float(q.b) < float(q.a) for q in seen["quote"]))
    diffs = seen["book"]
    claim("spot streams: updates join", all(b.U == a.u + 1 for a, b in zip(diffs, diffs[1:])))
    claim("spot streams: levels", all(len(row.bids) == 5 == len(row.asks) for row in seen["five"]))
    claim("spot streams: bars", all(row.k.s == "BTCUSDT" for row in seen["kline"]))
    days = seen["mini ticker"] + seen["ticker"]
    claim("spot streams: tickers", all(float(t.l) <= float(t.c) <= float(t.h) for t in days))


async def coinbase_ticker():
    """Coinbase's ticker, through the plain WebSocket library."""
    import websockets

    async with websockets.connect(FAST["coinbase_exchange_ws"]) as socket:
        products = ["BTC-USD", "USDT-USD"]
        await socket.send(json.dumps(
            {"type": "subscribe", "product_ids": products, "channels": ["ticker"]}
        ))
        answer = json.loads(await asyncio.wait_for(socket.recv(), 20))
        claim("coinbase: subscribed", answer["type"] == "subscriptions")
        seen = {}
        while set(seen) != set(products):
            ticker = json.loads(await asyncio.wait_for(socket.recv(), 20))
            seen[ticker["product_id"]] = ticker
    claim("coinbase: tickers", all(
        0 < float(t["best_bid"]) < float(t["best_ask"]) for t in seen.values()
    ))
    claim("coinbase: tether is a dollar", 0.9 < float(seen["USDT-USD"]["price"]) < 1.1)


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
    asyncio.run(futures_streams())
    asyncio.run(spot_streams())
    asyncio.run(coinbase_ticker())
    ccxt_client()
    python_binance()
    print(f"clients: {CLAIMS} claims hold")


main()
