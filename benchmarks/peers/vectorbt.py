"""vectorbt: all symbols at once, as columns of one array.

python -m benchmarks.peers.vectorbt FILE [--engine numba|rust]

Indicators are TA-Lib's through vectorbt's own wrapper: vectorbt's moving averages are seeded with
the first close and its RSI smooths with a span, so they would find other crosses. Entries and
exits are moved on by one candle and filled at the open. Symbols that end earlier than others are
filled up with NaN, on which vectorbt makes no order; what is open there has no PnL (entries are
equal all the same). `--engine rust` uses vectorbt-rust, which comes from the same authors.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import vectorbt as vbt

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


@dataclass(frozen=True)
class Wide:
    """Candles as frames: a row for each time, a column for each symbol."""

    open: pd.DataFrame
    close: pd.DataFrame


def prepare(candles: Candles) -> Wide:
    def wide(column: str) -> pd.DataFrame:
        by_time = {name: frame.set_index("open_time")[column] for name, frame in candles.items()}
        return pd.DataFrame(by_time)

    return Wide(wide("open"), wide("close"))


def signals(close: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Entries and exits, each at the candle after the one that says so."""
    ema, rsi = vbt.talib("EMA"), vbt.talib("RSI")
    fast = ema.run(close, FAST).real.to_numpy()
    slow = ema.run(close, SLOW).real.to_numpy()
    weak = rsi.run(close, RSI).real.to_numpy() < RSI_MAX
    entries, exits = np.zeros((2, *close.shape), dtype=bool)
    above, below = fast > slow, fast < slow
    # Not above is not enough: it is also so before there is an average.
    entries[2:] = (fast[:-2] <= slow[:-2]) & above[1:-1] & weak[1:-1]
    exits[2:] = (fast[:-2] >= slow[:-2]) & below[1:-1]
    return entries, exits


def run(wide: Wide) -> Found:
    began = time.perf_counter()
    entries, exits = signals(wide.close)
    seconds = time.perf_counter() - began
    portfolio = vbt.Portfolio.from_signals(
        wide.close,
        entries,
        exits,
        price=wide.open,
        size=QUOTE,
        size_type="value",
        fees=FEE,
        init_cash=CASH,
        freq="5min",
    )
    trades = portfolio.trades
    pnl = float(trades.pnl.sum().sum())

    def entered() -> list[tuple[str, int]]:
        records, names, times = trades.values, wide.close.columns, wide.close.index
        return [(str(names[row["col"]]), int(times[row["entry_idx"]])) for row in records]

    return Found(entries=entered, pnl=pnl, seconds_indicators=seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--engine", choices=("numba", "rust"), default="numba")
    engine = parser.parse_known_args()[0].engine
    vbt.settings["engine"] = engine
    measure(f"vectorbt ({engine})", "vectorbt", prepare, run)
