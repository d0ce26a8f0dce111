"""backtrader: one symbol after another, each with its own Cerebro.

python -m benchmarks.peers.backtrader FILE

Its EMA is seeded with a mean and its RSI is Wilder's, as TA-Lib's; they are computed at once for
all candles (`runonce`). Orders are filled at the next candle's open. The size is found when the
order is made, from the candle's close, not from the open at which it is filled: PnL differs a
little, entries don't. It goes on at `next` once the slowest indicator is there, which is a candle
before the first cross can be seen. Its reading of a frame row by row is part of the run; of its
two ways (PandasData, PandasDirectData) this is the quick one.
"""

from datetime import UTC

import backtrader as bt
import pandas as pd

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


class Cross(bt.Strategy):
    def __init__(self) -> None:
        self.fast = bt.ind.EMA(self.data.close, period=FAST)
        self.slow = bt.ind.EMA(self.data.close, period=SLOW)
        # Safe: without a loss in 14 candles the other one divides by zero.
        self.strength = bt.ind.RSI_Safe(self.data.close, period=RSI)
        self.entered: list[int] = []

    def next(self) -> None:
        fast, slow = self.fast[0], self.slow[0]
        if len(self) <= SLOW:  # the candle before has no average yet
            return
        if fast > slow:
            crossed = self.fast[-1] <= self.slow[-1]
            if crossed and not self.position and self.strength[0] < RSI_MAX:
                self.buy(size=QUOTE / self.data.close[0])
        elif fast < slow and self.position and self.fast[-1] >= self.slow[-1]:
            self.close()

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed and order.isbuy():
            at = bt.num2date(order.executed.dt).replace(tzinfo=UTC)
            self.entered.append(round(at.timestamp() * 1_000))


def prepare(candles: Candles) -> dict[str, pd.DataFrame]:
    found = {}
    for symbol, frame in candles.items():
        indexed = frame.set_index(pd.to_datetime(frame["open_time"], unit="ms"))
        found[symbol] = indexed.drop(columns="open_time")
    return found


def run(prepared: dict[str, pd.DataFrame]) -> Found:
    entries: list[tuple[str, int]] = []
    pnl = 0.0
    for symbol, frame in prepared.items():
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(commission=FEE)
        cerebro.adddata(bt.feeds.PandasDirectData(dataname=frame, openinterest=-1))
        cerebro.addstrategy(Cross)
        strategy = cerebro.run()[0]
        entries.extend((symbol, at) for at in strategy.entered)
        pnl += cerebro.broker.getvalue() - CASH
    return Found(entries=lambda: entries, pnl=pnl)


if __name__ == "__main__":
    measure("backtrader", "backtrader", prepare, run)
