"""backtesting.py: one symbol after another.

python -m benchmarks.peers.backtesting FILE

Entries and exits are arrays made in `init`, `next` only looks them up. Sizes are whole numbers
here, so the candles of each symbol are scaled by a power of two (FractionalBacktest does it) until
100 quote coin are many units. The size is found when the order is made, from the candle's close,
not from the open at which it is filled: PnL differs a little, entries don't. It runs on one core;
MultiBacktest would spread symbols over processes.
"""

import math
import time
import warnings

import numpy as np
import pandas as pd
import talib
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from benchmarks.peers.task import (
    CASH,
    FAST,
    FEE,
    QUOTE,
    RSI,
    RSI_MAX,
    SLOW,
    Candles,
    Found,
    measure,
)

UNITS = 1e6  # at least so many units for one entry
seconds_indicators: list[float] = []  # of each symbol of this run


class Cross(Strategy):
    def init(self) -> None:
        began = time.perf_counter()
        close = np.asarray(self.data.Price)
        fast, slow = talib.EMA(close, FAST), talib.EMA(close, SLOW)
        weak = talib.RSI(close, RSI) < RSI_MAX
        above = np.concatenate(([False], (fast[:-1] <= slow[:-1]) & (fast[1:] > slow[1:])))
        below = np.concatenate(([False], (fast[:-1] >= slow[:-1]) & (fast[1:] < slow[1:])))
        self.enter, self.leave = above & weak, below
        seconds_indicators.append(time.perf_counter() - began)

    def next(self) -> None:
        # A plain array and an index: `self.I` would cut a view for each candle.
        i = len(self.data) - 1
        if self.enter[i]:
            if not self.position:
                self.buy(size=int(QUOTE / self.data.Close[-1]))
        elif self.leave[i] and self.position:
            self.position.close()


def prepare(candles: Candles) -> dict[str, pd.DataFrame]:
    """Indexed by time; `Price` is the close that isn't scaled."""
    found = {}
    for symbol, frame in candles.items():
        renamed = frame.rename(columns=str.capitalize).set_index("Open_time")
        renamed.index = pd.to_datetime(renamed.index, unit="ms")
        found[symbol] = renamed.assign(Price=renamed["Close"])
    return found


def run(prepared: dict[str, pd.DataFrame]) -> Found:
    seconds_indicators.clear()
    trades = {}
    for symbol, frame in prepared.items():
        # A power of two scales without rounding.
        unit = 2.0 ** -math.ceil(math.log2(UNITS * frame["Close"].max() / QUOTE))
        test = FractionalBacktest(
            frame,
            Cross,
            cash=CASH,
            commission=FEE,
            finalize_trades=True,
            fractional_unit=unit,
        )
        trades[symbol] = test.run()["_trades"]
    return Found(
        entries=lambda: [
            (symbol, int(at.value // 1_000_000))
            for symbol, found in trades.items()
            for at in found["EntryTime"]
        ],
        pnl=float(sum(found["PnL"].sum() for found in trades.values())),
        seconds_indicators=sum(seconds_indicators),
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    measure("backtesting.py", "backtesting", prepare, run)
