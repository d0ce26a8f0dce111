"""The work in plain loops: what each peer's entries are compared with.

python -m benchmarks.peers.reference FILE
"""

import time
from itertools import pairwise
from math import nan

from benchmarks.peers.task import (
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

Rows = list[tuple[int, float, float]]  # open_time, open, close
Signals = list[tuple[bool, bool]]  # of each candle: enter, leave


def prepare(candles: Candles) -> dict[str, Rows]:
    columns = ["open_time", "open", "close"]
    return {
        symbol: list(zip(*(frame[name].tolist() for name in columns), strict=True))
        for symbol, frame in candles.items()
    }


def ema(closes: list[float], period: int) -> list[float]:
    """NaN before `period` closes; then seeded with their mean."""
    value = sum(closes[:period]) / period
    factor = 2.0 / (period + 1)
    found: list[float] = [nan] * (period - 1) + [value]
    for close in closes[period:]:
        value = (close - value) * factor + value
        found.append(value)
    return found[: len(closes)]


def rsi(closes: list[float], period: int) -> list[float]:
    """Wilder's; NaN before `period` changes; 0 where nothing has moved, as TA-Lib says."""
    changes = [now - before for before, now in pairwise(closes)]
    gain = sum(max(change, 0.0) for change in changes[:period]) / period
    loss = sum(max(-change, 0.0) for change in changes[:period]) / period
    found: list[float] = [nan] * period
    for i in range(period - 1, len(changes)):
        if i >= period:
            gain = (gain * (period - 1) + max(changes[i], 0.0)) / period
            loss = (loss * (period - 1) + max(-changes[i], 0.0)) / period
        found.append(100.0 * gain / (gain + loss) if gain + loss else 0.0)
    return found[: len(closes)]


def signals(closes: list[float]) -> Signals:
    fast, slow, strength = ema(closes, FAST), ema(closes, SLOW), rsi(closes, RSI)
    found: Signals = [(False, False)]
    for i in range(1, len(closes)):
        # Nothing is above, below or at NaN.
        above = fast[i - 1] <= slow[i - 1] and fast[i] > slow[i]
        below = fast[i - 1] >= slow[i - 1] and fast[i] < slow[i]
        found.append((above and strength[i] < RSI_MAX, below))
    return found


def trade(rows: Rows, asked: Signals) -> tuple[list[int], float]:
    """When it was entered, and the PnL; what is open at the end is valued at the last close."""
    entries: list[int] = []
    size = pnl = 0.0
    for (enter, leave), (at, price, _) in zip(asked, rows[1:], strict=False):
        if size and leave:
            pnl += size * price * (1 - FEE)
            size = 0.0
        elif enter and not size:
            size = QUOTE / price
            pnl -= QUOTE * (1 + FEE)
            entries.append(at)
    return entries, pnl + size * rows[-1][2]


def run(prepared: dict[str, Rows]) -> Found:
    began = time.perf_counter()
    asked = {symbol: signals([row[2] for row in rows]) for symbol, rows in prepared.items()}
    seconds = time.perf_counter() - began
    done = {symbol: trade(rows, asked[symbol]) for symbol, rows in prepared.items()}
    return Found(
        entries=lambda: [(symbol, at) for symbol, (ats, _) in done.items() for at in ats],
        pnl=sum(pnl for _, pnl in done.values()),
        seconds_indicators=seconds,
    )


if __name__ == "__main__":
    measure("reference", "", prepare, run)
