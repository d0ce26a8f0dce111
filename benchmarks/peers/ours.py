"""Chandler itself beside its peers: the live desk over the same candles, to the last decimal.

python -m benchmarks.peers.ours FILE
"""

import os
import tempfile
from pathlib import Path

from benchmarks.backtest import past_of, setting
from benchmarks.peers.task import Candles, Found, measure
from chandler.replay.backtest import Past, backtest
from chandler.replay.dense.native import cache_in

INTERVAL_MS = 300_000
chosen = setting()


def prepare(candles: Candles) -> Past:
    return past_of(candles)


def run(past: Past) -> Found:
    found = backtest(chosen, past, threads=os.cpu_count() or 1, bars=False)
    return Found(
        entries=lambda: [
            (fill.symbol, fill.at - fill.at % INTERVAL_MS)
            for fill in found.fills
            if fill.action == "open"
        ],
        pnl=float(sum(trade.pnl for trade in found.trades)),
        seconds_indicators=found.timings["dense"],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        cache_in(Path(folder), "bench")
        measure("chandler", "", prepare, run)
