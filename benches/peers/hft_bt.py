"""The small strategy of benches/bare.rs in hftbacktest, compiled by numba.

hftbacktest wants a book: a deep quote that never moves stands in for it, so its queue and latency
models have nothing to do. By default the strategy wakes every 15 s, which is its fastest way;
`--every-trade` wakes it with each feed event.
"""

import hftbacktest
import numpy as np
from hftbacktest import (
    BUY_EVENT, DEPTH_SNAPSHOT_EVENT, EXCH_EVENT, GTC, LOCAL_EVENT, MARKET, SELL_EVENT, TRADE_EVENT,
    BacktestAsset, ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

import tape

SECOND = 1_000_000_000
GRID = 15 * SECOND
BAR = 300 * SECOND
WINDOW = 1800 * SECOND
SLOTS = 1 << 20
QTY = 0.01
BOTH = EXCH_EVENT | LOCAL_EVENT


def to_events(rows, sold):
    """A bid and an ask of a static book, then the trades."""
    events = np.zeros(len(rows) + 2, event_dtype)
    trades = events[2:]
    trades["ev"] = np.where(sold, SELL_EVENT, BUY_EVENT).astype("u8") | np.uint64(TRADE_EVENT | BOTH)
    trades["exch_ts"] = trades["local_ts"] = rows["ms"] * 1_000_000
    trades["px"], trades["qty"] = rows["price"], rows["qty"]
    for level, side, offset in ((0, BUY_EVENT, -0.1), (1, SELL_EVENT, 0.0)):
        events[level]["ev"] = DEPTH_SNAPSHOT_EVENT | BOTH | side
        events[level]["exch_ts"] = events[level]["local_ts"] = trades["exch_ts"][0]
        events[level]["px"], events[level]["qty"] = rows["price"][0] + offset, 1000.0
    return events


def open_backtest(events, lowest, highest):
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0005, 0.0005)
        .tick_size(0.1)
        .lot_size(0.001)
        .last_trades_capacity(200_000)
        .roi_lb(lowest)
        .roi_ub(highest)
    )
    return ROIVectorMarketDepthBacktest([asset])


@njit
def wake(market, every_trade):
    """Sleeps until the next trade or grid point; false at the end of the tape."""
    if every_trade:
        return market.wait_next_feed(False, 10**18) == 2
    return market.elapse(GRID - market.current_timestamp % GRID) == 0


@njit
def trade_tape(market, every_trade):
    mask = SLOTS - 1
    when, signed = np.zeros(SLOTS, np.int64), np.zeros(SLOTS)
    head = tail = bars = orders = bar_start = decide_at = 0
    cvd = high = low = close = previous_close = 0.0
    ranges = np.zeros(14)
    market.elapse(0)  # sets the clock to the first event
    while wake(market, every_trade):
        for trade in market.last_trades(0):
            now, price = trade.exch_ts, trade.px
            flow = -trade.qty if trade.ev & SELL_EVENT == SELL_EVENT else trade.qty
            when[head & mask], signed[head & mask] = now, flow
            head += 1
            cvd += flow
            while when[tail & mask] < now - WINDOW:
                cvd -= signed[tail & mask]
                tail += 1
            if now < bar_start + BAR:
                high, low = max(high, price), min(low, price)
            else:
                if bar_start > 0:
                    before = close if bars == 0 else previous_close
                    ranges[bars % 14] = max(high, before) - min(low, before)
                    bars += 1
                    previous_close = close
                bar_start = now - now % BAR
                high = low = price
            close = price
        market.clear_last_trades(0)
        now = market.current_timestamp
        if now < decide_at:
            continue
        decide_at = now - now % GRID + GRID
        if ranges.sum() == 0.0:
            continue
        position = market.position(0)
        if cvd > 0 and position == 0:
            orders += 1
            market.submit_buy_order(0, orders, close, QTY, GTC, MARKET, False)
        elif cvd < 0 and position > 0:
            orders += 1
            market.submit_sell_order(0, orders, close, QTY, GTC, MARKET, False)
        if orders % 64 == 0:
            market.clear_inactive_orders(0)
    return orders


def main():
    parser = tape.arguments(__doc__)
    parser.add_argument("--every-trade", action="store_true", help="wake with each feed event")
    options = parser.parse_args()
    rows, sold = tape.read(options.tape, options.trades)
    events = to_events(rows, sold)
    lowest, highest = rows["price"].min() * 0.9, rows["price"].max() * 1.1

    def once():
        market = open_backtest(events, lowest, highest)
        return lambda: trade_tape(market, options.every_trade)

    once()()  # compiles
    tape.report("hftbacktest", hftbacktest.__version__, len(rows), options.runs, once)


if __name__ == "__main__":
    main()
