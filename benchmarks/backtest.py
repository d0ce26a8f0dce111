"""`bench backtest FILE…`: candles a second of the compiled part and of the whole backtest.

The work is that of benchmarks/peers/task.py, which other libraries do beside it (by hand:
`python -m benchmarks.peers.run FILE…`): an EMA cross with an RSI filter on every candle, one
position a symbol, 100 quote coin each, fees. Entries are compared by their digest. With `--peers`
those run beside it, each in an environment of its own; they are no part of the project.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from msgspec.structs import replace

from benchmarks.peers.task import FEE, QUOTE, digest, read
from benchmarks.plugins.cross import cross, ema_cross
from benchmarks.replay_read import candles, columns_first, fill_large, place
from chandler.core.desk.config import resolve as resolve_desk
from chandler.core.engine import resolve
from chandler.core.events import Symbol
from chandler.core.granularity import Granularity
from chandler.core.trading.agents import AgentConfig, PaperConfig, PumpConfig
from chandler.exchanges.simulator.recording import SHIPPED
from chandler.replay.backtest import Past, Setting, backtest, shortest
from chandler.replay.dense.native import cache_in
from chandler.replay.dense.signals import Ways, given_by, known_of
from chandler.replay.sparse.assumed import instrument
from chandler.replay.sparse.prices import of_candles
from chandler.strategies.modes import fixed
from services.past.sources import lane_with_gaps

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5  # the best counts
FIVE = Granularity("5m")
COLUMNS = ("open", "high", "low", "close", "volume")


def setting() -> Setting:
    """One agent: long only, a fixed size, closed by the opposite signal, nothing else."""
    engine = resolve(cross.name, cross.version, cross.config, {"ema_cross": ema_cross})
    agent = AgentConfig(
        balance=Decimal(100_000_000),
        sides=("long",),
        size=Decimal(str(QUOTE)),
        leverage=1,
        positions_max=10_000,
        orders_per_symbol_day_max=1_000,
        daily_loss_max_percent=Decimal(0),
        impact_max_percent=Decimal(0),
        on_opposite="close",
        trading_mode="fixed",
        set={
            "signal_stop": False,
            "stop_percent": "0",
            "target_percent": [],
            "liquidation_percent": "0",
        },
    )
    desks = resolve_desk(
        {"cross": agent},
        modes={fixed.name: fixed},
        engines=[engine.name],
        paper=PaperConfig(latency_ms=0, slippage_percent=Decimal(0)),
        pump=PumpConfig(enabled=False),
    )
    return Setting(
        profile="bench", engines=[engine], desks=desks, guard=None, retry_ms=5_000, code="bench"
    )


def past_of(frames: dict[str, pd.DataFrame]) -> Past:
    lanes: dict[Symbol, Any] = {}
    for name, frame in frames.items():
        columns = {
            each: frame[each].to_numpy() for each in ("open", "high", "low", "close", "volume")
        }
        made = lane_with_gaps(name, FIVE, frame["open_time"].to_numpy(), columns)
        lanes[Symbol(name)] = {FIVE: made}
    instruments = {}
    for symbol, of in lanes.items():
        steps = instrument(of_candles(shortest(of)))
        instruments[symbol] = [
            replace(steps, size_step="0.00000001", size_min="0.00000001", taker_fee=str(FEE))
        ]
    return Past(lanes=lanes, instruments=instruments)


def best(run: Any) -> float:
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


def measure(file: Path, symbols: int) -> dict[str, Any]:
    chosen, past = setting(), past_of(read(file, symbols))
    count = sum(len(of[FIVE].open_ms) for of in past.lanes.values())
    began = time.perf_counter()
    backtest(chosen, replace(past, lanes=dict([*past.lanes.items()][:1])), bars=False)
    compiled = time.perf_counter() - began

    ways = Ways()

    def dense() -> None:
        for of in past.lanes.values():
            given_by(known_of(of), chosen.engines, ways)

    one = best(dense)
    runs = [backtest(chosen, past, threads=os.cpu_count() or 1, bars=False) for _ in range(RUNS)]
    whole = min(runs, key=lambda each: sum(each.timings.values()))
    entries = [
        (fill.symbol, fill.at - fill.at % 300_000) for fill in whole.fills if fill.action == "open"
    ]
    return {
        "file": file.name,
        "candles": count,
        "seconds_warm_up": round(compiled, 3),
        "dense_one_core": round(count / one),
        "dense_all_cores": round(count / min(each.timings["dense"] for each in runs)),
        "whole": round(count / sum(whole.timings.values())),
        "seconds": {name: round(value, 4) for name, value in whole.timings.items()},
        "trades": len(entries),
        "entries_digest": digest(entries),
        "digests_equal": len({each.origin.digest for each in runs}) == 1,
    }


def from_topics(file: Path) -> int:
    """Candles a second from their topic into columns, the first time; a Kafka of its own."""
    feed = candles(file, -1)
    with place() as base:
        asyncio.run(fill_large(base, feed))
        began = time.perf_counter()
        rows = asyncio.run(columns_first(base))
        return round(rows / (time.perf_counter() - began))


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench backtest")
    parser.add_argument("files", nargs="*", type=Path, default=[SHIPPED])
    parser.add_argument("--symbols", type=int, default=0, help="only the first N; 0: all")
    parser.add_argument("--no-topics", action="store_true", help="without reading from topics")
    parser.add_argument("--peers", action="store_true", help="and other libraries' backtests")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        cache_in(Path(folder), "bench")
        for file in arguments.files:
            found = measure(file, arguments.symbols)
            if not arguments.no_topics:
                found["from_topics"] = from_topics(file)
            if arguments.json:
                print(json.dumps(found))
            else:
                show(found)
    if arguments.peers:
        words = [*map(str, arguments.files), "--symbols", str(arguments.symbols)]
        command = [sys.executable, "-m", "benchmarks.peers.run", *words]
        return subprocess.run([*command, *["--json"] * arguments.json], cwd=ROOT).returncode
    return 0


def show(found: dict[str, Any]) -> None:
    print(f"{found['file']}: candles={found['candles']:,} trades={found['trades']:,}")
    for name in ("dense_one_core", "dense_all_cores", "whole", "from_topics"):
        if name in found:
            print(f"  {name.replace('_', ' '):16} {found[name]:>12,} candles/s")
    print(f"  warm-up (with compiling) {found['seconds_warm_up']} s; {found['seconds']}")
    print(f"  entries {found['entries_digest']}, runs equal: {found['digests_equal']}")
