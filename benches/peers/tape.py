"""Reading a tape and reporting a figure: what both peers share."""

import argparse
import json
import statistics
import time

import numpy as np

COLUMNS = [("id", "u8"), ("price", "f8"), ("qty", "f8"), ("ms", "i8"), ("buyer_is_maker", "U5")]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("tape", help="CSV file written by `arb tape gen`")
    parser.add_argument("--trades", type=int, help="read only so many trades")
    parser.add_argument("--runs", type=int, default=3, help="the median run is reported")
    return parser


def read(path, trades=None):
    """The tape as one array of COLUMNS, and a mask of the trades whose taker sold."""
    rows = np.loadtxt(
        path, delimiter=",", skiprows=1, usecols=(0, 1, 2, 5, 6), dtype=COLUMNS, max_rows=trades
    )
    return rows, rows["buyer_is_maker"] == "true"


def report(peer, version, trades, runs, once):
    """Times `once`, which returns its number of orders; building the input is not part of it."""
    seconds, orders = [], None
    for _ in range(runs):
        run = once()
        begin = time.perf_counter()
        orders = run()
        seconds.append(time.perf_counter() - begin)
    nanos = statistics.median(seconds) / trades * 1e9
    print(json.dumps({
        "peer": peer,
        "version": version,
        "trades": trades,
        "ns_per_trade": round(nanos, 1),
        "orders": orders,
    }))
