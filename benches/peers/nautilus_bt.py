"""The small strategy of benches/bare.rs in nautilus_trader's BacktestEngine, over trade ticks."""

from collections import deque

import nautilus_trader
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import TradeId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

import tape

SECOND = 1_000_000_000
GRID = 15 * SECOND
BAR = 300 * SECOND
WINDOW = 1800 * SECOND
INSTRUMENT = TestInstrumentProvider.btcusdt_perp_binance()


class Small(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig())
        self.sent = 0
        self.window, self.cvd = deque(), 0.0
        self.ranges = deque(maxlen=14)
        self.bar_end = self.decide_at = 0
        self.high = self.low = self.close = 0.0
        self.previous_close = None

    def on_start(self):
        self.subscribe_trade_ticks(INSTRUMENT.id)

    def on_trade_tick(self, tick):
        now, price = tick.ts_event, tick.price.as_double()
        self.update_cvd(now, tick)
        self.update_bars(now, price)
        if now >= self.decide_at:
            self.decide_at = now - now % GRID + GRID
            self.decide()

    def update_cvd(self, now, tick):
        flow = tick.size.as_double()
        if tick.aggressor_side == AggressorSide.SELLER:
            flow = -flow
        window = self.window
        window.append((now, flow))
        self.cvd += flow
        while window[0][0] < now - WINDOW:
            self.cvd -= window.popleft()[1]

    def update_bars(self, now, price):
        if now < self.bar_end:
            if price > self.high:
                self.high = price
            elif price < self.low:
                self.low = price
        else:
            if self.bar_end:
                before = self.close if self.previous_close is None else self.previous_close
                self.ranges.append(max(self.high, before) - min(self.low, before))
                self.previous_close = self.close
            self.bar_end = now - now % BAR + BAR
            self.high = self.low = price
        self.close = price

    def decide(self):
        if not self.ranges:
            return
        flat = self.portfolio.is_flat(INSTRUMENT.id)
        if self.cvd > 0 and flat:
            self.send(OrderSide.BUY)
        elif self.cvd < 0 and not flat:
            self.send(OrderSide.SELL)

    def send(self, side):
        self.sent += 1
        self.submit_order(self.order_factory.market(INSTRUMENT.id, side, INSTRUMENT.make_qty(0.01)))


def to_ticks(rows, sold):
    price_digits, size_digits = INSTRUMENT.price_precision, INSTRUMENT.size_precision
    columns = (rows["id"], rows["price"], rows["qty"], rows["ms"] * 1_000_000, sold)
    return [
        TradeTick(
            INSTRUMENT.id,
            Price(price, price_digits),
            Quantity(qty, size_digits),
            AggressorSide.SELLER if taker_sold else AggressorSide.BUYER,
            TradeId(str(trade_id)),
            nanos,
            nanos,
        )
        for trade_id, price, qty, nanos, taker_sold in zip(*(c.tolist() for c in columns))
    ]


def open_engine(ticks):
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True)
        )
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(1_000_000, USDT)],
        trade_execution=True,
    )
    engine.add_instrument(INSTRUMENT)
    engine.add_data(ticks)
    return engine


def main():
    options = tape.arguments(__doc__).parse_args()
    rows, sold = tape.read(options.tape, options.trades)
    ticks = to_ticks(rows, sold)

    def once():
        engine, strategy = open_engine(ticks), Small()
        engine.add_strategy(strategy)

        def run():
            engine.run()
            return strategy.sent

        return run

    tape.report("nautilus_trader", nautilus_trader.__version__, len(rows), options.runs, once)


if __name__ == "__main__":
    main()
